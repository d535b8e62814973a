//! Puts staged outputs in their places. Runs on a thread of its own, a batch at a time, so that names
//! are synced once for many outputs.

use super::orchestrator::Message;
use super::pace::Pace;
use super::staging::Staging;
use crate::publish::{self, ContentHash, PublishError, Redo};
use databuild_core::decide::Input;
use databuild_core::event::OutputRecord;
use databuild_core::ids::AttemptId;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};

/// Something to be put in its place, or cleared away.
#[derive(Debug)]
pub(super) enum PublishOrder {
    /// Outputs whose intent is durable, each with its staging path and its place if it is a file.
    Publish { attempt: AttemptId, outputs: Vec<(OutputRecord, Option<(PathBuf, PathBuf)>)> },
    /// Staging of an attempt that is over.
    Clear { attempt: AttemptId },
}

/// Carries out orders until the channel closes.
pub(super) fn publisher(
    staging: &Staging,
    orders: &Receiver<PublishOrder>,
    to_loop: &Sender<Message>,
    pace: &Pace,
) {
    while let Ok(first) = orders.recv() {
        let batch = pace.gather(first, orders);
        let mut dirs: BTreeSet<PathBuf> = BTreeSet::new();
        let mut results = Vec::new();
        for order in batch {
            match order {
                PublishOrder::Clear { attempt } => staging.clear(&attempt.to_string()),
                PublishOrder::Publish { attempt, outputs } => {
                    let result = put(&outputs, &mut dirs).map_err(|error| error.to_string());
                    results.push((attempt, result));
                }
            }
        }
        let synced = publish::sync_dirs(&dirs).map_err(|error| error.to_string());
        for (attempt, result) in results {
            let input = match result.and_then(|marks| synced.clone().map(|()| marks)) {
                Ok(marks) => Input::Published { attempt, marks },
                Err(message) => Input::PublishFailed { attempt, message },
            };
            if to_loop.send(Message::Input(Box::new(input))).is_err() {
                return;
            }
        }
    }
}

/// Renames all outputs of one attempt; returns the published files' fingerprints. Doing it again after a
/// crash finds what was done before.
fn put(
    outputs: &[(OutputRecord, Option<(PathBuf, PathBuf)>)],
    dirs: &mut BTreeSet<PathBuf>,
) -> Result<Vec<u64>, PublishError> {
    let mut marks = Vec::new();
    for (output, paths) in outputs {
        let Some((staging, place)) = paths else {
            marks.push(0);
            continue;
        };
        if output.empty {
            publish::withdraw(place, dirs)?;
            marks.push(0);
            continue;
        }
        match publish::publish(staging, place) {
            Ok(published) => dirs.extend(published.changed_dirs),
            Err(error) => {
                // The staged file is gone if a crash came between rename and record.
                let hash: ContentHash = output.version.parse().map_err(|_| error)?;
                if publish::redo(staging, place, &hash)? == Redo::Gone {
                    return Err(PublishError::OutputMissing { path: staging.clone() });
                }
            }
        }
        let mark = publish::stat_mark(place).map_err(|error| PublishError::io("look at", place, error))?;
        marks.push(mark.map_or(0, |mark| mark.0));
    }
    Ok(marks)
}
