//! Times of day that a cron allows: each combination of its hours, minutes and seconds.

use super::numbers::Numbers;

/// Times of day, in seconds since midnight of the clock. No field is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Times {
    pub seconds: Numbers,
    pub minutes: Numbers,
    pub hours: Numbers,
}

fn split(second: u32) -> (u32, u32, u32) {
    (second / 3_600, second / 60 % 60, second % 60)
}

fn joined(hour: u32, minute: u32, second: u32) -> u32 {
    hour * 3_600 + minute * 60 + second
}

impl Times {
    /// The first that is at least `time`.
    pub(super) fn at_least(&self, time: u32) -> Option<u32> {
        let (hour, minute, second) = split(time);
        let (first_minute, first_second) = (self.minutes.at_least(0)?, self.seconds.at_least(0)?);
        if self.hours.contains(hour) {
            if self.minutes.contains(minute) {
                if let Some(second) = self.seconds.at_least(second) {
                    return Some(joined(hour, minute, second));
                }
            }
            if let Some(minute) = self.minutes.at_least(minute + 1) {
                return Some(joined(hour, minute, first_second));
            }
        }
        Some(joined(self.hours.at_least(hour + 1)?, first_minute, first_second))
    }

    /// The last that is less than `time`.
    pub(super) fn below(&self, time: u32) -> Option<u32> {
        let (hour, minute, second) = split(time);
        let (last_minute, last_second) = (self.minutes.below(60)?, self.seconds.below(60)?);
        if self.hours.contains(hour) {
            if self.minutes.contains(minute) {
                if let Some(second) = self.seconds.below(second) {
                    return Some(joined(hour, minute, second));
                }
            }
            if let Some(minute) = self.minutes.below(minute) {
                return Some(joined(hour, minute, last_second));
            }
        }
        Some(joined(self.hours.below(hour)?, last_minute, last_second))
    }

    /// How many are less than `time`.
    pub(super) fn count_below(&self, time: u32) -> u64 {
        let (hour, minute, second) = split(time);
        let mut count =
            u64::from(self.hours.count_below(hour)) * u64::from(self.minutes.len() * self.seconds.len());
        if self.hours.contains(hour) {
            count += u64::from(self.minutes.count_below(minute) * self.seconds.len());
            if self.minutes.contains(minute) {
                count += u64::from(self.seconds.count_below(second));
            }
        }
        count
    }

    /// How many a day has.
    pub(super) fn len(&self) -> u64 {
        u64::from(self.hours.len() * self.minutes.len() * self.seconds.len())
    }
}
