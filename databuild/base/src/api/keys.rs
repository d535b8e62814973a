//! Dynamic keys.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query of `GET /api/v1/keys/{space}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct KeysQuery {
    /// Retired keys, too.
    #[serde(default)]
    pub retired: bool,
    /// How many rows at most.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// Body of `POST /api/v1/keys/{space}` and `POST /api/v1/keys/{space}/retire`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeysRequest {
    /// The keys.
    pub keys: Vec<String>,
    /// Only count; nothing changes.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub dry_run: bool,
}

/// The answer: what the request comes to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeysReply {
    /// The key space.
    pub space: String,
    /// Keys that were never there.
    pub new: u64,
    /// Keys that were retired before and come back.
    pub back: u64,
    /// Keys that go.
    pub retired: u64,
    /// Keys for which nothing changes: there already, or retired already.
    pub unchanged: u64,
    /// Nothing was done.
    pub dry_run: bool,
    /// The last event this reflects.
    pub seq: u64,
}

/// A dynamic key space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeySpaceRow {
    /// Its name.
    pub space: String,
    /// Keys that exist.
    pub keys: u64,
    /// Keys that are retired.
    pub retired: u64,
    /// Dimensions that have its keys, such as `sales/orders/customer`.
    pub dimensions: Vec<String>,
}

/// A dynamic key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeyRow {
    /// It.
    pub key: String,
    /// Whether it is retired.
    pub retired: bool,
}
