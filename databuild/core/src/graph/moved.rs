//! Renames: what a dataset, a dimension or a job of the graph was named before.
//!
//! A thing that was moved is what it was. What counts for digests and for what runs share is its *origin*, the
//! oldest name that is declared, so that a rename changes none of that. State and work of an earlier graph are
//! found by any of the names ([`Graph::counterpart`]), and so is what events say in old words.

use super::file::{GraphFile, MovedEntry};
use super::problem::{GraphProblem, ProblemCode as Code, Problems};
use super::{Dataset, DatasetIx, Graph, Job, JobIx};
use crate::partition_set::Axis;
use crate::reference::ReferenceText;
use std::collections::{BTreeMap, HashSet};
use std::ptr;

/// Earlier names by the name of now, the latest first.
type Earlier = BTreeMap<String, Vec<String>>;

/// All that is declared moved, looked up by the names of now.
#[derive(Debug, Default)]
pub(super) struct Moved {
    datasets: Earlier,
    jobs: Earlier,
    /// By dataset.
    dims: BTreeMap<String, Earlier>,
}

impl Moved {
    /// Follows the declarations of a file; what contradicts itself is told once and then left out.
    pub(super) fn of(file: &GraphFile, problems: &mut Problems) -> Moved {
        let mut datasets = Vec::new();
        let mut jobs = Vec::new();
        let mut dims: Vec<(&str, Link)> = Vec::new();
        for entry in &file.moved {
            match entry {
                MovedEntry::Dataset { from, to } => datasets.push(Link { from, to }),
                MovedEntry::Job { from, to } => jobs.push(Link { from, to }),
                MovedEntry::Dimension { dataset, from, to } => dims.push((dataset, Link { from, to })),
            }
        }
        let mut told = |message| {
            let help = "declare each rename once, from the old name to the new one; the old one is gone from the graph";
            problems.block(GraphProblem::new(Code::BadMoved, &file.label, message, help));
        };
        let names: HashSet<&str> = file.datasets.iter().map(|dataset| dataset.name.as_str()).collect();
        let labels: HashSet<&str> = file.jobs.iter().map(|job| job.label.as_str()).collect();
        let mut moved = Moved {
            datasets: follow("dataset", "the graph", &datasets, &names, &mut told),
            jobs: follow("job", "the graph", &jobs, &labels, &mut told),
            dims: BTreeMap::new(),
        };
        let mut by_dataset: BTreeMap<&str, Vec<Link>> = BTreeMap::new();
        for (named, link) in dims {
            // It may have been declared before its dataset was moved.
            let earlier = moved.datasets.iter().find(|(_, earlier)| earlier.iter().any(|name| name == named));
            let now = earlier.map_or(named, |(now, _)| now.as_str());
            match file.datasets.iter().find(|dataset| dataset.name == now) {
                Some(dataset) => by_dataset.entry(&dataset.name).or_default().push(link),
                None => told(format!(
                    "moved: dimension `{}` of `{named}` is moved, and `{named}` is no dataset of the graph",
                    link.from
                )),
            }
        }
        for dataset in &file.datasets {
            let Some(links) = by_dataset.get(dataset.name.as_str()) else { continue };
            let names: HashSet<&str> = dataset.dims.iter().map(|dim| dim.name.as_str()).collect();
            let earlier = follow("dimension", &format!("`{}`", dataset.name), links, &names, &mut told);
            moved.dims.insert(dataset.name.clone(), earlier);
        }
        moved
    }

    /// Earlier names of a dataset.
    pub(super) fn of_dataset(&self, name: &str) -> Vec<String> {
        self.datasets.get(name).cloned().unwrap_or_default()
    }

    /// Earlier labels of a job.
    pub(super) fn of_job(&self, label: &str) -> Vec<String> {
        self.jobs.get(label).cloned().unwrap_or_default()
    }

    /// Earlier names of a dimension.
    pub(super) fn of_dim(&self, dataset: &str, dim: &str) -> Vec<String> {
        self.dims.get(dataset).and_then(|dims| dims.get(dim)).cloned().unwrap_or_default()
    }
}

/// One declaration.
struct Link<'f> {
    from: &'f str,
    to: &'f str,
}

/// Joins declarations to chains that end in what is there. Of what contradicts itself one thing is told.
fn follow(
    kind: &str,
    place: &str,
    links: &[Link],
    there: &HashSet<&str>,
    told: &mut impl FnMut(String),
) -> Earlier {
    let mut to: BTreeMap<&str, &str> = BTreeMap::new();
    let mut from: BTreeMap<&str, &str> = BTreeMap::new();
    for link in links {
        if let Some(other) = to.insert(link.from, link.to) {
            let message =
                format!("moved: {kind} `{}` is moved twice, to `{other}` and to `{}`", link.from, link.to);
            told(message);
            return Earlier::new();
        }
        if let Some(other) = from.insert(link.to, link.from) {
            told(format!("moved: `{other}` and `{}` are both moved to {kind} `{}`", link.from, link.to));
            return Earlier::new();
        }
    }
    let mut earlier = Earlier::new();
    // Each begins one chain or belongs to a circle, for no two have one end.
    for start in to.keys().filter(|start| !from.contains_key(*start)) {
        let mut names = vec![*start];
        while let Some(next) = to.get(names[names.len() - 1]) {
            names.push(next);
        }
        let now = names.pop().unwrap_or_default();
        if let Some(name) = names.iter().find(|name| there.contains(*name)) {
            told(format!("moved: {kind} `{name}` is moved to `{}`, and is still in {place}", to[name]));
        } else if there.contains(now) {
            names.reverse();
            earlier.insert(now.to_owned(), names.into_iter().map(str::to_owned).collect());
        } else {
            let last = names[names.len() - 1];
            told(format!("moved: {kind} `{last}` is moved to `{now}`, which is not in {place}"));
        }
    }
    let mut seen: HashSet<&str> = HashSet::new();
    for (start, _) in to.iter().filter(|(start, _)| from.contains_key(*start)) {
        let mut at = *start;
        let mut circle = vec![at];
        while let Some(next) = to.get(at).filter(|next| *next != start && !seen.contains(*next)) {
            circle.push(next);
            at = next;
        }
        if to.get(at) == Some(start) && seen.insert(start) {
            seen.extend(&circle);
            circle.push(start);
            let circle = circle.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" to ");
            told(format!("moved: {kind}s are moved in a circle: {circle}"));
        }
    }
    earlier
}

impl Dataset {
    /// All its names, that of now first.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(&self.name).chain(&self.earlier).map(String::as_str)
    }

    /// The oldest name that is declared.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.earlier.last().unwrap_or(&self.name)
    }

    /// All names of one of its dimensions, that of now first.
    fn dim_names(&self, dim: usize) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(&self.dims[dim]).chain(&self.earlier_dims[dim]).map(String::as_str)
    }

    /// The oldest name of a dimension, if it is one that was moved.
    pub(super) fn origin_of_dim(&self, name: &str) -> Option<&str> {
        let dim = self.dims.iter().position(|dim| dim == name)?;
        self.earlier_dims[dim].last().map(String::as_str)
    }

    /// What a dimension is named now that was once named so.
    #[must_use]
    pub fn dim_once_named(&self, name: &str) -> Option<&str> {
        let dim = self.earlier_dims.iter().position(|earlier| earlier.iter().any(|other| other == name))?;
        Some(&self.dims[dim])
    }

    /// Whether stored keys with these axes are keys of it; its dimensions may have been moved.
    #[must_use]
    pub(crate) fn has_axes(&self, axes: &[Axis]) -> bool {
        let own = self.axes();
        let same = |(dim, (own, other)): (usize, (&Axis, &Axis))| {
            own.calendar == other.calendar && self.dim_names(dim).any(|name| name == other.name)
        };
        own.len() == axes.len() && own.iter().zip(axes).enumerate().all(same)
    }

    /// Whether the keys of both mean the same.
    #[must_use]
    pub(crate) fn has_axes_of(&self, other: &Dataset) -> bool {
        let (own, others) = (self.axes(), other.axes());
        let same = |dim: usize| {
            own[dim].calendar == others[dim].calendar
                && self.dim_names(dim).any(|name| other.dim_names(dim).any(|other| other == name))
        };
        own.len() == others.len() && (0..own.len()).all(same)
    }

    /// A reference of an event in the words of now.
    fn renamed(&self, reference: ReferenceText) -> ReferenceText {
        let dim = |(name, keys): (String, String)| match self.dim_once_named(&name) {
            Some(now) => (now.to_owned(), keys),
            None => (name, keys),
        };
        ReferenceText { dataset: self.name.clone(), dims: reference.dims.into_iter().map(dim).collect() }
    }
}

impl Job {
    /// All its labels, that of now first.
    pub fn labels(&self) -> impl Iterator<Item = &str> + Clone {
        std::iter::once(&self.label).chain(&self.earlier).map(String::as_str)
    }

    /// The oldest label that is declared.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.earlier.last().unwrap_or(&self.label)
    }
}

impl Graph {
    /// The dataset that has or had that name.
    #[must_use]
    pub fn dataset_once_named(&self, name: &str) -> Option<DatasetIx> {
        self.dataset_named(name).or_else(|| self.by_earlier_name.get(name).copied())
    }

    /// The job that has or had that label.
    #[must_use]
    pub fn job_once_labeled(&self, label: &str) -> Option<JobIx> {
        self.job_labeled(label).or_else(|| self.by_earlier_label.get(label).copied())
    }

    /// The dataset that first had that name, as far as is declared.
    #[must_use]
    pub fn dataset_first_named(&self, name: &str) -> Option<&Dataset> {
        let dataset = self.dataset(self.dataset_once_named(name)?);
        (dataset.origin() == name).then_some(dataset)
    }

    /// The job that first had that label, as far as is declared.
    #[must_use]
    pub fn job_first_labeled(&self, label: &str) -> Option<&Job> {
        let job = self.job(self.job_once_labeled(label)?);
        (job.origin() == label).then_some(job)
    }

    /// The dataset of `other` that is the same as ours at `ix`, whichever graph is the older one: it has one
    /// of its names, and its keys mean the same. No two are the same as one.
    #[must_use]
    pub fn counterpart(&self, ix: DatasetIx, other: &Graph) -> Option<DatasetIx> {
        // Each output that the log tells of asks this, and mostly the graph is still the same.
        if ptr::eq(self, other) {
            return Some(ix);
        }
        let dataset = self.dataset(ix);
        let there = dataset.names().find_map(|name| other.dataset_once_named(name))?;
        let back = other.dataset(there).names().find_map(|name| self.dataset_once_named(name));
        (back == Some(ix) && dataset.has_axes_of(other.dataset(there))).then_some(there)
    }

    /// The same for a job, which does not say that it does the same.
    #[must_use]
    pub(crate) fn job_counterpart(&self, ix: JobIx, other: &Graph) -> Option<JobIx> {
        let there = self.job(ix).labels().find_map(|label| other.job_once_labeled(label))?;
        let back = other.job(there).labels().find_map(|label| self.job_once_labeled(label));
        (back == Some(ix)).then_some(there)
    }

    /// The dataset that a text of an event speaks of, and the text in the words of now.
    #[must_use]
    pub(crate) fn read_recorded(&self, text: &str) -> Option<(DatasetIx, ReferenceText)> {
        let reference = ReferenceText::parse(text).ok()?;
        let ix = self.dataset_once_named(&reference.dataset)?;
        Some((ix, self.dataset(ix).renamed(reference)))
    }

    /// A reference of an event in the words of now; what the graph never had stays as it is.
    #[must_use]
    pub(crate) fn in_current_words(&self, text: &str) -> String {
        self.read_recorded(text).map_or_else(|| text.to_owned(), |(_, reference)| reference.to_string())
    }
}
