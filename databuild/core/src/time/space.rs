//! A time dimension's key space: periods of one length from a start on, in one zone.

use super::calendar::{first_day, period_of_day, Granularity};
use super::instants::{instant_of, seconds_of};
use super::zone::Zone;
use crate::key_error::KeyError;
use crate::range_set::{Key, RangeSet};
use jiff::Timestamp;

/// Periods of one length from `start` on, up to `end` or without end.
///
/// Keys of weeks and longer periods have the same number in every zone; the zone says when they end. Days are numbered
/// without those that the zone left out, hours as the zone's clock shows them.
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

    /// The same for a declaration that was stored: version 0.1.0 had other hours in zones that are not whole hours from UTC,
    /// and days that zones left out.
    ///
    /// # Errors
    /// As for [`TimeSpace::parse`], but for those bounds.
    pub(crate) fn parse_stored(
        granularity: Granularity,
        start: &str,
        end: Option<&str>,
        timezone: &str,
    ) -> Result<TimeSpace, KeyError> {
        match TimeSpace::parse(granularity, start, end, timezone) {
            Err(KeyError::NotAnHour { text, nearest, .. } | KeyError::SkippedDay { text, nearest, .. })
                if text != nearest =>
            {
                let near = |bound| if text == bound { nearest.as_str() } else { bound };
                let (start, end) = (near(start), end.map(near));
                TimeSpace::parse_stored(granularity, start, end, timezone)
            }
            parsed => parsed,
        }
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

    /// Whether version 0.1.0 may have had other keys: it had hours of UTC in all zones, and days that zones left out.
    #[must_use]
    pub fn had_other_keys(&self) -> bool {
        matches!(self.granularity, Granularity::Hour | Granularity::Day) && self.zone != Zone::utc()
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

    /// When the next key comes into existence after an instant; none if there are all, or beyond the calendar.
    #[must_use]
    pub fn grows_at(&self, as_of: Timestamp) -> Option<Timestamp> {
        let next = self.last_ended(as_of).map_or(Some(0), |last| last.checked_add(1))?.max(self.start);
        self.end.is_none_or(|end| next <= end).then(|| self.ends_at(next))?
    }

    /// The last period of this length, in the space or not, that has ended at an instant.
    fn last_ended(&self, as_of: Timestamp) -> Option<Key> {
        let seconds = seconds_of(as_of);
        if seconds < 0 {
            return None;
        }
        let running = match self.granularity {
            Granularity::Hour => self.zone.clock().hour_at(seconds),
            Granularity::Day => self.zone.clock().number_of_day(self.zone.day_at(seconds)),
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
            Granularity::Hour => instant_of(self.zone.clock().begin_of(next)),
            Granularity::Day => self.zone.day_start_instant(self.zone.clock().day_of_number(next)),
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
            Granularity::Hour => self.zone.first_hour_of_day(self.first_calendar_day(coarse, period)),
            Granularity::Day => self.zone.clock().number_of_day(first_day(coarse, period)),
            _ => first_day(coarse, period),
        }
    }

    /// The calendar day with which a period of a day or longer begins.
    pub(super) fn first_calendar_day(&self, granularity: Granularity, period: Key) -> Key {
        match granularity {
            Granularity::Day => self.zone.clock().day_of_number(period),
            longer => first_day(longer, period),
        }
    }

    /// First and last key of this length within a longer period: the days of a month, the 23 to 25
    /// hours of a day; none if there are none.
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
            Granularity::Hour if coarse == Granularity::Day => {
                self.zone.clock().number_of_day(self.zone.day_of_hour(key))
            }
            Granularity::Hour => period_of_day(coarse, self.zone.day_of_hour(key)),
            _ => period_of_day(coarse, self.zone.clock().day_of_number(key)),
        }
    }

    /// Parses a key, or a longer period: the first and the last key of the space within it, and whether it is a key itself.
    ///
    /// # Errors
    /// As for a key.
    pub fn parse_period(&self, text: &str) -> Result<((Key, Key), bool), KeyError> {
        use Granularity::{Day, Month, Week, Year};
        let bad_form = match self.parse_label(text) {
            Err(error @ KeyError::BadForm { .. }) => error,
            _ => return self.parse_key(text).map(|key| ((key, key), true)),
        };
        for coarse in [Day, Week, Month, Year].into_iter().filter(|coarse| self.granularity.nests_in(*coarse))
        {
            let longer = TimeSpace { granularity: coarse, start: 0, end: None, zone: self.zone.clone() };
            let period = match longer.parse_label(text) {
                Err(KeyError::BadForm { .. }) => continue,
                label => label?,
            };
            let (lo, hi) = self.within(coarse, period).unwrap_or((Key::MAX, 0));
            let (first, last) = (lo.max(self.start), hi.min(self.end.unwrap_or(Key::MAX)));
            if first > last {
                return Err(self.out_of_range(text, hi));
            }
            return Ok(((first, last), false));
        }
        Err(bad_form)
    }

    /// Of a key or a longer period's last key that is not in the space.
    fn out_of_range(&self, text: &str, key: Key) -> KeyError {
        let (side, limit) = match self.end {
            Some(end) if key >= self.start => ("after the last key", end),
            _ => ("before the first key", self.start),
        };
        KeyError::OutOfRange { text: text.to_owned(), side, limit: self.format_key(limit) }
    }

    /// Parses a key of this space.
    ///
    /// # Errors
    /// Not written as this length's keys are, not in the calendar, or outside the space.
    pub fn parse_key(&self, text: &str) -> Result<Key, KeyError> {
        let key = self.parse_label(text)?;
        if key < self.start || self.end.is_some_and(|end| key > end) {
            return Err(self.out_of_range(text, key));
        }
        Ok(key)
    }
}
