//! What the build event log says: facts, in the past tense.
//!
//! Invariants:
//! - An event carries all that is needed to fold it into [`crate::state::State`]; folding decides nothing.
//! - Partitions and sets of them are written as reference texts (`hourly/city=seattle/date=2010-01-01..2010-01-31`),
//!   never as indices, so a log can be read without the graph that made it.
//! - One event may speak of a million partitions; it stays as small as the set's shape.
//! - The stored form (crate `databuild-proto`) has names and numbers of its own, which are never
//!   renamed or reused; these Rust names are free to change.

mod checked;
mod origin;
mod output;
mod trial;

pub use checked::*;
pub use origin::*;
pub use output::*;
pub use trial::*;

use crate::graph::{JobDigests, Params};
use crate::ids::{AttemptId, GraphId, PlanId, RunId, WantId};
use crate::words;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A fact with the time at which it was recorded, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    /// When the orchestrator recorded it (wall clock, for people and for timers; never for order).
    pub at: Timestamp,
    /// Who brought it about, and on what occasion.
    pub origin: Origin,
    /// The fact.
    pub event: Event,
}

/// A fact.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A graph built by Bazel became the one that new work follows.
    GraphRegistered(GraphRegistered),
    /// Partitions of an external dataset were looked at and have this content.
    Observed(Observed),
    /// Published files are no longer there.
    FilesVanished(FilesVanished),
    /// Published files have other bytes than were published.
    FilesAltered(FilesAltered),
    /// Somebody wants partitions.
    WantCreated(WantCreated),
    /// What a want waits for was worked out anew, since the graph or the files it rests on changed.
    WantReplanned(WantReplanned),
    /// A want is over.
    WantEnded(WantEnded),
    /// Nothing more is begun for a want, until it is resumed.
    WantPaused(WantPaused),
    /// A paused want goes on.
    WantResumed(WantResumed),
    /// A want is of another class from now on.
    WantReprioritized(WantReprioritized),
    /// Work that looked necessary is not: its inputs came out as they were.
    WorkCutOff(WorkCutOff),
    /// Work that cannot be done, as something it needs failed.
    WorkAbandoned(WorkAbandoned),
    /// An attempt of a run was handed to an executor. The first attempt's lease is the run's birth.
    AttemptLeased(AttemptLeased),
    /// The executor started the attempt's process.
    AttemptStarted(AttemptStarted),
    /// The attempt's process is over.
    AttemptEnded(AttemptEnded),
    /// Somebody asked for the run to stop.
    RunCancelRequested(RunCancelRequested),
    /// Staged outputs were checked and are about to replace what is published.
    PublishIntended(PublishIntended),
    /// Outputs are published and are what these partitions now hold; the run is completed, unless it goes on.
    Materialized(Materialized),
    /// A run gave up some of its partitions for good and goes on with the others.
    PartitionsFailed(PartitionsFailed),
    /// A run is over without result.
    RunEnded(RunEnded),
    /// A plan was shown and kept, to be applied later.
    PlanCreated(PlanCreated),
    /// Plans are kept no longer.
    PlansDropped(PlansDropped),
    /// Somebody declared data bad.
    Tainted(Tainted),
    /// Somebody took that back.
    Untainted(Untainted),
    /// Somebody judged a change of a job harmless: what it made before is as good as what it makes now.
    CodeAccepted(CodeAccepted),
    /// Files that were there already are what these partitions hold.
    Adopted(Adopted),
    /// A run waits for partitions that it found it needs.
    RunSuspended(RunSuspended),
    /// Dynamic keys came, or came back.
    KeysAdded(KeysAdded),
    /// Dynamic keys went.
    KeysRetired(KeysRetired),
    /// Somebody gave a pool another size.
    PoolResized(PoolResized),
    /// Work is to be repeated, to compare what comes of it.
    TrialCreated(TrialCreated),
    /// An arm of a trial made its outputs, which nobody publishes.
    TrialMade(TrialMade),
    /// A trial is over.
    TrialEnded(TrialEnded),
    /// Checks looked at what an attempt made.
    Checked(Checked),
}

impl Event {
    /// Whether nothing is missed if a power loss takes this event: the attempt that it is of is lost as well then, and
    /// is made again. An intent to publish more than one output is missed. Some of them may be in their places, and
    /// only the intent says which others belong to them. So is one of an empty output, which has nothing but the intent
    /// to show for it.
    #[must_use]
    pub fn goes_with_its_attempt(&self) -> bool {
        match self {
            Event::AttemptStarted(_) | Event::Checked(_) => true,
            Event::AttemptEnded(ended) => ended.outcome == AttemptOutcome::Success,
            Event::PublishIntended(intent) => matches!(intent.outputs.as_slice(), [one] if !one.empty),
            _ => false,
        }
    }

    /// Stable name of the kind, as the API tells it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Event::GraphRegistered(_) => "graph_registered",
            Event::Observed(_) => "observed",
            Event::FilesVanished(_) => "files_vanished",
            Event::FilesAltered(_) => "files_altered",
            Event::WantCreated(_) => "want_created",
            Event::WantReplanned(_) => "want_replanned",
            Event::WantEnded(_) => "want_ended",
            Event::WantPaused(_) => "want_paused",
            Event::WantResumed(_) => "want_resumed",
            Event::WantReprioritized(_) => "want_reprioritized",
            Event::WorkCutOff(_) => "work_cut_off",
            Event::WorkAbandoned(_) => "work_abandoned",
            Event::AttemptLeased(_) => "attempt_leased",
            Event::AttemptStarted(_) => "attempt_started",
            Event::AttemptEnded(_) => "attempt_ended",
            Event::RunCancelRequested(_) => "run_cancel_requested",
            Event::PublishIntended(_) => "publish_intended",
            Event::Materialized(_) => "materialized",
            Event::PartitionsFailed(_) => "partitions_failed",
            Event::RunEnded(_) => "run_ended",
            Event::PlanCreated(_) => "plan_created",
            Event::PlansDropped(_) => "plans_dropped",
            Event::Tainted(_) => "tainted",
            Event::Untainted(_) => "untainted",
            Event::CodeAccepted(_) => "code_accepted",
            Event::Adopted(_) => "adopted",
            Event::RunSuspended(_) => "run_suspended",
            Event::KeysAdded(_) => "keys_added",
            Event::KeysRetired(_) => "keys_retired",
            Event::PoolResized(_) => "pool_resized",
            Event::TrialCreated(_) => "trial_created",
            Event::TrialMade(_) => "trial_made",
            Event::TrialEnded(_) => "trial_ended",
            Event::Checked(_) => "checked",
        }
    }
}

/// See [`Event::GraphRegistered`].
#[derive(Debug, Clone, PartialEq)]
pub struct GraphRegistered {
    /// Digest of the content.
    pub graph: GraphId,
    /// The graph file. Stored once per digest, beside the events.
    pub content: Arc<str>,
    /// For each name in some job's `env_inherit`: the SHA-256 of the value the registering client had.
    /// The values are no part of the log.
    pub inherited: BTreeMap<String, String>,
    /// For each job label: digest of its source manifest, stored beside the events (for blame).
    pub sources: BTreeMap<String, String>,
}

/// See [`Event::Observed`].
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// What was seen.
    pub partitions: Vec<SeenPartition>,
}

/// One looked-at partition.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenPartition {
    /// Which.
    pub partition: PartitionText,
    /// Its content.
    pub version: DataVersion,
    /// The cheap fingerprint of its file (size, modification time, inode) by which a later look can
    /// tell that nothing changed; 0 = none.
    pub mark: u64,
}

/// See [`Event::FilesVanished`].
#[derive(Debug, Clone, PartialEq)]
pub struct FilesVanished {
    /// Which partitions.
    pub partitions: SetText,
}

/// See [`Event::FilesAltered`].
#[derive(Debug, Clone, PartialEq)]
pub struct FilesAltered {
    /// Which partitions.
    pub partitions: SetText,
}

words! {
    /// Who goes first when not all can run.
    #[derive(PartialOrd, Ord)]
    pub enum PriorityClass: "class" {
        /// Somebody waits for it.
        Interactive = 1 => "interactive",
        /// History; goes when nothing interactive can.
        Backfill = 2 => "backfill",
    }
}

words! {
    /// What a want does with partitions that exist already.
    pub enum Refresh: "refresh" {
        /// Only what is missing is built; stale data is good enough.
        Missing = 1 => "missing",
        /// Missing and stale partitions are built.
        Stale = 2 => "stale",
        /// The wanted partitions are built whatever their state; of what they need, what is missing or stale.
        All = 3 => "all",
    }
}

/// See [`Event::WantCreated`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantCreated {
    /// Its identity.
    pub want: WantId,
    /// What was asked for.
    pub targets: SetText,
    /// References of the request that leave out a dimension: they mean all keys that exist, whenever those come.
    pub asked: SetText,
    /// Its class.
    pub class: PriorityClass,
    /// What to refresh.
    pub refresh: Refresh,
    /// The instant for which key spaces were read: periods that had ended then exist.
    pub as_of: Timestamp,
    /// Give up after this instant.
    pub expires_at: Option<Timestamp>,
    /// Late after this instant (reported, nothing stops).
    pub due_at: Option<Timestamp>,
    /// What it is for, in the user's words.
    pub comment: String,
    /// All work that may be needed for it, as sets of the jobs' first outputs.
    pub work: SetText,
    /// The part of `work` that is done whatever its state.
    pub forced: SetText,
    /// The part of `work` that a run is making already, yet from other code or other inputs than a new
    /// one would: it is queued behind that run.
    pub successors: SetText,
    /// Targets (or what they need) that cannot be built, with the reason.
    pub blocked: Vec<Blocked>,
    /// The plan that it carries out: it may do less than that, and never more.
    pub plan: Option<PlanId>,
    /// The run on whose behalf it is: that is suspended until this is satisfied.
    pub parent: Option<RunId>,
    /// Values of parameters with which the targets, all of one job, are to be made; empty = its defaults.
    pub params: Params,
    /// The key by which the client named its request, if it did.
    pub request: Option<RequestKey>,
}

/// The name that a client gave to a request, so that sending it again does nothing more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestKey {
    /// Chosen by the client.
    pub key: String,
    /// SHA-256 over what was asked for: route and body.
    pub digest: String,
}

/// Partitions that a want asked for and nobody can build.
#[derive(Debug, Clone, PartialEq)]
pub struct Blocked {
    /// Sets of the jobs' first outputs.
    pub partitions: SetText,
    /// Why, for people: `raw/city=oslo has no file data/oslo.csv`.
    pub reason: String,
}

/// See [`Event::WantReplanned`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantReplanned {
    /// Which.
    pub want: WantId,
    /// All work that it waits for from now on, as sets of the jobs' first outputs.
    pub work: SetText,
    /// The part of `work` that is queued behind a run that makes it already, as in [`WantCreated::successors`].
    pub successors: SetText,
    /// What it waited for (or what that needs) and nobody can build any more, with the reason.
    pub blocked: Vec<Blocked>,
    /// All that was asked for was planned, not only what was left.
    pub whole: bool,
}

words! {
    /// How a want ended.
    pub enum WantOutcome: "outcome of a want" {
        /// Every target is current.
        Satisfied = 1 => "satisfied",
        /// Some work failed or could not be done.
        Failed = 2 => "failed",
        /// Somebody canceled it.
        Canceled = 3 => "canceled",
        /// Its time to live was over first.
        Expired = 4 => "expired",
    }
}

/// See [`Event::WantEnded`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantEnded {
    /// Which.
    pub want: WantId,
    /// How.
    pub outcome: WantOutcome,
    /// First causes, at most ten, for people.
    pub causes: Vec<String>,
}

/// See [`Event::WantPaused`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantPaused {
    /// Which.
    pub want: WantId,
}

/// See [`Event::WantResumed`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantResumed {
    /// Which.
    pub want: WantId,
}

/// See [`Event::WantReprioritized`].
#[derive(Debug, Clone, PartialEq)]
pub struct WantReprioritized {
    /// Which.
    pub want: WantId,
    /// Its class from now on.
    pub class: PriorityClass,
}

/// See [`Event::WorkCutOff`].
#[derive(Debug, Clone, PartialEq)]
pub struct WorkCutOff {
    /// Sets of jobs' first outputs.
    pub partitions: SetText,
}

/// See [`Event::WorkAbandoned`].
#[derive(Debug, Clone, PartialEq)]
pub struct WorkAbandoned {
    /// Sets of jobs' first outputs.
    pub partitions: SetText,
    /// The run whose failure is the cause.
    pub cause: RunId,
}

/// See [`Event::AttemptLeased`].
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

/// See [`Event::AttemptStarted`].
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptStarted {
    /// Which.
    pub attempt: AttemptId,
    /// Process id.
    pub pid: u32,
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttemptOutcome {
    /// The job did what it declares.
    Success,
    /// It did not.
    Failure {
        /// The job itself says that trying again is useless.
        permanent: bool,
    },
    /// Out of time.
    Timeout,
    /// It took more memory than its job declares.
    OutOfMemory,
    /// Somebody canceled its run.
    Canceled,
    /// Its supervisor died with it, or the machine did.
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
        /// It did not.
        Failure = 2 => "failure",
        /// It did not, and says that trying again is useless.
        PermanentFailure = 3 => "permanent_failure",
        /// Out of time.
        Timeout = 4 => "timeout",
        /// It took more memory than its job declares.
        OutOfMemory = 110 => "out_of_memory",
        /// Somebody canceled its run.
        Canceled = 5 => "canceled",
        /// Its supervisor died with it, or the machine did.
        Lost = 6 => "lost",
        /// An input was changed while it ran, or could not be observed then.
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

/// See [`Event::AttemptEnded`].
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
}

/// See [`Event::RunCancelRequested`].
#[derive(Debug, Clone, PartialEq)]
pub struct RunCancelRequested {
    /// Which.
    pub run: RunId,
}

/// See [`Event::PublishIntended`].
#[derive(Debug, Clone, PartialEq)]
pub struct PublishIntended {
    /// Which attempt's outputs.
    pub attempt: AttemptId,
    /// They.
    pub outputs: Vec<OutputRecord>,
}

/// See [`Event::Materialized`].
#[derive(Debug, Clone, PartialEq)]
pub struct Materialized {
    /// Which attempt's outputs.
    pub attempt: AttemptId,
    /// They.
    pub outputs: Vec<OutputRecord>,
    /// The run is not completed by this: other partitions of its batch failed, for good or to be tried again.
    pub goes_on: bool,
}

/// See [`Event::PartitionsFailed`].
#[derive(Debug, Clone, PartialEq)]
pub struct PartitionsFailed {
    /// Which attempt's.
    pub attempt: AttemptId,
    /// Which partitions of the job's first output; the others have the same keys.
    pub partitions: SetText,
    /// For people.
    pub message: String,
}

/// See [`Event::RunEnded`].
#[derive(Debug, Clone, PartialEq)]
pub struct RunEnded {
    /// Which.
    pub run: RunId,
    /// Cancelled, or failed for good.
    pub canceled: bool,
    /// For people.
    pub message: String,
}

/// See [`Event::PlanCreated`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanCreated {
    /// Its identity.
    pub plan: PlanId,
    /// The graph it was made with.
    pub graph: GraphId,
    /// What was asked for.
    pub targets: SetText,
    /// What to refresh.
    pub refresh: Refresh,
    /// The instant for which key spaces were read.
    pub as_of: Timestamp,
    /// It cannot be applied from then on.
    pub expires_at: Timestamp,
    /// What would be done, by job and reason, upstream first; then what cannot be done.
    pub rows: Vec<PlanRow>,
    /// Partitions that matter and are current.
    pub current: u64,
    /// What it rests on: it is applied only as long as all of that is as it was.
    pub grounds: Grounds,
}

/// Partitions of one job that stand in a plan for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRow {
    /// Label of the job; empty for what is external.
    pub job: String,
    /// How sure it is.
    pub kind: PlanRowKind,
    /// Stable name of the reason: `missing`, `code_changed`, `upstream_built`, ….
    pub reason: String,
    /// The reason for people.
    pub message: String,
    /// How many partitions.
    pub count: u64,
    /// They, as sets of the job's first output.
    pub partitions: SetText,
}

words! {
    /// How sure a row of a plan is.
    pub enum PlanRowKind: "kind of a plan's row" {
        /// It will be built.
        Certain = 1 => "certain",
        /// It will be built if what it reads comes out changed.
        IfChanged = 2 => "if_changed",
        /// A run under way makes it.
        UnderWay = 3 => "under_way",
        /// It cannot be built, or is external and not there.
        Blocked = 4 => "blocked",
        /// An edge rule leaves it out.
        LeftOut = 5 => "left_out",
    }
}

/// What a plan rests on, as digests of the state at its time.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Grounds {
    /// The jobs that make what matters.
    pub jobs: Vec<JobGround>,
    /// The partitions that matter.
    pub datasets: Vec<DatasetGround>,
}

/// A job as a plan found it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobGround {
    /// Its label.
    pub job: String,
    /// Digest of its code, its arguments, its layout and what it reads.
    pub digest: u64,
}

/// Partitions of a dataset as a plan found them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetGround {
    /// Its name.
    pub dataset: String,
    /// How many partitions of it matter.
    pub partitions: u64,
    /// A digest for each of equally many partitions, in their order.
    pub digests: Vec<u64>,
}

/// See [`Event::PlansDropped`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlansDropped {
    /// Which.
    pub plans: Vec<PlanId>,
}

/// See [`Event::Tainted`].
#[derive(Debug, Clone, PartialEq)]
pub struct Tainted {
    /// Which partitions; all were there.
    pub partitions: SetText,
    /// Why, in the user's words.
    pub reason: String,
}

/// See [`Event::Untainted`].
#[derive(Debug, Clone, PartialEq)]
pub struct Untainted {
    /// Which partitions are good after all: tainted ones, or made from such.
    pub partitions: SetText,
    /// Why, in the user's words; may be empty.
    pub reason: String,
}

/// See [`Event::CodeAccepted`].
#[derive(Debug, Clone, PartialEq)]
pub struct CodeAccepted {
    /// Label of the job.
    pub job: String,
    /// Sets of its first output.
    pub partitions: SetText,
    /// Digests of what made them.
    pub from: Vec<JobDigests>,
    /// Digests of the job of today. They count as made by its code and arguments.
    pub to: JobDigests,
    /// Why, in the user's words.
    pub reason: String,
    /// What shows it, in the user's words; may be empty.
    pub evidence: String,
}

/// See [`Event::Adopted`].
#[derive(Debug, Clone, PartialEq)]
pub struct Adopted {
    /// They, what is read before what reads it. They count as made by the jobs of today.
    pub partitions: Vec<AdoptedPartition>,
}

/// One adopted partition.
#[derive(Debug, Clone, PartialEq)]
pub struct AdoptedPartition {
    /// Which.
    pub partition: PartitionText,
    /// Its content.
    pub version: DataVersion,
    /// See [`SeenPartition::mark`].
    pub mark: u64,
    /// Size of the content.
    pub bytes: u64,
    /// Combined digest of the inputs that it would be made from now.
    pub inputs: u64,
}

/// See [`Event::KeysAdded`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysAdded {
    /// Name of the key space.
    pub space: String,
    /// Keys that were not there; they get their numbers in this order.
    pub keys: Vec<String>,
}

/// See [`Event::KeysRetired`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysRetired {
    /// Name of the key space.
    pub space: String,
    /// Keys that were there.
    pub keys: Vec<String>,
}

/// See [`Event::PoolResized`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolResized {
    /// Its label.
    pub pool: String,
    /// How many slots it has from now on, whatever the graph declares; none = as the graph declares.
    pub slots: Option<u32>,
}

/// See [`Event::RunSuspended`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSuspended {
    /// Which run.
    pub run: RunId,
    /// The want that brings what it needs.
    pub want: WantId,
    /// Partitions that it found it needs, each as a reference.
    pub inputs: SetText,
}
