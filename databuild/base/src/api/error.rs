//! The one shape of errors.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Body of every answer with a status of 400 or more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Stable name: `want_not_found`.
    pub error: String,
    /// For people: what happened, to what, what to do.
    pub message: String,
    /// What the message speaks of, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
}
