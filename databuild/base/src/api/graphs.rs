//! Graphs: registered, drawn, and what differs between two of them.

use super::partitions::Blame;
use super::plans::Estimate;
use super::NodeKind;
use crate::os::EnvValue;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// `POST /api/v1/graphs`.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisterRequest {
    /// The graph file.
    pub content: String,
    /// Digests of source manifests by job label. Their contents were sent to `/api/v1/contents` before: a manifest, or a
    /// JSON array of the digests of its pieces.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub sources: BTreeMap<String, String>,
    /// Values of inherited environment variables.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub inherited: BTreeMap<String, EnvValue>,
    /// Where the client stored the code of the jobs. Another place than the server's is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code_store: Option<String>,
    /// Somebody deploys it. Without it, a graph that starts work by itself stays, and so does any where the setting `deploy` is
    /// `explicit`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Deployment>,
}

/// What somebody who deploys knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// Digest of the graph that new work follows, as `GET /api/v1/graph/id` tells it; absent before the first registration.
    /// If it is another one by then, nothing is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead_of: Option<String>,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RegisterReply {
    /// Digest of the graph.
    pub graph: String,
    /// It differs from the one before.
    pub changed: bool,
}

/// `GET /api/v1/graph/id`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GraphId {
    /// Digest of the graph that new work follows; absent before the first registration.
    pub graph: Option<String>,
    /// Only somebody who deploys puts another one in its place.
    #[serde(default)]
    pub only_deploy: bool,
}

/// A registration of a graph.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GraphRow {
    /// The event that registered it.
    pub number: u64,
    /// Digest.
    pub id: String,
    /// When it was registered, RFC 3339.
    pub at: String,
    /// Who registered it; absent if the archive that tells is not there.
    pub by: Option<String>,
    /// New work follows it.
    pub current: bool,
    /// Jobs that it has; absent if this program cannot read it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job_count: Option<u64>,
    /// Datasets that it has; absent as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset_count: Option<u64>,
    /// What it changed against the graph that was registered before it; absent if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change: Option<GraphChange>,
}

/// How much differs between a graph and the one that was registered before it. What was moved counts as changed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct GraphChange {
    /// Jobs that are new.
    pub jobs_added: u64,
    /// Jobs that changed.
    pub jobs_changed: u64,
    /// Jobs that are gone.
    pub jobs_removed: u64,
    /// Datasets that are new.
    pub datasets_added: u64,
    /// Datasets that changed.
    pub datasets_changed: u64,
    /// Datasets that are gone.
    pub datasets_removed: u64,
    /// Checks, pools and declarations of other names that differ.
    pub others: u64,
}

/// `GET /api/v1/graphs/{id}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GraphDetail {
    /// As in lists.
    #[serde(flatten)]
    pub graph: GraphRow,
    /// Labels of its jobs.
    pub jobs: Vec<String>,
    /// Names of its datasets.
    pub datasets: Vec<String>,
    /// The last event this reflects.
    pub seq: u64,
}

/// Query of `GET /api/v1/graph/drawing`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DrawingQuery {
    /// Only what is above and below this dataset, this job's outputs or, if folded, this package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub around: Option<String>,
    /// So many steps from there at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<usize>,
    /// Packages instead of the datasets in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fold: Option<bool>,
    /// Packages that are not folded, separated by commas; `//` is the one at the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open: Option<String>,
    /// So many nodes at most, and four times as many edges: what is more is folded, whatever else is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<usize>,
    /// Also where the partitions of each node stand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub states: Option<bool>,
}

/// Its answer: which datasets are made from which, and where each stands in a drawing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DrawingView {
    /// Digest of the graph.
    pub graph: String,
    /// By name.
    pub nodes: Vec<DrawnNode>,
    /// By their ends.
    pub edges: Vec<DrawnEdge>,
    /// How many layers there are.
    pub layers: usize,
    /// The largest place in a layer.
    pub width: f64,
    /// The last event this reflects.
    pub seq: u64,
}

/// A node of a drawing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DrawnNode {
    /// That of the dataset or of the package.
    pub name: String,
    /// What it is.
    pub kind: NodeKind,
    /// How many datasets it stands for.
    pub datasets: u64,
    /// Where their partitions stand; absent unless `states` asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub states: Option<StateCounts>,
    /// The job that makes the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// Who answers for the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its layer, from 0. What is made from it is in later ones.
    pub layer: usize,
    /// Its place in the layer, from 0; two are at least 1 apart.
    pub place: f64,
}

/// How many partitions are in which state; each of them is in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct StateCounts {
    /// Keys there are.
    pub total: u64,
    /// As good as a fresh build, and so is all that they are made from.
    pub current: u64,
    /// The same, but something upstream is not.
    pub behind: u64,
    /// Never built, or gone.
    pub missing: u64,
    /// Built, but not as a fresh build would be.
    pub stale: u64,
    /// A run is under way.
    pub building: u64,
    /// Missing or stale, and the last run failed.
    pub failed: u64,
    /// An edge rule leaves them out.
    pub left_out: u64,
}

/// An edge of a drawing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DrawnEdge {
    /// Number of the node that is read, from 0.
    pub from: usize,
    /// Number of the node that is made from it.
    pub to: usize,
    /// How many pairs of datasets it stands for.
    pub count: u64,
    /// It leads back to an earlier layer, since packages read each other.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub turned: bool,
    /// Places in the layers between its ends, from that of the smaller one on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bends: Vec<f64>,
}

/// Query of `GET /api/v1/graphs/diff`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct DiffQuery {
    /// A registered graph, by at least four digits of its digest; the one registered before the head if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// The same; the one that new work follows if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<String>,
}

/// What `diff` tells.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DiffView {
    /// Digest of the base.
    pub base: String,
    /// Digest of the head.
    pub head: String,
    /// Jobs, by label.
    pub jobs: Vec<JobDiff>,
    /// Datasets, by name.
    pub datasets: Vec<DatasetDiff>,
    /// Checks, by label. They make nothing stale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckDiff>,
    /// Schedules, by label. They make nothing stale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<ScheduleDiff>,
    /// Pools, by label. They make nothing stale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolDiff>,
    /// Declarations of other names that only one of the two has.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<MovedDiff>,
    /// What would become stale. If new work follows the head: what it made stale, as far as that was not built since. Absent if
    /// new work follows neither of the two.
    pub stale: Option<StaleView>,
}

/// A job that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobDiff {
    /// Label.
    pub job: String,
    /// `added`, `removed`, `changed` or `moved`.
    pub change: String,
    /// If it was moved: its label in the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What changed: `code`, `args`, `inputs`, `outputs`, `policy`.
    pub what: Vec<String>,
    /// For other arguments: which ones, and how.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// For another code: the source files to blame; absent if a source manifest is not at hand. None of
    /// them if no source file explains it (a tool, a toolchain, a generated file).
    pub files: Option<Vec<Blame>>,
}

/// A dataset that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DatasetDiff {
    /// Name.
    pub dataset: String,
    /// `added`, `removed`, `changed` or `moved`.
    pub change: String,
    /// If it was moved: its name in the base.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What changed: `external`, `dims`, `moved_dims` (only names), `path`, `policy`.
    pub what: Vec<String>,
}

/// A check that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckDiff {
    /// Label.
    pub check: String,
    /// `added`, `removed` or `changed`.
    pub change: String,
    /// If it changed: `dataset`, `code`, `args`, `policy`.
    pub what: Vec<String>,
}

/// A schedule that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleDiff {
    /// Label.
    pub schedule: String,
    /// `added`, `removed` or `changed`.
    pub change: String,
    /// If it changed: `when`, `targets`, `policy`.
    pub what: Vec<String>,
}

/// A pool that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PoolDiff {
    /// Label.
    pub pool: String,
    /// `added`, `removed` or `changed`.
    pub change: String,
    /// Its slots in the base; absent if it was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u32>,
    /// Its slots in the head; absent if it was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<u32>,
}

/// A declaration of another name, added or removed. For a workspace that has not seen the new name yet,
/// removing one loses the history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MovedDiff {
    /// `dataset`, `dimension` or `job`.
    pub kind: String,
    /// `added` or `removed`.
    pub change: String,
    /// The earlier name.
    pub from: String,
    /// The name of now.
    pub to: String,
    /// Of a dimension: its dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
}

/// `POST /api/v1/graphs/impact`: what a graph would make stale.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImpactRequest {
    /// The graph file.
    pub content: String,
    /// Values of inherited environment variables.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub inherited: BTreeMap<String, EnvValue>,
}

/// Partitions that are current and would not be.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StaleView {
    /// All of them.
    pub partitions: u64,
    /// Those that are stale now, or behind something that is, and would be under the graph as well. In none of the other
    /// counts.
    #[serde(default)]
    pub already: u64,
    /// Built partitions of which the graph would know nothing, since no dataset takes them over.
    #[serde(default)]
    pub lost: u64,
    /// Variables that programs inherit now, too, and that would have another value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub variables: Vec<String>,
    /// Open wants that would be late only under this graph, as far as the times of earlier runs tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deadlines: Vec<DeadlineAtRisk>,
    /// By dataset, those with any.
    pub datasets: Vec<DatasetImpact>,
    /// How long building them anew may take; absent if nothing would be stale.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Estimate>,
    /// The last event this reflects.
    pub seq: u64,
}

/// A want that a graph may make late.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DeadlineAtRisk {
    /// `w3`.
    pub want: String,
    /// When it is late, RFC 3339.
    pub due_at: String,
    /// When its work may end, RFC 3339.
    pub ends_at: String,
}

/// One dataset's part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DatasetImpact {
    /// Name.
    pub dataset: String,
    /// Stale for what the graph says of their job.
    pub stale: u64,
    /// Further ones, stale if what is upstream comes out changed.
    pub downstream: u64,
    /// Those that are stale now, or behind something that is, and would be under the graph as well.
    #[serde(default)]
    pub already: u64,
    /// Partitions of which the graph would know nothing; the name is that of now.
    #[serde(default)]
    pub lost: u64,
}

/// `POST /api/v1/graphs/{id}/sources`: source manifests of jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SourcesRequest {
    /// Labels.
    pub jobs: Vec<String>,
}
