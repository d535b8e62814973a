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
//! | stopped though its run is wanted, as by `databuild stop --jobs`, or taken back before it began | retry_wait, due at once, however often |
//! | an input moved or could not be observed, at most [`MAX_MOVES`] times | retry_wait, due at once and then after a backoff |
//! | cancelled, or any end after a cancellation but success | canceled |

use crate::decide::acts::keys::{self, preview_added};
use crate::decide::changes::ends::{end_run, give_up};
use crate::decide::changes::replan::replan_all;
use crate::decide::lives::measured::Measured;
use crate::decide::lives::{suspend, trial};
use crate::decide::messages::input::KeyRequest;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::report::{AttemptEnd, AttemptReport};
use crate::decide::messages::step::{Effect, Reply};
use crate::decide::out::Out;
use crate::decide::queries::backoff::retry_at;
use crate::event::{
    AttemptOutcome, AttemptStarted, Checked, Event, Materialized, OutputRecord, PartitionText,
    PublishIntended,
};
use crate::ids::AttemptId;
use crate::partition_set::PartitionSet;
use crate::state::{Phase, Run, State};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The live run whose current attempt this is.
fn current(out: &Out, attempt: AttemptId) -> Result<Arc<Run>, Refusal> {
    out.state
        .runs()
        .get(&attempt.run)
        .filter(|run| run.attempt == attempt.number)
        .cloned()
        .ok_or(Refusal::UnknownAttempt(attempt))
}

pub(crate) fn started(out: &mut Out, attempt: AttemptId, pid: u32) -> Result<Reply, Refusal> {
    let run = current(out, attempt)?;
    // The end may have been seen first, or a second report of one start may come after a reconnect.
    if run.phase == Phase::Leased {
        out.event(Event::AttemptStarted(AttemptStarted { attempt, pid }));
    }
    Ok(Reply::Done)
}

pub(crate) fn ended(out: &mut Out, attempt: AttemptId, end: AttemptEnd) -> Result<Reply, Refusal> {
    let run = current(out, attempt)?;
    if !run.occupies_slot() {
        return Err(Refusal::UnknownAttempt(attempt));
    }
    if run.trial.is_some() {
        trial::ended(out, &run, end);
        return Ok(Reply::Done);
    }
    let measured = Measured::of(attempt, &end);
    if !end.checks.is_empty() {
        out.event(Event::Checked(Checked { attempt, checks: end.checks }));
    }
    let keys = match &end.result {
        Ok(success) => &success.keys,
        Err(report) => &report.keys,
    };
    let found = keys_found(keys);
    if let Some(refusal) = found.iter().find_map(|request| preview_added(out.state, request).err()) {
        // Such as when another graph was registered meanwhile. Without its keys what it made is not whole.
        let message = format!("it found keys that cannot be added: {refusal}");
        fails_for_good(out, &run, &measured, run.cancel_requested, message);
        return Ok(Reply::Done);
    }
    match end.result {
        Ok(success) => {
            out.event(measured.end(AttemptOutcome::Success, String::new(), None, 0));
            add_keys(out, found)?;
            publish(out, &run, success.outputs);
        }
        Err(AttemptReport { outcome: AttemptOutcome::MissingInput { partitions }, message, .. })
            if !run.cancel_requested =>
        {
            lacks(out, &run, &measured, partitions, message);
        }
        Err(report) => failed(out, &run, &measured, report, found)?,
    }
    Ok(Reply::Done)
}

/// Keys that an attempt found, as requests to add them.
fn keys_found(found: &BTreeMap<String, Vec<String>>) -> Vec<KeyRequest> {
    found.iter().map(|(space, keys)| KeyRequest { space: space.clone(), keys: keys.clone() }).collect()
}

fn add_keys(out: &mut Out, found: Vec<KeyRequest>) -> Result<(), Refusal> {
    found.into_iter().try_for_each(|request| keys::add(out, request).map(drop))
}

/// An attempt failed in a way that no further one would mend, and so did its run.
fn fails_for_good(out: &mut Out, run: &Run, measured: &Measured, canceled: bool, message: String) {
    let outcome = AttemptOutcome::Failure { permanent: true };
    out.event(measured.end(outcome, message.clone(), None, 0));
    out.effects.push(Effect::Forget(run.attempt_id()));
    end_run(out, run, canceled, message);
}

/// An attempt found that it needs `partitions`, which nobody declared.
fn lacks(out: &mut Out, run: &Run, measured: &Measured, partitions: Vec<PartitionText>, message: String) {
    match suspend::consider(out, run, &partitions) {
        Ok(needed) => {
            let outcome = AttemptOutcome::MissingInput { partitions };
            out.event(measured.end(outcome, message, Some(out.now), 0));
            out.effects.push(Effect::Forget(run.attempt_id()));
            suspend::suspend(out, run, needed);
        }
        Err(message) => fails_for_good(out, run, measured, false, message),
    }
}

/// An attempt ended without success. What it made whole of a batch is published; the rest is tried again or given up.
fn failed(
    out: &mut Out,
    run: &Run,
    measured: &Measured,
    report: AttemptReport,
    found: Vec<KeyRequest>,
) -> Result<(), Refusal> {
    let AttemptReport { outcome, message, done: outputs, hopeless, .. } = report;
    let done = done_of(out.state, run, &outcome, &outputs);
    let failed = run.set.subtract(&done);
    let again = failed.subtract(&located(out.state, run, &hopeless));
    let retry_at = retry_at(run, &outcome, out.now).filter(|_| !again.is_empty());
    let in_vain = outcome == AttemptOutcome::InputsMoved && retry_at.is_none() && !run.cancel_requested;
    let message = if in_vain {
        format!(
            "{message}; the {} attempts before it ended in this way, too: build again when the inputs can be \
             observed and nobody changes them",
            run.moves
        )
    } else {
        message
    };
    out.event(measured.end(outcome.clone(), message.clone(), retry_at, done.len()));
    if done.is_empty() && retry_at.is_none() {
        out.effects.push(Effect::Forget(run.attempt_id()));
        let canceled = run.cancel_requested || outcome == AttemptOutcome::Canceled;
        end_run(out, run, canceled, message);
        return Ok(());
    }
    let gone = if retry_at.is_some() { failed.subtract(&again) } else { failed };
    if !gone.is_empty() {
        give_up(out, run, &gone, message);
    }
    if done.is_empty() {
        out.effects.push(Effect::Forget(run.attempt_id()));
    } else {
        let is_done = |output: &OutputRecord| {
            let found = run.graph.graph.locate(&output.partition, out.state.symbols());
            found.is_some_and(|(_, key)| done.contains(&key))
        };
        let outputs = outputs.into_iter().filter(is_done).collect();
        add_keys(out, found)?;
        publish(out, run, outputs);
    }
    if let Some(job) = out.state.current_job(run).filter(|_| outcome == AttemptOutcome::InputsMoved) {
        // An input that somebody altered is made anew before it is read.
        replan_all(out, &[(job, run.set.clone())]);
    }
    Ok(())
}

/// What a failed attempt made whole and is kept. An attempt that was lost, or whose inputs moved, made nothing that counts.
fn done_of(state: &State, run: &Run, outcome: &AttemptOutcome, outputs: &[OutputRecord]) -> PartitionSet {
    let counts = matches!(
        outcome,
        AttemptOutcome::Failure { .. } | AttemptOutcome::Timeout | AttemptOutcome::OutOfMemory
    );
    if counts && !run.cancel_requested {
        run.made_whole(outputs, state.symbols())
    } else {
        PartitionSet::empty(run.set.shape())
    }
}

/// Those of a run's partitions that `texts` name.
fn located(state: &State, run: &Run, texts: &[PartitionText]) -> PartitionSet {
    let mut set = PartitionSet::empty(run.set.shape());
    for (_, key) in texts.iter().filter_map(|text| run.graph.graph.locate(text, state.symbols())) {
        set.insert(&key);
    }
    set
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
    let Some(run) = out.state.runs().get(&attempt.run) else { return };
    let made = run.made_whole(&outputs, out.state.symbols());
    let goes_on = run.given_up.is_some() || !run.set.is_subset(&made);
    out.event(Event::Materialized(Materialized { attempt, outputs, goes_on }));
    out.effects.push(Effect::Forget(attempt));
    let Some(run) = out.state.runs().get(&attempt.run).cloned() else { return };
    if run.cancel_requested {
        end_run(out, &run, true, "canceled before the rest of its batch was made".to_owned());
    } else if !matches!(run.phase, Phase::RetryWait(_)) {
        let message = run.given_up.clone().unwrap_or_else(|| "not all of its batch was made".to_owned());
        end_run(out, &run, false, message);
    }
}

pub(crate) fn published(out: &mut Out, attempt: AttemptId, marks: &[u64]) -> Result<Reply, Refusal> {
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

pub(crate) fn publish_failed(out: &mut Out, attempt: AttemptId, message: &str) -> Result<Reply, Refusal> {
    let run = current(out, attempt)?;
    if run.phase != Phase::Publishing {
        return Err(Refusal::UnknownAttempt(attempt));
    }
    out.effects.push(Effect::Forget(attempt));
    end_run(out, &run, false, message.to_owned());
    Ok(Reply::Done)
}
