//! What a drawing shows of a graph: nodes, and which of them are made from which.

use databuild_core::graph::{DatasetIx, Graph};
use databuild_core::reference::ReferenceError;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What is to be seen.
#[derive(Debug, Default)]
pub(super) struct View<'q> {
    /// Only this dataset, package or job's outputs, what they are made from, and what is made from them.
    pub(super) around: Option<&'q str>,
    /// So many steps away from it, at most; all of them if it is not said.
    pub(super) depth: Option<usize>,
    /// Datasets of one package are one node.
    pub(super) fold: bool,
    /// Packages that are not folded.
    pub(super) open: BTreeSet<&'q str>,
}

/// A dataset, or all those of a package.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// That of the dataset or of the package.
    pub(super) name: String,
    /// The dataset, if it stands for itself.
    pub(super) alone: Option<DatasetIx>,
    /// How many it stands for.
    pub(super) datasets: u64,
}

/// Nodes by name, and edges.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Outline {
    pub(super) nodes: Vec<Node>,
    /// By the numbers of what is read and what is made from it: how many pairs of datasets an edge stands for.
    pub(super) edges: BTreeMap<(usize, usize), u64>,
}

/// What a view shows of a graph.
///
/// # Errors
/// The graph has nothing of the name in the middle.
pub(super) fn outline(graph: &Graph, view: &View<'_>) -> Result<Outline, ReferenceError> {
    let middle = view.around.map(|name| datasets_of(graph, view, name)).transpose()?.unwrap_or_default();
    // What is asked for by its own name is shown by itself.
    let shown: BTreeSet<&str> = match view.around {
        Some(name) if graph.dataset_named(name).is_some() => package(name).into_iter().collect(),
        _ => BTreeSet::new(),
    };
    let folded = |name: &'_ str| {
        let package =
            package(name).filter(|package| !view.open.contains(package) && !shown.contains(package));
        package.filter(|_| view.fold).map(str::to_owned)
    };
    // By name, so that nodes have one order however the graph came to be.
    let mut groups: BTreeMap<(String, bool), Vec<DatasetIx>> = BTreeMap::new();
    for (ix, dataset) in graph.datasets() {
        let package = folded(&dataset.name);
        let is_package = package.is_some();
        groups.entry((package.unwrap_or_else(|| dataset.name.clone()), is_package)).or_default().push(ix);
    }
    let mut node_of = vec![0; graph.datasets().len()];
    let mut nodes = Vec::with_capacity(groups.len());
    for ((name, is_package), datasets) in groups {
        datasets.iter().for_each(|ix| node_of[ix.0] = nodes.len());
        let alone = datasets.first().copied().filter(|_| !is_package);
        nodes.push(Node { name, alone, datasets: datasets.len() as u64 });
    }
    let mut edges: BTreeMap<(usize, usize), u64> = BTreeMap::new();
    for (_, job) in graph.jobs() {
        let read: BTreeSet<DatasetIx> = job.inputs.iter().map(|input| input.dataset).collect();
        for (from, to) in read.iter().flat_map(|from| job.outputs.iter().map(move |to| (from, to))) {
            let ends = (node_of[from.0], node_of[to.0]);
            if ends.0 != ends.1 {
                *edges.entry(ends).or_default() += 1;
            }
        }
    }
    let all = Outline { nodes, edges };
    if view.around.is_none() {
        return Ok(all);
    }
    let middle: BTreeSet<usize> = middle.into_iter().map(|ix| node_of[ix.0]).collect();
    Ok(near(all, &middle, view.depth.unwrap_or(usize::MAX)))
}

/// The package of a dataset; those of the root package have none.
fn package(dataset: &str) -> Option<&str> {
    dataset.rsplit_once('/').map(|(package, _)| package)
}

/// What a name in the middle of a drawing means: a dataset, a job's outputs, or the datasets of a package if those are folded.
fn datasets_of(graph: &Graph, view: &View<'_>, name: &str) -> Result<Vec<DatasetIx>, ReferenceError> {
    if let Some(ix) = graph.dataset_named(name) {
        return Ok(vec![ix]);
    }
    if let Some(job) = graph.job_labeled(name) {
        return Ok(graph.job(job).outputs.clone());
    }
    let of_package = graph.datasets().filter(|(_, dataset)| package(&dataset.name) == Some(name));
    let found: Vec<DatasetIx> = of_package.map(|(ix, _)| ix).collect();
    if found.is_empty() || !view.fold {
        let names = graph.datasets().map(|(_, dataset)| dataset.name.as_str());
        return Err(ReferenceError::unknown_dataset(name, names));
    }
    Ok(found)
}

/// The nodes in the middle with all that is at most so many steps up from them, or so many down.
fn near(all: Outline, middle: &BTreeSet<usize>, depth: usize) -> Outline {
    let walk = |step: &dyn Fn((usize, usize)) -> (usize, usize)| {
        let mut next = vec![Vec::new(); all.nodes.len()];
        for (from, to) in all.edges.keys().copied().map(step) {
            next[from].push(to);
        }
        let mut seen: BTreeSet<usize> = middle.clone();
        let mut ahead: VecDeque<(usize, usize)> = middle.iter().map(|node| (*node, 0)).collect();
        while let Some((node, steps)) = ahead.pop_front() {
            if steps == depth {
                continue;
            }
            for to in &next[node] {
                if seen.insert(*to) {
                    ahead.push_back((*to, steps + 1));
                }
            }
        }
        seen
    };
    let mut kept = walk(&|ends| ends);
    kept.extend(walk(&|(from, to)| (to, from)));
    let number: BTreeMap<usize, usize> = kept.iter().enumerate().map(|(new, old)| (*old, new)).collect();
    Outline {
        edges: all
            .edges
            .iter()
            .filter_map(|((from, to), count)| Some(((*number.get(from)?, *number.get(to)?), *count)))
            .collect(),
        nodes: kept.iter().map(|node| all.nodes[*node].clone()).collect(),
    }
}
