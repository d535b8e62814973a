//! Pools, and what else runs share.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /api/v1/pools`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolList {
    /// All pools of the graph, by label.
    pub data: Vec<PoolRow>,
    /// Places, and memory if it is counted.
    pub machine: Vec<MachineRow>,
    /// The last event this reflects.
    pub seq: u64,
}

/// A pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolRow {
    /// `package/name`, or `name` in the root package.
    pub name: String,
    /// Its target.
    pub label: String,
    /// How many slots it has now.
    pub slots: u64,
    /// How many it is declared to have.
    pub declared: u32,
    /// How many are taken.
    pub used: u64,
    /// By whom, oldest first.
    pub holders: Vec<PoolHolder>,
    /// How many partitions are ready that take something of it, and have not begun.
    #[serde(default)]
    pub waiting: u64,
    /// Labels of jobs that need more than it has now, and wait.
    pub too_small_for: Vec<String>,
}

/// A run that takes something of a pool.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolHolder {
    /// `r12`.
    pub run: String,
    /// What it makes.
    pub partition: String,
    /// How many slots it takes.
    pub slots: u64,
}

/// Something that the machine has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MachineRow {
    /// `places`, or `memory` in bytes.
    pub name: String,
    /// How much there is.
    pub size: u64,
    /// How much is taken; more than `size` only by runs that began before it was made smaller.
    pub used: u64,
    /// How many places the attempts need that were handed to the runner ahead and wait there.
    #[serde(default, skip_serializing_if = "super::partitions::is_zero")]
    pub queued: u64,
}

/// `PUT /api/v1/pools`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResizePool {
    /// Name or label.
    pub pool: String,
    /// How many slots it has from now on, 0 to let nothing of it run; as declared, if absent.
    #[serde(default)]
    pub slots: Option<u32>,
}
