//! What is said of checks of data.

use super::examples::attempt;
use super::fact::Fact;
use super::origin::Origin;
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

impl Fact for Checked {
    fn text(&self, _: &Origin) -> String {
        let found = self.checks.iter().map(CheckFindings::text).collect::<Vec<_>>().join("; ");
        format!("{} was checked by {found}", self.attempt)
    }

    fn example() -> Checked {
        Checked {
            attempt: attempt(12, 1),
            checks: vec![
                example_findings("//weather:sane", true, [CheckOutcome::Passed, CheckOutcome::Failed]),
                example_findings("//weather:usual", false, [CheckOutcome::Error, CheckOutcome::Passed]),
            ],
        }
    }
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

impl CheckFindings {
    /// What it found, in counts.
    fn text(&self) -> String {
        let counts = [
            (CheckOutcome::Passed, "passed"),
            (CheckOutcome::Failed, "failed"),
            (CheckOutcome::Error, "could not be checked"),
        ];
        let count = |outcome| self.results.iter().filter(|result| result.outcome == outcome).count();
        let counts = counts.map(|(outcome, how)| (count(outcome), how)).into_iter();
        let told = counts.filter(|(count, _)| *count > 0).map(|(count, how)| format!("{count} {how}"));
        match told.collect::<Vec<_>>().join(", ") {
            none if none.is_empty() => format!("{}: nothing to check", self.check),
            told => format!("{}: {told}", self.check),
        }
    }
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
        /// The data is not as it should be.
        Failed = 2 => "failed",
        /// The check did not come to a result: it was killed, ran out of time, or cannot be believed.
        Error = 3 => "error",
    }
}

/// An example for tests: what a check found in two days.
#[must_use]
pub fn example_findings(check: &str, blocking: bool, outcomes: [CheckOutcome; 2]) -> CheckFindings {
    let result = |(day, outcome): (u32, CheckOutcome)| CheckResult {
        partition: format!("daily/n={day}"),
        outcome,
        message: format!("{outcome:?} on day {day}"),
        metadata: "{\"rows\": 24}".into(),
    };
    CheckFindings { check: check.into(), blocking, results: (0..).zip(outcomes).map(result).collect() }
}
