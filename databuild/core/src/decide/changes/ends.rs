//! The ends of runs and wants, and all that ends with them.

use crate::decide::messages::step::Effect;
use crate::decide::out::Out;
use crate::event::{
    Event, PartitionsFailed, RunCancelRequested, RunEnded, WantEnded, WantOutcome, WorkAbandoned,
};
use crate::graph::{Extents, Input, JobIx};
use crate::ids::{RunId, WantId};
use crate::partition_set::PartitionSet;
use crate::state::{Phase, Run, State, Want};
use crate::text::first_of;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A run ends without result, and so does all that waits for it.
pub(crate) fn end_run(out: &mut Out, run: &Run, canceled: bool, message: String) {
    out.event(Event::RunEnded(RunEnded { run: run.id, canceled, message }));
    if !canceled {
        abandon_downstream(out, run, &run.set);
    }
}

/// Some partitions of a run failed for good, and so does all that waits for them.
pub(crate) fn give_up(out: &mut Out, run: &Run, gone: &PartitionSet, message: String) {
    let attempt = run.attempt_id();
    let partitions = run.graph.graph.home(run.job).set_text(gone, out.state.symbols());
    out.event(Event::PartitionsFailed(PartitionsFailed { attempt, partitions, message }));
    abandon_downstream(out, run, gone);
}

/// Gives up queued work that needs those of a run's partitions that it did not make, unless a successor
/// is to make them.
pub(crate) fn abandon_downstream(out: &mut Out, run: &Run, set: &PartitionSet) {
    let registered = Arc::clone(out.state.registered());
    let graph = &registered.graph;
    let mut dead: Vec<PartitionSet> =
        graph.datasets().map(|(_, dataset)| PartitionSet::empty(dataset.shape)).collect();
    let jobs = out.state.occupied_by(run);
    for job in jobs {
        let over = set.subtract(&out.state.work(job).todo);
        for output in &graph.job(job).outputs {
            dead[output.0].union_with(&over);
        }
    }
    let mut partitions = Vec::new();
    for (ix, consumer) in graph.jobs() {
        let todo = &out.state.work(ix).todo;
        if todo.is_empty() {
            continue;
        }
        let mut lost = PartitionSet::empty(todo.shape());
        for input in consumer.inputs.iter().filter(|input| !dead[input.dataset.0].is_empty()) {
            for extents in instants(out.state, ix, input) {
                let home = graph.side(consumer.outputs[0], &extents);
                let read = graph.side(input.dataset, &extents);
                let dead = &dead[input.dataset.0];
                lost.union_with(&input.mapping.dependents_of(&home, &read, dead, todo));
            }
        }
        if !lost.is_empty() {
            partitions.extend(out.state.work_text(ix, &lost));
            for output in &consumer.outputs {
                dead[output.0].union_with(&lost);
            }
        }
    }
    if !partitions.is_empty() {
        out.event(Event::WorkAbandoned(WorkAbandoned { partitions, cause: run.id }));
    }
}

/// Key spaces as the wants for a job's work read them; as they are now where that makes no difference.
fn instants(state: &State, job: JobIx, input: &Input) -> Vec<Arc<Extents>> {
    if !input.time_dependent {
        return vec![state.extents_at(state.as_of())];
    }
    let holders = state.wants().values().filter(|want| want.remaining.contains_key(&job));
    let instants: BTreeSet<Timestamp> = holders.map(|want| want.as_of).collect();
    instants.into_iter().map(|as_of| state.extents_at(as_of)).collect()
}

/// Carries out a requested cancellation: a process is stopped, a waiting run ends at once. What is being
/// published is let through: half a publication is worse than one too many.
pub(crate) fn stop(out: &mut Out, id: RunId) {
    let Some(run) = out.state.runs().get(&id).cloned() else { return };
    match run.phase {
        Phase::Leased | Phase::Running => out.effects.push(Effect::Cancel(run.attempt_id())),
        Phase::RetryWait(_) => end_run(out, &run, true, "canceled while waiting to retry".to_owned()),
        Phase::Publishing => {}
    }
}

/// Ends a want before its time and stops what only it held.
pub(crate) fn end(out: &mut Out, id: WantId, outcome: WantOutcome) {
    let want = out.state.wants().get(&id).cloned();
    let mut causes = want.as_ref().map(|want| want.causes.clone()).unwrap_or_default();
    if let (WantOutcome::Expired, Some(want)) = (outcome, &want) {
        causes.extend(want.expires_at.map(|at| {
            let seconds = at.duration_since(want.created_at).as_secs();
            format!("it was not over within the {seconds} s that it was given (ttl)")
        }));
    }
    let counts = want.as_ref().map(|want| want.counts_at_end());
    out.event(Event::WantEnded(WantEnded { want: id, outcome, causes, counts }));
    if let Some(want) = want {
        want_over(out, &want, outcome);
    }
    stop_orphans(out);
    withdraw_paused(out);
}

/// Takes back attempts that are for paused wants alone and have not begun, as far as is known: whoever runs them knows
/// better.
pub(crate) fn withdraw_paused(out: &mut Out) {
    let waiting = out.state.runs().values().filter(|run| run.phase == Phase::Leased && !run.cancel_requested);
    let held: Vec<_> =
        waiting.filter(|run| out.state.is_held_back(run)).map(|run| run.attempt_id()).collect();
    out.effects.extend(held.into_iter().map(Effect::Withdraw));
}

/// Stops runs that nobody wants.
pub(crate) fn stop_orphans(out: &mut Out) {
    let orphans: Vec<_> = out
        .state
        .runs()
        .values()
        .filter(|run| !run.cancel_requested && run.trial.is_none())
        .filter(|run| out.state.served_by(run).next().is_none() && !out.state.is_left_behind(run))
        .map(|run| run.id)
        .collect();
    for run in orphans {
        out.event(Event::RunCancelRequested(RunCancelRequested { run }));
        stop(out, run);
    }
}

/// A want is over: the run on whose behalf it was goes on or fails with it.
pub(crate) fn want_over(out: &mut Out, want: &Want, outcome: WantOutcome) {
    let Some(run) = want.parent.and_then(|run| out.state.runs().get(&run)).cloned() else { return };
    if outcome == WantOutcome::Satisfied || run.suspended != Some(want.id) {
        return;
    }
    let how = match outcome {
        WantOutcome::Canceled => "was canceled",
        WantOutcome::Expired => "expired",
        WantOutcome::Failed | WantOutcome::Satisfied => "failed",
    };
    let cause = want.causes.first().map(|cause| format!(": {cause}")).unwrap_or_default();
    let message = format!("it needs {}, and {} for that {how}{cause}", some(&want.targets), want.id);
    end_run(out, &run, false, message);
}

/// A few of many references.
pub(crate) fn some(texts: &[String]) -> String {
    const FIRST: usize = 3;
    first_of(texts.iter().map(|text| format!("`{text}`")), FIRST)
}
