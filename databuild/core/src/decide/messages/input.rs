//! All that can happen to the core: what people and jobs ask for, and what became of its orders.

use crate::decide::messages::report::AttemptEnd;
use crate::decide::messages::sightings::{FoundFile, Sightings};
use crate::event::{
    Cause, GarbageCollected, GraphRegistered, OutputRecord, PriorityClass, Refresh, RequestAnswered,
    RequestKey, Scope, TrialGraph, TrialKind,
};
use crate::graph::{CheckedGraph, Params};
use crate::ids::{AttemptId, GraphId, PlanId, RunId, TrialId, WantId};
use jiff::Timestamp;
use std::sync::Arc;

/// Something that happened or was asked for.
#[derive(Debug, Clone)]
pub enum Input {
    /// A client built a graph and stored its code snapshots.
    RegisterGraph(Box<Registration>),
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
    /// What [`Effect::Fire`] asked for was looked at.
    Fired {
        /// Name of the schedule.
        schedule: Arc<str>,
        /// The tick.
        tick: Timestamp,
        /// What was seen.
        sightings: Sightings,
    },
    /// No tick of the schedule of this name is to be fired.
    PauseSchedule(String),
    /// A paused schedule is to go on.
    ResumeSchedule(String),
    /// The schedule of this name is to fire now, beside its ticks; with what the caller saw of files.
    RunSchedule(String, Option<RequestKey>, Sightings),
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
    /// Somebody is given a token for the API.
    CreateToken(TokenRequest),
    /// The token of this name is to be worth nothing.
    RevokeToken(String),
    /// A request that named itself was carried out.
    RequestAnswered(RequestAnswered),
    /// What nobody needs any more was removed.
    GarbageCollected(GarbageCollected),
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
    /// What made it happen, where nobody asked for it.
    pub(crate) fn cause(&self) -> Option<Cause> {
        match self {
            Input::AttemptStarted { attempt, .. }
            | Input::AttemptEnded { attempt, .. }
            | Input::Published { attempt, .. }
            | Input::PublishFailed { attempt, .. } => Some(Cause::Run(attempt.run)),
            Input::Looked { want, .. } => Some(Cause::Want(*want)),
            _ => None,
        }
    }

    /// What the caller saw of files.
    pub(crate) fn sightings(&self) -> Option<&Sightings> {
        match self {
            Input::CreateWant(_, seen)
            | Input::Invoke(_, seen)
            | Input::CreatePlan(_, seen)
            | Input::ApplyPlan(_, seen)
            | Input::RunSchedule(_, _, seen)
            | Input::Taint(_, seen)
            | Input::Adopt(_, seen)
            | Input::Sightings(seen) => Some(seen),
            _ => None,
        }
    }
}

/// A graph to be registered.
#[derive(Debug, Clone)]
pub struct Registration {
    /// It, as it is recorded.
    pub event: GraphRegistered,
    /// What its content says, read beforehand. Without it, or if keys have come since it was read, the core reads it.
    pub checked: Option<CheckedGraph>,
    /// What lets it change which graph new work follows.
    pub leave: Leave,
}

/// What lets a registration change which graph new work follows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Leave {
    /// That the graph of now does nothing by itself: a command brings along what was just built.
    #[default]
    QuietGraph,
    /// Nothing, since the workspace leaves it to those who deploy.
    Nothing,
    /// That somebody deploys it.
    Deployment {
        /// The graph that they saw followed, if any; another one may mean something else for what they deploy.
        instead_of: Option<GraphId>,
    },
}

impl From<GraphRegistered> for Box<Registration> {
    fn from(event: GraphRegistered) -> Box<Registration> {
        Box::new(Registration { event, checked: None, leave: Leave::default() })
    }
}

/// Partitions that a client asks for.
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
    /// The client's name for the request.
    pub key: Option<RequestKey>,
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
    /// The client's name for the request.
    pub key: Option<RequestKey>,
}

/// Files to be adopted.
#[derive(Debug, Clone)]
pub struct AdoptRequest {
    /// What was found at places of partitions.
    pub files: Vec<FoundFile>,
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
}

/// A token for somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// Its name.
    pub name: String,
    /// SHA-256 of it, in hexadecimal.
    pub hash: String,
    /// What its holder may do.
    pub scopes: Vec<Scope>,
    /// Patterns of the datasets that its holder may ask about; all, if none.
    pub datasets: Vec<String>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

/// What somebody wants a pool to be.
#[derive(Debug, Clone)]
pub struct PoolRequest {
    /// Its name or label.
    pub pool: String,
    /// How many slots it has from now on; as declared, if absent.
    pub slots: Option<u32>,
}

/// Keys that somebody adds to a key space, or retires.
#[derive(Debug, Clone)]
pub struct KeyRequest {
    /// Name of the key space.
    pub space: String,
    /// They.
    pub keys: Vec<String>,
}

/// What a request about keys comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct KeyCounts {
    /// Keys that were never there.
    pub new: u64,
    /// Keys that were retired before and come back.
    pub back: u64,
    /// Keys that go.
    pub retired: u64,
    /// Keys for which nothing changes.
    pub unchanged: u64,
}

/// What is to be repeated, worked out by whoever can read the history.
#[derive(Debug, Clone)]
pub struct TrialRequest {
    /// The graph that this was worked out with.
    pub graph: GraphId,
    /// What it is to find out.
    pub kind: TrialKind,
    /// The run that is repeated; only of [`TrialKind::Rerun`].
    pub run: Option<RunId>,
    /// Label of the job.
    pub job: String,
    /// Graphs whose code is to run, each once.
    pub graphs: Vec<TrialGraph>,
    /// What is repeated.
    pub samples: Vec<SampleRequest>,
    /// For which instant key spaces are read; now, if absent.
    pub as_of: Option<Timestamp>,
    /// Where outputs are copied to.
    pub keep: Option<String>,
    /// The client's name for the request.
    pub key: Option<RequestKey>,
}

/// One of the things to be repeated.
#[derive(Debug, Clone)]
pub struct SampleRequest {
    /// As the job's first output.
    pub partition: String,
    /// Graph and given values of parameters of each run.
    pub arms: Vec<(GraphId, Params)>,
    /// As in the event.
    pub discovered: Vec<String>,
    /// As in the event.
    pub expected: Vec<OutputRecord>,
    /// As in the event.
    pub changed_inputs: Vec<String>,
}
