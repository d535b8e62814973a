//! How time keys are written: `2010-06-01T13`, `2010-06-01`, `2010-W05`, `2010-06`, `2010`.
//!
//! Invariant: parsing what was formatted gives the same key. Hours are written in the zone's local time,
//! with minutes only where UTC hours do not begin at local full hours, and with the offset only where
//! the same local time comes twice.

use super::calendar::{
    checked_day, checked_week, date_of_day, first_day, iso_of_week, Granularity, LAST_YEAR,
};
use super::space::TimeSpace;
use super::zone::LocalInstants;
use crate::keys::KeyError;
use crate::range_set::Key;
use jiff::civil::DateTime;
use jiff::tz::Offset;

impl TimeSpace {
    /// Parses a key of this length, within the space or not.
    ///
    /// # Errors
    /// Not written as this length's keys are, or not in the calendar.
    pub fn parse_label(&self, text: &str) -> Result<Key, KeyError> {
        let bad_form = || KeyError::BadForm { text: text.to_owned(), granularity: self.granularity() };
        let absent = || KeyError::NotInCalendar { text: text.to_owned(), granularity: self.granularity() };
        let mut cursor = Cursor(text);
        let year = cursor.number(4).ok_or_else(bad_form)?;
        if self.granularity() == Granularity::Hour {
            let local = cursor.rest_of_local(year).ok_or_else(bad_form)?;
            let offset = cursor.offset().ok_or_else(bad_form)?;
            cursor.end().ok_or_else(bad_form)?;
            let local = local.date_time().ok_or_else(absent)?;
            return self.hour_at(text, local, offset);
        }
        let mut parts = || -> Option<(u32, u32)> {
            let parts = match self.granularity() {
                Granularity::Year => (1, 1),
                Granularity::Month => (cursor.after("-")?.number(2)?, 1),
                Granularity::Week => (1, cursor.after("-W")?.number(2)?),
                _ => (cursor.after("-")?.number(2)?, cursor.after("-")?.number(2)?),
            };
            cursor.end()?;
            Some(parts)
        };
        let (month, last) = parts().ok_or_else(bad_form)?;
        let key = match self.granularity() {
            Granularity::Week => checked_week(year, last),
            Granularity::Month => checked_day(year, month, 1).map(|_| (year - 1) * 12 + month - 1),
            Granularity::Year => checked_day(year, 1, 1).map(|_| year - 1),
            _ => checked_day(year, month, last),
        };
        key.ok_or_else(absent)
    }

    /// The key of a local date and time.
    fn hour_at(&self, text: &str, local: DateTime, offset: Option<Offset>) -> Result<Key, KeyError> {
        let zone = || self.zone().name().to_owned();
        let whole = |seconds: i64| {
            (seconds.rem_euclid(3_600) == 0).then(|| Key::try_from(seconds / 3_600).ok()).flatten()
        };
        let written = |seconds: i64| whole(seconds).map(|hour| self.format_hour(hour, true)).into_iter();
        let seconds = match offset {
            Some(offset) => self
                .zone()
                .instant_with_offset(local, offset)
                .ok_or_else(|| KeyError::WrongOffset { text: text.to_owned(), zone: zone() })?,
            None => match self.zone().instants_at(local) {
                LocalInstants::None => {
                    return Err(KeyError::SkippedHour { text: text.to_owned(), zone: zone() })
                }
                LocalInstants::One(seconds) => seconds,
                LocalInstants::Two(first, second) => {
                    return Err(KeyError::AmbiguousHour {
                        text: text.to_owned(),
                        zone: zone(),
                        candidates: written(first).chain(written(second)).collect(),
                    })
                }
            },
        };
        whole(seconds).ok_or_else(|| KeyError::NotAnHour {
            text: text.to_owned(),
            zone: zone(),
            nearest: self.format_key(Key::try_from(seconds.max(0) / 3_600).unwrap_or(Key::MAX)),
        })
    }

    /// The text of a key, within the space or not. Numbers beyond the year 9999, which no text names,
    /// are written `#number`.
    #[must_use]
    pub fn format_key(&self, key: Key) -> String {
        let beyond = || format!("#{key}");
        match self.granularity() {
            Granularity::Hour => self.format_hour(key, false),
            Granularity::Week => match iso_of_week(key) {
                (year, _) if year > LAST_YEAR => beyond(),
                (year, week) => format!("{year:04}-W{week:02}"),
            },
            other => match (date_of_day(first_day(other, key)), other) {
                ((year, _, _), _) if year > LAST_YEAR => beyond(),
                ((year, _, _), Granularity::Year) => format!("{year:04}"),
                ((year, month, _), Granularity::Month) => format!("{year:04}-{month:02}"),
                ((year, month, day), _) => format!("{year:04}-{month:02}-{day:02}"),
            },
        }
    }

    fn format_hour(&self, key: Key, with_offset: bool) -> String {
        let Some((local, offset, twice)) = self.zone().local_hour(key) else {
            return format!("#{key}");
        };
        let mut text =
            format!("{:04}-{:02}-{:02}T{:02}", local.year(), local.month(), local.day(), local.hour());
        if local.minute() != 0 || local.second() != 0 {
            text.push_str(&format!(":{:02}", local.minute()));
        }
        if local.second() != 0 {
            text.push_str(&format!(":{:02}", local.second()));
        }
        if twice || with_offset {
            let seconds = offset.seconds();
            let (sign, size) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
            text.push_str(&format!("{sign}{:02}:{:02}", size / 3_600, size / 60 % 60));
            if size % 60 != 0 {
                text.push_str(&format!(":{:02}", size % 60));
            }
        }
        text
    }
}

/// What is left to read of a key text.
struct Cursor<'a>(&'a str);

/// Numbers of a local date and time that look right but may be no date.
struct Local {
    year: u32,
    month: u32,
    day: u32,
    hour: u32,
    minute: u32,
    second: u32,
}

impl Cursor<'_> {
    /// Reads a number of exactly so many digits.
    fn number(&mut self, digits: usize) -> Option<u32> {
        let (head, tail) = self.0.split_at_checked(digits)?;
        if !head.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        self.0 = tail;
        head.parse().ok()
    }

    /// Reads a literal.
    fn after(&mut self, literal: &str) -> Option<&mut Self> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(self)
    }

    /// Reads `:` and two digits if a colon comes next, else zero.
    fn optional_part(&mut self) -> Option<u32> {
        if self.0.starts_with(':') {
            self.after(":")?.number(2)
        } else {
            Some(0)
        }
    }

    fn rest_of_local(&mut self, year: u32) -> Option<Local> {
        Some(Local {
            year,
            month: self.after("-")?.number(2)?,
            day: self.after("-")?.number(2)?,
            hour: self.after("T")?.number(2)?,
            minute: self.optional_part()?,
            second: self.optional_part()?,
        })
    }

    /// Reads an offset from UTC, if one comes next. None outside if it is malformed.
    fn offset(&mut self) -> Option<Option<Offset>> {
        let sign = match self.0.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Some(None),
        };
        self.0 = &self.0[1..];
        let hours = self.number(2)?;
        let minutes = self.after(":")?.number(2)?;
        let seconds = self.optional_part()?;
        if minutes > 59 || seconds > 59 {
            return None;
        }
        let size = i32::try_from(hours * 3_600 + minutes * 60 + seconds).ok()?;
        Offset::from_seconds(sign * size).ok().map(Some)
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

impl Local {
    fn date_time(&self) -> Option<DateTime> {
        checked_day(self.year, self.month, self.day)?;
        let small = |number: u32| i8::try_from(number).ok();
        DateTime::new(
            i16::try_from(self.year).ok()?,
            small(self.month)?,
            small(self.day)?,
            small(self.hour)?,
            small(self.minute)?,
            small(self.second)?,
            0,
        )
        .ok()
    }
}
