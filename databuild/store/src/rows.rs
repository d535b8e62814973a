//! Rows of the history lists, as readers get them.
//!
//! Words of states and the like are stored.

use databuild_core::event::{CheckOutcome, OutcomeKind, PriorityClass, Refresh, WantOutcome};
use databuild_core::ids::{AttemptId, GraphId, PlanId, RunId, Seq, TrialId, WantId};
use databuild_core::words;
use jiff::Timestamp;
use std::collections::BTreeMap;

words! {
    /// Where a want stands.
    #[derive(PartialOrd, Ord)]
    pub enum WantState: "state of a want" {
        /// Being worked on.
        Open => "open",
        /// Every target is current.
        Satisfied => "satisfied",
        /// Some work failed or could not be done.
        Failed => "failed",
        /// Somebody canceled it.
        Canceled => "canceled",
        /// Its time to live ended first.
        Expired => "expired",
    }
}

words! {
    /// Where a run stands.
    #[derive(PartialOrd, Ord)]
    pub enum RunState: "state of a run" {
        /// An attempt was handed to an executor.
        Leased => "leased",
        /// An attempt's process was started; its outputs may be on their way to be published.
        Running => "running",
        /// An attempt failed and the next one is not due yet.
        RetryWait => "retry_wait",
        /// It found that it needs partitions that nobody declared, and waits for them.
        Suspended => "suspended",
        /// Its outputs are published.
        Completed => "completed",
        /// Its last attempt failed, and no other is left.
        Failed => "failed",
        /// Somebody canceled it.
        Canceled => "canceled",
    }
}

words! {
    /// Where an attempt stands.
    pub enum AttemptState: "state of an attempt" {
        /// Handed to an executor.
        Leased => "leased",
        /// Its process was started.
        Running => "running",
        /// Its process is over.
        Ended => "ended",
    }
}

impl RunState {
    /// Whether nothing more happens to the run.
    #[must_use]
    pub fn is_over(self) -> bool {
        matches!(self, RunState::Completed | RunState::Failed | RunState::Canceled)
    }

    /// The states that a run comes to from this one. What is over stays as it is.
    #[must_use]
    pub fn next(self) -> &'static [RunState] {
        use RunState::{Canceled, Completed, Failed, Leased, RetryWait, Running, Suspended};
        match self {
            Leased => &[Running, RetryWait, Suspended, Completed, Failed, Canceled],
            // Outputs that could not be published are made once more.
            Running => &[RetryWait, Suspended, Completed, Failed, Canceled],
            // The end of an attempt is recorded before it is told that it found what it needs.
            RetryWait => &[Leased, Suspended, Failed, Canceled],
            Suspended => &[Leased, RetryWait, Failed, Canceled],
            Completed | Failed | Canceled => &[],
        }
    }
}

impl From<WantOutcome> for WantState {
    fn from(outcome: WantOutcome) -> WantState {
        match outcome {
            WantOutcome::Satisfied => WantState::Satisfied,
            WantOutcome::Failed => WantState::Failed,
            WantOutcome::Canceled => WantState::Canceled,
            WantOutcome::Expired => WantState::Expired,
        }
    }
}

/// A want. Times here and below are to the microsecond.
#[derive(Debug, Clone, PartialEq)]
pub struct WantRow {
    /// Its identity.
    pub id: WantId,
    /// Where it stands.
    pub state: WantState,
    /// Its class.
    pub class: PriorityClass,
    /// What it refreshes.
    pub refresh: Refresh,
    /// What was asked for, as reference texts.
    pub targets: Vec<String>,
    /// What it is for.
    pub comment: String,
    /// The program that asked; empty if it was none.
    pub source: String,
    /// Who asked: a person, or the run that needs it.
    pub by: String,
    /// The instant for which key spaces were read.
    pub as_of: Timestamp,
    /// It gives up after this instant.
    pub expires_at: Option<Timestamp>,
    /// It is late after this instant.
    pub due_at: Option<Timestamp>,
    /// When it was recorded.
    pub created_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// First causes of its end, for people.
    pub causes: Vec<String>,
    /// The plan that it carries out.
    pub plan: Option<PlanId>,
    /// Nothing is begun for it.
    pub paused: bool,
    /// Values of parameters that were given for it.
    pub params: BTreeMap<String, String>,
}

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Its identity.
    pub id: RunId,
    /// Label of the job.
    pub job: String,
    /// The partition of the job's first output.
    pub partition: String,
    /// How many partitions that is.
    pub partitions: u64,
    /// The graph of the newest attempt.
    pub graph: GraphId,
    /// Where it stands.
    pub state: RunState,
    /// How many attempts it had so far.
    pub attempts: u32,
    /// When its first attempt was leased.
    pub created_at: Timestamp,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Of its end, or of its newest ended attempt; empty if all is well.
    pub message: String,
    /// All parameters of the job with their values.
    pub params: BTreeMap<String, String>,
    /// The trial that it is a part of.
    pub trial: Option<TrialId>,
}

/// A run and its attempts, first one first.
#[derive(Debug, Clone, PartialEq)]
pub struct RunWithAttempts {
    /// The run.
    pub run: RunRow,
    /// They.
    pub attempts: Vec<AttemptRow>,
}

/// An attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptRow {
    /// Its identity.
    pub id: AttemptId,
    /// Where it stands.
    pub state: AttemptState,
    /// How it ended.
    pub outcome: Option<OutcomeKind>,
    /// Process id.
    pub pid: Option<u32>,
    /// When it was handed to an executor.
    pub leased_at: Timestamp,
    /// When its process was started.
    pub started_at: Option<Timestamp>,
    /// When its process was over.
    pub ended_at: Option<Timestamp>,
    /// The process's exit code, if it exited.
    pub exit_code: Option<i32>,
    /// Wall time in milliseconds, once ended.
    pub wall_ms: Option<u64>,
    /// CPU time in milliseconds, once ended.
    pub cpu_ms: Option<u64>,
    /// Largest resident set in kibibytes, once ended.
    pub max_rss_kb: Option<u64>,
    /// For people; empty for a success.
    pub message: String,
    /// Combined digest of the exact inputs and their data versions.
    pub inputs: u64,
    /// The event of the lease: what `inputs` were is what they were at this position.
    pub lease_seq: Seq,
    /// What the job returned; empty if nothing.
    pub returned: Vec<u8>,
}

/// What a partition held from an event on.
#[derive(Debug, Clone, PartialEq)]
pub struct MaterializationRow {
    /// The partition.
    pub partition: String,
    /// The event that says so.
    pub seq: Seq,
    /// The run that made it; none = external data that was looked at.
    pub run: Option<RunId>,
    /// Its data.
    pub version: String,
    /// The job had nothing to produce.
    pub empty: bool,
    /// Size of the content; 0 for external data and for what is no file.
    pub bytes: u64,
    /// Cheap fingerprint of the file; 0 = none.
    pub mark: u64,
    /// Text of a JSON object: what the job said of it.
    pub metadata: String,
    /// When it was recorded.
    pub at: Timestamp,
}

/// What a partition held once, and from what: enough to know whether a run of today would make the same.
#[derive(Debug, Clone, PartialEq)]
pub struct PastMaterialization {
    /// It.
    pub made: MaterializationRow,
    /// The run that made it; none if no run did. Its job, its graph and its values of parameters give the digests of
    /// code, arguments and layout.
    pub by: Option<MadeBy>,
}

/// See [`PastMaterialization::by`].
#[derive(Debug, Clone, PartialEq)]
pub struct MadeBy {
    /// Label of the job, in the words of its graph.
    pub job: String,
    /// The graph.
    pub graph: GraphId,
    /// All its parameters with their values.
    pub params: BTreeMap<String, String>,
    /// The lease of the attempt that made it: that event has the digest of its inputs.
    pub lease_seq: Seq,
}

/// What a check found in a partition that an attempt made.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckRow {
    /// Its number, in the order of findings.
    pub id: u64,
    /// The partition.
    pub partition: String,
    /// Label of the check.
    pub check: String,
    /// Who made what it looked at.
    pub attempt: AttemptId,
    /// What it came to.
    pub outcome: CheckOutcome,
    /// What it does not pass is not published.
    pub blocking: bool,
    /// For people; may be empty if it passed.
    pub message: String,
    /// Text of a JSON object: what it measured.
    pub metadata: String,
    /// When it was recorded.
    pub at: Timestamp,
}

/// A registration of a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct GraphRow {
    /// Digest of the content.
    pub id: GraphId,
    /// The event of the registration.
    pub seq: Seq,
    /// When it was recorded.
    pub at: Timestamp,
    /// Job label to digest of its source manifest.
    pub sources: BTreeMap<String, String>,
    /// Environment name to SHA-256 of its value.
    pub inherited: BTreeMap<String, String>,
}

/// What somebody said of data that is bad.
#[derive(Debug, Clone, PartialEq)]
pub struct TaintRow {
    /// The event.
    pub seq: Seq,
    /// When it was said.
    pub at: Timestamp,
    /// Of which partitions.
    pub partitions: Vec<String>,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::word::Word as _;

    #[test]
    fn a_run_goes_from_state_to_state_as_the_table_says() {
        let table = [
            "leased -> running retry_wait suspended completed failed canceled",
            "running -> retry_wait suspended completed failed canceled",
            "retry_wait -> leased suspended failed canceled",
            "suspended -> leased retry_wait failed canceled",
            "completed -> ",
            "failed -> ",
            "canceled -> ",
        ];
        let told = RunState::ALL.iter().map(|from| {
            let to: Vec<&str> =
                RunState::ALL.iter().filter(|to| from.next().contains(to)).map(|to| to.word()).collect();
            format!("{} -> {}", from.word(), to.join(" "))
        });
        assert_eq!(told.collect::<Vec<_>>(), table);
        assert!(RunState::ALL.iter().all(|state| state.is_over() == state.next().is_empty()));
    }
}
