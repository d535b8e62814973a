//! What a want or a run waits for.

use databuild_core::words;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/wants/w3/why` and `GET /api/v1/runs/r12/why`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyWork {
    /// `w3` or `r12`.
    pub id: String,
    /// Where it stands, as in lists.
    pub state: String,
    /// The one thing that it waits for.
    #[serde(flatten)]
    pub blocker: Blocker,
    /// The same in a word of [`BlockReason`]; absent if nothing but a free place is needed.
    pub block_reason: Option<BlockReason>,
    /// First causes of what failed, at most ten.
    pub causes: Vec<String>,
    /// The last event this reflects.
    pub seq: u64,
}

words! {
    /// What keeps work from being done, in a word.
    #[derive(PartialOrd, Ord)]
    pub enum BlockReason: "reason why work is not done" {
        /// It has not begun: something that it needs is not there, or not free.
        Scheduled => "scheduled",
        /// An attempt was handed to an executor.
        Leased => "leased",
        /// An attempt runs, or its outputs are being published.
        Running => "running",
        /// An attempt failed, and the next one is not due yet.
        RetryWait => "retry_wait",
        /// It waits for partitions that an attempt found it to need.
        Suspended => "suspended",
        /// It is over.
        Terminal => "terminal",
    }
}

words! {
    /// Why something has its place in the queue. The queue is in this order.
    pub enum Turn: "turn in the queue" {
        /// It was handed to the runner ahead, and waits there for a place.
        HandedOut => "handed_out",
        /// Its last attempt failed, and the next one is due.
        Retry => "retry",
        /// A want that is no backfill waits for it.
        Interactive => "interactive",
        /// A trial compares code.
        Trial => "trial",
        /// A backfill waits for it.
        Backfill => "backfill",
    }
}

/// What something waits for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Blocker {
    /// Stable name: `running`, `starting`, `publishing`, `ready`, `slots`, `pool`,
    /// `memory`, `limit`, `rate`, `backoff`, `paused`, `canceling`,
    /// `suspended`, `behind`, `upstream`, `no_runner`, `log`; of what is over, how it ended.
    pub kind: String,
    /// For people.
    pub message: String,
    /// The partition that is spoken of.
    pub partition: Option<String>,
    /// The run that is spoken of.
    pub run: Option<String>,
    /// When that began, RFC 3339.
    pub since: Option<String>,
    /// When it goes on, RFC 3339.
    pub until: Option<String>,
    /// Who has the places, or the pool; at most 20.
    pub holders: Vec<Holder>,
    /// What the partition upstream waits for.
    #[schema(no_recursion)]
    pub because: Option<Box<Blocker>>,
}

/// A run that has a place.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Holder {
    /// `r12`.
    pub run: String,
    /// What it makes.
    pub partition: String,
    /// Who wants it.
    pub wants: Vec<String>,
    /// How much it has: places, slots of the pool, bytes, runs.
    pub amount: u64,
}
