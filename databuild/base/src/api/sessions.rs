//! Browsers that are signed in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `POST /api/v1/sign-in-links`: a link that signs a browser in, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SignInLink {
    /// Path and query, at the server's address; null if `told_before`.
    pub path: Option<String>,
    /// The link is good for so many seconds.
    pub valid_seconds: u64,
    /// An earlier request with the same `Idempotency-Key` was told the link, which is told once.
    #[serde(default)]
    pub told_before: bool,
}
