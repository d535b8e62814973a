//! Key spaces: which keys a dimension has, how they are written, and which exist at an instant.

use crate::key_error::KeyError;
use crate::symbols::Symbols;
use crate::text::{is_invisible, nearest, SOME};
use crate::time::{Granularity, TimeSpace};
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

    /// Parses a set of keys: a key, a range of periods `a..b`, or several of these joined by `+`. An end of a range may be left
    /// out, and a longer period may be named, such as a month of days: these mean keys that exist, which are `extent`.
    ///
    /// # Errors
    /// As for single keys; a range of listed keys; a range that ends before it begins.
    pub fn parse_set(&self, text: &str, symbols: &Symbols, extent: &RangeSet) -> Result<RangeSet, KeyError> {
        let mut all = RangeSet::new();
        for item in self.items(text) {
            match (self, item.contains("..")) {
                (KeySpace::Time(space), _) => all.union_with(&periods(space, &item, extent)?),
                (_, true) => return Err(KeyError::RangeOfStatic { text: item }),
                (_, false) => _ = all.insert(self.parse_key(&item, symbols)?),
            }
        }
        Ok(all)
    }

    /// Splits at `+`, save where it begins the offset of an hour.
    fn items(&self, text: &str) -> Vec<String> {
        let hours = self.time().is_some_and(|space| space.granularity() == Granularity::Hour);
        let mut items: Vec<String> = Vec::new();
        for piece in text.split('+') {
            let offset = hours && piece.as_bytes().get(2) == Some(&b':');
            match items.last_mut() {
                Some(last) if offset => {
                    last.push('+');
                    last.push_str(piece);
                }
                _ => items.push(piece.to_owned()),
            }
        }
        items
    }

    /// The text of a set, which [`KeySpace::parse_set`] reads back: ranges of periods, listed keys in
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

/// The periods of one item of a set.
fn periods(space: &TimeSpace, item: &str, extent: &RangeSet) -> Result<RangeSet, KeyError> {
    let (from, to) = item.split_once("..").unwrap_or((item, item));
    if from.is_empty() && to.is_empty() {
        return Err(KeyError::BadForm { text: item.to_owned(), granularity: space.granularity() });
    }
    let open = (space.start(), space.end().unwrap_or(Key::MAX));
    let bound = |text: &str| match text {
        "" => Ok((open, false)),
        text => space.parse_period(text),
    };
    let ((from, exact_from), (to, exact_to)) = (bound(from)?, bound(to)?);
    if from.0 > to.1 {
        return Err(KeyError::EmptyRange { text: item.to_owned() });
    }
    let named = RangeSet::range(from.0, to.1);
    if exact_from && exact_to {
        return Ok(named);
    }
    let there = named.intersect(extent);
    // Where nothing has ended yet, the first that is to come tells when it will.
    Ok(if there.is_empty() { RangeSet::single(from.0) } else { there })
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

    #[test]
    fn sets_of_listed_keys() {
        let (space, symbols) = cities();
        let set = space.parse_set("oslo+seattle+oslo", &symbols, &RangeSet::new()).unwrap();
        assert_eq!(space.format_set(&set, &symbols), "seattle+oslo");
        for (text, code) in
            [("oslo..seattle", "range_of_static_keys"), ("oslo+", "unknown_key"), ("", "unknown_key")]
        {
            assert_eq!(space.parse_set(text, &symbols, &RangeSet::new()).unwrap_err().code(), code, "{text}");
        }
    }

    #[test]
    fn sets_of_periods() {
        let symbols = Symbols::new();
        let time = |granularity, start, zone| {
            KeySpace::Time(TimeSpace::parse(granularity, start, None, zone).unwrap())
        };
        let days = time(Granularity::Day, "2010-01-01", "UTC");
        // The plus of an offset parts no keys.
        let hours = time(Granularity::Hour, "2010-01-01T00", "Europe/Berlin");
        for (space, text, count) in [
            (&days, "2010-01-01..2010-01-07+2010-02-01", 8),
            (&hours, "2010-10-31T01..2010-10-31T02+02:00", 2),
            (&hours, "2010-10-31T02+02:00..2010-10-31T03", 3),
            (&hours, "2010-10-31T02+02:00+2010-10-31T05", 2),
        ] {
            let set = space.parse_set(text, &symbols, &space.bounds(&symbols)).unwrap();
            assert_eq!(set.len(), count, "{text}");
            assert_eq!(space.format_set(&set, &symbols), text);
        }
        for (text, code) in [
            ("2010-01-07..2010-01-01", "empty_range"),
            ("..", "bad_time_key"),
            ("2010-01-01..2010-01-02..", "bad_time_key"),
            ("2010-13", "not_in_calendar"),
            ("2009-12", "key_out_of_range"),
            ("..2009-12", "key_out_of_range"),
            ("2010-03..2010-01-31", "empty_range"),
            ("2010-01-01...2010-01-03", "bad_time_key"),
            ("2009-12-31..2010-01-03", "key_out_of_range"),
        ] {
            let parsed = days.parse_set(text, &symbols, &days.bounds(&symbols));
            assert_eq!(parsed.unwrap_err().code(), code, "{text}");
        }
        // What is there at some instant: up to 2010-03-10.
        let extent = days.extent("2010-03-11T00:00Z".parse().unwrap(), &symbols);
        for (text, meaning) in [
            ("2010-02", "2010-02-01..2010-02-28"),
            ("2010-03", "2010-03-01..2010-03-10"),
            ("2010-W01", "2010-01-04..2010-01-10"),
            ("2010", "2010-01-01..2010-03-10"),
            ("2010-02..", "2010-02-01..2010-03-10"),
            ("2010-03-09..", "2010-03-09..2010-03-10"),
            ("..2010-01-02+2010-03-05", "2010-01-01..2010-01-02+2010-03-05"),
            ("2010-01..2010-02-02", "2010-01-01..2010-02-02"),
            // What is named day by day is meant as it is, and what is to come is not left out in silence.
            ("2010-03-09..2010-03-12", "2010-03-09..2010-03-12"),
            ("2010-04", "2010-04-01"),
            ("2010-03-11..", "2010-03-11"),
        ] {
            let set = days.parse_set(text, &symbols, &extent).unwrap();
            assert_eq!(days.format_set(&set, &symbols), meaning, "{text}");
        }
        let day = hours.parse_set("2010-10-31", &symbols, &hours.bounds(&symbols)).unwrap();
        assert_eq!(day.len(), 25);
        assert!(days.is_open() && !cities().0.is_open());
    }
}
