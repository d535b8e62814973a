//! What comes into the core and what goes out of it.

use super::{KeyCounts, KeyRequest, TrialRequest};
use crate::event::{
    AttemptOutcome, CheckFindings, DataVersion, OutputRecord, PartitionText, PlanCreated, PriorityClass,
    Record, Refresh, RequestKey,
};
use crate::graph::{DatasetIx, JobIx, Params, Registered};
use crate::ids::{AttemptId, GraphId, PlanId, RunId, TrialId, WantId};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::planner::Unseen;
use crate::state::State;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::event::GraphRegistered;

/// Something that happened or was asked for.
#[derive(Debug, Clone)]
pub enum Input {
    /// A client built a graph and stored its code snapshots.
    RegisterGraph(GraphRegistered),
    /// A client wants partitions; with what the caller saw of their files.
    CreateWant(WantRequest, Sightings),
    /// A client invokes a job by hand; with what the caller saw of files.
    Invoke(InvokeRequest, Sightings),
    /// A client asks what a want would do, and may come back to have exactly that done.
    CreatePlan(PlanRequest, Sightings),
    /// A client wants what a kept plan says.
    ApplyPlan(ApplyRequest, Sightings),
    /// A want is not wanted any more.
    CancelWant(WantId),
    /// Nothing more is to be begun for a want.
    PauseWant(WantId),
    /// A paused want is to go on.
    ResumeWant(WantId),
    /// A want is to be of another class.
    PrioritizeWant(WantId, PriorityClass),
    /// A run is to stop; its partition counts as failed for those who want it.
    CancelRun(RunId),
    /// Files were looked at.
    Sightings(Sightings),
    /// What [`Effect::Look`] asked for was looked at.
    Looked {
        /// For which want.
        want: WantId,
        /// What was seen.
        sightings: Sightings,
    },
    /// The executor started a process.
    AttemptStarted {
        /// Which attempt's.
        attempt: AttemptId,
        /// Its id.
        pid: u32,
    },
    /// An attempt is over and what it left was looked at.
    AttemptEnded {
        /// Which.
        attempt: AttemptId,
        /// What came of it.
        end: AttemptEnd,
    },
    /// Outputs were published; marks in the order of the intent.
    Published {
        /// Whose.
        attempt: AttemptId,
        /// Fingerprints of the published files.
        marks: Vec<u64>,
    },
    /// Outputs could not be published.
    PublishFailed {
        /// Whose.
        attempt: AttemptId,
        /// Why, for people.
        message: String,
    },
    /// Somebody declares data bad; with what the caller saw of its files.
    Taint(Judgement, Sightings),
    /// Somebody takes that back.
    Untaint(Judgement),
    /// Somebody judges a change of a job harmless.
    Accept(AcceptRequest),
    /// Files that exist are to count as built; with what the caller saw of what is recorded.
    Adopt(AdoptRequest, Sightings),
    /// Somebody adds dynamic keys.
    AddKeys(KeyRequest),
    /// Somebody retires dynamic keys.
    RetireKeys(KeyRequest),
    /// Somebody gives a pool another size.
    ResizePool(PoolRequest),
    /// Somebody wants work repeated, to compare what comes of it.
    CreateTrial(Box<TrialRequest>),
    /// A trial is given up.
    CancelTrial(TrialId),
    /// There is an executor, after a start or another one than before: the attempts that it knows to be queued or running, or
    /// whose end is recorded. Others are lost.
    Resume(Vec<AttemptId>),
    /// There is none: nothing is leased until [`Input::Resume`]. Attempts are those whose end is recorded; others are lost.
    Hold(Vec<AttemptId>),
    /// How much may run at once.
    SetSlots(usize),
    /// Time went by.
    Tick,
}

impl Input {
    /// What the caller saw of files.
    pub(super) fn sightings(&self) -> Option<&Sightings> {
        match self {
            Input::CreateWant(_, seen)
            | Input::Invoke(_, seen)
            | Input::CreatePlan(_, seen)
            | Input::ApplyPlan(_, seen)
            | Input::Taint(_, seen)
            | Input::Adopt(_, seen)
            | Input::Sightings(seen) => Some(seen),
            _ => None,
        }
    }
}

/// What a client asks for.
#[derive(Debug, Clone)]
pub struct WantRequest {
    /// Reference texts.
    pub targets: Vec<String>,
    /// Priority class.
    pub class: PriorityClass,
    /// What to refresh.
    pub refresh: Refresh,
    /// For which instant key spaces are read; now, if absent.
    pub as_of: Option<Timestamp>,
    /// Give up after so many seconds.
    pub ttl_seconds: Option<u64>,
    /// Late after so many seconds.
    pub sla_seconds: Option<u64>,
    /// What it is for.
    pub comment: String,
    /// Who asks.
    pub source: String,
    /// Refuse if another graph than this one is registered by now.
    pub graph: Option<GraphId>,
    /// The client's name for the request.
    pub key: Option<RequestKey>,
}

/// A job to be invoked by hand.
#[derive(Debug, Clone)]
pub struct InvokeRequest {
    /// The job: its label, or a name that only one has.
    pub job: String,
    /// Values of its parameters; defaults hold for the others.
    pub params: Params,
    /// What is to be made, all of it by that job and whatever its state; `refresh` has no meaning.
    pub want: WantRequest,
}

/// What a client asks to be planned.
#[derive(Debug, Clone)]
pub struct PlanRequest {
    /// Reference texts.
    pub targets: Vec<String>,
    /// What to refresh.
    pub refresh: Refresh,
    /// For which instant key spaces are read; now, if absent or in the future.
    pub as_of: Option<Timestamp>,
    /// The plan cannot be applied after so many seconds.
    pub expires_seconds: Option<u64>,
}

/// What a client asks for with a plan.
#[derive(Debug, Clone)]
pub struct ApplyRequest {
    /// Which plan.
    pub plan: PlanId,
    /// Priority class.
    pub class: PriorityClass,
    /// Give up after so many seconds.
    pub ttl_seconds: Option<u64>,
    /// Late after so many seconds.
    pub sla_seconds: Option<u64>,
    /// What it is for.
    pub comment: String,
    /// Who asks.
    pub source: String,
    /// The client's name for the request.
    pub key: Option<RequestKey>,
}

/// Files to be adopted.
#[derive(Debug, Clone)]
pub struct AdoptRequest {
    /// What was found at places of partitions.
    pub files: Vec<super::FoundFile>,
    /// Who.
    pub by: String,
}

/// A change of jobs to be judged harmless.
#[derive(Debug, Clone)]
pub struct AcceptRequest {
    /// Reference texts; none for all that `job` made.
    pub targets: Vec<String>,
    /// Label of the only job that is meant.
    pub job: Option<String>,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
    /// What shows it, in the user's words; may be empty.
    pub evidence: String,
}

/// What somebody says of partitions.
#[derive(Debug, Clone)]
pub struct Judgement {
    /// Reference texts.
    pub targets: Vec<String>,
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
}

/// What somebody wants a pool to be.
#[derive(Debug, Clone)]
pub struct PoolRequest {
    /// Its name or label.
    pub pool: String,
    /// How many slots it has from now on; as declared, if absent.
    pub slots: Option<u32>,
    /// Who says so.
    pub by: String,
}

/// What was seen of files, by dataset.
#[derive(Debug, Clone, Default)]
pub struct Sightings {
    /// The graph whose indices are used. Sightings for another than the registered one are refused.
    pub graph: Option<GraphId>,
    /// What was seen, only where it differs from what is known.
    pub seen: Vec<Sighting>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
}

impl Sightings {
    /// Adds what another look at the same graph saw.
    pub fn extend(&mut self, more: Sightings) {
        self.seen.extend(more.seen);
        self.unseen.extend(more.unseen);
    }

    /// Whether its indices are those of `graph`. A look that found nothing has none.
    pub(super) fn are_of(&self, graph: Option<&GraphId>) -> bool {
        match &self.graph {
            Some(of) => Some(of) == graph,
            None => self.seen.is_empty() && self.unseen.is_empty(),
        }
    }
}

/// One file that is not as recorded.
#[derive(Debug, Clone)]
pub enum Sighting {
    /// It is not there.
    Gone(DatasetIx, PartitionKey),
    /// It is there with this content.
    Content {
        /// Which dataset.
        dataset: DatasetIx,
        /// Which partition.
        key: PartitionKey,
        /// Content hash.
        version: DataVersion,
        /// Cheap fingerprint.
        mark: u64,
    },
}

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
}

impl AttemptEnd {
    /// The end of an attempt that had no process.
    #[must_use]
    pub fn without_process(report: AttemptReport) -> AttemptEnd {
        AttemptEnd {
            result: Err(report),
            exit_code: None,
            wall_ms: 0,
            cpu_ms: 0,
            max_rss_kb: 0,
            checks: Vec::new(),
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

/// An order to the rim, to be carried out once the step's events are durable.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Start an attempt.
    Start(Box<AttemptSpec>),
    /// Stop an attempt.
    Cancel(AttemptId),
    /// Move staged outputs to their places.
    Publish {
        /// Whose.
        attempt: AttemptId,
        /// The graph that says where.
        graph: Arc<Registered>,
        /// What.
        outputs: Vec<OutputRecord>,
        /// It was ordered before, so it may have been done in part or in full.
        again: bool,
    },
    /// Look at external data that a want came to need and that nobody has looked at, as far as is known; answered by
    /// [`Input::Looked`]. Asked again if the answer is lost with the server.
    Look {
        /// For which want.
        want: WantId,
        /// Which partitions, in the graph of this moment.
        sets: Vec<(DatasetIx, PartitionSet)>,
    },
    /// An attempt is over and done with: staging and spool may go.
    Forget(AttemptId),
}

/// All that is needed to start an attempt.
#[derive(Debug, Clone)]
pub struct AttemptSpec {
    /// Which.
    pub attempt: AttemptId,
    /// The graph whose code runs.
    pub graph: Arc<Registered>,
    /// The job there.
    pub job: JobIx,
    /// Keys of its outputs: one partition, or those of a batch.
    pub set: PartitionSet,
    /// The same as text, of the job's first output.
    pub partition: PartitionText,
    /// For which instant key spaces were read.
    pub as_of: Timestamp,
    /// All parameters of the job with their values.
    pub params: Params,
    /// For each input: which partitions are read, by any of the outputs.
    pub inputs: Vec<(String, DatasetIx, PartitionSet)>,
    /// What it found that it needs beside them.
    pub discovered: Vec<(DatasetIx, PartitionKey)>,
    /// What the state said that all of them hold when it was leased ([`AttemptSpec::held`]).
    pub held: u64,
    /// Who wants it.
    pub wants: Vec<WantId>,
}

impl AttemptSpec {
    /// All that it reads, by dataset of its graph.
    pub fn reads(&self) -> Vec<(DatasetIx, PartitionSet)> {
        let mut sets: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
        for (_, ix, set) in &self.inputs {
            sets.entry(*ix).and_modify(|all| all.union_with(set)).or_insert_with(|| set.clone());
        }
        for (ix, key) in &self.discovered {
            let shape = self.graph.graph.dataset(*ix).shape;
            sets.entry(*ix).or_insert_with(|| PartitionSet::empty(shape)).insert(key);
        }
        sets.into_iter().collect()
    }

    /// Digest of what a state says that all that it reads holds.
    #[must_use]
    pub fn held(&self, state: &State) -> u64 {
        let sets = self.reads();
        state.held_digest(&self.graph, sets.iter().map(|(ix, set)| (*ix, set)))
    }
}

/// What a step leads to.
#[derive(Debug)]
pub struct Step {
    /// Facts, in order, to be appended all or none.
    pub records: Vec<Record>,
    /// Orders, to be carried out afterwards.
    pub effects: Vec<Effect>,
    /// The answer to whoever asked.
    pub reply: Result<Reply, Refusal>,
}

/// A good answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// Done.
    Done,
    /// The graph is the current one.
    Registered {
        /// It differs from the one before.
        changed: bool,
    },
    /// A want was created.
    Want(WantId),
    /// An earlier request with the same key created this want; nothing more was done.
    Repeated(WantId),
    /// A trial was created.
    Trial(TrialId),
    /// A plan was made.
    Planned {
        /// It.
        plan: Box<PlanCreated>,
        /// Whether it is kept under its id. What has nothing to do is not.
        kept: bool,
    },
    /// Files are adopted.
    Adopted {
        /// Partitions that hold them now.
        adopted: Vec<PartitionText>,
        /// Sets of those that were left alone, as a run is making them.
        being_made: Vec<String>,
    },
    /// A judgement is recorded.
    Judged {
        /// Of how many partitions.
        partitions: u64,
        /// How many more, made from them, it reaches.
        followers: u64,
    },
    /// Keys were added or retired.
    Keys(KeyCounts),
}

/// A request that cannot be met. Nothing was recorded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// No graph yet.
    #[error("no graph is registered yet; run `bazel run //:databuild -- status` once")]
    NoGraph,
    /// The graph cannot be read.
    #[error("the graph is invalid: {0}")]
    BadGraph(String),
    /// Another graph was registered meanwhile.
    #[error("another graph was registered meanwhile ({0}); ask again")]
    OtherGraph(String),
    /// Files were looked at for another graph than the one that is registered by now.
    #[error("another graph was registered while files were looked at ({0}); ask again")]
    GraphReplaced(String),
    /// A reference that cannot be resolved.
    #[error(transparent)]
    BadReference(Box<crate::reference::ReferenceError>),
    /// No such live want.
    #[error("there is no live want {0}")]
    UnknownWant(WantId),
    /// No such live run.
    #[error("there is no live run {0}")]
    UnknownRun(RunId),
    /// A message about an attempt that is not the run's current one.
    #[error("attempt {0} is not under way")]
    UnknownAttempt(AttemptId),
    /// No plan ever had this id.
    #[error("there is no plan {0}")]
    UnknownPlan(PlanId),
    /// No trial of this id is kept.
    #[error("there is no trial {0}")]
    UnknownTrial(TrialId),
    /// The trial is over.
    #[error("{0} is over already")]
    TrialEnded(TrialId),
    /// What nobody makes cannot be made again.
    #[error("`{0}` is external, so no job makes it")]
    NotRepeatable(String),
    /// A trial does not show what it is to show.
    #[error("{trial} is no evidence for that: {reason}")]
    NoEvidence {
        /// The trial.
        trial: TrialId,
        /// What is missing.
        reason: String,
    },
    /// The plan is too old, or was dropped for newer ones.
    #[error("{0} has expired; plan again")]
    PlanExpired(PlanId),
    /// What the plan rests on is not as it was.
    #[error("{plan} does not hold any more: {}; plan again", summary(changes))]
    PlanOutdated {
        /// Which plan.
        plan: PlanId,
        /// What changed, for people.
        changes: Vec<String>,
    },
    /// A key names one request.
    #[error("the idempotency key `{key}` was used for another request, which made {want}; send a new key")]
    KeyReused {
        /// The key.
        key: String,
        /// What came of the request that had it first.
        want: WantId,
    },
    /// Nothing was asked for.
    #[error("name at least one dataset or partition")]
    NoTargets,
    /// A taint needs one.
    #[error("say why: `--reason TEXT`")]
    NoReason,
    /// No data.
    #[error("nothing of that is built or seen, so there is nothing to taint")]
    NothingToTaint,
    /// No job of that label.
    #[error("there is no job `{0}` in the graph")]
    UnknownJob(String),
    /// The job has another label now.
    #[error("job `{from}` was moved to `{to}`; name that")]
    JobMoved {
        /// What was given.
        from: String,
        /// Its label of now.
        to: String,
    },
    /// A name that several jobs have.
    #[error("`{text}` may be {}; write the label", jobs.join(" or "))]
    AmbiguousJob {
        /// What was given.
        text: String,
        /// Labels of jobs that have it.
        jobs: Vec<String>,
    },
    /// A parameter that the job does not declare.
    #[error("{job} has no parameter `{}`; {}", crate::keys::shown(.name), parameters(known))]
    UnknownParam {
        /// The job.
        job: String,
        /// What was given.
        name: String,
        /// What it declares.
        known: Vec<String>,
    },
    /// A value that no parameter can have.
    #[error("the value of parameter `{name}` cannot be: {fault}")]
    BadParam {
        /// The parameter.
        name: String,
        /// What is wrong.
        fault: String,
    },
    /// A reference to what another job makes.
    #[error("`{dataset}` is not made by {job}")]
    NotOfJob {
        /// The job that was named.
        job: String,
        /// The dataset.
        dataset: String,
    },
    /// What is adopted are files of built partitions.
    #[error("`{0}` is external or not made of files, so there is nothing to adopt")]
    NotAdoptable(String),
    /// What is adopted counts as made from its inputs as they are, and of one nobody knows what it is.
    #[error(
        "`{partition}` cannot be adopted: it is made from `{input}`, which could not be observed: {message}"
    )]
    InputUnseen {
        /// What was to be adopted.
        partition: PartitionText,
        /// The dataset that could not be observed.
        input: String,
        /// What went wrong.
        message: String,
    },
    /// No change.
    #[error(
        "nothing of that is stale because its job's code or arguments changed, so there is nothing to accept"
    )]
    NothingToAccept,
    /// No taint.
    #[error("nothing of that is tainted")]
    NothingToUntaint,
    /// A dynamic key space that the graph does not have.
    #[error("there is no dynamic key space `{name}`; {}", crate::keys::known(.near, .some, *.count))]
    UnknownKeySpace {
        /// What was given, escaped.
        name: String,
        /// How many there are.
        count: usize,
        /// Up to five that look like it.
        near: Vec<String>,
        /// The first five.
        some: Vec<String>,
    },
    /// A text that cannot be a key.
    #[error("`{key}` cannot be a key: {fault}{}; nothing was added", others(*.more, "cannot either"))]
    BadKey {
        /// What was given, escaped.
        key: String,
        /// What is wrong with it.
        fault: &'static str,
        /// How many more are as bad.
        more: usize,
    },
    /// A key that is to be retired and was never there.
    #[error("`{key}` was never a key of `{space}`{}; nothing was retired", others(*.more, "were not either"))]
    NoSuchKey {
        /// The key space.
        space: String,
        /// What was given, escaped.
        key: String,
        /// How many more are unknown.
        more: usize,
    },
    /// No such pool.
    #[error("the graph has no pool `{name}`; {}", choice(known))]
    UnknownPool {
        /// What was asked for.
        name: String,
        /// Pools there are.
        known: Vec<String>,
    },
}

fn others(more: usize, verb: &str) -> String {
    if more == 0 {
        String::new()
    } else {
        format!("; {more} more {verb}")
    }
}

/// The first changes of many.
fn summary(changes: &[String]) -> String {
    const FIRST: usize = 3;
    let mut text = changes.iter().take(FIRST).map(String::as_str).collect::<Vec<_>>().join("; ");
    if changes.len() > FIRST {
        text.push_str(&format!("; and {} more changes", changes.len() - FIRST));
    }
    text
}

fn parameters(known: &[String]) -> String {
    if known.is_empty() {
        "declare it by `params` of databuild_job".to_owned()
    } else {
        format!("it has {}", known.join(", "))
    }
}

fn choice(known: &[String]) -> String {
    if known.is_empty() {
        "declare it by databuild_pool, and let a job take of it".to_owned()
    } else {
        format!("it has {}", known.join(", "))
    }
}

impl From<crate::reference::ReferenceError> for Refusal {
    fn from(error: crate::reference::ReferenceError) -> Refusal {
        Refusal::BadReference(Box::new(error))
    }
}

impl Refusal {
    /// Stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::NoGraph => "no_graph",
            Refusal::BadGraph(_) => "graph_invalid",
            Refusal::OtherGraph(_) => "graph_changed",
            Refusal::GraphReplaced(_) => "graph_replaced",
            Refusal::BadReference(error) => error.code(),
            Refusal::UnknownWant(_) => "want_not_found",
            Refusal::UnknownRun(_) => "run_not_found",
            Refusal::UnknownAttempt(_) => "attempt_not_found",
            Refusal::UnknownPlan(_) => "plan_not_found",
            Refusal::UnknownTrial(_) => "trial_not_found",
            Refusal::TrialEnded(_) => "trial_ended",
            Refusal::NotRepeatable(_) => "not_repeatable",
            Refusal::NoEvidence { .. } => "no_evidence",
            Refusal::PlanExpired(_) => "plan_expired",
            Refusal::PlanOutdated { .. } => "plan_outdated",
            Refusal::KeyReused { .. } => "idempotency_key_reused",
            Refusal::NoTargets => "no_targets",
            Refusal::NoReason => "no_reason",
            Refusal::NothingToTaint => "nothing_to_taint",
            Refusal::NothingToUntaint => "nothing_to_untaint",
            Refusal::UnknownJob(_) => "unknown_job",
            Refusal::JobMoved { .. } => "moved",
            Refusal::AmbiguousJob { .. } => "ambiguous_job",
            Refusal::UnknownParam { .. } => "unknown_param",
            Refusal::BadParam { .. } => "bad_param",
            Refusal::NotOfJob { .. } => "not_of_job",
            Refusal::NothingToAccept => "nothing_to_accept",
            Refusal::NotAdoptable(_) => "not_adoptable",
            Refusal::InputUnseen { .. } => "not_observed",
            Refusal::UnknownKeySpace { .. } => "unknown_key_space",
            Refusal::BadKey { .. } => "bad_key",
            Refusal::NoSuchKey { .. } => "unknown_key",
            Refusal::UnknownPool { .. } => "pool_not_found",
        }
    }
}
