//! Datasets, partitions, and why they are as they are.

use databuild_core::words;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query of `GET /api/v1/partitions`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PartitionsQuery {
    /// Which partitions; a dataset's name for all of its. All datasets without it.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Only those in this state.
    #[param(inline, value_type = Option<PartitionState>)]
    pub state: Option<String>,
    /// By what they are sorted: `key` by default. A cursor is of one order.
    #[param(inline, value_type = Option<PartitionOrder>)]
    pub sort: Option<String>,
    /// How many rows at most.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

words! {
    /// By what partitions are sorted.
    pub enum PartitionOrder: "order of partitions" {
        /// In the order of their keys; of several datasets by name.
        Key => "key",
        /// The worst states first, each in the order of keys; of one reference alone.
        State => "state",
    }
}

words! {
    /// By what datasets are sorted.
    pub enum DatasetOrder: "order of datasets" {
        /// In the order of their names.
        Name => "name",
        /// Those with most partitions first.
        Total => "total",
        /// Those with most missing partitions first.
        Missing => "missing",
        /// Those with most stale partitions first.
        Stale => "stale",
        /// Those with most failed partitions first.
        Failed => "failed",
        /// Those with most partitions that are being built first.
        Building => "building",
    }
}

/// Query of `GET /api/v1/datasets`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DatasetsQuery {
    /// Only those whose names have this text in them.
    pub search: Option<String>,
    /// Only external ones, or only those that are built.
    pub external: Option<bool>,
    /// Only those with partitions in this state.
    #[param(inline, value_type = Option<PartitionState>)]
    pub state: Option<String>,
    /// By what they are sorted: `name` by default.
    #[param(inline, value_type = Option<DatasetOrder>)]
    pub sort: Option<String>,
    /// How many rows at most; 100 by default.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// Query of `GET /api/v1/why`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WhyQuery {
    /// Reference of one partition.
    pub partition: String,
}

/// Counts of one dataset's partitions. Each is counted once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DatasetSummary {
    /// Name.
    pub dataset: String,
    /// Observed, not built.
    pub external: bool,
    /// Who answers for it; absent if the graph names nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Dimension names, in order.
    pub dims: Vec<String>,
    /// Keys there are.
    pub total: u64,
    /// As good as a fresh build, and so is all that it is made from.
    pub current: u64,
    /// The same, but something upstream is missing, stale or failed, so that a build may make it anew.
    #[serde(default)]
    pub behind: u64,
    /// Never built, or gone; the last run did not fail.
    pub missing: u64,
    /// Built, but not as a fresh build would be; no later run failed.
    pub stale: u64,
    /// A run is under way.
    pub building: u64,
    /// Missing or stale, and the last run failed.
    pub failed: u64,
    /// An edge rule leaves them out.
    #[serde(default)]
    pub left_out: u64,
}

words! {
    /// State of one partition, in a word.
    pub enum PartitionState: "state of a partition" {
        /// As good as a fresh build.
        Current => "current",
        /// Current, and its job reported that there was nothing to produce.
        Empty => "empty",
        /// Current, empty or not, but something upstream is missing, stale or failed, so that a build may make it anew.
        Behind => "behind",
        /// Never built, or gone.
        Missing => "missing",
        /// A run is under way.
        Building => "building",
        /// Built, but not as a fresh build would be.
        Stale => "stale",
        /// Not current, and the last run for it failed.
        Failed => "failed",
        /// An edge rule leaves it out: no run makes it, and that is no error.
        LeftOut => "left_out",
    }
}

/// A partition in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PartitionRow {
    /// Its reference.
    pub partition: String,
    /// Its state.
    pub state: PartitionState,
    /// Why it is not current: stable name of the reason.
    pub reason: Option<String>,
    /// `adopted`, if no run made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// How many checks warn of what it holds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warnings: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
pub(super) fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// `GET /api/v1/why?partition=…`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// Its reference.
    pub partition: String,
    /// Its state.
    pub state: PartitionState,
    /// One sentence.
    pub summary: String,
    /// The job that makes it; absent for external ones.
    pub job: Option<String>,
    /// The run that made it.
    pub run: Option<String>,
    /// The label that its job had then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_job: Option<String>,
    /// When, RFC 3339.
    pub built_at: Option<String>,
    /// Its data version.
    pub version: Option<String>,
    /// What the job reported about it, `rows` and `bytes` included.
    #[serde(default, skip_serializing_if = "serde_json::Map::is_empty")]
    pub metadata: serde_json::Map<String, serde_json::Value>,
    /// Who adopted it, if no run made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<AdoptedSaid>,
    /// Acceptances for which it counts as made by the job of today, though other code or arguments made it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accepted: Vec<AcceptedSaid>,
    /// A run after the one that made it, which failed: it changed nothing, or was one of another version of the job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_since: Option<String>,
    /// What is wrong with it; empty if nothing.
    pub causes: Vec<WhyCause>,
    /// Where it is stale or missing because of something that is so itself: from what it is made from
    /// directly to the first cause.
    pub upstream: Vec<WhyStep>,
    /// What it was made from, if it is current or stale; at most 100.
    pub inputs: Vec<InputUsed>,
    /// How many inputs that are, listed or not.
    #[serde(default)]
    pub inputs_total: u64,
    /// Where its file is.
    pub path: Option<String>,
    /// The last event this reflects.
    pub seq: u64,
}

/// Files that were there already became what a partition holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdoptedSaid {
    /// Who said so; absent if the archive that tells is not there.
    pub by: Option<String>,
    /// When, RFC 3339.
    pub at: String,
}

/// Somebody judged a change of a job harmless.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AcceptedSaid {
    /// Who.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// Why.
    pub reason: String,
    /// What shows it, such as a trial; may be empty.
    pub evidence: String,
}

/// A partition that is not current, on the way to the first cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyStep {
    /// Its reference.
    pub partition: String,
    /// The job that makes it; absent for external ones.
    pub job: Option<String>,
    /// How many partitions of its dataset, read for the step before, are not current.
    pub count: u64,
    /// What is wrong with it.
    pub cause: WhyCause,
}

/// One reason why a partition is not current.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhyCause {
    /// Stable name: `code_changed`, `inputs_changed`, ….
    pub reason: String,
    /// For people.
    pub message: String,
    /// For a code change: what changed.
    pub files: Vec<Blame>,
    /// For changed inputs: which, with both data versions; at most 100.
    pub inputs: Vec<InputUsed>,
    /// How many inputs changed, listed or not.
    #[serde(default)]
    pub inputs_total: u64,
    /// For a taint: which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taint: Option<TaintSaid>,
    /// For a failure: the run, of which `logs` tells more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

/// A taint, as the log has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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

/// A changed source file and how the job depends on it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Blame {
    /// Workspace-relative path.
    pub path: String,
    /// The target that owns it.
    pub owner: String,
    /// `changed`, `added`, `removed`.
    pub change: String,
    /// Targets from the job's binary to the owner.
    pub via: Vec<String>,
}

/// An input partition as it was read, and as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct InputUsed {
    /// Its reference.
    pub partition: String,
    /// Its data version when it was read; absent if it was not.
    pub then: Option<String>,
    /// Its data version now; absent if it is not there or not needed any more.
    pub now: Option<String>,
    /// `discovered` if its run found that it needs it and nobody declared that; `added` if it was none of the inputs
    /// then, `removed` if it is none any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}
