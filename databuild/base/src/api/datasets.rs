//! One dataset: what it is, and where all its partitions stand.

use super::partitions::DatasetSummary;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// `GET /api/v1/datasets/{name}`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DatasetDetail {
    /// Counts, as in the list.
    #[serde(flatten)]
    pub summary: DatasetSummary,
    /// Its target.
    pub label: String,
    /// Its dimensions, in order.
    pub dimensions: Vec<Dimension>,
    /// Where its partitions are, with the names of dimensions in braces; absent if they are no files.
    pub path: Option<String>,
    /// The job that makes it; absent for external ones.
    pub job: Option<JobSaid>,
    /// What it is made from.
    pub inputs: Vec<EdgeSaid>,
    /// What is made from it.
    pub readers: Vec<EdgeSaid>,
    /// The last event this reflects.
    pub seq: u64,
}

/// A dimension.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Dimension {
    /// Its name.
    pub name: String,
    /// `time`, `static` or `dynamic`.
    pub kind: String,
    /// Of time: `hour`, `day`, `week`, `month` or `year`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granularity: Option<String>,
    /// Of time: its zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Of dynamic keys: the name of their space.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub space: Option<String>,
    /// How many keys there are.
    pub keys: u64,
    /// The first one, as lists show them.
    pub first: Option<String>,
    /// The last one.
    pub last: Option<String>,
}

/// A job, as its dataset tells of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobSaid {
    /// Label.
    pub label: String,
    /// Digest of its code.
    pub code: String,
    /// Datasets that it makes.
    pub outputs: Vec<String>,
    /// Partitions that one run makes, at most.
    pub batch: u64,
    /// What each run takes: `places`, pools and the like, with how much.
    pub takes: Vec<(String, u64)>,
}

/// How partitions of two datasets belong together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EdgeSaid {
    /// The other dataset.
    pub dataset: String,
    /// The job that reads.
    pub job: String,
    /// What of it, for people: `same city, 7 days`.
    pub mapping: String,
}

/// Query of `GET /api/v1/standing`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct StandingQuery {
    /// Which partitions.
    #[serde(rename = "ref")]
    pub reference: String,
}

/// `GET /api/v1/standing`: where the partitions of a reference stand.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct StandingSaid {
    /// How many there are.
    pub total: u64,
    /// By state and reason; each partition is in one of them.
    pub groups: Vec<StandingGroup>,
    /// The last event this reflects.
    pub seq: u64,
}

/// Partitions in one state for one reason.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct StandingGroup {
    /// State of a partition, in a word.
    pub state: String,
    /// Why they are not current: stable name of the reason.
    pub reason: Option<String>,
    /// How many.
    pub count: u64,
    /// They; at most 20 references, then `…` follows.
    pub partitions: Vec<String>,
}

/// Query of `GET /api/v1/tiles`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TilesQuery {
    /// Which partitions; a dataset's name for all of its. A dimension that is neither `x` nor `y` is summed up.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// The dimension from left to right; the one of time, if absent.
    pub x: Option<String>,
    /// The dimension from top to bottom; the first other one, if absent. Empty for none.
    pub y: Option<String>,
    /// Of time: how long a column is. As short as fits, if absent.
    pub by: Option<String>,
    /// The first key of `x`, or a longer period; the end of what there is, if absent.
    pub from: Option<String>,
    /// The last one.
    pub to: Option<String>,
    /// How many keys of `y` to pass over.
    pub skip: Option<u64>,
    /// A reference, of which the answer tells the cells.
    pub select: Option<String>,
}

/// `GET /api/v1/tiles`: counts by state of the cells of two dimensions. There are 2,000 cells at most.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Tiles {
    /// The dataset.
    pub dataset: String,
    /// The dimension from left to right; absent if the dataset has none.
    pub x: Option<String>,
    /// The dimension from top to bottom.
    pub y: Option<String>,
    /// Of time: how long a column is.
    pub by: Option<String>,
    /// Lengths that `by` may have.
    pub lengths: Vec<String>,
    /// The columns.
    pub columns: Vec<TileKey>,
    /// The rows; one without a text, if there is no `y`.
    pub rows: Vec<TileKey>,
    /// Row by row, the cells; null where there is no partition.
    pub cells: Vec<Option<Cell>>,
    /// `from` of the columns before these; absent if there are none.
    pub before: Option<String>,
    /// `to` of the columns after these.
    pub after: Option<String>,
    /// Keys of `y` that there are.
    pub rows_total: u64,
    /// How many of them were passed over.
    pub skip: u64,
    /// Of what was selected: the first and the last column, the first and the last row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selected: Option<[usize; 4]>,
    /// The last event this reflects.
    pub seq: u64,
}

/// A column or a row.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct TileKey {
    /// The key, or the period.
    pub text: String,
    /// How many keys that is.
    pub keys: u64,
}

/// How many partitions of a cell are in which state. Each is in one; what is not in the others is current.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Cell {
    /// All.
    pub total: u64,
    /// Current, but something upstream is missing, stale or failed.
    #[serde(default, skip_serializing_if = "super::partitions::is_zero")]
    pub behind: u64,
    /// A run is under way.
    #[serde(default, skip_serializing_if = "super::partitions::is_zero")]
    pub building: u64,
    /// Missing or stale, and the last run failed.
    #[serde(default, skip_serializing_if = "super::partitions::is_zero")]
    pub failed: u64,
    /// Built, but not as a fresh build would be.
    #[serde(default, skip_serializing_if = "super::partitions::is_zero")]
    pub stale: u64,
    /// Never built, or gone.
    #[serde(default, skip_serializing_if = "super::partitions::is_zero")]
    pub missing: u64,
    /// An edge rule leaves them out.
    #[serde(default, skip_serializing_if = "super::partitions::is_zero")]
    pub left_out: u64,
}

impl Cell {
    /// Those that are current.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.total.saturating_sub(
            self.behind + self.building + self.failed + self.stale + self.missing + self.left_out,
        )
    }
}
