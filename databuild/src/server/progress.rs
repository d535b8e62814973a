//! Events as the lines that somebody who waits for a want wants to read.

use crate::api::ProgressLine;
use crate::engine::Snapshot;
use crate::store::{Reader, StoreError};
use databuild_core::data_check::warning;
use databuild_core::event::{AttemptOutcome, Event, Record, SetText};
use databuild_core::ids::{AttemptId, Seq};

/// The line that an event is worth, if any. Runs are looked up in the state while they are live, then in the history.
///
/// # Errors
/// The history cannot be read.
pub(super) fn line(
    seq: Seq,
    record: &Record,
    live: &Snapshot,
    reader: &Reader,
) -> Result<Option<ProgressLine>, StoreError> {
    let of_attempt =
        |what: &str, attempt: AttemptId, partitions: Option<u64>, message: &str, wall_ms: Option<u64>| {
            let (partition, trial) = match live.state.runs.get(&attempt.run) {
                Some(run) => (run.partition.clone(), run.trial.is_some()),
                None => match reader.run(attempt.run)?.value {
                    Some(found) => (found.run.partition, found.run.trial.is_some()),
                    None => return Ok(None),
                },
            };
            // No want waits for what is only tried.
            if trial {
                return Ok(None);
            }
            Ok(Some(ProgressLine {
                seq: seq.0,
                what: what.to_owned(),
                partition,
                partitions,
                run: Some(attempt.run.to_string()),
                wall_ms,
                message: message.to_owned(),
            }))
        };
    let of_set = |what: &str, partitions: &SetText, run: Option<String>, message: String| {
        Ok(Some(ProgressLine {
            seq: seq.0,
            what: what.to_owned(),
            partition: partitions.join(", "),
            partitions: None,
            run,
            wall_ms: None,
            message,
        }))
    };
    match &record.event {
        Event::AttemptStarted(event) => of_attempt("started", event.attempt, None, "", None),
        Event::AttemptEnded(event) => {
            let what = match (&event.outcome, event.retry_at) {
                (AttemptOutcome::Success, _) => return Ok(None),
                // What is done and what has failed of a batch is told by other events.
                (_, None) if event.done > 0 => return Ok(None),
                (AttemptOutcome::MissingInput { .. }, Some(_)) => "suspended",
                (_, Some(_)) => "retry",
                (AttemptOutcome::Canceled, None) => "canceled",
                (_, None) => "failed",
            };
            of_attempt(what, event.attempt, None, &event.message, Some(event.wall_ms))
        }
        Event::Checked(event) => match warning(&event.checks) {
            Some(message) => of_attempt("warning", event.attempt, None, &message, None),
            None => Ok(None),
        },
        Event::Materialized(event) => {
            let what = if event.outputs.iter().all(|output| output.empty) { "empty" } else { "built" };
            let wall_ms = reader.attempt(event.attempt)?.value.and_then(|attempt| attempt.wall_ms);
            let home = event.outputs.first().map(|output| dataset_of(&output.partition));
            let made = event.outputs.iter().filter(|output| Some(dataset_of(&output.partition)) == home);
            let made = made.count() as u64;
            // The run is shown with all that it was given, of which this may be a part.
            let message = match made {
                1 if !event.goes_on => String::new(),
                1 => "1 partition".to_owned(),
                _ => format!("{made} partitions"),
            };
            of_attempt(what, event.attempt, Some(made), &message, wall_ms)
        }
        Event::WorkCutOff(event) => {
            of_set("unchanged", &event.partitions, None, "its inputs came out as they were".to_owned())
        }
        Event::WorkAbandoned(event) => {
            of_set("given_up", &event.partitions, None, format!("it needs what {} did not make", event.cause))
        }
        Event::PartitionsFailed(event) => {
            let run = Some(event.attempt.run.to_string());
            of_set("failed", &event.partitions, run, event.message.clone())
        }
        _ => Ok(None),
    }
}

/// The dataset of a partition's text.
fn dataset_of(partition: &str) -> &str {
    let keys = partition.split('/').position(|segment| segment.contains('='));
    let end = keys.map(|at| partition.split('/').take(at).map(|segment| segment.len() + 1).sum::<usize>());
    end.map_or(partition, |end| &partition[..end])
}
