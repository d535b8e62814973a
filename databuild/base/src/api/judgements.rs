//! What people say of data and code: taint, accept.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /api/v1/taint` and `POST /api/v1/untaint`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TaintRequest {
    /// References.
    pub targets: Vec<String>,
    /// Why, for people, in at most 4096 bytes; a taint needs one.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable, max_length = 4096)]
    pub reason: String,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TaintReply {
    /// The references of the request, with the keys that relative ones such as `latest` meant.
    pub targets: Vec<String>,
    /// How many of the named partitions are tainted now, or not any more.
    pub partitions: u64,
    /// How many more, made from them, follow.
    pub followers: u64,
    /// The last event this reflects.
    pub seq: u64,
}

/// Body of `POST /api/v1/accept`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptRequest {
    /// References; may be empty if `job` is given.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub targets: Vec<String>,
    /// Label of the only job that is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Why, for people, in at most 4096 bytes; needed unless `dry_run`.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable, max_length = 4096)]
    pub reason: String,
    /// What shows it, in the user's words, in at most 4096 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 4096)]
    pub evidence: Option<String>,
    /// Only show what would be accepted.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub dry_run: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AcceptReply {
    /// Nothing was recorded.
    pub dry_run: bool,
    /// By job and by what made the partitions.
    pub changes: Vec<AcceptedChange>,
    /// How many partitions, in all.
    pub partitions: u64,
    /// The last event this reflects.
    pub seq: u64,
}

/// One change of one job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AcceptedChange {
    /// Label of the job.
    pub job: String,
    /// What made the partitions.
    pub from: Digests,
    /// The job of now.
    pub to: Digests,
    /// How many partitions.
    pub count: u64,
    /// They, as references; at most 20.
    pub partitions: Vec<String>,
    /// Source files that differ.
    pub files: Vec<super::Blame>,
}

/// Digests of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Digests {
    /// Executable and runfiles.
    pub code: String,
    /// Arguments and environment.
    pub args: String,
}
