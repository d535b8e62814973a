//! Keys as somebody names them: `eu+us`, `2010-06-01..2010-06-07`, `2010-06`, `latest-6..latest`.
//!
//! A text is read once, by its key space. Which keys it means follows from those that exist at an instant: an end of a range may
//! be left out, a longer period may be named, such as a month of days, and relative keys are counted back from the latest one.
//! Relative keys mean others at another instant, so requests may have them, and no event has.

use crate::key_error::KeyError;
use crate::keys::KeySpace;
use crate::range_set::{Key, RangeSet};
use crate::symbols::Symbols;
use crate::time::{Granularity, TimeSpace};

/// The last key that exists.
const LATEST: &str = "latest";

/// Keys of one space, as they were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NamedKeys<'a> {
    /// Listed or dynamic keys.
    Listed(RangeSet),
    /// Periods.
    Periods(&'a TimeSpace, Vec<Periods<'a>>),
}

/// A range of periods, or one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Periods<'a> {
    text: &'a str,
    from: Bound<'a>,
    to: Bound<'a>,
}

/// One end of a range of periods.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Bound<'a> {
    /// It was left out.
    Open,
    /// A key.
    Key(Key),
    /// The first and the last key within a longer period.
    Longer(Key, Key),
    /// So many keys before the latest one, and the text that says so.
    Relative(Key, &'a str),
}

impl<'a> NamedKeys<'a> {
    /// Reads a set of keys: a key, a range of periods `a..b`, or several of these joined by `+`.
    ///
    /// # Errors
    /// As for single keys; a range of listed keys, or relative ones; a relative key that cannot be read.
    pub fn parse(space: &'a KeySpace, text: &'a str, symbols: &Symbols) -> Result<NamedKeys<'a>, KeyError> {
        match space {
            KeySpace::Time(space) => Ok(NamedKeys::Periods(space, periods(space, text)?)),
            KeySpace::Static(..) | KeySpace::Dynamic(_) => {
                let keys = text.split('+').map(|item| listed(space, item, symbols));
                Ok(NamedKeys::Listed(keys.collect::<Result<_, _>>()?))
            }
        }
    }

    /// Whether any of them is told by its distance from the latest key.
    #[must_use]
    pub fn is_relative(&self) -> bool {
        let relative = |bound: &Bound| matches!(bound, Bound::Relative(..));
        match self {
            NamedKeys::Listed(_) => false,
            NamedKeys::Periods(_, all) => all.iter().any(|one| relative(&one.from) || relative(&one.to)),
        }
    }

    /// The keys that are meant where these exist. Keys that are named one by one need not exist.
    ///
    /// # Errors
    /// A range that ends before it begins; a relative key before the first one.
    pub fn at(self, extent: &RangeSet) -> Result<RangeSet, KeyError> {
        match self {
            NamedKeys::Listed(keys) => Ok(keys),
            NamedKeys::Periods(space, all) => {
                let mut keys = RangeSet::new();
                for one in all {
                    keys.union_with(&one.at(space, extent)?);
                }
                Ok(keys)
            }
        }
    }
}

/// One key of a space without time.
fn listed(space: &KeySpace, item: &str, symbols: &Symbols) -> Result<Key, KeyError> {
    let is_range = item.contains("..");
    let error = match space.parse_key(item, symbols) {
        Ok(key) if !is_range => return Ok(key),
        Err(error) if !is_range => error,
        _ => KeyError::RangeOfStatic { text: item.to_owned() },
    };
    // Such a key may be listed; if it is not, the latest of these keys was meant.
    let relative = |bound: &str| matches!(read_relative(bound), Some(Ok(_)));
    match item.split("..").any(relative) {
        true => Err(KeyError::RelativeOfListed { text: item.to_owned() }),
        false => Err(error),
    }
}

/// Ranges of periods that are joined by `+`.
fn periods<'a>(space: &TimeSpace, text: &'a str) -> Result<Vec<Periods<'a>>, KeyError> {
    let mut all: Vec<Periods> = Vec::new();
    for item in items(text, space.granularity()) {
        let parsed = Periods::parse(space, item);
        // `latest+1` is no two keys.
        if let (Err(KeyError::BadForm { .. }), Some(Bound::Relative(_, before))) =
            (&parsed, all.last().map(|last| &last.to))
        {
            let ahead = item.split("..").next().unwrap_or(item);
            if !ahead.is_empty() && ahead.bytes().all(|byte| byte.is_ascii_digit()) {
                return Err(KeyError::AfterLatest { text: format!("{before}+{ahead}") });
            }
        }
        all.push(parsed?);
    }
    Ok(all)
}

/// Splits at `+`, save where it begins the offset of an hour.
fn items(text: &str, granularity: Granularity) -> Vec<&str> {
    let (mut items, mut begin) = (Vec::new(), 0);
    for (at, _) in text.match_indices('+') {
        let is_offset = granularity == Granularity::Hour && text.as_bytes().get(at + 3) == Some(&b':');
        if !is_offset {
            items.push(&text[begin..at]);
            begin = at + 1;
        }
    }
    items.push(&text[begin..]);
    items
}

/// How many keys before the latest one a text names, if it begins as such a text does.
fn read_relative(text: &str) -> Option<Result<Key, KeyError>> {
    let rest = text.strip_prefix(LATEST)?;
    let digits = rest.strip_prefix('-').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    Some(match (rest, digits) {
        ("", _) => Ok(0),
        // More than there are keys is before the first one, however many more.
        (_, Some(digits)) if !digits.is_empty() => Ok(digits.parse().unwrap_or(Key::MAX)),
        _ => Err(KeyError::BadRelative { text: text.to_owned() }),
    })
}

impl<'a> Bound<'a> {
    fn parse(space: &TimeSpace, text: &'a str) -> Result<Bound<'a>, KeyError> {
        if text.is_empty() {
            return Ok(Bound::Open);
        }
        if let Some(back) = read_relative(text) {
            return Ok(Bound::Relative(back?, text));
        }
        Ok(match space.parse_period(text)? {
            ((key, _), true) => Bound::Key(key),
            ((first, last), false) => Bound::Longer(first, last),
        })
    }

    /// The first and the last key that it may mean, and whether it names them, be they there or not.
    fn keys(&self, space: &TimeSpace, latest: Key) -> Result<((Key, Key), bool), KeyError> {
        match *self {
            Bound::Open => Ok(((space.start(), space.end().unwrap_or(Key::MAX)), false)),
            Bound::Key(key) => Ok(((key, key), true)),
            Bound::Longer(first, last) => Ok(((first, last), false)),
            Bound::Relative(back, text) => match latest.checked_sub(back) {
                Some(key) if key >= space.start() => Ok(((key, key), true)),
                _ => {
                    let (text, first) = (text.to_owned(), space.format_key(space.start()));
                    Err(KeyError::BeforeFirst { text, first, back: latest - space.start() })
                }
            },
        }
    }
}

impl<'a> Periods<'a> {
    fn parse(space: &TimeSpace, text: &'a str) -> Result<Periods<'a>, KeyError> {
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        if from.is_empty() && to.is_empty() {
            return Err(KeyError::BadForm { text: text.to_owned(), granularity: space.granularity() });
        }
        Ok(Periods { text, from: Bound::parse(space, from)?, to: Bound::parse(space, to)? })
    }

    fn at(&self, space: &TimeSpace, extent: &RangeSet) -> Result<RangeSet, KeyError> {
        let is_relative = |bound: &Bound| matches!(bound, Bound::Relative(..));
        let latest = match extent.last() {
            Some(latest) => latest,
            // Where nothing has ended yet, the first that is to come tells when it will.
            None if is_relative(&self.from) || is_relative(&self.to) => {
                return Ok(RangeSet::single(space.start()));
            }
            None => space.start(),
        };
        let ((from, exact_from), (to, exact_to)) =
            (self.from.keys(space, latest)?, self.to.keys(space, latest)?);
        if from.0 > to.1 {
            return Err(KeyError::EmptyRange { text: self.text.to_owned() });
        }
        let named = RangeSet::range(from.0, to.1);
        if exact_from && exact_to {
            return Ok(named);
        }
        let there = named.intersect(extent);
        Ok(if there.is_empty() { RangeSet::single(from.0) } else { there })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cities() -> (KeySpace, Symbols) {
        let mut symbols = Symbols::new();
        let keys = ["seattle", "san-francisco", "oslo"].map(|city| symbols.intern(city));
        (KeySpace::of_static(keys.to_vec()), symbols)
    }

    fn named(
        space: &KeySpace,
        text: &str,
        symbols: &Symbols,
        extent: &RangeSet,
    ) -> Result<RangeSet, KeyError> {
        NamedKeys::parse(space, text, symbols)?.at(extent)
    }

    #[test]
    fn sets_of_listed_keys() {
        let (space, symbols) = cities();
        let set = named(&space, "oslo+seattle+oslo", &symbols, &RangeSet::new()).unwrap();
        assert_eq!(space.format_set(&set, &symbols), "seattle+oslo");
        for (text, code) in
            [("oslo..seattle", "range_of_static_keys"), ("oslo+", "unknown_key"), ("", "unknown_key")]
        {
            assert_eq!(named(&space, text, &symbols, &RangeSet::new()).unwrap_err().code(), code, "{text}");
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
            let set = named(space, text, &symbols, &space.bounds(&symbols)).unwrap();
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
            let parsed = named(&days, text, &symbols, &days.bounds(&symbols));
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
            let set = named(&days, text, &symbols, &extent).unwrap();
            assert_eq!(days.format_set(&set, &symbols), meaning, "{text}");
        }
        let day = named(&hours, "2010-10-31", &symbols, &hours.bounds(&symbols)).unwrap();
        assert_eq!(day.len(), 25);
        assert!(days.is_open() && !cities().0.is_open());
    }

    fn time(granularity: Granularity, start: &str, end: Option<&str>, zone: &str) -> KeySpace {
        KeySpace::Time(TimeSpace::parse(granularity, start, end, zone).unwrap())
    }

    #[test]
    fn relative_keys_are_counted_back_from_the_latest_that_exists() {
        use Granularity::{Day, Hour, Month, Week, Year};
        let symbols = Symbols::new();
        let days = time(Day, "2010-01-01", None, "UTC");
        let ended = time(Day, "2010-01-01", Some("2010-02-10"), "UTC");
        // The day before 2011-12-31 is 2011-12-29 in Samoa.
        let samoa = time(Day, "2011-01-01", None, "Pacific/Apia");
        // 2010-03-14 has no hour 02, and 2010-11-07 has the hour 01 twice.
        let hours = time(Hour, "2010-01-01T00", None, "America/New_York");
        for (space, as_of, text, meaning) in [
            (&days, "2010-03-01T00:00Z", "latest", "2010-02-28"),
            (&days, "2010-02-28T23:59:59.9Z", "latest", "2010-02-27"),
            (&days, "2010-03-11T12:00Z", "latest-0", "2010-03-10"),
            (&days, "2010-03-11T12:00Z", "latest-6", "2010-03-04"),
            (&days, "2010-03-11T12:00Z", "latest-6..latest", "2010-03-04..2010-03-10"),
            (&days, "2010-03-11T12:00Z", "latest-1..", "2010-03-09..2010-03-10"),
            (&days, "2010-03-11T12:00Z", "..latest-60", "2010-01-01..2010-01-09"),
            (&days, "2010-03-11T12:00Z", "..latest", "2010-01-01..2010-03-10"),
            (&days, "2010-03-11T12:00Z", "2010-03-08..latest", "2010-03-08..2010-03-10"),
            (&days, "2010-03-11T12:00Z", "2010-03..latest-1", "2010-03-01..2010-03-09"),
            (&days, "2010-03-11T12:00Z", "latest+2010-01-01+latest-2", "2010-01-01+2010-03-08+2010-03-10"),
            (&days, "2010-03-11T12:00Z", "latest+2010", "2010-01-01..2010-03-10"),
            (&days, "2010-01-02T00:00Z", "latest", "2010-01-01"),
            (&days, "2010-01-04T00:00Z", "latest-2..latest", "2010-01-01..2010-01-03"),
            (&ended, "2010-02-10T12:00Z", "latest", "2010-02-09"),
            (&ended, "2030-01-01T00:00Z", "latest-1..latest", "2010-02-09..2010-02-10"),
            (&samoa, "2011-12-31T12:00Z", "latest-1..latest", "2011-12-29..2011-12-31"),
            (&hours, "2010-03-14T07:00Z", "latest-1..latest", "2010-03-14T00..2010-03-14T01"),
            (&hours, "2010-03-14T08:00Z", "latest-1..latest", "2010-03-14T01..2010-03-14T03"),
            (&hours, "2010-11-07T06:00Z", "latest", "2010-11-07T01-04:00"),
            (&hours, "2010-11-07T07:30Z", "latest-1..latest", "2010-11-07T01-04:00..2010-11-07T01-05:00"),
            (&hours, "2010-11-07T07:30Z", "latest-1+2010-11-06T23", "2010-11-06T23+2010-11-07T01-04:00"),
            (&time(Day, "2010-01-01", None, "Asia/Tokyo"), "2010-03-10T15:00Z", "latest", "2010-03-10"),
            (&time(Day, "2010-01-01", None, "America/New_York"), "2010-03-11T04:59Z", "latest", "2010-03-09"),
            (&time(Week, "2010-W01", None, "UTC"), "2010-01-18T00:00Z", "latest-1", "2010-W01"),
            (
                &time(Month, "2010-01", None, "UTC"),
                "2011-01-31T00:00Z",
                "latest-1..latest",
                "2010-11..2010-12",
            ),
            (&time(Year, "2000", None, "UTC"), "2010-12-31T00:00Z", "latest-2", "2007"),
            (&time(Year, "2000", None, "UTC"), "2010-12-31T00:00Z", "latest+2005", "2005+2009"),
            // None is there yet: the first that is to come tells when it will.
            (&days, "2010-01-01T12:00Z", "latest", "2010-01-01"),
            (&days, "2009-01-01T12:00Z", "latest-6..latest", "2010-01-01"),
        ] {
            let extent = space.extent(as_of.parse().unwrap(), &symbols);
            let set = named(space, text, &symbols, &extent);
            let told = set.map(|set| space.format_set(&set, &symbols));
            assert_eq!(told.as_deref(), Ok(meaning), "{text} at {as_of}");
        }
    }

    #[test]
    fn what_is_wrong_with_relative_keys_is_told_with_what_to_write() {
        let (cities, mut symbols) = cities();
        let days = time(Granularity::Day, "2010-01-01", None, "UTC");
        let hours = time(Granularity::Hour, "2010-01-01T00", None, "UTC");
        let years = time(Granularity::Year, "2000", None, "UTC");
        let acme = symbols.intern("acme");
        symbols.add_keys("customers", [acme]);
        let customers = KeySpace::Dynamic("customers".into());
        let as_of = "2010-01-04T12:00Z".parse().unwrap();
        for (space, text, code) in [
            (&days, "latest+1", "after_latest_key"),
            (&days, "latest-6..latest+1", "after_latest_key"),
            (&days, "latest+1..latest+3", "after_latest_key"),
            (&hours, "latest+12", "after_latest_key"),
            (&years, "latest+1", "after_latest_key"),
            (&days, "latest-x", "bad_relative_key"),
            (&days, "latest-", "bad_relative_key"),
            (&days, "latest--1", "bad_relative_key"),
            (&days, "latest 1", "bad_relative_key"),
            (&days, "latest-1-2", "bad_relative_key"),
            (&days, "latest-1d", "bad_relative_key"),
            (&days, "latest-\u{661}", "bad_relative_key"),
            (&days, "latestdays", "bad_relative_key"),
            (&hours, "latest+02:00", "bad_relative_key"),
            (&days, "Latest", "bad_time_key"),
            (&days, "latest+x", "bad_time_key"),
            (&days, "latest+", "bad_time_key"),
            (&days, "latest-3", "before_first_key"),
            (&days, "latest-3..latest", "before_first_key"),
            (&days, "latest-99999999999999999999", "before_first_key"),
            (&days, "latest..latest-1", "empty_range"),
            (&days, "2011-01-01..latest", "empty_range"),
            (&cities, "latest", "relative_key_of_list"),
            (&cities, "oslo+latest-1", "relative_key_of_list"),
            (&cities, "latest-1..latest", "relative_key_of_list"),
            (&cities, "..latest", "relative_key_of_list"),
            (&cities, "latest-x", "unknown_key"),
            (&customers, "latest", "relative_key_of_list"),
            (&customers, "acme..latest", "relative_key_of_list"),
        ] {
            let error = named(space, text, &symbols, &space.extent(as_of, &symbols)).unwrap_err();
            assert_eq!(error.code(), code, "{text}: {error}");
        }
        let message =
            |text| named(&days, text, &symbols, &days.extent(as_of, &symbols)).unwrap_err().to_string();
        assert_eq!(
            message("latest-6..latest"),
            "`latest-6` is before the first key 2010-01-01, which is `latest-2` now; for all keys up to the latest write `..latest`"
        );
        assert_eq!(
            message("latest-6..latest+1"),
            "`latest+1` comes after the latest key, and no later one exists yet; write `latest`, or the key as it will be called"
        );
    }

    #[test]
    fn a_listed_key_may_be_called_latest() {
        let mut symbols = Symbols::new();
        let channels =
            KeySpace::of_static(["stable", "latest", "latest-1"].map(|key| symbols.intern(key)).to_vec());
        let set = named(&channels, "latest+latest-1", &symbols, &RangeSet::new()).unwrap();
        assert_eq!(channels.format_set(&set, &symbols), "latest+latest-1");
        let range = named(&channels, "latest-1..stable", &symbols, &RangeSet::new());
        assert_eq!(range.unwrap_err().code(), "relative_key_of_list");
    }
}
