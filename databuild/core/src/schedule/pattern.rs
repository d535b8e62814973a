//! Local times that a cron allows: each of its times of day on each of its days.
//!
//! Local times are what a clock shows, in seconds since it would have shown 0001-01-01T00:00.

use super::days::Days;
use super::times::Times;

const DAY: i64 = 86_400;

/// A set of local times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    pub days: Days,
    pub times: Times,
}

/// Day and time of day.
fn split(local: i64) -> (u32, u32) {
    // A remainder of a day fits; a day of these years does.
    (local.div_euclid(DAY) as u32, local.rem_euclid(DAY) as u32)
}

fn joined(day: u32, time: u32) -> i64 {
    i64::from(day) * DAY + i64::from(time)
}

impl Pattern {
    /// The first local time that is at least `local`.
    pub(super) fn at_least(&self, local: i64) -> Option<i64> {
        let (day, time) = split(local);
        if let Some(time) = self.times.at_least(time).filter(|_| self.days.contains(day)) {
            return Some(joined(day, time));
        }
        Some(joined(self.days.at_least(day + 1)?, self.times.at_least(0)?))
    }

    /// The last local time that is less than `local`.
    pub(super) fn below(&self, local: i64) -> Option<i64> {
        let (day, time) = split(local);
        if let Some(time) = self.times.below(time).filter(|_| self.days.contains(day)) {
            return Some(joined(day, time));
        }
        Some(joined(self.days.below(day)?, self.times.below(DAY as u32)?))
    }

    /// How many local times there are from `first` to before `end`.
    pub(super) fn count(&self, first: i64, end: i64) -> u64 {
        if first >= end {
            return 0;
        }
        let (first_day, end_day) = (split(first).0, split(end).0);
        let of_days = self.days.count(first_day, end_day) * self.times.len();
        of_days + self.count_of_day(end) - self.count_of_day(first)
    }

    /// How many come before `local` on its day.
    fn count_of_day(&self, local: i64) -> u64 {
        let (day, time) = split(local);
        if self.days.contains(day) {
            self.times.count_below(time)
        } else {
            0
        }
    }
}
