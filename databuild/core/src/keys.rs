//! Key spaces: which keys a dimension has, how they are written, and which exist at an instant.

use crate::key_error::KeyError;
use crate::symbols::Symbols;
use crate::text::{is_invisible, nearest, SOME};
use crate::time::TimeSpace;
use jiff::Timestamp;
use std::sync::Arc;

pub use crate::range_set::{Key, RangeSet};

/// How many dynamic keys are looked at for one that resembles another.
const NEAR: usize = 10_000;

/// The keys of one dimension.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum KeySpace {
    /// Calendar periods.
    Time(TimeSpace),
    /// Listed keys: in declared order, and as a set.
    Static(Vec<Key>, RangeSet),
    /// Keys that come and go while the system runs: the name of their set, which [`Symbols`] knows.
    Dynamic(Arc<str>),
}

/// The longest key in bytes: a key is part of a file's name.
pub const MAX_KEY_BYTES: usize = 255;

/// Why a text cannot be a listed or dynamic key: a key must survive a reference, a path and a shell.
#[must_use]
pub fn key_fault(text: &str) -> Option<&'static str> {
    if text.is_empty() {
        Some("it is empty")
    } else if text.len() > MAX_KEY_BYTES {
        Some("it is longer than 255 bytes")
    } else if text.starts_with(['-', '.']) {
        Some("it begins with `-` or `.`")
    } else if text.contains("..") {
        Some("it has `..` in it")
    } else if text.chars().any(|c| matches!(c, '/' | '=' | '+' | ',')) {
        Some("it has `/`, `=`, `+` or `,` in it")
    } else if text.chars().any(|c| c.is_control() || c.is_whitespace()) {
        Some("it has a space or a control character in it")
    } else {
        None
    }
}

/// The same for a key that is to be added: nobody should have to tell two keys apart that look alike. What was added
/// before this was asked, or is listed in a graph, stays.
#[must_use]
pub fn new_key_fault(text: &str) -> Option<&'static str> {
    let invisible = || text.chars().any(is_invisible).then_some("it has an invisible character in it");
    key_fault(text).or_else(invisible)
}

impl KeySpace {
    /// Listed keys, in declared order.
    #[must_use]
    pub fn of_static(keys: Vec<Key>) -> KeySpace {
        let set = keys.iter().copied().collect();
        KeySpace::Static(keys, set)
    }

    /// The time space, if it is one.
    #[must_use]
    pub fn time(&self) -> Option<&TimeSpace> {
        match self {
            KeySpace::Time(space) => Some(space),
            KeySpace::Static(..) | KeySpace::Dynamic(_) => None,
        }
    }

    /// The name of its set of keys, if that is dynamic.
    #[must_use]
    pub fn dynamic(&self) -> Option<&str> {
        match self {
            KeySpace::Dynamic(name) => Some(name),
            KeySpace::Time(_) | KeySpace::Static(..) => None,
        }
    }

    /// All keys that ever are in the space; of dynamic ones those of now.
    #[must_use]
    pub fn bounds(&self, symbols: &Symbols) -> RangeSet {
        match self {
            KeySpace::Time(space) => space.bounds(),
            KeySpace::Static(_, set) => set.clone(),
            KeySpace::Dynamic(name) => symbols.dynamic(name).current.clone(),
        }
    }

    /// The keys that exist at an instant: a period's once it has ended, listed ones always, dynamic ones
    /// as they are now.
    #[must_use]
    pub fn extent(&self, as_of: Timestamp, symbols: &Symbols) -> RangeSet {
        match self {
            KeySpace::Time(space) => space.extent(as_of),
            KeySpace::Static(..) | KeySpace::Dynamic(_) => self.bounds(symbols),
        }
    }

    /// Whether the space grows without end.
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, KeySpace::Time(space) if space.end().is_none())
    }

    /// Parses a key of the space, whether or not it exists yet or is retired.
    ///
    /// # Errors
    /// What is wrong with it and, where that helps, what there is instead.
    pub fn parse_key(&self, text: &str, symbols: &Symbols) -> Result<Key, KeyError> {
        match self {
            KeySpace::Time(space) => space.parse_key(text),
            KeySpace::Static(keys, set) => {
                symbols.get(text).filter(|key| set.contains(*key)).ok_or_else(|| KeyError::UnknownKey {
                    text: text.to_owned(),
                    count: keys.len(),
                    near: nearest(text, keys.iter().map(|key| symbols.text(*key))),
                    some: keys.iter().take(SOME).map(|key| symbols.text(*key).to_owned()).collect(),
                })
            }
            KeySpace::Dynamic(name) => {
                let own = symbols.dynamic(name);
                let known = |key: &Key| own.current.contains(*key) || own.retired.contains(*key);
                symbols.get(text).filter(known).ok_or_else(|| KeyError::NotAdded {
                    text: text.to_owned(),
                    space: name.to_string(),
                    count: usize::try_from(own.current.len()).unwrap_or(usize::MAX),
                    near: nearest(text, own.current.iter().take(NEAR).map(|key| symbols.text(key))),
                    some: own
                        .in_order()
                        .filter(|key| own.current.contains(*key))
                        .take(SOME)
                        .map(|key| symbols.text(key).to_owned())
                        .collect(),
                })
            }
        }
    }

    /// The text of a key; that of a period also if it is outside the space.
    #[must_use]
    pub fn format_key(&self, key: Key, symbols: &Symbols) -> String {
        match self {
            KeySpace::Time(space) => space.format_key(key),
            KeySpace::Static(..) | KeySpace::Dynamic(_) => symbols.text(key).to_owned(),
        }
    }

    /// The text of a set, which [`NamedKeys`](crate::named_keys::NamedKeys) reads back: ranges of periods, listed keys in
    /// declared order, dynamic ones in the order in which they were added. The empty set gives the empty text, which names no set.
    #[must_use]
    pub fn format_set(&self, set: &RangeSet, symbols: &Symbols) -> String {
        let items: Vec<String> = match self {
            KeySpace::Time(space) => set
                .ranges()
                .map(|(lo, hi)| match (space.format_key(lo), lo == hi) {
                    (lo, true) => lo,
                    (lo, false) => format!("{lo}..{}", space.format_key(hi)),
                })
                .collect(),
            KeySpace::Static(keys, own) => {
                let strange = set.subtract(own);
                let known = keys.iter().copied().filter(|key| set.contains(*key));
                known.chain(strange.iter()).map(|key| symbols.text(key).to_owned()).collect()
            }
            KeySpace::Dynamic(name) => {
                let text = |key: Key| symbols.text(key).to_owned();
                let own = symbols.dynamic(name);
                match own.is_sorted() {
                    true => set.iter().map(text).collect(),
                    false => own.in_order().filter(|key| set.contains(*key)).map(text).collect(),
                }
            }
        };
        items.join("+")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cities() -> (KeySpace, Symbols) {
        let mut symbols = Symbols::new();
        symbols.intern("elsewhere");
        let keys = ["seattle", "san-francisco", "oslo"].map(|city| symbols.intern(city));
        (KeySpace::of_static(keys.to_vec()), symbols)
    }

    #[test]
    fn listed_keys_say_what_there_is() {
        let (space, symbols) = cities();
        let message = |text| space.parse_key(text, &symbols).unwrap_err().to_string();
        assert_eq!(message("seatle"), "`seatle` is no key here; did you mean `seattle`?");
        assert_eq!(message("Oslo"), "`Oslo` is no key here; did you mean `oslo`?");
        assert_eq!(message("san"), "`san` is no key here; did you mean `san-francisco`?");
        assert_eq!(
            message("elsewhere"),
            "`elsewhere` is no key here; there are `seattle`, `san-francisco`, `oslo`"
        );
        let many = KeySpace::of_static((0..4).chain(0..4).collect());
        let error = many.parse_key("q", &symbols).unwrap_err();
        assert!(error.to_string().ends_with("and 3 more"), "{error}");
    }
}
