//! Where the nodes of a directed graph stand in a drawing, in layers that edges cross from the first to the last.
//!
//! A pure function of the numbers of nodes and edges: the same graph has the same drawing. It takes any graph. Edges that close a
//! circle are turned round, and edges from a node to itself are left out. Its work is bounded, and nearly linear: what is too much
//! to make tidy is left as it is.
//!
//! 1. The layer of a node is the length of the longest path that leads to it. One that nothing leads to stands just before the first
//!    that it leads to.
//! 2. An edge over several layers has a bend in each of those between; edges of one node share theirs as far as they go together.
//! 3. The order in each layer is that of the means of what is beside it (barycentres), swept down and up while that reduces crossings.
//! 4. Places are as near to the means of what they are joined with as order and distance let them.

use super::crossings;
use super::places;

/// Bends that are made at most; edges for which none are left go straight.
const MOST_BENDS: usize = 100_000;

/// A node stands here.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spot {
    /// Layer, from 0.
    pub layer: usize,
    /// Place in the layer, from 0; two in one layer are at least 1 apart.
    pub place: f64,
}

/// Where all stands.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Layout {
    /// By node.
    pub spots: Vec<Spot>,
    /// By edge: places in the layers between its ends, from that of the smaller layer on.
    pub bends: Vec<Vec<f64>>,
    /// By edge: whether it was turned round, since it closes a circle.
    pub turned: Vec<bool>,
    /// How many layers there are.
    pub layers: usize,
    /// The largest place.
    pub width: f64,
}

/// Lays out `nodes` nodes, and edges between their numbers.
///
/// # Panics
/// An edge names a node that is not there.
#[must_use]
pub fn layout(nodes: usize, edges: &[(usize, usize)]) -> Layout {
    assert!(
        edges.iter().all(|(from, to)| *from < nodes && *to < nodes),
        "an edge joins nodes that are there"
    );
    let turned = turned(nodes, edges);
    let forward: Vec<(usize, usize)> = edges
        .iter()
        .zip(&turned)
        .map(|((from, to), turned)| if *turned { (*to, *from) } else { (*from, *to) })
        .collect();
    let layer = layers(nodes, &forward);
    let mut chart = Chart::new(&layer, &forward);
    crossings::reduce(&mut chart.rows, &chart.down);
    let placed = places::place(&chart.rows, &chart.down);
    let width = placed.iter().copied().fold(0.0, f64::max);
    Layout {
        spots: layer
            .iter()
            .zip(&placed)
            .map(|(layer, place)| Spot { layer: *layer, place: *place })
            .collect(),
        bends: chart.bends.iter().map(|bends| bends.iter().map(|bend| placed[*bend]).collect()).collect(),
        turned,
        layers: chart.rows.len(),
        width,
    }
}

/// What each node leads to.
fn successors(nodes: usize, edges: &[(usize, usize)]) -> Vec<Vec<(usize, usize)>> {
    let mut next = vec![Vec::new(); nodes];
    for (edge, (from, to)) in edges.iter().enumerate() {
        if from != to {
            next[*from].push((*to, edge));
        }
    }
    next
}

/// Which edges lead back to a node that a walk along the edges is still coming from.
fn turned(nodes: usize, edges: &[(usize, usize)]) -> Vec<bool> {
    #[derive(Clone, Copy, PartialEq)]
    enum Seen {
        Never,
        Open,
        Done,
    }
    let next = successors(nodes, edges);
    let mut turned = vec![false; edges.len()];
    let mut seen = vec![Seen::Never; nodes];
    let mut targets = vec![0; nodes];
    edges.iter().for_each(|(_, to)| targets[*to] += 1);
    // From those that nothing leads to, so that what they lead to is not taken for the beginning of a circle.
    let (first, rest): (Vec<usize>, Vec<usize>) = (0..nodes).partition(|node| targets[*node] == 0);
    // A stack of its own: a chain may be as long as there are nodes.
    let mut walk: Vec<(usize, usize)> = Vec::new();
    for start in first.into_iter().chain(rest) {
        if seen[start] != Seen::Never {
            continue;
        }
        seen[start] = Seen::Open;
        walk.push((start, 0));
        while let Some((node, at)) = walk.last_mut() {
            let Some((to, edge)) = next[*node].get(*at).copied() else {
                seen[*node] = Seen::Done;
                walk.pop();
                continue;
            };
            *at += 1;
            match seen[to] {
                Seen::Never => {
                    seen[to] = Seen::Open;
                    walk.push((to, 0));
                }
                Seen::Open => turned[edge] = true,
                Seen::Done => {}
            }
        }
    }
    turned
}

/// The layer of each node. The edges go in no circle.
fn layers(nodes: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    let next = successors(nodes, edges);
    let mut waiting = vec![0_usize; nodes];
    next.iter().flatten().for_each(|(to, _)| waiting[*to] += 1);
    let is_first: Vec<bool> = waiting.iter().map(|count| *count == 0).collect();
    let mut ready: Vec<usize> = (0..nodes).filter(|node| is_first[*node]).collect();
    let mut layer = vec![0; nodes];
    while let Some(node) = ready.pop() {
        for (to, _) in &next[node] {
            layer[*to] = layer[*to].max(layer[node] + 1);
            waiting[*to] -= 1;
            if waiting[*to] == 0 {
                ready.push(*to);
            }
        }
    }
    for node in (0..nodes).filter(|node| is_first[*node]) {
        let nearest = next[node].iter().map(|(to, _)| layer[*to]).min();
        layer[node] = nearest.map_or(0, |nearest| nearest - 1);
    }
    layer
}

/// Nodes and bends by layer, and what is joined with what in the next one. Bends are numbered after the nodes.
struct Chart {
    rows: Vec<Vec<usize>>,
    down: Vec<Vec<usize>>,
    bends: Vec<Vec<usize>>,
}

impl Chart {
    fn new(layer: &[usize], edges: &[(usize, usize)]) -> Chart {
        let layers = layer.iter().map(|layer| layer + 1).max().unwrap_or(0);
        let mut rows: Vec<Vec<usize>> = vec![Vec::new(); layers];
        layer.iter().enumerate().for_each(|(node, layer)| rows[*layer].push(node));
        let mut chart =
            Chart { rows, down: vec![Vec::new(); layer.len()], bends: vec![Vec::new(); edges.len()] };
        // The longest edge of a node first: the others share its bends.
        let mut order: Vec<usize> = (0..edges.len()).collect();
        order.sort_by_key(|edge| (edges[*edge].0, std::cmp::Reverse(layer[edges[*edge].1])));
        let (mut of, mut chain): (usize, Vec<usize>) = (usize::MAX, Vec::new());
        let mut left = MOST_BENDS;
        for edge in order {
            let (from, to) = edges[edge];
            if from == to {
                continue;
            }
            if of != from {
                (of, chain) = (from, Vec::new());
            }
            let between = layer[to] - layer[from] - 1;
            if chain.len() < between {
                // Only the longest edge of a node comes here; the others would, too, if there were no bends left for it.
                if between > left {
                    continue;
                }
                left -= between;
                chain = (1..=between).map(|step| chart.bend(layer[from] + step)).collect();
                chart.down[from].extend(chain.first());
                chain.windows(2).for_each(|pair| chart.down[pair[0]].push(pair[1]));
            }
            let last = between.checked_sub(1).map_or(from, |last| chain[last]);
            chart.down[last].push(to);
            chart.bends[edge] = chain[..between].to_vec();
        }
        for next in &mut chart.down {
            next.sort_unstable();
            next.dedup();
        }
        chart
    }

    /// One more bend in a layer.
    fn bend(&mut self, layer: usize) -> usize {
        let bend = self.down.len();
        self.down.push(Vec::new());
        self.rows[layer].push(bend);
        bend
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::{Duration, Instant};

    fn any_graph() -> impl Strategy<Value = (usize, Vec<(usize, usize)>)> {
        (1..30_usize)
            .prop_flat_map(|nodes| (Just(nodes), proptest::collection::vec((0..nodes, 0..nodes), 0..60)))
    }

    fn without_circles() -> impl Strategy<Value = (usize, Vec<(usize, usize)>)> {
        any_graph().prop_map(|(nodes, edges)| {
            let edges = edges.into_iter().filter(|(from, to)| from != to);
            (nodes, edges.map(|(from, to)| (from.min(to), from.max(to))).collect())
        })
    }

    /// The length of the longest path that leads to a node, by trying all.
    fn longest(node: usize, edges: &[(usize, usize)]) -> usize {
        let before = edges.iter().filter(|(_, to)| *to == node);
        before.map(|(from, _)| longest(*from, edges) + 1).max().unwrap_or(0)
    }

    proptest! {
        #[test]
        fn edges_go_from_layer_to_layer_and_bend_in_each_between((nodes, edges) in any_graph()) {
            let drawn = layout(nodes, &edges);
            prop_assert_eq!(drawn.spots.len(), nodes);
            for (edge, (from, to)) in edges.iter().enumerate() {
                if from == to {
                    prop_assert!(!drawn.turned[edge] && drawn.bends[edge].is_empty());
                    continue;
                }
                let (from, to) = if drawn.turned[edge] { (to, from) } else { (from, to) };
                let (above, below) = (drawn.spots[*from].layer, drawn.spots[*to].layer);
                prop_assert!(above < below, "{} {}", above, below);
                prop_assert_eq!(drawn.bends[edge].len(), below - above - 1);
            }
        }

        #[test]
        fn nothing_stands_on_anything_else_and_nothing_is_outside((nodes, edges) in any_graph()) {
            let drawn = layout(nodes, &edges);
            for layer in 0..drawn.layers {
                let mut places: Vec<f64> =
                    drawn.spots.iter().filter(|spot| spot.layer == layer).map(|spot| spot.place).collect();
                prop_assert!(!places.is_empty());
                places.sort_by(f64::total_cmp);
                prop_assert!(places.windows(2).all(|pair| pair[1] - pair[0] > 0.999), "{:?}", places);
                prop_assert!(places.iter().all(|place| (0.0..=drawn.width).contains(place)), "{:?}", places);
            }
        }

        #[test]
        fn the_layer_is_the_length_of_the_longest_path((nodes, edges) in without_circles()) {
            let drawn = layout(nodes, &edges);
            prop_assert!(drawn.turned.iter().all(|turned| !turned));
            for (node, spot) in drawn.spots.iter().enumerate() {
                let longest = longest(node, &edges);
                let readers = edges.iter().filter(|(from, _)| *from == node);
                let first = readers.map(|(_, to)| drawn.spots[*to].layer).min();
                let expected = if longest == 0 { first.map_or(0, |first| first - 1) } else { longest };
                prop_assert_eq!(spot.layer, expected);
            }
        }

        #[test]
        fn the_same_graph_has_the_same_drawing((nodes, edges) in any_graph()) {
            prop_assert_eq!(layout(nodes, &edges), layout(nodes, &edges));
        }
    }

    #[test]
    fn a_tree_and_two_crossed_edges_come_out_without_crossings() {
        // 0 and 1 are given in the wrong order for 2 and 3.
        let drawn = layout(4, &[(0, 3), (1, 2)]);
        let place = |node: usize| drawn.spots[node].place;
        assert_eq!(place(0) < place(1), place(3) < place(2), "{drawn:?}");
        // Who has two children stands in the middle of them.
        let tree = layout(3, &[(0, 1), (0, 2)]);
        assert_eq!(tree.spots[0].place, (tree.spots[1].place + tree.spots[2].place) / 2.0);
    }

    #[test]
    fn nothing_has_an_empty_drawing() {
        assert_eq!(layout(0, &[]), Layout::default());
    }

    /// What it is called, its nodes, and its edges.
    type Sample = (&'static str, usize, Vec<(usize, usize)>);

    /// Graphs as workspaces have them, and the worst that there are.
    fn large() -> Vec<Sample> {
        const NODES: usize = 10_000;
        let mut seed = 1_u64;
        let mut below = |most: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap_or(0) % most
        };
        let pipeline = (100..NODES).flat_map(|node| {
            let near = [(node - 1 - below(100), node), (node - 1 - below(100), node)];
            near.into_iter().chain((below(10) == 0).then(|| (below(100), node)))
        });
        let pipeline = pipeline.collect();
        let random = (0..30_000).map(|_| (below(NODES), below(NODES))).collect();
        let chain: Vec<(usize, usize)> = (1..NODES).map(|node| (node - 1, node)).collect();
        let last = (0..NODES - 1).map(|node| (node, NODES - 1));
        vec![
            ("pipeline", NODES, pipeline),
            ("random, with circles", NODES, random),
            ("all to the last of a chain", NODES, chain.iter().copied().chain(last).collect()),
            ("star", NODES, (1..NODES).map(|node| (0, node)).collect()),
        ]
    }

    #[test]
    fn ten_thousand_nodes_take_less_than_a_second() {
        for (name, nodes, edges) in large() {
            let began = Instant::now();
            let drawn = layout(nodes, &edges);
            let took = began.elapsed();
            assert_eq!(drawn.spots.len(), nodes);
            // Tests are not optimized, and share the machine with others; the bound is for what is.
            let most = if cfg!(debug_assertions) { Duration::from_secs(20) } else { Duration::from_secs(1) };
            assert!(took < most, "{name}: {took:?}");
        }
    }
}
