//! A time dimension's key space: periods of one length from a start on, in one zone.

use super::calendar::{first_day, period_of_day, Granularity};
use super::zone::{instant_of, seconds_of, Zone};
use crate::keys::KeyError;
use crate::range_set::{Key, RangeSet};
use jiff::Timestamp;

/// Periods of one length from `start` on, up to `end` or without end.
///
/// Keys of days and longer periods are calendar labels, the same number in every zone; the zone says
/// when they end. An hour's key is the UTC hour, the zone says how it is written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TimeSpace {
    granularity: Granularity,
    start: Key,
    end: Option<Key>,
    zone: Zone,
}

impl TimeSpace {
    /// Parses the texts of a declaration.
    ///
    /// # Errors
    /// An unknown zone, a bad key text, an end before the start.
    pub fn parse(
        granularity: Granularity,
        start: &str,
        end: Option<&str>,
        timezone: &str,
    ) -> Result<TimeSpace, KeyError> {
        let zone =
            Zone::named(timezone).ok_or_else(|| KeyError::UnknownZone { name: timezone.to_owned() })?;
        let any = TimeSpace { granularity, start: 0, end: None, zone };
        let start = any.parse_label(start)?;
        let end = end.map(|end| any.parse_label(end)).transpose()?;
        TimeSpace::new(granularity, start, end, any.zone)
    }

    /// From numbers; `end` is included.
    ///
    /// # Errors
    /// An end before the start.
    pub fn new(
        granularity: Granularity,
        start: Key,
        end: Option<Key>,
        zone: Zone,
    ) -> Result<TimeSpace, KeyError> {
        let space = TimeSpace { granularity, start, end, zone };
        match end {
            Some(end) if end < start => {
                Err(KeyError::EmptySpace { start: space.format_key(start), end: space.format_key(end) })
            }
            _ => Ok(space),
        }
    }

    /// Length of the periods.
    #[must_use]
    pub fn granularity(&self) -> Granularity {
        self.granularity
    }

    /// The first key.
    #[must_use]
    pub fn start(&self) -> Key {
        self.start
    }

    /// The last key; none if the space has no end.
    #[must_use]
    pub fn end(&self) -> Option<Key> {
        self.end
    }

    /// The zone in which periods begin and end.
    #[must_use]
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// All keys that ever are in the space.
    #[must_use]
    pub fn bounds(&self) -> RangeSet {
        RangeSet::range(self.start, self.end.unwrap_or(Key::MAX))
    }

    /// The keys that exist at an instant: those of the space whose periods have ended.
    #[must_use]
    pub fn extent(&self, as_of: Timestamp) -> RangeSet {
        match self.last_ended(as_of) {
            Some(last) => RangeSet::range(self.start, self.end.map_or(last, |end| end.min(last))),
            None => RangeSet::new(),
        }
    }

    /// The last period of this length, in the space or not, that has ended at an instant.
    fn last_ended(&self, as_of: Timestamp) -> Option<Key> {
        let seconds = seconds_of(as_of);
        if seconds < 0 {
            return None;
        }
        let running = match self.granularity {
            Granularity::Hour => Key::try_from(seconds / 3_600).unwrap_or(Key::MAX),
            longer => period_of_day(longer, self.zone.day_at(seconds)),
        };
        running.checked_sub(1)
    }

    /// The instant at which a key's period ends, and so the key comes into existence; none beyond the
    /// calendar.
    #[must_use]
    pub fn ends_at(&self, key: Key) -> Option<Timestamp> {
        let next = key.checked_add(1)?;
        match self.granularity {
            Granularity::Hour => instant_of(i64::from(next) * 3_600),
            longer => self.zone.day_start_instant(first_day(longer, next)),
        }
    }

    /// The first key of this length that begins no earlier than a longer period. Both lengths must
    /// nest ([`Granularity::nests_in`]).
    #[must_use]
    pub fn first_within(&self, coarse: Granularity, period: Key) -> Key {
        debug_assert!(self.granularity.nests_in(coarse));
        match self.granularity {
            Granularity::Month => period.saturating_mul(12),
            Granularity::Hour => self.zone.first_hour_of_day(first_day(coarse, period)),
            _ => first_day(coarse, period),
        }
    }

    /// First and last key of this length within a longer period: the days of a month, the 23 to 25
    /// hours of a day; none if there are none (a day that the zone left out).
    #[must_use]
    pub fn within(&self, coarse: Granularity, period: Key) -> Option<(Key, Key)> {
        self.within_all(coarse, period, period)
    }

    /// The same for a range of longer periods.
    #[must_use]
    pub fn within_all(&self, coarse: Granularity, from: Key, to: Key) -> Option<(Key, Key)> {
        let lo = self.first_within(coarse, from);
        let hi = self.first_within(coarse, to.saturating_add(1)).checked_sub(1)?;
        (lo <= hi).then_some((lo, hi))
    }

    /// The longer period in which a key of this length begins.
    #[must_use]
    pub fn containing(&self, coarse: Granularity, key: Key) -> Key {
        debug_assert!(self.granularity.nests_in(coarse));
        match self.granularity {
            Granularity::Month => key / 12,
            Granularity::Hour => period_of_day(coarse, self.zone.day_of_hour(key)),
            _ => period_of_day(coarse, key),
        }
    }

    /// Parses a key of this space.
    ///
    /// # Errors
    /// Not written as this length's keys are, not in the calendar, or outside the space.
    pub fn parse_key(&self, text: &str) -> Result<Key, KeyError> {
        let key = self.parse_label(text)?;
        let outside = |limit, side| {
            Err(KeyError::OutOfRange { text: text.to_owned(), side, limit: self.format_key(limit) })
        };
        match self.end {
            _ if key < self.start => outside(self.start, "before the first key"),
            Some(end) if key > end => outside(end, "after the last key"),
            _ => Ok(key),
        }
    }
}
