//! All that can happen to the core.

use crate::decide::messages::report::AttemptEnd;
use crate::decide::messages::requests::{
    AcceptRequest, AdoptRequest, ApplyRequest, InvokeRequest, Judgement, KeyRequest, PlanRequest,
    PoolRequest, TrialRequest, WantRequest,
};
use crate::decide::messages::sightings::Sightings;
use crate::event::{Cause, GraphRegistered, PriorityClass};
use crate::ids::{AttemptId, RunId, TrialId, WantId};

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
            | Input::Taint(_, seen)
            | Input::Adopt(_, seen)
            | Input::Sightings(seen) => Some(seen),
            _ => None,
        }
    }
}
