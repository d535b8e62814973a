//! The fields of a cron: their names, what may stand in each, and how lists, ranges and steps of one are read.

use super::days::{FIRST_YEAR, LAST_YEAR};
use super::error::TimingError;
use super::numbers::Numbers;

/// A field of a cron.
pub(super) struct Field {
    /// What people call it.
    pub name: &'static str,
    /// What may stand there, as the end of a message.
    may: &'static str,
    least: u32,
    most: u32,
    /// Names of its numbers from `least` on.
    names: &'static [&'static str],
    /// What counts as the number 0 in the set.
    origin: u32,
    /// Whether the most is followed by the least.
    round: bool,
}

pub(super) const SECOND: Field = Field {
    name: "second",
    may: "`*`, `*/15`, or a list of numbers from 0 to 59 and ranges such as `10-50` or `10-50/5`",
    least: 0,
    most: 59,
    names: &[],
    origin: 0,
    round: false,
};
pub(super) const MINUTE: Field = Field { name: "minute", ..SECOND };
pub(super) const HOUR: Field = Field {
    name: "hour",
    may: "`*`, `*/6`, or a list of numbers from 0 to 23 and ranges such as `8-18` or `8-18/2`",
    most: 23,
    ..SECOND
};
pub(super) const DAY_OF_MONTH: Field = Field {
    name: "day of month",
    may: "`*`, `?`, `*/2`, or a list of numbers from 1 to 31, ranges such as `1-7`, `L` for the last day, and `L-3` for the \
          third day before it",
    least: 1,
    most: 31,
    ..SECOND
};
pub(super) const MONTH: Field = Field {
    name: "month",
    may: "`*`, `*/3`, or a list of numbers from 1 to 12, names such as `JAN`, and ranges such as `APR-SEP`",
    least: 1,
    most: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
    ..SECOND
};
pub(super) const DAY_OF_WEEK: Field = Field {
    name: "day of week",
    may: "`*`, `?`, or a list of numbers from 0 to 7 (0 and 7 are Sunday), names such as `MON`, ranges such as `MON-FRI`, \
          `5L` or `FRIL` for the last Friday of the month, and `MON#2` for the second Monday",
    most: 6,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
    round: true,
    ..SECOND
};
pub(super) const YEAR: Field = Field {
    name: "year",
    may: "`*`, `*/2`, or a list of numbers from 1970 to 2099 and ranges such as `2026-2030`",
    least: FIRST_YEAR,
    most: LAST_YEAR,
    origin: FIRST_YEAR,
    ..SECOND
};

/// A number as people write it.
pub(super) fn number(text: &str) -> Option<u32> {
    let digits = (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

impl Field {
    /// The set of what a field says. `special` takes what only some fields have, and says whether it was that.
    pub(super) fn read(
        &self,
        text: &str,
        mut special: impl FnMut(&str) -> bool,
    ) -> Result<Numbers, TimingError> {
        let mut numbers = Numbers::default();
        if let Some(rest) = text.strip_prefix('*') {
            let step = match rest.strip_prefix('/') {
                Some(step) => self.step(step, text)?,
                None if rest.is_empty() => 1,
                None => return Err(self.bad(text)),
            };
            self.insert(&mut numbers, self.least, self.most, step);
            return Ok(numbers);
        }
        for part in text.split(',') {
            if !special(part) {
                // Between two commas there is nothing to show.
                let shown = if part.is_empty() { text } else { part };
                self.item(part, shown, &mut numbers)?;
            }
        }
        Ok(numbers)
    }

    /// A number of this field, or the name of one.
    pub(super) fn value(&self, text: &str) -> Option<u32> {
        if let Some(value) = number(text) {
            let most = if self.round { 7 } else { self.most };
            return (self.least..=most).contains(&value).then_some(value);
        }
        let name = self.names.iter().position(|name| *name == text)?;
        Some(self.least + name as u32)
    }

    pub(super) fn bad(&self, part: &str) -> TimingError {
        TimingError::BadField { field: self.name, part: part.to_owned(), may: self.may }
    }

    /// One part of a list: a number or a range, maybe with a step. A number with a step goes up to the end.
    fn item(&self, part: &str, shown: &str, numbers: &mut Numbers) -> Result<(), TimingError> {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (part, None),
        };
        let value = |text: &str| self.value(text).ok_or_else(|| self.bad(shown));
        let (from, to) = match range.split_once('-') {
            Some((from, to)) => {
                let (from, to) = (value(from)?, value(to)?);
                match from <= to {
                    true => (from, to),
                    // A week begins on Sunday for some and on Monday for others, so no weekday comes after another.
                    false if self.round => (from, to + 7),
                    false => return Err(self.reversed(part, from, to)),
                }
            }
            None => {
                let value = value(range)?;
                let value = if self.round { value % 7 } else { value };
                (value, if step.is_some() { self.most } else { value })
            }
        };
        let step = step.map_or(Ok(1), |step| self.step(step, part))?;
        self.insert(numbers, from, to, step);
        Ok(())
    }

    fn insert(&self, numbers: &mut Numbers, from: u32, to: u32, step: u32) {
        for value in (from..=to).step_by(step as usize) {
            numbers.insert(if self.round { value % 7 } else { value - self.origin });
        }
    }

    /// A step, which is no longer than the way from the least to the most: `*/90` of minutes would be `0`, which nobody means.
    fn step(&self, text: &str, part: &str) -> Result<u32, TimingError> {
        let most = self.most - self.least;
        number(text).filter(|step| (1..=most).contains(step)).ok_or_else(|| TimingError::BadStep {
            field: self.name,
            part: part.to_owned(),
            most,
        })
    }

    /// Refused, since to some programs it is the way around and to others an error, and more often than either a slip.
    fn reversed(&self, part: &str, from: u32, to: u32) -> TimingError {
        let range = |from: u32, to: u32| if from == to { from.to_string() } else { format!("{from}-{to}") };
        TimingError::Reversed {
            field: self.name,
            part: part.to_owned(),
            turned: range(to, from),
            around: format!("{},{}", range(from, self.most), range(self.least, to)),
        }
    }
}
