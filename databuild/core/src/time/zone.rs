//! Time zones: where a calendar day begins, as instants.
//!
//! Zones come from the database that is compiled in, so that a plan means the same on every machine.
//! Day `d` is the span from the first instant of its label up to the first instant of the next: spans
//! tile time without gap or overlap whatever a zone does at midnight. A day that a zone left out (Samoa,
//! 2011-12-30) is an empty span, and no key. What hours are is said in [`super::clock`].

use super::calendar::{checked_day, date_of_day, LAST_YEAR};
use super::clock::{showing, Clock, Stretch};
use super::instants::{instant_of, seconds_of, EPOCH};
use crate::range_set::Key;
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// A time zone by its IANA name. Zones are equal if their clocks always show the same time: `UTC` and `Etc/UTC`,
/// `Europe/Kiev` and `Europe/Kyiv`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone {
    name: String,
    tz: TimeZone,
    utc: bool,
    clock: Arc<Clock>,
}

impl Zone {
    /// Looks a name up in the built-in database; case does not matter.
    #[must_use]
    pub fn named(name: &str) -> Option<Zone> {
        let tz = TimeZoneDatabase::bundled().get(name).ok()?;
        let name = tz.iana_name()?.to_owned();
        Some(Zone::of(name, tz))
    }

    /// Coordinated universal time.
    #[must_use]
    pub fn utc() -> Zone {
        Zone::of("UTC".to_owned(), TimeZone::UTC)
    }

    fn of(name: String, tz: TimeZone) -> Zone {
        let clock = Clock::of(&name, &tz);
        let utc = clock.is_utc();
        Zone { name, tz, utc, clock }
    }

    /// Its name in the IANA database.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its clock shows.
    pub(super) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The stretches of constant offset from the one with `first` to the one with `last`, both in seconds since
    /// 0001-01-01T00Z; none after the year 2100 is told apart.
    pub(crate) fn stretches(&self, first: i64, last: i64) -> impl DoubleEndedIterator<Item = Stretch> + '_ {
        self.clock.stretches(first, last)
    }

    /// The number of the first hour that begins no earlier than `day` does.
    pub(super) fn first_hour_of_day(&self, day: Key) -> Key {
        if day == 0 {
            // Zones west of Greenwich begin the calendar hours later; nothing is lost by giving those
            // hours to the first day, and every hour then has a day.
            return 0;
        }
        let begin = self.day_start(day);
        let hour = self.clock.hour_at(begin);
        if self.clock.begin_of(hour) < begin {
            hour.saturating_add(1)
        } else {
            hour
        }
    }

    /// The day in whose span an hour begins.
    pub(super) fn day_of_hour(&self, hour: Key) -> Key {
        self.day_at(self.clock.begin_of(hour))
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
        let ambiguous = self.tz.to_ambiguous_timestamp(midnight);
        let instant = match ambiguous.offset() {
            // The day begins where clocks were set over its midnight.
            AmbiguousOffset::Gap { before, .. } => {
                let set = before.to_timestamp(midnight).ok().and_then(|at| {
                    let after = at.checked_add(jiff::SignedDuration::from_secs(1)).ok()?;
                    self.tz.preceding(after).next()
                });
                set.map(|set| set.timestamp())
            }
            _ => ambiguous.compatible().ok(),
        };
        instant.map_or(i64::MAX / 2, seconds_of)
    }

    /// Local date and time of an hour's first instant and the offset from UTC in seconds; none beyond the calendar.
    pub(super) fn local_hour(&self, hour: Key) -> Option<(DateTime, i64)> {
        let instant = instant_of(self.clock.begin_of(hour))?;
        let offset = self.tz.to_offset(instant);
        let local = offset.to_datetime(instant);
        let in_calendar = (1..=i64::from(LAST_YEAR)).contains(&i64::from(local.year()));
        in_calendar.then(|| (local, i64::from(offset.seconds())))
    }

    /// The hours, in order, during which the clock shows some hour of a calendar day, each with the offset from UTC in
    /// seconds; an hour in which the clock was set may come with several offsets.
    pub(super) fn hours_showing(&self, day: Key, hour: u32) -> Vec<(Key, i64)> {
        showing(&self.clock, &self.tz, i64::from(day) * 86_400 + i64::from(hour) * 3_600)
    }

    /// The instant at which a day begins.
    pub(super) fn day_start_instant(&self, day: Key) -> Option<Timestamp> {
        instant_of(self.day_start(day))
    }
}

fn local(zone: &Zone, seconds: i64) -> DateTime {
    let first = Timestamp::MIN.as_second();
    let last = Timestamp::MAX.as_second();
    let instant = Timestamp::from_second((seconds - EPOCH).clamp(first, last)).unwrap_or(Timestamp::MAX);
    zone.tz.to_datetime(instant)
}

impl TryFrom<String> for Zone {
    type Error = String;

    fn try_from(name: String) -> Result<Zone, String> {
        Zone::named(&name).ok_or_else(|| format!("the time zone `{name}` is not known"))
    }
}

impl From<Zone> for String {
    fn from(zone: Zone) -> String {
        zone.name().to_owned()
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Zone) -> bool {
        Arc::ptr_eq(&self.clock, &other.clock) || self.clock == other.clock
    }
}

impl Eq for Zone {}

impl PartialOrd for Zone {
    fn partial_cmp(&self, other: &Zone) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Zone {
    fn cmp(&self, other: &Zone) -> Ordering {
        if Arc::ptr_eq(&self.clock, &other.clock) {
            Ordering::Equal
        } else {
            self.clock.cmp(&other.clock)
        }
    }
}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.clock.hash(state);
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
