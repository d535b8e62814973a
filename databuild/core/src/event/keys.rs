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
    /// Those of them that had been retired. Events of older versions do not say.
    pub back: Vec<String>,
}

impl Fact for KeysAdded {
    fn text(&self, who: &Origin) -> String {
        let text = format!("{who} added keys to {}: {}", self.space, listed(&self.keys));
        match self.back.as_slice() {
            [] => text,
            [_] if self.keys.len() == 1 => text + ", which is back after it was retired",
            back => format!("{text}; back after they were retired: {}", listed(back)),
        }
    }

    fn example() -> KeysAdded {
        KeysAdded { space: "customers".into(), keys: texts(["acme", "bølt"]), back: texts(["bølt"]) }
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
