//! What is said of checks of data.

use super::output::PartitionText;
use crate::ids::AttemptId;
use crate::words;

/// See [`super::Event::Checked`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What was made by which attempt; how that ended, and what is published of it, is for later events to say.
    pub attempt: AttemptId,
    /// What each check found.
    pub checks: Vec<CheckFindings>,
}

/// What a check found in what an attempt made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckFindings {
    /// Its label.
    pub check: String,
    /// What it does not pass is not published.
    pub blocking: bool,
    /// For each partition of its dataset that was made and is not empty.
    pub results: Vec<CheckResult>,
}

/// What a check found in one partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckResult {
    /// The partition.
    pub partition: PartitionText,
    /// What it came to.
    pub outcome: CheckOutcome,
    /// For people; may be empty if it passed.
    pub message: String,
    /// What the check measured: a JSON object's text, `{}` if nothing.
    pub metadata: String,
}

words! {
    /// What a check came to.
    pub enum CheckOutcome: "outcome of a check" {
        /// The data is as it should be.
        Passed = 1 => "passed",
        /// It is not.
        Failed = 2 => "failed",
        /// The check did not come to a result: it was killed, ran out of time, or cannot be believed.
        Error = 3 => "error",
    }
}
