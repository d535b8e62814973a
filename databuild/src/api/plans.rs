//! Plans.

use serde::{Deserialize, Serialize};

/// `POST /api/v1/plans`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// References.
    pub targets: Vec<String>,
    /// `missing`, `stale` (default) or `all`.
    #[serde(default)]
    pub refresh: Option<String>,
    /// Key spaces as of this instant; now if absent.
    #[serde(default)]
    pub as_of: Option<String>,
}

/// What would run, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanView {
    /// What was asked for.
    pub targets: Vec<String>,
    /// Key spaces as of this instant.
    pub as_of: String,
    /// Digest of the graph it was made with.
    pub graph: String,
    /// Runs that will happen.
    pub certain: u64,
    /// Runs that happen only if what they read changes.
    pub if_changed: u64,
    /// Partitions that matter and are current.
    pub current: u64,
    /// Work by job and reason, upstream first.
    pub groups: Vec<PlanGroup>,
    /// What cannot be built, and why.
    pub blocked: Vec<PlanGroup>,
    /// The last event this reflects.
    pub seq: u64,
}

/// Partitions of one job with one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanGroup {
    /// Label.
    pub job: String,
    /// Stable name: `missing`, `code_changed`, `upstream_built`, ….
    pub reason: String,
    /// For people.
    pub message: String,
    /// How many.
    pub count: u64,
    /// Compact references; at most 20, then `…` follows.
    pub partitions: Vec<String>,
}
