//! Looking at all files: scan and adopt.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Body of `POST /api/v1/scan`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ScanRequest {
    /// References; everything, if empty.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub targets: Vec<String>,
    /// Read the content of each file, whatever its size and time say.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub deep: bool,
    /// `next` of the answer before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
    /// How many partitions to look at for one answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u64>,
}

/// What a look at some files found, and recorded.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ScanReply {
    /// Partitions looked at for this answer.
    pub looked: u64,
    /// Partitions that the whole scan looks at.
    pub total: u64,
    /// Files that were there and are gone, whether or not that was known.
    pub missing: CountedSet,
    /// Published files with other bytes, whether or not that was known.
    pub altered: CountedSet,
    /// External files that are new or have other bytes than were seen.
    pub changed: CountedSet,
    /// How many of `missing` and `altered` an earlier look had found.
    #[serde(default)]
    pub known: u64,
    /// Partitions that could not be looked at.
    #[serde(default)]
    pub not_observed: Vec<NotObserved>,
    /// Pass it as `cursor` to go on; absent at the end.
    pub next: Option<String>,
    /// The last event this reflects.
    pub seq: u64,
}

/// Partitions that could not be looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NotObserved {
    /// Which.
    pub partitions: CountedSet,
    /// Of what kind that is which went wrong: `unreadable`, `unstable` or `foreign`.
    #[serde(default)]
    pub code: String,
    /// What went wrong, and what to do.
    pub message: String,
}

/// A set of partitions.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct CountedSet {
    /// How many.
    pub count: u64,
    /// They, as references.
    pub partitions: Vec<String>,
}

/// Body of `POST /api/v1/adopt`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptRequest {
    /// References.
    pub targets: Vec<String>,
    /// Only say what would be adopted.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub dry_run: bool,
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AdoptReply {
    /// Nothing was recorded.
    pub dry_run: bool,
    /// Partitions whose files count as built.
    pub adopted: CountedSet,
    /// Partitions without a file.
    pub missing: CountedSet,
    /// Partitions that are recorded as they are.
    pub recorded: CountedSet,
    /// Sets of partitions left alone, as a run is making them.
    pub being_made: Vec<String>,
    /// Partitions whose files could not be looked at; they are not adopted.
    #[serde(default)]
    pub not_observed: Vec<NotObserved>,
    /// The last event this reflects.
    pub seq: u64,
}
