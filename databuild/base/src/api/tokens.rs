//! Tokens: who may ask the server for what.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /api/v1/tokens`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// Its name, under which what its holder does is recorded.
    #[schema(min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9_.@-]+$")]
    pub name: String,
    /// `read`, `want`, `operate`, `approve`, `admin`; at least one.
    pub scopes: Vec<String>,
    /// Patterns of the datasets that its holder may ask about, in which `*` is any text; all datasets, if empty.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub datasets: Vec<String>,
    /// It ends after so long; never, if absent.
    #[serde(default)]
    pub expires_seconds: Option<u64>,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NewToken {
    /// The token itself, which is told once; null if `told_before`.
    pub token: Option<String>,
    /// An earlier request with the same `Idempotency-Key` created it. The server has not kept the token: if nobody has, revoke
    /// it and create one of another name.
    #[serde(default)]
    pub told_before: bool,
    /// What is kept of it.
    #[serde(flatten)]
    pub row: TokenRow,
}

/// A token, without what makes it one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenRow {
    /// Its name.
    pub name: String,
    /// `good`, `expired` or `revoked`.
    pub state: String,
    /// What its holder may do.
    pub scopes: Vec<String>,
    /// Patterns of datasets; all datasets, if empty.
    pub datasets: Vec<String>,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; null if it has no end.
    pub expires_at: Option<String>,
    /// RFC 3339; null unless somebody revoked it.
    pub revoked_at: Option<String>,
}

/// `GET /api/v1/tokens`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenList {
    /// All that there ever were, by name.
    pub data: Vec<TokenRow>,
    /// The last event this reflects.
    pub seq: u64,
}
