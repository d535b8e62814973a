//! Which queued work is really to be made, and what it still waits for.

use crate::event::Refresh;
use crate::graph::JobIx;
use crate::partition_set::PartitionSet;
use crate::state::{Run, State, Verdict, Want};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Ready work, by job, with which nothing is to be done for now.
pub(crate) type Held = BTreeMap<JobIx, PartitionSet>;

/// Those of the queued `set` that are to be built, as far as can be told now.
pub(crate) fn to_build(state: &mut State, job: JobIx, set: &PartitionSet) -> PartitionSet {
    state.settle(job, set);
    let mut fresh = PartitionSet::empty(set.shape());
    for want in state.wants().values().filter(|want| want.refresh != Refresh::Missing) {
        if let Some(held) = want.remaining.get(&job) {
            fresh.union_with(held);
        }
    }
    let mut needed = set.intersect(&state.work(job).forced);
    // Stale data is good enough for those who only want what is missing.
    needed.union_with(&state.absent(job, set));
    for (as_of, part) in by_instant(state, job, &set.intersect(&fresh)) {
        let outdated = state.at(as_of, |state| {
            state.settle(job, &part);
            state.outdated_set(job, &part)
        });
        needed.union_with(&outdated);
    }
    needed
}

/// The queued `set` by the instant for which a run of each partition would read key spaces.
pub(crate) fn by_instant(state: &State, job: JobIx, set: &PartitionSet) -> Vec<(Timestamp, PartitionSet)> {
    let inputs = &state.graph().job(job).inputs;
    let mut left = set.clone();
    let mut found = Vec::new();
    if inputs.iter().any(|input| input.time_dependent) {
        // As for a lease, the want that looks furthest decides.
        let mut wants: Vec<&Arc<Want>> = state.holders_of(job, set).collect();
        wants.sort_by_key(|want| Reverse(want.as_of));
        for want in wants {
            let Some(held) = want.remaining.get(&job) else { continue };
            let part = left.intersect(held);
            if !part.is_empty() {
                left.subtract_with(&part);
                found.push((want.as_of, part));
            }
        }
    }
    if !left.is_empty() {
        found.push((state.as_of(), left));
    }
    found
}

/// Those of `set` that were made from something that a run found, and that is queued or being made: only afterwards is
/// it known whether they are current. Unlike declared inputs these may go in circles, so they are no reason not to be
/// ready. What is built for another reason finds anew what it needs, and does not wait.
pub(crate) fn awaiting_found(state: &State, job: JobIx, set: &PartitionSet) -> PartitionSet {
    let graph = state.graph();
    let mut waiting = PartitionSet::empty(set.shape());
    if graph.job(job).outputs.iter().all(|output| state.dataset(*output).discovered.is_empty()) {
        return waiting;
    }
    let mut open = set.subtract(&state.work(job).forced);
    for (_, other) in state.outdated(job, &open).iter().filter(|(why, _)| *why != Verdict::InputsChanged) {
        open.subtract_with(other);
    }
    for output in &graph.job(job).outputs {
        let pending = |text: &String| {
            let Some((ix, key)) = state.located_one(text) else { return false };
            graph.dataset(ix).producer.is_some_and(|producer| {
                let work = state.work(producer);
                work.todo.contains(&key) || work.live.contains(&key)
            })
        };
        for key in open.iter().filter(|key| state.discovered(*output, key).iter().any(pending)) {
            waiting.insert(&key);
        }
    }
    waiting
}

/// Those of `set` that read something which is not there, or lies where an earlier graph had it.
pub(crate) fn lacking_inputs(state: &State, job: JobIx, set: &PartitionSet) -> PartitionSet {
    let graph = state.graph();
    let lacks = |at: usize, set: &PartitionSet| {
        let input = graph.job(job).inputs[at].dataset;
        // What nobody can list nobody can give to a run either.
        graph.inputs_of(state.extents(), job, at, set).map_or(true, |needed| {
            !needed.is_subset(&state.dataset(input).present) || needed.intersects(&state.misplaced(input))
        })
    };
    let mut lacking = PartitionSet::empty(set.shape());
    for at in 0..graph.job(job).inputs.len() {
        if !set.is_empty() && lacks(at, set) {
            for key in set.iter().filter(|key| lacks(at, &PartitionSet::single(set.shape(), key))) {
                lacking.insert(&key);
            }
        }
    }
    lacking
}

/// Whether a run has to wait for its inputs to be made anew.
pub(crate) fn inputs_pending(state: &State, run: &Run) -> bool {
    state.current_job(run).is_some_and(|job| !state.waiting(job, &run.set).is_empty())
}
