//! Plans.

use super::schema::word_or_none;
use super::PlanOrder;
use databuild_core::event::{PriorityClass, Refresh};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query of `GET /api/v1/plans`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PlansQuery {
    /// By what they are sorted: `newest` by default.
    #[param(inline, value_type = Option<PlanOrder>)]
    pub sort: Option<String>,
    /// How many rows at most; 100 by default.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// `POST /api/v1/plans`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlanRequest {
    /// References.
    pub targets: Vec<String>,
    /// `missing`, `stale` (default) or `all`.
    #[serde(default)]
    #[schema(schema_with = word_or_none::<Refresh>)]
    pub refresh: Option<String>,
    /// Key spaces as of this instant; now if absent.
    #[serde(default)]
    pub as_of: Option<String>,
    /// It cannot be applied after so many seconds; a day if absent.
    #[serde(default)]
    pub expires_seconds: Option<u64>,
    /// Keep it, so that it can be applied; `true` if absent. With `false` nothing at all is recorded.
    #[serde(default)]
    pub save: Option<bool>,
}

/// `POST /api/v1/plans/p7/apply`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApplyPlan {
    /// `interactive` (default) or `backfill`.
    #[serde(default)]
    #[schema(schema_with = word_or_none::<PriorityClass>)]
    pub class: Option<String>,
    /// Give up after so many seconds.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Late after so many seconds.
    #[serde(default)]
    pub sla_seconds: Option<u64>,
    /// What it is for, in at most 4096 bytes.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable, max_length = 4096)]
    pub comment: String,
}

/// A plan in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlanSummary {
    /// `p7`.
    pub id: String,
    /// `open`, `expired`, or `outdated`: what it rests on has changed. Only an open one can be applied.
    pub state: String,
    /// What was asked for: the first 20, then `…` follows.
    pub targets: Vec<String>,
    /// `missing`, `stale` or `all`.
    pub refresh: String,
    /// Runs that would happen.
    pub certain: u64,
    /// Runs that would happen only if what they read changes.
    pub if_changed: u64,
    /// Digest of the graph it was made with.
    pub graph: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339: it cannot be applied from then on.
    pub expires_at: String,
}

/// How long a plan may take, from the last runs of its jobs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Estimate {
    /// Milliseconds for what is certain, as far as its jobs have run before.
    pub low_ms: u64,
    /// The same with all that depends on changes.
    pub high_ms: u64,
    /// Jobs of the plan that have never run: not in these figures.
    pub unknown_jobs: Vec<String>,
}

/// What would run, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PlanView {
    /// `p7`; absent if it is not kept.
    pub id: Option<String>,
    /// `open`, `expired`, or `outdated`: what it rests on has changed. Only an open one can be applied.
    #[serde(default)]
    pub state: String,
    /// Of an outdated one: what has changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<String>,
    /// The newest want that carries it out; absent if it was not applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want: Option<String>,
    /// RFC 3339: it cannot be applied from then on; absent if it is not kept.
    pub expires_at: Option<String>,
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
    /// Of what was asked for: what edge rules leave out, and which.
    #[serde(default)]
    pub left_out: Vec<PlanGroup>,
    /// How long it may take.
    pub estimate: Estimate,
    /// The last event this reflects.
    pub seq: u64,
}

/// Partitions of one job with one reason.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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
