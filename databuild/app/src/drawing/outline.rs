//! What a drawing shows of a graph: nodes, and which of them are made from which.

use databuild_core::graph::{DatasetIx, Graph};
use databuild_core::reference::ReferenceError;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// What the package at the root is called, as in Bazel; as a node, it is also all that is folded into it.
pub(super) const ROOT: &str = "//";
/// Edges that a drawing may have for each of its nodes, if the nodes have a limit.
const EDGES_A_NODE: usize = 4;

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
    /// So many nodes at most: what is more is folded, however far that goes.
    pub(super) most: Option<usize>,
    /// Datasets that are not there for whoever asks.
    pub(super) hidden: BTreeSet<DatasetIx>,
}

/// A dataset, or all those of a package.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    /// That of the dataset or of the package.
    pub(super) name: String,
    /// It stands for a package.
    pub(super) folded: bool,
    /// What it stands for; never empty.
    pub(super) datasets: Vec<DatasetIx>,
}

impl Node {
    /// The dataset, if it stands for itself.
    pub(super) fn alone(&self) -> Option<DatasetIx> {
        self.datasets.first().copied().filter(|_| !self.folded)
    }
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
    let pairs = pairs(graph, view);
    let (middle, kept) = match view.around {
        Some(name) => {
            let middle = datasets_of(graph, view, name)?;
            let kept = near(graph.datasets().len(), &pairs, &middle, view.depth.unwrap_or(usize::MAX));
            // A package is seen as one, unless it is opened.
            let is_package = dataset(graph, view, name).is_none() && outputs(graph, view, name).is_none();
            (if is_package { BTreeSet::new() } else { middle }, kept)
        }
        None => (BTreeSet::new(), vec![true; graph.datasets().len()]),
    };
    let shown: Vec<(DatasetIx, &str)> = graph
        .datasets()
        .filter(|(ix, _)| kept[ix.0] && !view.hidden.contains(ix))
        .map(|(ix, dataset)| (ix, dataset.name.as_str()))
        .collect();
    let deepest = shown.iter().map(|(_, name)| package(name).split('/').count()).max().unwrap_or(0);
    let foldings = foldings(view, deepest);
    let last = foldings.len() - 1;
    let mut found = Outline::default();
    for (at, folding) in foldings.into_iter().enumerate() {
        let nodes = nodes(graph, view, folding, &middle, &shown);
        let most = view.most.filter(|_| at < last).unwrap_or(usize::MAX);
        if nodes.len() > most {
            continue;
        }
        let edges = edges(graph.datasets().len(), &nodes, &pairs);
        found = Outline { nodes, edges };
        if found.edges.len() <= most.saturating_mul(EDGES_A_NODE) {
            break;
        }
    }
    Ok(found)
}

/// How packages are folded.
#[derive(Debug, Clone, Copy)]
struct Folding {
    /// They are.
    fold: bool,
    /// Into one with so many parts of their name.
    parts: usize,
    /// Also the one at the root.
    root: bool,
    /// Those that are to be open are.
    open: bool,
}

/// How packages may be folded, from what shows most to what shows least: the first one is as asked for, the others are only for
/// what has a limit.
fn foldings(view: &View<'_>, deepest: usize) -> Vec<Folding> {
    let asked = Folding { fold: view.fold, parts: usize::MAX, root: false, open: true };
    let mut all = vec![asked];
    if view.most.is_some() {
        for (open, root) in [(true, false), (true, true), (false, false), (false, true)] {
            all.extend((1..=deepest).rev().map(|parts| Folding { fold: true, parts, root, open }));
        }
        all.push(Folding { fold: true, parts: 0, root: true, open: false });
    }
    all
}

/// Which datasets that are seen are made from which, as read and made.
fn pairs(graph: &Graph, view: &View<'_>) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (_, job) in graph.jobs() {
        let read: BTreeSet<DatasetIx> = job.inputs.iter().map(|input| input.dataset).collect();
        pairs.extend(read.iter().flat_map(|from| job.outputs.iter().map(move |to| (*from, *to))));
    }
    pairs.retain(|(from, to)| !view.hidden.contains(from) && !view.hidden.contains(to));
    pairs.into_iter().map(|(from, to)| (from.0, to.0)).collect()
}

/// Datasets as nodes, by name, so that they have one order however the graph came to be.
fn nodes(
    graph: &Graph,
    view: &View<'_>,
    folding: Folding,
    middle: &BTreeSet<DatasetIx>,
    shown: &[(DatasetIx, &str)],
) -> Vec<Node> {
    // Others of the package of what is in the middle are seen by themselves, too.
    let beside: BTreeSet<&str> = middle.iter().map(|ix| package(&graph.dataset(*ix).name)).collect();
    let is_open = |package: &str| {
        folding.open
            && (view.open.contains(package)
                || package.is_empty() && view.open.contains(ROOT)
                || beside.contains(package))
    };
    let mut groups: BTreeMap<(&str, bool), Vec<DatasetIx>> = BTreeMap::new();
    for (ix, name) in shown {
        let package = if middle.contains(ix) { None } else { fold(name, folding, is_open) };
        groups.entry((package.unwrap_or(*name), package.is_some())).or_default().push(*ix);
    }
    let node =
        |((name, folded), datasets): ((&str, bool), _)| Node { name: name.to_owned(), folded, datasets };
    groups.into_iter().map(node).collect()
}

/// The package into which a dataset is folded; none if it is seen by itself.
fn fold(dataset: &str, folding: Folding, is_open: impl Fn(&str) -> bool) -> Option<&str> {
    if !folding.fold {
        return None;
    }
    let package = package(dataset);
    if package.is_empty() {
        return (folding.root && !is_open(package)).then_some(ROOT);
    }
    let ends: Vec<usize> =
        package.match_indices('/').map(|(end, _)| end).chain(std::iter::once(package.len())).collect();
    // What is open is not folded, and what is in it is not folded into it.
    let opened = ends.iter().rposition(|end| is_open(&package[..*end])).map_or(0, |last| last + 1);
    if opened == ends.len() {
        return None;
    }
    let least = if opened > 0 { opened + 1 } else { 0 };
    match folding.parts.max(least).min(ends.len()) {
        0 => Some(ROOT),
        parts => Some(&package[..ends[parts - 1]]),
    }
}

/// Whether a dataset is in a package, or in one below it.
pub(crate) fn is_in(dataset: &str, name: &str) -> bool {
    match package(dataset).strip_prefix(name) {
        Some(rest) => rest.is_empty() || rest.starts_with('/'),
        None => name == ROOT && package(dataset).is_empty(),
    }
}

/// The package of a dataset; it is empty at the root.
fn package(dataset: &str) -> &str {
    dataset.rsplit_once('/').map_or("", |(package, _)| package)
}

fn edges(datasets: usize, nodes: &[Node], pairs: &[(usize, usize)]) -> BTreeMap<(usize, usize), u64> {
    let mut node_of = vec![usize::MAX; datasets];
    for (number, node) in nodes.iter().enumerate() {
        node.datasets.iter().for_each(|ix| node_of[ix.0] = number);
    }
    let mut edges = BTreeMap::new();
    for (from, to) in pairs {
        let ends = (node_of[*from], node_of[*to]);
        if ends.0 != ends.1 && ends.0 != usize::MAX && ends.1 != usize::MAX {
            *edges.entry(ends).or_default() += 1;
        }
    }
    edges
}

/// The dataset of a name, if it is seen.
fn dataset(graph: &Graph, view: &View<'_>, name: &str) -> Option<DatasetIx> {
    graph.dataset_named(name).filter(|ix| !view.hidden.contains(ix))
}

/// What a job of a label makes, if all of it is seen.
fn outputs(graph: &Graph, view: &View<'_>, label: &str) -> Option<BTreeSet<DatasetIx>> {
    let outputs = &graph.job(graph.job_labeled(label)?).outputs;
    outputs.iter().all(|ix| !view.hidden.contains(ix)).then(|| outputs.iter().copied().collect())
}

/// What a name in the middle of a drawing means: a dataset, a job's outputs, or what is in a package if those are folded.
fn datasets_of(graph: &Graph, view: &View<'_>, name: &str) -> Result<BTreeSet<DatasetIx>, ReferenceError> {
    if let Some(ix) = dataset(graph, view, name) {
        return Ok(BTreeSet::from([ix]));
    }
    if let Some(outputs) = outputs(graph, view, name) {
        return Ok(outputs);
    }
    let seen = || graph.datasets().filter(|(ix, _)| !view.hidden.contains(ix));
    let within = seen().filter(|(_, dataset)| view.fold && is_in(&dataset.name, name));
    let found: BTreeSet<DatasetIx> = within.map(|(ix, _)| ix).collect();
    if found.is_empty() {
        let names = seen().map(|(_, dataset)| dataset.name.as_str());
        return Err(ReferenceError::unknown_dataset(name, names));
    }
    Ok(found)
}

/// Which datasets are in the middle, at most so many steps up from there, or so many down.
fn near(datasets: usize, pairs: &[(usize, usize)], middle: &BTreeSet<DatasetIx>, depth: usize) -> Vec<bool> {
    let mut near = vec![false; datasets];
    for is_up in [false, true] {
        let mut next = vec![Vec::new(); datasets];
        for (from, to) in pairs {
            let (from, to) = if is_up { (to, from) } else { (from, to) };
            next[*from].push(*to);
        }
        let mut seen = vec![false; datasets];
        let mut ahead: VecDeque<(usize, usize)> = middle.iter().map(|ix| (ix.0, 0)).collect();
        middle.iter().for_each(|ix| seen[ix.0] = true);
        while let Some((dataset, steps)) = ahead.pop_front() {
            near[dataset] = true;
            if steps == depth {
                continue;
            }
            for to in &next[dataset] {
                if !std::mem::replace(&mut seen[*to], true) {
                    ahead.push_back((*to, steps + 1));
                }
            }
        }
    }
    near
}
