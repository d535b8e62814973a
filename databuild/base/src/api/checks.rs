//! Checks of data.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query of `GET /api/v1/checks`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ChecksQuery {
    /// Only of this reference.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Only of this check, by its label.
    pub check: Option<String>,
    /// Only what came to this: `passed`, `failed` or `error`.
    pub outcome: Option<String>,
    /// Only what did not pass.
    #[serde(default)]
    pub failed: bool,
    /// How many rows at most.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// A check, and how much of what it looks at passes it, by its last look at each partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckSummary {
    /// Label of the check.
    pub check: String,
    /// The dataset that it looks at.
    pub dataset: String,
    /// What it does not pass is not published; else it only warns. Absent of a check that the graph does not have any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocking: Option<bool>,
    /// Partitions that passed.
    pub passed: u64,
    /// Partitions that failed.
    pub failed: u64,
    /// Partitions of which it did not come to a result.
    pub error: u64,
}

/// What a check found in a partition that a run made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckRow {
    /// Its reference.
    pub partition: String,
    /// Label of the check.
    pub check: String,
    /// `passed`, `failed`, or `error` if the check did not come to a result.
    pub outcome: String,
    /// What it does not pass is not published; else it only warns.
    pub blocking: bool,
    /// What it says; may be empty if it passed.
    pub message: String,
    /// What it measured.
    pub metadata: serde_json::Value,
    /// The run.
    pub run: String,
    /// The number of the attempt.
    pub attempt: u32,
    /// When it was recorded, RFC 3339.
    pub at: String,
}
