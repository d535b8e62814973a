//! The queue: what runs, what begins next, what waits.

use super::now::{LiveRun, Waiting};
use super::pools::{MachineRow, PoolRow};
use super::work::{Blocker, Turn};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/queue`: what runs, what begins next and why, what waits. Lists have at most 20 rows, counts are exact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Queue {
    /// Runs under way, oldest first.
    pub running: Vec<LiveRun>,
    /// How many there are.
    pub running_total: u64,
    /// What begins when there is room, first to last. Whatever fits begins; what does not, is passed over.
    pub next: Vec<NextWork>,
    /// How many partitions could begin, were there room.
    pub next_total: u64,
    /// All work that waits, by job and reason, most partitions first.
    pub waiting: Vec<Waiting>,
    /// How many partitions wait, be it for room or for something else.
    pub waiting_total: u64,
    /// Pools, by label.
    pub pools: Vec<PoolRow>,
    /// Places, and memory if it is counted.
    pub machine: Vec<MachineRow>,
    /// The last event this reflects.
    pub seq: u64,
}

/// A place in the queue: partitions of one job that have it for one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NextWork {
    /// Why it has this place.
    pub turn: Turn,
    /// The same, for people.
    pub reason: String,
    /// The want that puts it here; absent if it is none.
    pub want: Option<String>,
    /// Label.
    pub job: String,
    /// The first output of the job.
    pub dataset: String,
    /// How many partitions there are.
    pub partitions: u64,
    /// The first runs, in their order; at most three.
    pub first: Vec<NextRun>,
    /// What it lacks to begin at once: `ready` if it is nothing.
    pub blocker: Blocker,
}

/// A run that has not begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NextRun {
    /// `r12`; absent for what gets its number when it begins.
    pub run: Option<String>,
    /// What it makes.
    pub partition: String,
    /// How many partitions that is.
    pub partitions: u64,
}
