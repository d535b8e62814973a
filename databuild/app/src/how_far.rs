//! How far a want is: its part that whoever asks may see.

use super::context::Backend;
use super::scope::all_work;
use super::AppError;
use crate::api::{JobProgress, Progress};
use crate::engine::Snapshot;
use crate::store::{History, StoreError};
use databuild_core::decide::blocker::under_way;
use databuild_core::event::Event;
use databuild_core::graph::JobIx;
use databuild_core::ids::{Seq, WantId};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::state::{State, Want};
use std::collections::BTreeMap;

/// What runs that are under way make, by job.
pub(super) type Begun = BTreeMap<JobIx, PartitionSet>;

/// What is under way now.
pub(super) fn begun(snapshot: &Snapshot) -> Begun {
    let state = &snapshot.state;
    let mut made = Begun::new();
    for id in under_way(state, snapshot.slots) {
        let run = state.runs().get(&id);
        let Some((run, job)) = run.and_then(|run| Some((run, state.current_job(run)?))) else { continue };
        made.entry(job).and_modify(|set| set.union_with(&run.set)).or_insert_with(|| run.set.clone());
    }
    made
}

/// How far a live want is: its part that whoever asks may see.
pub(super) fn progress_of(
    backend: &Backend,
    reader: &dyn History,
    state: &State,
    begun: &Begun,
    want: &Want,
) -> Result<Progress, AppError> {
    let graph = state.graph();
    let own = backend.audience.part_of(state, want);
    let mut found = match backend.audience.sees_all() {
        true => Progress::of(&want.counts),
        false => over_of(backend, reader, state, &own)?,
    };
    found.left = own.left();
    found.total += found.left;
    for (job, set) in own.remaining.iter().filter(|(_, set)| !set.is_empty()) {
        let running = begun.get(job).map_or(0, |made| set.intersect(made).len());
        found.running += running;
        found.ready += set.intersect(&state.work(*job).ready).len();
        let job = graph.job(*job).label.clone();
        found.jobs.push(JobProgress { job, remaining: set.len(), running });
    }
    Ok(found)
}

/// How a want ended, if the log says so; none for who may see some datasets alone, since the log counts all of it together.
pub(super) fn progress_at_end(
    backend: &Backend,
    reader: &dyn History,
    id: WantId,
) -> Result<Option<Progress>, AppError> {
    let ended = if backend.audience.sees_all() { backend.watched.work(reader, id)?.ended } else { None };
    let Some(ended) = ended else { return Ok(None) };
    match reader.event(ended) {
        Ok(found) => Ok(found.value.and_then(|record| match record.event {
            Event::WantEnded(event) => event.counts.map(|counts| Progress::of(&counts)),
            _ => None,
        })),
        // The archive that has the event is elsewhere.
        Err(StoreError::ArchiveMissing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What is over of the part of a want that somebody sees, who may see some datasets alone: the want counts all of it together, so it is
/// counted by where that part stands now.
fn over_of(
    backend: &Backend,
    reader: &dyn History,
    state: &State,
    want: &Want,
) -> Result<Progress, AppError> {
    let said = backend.watched.work(reader, want.id)?.said;
    let created = said.first().map_or(Seq(0), |(seq, _)| *seq);
    let mut state = state.clone();
    let mut found = Progress::default();
    for (job, all) in all_work(&state, &said) {
        if !backend.audience.sees_job(state.graph(), job) {
            continue;
        }
        let over = match want.remaining.get(&job) {
            Some(left) => all.subtract(left),
            None => all.clone(),
        };
        let home = state.graph().job(job).outputs[0];
        let at = state.standing(home, &over);
        let facts = state.dataset(home);
        let well = over.subtract(&at.missing).subtract(&at.stale).subtract(&facts.failed);
        let is_older = |key: &PartitionKey| facts.entries.get(key).is_some_and(|entry| entry.seq <= created);
        found.total += over.len();
        found.done += well.len();
        found.unchanged += well.iter().filter(is_older).count() as u64;
        found.failed += over.len() - well.len();
    }
    Ok(found)
}
