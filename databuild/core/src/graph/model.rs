//! Datasets, jobs, checks and observers as all other code knows them.

use super::limits::{Pool, Resource};
use super::policy::{DatasetPolicy, JobPolicy};
use super::program::Program;
use super::schedule::Schedule;
use crate::ids::GraphId;
use crate::keys::KeySpace;
use crate::mapping::{Mapping, Side};
use crate::partition_set::{Axis, Order, PartitionKey, PartitionSet, Shape};
use crate::range_set::RangeSet;
use crate::reference::{self, ReferenceText, Retired};
use crate::symbols::Symbols;
use crate::template::Template;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

/// Index of a dataset in its graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DatasetIx(pub usize);

/// Index of a job in its graph. Jobs stand in dependency order: whatever a job reads is made by jobs
/// with smaller indices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobIx(pub usize);

/// A sound graph.
#[derive(Debug, Clone)]
pub struct Graph {
    /// The graph target's label.
    pub label: String,
    pub(super) datasets: Vec<Dataset>,
    pub(super) layouts: Layouts,
    pub(super) jobs: Vec<Job>,
    pub(super) pools: Vec<Pool>,
    /// Events older than this are archived; none are without it.
    pub keep_events: Option<Duration>,
    pub(super) checks: Vec<Check>,
    pub(super) schedules: BTreeMap<Arc<str>, Schedule>,
    pub(super) by_name: HashMap<String, DatasetIx>,
    pub(super) by_label: HashMap<String, JobIx>,
    pub(super) by_earlier_name: HashMap<String, DatasetIx>,
    pub(super) by_earlier_label: HashMap<String, JobIx>,
}

/// A dataset of a graph.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// `package/name`.
    pub name: String,
    /// What it was named before, the latest first.
    pub earlier: Vec<String>,
    /// Its target.
    pub label: String,
    /// 64-bit hash of the oldest name; part of input digests.
    pub hash: u64,
    /// Observed, not built.
    pub external: bool,
    /// Dimension names in declared order.
    pub dims: Vec<String>,
    /// What each of them was named before, the latest first.
    pub earlier_dims: Vec<Vec<String>>,
    /// Key spaces in the same order.
    pub spaces: Vec<KeySpace>,
    /// How sets of its partitions are laid out.
    pub shape: Shape,
    /// Path of a partition's file, if partitions are files.
    pub path: Option<Template>,
    /// The path as it was written.
    pub path_text: Option<String>,
    /// How its data versions are found out; by the file at `path` if none.
    pub observe: Option<Observe>,
    /// How runs that make it are treated.
    pub policy: DatasetPolicy,
    /// Who makes it; none for external ones.
    pub producer: Option<JobIx>,
    /// Who reads it: a job and the index of its input.
    pub consumers: Vec<(JobIx, usize)>,
}

/// A job of a graph.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its target.
    pub label: String,
    /// What it was labeled before, the latest first.
    pub earlier: Vec<String>,
    /// What is run.
    pub program: Program,
    /// Parameters with their defaults.
    pub params: Params,
    /// What it reads.
    pub inputs: Vec<Input>,
    /// What it makes; at least one; all have the same dimensions.
    pub outputs: Vec<DatasetIx>,
    /// One run makes several partitions; else it makes one.
    pub batch: Option<BatchPolicy>,
    /// What each run takes while it is at the executor; each resource once.
    pub takes: Vec<(Resource, u64)>,
    /// How its runs are treated.
    pub policy: JobPolicy,
    /// Runfiles path of the source manifest.
    pub sources: String,
    /// Dynamic key spaces that its runs may add keys to.
    pub adds_keys: Vec<String>,
    pub(super) args_digest: String,
    pub(super) template_digest: String,
}

/// An input of a job.
#[derive(Debug, Clone)]
pub struct Input {
    /// The job's name for it.
    pub name: String,
    /// 64-bit hash of the name, and of the order of listed keys where it is not that of their numbers; part of input
    /// digests.
    pub hash: u64,
    /// What is read.
    pub dataset: DatasetIx,
    /// Which of its partitions.
    pub mapping: Mapping,
    /// The same for whatever it may ever need: `latest` of any instant is in `all`.
    pub ever: Mapping,
    /// The needed keys can change as time passes (an open key space read by `all`, `latest` or a clipped edge).
    pub time_dependent: bool,
}

/// How many partitions one run makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchPolicy {
    /// The dimension of the outputs in which they may differ.
    pub dim: usize,
    /// How many there may be; at least 2.
    pub max: u32,
}

/// The digests of a job that a materialization records, kept apart so that a change can be named.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobDigests {
    /// Executable and runfiles.
    pub code: String,
    /// Arguments, environment, values of parameters, and digests of inherited values.
    pub args: String,
    /// Where and how outputs are laid out.
    pub template: String,
}

impl Graph {
    /// All datasets, by name.
    pub fn datasets(&self) -> impl ExactSizeIterator<Item = (DatasetIx, &Dataset)> {
        self.datasets.iter().enumerate().map(|(i, d)| (DatasetIx(i), d))
    }

    /// All jobs, what is read before what reads it.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = (JobIx, &Job)> + ExactSizeIterator {
        self.jobs.iter().enumerate().map(|(i, j)| (JobIx(i), j))
    }

    /// The dataset at `ix`, which came from this graph.
    #[must_use]
    pub fn dataset(&self, ix: DatasetIx) -> &Dataset {
        &self.datasets[ix.0]
    }

    /// The job at `ix`, which came from this graph.
    #[must_use]
    pub fn job(&self, ix: JobIx) -> &Job {
        &self.jobs[ix.0]
    }

    /// All pools, by label.
    pub fn pools(&self) -> impl ExactSizeIterator<Item = &Pool> {
        self.pools.iter()
    }

    /// All programs: those of jobs, of checks and of observers.
    pub fn programs(&self) -> impl Iterator<Item = &Program> {
        let jobs = self.jobs.iter().map(|job| &job.program);
        let checks = self.checks.iter().map(|check| &check.program);
        jobs.chain(checks).chain(self.observers().map(|observer| &observer.program))
    }

    /// Digests of all code that the graph runs.
    pub fn codes(&self) -> impl Iterator<Item = &str> {
        self.programs().map(|program| program.code.as_str())
    }

    /// Names of variables that programs take from the environment of whoever registers the graph.
    #[must_use]
    pub fn inherited_names(&self) -> BTreeSet<&str> {
        self.programs().flat_map(|program| &program.env_inherit).map(String::as_str).collect()
    }

    /// Whether it declares anything that acts by itself, such as a schedule, a service or a subscription. Only somebody who
    /// deploys puts another graph in its place.
    #[must_use]
    pub fn starts_by_itself(&self) -> bool {
        !self.schedules.is_empty()
    }

    /// The pool of that label.
    #[must_use]
    pub fn pool_labeled(&self, label: &str) -> Option<&Pool> {
        self.pools.iter().find(|pool| pool.label == label)
    }

    /// The dataset of that name.
    #[must_use]
    pub fn dataset_named(&self, name: &str) -> Option<DatasetIx> {
        self.by_name.get(name).copied()
    }

    /// The job of that label.
    #[must_use]
    pub fn job_labeled(&self, label: &str) -> Option<JobIx> {
        self.by_label.get(label).copied()
    }

    /// The dynamic key spaces of the graph with the dimensions that have them: dataset and its dimension.
    #[must_use]
    pub fn dynamic_spaces(&self) -> BTreeMap<&str, Vec<(DatasetIx, usize)>> {
        let mut found: BTreeMap<&str, Vec<(DatasetIx, usize)>> = BTreeMap::new();
        for (ix, dataset) in self.datasets() {
            for (dim, space) in dataset.spaces.iter().enumerate() {
                if let Some(name) = space.dynamic() {
                    found.entry(name).or_default().push((ix, dim));
                }
            }
        }
        found
    }

    /// The dataset that gives a job's partitions their keys and their name: its first output.
    #[must_use]
    pub fn home(&self, job: JobIx) -> &Dataset {
        self.dataset(self.job(job).outputs[0])
    }

    /// The key of a partition that an event speaks of, whether or not its period has ended by now, and be it of
    /// retired keys.
    #[must_use]
    pub fn key_of(
        &self,
        ix: DatasetIx,
        reference: &ReferenceText,
        symbols: &Symbols,
    ) -> Option<PartitionKey> {
        let dataset = self.dataset(ix);
        let dims: Vec<_> = dataset.dims.iter().map(String::as_str).zip(&dataset.spaces).collect();
        recorded(reference, &dims, symbols)?.first()
    }

    /// Dataset and set of a reference that an event speaks of, be it under earlier names.
    #[must_use]
    pub fn locate_set(&self, text: &str, symbols: &Symbols) -> Option<(DatasetIx, PartitionSet)> {
        let (ix, reference) = self.read_recorded(text)?;
        let dataset = self.dataset(ix);
        let dims: Vec<_> = dataset.dims.iter().map(String::as_str).zip(&dataset.spaces).collect();
        Some((ix, recorded(&reference, &dims, symbols)?))
    }

    /// The same for one partition.
    #[must_use]
    pub fn locate(&self, partition: &str, symbols: &Symbols) -> Option<(DatasetIx, PartitionKey)> {
        let (ix, reference) = self.read_recorded(partition)?;
        Some((ix, self.key_of(ix, &reference, symbols)?))
    }

    /// Key spaces of all datasets as they stand at `as_of`.
    #[must_use]
    pub fn extents(&self, as_of: Timestamp, symbols: &Symbols) -> Extents {
        let spaces = || self.layouts.distinct.iter().map(|ix| &self.dataset(*ix).spaces);
        Extents {
            from: as_of,
            until: self.grows_at(as_of),
            sets: spaces()
                .map(|spaces| spaces.iter().map(|space| space.extent(as_of, symbols)).collect())
                .collect(),
            of: Arc::clone(&self.layouts.of),
        }
    }

    /// When the key spaces of some dataset differ from those at `as_of`, if no dynamic key comes or goes; never, if none.
    #[must_use]
    pub fn grows_at(&self, as_of: Timestamp) -> Option<Timestamp> {
        let spaces = self.layouts.distinct.iter().flat_map(|ix| &self.dataset(*ix).spaces);
        spaces.filter_map(|space| space.time()?.grows_at(as_of)).min()
    }

    /// What a mapping needs to know of a dataset.
    #[must_use]
    pub fn side<'a>(&'a self, ix: DatasetIx, extents: &'a Extents) -> Side<'a> {
        let dataset = self.dataset(ix);
        Side { shape: dataset.shape, spaces: &dataset.spaces, extents: extents.of(ix) }
    }
}

impl Dataset {
    /// Its keys at an instant, with those that are retired by now.
    #[must_use]
    pub fn extents_with_retired(&self, as_of: Timestamp, symbols: &Symbols) -> Vec<RangeSet> {
        let extent = |space: &KeySpace| match space {
            KeySpace::Dynamic(name) => {
                let keys = symbols.dynamic(name);
                keys.current.union(&keys.retired)
            }
            space => space.extent(as_of, symbols),
        };
        self.spaces.iter().map(extent).collect()
    }

    /// Whether a dataset of another graph has its data where this one has it, and is observed there in the same way:
    /// who reads the one reads the other.
    #[must_use]
    pub fn is_at_the_place_of(&self, other: &Dataset) -> bool {
        // A file is the same file, whoever makes it.
        let same_kind = self.external == other.external || self.path.is_some();
        self.path == other.path && self.observe == other.observe && same_kind
    }

    /// What its stored keys stand for, in the order of its dimensions.
    #[must_use]
    pub fn axes(&self) -> Vec<Axis> {
        let calendar = |space: &KeySpace| space.time().map(|time| (time.granularity(), time.zone().clone()));
        let dims = self.dims.iter().zip(&self.spaces);
        dims.map(|(name, space)| Axis { name: name.clone(), calendar: calendar(space) }).collect()
    }

    /// All keys that ever are in its spaces, by dimension; of dynamic ones those of now.
    #[must_use]
    pub fn bounds(&self, symbols: &Symbols) -> Vec<RangeSet> {
        self.spaces.iter().map(|space| space.bounds(symbols)).collect()
    }

    /// The reference text of one partition.
    #[must_use]
    pub fn partition_text(&self, key: &PartitionKey, symbols: &Symbols) -> String {
        reference::format_partition(&self.name, &self.dims, &self.spaces, key, symbols)
    }

    /// Reference texts of a set.
    #[must_use]
    pub fn set_text(&self, set: &PartitionSet, symbols: &Symbols) -> Vec<String> {
        reference::format_set(&self.name, &self.dims, &self.spaces, set, symbols)
    }

    /// Partitions of a set in the order in which they are shown and handed out.
    #[must_use]
    pub fn in_order(&self, set: &PartitionSet, symbols: &Symbols) -> Vec<PartitionKey> {
        Order::of(&self.spaces, symbols).partitions(set).collect()
    }

    /// The reference text of a run's partitions: one, or several that differ in one dimension.
    #[must_use]
    pub fn batch_text(&self, set: &PartitionSet, symbols: &Symbols) -> String {
        match (set.len(), set.first()) {
            (1, Some(key)) => self.partition_text(&key, symbols),
            _ => self.set_text(set, symbols).join(", "),
        }
    }

    /// The path of one partition's file, relative to the workspace unless it is written absolute.
    #[must_use]
    pub fn partition_path(&self, key: &PartitionKey, symbols: &Symbols) -> Option<String> {
        Some(self.fill(self.path.as_ref()?, key, symbols, |text| text))
    }

    /// A template of the dataset with each hole filled by what `write` makes of that dimension's key.
    pub(super) fn fill(
        &self,
        template: &Template,
        key: &PartitionKey,
        symbols: &Symbols,
        write: impl Fn(String) -> String,
    ) -> String {
        let keys = key.keys();
        template
            .render(|name, _| {
                let dim = self.dims.iter().position(|d| d == name)?;
                Some(write(self.spaces[dim].format_key(keys[dim], symbols)).into())
            })
            .expect("the graph check resolved every hole of a dataset's templates to a dimension")
    }

    /// Dimension names and key texts of one partition, in declared order.
    #[must_use]
    pub fn key_texts(&self, key: &PartitionKey, symbols: &Symbols) -> Vec<(String, String)> {
        let texts = self.spaces.iter().zip(key.keys()).map(|(space, key)| space.format_key(*key, symbols));
        self.dims.iter().cloned().zip(texts).collect()
    }
}

/// A graph with what its registration added to it.
#[derive(Debug, Clone)]
pub struct Registered {
    /// Digest of the graph file.
    pub id: GraphId,
    /// The graph.
    pub graph: Graph,
    /// Digests of inherited environment values, by name.
    pub inherited: BTreeMap<String, String>,
    /// Each job's digests.
    pub digests: Vec<JobDigests>,
}

impl Registered {
    /// Joins a graph and the digests of inherited values.
    #[must_use]
    pub fn new(id: GraphId, graph: Graph, inherited: BTreeMap<String, String>) -> Registered {
        let digests = graph.jobs().map(|(_, job)| job.digests(&inherited, &Params::new())).collect();
        Registered { id, graph, inherited, digests }
    }

    /// One job's digests.
    #[must_use]
    pub fn digests_of(&self, job: JobIx) -> &JobDigests {
        &self.digests[job.0]
    }

    /// One job's digests when it is invoked with these values.
    #[must_use]
    pub fn digests_with(&self, job: JobIx, given: &Params) -> JobDigests {
        if given.is_empty() {
            return self.digests_of(job).clone();
        }
        self.graph.job(job).digests(&self.inherited, given)
    }
}

/// What a reference of an event names: keys may belong to periods that have not ended by now, or be retired.
fn recorded(
    reference: &ReferenceText,
    dims: &[(&str, &KeySpace)],
    symbols: &Symbols,
) -> Option<PartitionSet> {
    reference::resolve_as(reference, dims, symbols, Timestamp::MAX, Retired::Recorded).ok()
}

/// Which datasets of a graph have the same key spaces in the same order: mostly there are many datasets and few such lists.
#[derive(Debug, Clone)]
pub(super) struct Layouts {
    /// One dataset with each list.
    distinct: Vec<DatasetIx>,
    /// For each dataset the position of its list among these.
    of: Arc<[usize]>,
}

impl Layouts {
    /// Those of a graph's datasets.
    pub(super) fn new(datasets: &[Dataset]) -> Layouts {
        let mut distinct = Vec::new();
        let mut known = HashMap::new();
        let of = datasets.iter().enumerate().map(|(ix, dataset)| {
            *known.entry(&dataset.spaces).or_insert_with(|| {
                distinct.push(DatasetIx(ix));
                distinct.len() - 1
            })
        });
        let of = of.collect();
        Layouts { distinct, of }
    }
}

/// Key spaces of a graph's datasets at one instant, and at all others at which time has not changed them.
#[derive(Debug, Clone)]
pub struct Extents {
    /// The instant.
    from: Timestamp,
    /// The next one at which some dataset has another key; none if none ever has. Dynamic keys come and go by events.
    until: Option<Timestamp>,
    /// By layout.
    sets: Vec<Vec<RangeSet>>,
    /// The layout of each dataset.
    of: Arc<[usize]>,
}

impl Extents {
    /// One set for each dimension of the dataset.
    #[must_use]
    pub fn of(&self, ix: DatasetIx) -> &[RangeSet] {
        &self.sets[self.of[ix.0]]
    }

    /// Whether they are known to be the same at another instant, as far as that is up to time.
    #[must_use]
    pub fn hold_at(&self, as_of: Timestamp) -> bool {
        self.from <= as_of && self.until.is_none_or(|until| as_of < until)
    }
}

/// A check of a graph.
#[derive(Debug, Clone)]
pub struct Check {
    /// Its target.
    pub label: String,
    /// The dataset that it looks at; some job makes it.
    pub dataset: DatasetIx,
    /// What it refuses is not published; else it only warns.
    pub blocking: bool,
    /// What is run.
    pub program: Program,
}

/// How the data versions of a dataset are found out.
#[derive(Debug, Clone, PartialEq)]
pub enum Observe {
    /// By the files that match a pattern.
    Glob {
        /// The pattern, with a hole for each dimension.
        pattern: Template,
    },
    /// By asking a server over HTTP.
    Http {
        /// The URL, with a hole for each dimension.
        url: Template,
        /// Time limit of one question.
        timeout: Duration,
        /// An answer younger than this is believed without asking again.
        every: Duration,
    },
    /// By running a program.
    Program(Box<Observer>),
}

/// A program that says which data versions partitions have.
#[derive(Debug, Clone, PartialEq)]
pub struct Observer {
    /// Its target.
    pub label: String,
    /// What is run.
    pub program: Program,
    /// An answer younger than this is believed without asking again.
    pub every: Duration,
}

/// Values by the parameters' names.
pub type Params = BTreeMap<String, String>;
