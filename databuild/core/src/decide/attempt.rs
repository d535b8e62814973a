//! The life of runs and attempts after their lease.
//!
//! | attempt ends | run then |
//! |---|---|
//! | success, outputs are files | publishing, then completed |
//! | success otherwise | completed |
//! | failure or timeout, retries left | retry_wait |
//! | the same, some of a batch done | publishing, then retry_wait or failed |
//! | failure or timeout, none left or permanent | failed |
//! | finds that it needs more inputs | retry_wait, suspended until they are there |
//! | lost, at most [`MAX_LOSSES`] times | retry_wait, due at once |
//! | an input moved or could not be observed, at most [`MAX_MOVES`] times | retry_wait, due at once and then after a backoff |
//! | cancelled, or any end after a cancellation but success | canceled |

use super::{suspend, AttemptEnd, AttemptReport, Effect, KeyRequest, Out, Refusal, Reply};
use crate::digest::mix;
use crate::event::{
    AttemptEnded, AttemptOutcome, AttemptStarted, Checked, Event, Materialized, OutputRecord,
    PartitionsFailed, PublishIntended, RunCancelRequested, RunEnded, WorkAbandoned,
};
use crate::graph::{Extents, Input, JobIx, RetryPolicy};
use crate::ids::{AttemptId, RunId};
use crate::partition_set::PartitionSet;
use crate::state::{Phase, Run, State};
use jiff::{SignedDuration, Timestamp};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

/// An attempt that is lost (its supervisor died, the machine restarted) is no fault of the job and is
/// made again, but not forever: the job may be what kills the machine.
pub const MAX_LOSSES: u32 = 3;

/// An attempt whose inputs were changed under it may have read a mixture that is recorded nowhere, so nothing of it
/// is published. It is no fault of the job and is made again, but not forever: who writes may not stop.
pub const MAX_MOVES: u32 = 3;

/// The live run whose current attempt this is.
fn current(out: &Out, attempt: AttemptId) -> Result<Arc<Run>, Refusal> {
    out.state
        .runs
        .get(&attempt.run)
        .filter(|run| run.attempt == attempt.number)
        .cloned()
        .ok_or(Refusal::UnknownAttempt(attempt))
}

pub(super) fn started(out: &mut Out, attempt: AttemptId, pid: u32) -> Result<Reply, Refusal> {
    let run = current(out, attempt)?;
    // The end may have been seen first, or a second report of one start may come after a reconnect.
    if run.phase == Phase::Leased {
        out.event(Event::AttemptStarted(AttemptStarted { attempt, pid }));
    }
    Ok(Reply::Done)
}

pub(super) fn ended(out: &mut Out, attempt: AttemptId, end: AttemptEnd) -> Result<Reply, Refusal> {
    let run = current(out, attempt)?;
    if !run.occupies_slot() {
        return Err(Refusal::UnknownAttempt(attempt));
    }
    if run.trial.is_some() {
        super::trial::ended(out, &run, end);
        return Ok(Reply::Done);
    }
    let fact = |outcome, message: String, retry_at, done| {
        Event::AttemptEnded(AttemptEnded {
            attempt,
            outcome,
            message,
            exit_code: end.exit_code,
            wall_ms: end.wall_ms,
            cpu_ms: end.cpu_ms,
            max_rss_kb: end.max_rss_kb,
            retry_at,
            done,
        })
    };
    if !end.checks.is_empty() {
        out.event(Event::Checked(Checked { attempt, checks: end.checks }));
    }
    let found: Vec<KeyRequest> = match &end.result {
        Ok(success) => &success.keys,
        Err(report) => &report.keys,
    }
    .iter()
    .map(|(space, keys)| KeyRequest { space: space.clone(), keys: keys.clone(), by: run.id.to_string() })
    .collect();
    let refused = found.iter().find_map(|request| super::keys::preview_added(out.state, request).err());
    if let Some(refusal) = refused {
        // Such as when another graph was registered meanwhile. Without its keys what it made is not whole.
        let message = format!("it found keys that cannot be added: {refusal}");
        let outcome = AttemptOutcome::Failure { permanent: true };
        out.event(fact(outcome, message.clone(), None, 0));
        out.effects.push(Effect::Forget(attempt));
        end_run(out, &run, run.cancel_requested, message);
        return Ok(Reply::Done);
    }
    match end.result {
        Ok(success) => {
            out.event(fact(AttemptOutcome::Success, String::new(), None, 0));
            for request in found {
                super::keys::add(out, request)?;
            }
            publish(out, &run, success.outputs);
        }
        Err(AttemptReport { outcome: AttemptOutcome::MissingInput { partitions }, message, .. })
            if !run.cancel_requested =>
        {
            match suspend::consider(out, &run, &partitions) {
                Ok(needed) => {
                    let outcome = AttemptOutcome::MissingInput { partitions };
                    out.event(fact(outcome, message, Some(out.now), 0));
                    out.effects.push(Effect::Forget(attempt));
                    suspend::suspend(out, &run, needed);
                }
                Err(message) => {
                    let outcome = AttemptOutcome::Failure { permanent: true };
                    out.event(fact(outcome, message.clone(), None, 0));
                    out.effects.push(Effect::Forget(attempt));
                    end_run(out, &run, false, message);
                }
            }
        }
        Err(AttemptReport { outcome, message, done: outputs, hopeless, .. }) => {
            // Nobody asked for this run to stop, but its supervisor was told to go: it is wanted as before.
            let unasked = outcome == AttemptOutcome::Canceled && !run.cancel_requested;
            let outcome = if unasked { AttemptOutcome::Lost } else { outcome };
            let none = PartitionSet::empty(run.set.shape());
            let counts = matches!(
                outcome,
                AttemptOutcome::Failure { .. } | AttemptOutcome::Timeout | AttemptOutcome::OutOfMemory
            );
            let done = if counts && !run.cancel_requested {
                run.made_whole(&outputs, &out.state.symbols)
            } else {
                none.clone()
            };
            let failed = run.set.subtract(&done);
            let hopeless = hopeless.iter().fold(none, |mut all, text| {
                if let Some((_, key)) = run.graph.graph.locate(text, &out.state.symbols) {
                    all.insert(&key);
                }
                all
            });
            let again = failed.subtract(&hopeless);
            let retry_at = retry_at(&run, &outcome, out.now).filter(|_| !again.is_empty());
            let in_vain =
                outcome == AttemptOutcome::InputsMoved && retry_at.is_none() && !run.cancel_requested;
            let message = if in_vain {
                format!(
                    "{message}; the {} attempts before it ended in this way, too: build again when the inputs can be \
                     observed and nobody changes them",
                    run.moves
                )
            } else {
                message
            };
            out.event(fact(outcome.clone(), message.clone(), retry_at, done.len()));
            if done.is_empty() && retry_at.is_none() {
                out.effects.push(Effect::Forget(attempt));
                let canceled = run.cancel_requested || outcome == AttemptOutcome::Canceled;
                end_run(out, &run, canceled, message);
                return Ok(Reply::Done);
            }
            let gone = if retry_at.is_some() { failed.subtract(&again) } else { failed };
            if !gone.is_empty() {
                give_up(out, &run, &gone, message);
            }
            if done.is_empty() {
                out.effects.push(Effect::Forget(attempt));
            } else {
                let is_done = |output: &OutputRecord| {
                    let found = run.graph.graph.locate(&output.partition, &out.state.symbols);
                    found.is_some_and(|(_, key)| done.contains(&key))
                };
                let outputs = outputs.into_iter().filter(is_done).collect();
                for request in found {
                    super::keys::add(out, request)?;
                }
                publish(out, &run, outputs);
            }
            if let Some(job) = out.state.current_job(&run).filter(|_| outcome == AttemptOutcome::InputsMoved)
            {
                // An input that somebody altered is made anew before it is read.
                super::replan::replan_all(out, &[(job, run.set.clone())]);
            }
        }
    }
    Ok(Reply::Done)
}

/// Outputs of a run's current attempt are put in their places, if they are files, and recorded.
fn publish(out: &mut Out, run: &Run, outputs: Vec<OutputRecord>) {
    let attempt = run.attempt_id();
    // Also for what is empty: a file that an earlier run published has to go.
    let graph = &run.graph.graph;
    let any_file = graph.job(run.job).outputs.iter().any(|ix| graph.dataset(*ix).path.is_some());
    if any_file {
        out.event(Event::PublishIntended(PublishIntended { attempt, outputs: outputs.clone() }));
        out.effects.push(Effect::Publish { attempt, graph: Arc::clone(&run.graph), outputs, again: false });
    } else {
        materialize(out, attempt, outputs);
    }
}

/// Outputs are what their partitions hold from now on. A run of which something failed is over with that, or
/// goes on.
fn materialize(out: &mut Out, attempt: AttemptId, outputs: Vec<OutputRecord>) {
    let Some(run) = out.state.runs.get(&attempt.run) else { return };
    let made = run.made_whole(&outputs, &out.state.symbols);
    let goes_on = run.given_up.is_some() || !run.set.is_subset(&made);
    out.event(Event::Materialized(Materialized { attempt, outputs, goes_on }));
    out.effects.push(Effect::Forget(attempt));
    let Some(run) = out.state.runs.get(&attempt.run).cloned() else { return };
    if run.cancel_requested {
        end_run(out, &run, true, "canceled before the rest of its batch was made".to_owned());
    } else if !matches!(run.phase, Phase::RetryWait(_)) {
        let message = run.given_up.clone().unwrap_or_else(|| "not all of its batch was made".to_owned());
        end_run(out, &run, false, message);
    }
}

/// Some partitions of a run failed for good, and so does all that waits for them.
pub(super) fn give_up(out: &mut Out, run: &Run, gone: &PartitionSet, message: String) {
    let attempt = run.attempt_id();
    let partitions = run.graph.graph.home(run.job).set_text(gone, &out.state.symbols);
    out.event(Event::PartitionsFailed(PartitionsFailed { attempt, partitions, message }));
    abandon_downstream(out, run, gone);
}

/// When the next attempt is due, if there is to be one.
fn retry_at(run: &Run, outcome: &AttemptOutcome, now: Timestamp) -> Option<Timestamp> {
    if run.cancel_requested {
        return None;
    }
    let policy = run.graph.graph.job(run.job).retry;
    match outcome {
        AttemptOutcome::Success
        | AttemptOutcome::Canceled
        | AttemptOutcome::MissingInput { .. }
        | AttemptOutcome::Failure { permanent: true } => None,
        AttemptOutcome::Lost => (run.losses < MAX_LOSSES).then_some(now),
        AttemptOutcome::InputsMoved => {
            let before = run.moves.checked_sub(1);
            let delay = before.map_or(Duration::ZERO, |before| backoff(&policy, before, noise(run)));
            (run.moves < MAX_MOVES).then(|| later(now, delay))
        }
        AttemptOutcome::Failure { permanent: false }
        | AttemptOutcome::Timeout
        | AttemptOutcome::OutOfMemory => {
            if run.failures >= policy.retries {
                return None;
            }
            Some(later(now, backoff(&policy, run.failures, noise(run))))
        }
    }
}

/// What tells the delays of a run's attempts apart from those of others.
fn noise(run: &Run) -> u64 {
    mix(run.id.0, u64::from(run.attempt))
}

/// The instant so much later, or the last one that there is.
fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// Until when a run waits for its next attempt; none if that is due. A wait that is longer than any backoff of its was
/// noted by a clock that was set back since, so it is over: clocks that are set delay no retry for long.
#[must_use]
pub(super) fn waits_until(run: &Run, now: Timestamp) -> Option<Timestamp> {
    let Phase::RetryWait(at) = run.phase else { return None };
    let policy = run.graph.graph.job(run.job).retry;
    let longest = full_backoff(&policy, run.failures.saturating_sub(1));
    (at > now && at <= later(now, longest)).then_some(at)
}

/// Exponential backoff with "equal jitter": half of the delay is fixed, half depends on `noise`, so that
/// many runs that failed together do not come back together. `failures` counts those before this one.
#[must_use]
pub(super) fn backoff(policy: &RetryPolicy, failures: u32, noise: u64) -> Duration {
    let half = full_backoff(policy, failures) / 2;
    // 53 bits make an exact f64 in [0, 1).
    half + half.mul_f64((noise >> 11) as f64 / (1u64 << 53) as f64)
}

fn full_backoff(policy: &RetryPolicy, failures: u32) -> Duration {
    policy.backoff.saturating_mul(2u32.saturating_pow(failures)).min(policy.backoff_max)
}

/// A run ends without result, and so does all that waits for it.
pub(super) fn end_run(out: &mut Out, run: &Run, canceled: bool, message: String) {
    out.event(Event::RunEnded(RunEnded { run: run.id, canceled, message }));
    if !canceled {
        abandon_downstream(out, run, &run.set);
    }
}

/// Gives up queued work that needs those of a run's partitions that it did not make, unless a successor
/// is to make them.
fn abandon_downstream(out: &mut Out, run: &Run, set: &PartitionSet) {
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
fn instants<'s>(state: &'s State, job: JobIx, input: &Input) -> Vec<Cow<'s, Extents>> {
    if !input.time_dependent {
        return vec![Cow::Borrowed(state.extents())];
    }
    let holders = state.wants.values().filter(|want| want.remaining.contains_key(&job));
    let instants: BTreeSet<Timestamp> = holders.map(|want| want.as_of).collect();
    instants.into_iter().map(|as_of| Cow::Owned(state.graph().extents(as_of, &state.symbols))).collect()
}

pub(super) fn published(out: &mut Out, attempt: AttemptId, marks: &[u64]) -> Result<Reply, Refusal> {
    let run = current(out, attempt)?;
    if run.phase != Phase::Publishing {
        return Err(Refusal::UnknownAttempt(attempt));
    }
    let mut outputs = run.intended.clone();
    for (output, mark) in outputs.iter_mut().zip(marks) {
        output.mark = *mark;
    }
    materialize(out, attempt, outputs);
    Ok(Reply::Done)
}

pub(super) fn publish_failed(out: &mut Out, attempt: AttemptId, message: &str) -> Result<Reply, Refusal> {
    let run = current(out, attempt)?;
    if run.phase != Phase::Publishing {
        return Err(Refusal::UnknownAttempt(attempt));
    }
    out.effects.push(Effect::Forget(attempt));
    end_run(out, &run, false, message.to_owned());
    Ok(Reply::Done)
}

pub(super) fn cancel_run(out: &mut Out, id: RunId) -> Result<Reply, Refusal> {
    let run = out.state.runs.get(&id).cloned().ok_or(Refusal::UnknownRun(id))?;
    // What is being published is as good as done.
    let unmade = run.unmade(&out.state.symbols);
    if !run.cancel_requested && !unmade.is_empty() {
        out.event(Event::RunCancelRequested(RunCancelRequested { run: id }));
        stop(out, id);
        abandon_downstream(out, &run, &unmade);
    }
    Ok(Reply::Done)
}

/// Carries out a requested cancellation: a process is stopped, a waiting run ends at once. What is being
/// published is let through: half a publication is worse than one too many.
pub(super) fn stop(out: &mut Out, id: RunId) {
    let Some(run) = out.state.runs.get(&id).cloned() else { return };
    match run.phase {
        Phase::Leased | Phase::Running => out.effects.push(Effect::Cancel(run.attempt_id())),
        Phase::RetryWait(_) => end_run(out, &run, true, "canceled while waiting to retry".to_owned()),
        Phase::Publishing => {}
    }
}
