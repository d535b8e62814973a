//! Events as the lines that somebody who waits for a want wants to read.

use crate::api::ProgressLine;
use crate::engine::Snapshot;
use crate::store::{Reader, RunWithAttempts, StoreError};
use databuild_core::data_check::warning;
use databuild_core::event::{AttemptOutcome, Event, Materialized, Record, SetText};
use databuild_core::ids::{AttemptId, RunId, Seq};
use std::collections::hash_map::Entry;
use std::collections::HashMap;

/// Makes lines of events that follow each other. What it looked up of runs it remembers: several events speak of one.
pub(super) struct Lines<'r> {
    live: &'r Snapshot,
    reader: &'r Reader,
    /// Runs of the history.
    over: HashMap<RunId, Option<RunWithAttempts>>,
}

impl<'r> Lines<'r> {
    pub(super) fn new(live: &'r Snapshot, reader: &'r Reader) -> Lines<'r> {
        Lines { live, reader, over: HashMap::new() }
    }

    /// The line that an event is worth, if any. Runs are looked up in the state while they are live, then in the history.
    ///
    /// # Errors
    /// The history cannot be read.
    pub(super) fn of(&mut self, seq: Seq, record: &Record) -> Result<Option<ProgressLine>, StoreError> {
        match &record.event {
            Event::AttemptStarted(event) => self.of_attempt(seq, "started", event.attempt, ""),
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
                let line = self.of_attempt(seq, what, event.attempt, &event.message)?;
                Ok(line.map(|line| ProgressLine { wall_ms: Some(event.wall_ms), ..line }))
            }
            Event::Checked(event) => match warning(&event.checks) {
                Some(message) => self.of_attempt(seq, "warning", event.attempt, &message),
                None => Ok(None),
            },
            Event::Materialized(event) => self.of_data(seq, event),
            Event::WorkCutOff(event) => {
                Ok(Some(of_set(seq, "unchanged", &event.partitions, "its inputs came out as they were")))
            }
            Event::WorkAbandoned(event) => {
                let message = format!("it needs what {} did not make", event.cause);
                Ok(Some(of_set(seq, "given_up", &event.partitions, &message)))
            }
            Event::PartitionsFailed(event) => {
                let line = of_set(seq, "failed", &event.partitions, &event.message);
                Ok(Some(ProgressLine { run: Some(event.attempt.run.to_string()), ..line }))
            }
            _ => Ok(None),
        }
    }

    fn of_data(&mut self, seq: Seq, event: &Materialized) -> Result<Option<ProgressLine>, StoreError> {
        let what = if event.outputs.iter().all(|output| output.empty) { "empty" } else { "built" };
        let home = event.outputs.first().map(|output| dataset_of(&output.partition));
        let made = event.outputs.iter().filter(|output| Some(dataset_of(&output.partition)) == home);
        let made = made.count() as u64;
        // The run is shown with all that it was given, of which this may be a part.
        let message = match made {
            1 if !event.goes_on => String::new(),
            1 => "1 partition".to_owned(),
            _ => format!("{made} partitions"),
        };
        let Some(line) = self.of_attempt(seq, what, event.attempt, &message)? else { return Ok(None) };
        let run = self.of_history(event.attempt.run)?;
        let attempt = run.and_then(|run| run.attempts.iter().find(|attempt| attempt.id == event.attempt));
        Ok(Some(ProgressLine {
            partitions: Some(made),
            wall_ms: attempt.and_then(|attempt| attempt.wall_ms),
            ..line
        }))
    }

    fn of_attempt(
        &mut self,
        seq: Seq,
        what: &str,
        attempt: AttemptId,
        message: &str,
    ) -> Result<Option<ProgressLine>, StoreError> {
        let (partition, trial) = match self.live.state.runs.get(&attempt.run) {
            Some(run) => (run.partition.clone(), run.trial.is_some()),
            None => match self.of_history(attempt.run)? {
                Some(found) => (found.run.partition.clone(), found.run.trial.is_some()),
                None => return Ok(None),
            },
        };
        // No want waits for what is only tried.
        Ok((!trial).then(|| ProgressLine {
            seq: seq.0,
            what: what.to_owned(),
            partition,
            partitions: None,
            run: Some(attempt.run.to_string()),
            wall_ms: None,
            message: message.to_owned(),
        }))
    }

    fn of_history(&mut self, id: RunId) -> Result<Option<&RunWithAttempts>, StoreError> {
        let found = match self.over.entry(id) {
            Entry::Occupied(found) => found.into_mut(),
            Entry::Vacant(place) => place.insert(self.reader.run(id)?.value),
        };
        Ok(found.as_ref())
    }
}

fn of_set(seq: Seq, what: &str, partitions: &SetText, message: &str) -> ProgressLine {
    ProgressLine {
        seq: seq.0,
        what: what.to_owned(),
        partition: partitions.join(", "),
        partitions: None,
        run: None,
        wall_ms: None,
        message: message.to_owned(),
    }
}

/// The dataset of a partition's text.
fn dataset_of(partition: &str) -> &str {
    let keys = partition.split('/').position(|segment| segment.contains('='));
    let end = keys.map(|at| partition.split('/').take(at).map(|segment| segment.len() + 1).sum::<usize>());
    end.map_or(partition, |end| &partition[..end])
}
