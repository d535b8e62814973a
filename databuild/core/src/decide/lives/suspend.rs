//! Runs that find out, while they run, that they need partitions which their job does not declare.
//!
//! Such a run is suspended: what it needs is wanted on its behalf, and it is tried again when that is there.
//! It fails if that cannot be made, and if it would wait for itself.

use crate::decide::changes::begin::Start;
use crate::decide::changes::ends::{end_run, some};
use crate::decide::changes::{begin, ends};
use crate::decide::out::Out;
use crate::decide::queries::targets::resolve_targets;
use crate::event::{Event, PriorityClass, Refresh, RunSuspended, WantOutcome};
use crate::graph::{DatasetIx, Params};
use crate::ids::{RunId, WantId};
use crate::partition_set::PartitionSet;
use crate::planner;
use crate::planner::Plan;
use crate::state::{Phase, Run, State, Want};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Most partitions that a run may find it needs.
pub const MOST_DISCOVERED: u64 = 1_000;

/// What a run needs, and what is to be done for it.
pub(crate) struct Needed {
    targets: Vec<(DatasetIx, PartitionSet)>,
    texts: Vec<String>,
    plan: Plan,
    as_of: Timestamp,
}

/// Whether a run can wait for what it says it needs; if not, why it fails.
pub(crate) fn consider(out: &mut Out, run: &Run, partitions: &[String]) -> Result<Needed, String> {
    let as_of = out.now.max(out.state.as_of());
    // It speaks the words of the graph that it was begun under.
    let partitions: Vec<String> =
        partitions.iter().map(|text| out.state.in_current_words(run, text)).collect();
    let partitions = partitions.as_slice();
    let refused = |message: String| format!("it reports a missing input, and {message}");
    let targets =
        resolve_targets(out.state, partitions, as_of).map_err(|error| refused(error.to_string()))?;
    let count: u64 = targets.iter().map(|(_, set)| set.len()).sum();
    if count == 0 {
        return Err(refused("names no partition that exists".to_owned()));
    }
    if count + run.discovered.len() as u64 > MOST_DISCOVERED {
        return Err(refused(format!("that makes more than {MOST_DISCOVERED}; declare them with `dep(...)`")));
    }
    let mut texts = Vec::new();
    let found: BTreeSet<_> = run.discovered.iter().filter_map(|text| out.state.located_one(text)).collect();
    for (ix, set) in &targets {
        let given = given(out.state, run, *ix, set);
        // Also if an earlier run made it: what this one makes cannot be what it is made from.
        let own =
            out.state.graph().dataset(*ix).producer.filter(|job| out.state.current_job(run) == Some(*job));
        for key in set.iter() {
            let text = out.state.partition_text(*ix, &key);
            if own.is_some() && run.set.contains(&key) {
                return Err(format!("it reports `{text}` as missing, which it makes itself"));
            }
            let had = given.contains(&key) || found.contains(&(*ix, key.clone()));
            if had && out.state.dataset(*ix).present.contains(&key) {
                return Err(format!("it reports `{text}` as missing, which is there and was in its request"));
            }
            texts.push(text);
        }
    }
    // Time goes on with the want for it: if there is none, no event would say that it did.
    let plan = out.state.at(as_of, |state| planner::plan(state, &targets, Refresh::Stale));
    let own = out.state.current_job(run);
    let circle = plan.jobs.iter().find(|entry| Some(entry.job) == own && entry.work().intersects(&run.set));
    if circle.is_some() {
        let needs = partitions.join(", ");
        return Err(format!(
            "it needs {needs}, which is made from what it makes itself: they wait for each other"
        ));
    }
    let mut holders = out.state.served_by(run);
    let first = holders.next().and_then(|want| want.plan);
    if let Some(id) = first.filter(|_| holders.all(|want| want.plan.is_some())) {
        if let Some(entry) = plan.jobs.first() {
            let more = out.state.work_text(entry.job, &entry.work()).swap_remove(0);
            return Err(format!("it needs `{more}` to be built, which {id} does not have; plan again"));
        }
    }
    Ok(Needed { targets, texts, plan, as_of })
}

/// Those of `among` in one dataset that are declared inputs of a run.
fn given(state: &State, run: &Run, ix: DatasetIx, among: &PartitionSet) -> PartitionSet {
    let graph = &run.graph.graph;
    let mut given = PartitionSet::empty(state.graph().dataset(ix).shape);
    let extents = state.extents_of(run);
    for (at, input) in graph.job(run.job).inputs.iter().enumerate() {
        if state.successor_of(graph, input.dataset) == Some(ix) {
            given.union_with(&graph.inputs_among(&extents, run.job, at, &run.set, among));
        }
    }
    given
}

/// What a run needs is wanted on its behalf.
pub(crate) fn suspend(out: &mut Out, run: &Run, needed: Needed) {
    let Needed { targets, texts, plan, as_of } = needed;
    let class = out.state.served_by(run).map(|want| want.class).min().unwrap_or(PriorityClass::Interactive);
    let start = Start {
        targets: &targets,
        refresh: Refresh::Stale,
        as_of,
        class,
        ttl_seconds: None,
        sla_seconds: None,
        comment: format!("{} of {} found that it needs this", run.id, run.partition),
        carries_out: None,
        parent: Some(run.id),
        params: Params::new(),
        request: None,
        asked: Vec::new(),
        written: Vec::new(),
    };
    let child = begin::begin(out, &plan, start);
    if !out.state.runs().contains_key(&run.id) {
        // Newer work on the same partition took its place, and finds for itself what it needs.
        return;
    }
    out.event(Event::RunSuspended(RunSuspended { run: run.id, want: child, inputs: texts }));
    if let Some(circle) = circle(out.state, run.id) {
        fail_circle(out, &circle);
    }
}

/// Ends wants on behalf of runs that do not wait for them any more.
pub(crate) fn end_orphans(out: &mut Out) {
    let waits = |want: &Want, run: &RunId| {
        out.state.runs().get(run).is_some_and(|run| run.suspended == Some(want.id) && !run.cancel_requested)
    };
    let orphans: Vec<WantId> = out
        .state
        .wants()
        .values()
        .filter(|want| want.parent.as_ref().is_some_and(|run| !waits(want, run)))
        .map(|want| want.id)
        .collect();
    for id in orphans {
        if out.state.wants().contains_key(&id) {
            ends::end(out, id, WantOutcome::Canceled);
        }
    }
}

/// Whether some run goes on by itself, now or when its time has come.
pub(crate) fn anything_moves(state: &State) -> bool {
    state.runs().values().any(|run| run.suspended.is_none() || !matches!(run.phase, Phase::RetryWait(_)))
}

/// When nothing moves any more and runs are suspended, they may wait for each other: what they wait for can
/// have changed since they were suspended.
pub(crate) fn break_circles(out: &mut Out) {
    if !out.state.runs().values().any(|run| run.suspended.is_some()) {
        return;
    }
    let ready = out.state.graph().jobs().any(|(job, _)| !out.state.work(job).ready.is_empty());
    if ready || anything_moves(out.state) {
        return;
    }
    let suspended: Vec<RunId> = out.state.runs().keys().copied().collect();
    for id in suspended {
        if let Some(circle) = circle(out.state, id) {
            fail_circle(out, &circle);
        }
    }
}

/// Suspended runs that wait for each other, from `start` back to it.
fn circle(state: &State, start: RunId) -> Option<Vec<RunId>> {
    let mut path = vec![start];
    let mut seen = BTreeSet::new();
    search(state, start, &mut path, &mut seen).then_some(path)
}

fn search(state: &State, start: RunId, path: &mut Vec<RunId>, seen: &mut BTreeSet<RunId>) -> bool {
    let at = path[path.len() - 1];
    for next in waits_for(state, at) {
        if next == start {
            return true;
        }
        if seen.insert(next) {
            path.push(next);
            if search(state, start, path, seen) {
                return true;
            }
            path.pop();
        }
    }
    false
}

/// Suspended runs that a suspended run waits for, directly or through work that is queued.
fn waits_for(state: &State, id: RunId) -> Vec<RunId> {
    let want = state.runs().get(&id).and_then(|run| run.suspended).and_then(|want| state.wants().get(&want));
    let Some(want) = want else { return Vec::new() };
    let graph = state.graph();
    let mut undone: Vec<PartitionSet> =
        graph.jobs().map(|(ix, _)| PartitionSet::empty(graph.home(ix).shape)).collect();
    for (job, set) in &want.remaining {
        undone[job.0].union_with(set);
    }
    for (ix, job) in graph.jobs().rev() {
        let work = state.work(ix);
        // What runs needs nothing more; what is queued, or waits to be tried again, needs its inputs.
        let mut needs = undone[ix.0].intersect(&work.todo);
        for run in state.runs().values().filter(|run| matches!(run.phase, Phase::RetryWait(_))) {
            if run.suspended.is_none() && state.occupied_by(run).contains(&ix) {
                needs.union_with(&run.set.intersect(&undone[ix.0]));
            }
        }
        if needs.is_empty() {
            continue;
        }
        let home = graph.side(job.outputs[0], state.extents());
        for input in &job.inputs {
            let Some(producer) = graph.dataset(input.dataset).producer else { continue };
            let read = graph.side(input.dataset, state.extents());
            let pending = state.work(producer).pending();
            undone[producer.0].union_with(&input.ever.inputs_among(&home, &read, &needs, &pending));
        }
    }
    let reached = |run: &&Arc<Run>| {
        run.suspended.is_some() && state.occupied_by(run).iter().any(|job| undone[job.0].intersects(&run.set))
    };
    state.runs().values().filter(reached).map(|run| run.id).collect()
}

fn fail_circle(out: &mut Out, circle: &[RunId]) {
    let told: Vec<String> = circle
        .iter()
        .filter_map(|id| {
            let run = out.state.runs().get(id)?;
            let want = out.state.wants().get(&run.suspended?)?;
            Some(format!("{} ({id}) needs {}", run.partition, some(&want.targets)))
        })
        .collect();
    let message = format!("runs wait for each other: {}", told.join("; "));
    for id in circle {
        if let Some(run) = out.state.runs().get(id).cloned() {
            end_run(out, &run, false, message.clone());
        }
    }
}
