//! Looks at the files that a want is about: are published outputs and external data still what the state says? One
//! cheap look at each; only what differs is read. A file that cannot be looked at does not count as gone: it comes
//! back with the reason, for the core to judge.

use super::blanks::Blanks;
use super::observers::Observers;
use crate::attempt::request::EMPTY_VERSION;
use crate::publish::{self, FileState, StatMark};
use databuild_core::decide::{self, Refusal, Sighting, Sightings};
use databuild_core::event::Refresh;
use databuild_core::graph::{DatasetIx, Graph, Observe, Registered};
use databuild_core::observation::Look;
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::planner::{self};
use databuild_core::state::State;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Threads that look at many files. Asking the system for the number costs more than a look at some files.
static THREADS: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(1, usize::from));

/// What came of a look.
#[derive(Debug)]
pub(crate) struct FileLook {
    /// The state the look was made with, read as of the instant asked for.
    pub state: State,
    /// The targets, resolved.
    pub targets: Vec<(DatasetIx, PartitionSet)>,
    /// Whatever is not as the state says.
    pub sightings: Sightings,
}

/// Whether what a dataset holds is known only to somebody who has to be asked.
pub(crate) fn is_remote(graph: &Graph, ix: DatasetIx) -> bool {
    matches!(graph.dataset(ix).observe, Some(Observe::Http { .. } | Observe::Program(_)))
}

/// Looks at all files that matter for `targets`.
///
/// # Errors
/// A reference that cannot be resolved.
pub(crate) fn look_at_files(
    mut state: State,
    targets: &[String],
    refresh: Refresh,
    as_of: Timestamp,
    observers: &Observers,
) -> Result<FileLook, Refusal> {
    state.read_as_of(as_of);
    let mut resolved: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for text in targets {
        let (ix, set) = state.resolve(text)?;
        resolved.entry(ix).and_modify(|all| all.union_with(&set)).or_insert(set);
    }
    let targets: Vec<_> = resolved.into_iter().collect();
    let graph = &state.registered().graph;
    let mut sightings = Sightings { graph: Some(state.registered().id.clone()), ..Sightings::default() };
    let mut looked: Vec<_> =
        graph.datasets().map(|(ix, dataset)| (ix, PartitionSet::empty(dataset.shape))).collect();
    // A file that is found to be gone makes its partition missing, so with `Refresh::Missing` its inputs matter, too.
    loop {
        let matters = planner::closure_with_gone(&state, &targets, refresh, &gone(graph, &sightings.seen));
        let next: Vec<_> =
            looked.iter().map(|(ix, seen)| (*ix, relevant(graph, &matters, *ix).subtract(seen))).collect();
        if next.iter().all(|(_, set)| set.is_empty()) {
            break;
        }
        let more = look_at(&state, &next, observers, false);
        sightings.extend(more);
        for ((_, seen), (_, set)) in looked.iter_mut().zip(&next) {
            seen.union_with(set);
        }
    }
    Ok(FileLook { state, targets, sightings })
}

/// Looks at named partitions alone. What the graph of today does not have is not looked at.
pub(crate) fn look_at_named(state: &State, partitions: &[String], observers: &Observers) -> Sightings {
    let graph = state.graph();
    let mut sets: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for (ix, key) in partitions.iter().filter_map(|text| graph.locate(text, state.symbols())) {
        sets.entry(ix).or_insert_with(|| PartitionSet::empty(graph.dataset(ix).shape)).insert(&key);
    }
    look_at(state, &sets.into_iter().collect::<Vec<_>>(), observers, false)
}

/// Looks at external data that the graph of this state reads for what is built, and of which the state says nothing: it is
/// new there, or the graph `before` had it in another place. The rest counts as it was last seen.
pub(crate) fn look_at_new(state: &State, before: &Registered, observers: &Observers) -> Sightings {
    let graph = state.graph();
    let matters = planner::closure_with_gone(state, &decide::built(state), Refresh::Stale, &[]);
    let external = graph.datasets().filter(|(_, dataset)| dataset.external);
    let new = external.map(|(ix, _)| {
        let relevant = relevant(graph, &matters, ix);
        let earlier = graph.counterpart(ix, &before.graph);
        match earlier.and_then(|earlier| state.same_place(before, earlier)) {
            Some(_) => (ix, relevant.subtract(&state.dataset(ix).present)),
            None => (ix, relevant),
        }
    });
    let new: Vec<_> = new.filter(|(_, set)| !set.is_empty()).collect();
    let looked = look_at(state, &new, observers, false);
    Sightings { graph: Some(state.registered().id.clone()), ..looked }
}

/// What was seen to be gone.
fn gone(graph: &Graph, seen: &[Sighting]) -> Vec<(DatasetIx, PartitionSet)> {
    let mut gone: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for sighting in seen {
        if let Sighting::Gone(ix, key) = sighting {
            gone.entry(*ix).or_insert_with(|| PartitionSet::empty(graph.dataset(*ix).shape)).insert(key);
        }
    }
    gone.into_iter().collect()
}

/// Looks at the files of these partitions, and observes those that are observed otherwise; whatever is not as
/// the state says. A deep look reads each of them, whatever its mark says.
pub(crate) fn look_at(
    state: &State,
    sets: &[(DatasetIx, PartitionSet)],
    observers: &Observers,
    deep: bool,
) -> Sightings {
    let observed = observers.look(state, sets, deep);
    let mut looked = look_at_paths(state, sets, &observers.workspace, deep);
    looked.extend(observed);
    looked
}

fn look_at_paths(
    state: &State,
    sets: &[(DatasetIx, PartitionSet)],
    workspace: &Path,
    deep: bool,
) -> Sightings {
    let graph = state.graph();
    let mut known: Vec<(DatasetIx, PartitionKey)> = Vec::new();
    let mut items: Vec<(PathBuf, StatMark)> = Vec::new();
    let mut unknown: Vec<(DatasetIx, PartitionKey, PathBuf)> = Vec::new();
    let mut vacant: Vec<(DatasetIx, PartitionKey)> = Vec::new();
    let mut vacant_items: Vec<(PathBuf, StatMark)> = Vec::new();
    for (ix, set) in sets {
        let (ix, dataset, facts) = (*ix, graph.dataset(*ix), state.dataset(*ix));
        if dataset.observe.is_some() || dataset.path.is_none() {
            continue;
        }
        // What was made for another place still lies there.
        let misplaced = state.misplaced(ix);
        for key in set.iter() {
            let present = facts.present.contains(&key);
            if !present && !dataset.external || misplaced.contains(&key) {
                continue;
            }
            let Some(path) = dataset.partition_path(&key, state.symbols()) else { continue };
            let path = workspace.join(path);
            match facts.entries.get(&key).filter(|_| present) {
                // Empty partitions have no file, and so no mark.
                Some(_) if facts.empty.contains(&key) => {
                    vacant.push((ix, key));
                    vacant_items.push((path, StatMark(0)));
                }
                Some(entry) if entry.mark != 0 && !deep => {
                    known.push((ix, key));
                    items.push((path, StatMark(entry.mark)));
                }
                _ => unknown.push((ix, key, path)),
            }
        }
    }
    let states = publish::check_files(&items, *THREADS);
    let mut seen = Vec::new();
    for (((ix, key), (path, _)), state) in known.into_iter().zip(items).zip(states) {
        match state {
            FileState::Same => {}
            FileState::Missing => seen.push(Sighting::Gone(ix, key)),
            FileState::Changed => unknown.push((ix, key, path)),
        }
    }
    let states = publish::check_files(&vacant_items, *THREADS);
    for (((dataset, key), (path, _)), found) in vacant.into_iter().zip(vacant_items).zip(states) {
        match found {
            FileState::Missing if state.dataset(dataset).altered.contains(&key) => {
                // What somebody had put there is gone.
                let version = EMPTY_VERSION.to_owned();
                seen.push(Sighting::Content { dataset, key, version, mark: 0 });
            }
            FileState::Missing => {}
            FileState::Same | FileState::Changed => unknown.push((dataset, key, path)),
        }
    }
    let mut blanks = Blanks::default();
    for (dataset, key, path) in unknown {
        match publish::look(&path) {
            Look::Untouched => {}
            Look::Present { version, mark, .. } => {
                seen.push(Sighting::Content { dataset, key, version, mark });
            }
            Look::Absent if state.dataset(dataset).empty.contains(&key) => {}
            Look::Absent => seen.push(Sighting::Gone(dataset, key)),
            Look::Unknown(blind) => blanks.add(state, dataset, &key, blind),
        }
    }
    Sightings { graph: Some(state.registered().id.clone()), seen, unseen: blanks.unseen(state) }
}

/// Partitions of a dataset that a closure wants, reads or makes.
fn relevant(graph: &Graph, matters: &planner::Closure, ix: DatasetIx) -> PartitionSet {
    match graph.dataset(ix).producer {
        Some(job) => matters.datasets[ix.0].union(&matters.jobs[job.0]),
        None => matters.datasets[ix.0].clone(),
    }
}
