//! Time zones: where a calendar day begins, as instants.
//!
//! Zones come from the database that is compiled in, so that a plan means the same on every machine.
//! Day `d` is the span from the first instant of its label up to the first instant of the next: spans
//! tile time without gap or overlap whatever a zone does at midnight. A day that a zone left out (Samoa,
//! 2011-12-30) is an empty span.

use super::calendar::{checked_day, date_of_day, LAST_YEAR};
use crate::range_set::Key;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};
use jiff::Timestamp;
use std::fmt;

/// Seconds from 0001-01-01T00Z to 1970-01-01T00Z.
const EPOCH: i64 = 719_162 * 86_400;

/// A time zone by its IANA name.
#[derive(Clone)]
pub struct Zone {
    name: String,
    tz: TimeZone,
    utc: bool,
}

impl Zone {
    /// Looks a name up in the built-in database; case does not matter.
    #[must_use]
    pub fn named(name: &str) -> Option<Zone> {
        let tz = TimeZoneDatabase::bundled().get(name).ok()?;
        let name = tz.iana_name()?.to_owned();
        let utc = name == "UTC" || name == "Etc/UTC";
        Some(Zone { name, tz, utc })
    }

    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Zone {
        Zone { name: "UTC".to_owned(), tz: TimeZone::UTC, utc: true }
    }

    /// Its name in the IANA database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The number of the first UTC hour that begins no earlier than `day` does.
    pub(super) fn first_hour_of_day(&self, day: Key) -> Key {
        if day == 0 {
            // Zones west of Greenwich begin the calendar hours later; nothing is lost by giving those
            // hours to the first day, and every hour then has a day.
            return 0;
        }
        let seconds = self.day_start(day);
        Key::try_from((seconds + 3_599).div_euclid(3_600).max(0)).unwrap_or(Key::MAX)
    }

    /// The day in whose span an hour begins.
    pub(super) fn day_of_hour(&self, hour: Key) -> Key {
        self.day_at(i64::from(hour) * 3_600)
    }

    /// The day in whose span an instant lies, given in seconds since 0001-01-01T00Z.
    pub(super) fn day_at(&self, seconds: i64) -> Key {
        if self.utc {
            return Key::try_from(seconds.div_euclid(86_400).max(0)).unwrap_or(Key::MAX);
        }
        // The label on the clock is the right day, except where clocks were set back over midnight.
        let date = local(self, seconds).date();
        let (year, month, day) = (date.year().max(1) as u32, date.month() as u32, date.day() as u32);
        let mut day = checked_day(year, month, day).unwrap_or(0);
        while day > 0 && self.day_start(day) > seconds {
            day -= 1;
        }
        while self.day_start(day + 1) <= seconds {
            day += 1;
        }
        day
    }

    /// The instant at which a day begins, in seconds since 0001-01-01T00Z; beyond the calendar it is
    /// the end of time.
    fn day_start(&self, day: Key) -> i64 {
        if self.utc {
            return i64::from(day) * 86_400;
        }
        let (year, month, day) = date_of_day(day);
        if year > LAST_YEAR {
            return i64::MAX / 2;
        }
        // Year, month and day are a calendar's and fit.
        let midnight = DateTime::constant(year as i16, month as i8, day as i8, 0, 0, 0, 0);
        match self.tz.to_ambiguous_timestamp(midnight).compatible() {
            Ok(instant) => seconds_of(instant),
            Err(_) => i64::MAX / 2,
        }
    }

    /// Local date and time of an hour's first instant and the offset from UTC, and whether the same
    /// date and time come twice; none beyond the calendar.
    pub(super) fn local_hour(&self, hour: Key) -> Option<(DateTime, Offset, bool)> {
        let instant = instant_of(i64::from(hour) * 3_600)?;
        let offset = self.tz.to_offset(instant);
        let local = offset.to_datetime(instant);
        let year = i64::from(local.year());
        if !(1..=i64::from(LAST_YEAR)).contains(&year) {
            return None;
        }
        let twice = matches!(self.tz.to_ambiguous_timestamp(local).offset(), AmbiguousOffset::Fold { .. });
        Some((local, offset, twice))
    }

    /// The instants, in seconds since 0001-01-01T00Z, at which clocks show a local date and time.
    pub(super) fn instants_at(&self, local: DateTime) -> LocalInstants {
        let ambiguous = self.tz.to_ambiguous_timestamp(local);
        match ambiguous.offset() {
            AmbiguousOffset::Gap { .. } => LocalInstants::None,
            AmbiguousOffset::Unambiguous { offset } => match offset.to_timestamp(local) {
                Ok(instant) => LocalInstants::One(seconds_of(instant)),
                Err(_) => LocalInstants::None,
            },
            AmbiguousOffset::Fold { before, after } => {
                match (before.to_timestamp(local), after.to_timestamp(local)) {
                    (Ok(first), Ok(second)) => LocalInstants::Two(seconds_of(first), seconds_of(second)),
                    _ => LocalInstants::None,
                }
            }
        }
    }

    /// The instant of a local date and time with an offset from UTC, in seconds since 0001-01-01T00Z;
    /// none if the zone had another offset then.
    pub(super) fn instant_with_offset(&self, local: DateTime, offset: Offset) -> Option<i64> {
        let instant = offset.to_timestamp(local).ok()?;
        (self.tz.to_offset(instant) == offset).then(|| seconds_of(instant))
    }

    /// The instant at which a day begins.
    pub(super) fn day_start_instant(&self, day: Key) -> Option<Timestamp> {
        instant_of(self.day_start(day))
    }
}

/// When clocks show some local date and time.
pub(super) enum LocalInstants {
    /// Never: clocks were set forward over it.
    None,
    /// Once.
    One(i64),
    /// Twice: clocks were set back over it.
    Two(i64, i64),
}

/// The instant so many seconds after 0001-01-01T00Z; none beyond the calendar.
pub(super) fn instant_of(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds.checked_sub(EPOCH)?).ok()
}

fn local(zone: &Zone, seconds: i64) -> DateTime {
    let first = Timestamp::MIN.as_second();
    let last = Timestamp::MAX.as_second();
    let instant = Timestamp::from_second((seconds - EPOCH).clamp(first, last)).unwrap_or(Timestamp::MAX);
    zone.tz.to_datetime(instant)
}

/// Seconds since 0001-01-01T00Z, rounded down.
pub(super) fn seconds_of(instant: Timestamp) -> i64 {
    let below = i64::from(instant.subsec_nanosecond() < 0);
    instant.as_second() - below + EPOCH
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl std::hash::Hash for Zone {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Zone({})", self.name)
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
