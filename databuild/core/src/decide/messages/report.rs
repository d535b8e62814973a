//! How attempts end.

use crate::event::{AttemptOutcome, CheckFindings, OutputRecord, PartitionText};
use std::collections::BTreeMap;

/// What came of an attempt.
#[derive(Debug, Clone)]
pub struct AttemptEnd {
    /// How it ended.
    pub result: Result<Success, AttemptReport>,
    /// The process's exit code, if it exited.
    pub exit_code: Option<i32>,
    /// Wall time in milliseconds.
    pub wall_ms: u64,
    /// CPU time in milliseconds.
    pub cpu_ms: u64,
    /// Largest resident set in kibibytes.
    pub max_rss_kb: u64,
    /// What checks found in what it made.
    pub checks: Vec<CheckFindings>,
    /// What the job returned; empty if nothing.
    pub returned: Vec<u8>,
}

impl AttemptEnd {
    /// The end of an attempt that had no process.
    #[must_use]
    pub fn without_process(report: AttemptReport) -> AttemptEnd {
        AttemptEnd::of(Err(report))
    }

    /// The end of one of which nothing was measured.
    #[must_use]
    pub fn of(result: Result<Success, AttemptReport>) -> AttemptEnd {
        AttemptEnd {
            result,
            exit_code: None,
            wall_ms: 0,
            cpu_ms: 0,
            max_rss_kb: 0,
            checks: Vec::new(),
            returned: Vec::new(),
        }
    }
}

/// Outputs that a successful attempt staged or reported.
#[derive(Debug, Clone, Default)]
pub struct Success {
    /// One for each partition and each output of the job.
    pub outputs: Vec<OutputRecord>,
    /// Dynamic keys that it found, by key space.
    pub keys: BTreeMap<String, Vec<String>>,
}

/// Why an attempt did not bring all it was to.
#[derive(Debug, Clone)]
pub struct AttemptReport {
    /// Not `Success`.
    pub outcome: AttemptOutcome,
    /// For people.
    pub message: String,
    /// Outputs of those partitions of a batch that are done all the same. A partition of which some output
    /// is not among them counts as failed.
    pub done: Vec<OutputRecord>,
    /// Partitions (of the job's first output) for which trying again is useless.
    pub hopeless: Vec<PartitionText>,
    /// Dynamic keys that it found, by key space; they count if any of `done` does.
    pub keys: BTreeMap<String, Vec<String>>,
}

impl AttemptReport {
    /// An attempt that brought nothing.
    #[must_use]
    pub fn new(outcome: AttemptOutcome, message: impl Into<String>) -> AttemptReport {
        AttemptReport {
            outcome,
            message: message.into(),
            done: Vec::new(),
            hopeless: Vec::new(),
            keys: BTreeMap::new(),
        }
    }
}
