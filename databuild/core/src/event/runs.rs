//! What is said of runs and their attempts.

use super::examples::{attempt, texts, time};
use super::fact::{listed, with, Fact};
use super::origin::Origin;
use super::output::{example_output, made, OutputRecord, PartitionText, SetText};
use super::trials::ArmId;
use crate::amounts::{duration, to_the_second};
use crate::graph::Params;
use crate::ids::{AttemptId, GraphId, RunId, TrialId, WantId};
use crate::words;
use jiff::Timestamp;

/// See [`super::Event::AttemptLeased`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptLeased {
    /// Which attempt of which run.
    pub attempt: AttemptId,
    /// Label of the job.
    pub job: String,
    /// What is made: partitions of the job's first output, as one reference text; the other outputs have
    /// the same keys. It is one partition, or several of one row if the job makes batches.
    pub partition: PartitionText,
    /// The graph whose code runs.
    pub graph: GraphId,
    /// The instant for which key spaces were read.
    pub as_of: Timestamp,
    /// For each partition, in the order of the set: combined digest of its exact inputs and their data
    /// versions at this event.
    pub inputs: Vec<u64>,
    /// All parameters of the job with the values that it gets.
    pub params: Params,
    /// The arm of a trial that the run is, and then it makes nothing that anybody else sees.
    pub trial: Option<ArmId>,
}

impl Fact for AttemptLeased {
    fn text(&self, _: &Origin) -> String {
        let AttemptLeased { attempt, job, partition, .. } = self;
        let trial = self.trial.map(|arm| format!(", for trial {}", arm.trial)).unwrap_or_default();
        format!("{attempt} was leased to build {partition} with {job}{trial}")
    }

    fn example() -> AttemptLeased {
        AttemptLeased {
            attempt: attempt(12, 1),
            job: "//weather:daily".into(),
            partition: "daily/date=2024-01-01".into(),
            graph: GraphId::of("{\"jobs\": []}"),
            as_of: time("2024-03-14T01:02:03Z"),
            inputs: vec![u64::MAX - 1],
            params: [("full".to_owned(), String::new())].into(),
            trial: Some(ArmId { trial: TrialId(3), sample: 0, arm: 1 }),
        }
    }
}

/// See [`super::Event::AttemptStarted`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptStarted {
    /// Which.
    pub attempt: AttemptId,
    /// Process id.
    pub pid: u32,
}

impl Fact for AttemptStarted {
    fn text(&self, _: &Origin) -> String {
        format!("{} started as process {}", self.attempt, self.pid)
    }

    fn example() -> AttemptStarted {
        AttemptStarted { attempt: attempt(12, 1), pid: u32::MAX }
    }
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The job did what it declares.
    Success,
    /// The job failed.
    Failure {
        /// The job itself says that trying again is useless.
        permanent: bool,
    },
    /// The job ran out of time.
    Timeout,
    /// It took more memory than its job declares.
    OutOfMemory,
    /// Somebody canceled its run. Or it was stopped with all others, or taken back before it began since its want is
    /// paused: then the run goes on with another attempt.
    Canceled,
    /// The runner or the machine stopped during the attempt.
    Lost,
    /// An input was changed between its lease and its end, or could not be observed then, so nobody knows which
    /// version it has read.
    InputsMoved,
    /// It found that it needs partitions nobody declared; the run goes on when they are there.
    MissingInput {
        /// They, as it named them.
        partitions: SetText,
    },
}

words! {
    /// An [`AttemptOutcome`] without what belongs to it.
    pub enum OutcomeKind: "outcome of an attempt" {
        /// The job did what it declares.
        Success = 1 => "success",
        /// The job failed.
        Failure = 2 => "failure",
        /// The job failed, and says that trying again is useless.
        PermanentFailure = 3 => "permanent_failure",
        /// The job ran out of time.
        Timeout = 4 => "timeout",
        /// It took more memory than its job declares.
        OutOfMemory = 110 => "out_of_memory",
        /// Somebody canceled its run, stopped it with all others, or paused its want before it began.
        Canceled = 5 => "canceled",
        /// The runner or the machine stopped during the attempt.
        Lost = 6 => "lost",
        /// An input changed before or while the job ran, or could not be observed.
        InputsMoved = 130 => "inputs_moved",
        /// It found that it needs partitions that nobody declared; the run goes on when they are there.
        MissingInput = 50 => "missing_input",
    }
}

impl AttemptOutcome {
    /// Which it is.
    #[must_use]
    pub fn kind(&self) -> OutcomeKind {
        match self {
            AttemptOutcome::Success => OutcomeKind::Success,
            AttemptOutcome::Failure { permanent: false } => OutcomeKind::Failure,
            AttemptOutcome::Failure { permanent: true } => OutcomeKind::PermanentFailure,
            AttemptOutcome::Timeout => OutcomeKind::Timeout,
            AttemptOutcome::OutOfMemory => OutcomeKind::OutOfMemory,
            AttemptOutcome::Canceled => OutcomeKind::Canceled,
            AttemptOutcome::Lost => OutcomeKind::Lost,
            AttemptOutcome::InputsMoved => OutcomeKind::InputsMoved,
            AttemptOutcome::MissingInput { .. } => OutcomeKind::MissingInput,
        }
    }

    /// The outcome of this kind; `partitions` are those that it found it needs, if it did.
    #[must_use]
    pub fn of_kind(kind: OutcomeKind, partitions: SetText) -> AttemptOutcome {
        match kind {
            OutcomeKind::Success => AttemptOutcome::Success,
            OutcomeKind::Failure => AttemptOutcome::Failure { permanent: false },
            OutcomeKind::PermanentFailure => AttemptOutcome::Failure { permanent: true },
            OutcomeKind::Timeout => AttemptOutcome::Timeout,
            OutcomeKind::OutOfMemory => AttemptOutcome::OutOfMemory,
            OutcomeKind::Canceled => AttemptOutcome::Canceled,
            OutcomeKind::Lost => AttemptOutcome::Lost,
            OutcomeKind::InputsMoved => AttemptOutcome::InputsMoved,
            OutcomeKind::MissingInput => AttemptOutcome::MissingInput { partitions },
        }
    }
}

/// See [`super::Event::AttemptEnded`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptEnded {
    /// Which.
    pub attempt: AttemptId,
    /// How.
    pub outcome: AttemptOutcome,
    /// For people; empty for a success.
    pub message: String,
    /// The process's exit code, if it exited.
    pub exit_code: Option<i32>,
    /// Wall time of the process in milliseconds.
    pub wall_ms: u64,
    /// CPU time of the process in milliseconds.
    pub cpu_ms: u64,
    /// Largest resident set in kibibytes.
    pub max_rss_kb: u64,
    /// When the next attempt is due; none = there is none.
    pub retry_at: Option<Timestamp>,
    /// How many partitions of a batch are done although the attempt did not succeed.
    pub done: u64,
    /// What the job returned, which means nothing to DataBuild; empty if nothing.
    pub returned: Vec<u8>,
}

impl Fact for AttemptEnded {
    fn text(&self, _: &Origin) -> String {
        let how = match self.outcome {
            AttemptOutcome::Success => {
                return format!("{} succeeded in {}", self.attempt, duration(self.wall_ms));
            }
            // The message says more.
            AttemptOutcome::Failure { permanent: false }
            | AttemptOutcome::Timeout
            | AttemptOutcome::OutOfMemory => "failed",
            AttemptOutcome::Failure { permanent: true } => "failed for good",
            AttemptOutcome::Canceled | AttemptOutcome::MissingInput { .. } => "was stopped",
            AttemptOutcome::Lost | AttemptOutcome::InputsMoved => "has no result",
        };
        // One that waits for inputs is due at once, and begins when they are there.
        let due = self.retry_at.filter(|_| self.outcome.kind() != OutcomeKind::MissingInput);
        let next = due.map(|at| format!("; next attempt at {}", to_the_second(at))).unwrap_or_default();
        with(format!("{} {how}", self.attempt), &self.message) + &next
    }

    fn example() -> AttemptEnded {
        AttemptEnded {
            attempt: attempt(12, 1),
            outcome: AttemptOutcome::Failure { permanent: true },
            message: "line one\nline two\0".into(),
            exit_code: Some(-1),
            wall_ms: 1,
            cpu_ms: 2,
            max_rss_kb: u64::from(u32::MAX) + 1,
            retry_at: Some(time("2024-03-14T01:02:04.5Z")),
            done: 28,
            returned: vec![0, 255, b'"'],
        }
    }
}

/// See [`super::Event::RunCancelRequested`].
#[derive(Debug, Clone, PartialEq)]
pub struct RunCancelRequested {
    /// Which.
    pub run: RunId,
}

impl Fact for RunCancelRequested {
    fn text(&self, _: &Origin) -> String {
        format!("{} is to be canceled", self.run)
    }

    fn example() -> RunCancelRequested {
        RunCancelRequested { run: RunId(12) }
    }
}

/// See [`super::Event::PublishIntended`].
#[derive(Debug, Clone, PartialEq)]
pub struct PublishIntended {
    /// Which attempt's outputs.
    pub attempt: AttemptId,
    /// They.
    pub outputs: Vec<OutputRecord>,
}

impl Fact for PublishIntended {
    fn text(&self, _: &Origin) -> String {
        format!("{} is about to publish {}", self.attempt, made(&self.outputs))
    }

    fn example() -> PublishIntended {
        PublishIntended { attempt: attempt(12, 1), outputs: vec![example_output("daily/a", 0)] }
    }
}

/// See [`super::Event::Materialized`].
#[derive(Debug, Clone, PartialEq)]
pub struct Materialized {
    /// Which attempt's outputs.
    pub attempt: AttemptId,
    /// They.
    pub outputs: Vec<OutputRecord>,
    /// The run is not completed by this: other partitions of its batch failed, for good or to be tried again.
    pub goes_on: bool,
}

impl Fact for Materialized {
    fn text(&self, _: &Origin) -> String {
        let rest = if self.goes_on { "; other partitions of its batch are not done" } else { "" };
        format!("{} published {}{rest}", self.attempt, made(&self.outputs))
    }

    fn example() -> Materialized {
        Materialized {
            attempt: attempt(12, 2),
            outputs: vec![example_output("daily/a", 7), example_output("daily/b", 8)],
            goes_on: true,
        }
    }
}

/// See [`super::Event::PartitionsFailed`].
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionsFailed {
    /// Which attempt's.
    pub attempt: AttemptId,
    /// Which partitions of the job's first output; the others have the same keys.
    pub partitions: SetText,
    /// For people.
    pub message: String,
}

impl Fact for PartitionsFailed {
    fn text(&self, _: &Origin) -> String {
        let what = format!("{} did not build {}", self.attempt, listed(&self.partitions));
        with(what, &self.message)
    }

    fn example() -> PartitionsFailed {
        PartitionsFailed {
            attempt: attempt(12, 1),
            partitions: texts(["daily/date=2024-01-03..2024-02-29"]),
            message: "no such day".into(),
        }
    }
}

/// See [`super::Event::RunEnded`].
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnded {
    /// Which.
    pub run: RunId,
    /// Cancelled, or failed for good.
    pub canceled: bool,
    /// For people.
    pub message: String,
}

impl Fact for RunEnded {
    fn text(&self, _: &Origin) -> String {
        let how = if self.canceled { "was canceled" } else { "failed" };
        with(format!("{} {how}", self.run), &self.message)
    }

    fn example() -> RunEnded {
        RunEnded { run: RunId(12), canceled: true, message: "asked to".into() }
    }
}

/// See [`super::Event::RunSuspended`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSuspended {
    /// Which run.
    pub run: RunId,
    /// The want that brings what it needs.
    pub want: WantId,
    /// Partitions that it found it needs, each as a reference.
    pub inputs: SetText,
}

impl Fact for RunSuspended {
    fn text(&self, _: &Origin) -> String {
        format!("{} waits until {} has built {}", self.run, self.want, listed(&self.inputs))
    }

    fn example() -> RunSuspended {
        RunSuspended { run: RunId(12), want: WantId(4), inputs: texts(["raw/city=oslo"]) }
    }
}
