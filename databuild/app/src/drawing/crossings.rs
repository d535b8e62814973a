//! Crossings of edges between neighboring layers: counted, and reduced by ordering each layer by barycentres.

/// Sweeps over all layers, at most.
const MOST_SWEEPS: usize = 12;
/// Joints that are looked at in all sweeps together, at most: the bound of the work on a huge graph.
const MOST_LOOKS: usize = 4_000_000;

/// Orders `rows` so that fewer of the joints `down`, from a row to the next one, cross. Never makes more of them.
pub(super) fn reduce(rows: &mut [Vec<usize>], down: &[Vec<usize>]) {
    let up = reversed(down);
    let joints: usize = down.iter().map(Vec::len).sum();
    let mut at = vec![0_usize; down.len()];
    rows.iter().for_each(|row| number(row, &mut at));
    let mut best = rows.to_vec();
    let mut fewest = crossings(rows, down, &at);
    let mut looks = 0;
    let mut in_vain = 0;
    for sweep in 0..MOST_SWEEPS {
        looks += 2 * joints + down.len();
        // Two in vain: one down and one up.
        if fewest == 0 || in_vain == 2 || looks > MOST_LOOKS {
            break;
        }
        if sweep % 2 == 0 {
            rows.iter_mut().skip(1).for_each(|row| order(row, &up, &mut at));
        } else {
            rows.iter_mut().rev().skip(1).for_each(|row| order(row, down, &mut at));
        }
        let count = crossings(rows, down, &at);
        if count < fewest {
            (fewest, in_vain) = (count, 0);
            best.clone_from_slice(rows);
        } else {
            in_vain += 1;
        }
    }
    rows.clone_from_slice(&best);
}

/// What leads to each, from what each leads to.
pub(super) fn reversed(down: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut up = vec![Vec::new(); down.len()];
    for (from, next) in down.iter().enumerate() {
        next.iter().for_each(|to| up[*to].push(from));
    }
    up
}

fn number(row: &[usize], at: &mut [usize]) {
    row.iter().enumerate().for_each(|(place, node)| at[*node] = place);
}

/// Orders a row by the means of what its nodes are joined with. Those that are joined with nothing stay where they are.
fn order(row: &mut [usize], joined: &[Vec<usize>], at: &mut [usize]) {
    let mean = |node: &usize| {
        let sum: usize = joined[*node].iter().map(|other| at[*other]).sum();
        sum as f64 / joined[*node].len() as f64
    };
    let mut moving: Vec<(f64, usize)> =
        row.iter().filter(|node| !joined[**node].is_empty()).map(|node| (mean(node), *node)).collect();
    // Stable: equal means keep their order.
    moving.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let mut moving = moving.into_iter();
    for slot in row.iter_mut().filter(|node| !joined[**node].is_empty()) {
        if let Some((_, node)) = moving.next() {
            *slot = node;
        }
    }
    number(row, at);
}

/// How many pairs of joints cross.
fn crossings(rows: &[Vec<usize>], down: &[Vec<usize>], at: &[usize]) -> u64 {
    rows.windows(2).map(|pair| crossings_between(&pair[0], pair[1].len(), down, at)).sum()
}

/// Counts for each joint, from left to right, those before it that end to the right of it: sums in a tree of counts.
fn crossings_between(row: &[usize], below: usize, down: &[Vec<usize>], at: &[usize]) -> u64 {
    let mut tree = vec![0_u64; below + 1];
    let (mut count, mut before) = (0, 0);
    for node in row {
        for to in &down[*node] {
            let mut place = at[*to] + 1;
            let mut not_right = 0;
            while place > 0 {
                not_right += tree[place];
                place &= place - 1;
            }
            count += before - not_right;
        }
        for to in &down[*node] {
            before += 1;
            let mut place = at[*to] + 1;
            while place <= below {
                tree[place] += 1;
                place += place & place.wrapping_neg();
            }
        }
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Two or three rows, joined from each to the next.
    fn any_rows() -> impl Strategy<Value = (Vec<Vec<usize>>, Vec<Vec<usize>>)> {
        proptest::collection::vec(1..7_usize, 2..4).prop_flat_map(|sizes| {
            let mut rows = Vec::new();
            let mut all = 0;
            for size in sizes {
                rows.push((all..all + size).collect::<Vec<usize>>());
                all += size;
            }
            let next = rows.clone();
            let joints: Vec<_> = rows
                .iter()
                .enumerate()
                .flat_map(|(ix, row)| row.iter().map(move |_| ix))
                .map(|ix| {
                    proptest::sample::subsequence(
                        next.get(ix + 1).cloned().unwrap_or_default(),
                        0..=next.get(ix + 1).map_or(0, Vec::len),
                    )
                })
                .collect();
            (Just(rows), joints)
        })
    }

    fn by_pairs(rows: &[Vec<usize>], down: &[Vec<usize>]) -> u64 {
        let mut at = vec![0; down.len()];
        rows.iter().for_each(|row| number(row, &mut at));
        let of_row = |row: &Vec<usize>| {
            let joints: Vec<(usize, usize)> =
                row.iter().flat_map(|node| down[*node].iter().map(|to| (at[*node], at[*to]))).collect();
            let crossing =
                |(one, other): (&(usize, usize), &(usize, usize))| one.0 < other.0 && one.1 > other.1;
            joints
                .iter()
                .map(|one| joints.iter().filter(|other| crossing((one, other))).count() as u64)
                .sum::<u64>()
        };
        rows.iter().map(of_row).sum()
    }

    proptest! {
        #[test]
        fn they_are_counted_as_by_comparing_all_pairs((rows, down) in any_rows()) {
            let mut at = vec![0; down.len()];
            rows.iter().for_each(|row| number(row, &mut at));
            prop_assert_eq!(crossings(&rows, &down, &at), by_pairs(&rows, &down));
        }

        #[test]
        fn there_are_never_more_of_them_and_all_nodes_stay_in_their_rows((rows, down) in any_rows()) {
            let mut reduced = rows.clone();
            reduce(&mut reduced, &down);
            prop_assert!(by_pairs(&reduced, &down) <= by_pairs(&rows, &down));
            for (row, before) in reduced.iter_mut().zip(rows) {
                row.sort_unstable();
                prop_assert_eq!(&*row, &before);
            }
        }
    }
}
