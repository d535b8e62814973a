//! The HTTP API's words: what server and clients say to each other, as plain data.
//!
//! Field names are stable within `/api/v1`. Every answer that reflects the event log carries `seq`, the
//! last event it knows of. Lists are `{"data": […], "next": cursor or null, "seq": n}`.

mod checks;
mod contents;
mod error;
mod errors;
mod graph_diffs;
mod inventory;
mod judgements;
mod keys;
mod partitions;
mod plans;
mod pools;
mod runs;
mod server;
mod trials;
mod wants;
mod work;

/// Header of a request: the name of the person who asks, in UTF-8.
pub const ACTOR_HEADER: &str = "x-databuild-actor";
/// Header of a request: the program that asks.
pub const CLIENT_HEADER: &str = "x-databuild-client";

pub use checks::CheckRow;
pub use contents::{KeepContents, KeptContents, MissingContents};
pub use error::ErrorBody;
pub use errors::ErrorCode;
pub use graph_diffs::{
    CheckDiff, DatasetDiff, DatasetImpact, DiffView, ImpactRequest, JobDiff, MovedDiff, PoolDiff,
    SourcesRequest, StaleView,
};
pub use inventory::{AdoptReply, AdoptRequest, CountedSet, NotObserved, ScanReply, ScanRequest};
pub use judgements::{AcceptReply, AcceptRequest, AcceptedChange, Digests, TaintReply, TaintRequest};
pub use keys::{KeyRow, KeySpaceRow, KeysReply, KeysRequest};
pub use partitions::{
    AcceptedSaid, AdoptedSaid, Blame, DatasetSummary, InputUsed, PartitionRow, PartitionState, TaintSaid,
    Why, WhyCause, WhyStep,
};
pub use plans::{ApplyPlan, Estimate, PlanGroup, PlanRequest, PlanSummary, PlanView};
pub use pools::{MachineRow, PoolHolder, PoolList, PoolRow, ResizePool};
pub use runs::{AttemptRow, RunDetail, RunRow};
pub use server::{
    Archived, EventActor, EventCause, EventPage, EventRow, GcReply, GcRequest, GraphId, GraphInfo, HeldBy,
    RegisterReply, RegisterRequest, ServerStatus, ShutdownRequest, SlotsRequest,
};
pub use trials::{CreateTrial, RerunTrial, SampleTrial, TrialArm, TrialDetail, TrialResult, TrialRow};
pub use wants::{
    CreateWant, InvokeJob, JobProgress, PrioritizeWant, Progress, ProgressAnswer, ProgressLine, WantDetail,
    WantRow,
};
pub use work::{Blocker, Holder, WhyWork};

use serde::{Deserialize, Serialize};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Pass it as `cursor` to get the next page; absent on the last.
    pub next: Option<String>,
    /// The last event that the rows reflect.
    pub seq: u64,
}
