//! How time keys are written: `2010-06-01T13`, `2010-06-01`, `2010-W05`, `2010-06`, `2010`.
//!
//! Invariant: parsing what was formatted gives the same key. Hours are written as the zone's clock shows them, with the offset
//! from UTC at their begin only where several hours have one label.

use super::calendar::{checked_day, checked_week, date_of_day, iso_of_week, Granularity, LAST_YEAR};
use super::space::TimeSpace;
use crate::key_error::KeyError;
use crate::range_set::Key;

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
            let day = local.day().ok_or_else(absent)?;
            return self.hour_labeled(text, &local, day, offset);
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
        let key = key.ok_or_else(absent)?;
        if self.granularity() != Granularity::Day {
            return Ok(key);
        }
        let number = self.zone().clock().number_of_day(key);
        if self.zone().clock().leaves_out(key) {
            let (text, zone) = (text.to_owned(), self.zone().name().to_owned());
            return Err(KeyError::SkippedDay { text, zone, nearest: self.format_key(number) });
        }
        Ok(number)
    }

    /// The key of an hour of a calendar day.
    fn hour_labeled(
        &self,
        text: &str,
        local: &Local,
        day: Key,
        offset: Option<i64>,
    ) -> Result<Key, KeyError> {
        let (text, zone) = (|| text.to_owned(), || self.zone().name().to_owned());
        if (local.minute, local.second) != (0, 0) {
            let nearest = format!("{:04}-{:02}-{:02}T{:02}", local.year, local.month, local.day, local.hour);
            return Err(KeyError::NotAnHour { text: text(), zone: zone(), nearest });
        }
        let mut hours = self.zone().hours_showing(day, local.hour);
        if let Some(offset) = offset {
            let hour = hours.iter().find(|(_, other)| *other == offset);
            return hour
                .map(|(hour, _)| *hour)
                .ok_or_else(|| KeyError::WrongOffset { text: text(), zone: zone() });
        }
        hours.dedup_by_key(|(hour, _)| *hour);
        match hours[..] {
            [] => Err(KeyError::SkippedHour { text: text(), zone: zone() }),
            [(hour, _)] => Ok(hour),
            _ => {
                let candidates = hours.iter().map(|(hour, _)| self.format_hour(*hour)).collect();
                Err(KeyError::AmbiguousHour { text: text(), zone: zone(), candidates })
            }
        }
    }

    /// The text of a key, within the space or not. Numbers beyond the year 9999, which no text names,
    /// are written `#number`.
    #[must_use]
    pub fn format_key(&self, key: Key) -> String {
        let beyond = || format!("#{key}");
        match self.granularity() {
            Granularity::Hour => self.format_hour(key),
            Granularity::Week => match iso_of_week(key) {
                (year, _) if year > LAST_YEAR => beyond(),
                (year, week) => format!("{year:04}-W{week:02}"),
            },
            other => match (date_of_day(self.first_calendar_day(other, key)), other) {
                ((year, _, _), _) if year > LAST_YEAR => beyond(),
                ((year, _, _), Granularity::Year) => format!("{year:04}"),
                ((year, month, _), Granularity::Month) => format!("{year:04}-{month:02}"),
                ((year, month, day), _) => format!("{year:04}-{month:02}-{day:02}"),
            },
        }
    }

    fn format_hour(&self, key: Key) -> String {
        let Some((local, offset)) = self.zone().local_hour(key) else {
            return format!("#{key}");
        };
        // Within the years 1 to 9999, so it fits.
        let (year, month, day) = (local.year() as u32, local.month() as u32, local.day() as u32);
        let hour = local.hour() as u32;
        let mut text = format!("{year:04}-{month:02}-{day:02}T{hour:02}");
        let calendar_day = checked_day(year, month, day).unwrap_or_default();
        let hours = self.zone().hours_showing(calendar_day, hour);
        if hours.iter().any(|(other, _)| *other != key) {
            let (sign, size) = (if offset < 0 { '-' } else { '+' }, offset.unsigned_abs());
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
    fn offset(&mut self) -> Option<Option<i64>> {
        let sign = match self.0.as_bytes().first() {
            Some(b'+') => 1_i64,
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
        Some(Some(sign * i64::from(hours * 3_600 + minutes * 60 + seconds)))
    }

    fn end(&self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

impl Local {
    /// The calendar day, if that is one and the time one of a clock.
    fn day(&self) -> Option<Key> {
        let on_clock = self.hour < 24 && self.minute < 60 && self.second < 60;
        checked_day(self.year, self.month, self.day).filter(|_| on_clock)
    }
}
