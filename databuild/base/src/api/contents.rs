//! Contents that are sent before a graph that names them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /api/v1/contents/missing`, and its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MissingContents {
    /// SHA-256, as 64 hexadecimal digits each: those asked for; in the answer, those that the server lacks.
    pub digests: Vec<String>,
}

/// Texts of one request, at most: the log is written in one go.
pub const MOST_CONTENTS: usize = 10_000;

/// Body of `POST /api/v1/contents`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeepContents {
    /// The texts.
    pub contents: Vec<String>,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeptContents {
    /// SHA-256 of each text, in the same order.
    pub digests: Vec<String>,
}
