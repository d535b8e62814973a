//! Days that a cron allows, month by month as sets of days.
//!
//! Days are numbers since 0001-01-01, which was a Monday, as in [`crate::time`].

use super::numbers::Numbers;
use crate::time::{date_of_day, first_day, Granularity};

/// The first year that a cron can name, and the last.
pub(super) const FIRST_YEAR: u32 = 1970;
pub(super) const LAST_YEAR: u32 = 2099;

/// Days of months, each in the bit of its number.
type Month = u32;

/// Days of a month.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct OfMonth {
    /// By their number.
    pub numbers: Numbers,
    /// By how many days come after them in the month.
    pub from_end: Numbers,
}

/// Weekdays from Sunday, which is 0.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct OfWeek {
    /// Each of them in a month.
    pub every: Numbers,
    /// The first of a month, the second, and so on.
    pub nth: [Numbers; 5],
    /// The last of a month.
    pub last: Numbers,
}

/// Days of the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Days {
    /// Counted from [`FIRST_YEAR`].
    pub years: Numbers,
    pub months: Numbers,
    pub of_month: OfMonth,
    pub of_week: OfWeek,
    /// Whether a day needs to be of one of `of_month` and `of_week`, not of both.
    pub either: bool,
}

/// A month of some year.
#[derive(Clone, Copy)]
struct YearMonth {
    year: u32,
    month: u32,
}

impl YearMonth {
    /// Its first day.
    fn first(self) -> u32 {
        first_day(Granularity::Month, (self.year - 1) * 12 + self.month - 1)
    }

    fn length(self) -> u32 {
        first_day(Granularity::Month, (self.year - 1) * 12 + self.month) - self.first()
    }
}

impl OfMonth {
    fn of(&self, length: u32) -> Month {
        // The bit of the last day is turned to that of the first, and so on.
        let from_end = (self.from_end.low() as u32).reverse_bits() >> (31 - length);
        self.numbers.low() as u32 | from_end
    }
}

impl OfWeek {
    fn of(&self, first: u32, length: u32) -> Month {
        let all = whole(length);
        let mut days = 0;
        for weekday in 0..7 {
            // The number of days since 0001-01-01 is 6 on a Sunday.
            let offset = (weekday + 13 - first % 7) % 7;
            let every = EACH_WEEK << offset & all;
            if self.every.contains(weekday) {
                days |= every;
            }
            if self.last.contains(weekday) {
                days |= 1 << (31 - every.leading_zeros());
            }
            for (week, of_week) in (0..).zip(&self.nth) {
                if of_week.contains(weekday) {
                    days |= every & (2_u64 << (offset + 7 * week)) as Month;
                }
            }
        }
        days
    }
}

/// The first of a month and each day that is whole weeks later.
const EACH_WEEK: Month = 1 << 1 | 1 << 8 | 1 << 15 | 1 << 22 | 1 << 29;

fn whole(length: u32) -> Month {
    (u32::MAX >> (31 - length)) & !1
}

impl Days {
    /// The days of a month; 0 if there are none.
    fn of(&self, at: YearMonth) -> Month {
        if !self.months.contains(at.month) || !self.has_year(at.year) {
            return 0;
        }
        let length = at.length();
        let (of_month, of_week) = (self.of_month.of(length), self.of_week.of(at.first(), length));
        let days = if self.either { of_month | of_week } else { of_month & of_week };
        days & whole(length)
    }

    fn has_year(&self, year: u32) -> bool {
        year.checked_sub(FIRST_YEAR).is_some_and(|year| self.years.contains(year))
    }

    pub(super) fn contains(&self, day: u32) -> bool {
        let (year, month, of_month) = date_of_day(day);
        self.of(YearMonth { year, month }) >> of_month & 1 == 1
    }

    /// The first that is at least `day`.
    pub(super) fn at_least(&self, day: u32) -> Option<u32> {
        let (first_year, first_month, of_month) = date_of_day(day);
        let mut from = first_year.saturating_sub(FIRST_YEAR);
        while let Some(year) = self.years.at_least(from) {
            from = year + 1;
            let year = FIRST_YEAR + year;
            let mut least = if year == first_year { first_month } else { 1 };
            while let Some(month) = self.months.at_least(least) {
                least = month + 1;
                let at = YearMonth { year, month };
                let begun = if (year, month) == (first_year, first_month) { of_month } else { 0 };
                let days = self.of(at) & u32::MAX << begun;
                if days != 0 {
                    return Some(at.first() + days.trailing_zeros() - 1);
                }
            }
        }
        None
    }

    /// The last that is less than `day`.
    pub(super) fn below(&self, day: u32) -> Option<u32> {
        let (last_year, last_month, of_month) = date_of_day(day);
        let mut until = (last_year + 1).saturating_sub(FIRST_YEAR);
        while let Some(year) = self.years.below(until) {
            until = year;
            let year = FIRST_YEAR + year;
            let mut end = if year == last_year { last_month + 1 } else { 13 };
            while let Some(month) = self.months.below(end) {
                end = month;
                let at = YearMonth { year, month };
                let over = if (year, month) == (last_year, last_month) { u32::MAX << of_month } else { 0 };
                let days = self.of(at) & !over;
                if days != 0 {
                    return Some(at.first() + 30 - days.leading_zeros());
                }
            }
        }
        None
    }

    /// How many there are from `first` to before `end`.
    pub(super) fn count(&self, first: u32, end: u32) -> u64 {
        if first >= end {
            return 0;
        }
        let ((mut year, mut month, begin), (last_year, last_month, over)) =
            (date_of_day(first), date_of_day(end));
        let mut count = 0;
        let mut mask = u32::MAX << begin;
        while (year, month) <= (last_year, last_month) {
            if (year, month) == (last_year, last_month) {
                mask &= !(u32::MAX << over);
            }
            count += u64::from((self.of(YearMonth { year, month }) & mask).count_ones());
            mask = u32::MAX;
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
        count
    }
}
