//! Numbers for the texts of static keys.
//!
//! Invariants: the table only grows; a number is never reused; a text has the same number in every
//! dataset. Numbers are internal: what is stored or shown is the text.

use crate::range_set::Key;
use std::collections::HashMap;
use std::sync::Arc;

/// The table of one workspace. A clone shares it until one side interns a new text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Symbols {
    table: Arc<Table>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Table {
    texts: Vec<Arc<str>>,
    keys: HashMap<Arc<str>, Key>,
}

impl Symbols {
    /// An empty table.
    #[must_use]
    pub fn new() -> Symbols {
        Symbols::default()
    }

    /// The number of `text`, which it gets now if it has none.
    ///
    /// # Panics
    /// With 2^32 different texts; memory ends before.
    pub fn intern(&mut self, text: &str) -> Key {
        if let Some(key) = self.get(text) {
            return key;
        }
        let table = Arc::make_mut(&mut self.table);
        let key = Key::try_from(table.texts.len()).expect("fewer than 2^32 static keys");
        let text: Arc<str> = text.into();
        table.texts.push(Arc::clone(&text));
        table.keys.insert(text, key);
        key
    }

    /// The number of `text`, if it has one.
    #[must_use]
    pub fn get(&self, text: &str) -> Option<Key> {
        self.table.keys.get(text).copied()
    }

    /// The text of a number that this table gave out.
    ///
    /// # Panics
    /// If it did not: numbers of different tables were mixed up.
    #[must_use]
    pub fn text(&self, key: Key) -> &str {
        &self.table.texts[key as usize]
    }

    /// How many texts have numbers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.table.texts.len()
    }

    /// Whether no text has a number.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.table.texts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clone_keeps_its_numbers_when_the_other_grows() {
        let mut symbols = Symbols::new();
        assert_eq!((symbols.intern("eu"), symbols.intern("us"), symbols.intern("eu")), (0, 1, 0));
        let before = symbols.clone();
        assert_eq!(symbols.intern("asia"), 2);
        assert_eq!((before.len(), before.get("asia")), (2, None));
        assert_eq!(symbols.text(2), "asia");
    }
}
