//! Trials: work repeated to compare what comes of it.

use super::Digests;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Body of `POST /api/v1/trials`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum CreateTrial {
    /// The job that made partitions and the job of today.
    Compare(SampleTrial),
    /// The job of today, twice.
    Verify(SampleTrial),
    /// A run, as it was.
    Rerun(RerunTrial),
}

/// Partitions to be repeated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct SampleTrial {
    /// The job: its label, or a name that only one has. May be left out if `targets` says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// References among which partitions are chosen; all that the job made, if there are none.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub targets: Vec<String>,
    /// How many partitions, 1 to 100; 5 if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<usize>,
}

/// A run to be repeated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RerunTrial {
    /// `r12`.
    pub run: String,
    /// A folder that is empty or not there, by its absolute path: outputs are copied to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<String>,
}

/// Query of `GET /api/v1/trials/{id}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TrialQuery {
    /// How long to wait for its end, in milliseconds.
    pub wait_ms: Option<u64>,
}

/// A trial in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrialRow {
    /// `t3`.
    pub id: String,
    /// `compare`, `verify` or `rerun`.
    pub kind: String,
    /// `running`, `equal`, `differs`, `unknown` or `canceled`.
    pub state: String,
    /// Label of the job.
    pub job: String,
    /// The run that is repeated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// What is repeated, as the job's first output.
    pub partitions: Vec<String>,
    /// Who asked.
    pub by: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; absent while it is under way.
    pub ended_at: Option<String>,
    /// How many runs it has.
    pub runs: usize,
    /// How many of these are over.
    pub done: usize,
}

/// `GET /api/v1/trials/t3`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrialDetail {
    /// As in lists.
    #[serde(flatten)]
    pub trial: TrialRow,
    /// How its runs are made, each way once.
    pub arms: Vec<TrialArm>,
    /// By output; empty while it is under way.
    pub results: Vec<TrialResult>,
    /// Of `rerun`: inputs that are not those of then; at most 20.
    pub changed_inputs: Vec<String>,
    /// Folder to which outputs are copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<String>,
    /// The last event this reflects.
    pub seq: u64,
}

/// How runs of a trial are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrialArm {
    /// Digest of the graph.
    pub graph: String,
    /// Parameters with their values; absent if there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// What is compared with is `then`, or the first of two runs; else `now`.
    pub which: String,
    /// Digests of the job.
    pub digests: Digests,
}

/// What a trial found of one output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrialResult {
    /// The partition.
    pub partition: String,
    /// `equal`, `differs`, `incomparable`, `inputs_changed` or `failed`.
    pub verdict: String,
    /// Data version of what is compared with; null if nothing was made.
    pub then: Option<String>,
    /// Data version of what was made now, or second; null if nothing was.
    pub now: Option<String>,
    /// Size of `then`.
    pub then_bytes: u64,
    /// Size of `now`.
    pub now_bytes: u64,
    /// The runs, for their logs.
    pub runs: Vec<String>,
    /// For people; empty if there is nothing more to say.
    pub message: String,
}
