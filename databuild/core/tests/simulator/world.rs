//! What is outside of the core: files, data that is no file, processes and the publisher.

use crate::support::workspace::output;
use databuild_core::decide::{AttemptSpec, Sighting, Sightings};
use databuild_core::digest::hash64;
use databuild_core::event::{OutputRecord, Refresh};
use databuild_core::graph::{Dataset, DatasetIx, Graph, Job, JobIx, Params, Registered};
use databuild_core::ids::{AttemptId, WantId};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::planner;
use databuild_core::state::State;
use databuild_core::symbols::Symbols;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A file's content and the fingerprint by which a look tells that it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct File {
    pub version: String,
    pub mark: u64,
}

/// An attempt on its way to the executor, or there.
#[derive(Debug, Clone)]
pub struct Process {
    pub spec: AttemptSpec,
    /// Each partition that it makes, with what that is made from: names of inputs and texts of partitions.
    needs: Vec<(PartitionKey, Vec<(String, String)>)>,
    /// Marks of the files that it reads, by path, as they were when it started.
    pub marks: BTreeMap<String, u64>,
    /// What it has read so far, by the partition's text.
    pub read: BTreeMap<String, String>,
    pub phase: ProcessPhase,
    pub cancel: bool,
}

impl Process {
    pub fn new(spec: AttemptSpec, symbols: &Symbols) -> Process {
        let (graph, job) = (&spec.graph.graph, spec.graph.graph.job(spec.job));
        let extents = graph.extents(spec.as_of, symbols);
        let mut needs = Vec::new();
        for key in spec.set.iter() {
            let single = PartitionSet::single(spec.set.shape(), &key);
            let mut read = Vec::new();
            for (at, input) in job.inputs.iter().enumerate() {
                for key in graph.inputs_of(&extents, spec.job, at, &single).unwrap().iter() {
                    let text = graph.dataset(input.dataset).partition_text(&key, symbols);
                    read.push((input.name.clone(), text));
                }
            }
            needs.push((key, read));
        }
        let (marks, read) = (BTreeMap::new(), BTreeMap::new());
        Process { spec, needs, marks, read, phase: ProcessPhase::Ordered, cancel: false }
    }

    /// Whether the executor has it, so that it survives the server.
    pub fn is_handed_over(&self) -> bool {
        !matches!(self.phase, ProcessPhase::Ordered)
    }
}

#[derive(Debug, Clone)]
pub enum ProcessPhase {
    /// Nobody has looked at its inputs yet.
    Ordered,
    Waiting,
    Running,
    Ended(databuild_core::decide::AttemptEnd),
}

/// Outputs on their way to their places.
#[derive(Debug, Clone)]
pub struct Publication {
    pub attempt: AttemptId,
    pub graph: Arc<Registered>,
    pub outputs: Vec<OutputRecord>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct World {
    /// By path.
    pub files: BTreeMap<String, File>,
    /// Data that is no file, by the partition's first text.
    pub values: BTreeMap<String, String>,
    pub processes: BTreeMap<AttemptId, Process>,
    pub publications: Vec<Publication>,
    /// What is to be looked at, for which wants.
    pub looks: Vec<(WantId, Vec<(DatasetIx, PartitionSet)>)>,
    /// Ticks for which files are to be looked at.
    pub ticks: Vec<(Arc<str>, Timestamp)>,
    counter: u64,
}

impl World {
    pub fn fresh(&mut self) -> u64 {
        self.counter += 1;
        self.counter
    }

    pub fn write(&mut self, path: &str, version: String) -> u64 {
        let mark = self.fresh();
        self.files.insert(path.to_owned(), File { version, mark });
        mark
    }

    /// The content of a partition as a job or a person reads it now.
    pub fn version(
        &self,
        graph: &Graph,
        ix: DatasetIx,
        key: &PartitionKey,
        symbols: &Symbols,
    ) -> Option<String> {
        let dataset = graph.dataset(ix);
        match dataset.partition_path(key, symbols) {
            Some(path) => self.files.get(&path).map(|file| file.version.clone()),
            None => self.values.get(&first_text(&dataset.partition_text(key, symbols))).cloned(),
        }
    }

    /// A look at what an attempt reads when it is about to start: what was seen, and the marks of its files; none if
    /// something is not what the state said when it was leased.
    pub fn look_before(
        &self,
        spec: &AttemptSpec,
        state: &State,
    ) -> (Sightings, Option<BTreeMap<String, u64>>) {
        let reads = spec.reads();
        let same =
            |(ix, set): &(DatasetIx, PartitionSet)| Some((state.same_place(&spec.graph, *ix)?, set.clone()));
        let here: Vec<_> = reads.iter().filter_map(same).collect();
        let sightings = self.look_at(state, &here);
        let wanted =
            |ix: &DatasetIx, key: &PartitionKey| here.iter().any(|(of, set)| of == ix && set.contains(key));
        let moved = sightings.seen.iter().any(|sighting| match sighting {
            Sighting::Gone(ix, key) => wanted(ix, key),
            Sighting::Content { dataset, key, version, .. } => {
                let facts = state.dataset(*dataset);
                let same = facts.entries.get(key).is_some_and(|entry| entry.version == hash64(version));
                wanted(dataset, key) && !same && !facts.altered.contains(key)
            }
        });
        if moved || spec.held(state) != spec.held {
            return (sightings, None);
        }
        let mut marks = BTreeMap::new();
        for (ix, set) in &reads {
            let dataset = spec.graph.graph.dataset(*ix);
            for path in set.iter().filter_map(|key| dataset.partition_path(&key, state.symbols())) {
                let Some(file) = self.files.get(&path) else { return (sightings, None) };
                marks.insert(path, file.mark);
            }
        }
        (sightings, Some(marks))
    }

    /// Whether a file that an attempt read was written or removed since it started.
    pub fn moved(&self, process: &Process) -> bool {
        let same =
            |(path, mark): (&String, &u64)| self.files.get(path).is_some_and(|file| file.mark == *mark);
        !process.marks.iter().all(same)
    }

    /// An attempt reads more of its inputs, each if it is `chosen`.
    pub fn read(&self, process: &mut Process, symbols: &Symbols, mut chosen: impl FnMut() -> bool) {
        let graph = &process.spec.graph.graph;
        for (_, ix, set) in &process.spec.inputs {
            for key in set.iter() {
                let text = graph.dataset(*ix).partition_text(&key, symbols);
                if process.read.contains_key(&text) || !chosen() {
                    continue;
                }
                if let Some(version) = self.version(graph, *ix, &key, symbols) {
                    process.read.insert(text, version);
                }
            }
        }
    }

    /// What `key` of `job` would be made of as things are; none if something is lacking.
    pub fn would_make(&self, state: &State, job: JobIx, ix: DatasetIx, key: &PartitionKey) -> Option<String> {
        let graph = state.graph();
        let entry = graph.job(job);
        let single = PartitionSet::single(graph.home(job).shape, key);
        let mut read = Vec::new();
        for (at, input) in entry.inputs.iter().enumerate() {
            for key in graph.inputs_of(state.extents(), job, at, &single).unwrap().iter() {
                let text = graph.dataset(input.dataset).partition_text(&key, state.symbols());
                read.push((
                    input.name.clone(),
                    text,
                    self.version(graph, input.dataset, &key, state.symbols())?,
                ));
            }
        }
        let text = graph.dataset(ix).partition_text(key, state.symbols());
        Some(made_version(entry, &entry.params, &text, &read))
    }

    /// Whether all that a partition would be made from is what the state says.
    pub fn is_known(&self, state: &State, job: JobIx, key: &PartitionKey) -> bool {
        let graph = state.graph();
        let single = PartitionSet::single(graph.home(job).shape, key);
        graph.job(job).inputs.iter().enumerate().all(|(at, input)| {
            let needed = graph.inputs_of(state.extents(), job, at, &single).unwrap();
            let known = needed.iter().all(|key| {
                let held = self.version(graph, input.dataset, &key, state.symbols());
                let entry = state.dataset(input.dataset).entries.get(&key);
                entry.map(|entry| entry.version) == held.map(|version| hash64(&version))
            });
            known
        })
    }

    /// Moves outputs to their places; returns their marks.
    pub fn publish(&mut self, publication: &Publication, symbols: &Symbols) -> Vec<u64> {
        let mut marks = Vec::new();
        for output in &publication.outputs {
            let path = path_of(&publication.graph.graph, &output.partition, symbols);
            marks.push(path.map_or(0, |path| self.write(&path, output.version.clone())));
        }
        marks
    }

    /// Data that is no file is where its log is.
    pub fn keep_values(&mut self, graph: &Graph, outputs: &[OutputRecord], symbols: &Symbols) {
        for output in outputs {
            if path_of(graph, &output.partition, symbols).is_none() {
                self.values.insert(first_text(&output.partition), output.version.clone());
            }
        }
    }

    /// All files that matter for targets, where they are not as the state says.
    pub fn look(&self, state: &State, targets: &[(DatasetIx, PartitionSet)], refresh: Refresh) -> Sightings {
        let matters = planner::closure(state, targets, refresh);
        let relevant = |(ix, dataset): (DatasetIx, &Dataset)| {
            let mut relevant = matters.datasets[ix.0].clone();
            if let Some(job) = dataset.producer {
                relevant.union_with(&matters.jobs[job.0]);
            }
            (ix, relevant)
        };
        self.look_at(state, &state.graph().datasets().map(relevant).collect::<Vec<_>>())
    }

    /// The same for these partitions.
    pub fn look_at(&self, state: &State, sets: &[(DatasetIx, PartitionSet)]) -> Sightings {
        let registered = state.registered();
        let mut seen = Vec::new();
        for (ix, relevant) in sets {
            let (ix, dataset, facts) = (*ix, registered.graph.dataset(*ix), state.dataset(*ix));
            if dataset.path.is_none() {
                continue;
            }
            // What was made for another place still lies there.
            for key in relevant.subtract(&state.misplaced(ix)).iter() {
                let here = facts.present.contains(&key);
                let Some(path) = dataset.partition_path(&key, state.symbols()) else { continue };
                match self.files.get(&path) {
                    None if here => seen.push(Sighting::Gone(ix, key)),
                    Some(file)
                        if (dataset.external || here)
                            && (!here
                                || facts.entries.get(&key).is_none_or(|entry| entry.mark != file.mark)) =>
                    {
                        let (version, mark) = (file.version.clone(), file.mark);
                        seen.push(Sighting::Content { dataset: ix, key, version, mark });
                    }
                    _ => {}
                }
            }
        }
        Sightings { graph: Some(registered.id.clone()), seen, unseen: Vec::new() }
    }
}

/// What an attempt makes from what it has read; none if something was not there.
pub fn staged(process: &Process, symbols: &Symbols) -> Option<Vec<OutputRecord>> {
    let spec = &process.spec;
    let graph = &spec.graph.graph;
    let job = graph.job(spec.job);
    let mut made = Vec::new();
    for (key, needs) in &process.needs {
        let mut read = Vec::new();
        for (name, text) in needs {
            read.push((name.clone(), text.clone(), process.read.get(text)?.clone()));
        }
        made.extend(job.outputs.iter().map(|ix| {
            let text = graph.dataset(*ix).partition_text(key, symbols);
            output(&text, &made_version(job, &spec.params, &text, &read))
        }));
    }
    Some(made)
}

/// A partition's text before its dataset was moved: names after the first end in `~NUMBER`.
pub fn first_text(text: &str) -> String {
    let (name, keys) = text.split_at(text.find('/').unwrap_or(text.len()));
    format!("{}{keys}", name.split('~').next().unwrap_or(name))
}

/// What a job makes: the same from the same code, arguments and inputs.
pub fn made_version(job: &Job, params: &Params, output: &str, read: &[(String, String, String)]) -> String {
    let mut read: Vec<String> =
        read.iter().map(|(name, text, version)| format!("{name} {} {version}", first_text(text))).collect();
    read.sort();
    let inputs = hash64(&read.join("\n"));
    let seen = match job.program.code.split('-').next() {
        Some("const") => 0,
        Some("coarse") => inputs % 2,
        _ => inputs,
    };
    let digests = job.digests(&BTreeMap::new(), params);
    let code = essence(&digests.code);
    format!("v{:016x}", hash64(&format!("{code} {} {} {seen}", digests.args, first_text(output))))
}

/// The part of a code on which it depends what is made: a change of the rest is harmless.
pub fn essence(code: &str) -> &str {
    code.split('+').next().unwrap_or(code)
}

/// The path of a partition, given by its text.
pub fn path_of(graph: &Graph, partition: &str, symbols: &Symbols) -> Option<String> {
    let (dataset, keys) = partition.split_once('/').unwrap_or((partition, ""));
    let dataset = graph.dataset(graph.dataset_named(dataset)?);
    let mut found = Vec::new();
    for segment in keys.split('/').filter(|segment| !segment.is_empty()) {
        let (_, key) = segment.split_once('=')?;
        found.push(dataset.spaces[found.len()].parse_key(key, symbols).ok()?);
    }
    dataset.partition_path(&PartitionKey::new(found), symbols)
}
