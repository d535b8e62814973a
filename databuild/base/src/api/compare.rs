//! What differs between two runs, or between a run and now.

use super::partitions::Blame;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query of `GET /api/v1/compare`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct CompareQuery {
    /// A run; or a partition, which stands for the run that made what it holds.
    #[param(example = "r12")]
    pub a: String,
    /// The same of what it is compared with; what the first one's job would do now if absent.
    #[param(example = "r15")]
    pub b: Option<String>,
}

/// Its answer. What is the same is counted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Comparison {
    /// The first one.
    pub a: ComparedSide,
    /// The second one.
    pub b: ComparedSide,
    /// The code of the job.
    pub code: ComparedCode,
    /// Arguments, variables and declared parameters that differ, in words.
    pub arguments: Vec<String>,
    /// Inherited variables that differ, in words; their values are not known.
    pub environment: Vec<String>,
    /// Parameters with other values.
    pub params: Vec<ComparedText>,
    /// How many parameters have the same value.
    pub params_same: u64,
    /// Inputs that only one of them reads, or that held other data; at most 200.
    pub inputs: Vec<ComparedInput>,
    /// How many these are.
    pub inputs_differ: u64,
    /// How many inputs both read with the same data.
    pub inputs_same: u64,
    /// What both read is known. If not, nothing is said of inputs.
    pub inputs_known: bool,
    /// Inputs of the one that has more of them that were not looked at: of each, 2,000 are.
    pub inputs_left_out: u64,
    /// What they made that is not the same; at most 200.
    pub outputs: Vec<ComparedOutput>,
    /// How many partitions both made alike, to the last byte and word.
    pub outputs_same: u64,
    /// The last event this reflects.
    pub seq: u64,
}

/// One of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ComparedSide {
    /// The run; absent for what the job would do now.
    pub run: Option<String>,
    /// Label of the job.
    pub job: String,
    /// What it makes, as the job's first output.
    pub partition: String,
    /// How many that is.
    pub partitions: u64,
    /// Digest of the graph.
    pub graph: String,
    /// The number of the registration that it follows; absent if that is not known.
    pub graph_number: Option<u64>,
    /// As in lists of runs; absent for now.
    pub state: Option<String>,
    /// When it began, or the instant for which keys are read now, RFC 3339.
    pub at: String,
    /// Attempts so far.
    pub attempt_count: u32,
    /// Wall time of the last attempt in milliseconds; absent if it had no process.
    pub wall_ms: Option<u64>,
    /// Its CPU time in milliseconds.
    pub cpu_ms: Option<u64>,
    /// Its largest resident set in kibibytes.
    pub max_rss_kb: Option<u64>,
}

/// The code of two jobs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ComparedCode {
    /// It is the same.
    pub same: bool,
    /// Digest; absent if the graph cannot be read any more.
    #[schema(example = "5f2a4d1c9b8e7f60112233445566778899aabbccddeeff00112233445566778f")]
    pub a: Option<String>,
    /// The same of the other.
    #[schema(example = "0c3b5e2d9b8e7f60112233445566778899aabbccddeeff00112233445566778f")]
    pub b: Option<String>,
    /// Source files that differ; absent if it is the same, or if a source manifest is not at hand.
    pub files: Option<Vec<Blame>>,
}

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ComparedText {
    /// Of what.
    pub name: String,
    /// Absent if the first has none.
    #[schema(example = "24")]
    pub a: Option<String>,
    /// Absent if the second has none.
    #[schema(example = "23")]
    pub b: Option<String>,
}

/// An input that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ComparedInput {
    /// The partition.
    pub partition: String,
    /// `a`, `b` or `both`.
    pub read_by: String,
    /// Its data version when the first read it; absent if it held nothing, or was not read.
    #[schema(example = "5f2a4d1c9b8e7f60112233445566778899aabbccddeeff00112233445566778f")]
    pub a: Option<String>,
    /// The same of the second.
    #[schema(example = "0c3b5e2d9b8e7f60112233445566778899aabbccddeeff00112233445566778f")]
    pub b: Option<String>,
}

/// An output that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ComparedOutput {
    /// What the first made; absent if it did not.
    pub a: Option<DataSaid>,
    /// What the second made or, for now, what is there.
    pub b: Option<DataSaid>,
    /// What the jobs said of it and is not the same.
    pub metadata: Vec<ComparedText>,
    /// How much of what they said is the same.
    pub metadata_same: u64,
}

/// What a partition holds, or held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DataSaid {
    /// The partition.
    pub partition: String,
    /// Data version.
    pub version: String,
    /// Size; 0 for what is no file.
    pub bytes: u64,
    /// The job had nothing to produce.
    pub empty: bool,
}
