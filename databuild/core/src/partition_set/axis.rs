//! What the stored keys of a dimension stand for.

use crate::time::{Granularity, Zone};
use serde::{Deserialize, Serialize};

/// What the stored keys of one dimension stand for. Keys of equal axes mean the same in any two graphs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Axis {
    /// The dimension's name.
    pub name: String,
    /// Length and zone of its periods; none for listed keys.
    pub calendar: Option<(Granularity, Zone)>,
}

impl Axis {
    /// What its keys are, as `day in Europe/Oslo`.
    #[must_use]
    pub fn kind(&self) -> String {
        match &self.calendar {
            Some((granularity, zone)) => format!("{granularity} in {zone}"),
            None => "a listed text".to_owned(),
        }
    }
}
