//! What people say of data: taint.

use serde::{Deserialize, Serialize};

/// Body of `POST /api/v1/taint` and `POST /api/v1/untaint`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaintRequest {
    /// References.
    pub targets: Vec<String>,
    /// Why, for people; a taint needs one.
    #[serde(default)]
    pub reason: String,
    /// Who says so; `api` if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaintReply {
    /// How many of the named partitions are tainted now, or not any more.
    pub partitions: u64,
    /// How many more, made from them, follow.
    pub followers: u64,
    /// The last event this reflects.
    pub seq: u64,
}

/// A taint, as the log has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaintSaid {
    /// What was tainted, as references.
    pub partitions: Vec<String>,
    /// Why.
    pub reason: String,
    /// Who said so.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
}
