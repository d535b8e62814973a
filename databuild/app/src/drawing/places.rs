//! Places of what stands in rows: as near to what it is joined with as its order and the distance to its neighbors let it.

use super::crossings::reversed;

/// Passes over all rows. More of them change little.
const PASSES: usize = 6;

/// A place for each node of `rows`, which are in order and joined by `down`. The smallest place is 0; two neighbors are at least 1
/// apart.
pub(super) fn place(rows: &[Vec<usize>], down: &[Vec<usize>]) -> Vec<f64> {
    let up = reversed(down);
    let mut at = vec![0.0; down.len()];
    for row in rows {
        row.iter().enumerate().for_each(|(place, node)| at[*node] = place as f64);
    }
    for pass in 0..PASSES {
        if pass % 2 == 0 {
            rows.iter().rev().for_each(|row| settle(row, down, &mut at));
        } else {
            rows.iter().for_each(|row| settle(row, &up, &mut at));
        }
    }
    let smallest = at.iter().copied().fold(f64::INFINITY, f64::min);
    at.iter_mut().for_each(|place| *place -= smallest);
    at
}

/// Brings a row as near as it can be to where each of its nodes would like to stand: the mean of what it is joined with.
///
/// Least squares under an order and a distance are means of blocks (the pool of adjacent violators): with the distance taken off,
/// neighbors in the wrong order stand at the mean of what both like.
fn settle(row: &[usize], joined: &[Vec<usize>], at: &mut [f64]) {
    let likes = |node: usize| {
        let others = &joined[node];
        match others.len() {
            0 => at[node],
            count => others.iter().map(|other| at[*other]).sum::<f64>() / count as f64,
        }
    };
    let mut blocks: Vec<(f64, usize)> = Vec::with_capacity(row.len());
    for (ix, node) in row.iter().enumerate() {
        let (mut sum, mut count) = (likes(*node) - ix as f64, 1);
        while let Some((before, size)) = blocks.last().copied() {
            if before / size as f64 <= sum / count as f64 {
                break;
            }
            (sum, count) = (sum + before, count + size);
            blocks.pop();
        }
        blocks.push((sum, count));
    }
    let settled = blocks.into_iter().flat_map(|(sum, count)| std::iter::repeat_n(sum / count as f64, count));
    for (ix, (node, place)) in row.iter().zip(settled).enumerate() {
        at[*node] = place + ix as f64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_that_likes_one_place_stands_around_it() {
        // 0 to 2 all like to be where 3 is.
        let rows = [vec![0, 1, 2], vec![3]];
        let at = place(&rows, &[vec![3], vec![3], vec![3], vec![]]);
        assert_eq!(at, [0.0, 1.0, 2.0, 1.0]);
    }

    #[test]
    fn a_chain_is_straight_beside_a_crowd() {
        // 0 leads to 1, 2 and 3; 3 leads to 4.
        let rows = [vec![0], vec![1, 2, 3], vec![4]];
        let at = place(&rows, &[vec![1, 2, 3], vec![], vec![], vec![4], vec![]]);
        assert_eq!((at[0], at[3]), (at[2], at[4]));
    }
}
