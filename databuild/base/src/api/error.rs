//! The one shape of errors.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Body of every answer with a status of 400 or more.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// Stable name: `want_not_found`.
    pub error: String,
    /// For people: what happened, to what, what to do.
    pub message: String,
    /// The status of the answer.
    #[serde(default)]
    pub status: u16,
    /// What the message speaks of, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub details: BTreeMap<String, String>,
    /// The want of `details`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want_id: Option<String>,
    /// The run of `details`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The plan of `details`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_id: Option<String>,
    /// The trial of `details`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial_id: Option<String>,
    /// The graph of `details`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph_id: Option<String>,
}

impl ErrorBody {
    /// Names what the message speaks of. An id stands beside the code as well.
    pub fn tell(&mut self, name: &str, value: String) {
        let id = match name {
            "want_id" => &mut self.want_id,
            "run_id" => &mut self.run_id,
            "plan_id" => &mut self.plan_id,
            "trial_id" => &mut self.trial_id,
            "graph_id" => &mut self.graph_id,
            _ => &mut None,
        };
        *id = Some(value.clone());
        self.details.insert(name.to_owned(), value);
    }
}
