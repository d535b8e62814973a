//! Zone-free calendar arithmetic on period numbers.
//!
//! All numbers count from the year 1 of the proleptic Gregorian calendar, whose first day was a Monday:
//! day 0 is 0001-01-01, week 0 begins there, month 0 is 0001-01, year 0 is the year 1. Functions are
//! total: numbers beyond the calendar give numbers beyond the calendar. Days are calendar days here; keys of days skip
//! those that a zone left out ([`super::clock`]).

use crate::range_set::Key;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The last year that key texts can name.
pub(super) const LAST_YEAR: u32 = 9999;

/// Length of a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Granularity {
    /// An hour of a zone's clock.
    Hour,
    /// A calendar day.
    Day,
    /// An ISO week, from Monday.
    Week,
    /// A calendar month.
    Month,
    /// A calendar year.
    Year,
}

impl Granularity {
    /// `hour`, `day`, `week`, `month` or `year`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Granularity::Hour => "hour",
            Granularity::Day => "day",
            Granularity::Week => "week",
            Granularity::Month => "month",
            Granularity::Year => "year",
        }
    }

    /// Whether every period of this length lies in exactly one of the longer kind. Weeks lie in no
    /// month and no year.
    #[must_use]
    pub fn nests_in(self, coarse: Granularity) -> bool {
        use Granularity::{Day, Hour, Month, Week, Year};
        matches!(
            (self, coarse),
            (Hour, Day | Week | Month | Year) | (Day, Week | Month | Year) | (Month, Year)
        )
    }

    /// An example of a key text.
    #[must_use]
    pub fn example(self) -> &'static str {
        match self {
            Granularity::Hour => "2010-06-01T13",
            Granularity::Day => "2010-06-01",
            Granularity::Week => "2010-W05",
            Granularity::Month => "2010-06",
            Granularity::Year => "2010",
        }
    }
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Year, month (from 1) and day of month (from 1) of a day.
pub(crate) fn date_of_day(day: Key) -> (u32, u32, u32) {
    // Years are counted from March, so that the leap day is the last of its year: day 0 of this count
    // is 0000-03-01, 306 days before 0001-01-01.
    let days = u64::from(day) + 306;
    let era = days / 146_097;
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year_of_era + carry;
    // A 32-bit day lies within 12 million years.
    (year as u32, month as u32, day_of_month as u32)
}

/// The day of a date; `month` and `day` must be those of a calendar.
fn day_of_date(year: u32, month: u32, day: u32) -> Key {
    let (year, month) =
        if month > 2 { (u64::from(year), month - 3) } else { (u64::from(year) - 1, month + 9) };
    let days = 365 * year + year / 4 - year / 100 + year / 400 + u64::from((153 * month + 2) / 5 + day - 1);
    saturate(days - 306)
}

fn saturate(number: u64) -> Key {
    Key::try_from(number).unwrap_or(Key::MAX)
}

/// The day of a date; none if there is no such date in the years 1 to 9999.
pub(super) fn checked_day(year: u32, month: u32, day: u32) -> Option<Key> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let length = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u32::from(leap),
        _ => return None,
    };
    ((1..=LAST_YEAR).contains(&year) && (1..=length).contains(&day)).then(|| day_of_date(year, month, day))
}

/// The week of an ISO year and week number; none if that year has no such week.
pub(super) fn checked_week(year: u32, week: u32) -> Option<Key> {
    if !(1..=LAST_YEAR).contains(&year) || week == 0 {
        return None;
    }
    let first = first_week(year);
    let number = first + week - 1;
    (number < first_week(year + 1)).then_some(number)
}

/// The first ISO week of a year: the one with January 4th.
fn first_week(year: u32) -> Key {
    day_of_date(year, 1, 4) / 7
}

/// ISO year and week number.
pub(super) fn iso_of_week(week: Key) -> (u32, u32) {
    // A week belongs to the year of its Thursday.
    let (year, _, _) = date_of_day(saturate(u64::from(week) * 7 + 3));
    (year, week - first_week(year) + 1)
}

/// The first day of a period that is a day or longer.
pub(crate) fn first_day(granularity: Granularity, number: Key) -> Key {
    let number = u64::from(number);
    match granularity {
        Granularity::Hour | Granularity::Day => saturate(number),
        Granularity::Week => saturate(number * 7),
        Granularity::Month => first_of_month(number),
        Granularity::Year => first_of_month(number * 12),
    }
}

fn first_of_month(month: u64) -> Key {
    match u32::try_from(month / 12 + 1) {
        Ok(year) => day_of_date(year, (month % 12) as u32 + 1, 1),
        Err(_) => Key::MAX,
    }
}

/// The period, a day or longer, that contains a day.
pub(super) fn period_of_day(granularity: Granularity, day: Key) -> Key {
    match granularity {
        Granularity::Hour | Granularity::Day => day,
        Granularity::Week => day / 7,
        Granularity::Month => {
            let (year, month, _) = date_of_day(day);
            (year - 1) * 12 + month - 1
        }
        Granularity::Year => date_of_day(day).0 - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::{date, Date, ISOWeekDate};
    use jiff::ToSpan;

    /// Days, weeks and months against the calendar library: the ends of the calendar, and a span that
    /// has leap years of every kind.
    #[test]
    fn agrees_with_jiff() {
        for (from, to) in [(1, 5), (1896, 2104), (9996, 9999)] {
            let mut at: Date = date(from, 1, 1);
            let mut day = Key::try_from((at - date(1, 1, 1)).get_days()).unwrap();
            while at.year() <= to {
                let (year, month, of_month) = (at.year() as u32, at.month() as u32, at.day() as u32);
                assert_eq!(date_of_day(day), (year, month, of_month));
                assert_eq!(checked_day(year, month, of_month), Some(day));
                assert_eq!(period_of_day(Granularity::Month, day), (year - 1) * 12 + month - 1);
                if of_month == 1 {
                    assert_eq!(first_day(Granularity::Month, (year - 1) * 12 + month - 1), day);
                }
                if day % 7 == 0 {
                    let iso = ISOWeekDate::from_date(at);
                    assert_eq!(iso_of_week(day / 7), (iso.year() as u32, iso.week() as u32), "{at}");
                    assert_eq!(checked_week(iso.year() as u32, iso.week() as u32), Some(day / 7));
                }
                let Ok(next) = at.checked_add(1.day()) else {
                    break;
                };
                at = next;
                day += 1;
            }
        }
        assert_eq!(date_of_day(3_652_058), (9999, 12, 31));
    }

    #[test]
    fn leap_years_and_long_iso_years() {
        for (year, leap) in [(1900, false), (2000, true), (2010, false), (2012, true), (2100, false)] {
            assert_eq!(checked_day(year, 2, 29).is_some(), leap, "{year}");
        }
        for (year, long) in
            [(2004, true), (2009, true), (2010, false), (2015, true), (2020, true), (2021, false)]
        {
            assert_eq!(checked_week(year, 53).is_some(), long, "{year}");
        }
        assert_eq!(checked_day(2010, 4, 31), None);
        assert_eq!(checked_day(0, 1, 1), None);
        assert_eq!(checked_day(10_000, 1, 1), None);
    }

    #[test]
    fn numbers_beyond_the_calendar_stay_beyond() {
        for granularity in [Granularity::Day, Granularity::Week, Granularity::Month, Granularity::Year] {
            assert_eq!(first_day(granularity, Key::MAX), Key::MAX, "{granularity}");
            assert!(period_of_day(granularity, Key::MAX) > period_of_day(granularity, 3_652_058));
        }
        assert!(iso_of_week(Key::MAX).0 > LAST_YEAR);
    }
}
