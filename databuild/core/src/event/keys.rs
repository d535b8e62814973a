//! What is said of dynamic keys.

use super::examples::texts;
use super::fact::{listed, Fact};
use super::origin::Origin;

/// See [`super::Event::KeysAdded`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysAdded {
    /// Name of the key space.
    pub space: String,
    /// Keys that were not there; they get their numbers in this order.
    pub keys: Vec<String>,
}

impl Fact for KeysAdded {
    fn text(&self, who: &Origin) -> String {
        format!("{who} added keys to {}: {}", self.space, listed(&self.keys))
    }

    fn example() -> KeysAdded {
        KeysAdded { space: "customers".into(), keys: texts(["acme", "bølt"]) }
    }
}

/// See [`super::Event::KeysRetired`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysRetired {
    /// Name of the key space.
    pub space: String,
    /// Keys that were there.
    pub keys: Vec<String>,
}

impl Fact for KeysRetired {
    fn text(&self, who: &Origin) -> String {
        format!("{who} retired keys of {}: {}", self.space, listed(&self.keys))
    }

    fn example() -> KeysRetired {
        KeysRetired { space: "customers".into(), keys: texts(["acme"]) }
    }
}
