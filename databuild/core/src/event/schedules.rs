//! What is said of schedules. Each tick that came due is accounted for: it was fired, or it was skipped for a reason.

use super::fact::{with, Fact};
use super::origin::Origin;
use crate::event::examples::time;
use crate::ids::WantId;
use crate::words;
use jiff::Timestamp;

words! {
    /// Why ticks were skipped.
    pub enum Skip: "reason of a skipped tick" {
        /// No server was there when they were due, and the schedule does not make up for them.
        Missed = 1 => "missed",
        /// They were due longer ago than the schedule makes up for.
        TooOld = 2 => "too_old",
        /// More were missed than are ever made up for at once.
        TooMany = 3 => "too_many",
        /// The schedule was paused.
        Paused = 4 => "paused",
        /// What they ask for could not be wanted.
        Refused = 5 => "refused",
        /// The schedule has other times or is gone since, before anybody fired them.
        Replaced = 6 => "replaced",
    }
}

/// See [`super::Event::ScheduleFired`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleFired {
    /// Its name.
    pub schedule: String,
    /// The tick, which may be a while ago; none if somebody had it fire beside its ticks.
    pub tick: Option<Timestamp>,
    /// The want that it made.
    pub want: WantId,
}

/// See [`super::Event::TicksSkipped`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TicksSkipped {
    /// Name of the schedule.
    pub schedule: String,
    /// The first tick.
    pub first: Timestamp,
    /// The last one.
    pub last: Timestamp,
    /// How many they are.
    pub count: u64,
    /// Why.
    pub reason: Skip,
    /// More of that, for people; may be empty.
    pub message: String,
}

/// See [`super::Event::SchedulePaused`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchedulePaused {
    /// Its name.
    pub schedule: String,
}

/// See [`super::Event::ScheduleResumed`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleResumed {
    /// Its name.
    pub schedule: String,
}

impl Fact for ScheduleFired {
    fn text(&self, who: &Origin) -> String {
        match self.tick {
            Some(tick) => format!("schedule {} fired for {tick} and made {}", self.schedule, self.want),
            None => format!("{who} had schedule {} fire, which made {}", self.schedule, self.want),
        }
    }

    fn example() -> ScheduleFired {
        ScheduleFired {
            schedule: "sales/nightly".into(),
            tick: Some(time("2024-03-14T05:00:00Z")),
            want: WantId(3),
        }
    }
}

impl Fact for TicksSkipped {
    fn text(&self, _: &Origin) -> String {
        let ticks = match self.count {
            1 => format!("the tick of {}", self.first),
            count => format!("{count} ticks from {} to {}", self.first, self.last),
        };
        let why = match self.reason {
            Skip::Missed => "no server was there when it was time",
            Skip::TooOld => "that is longer ago than it makes up for",
            Skip::TooMany => "more were missed than it makes up for at once",
            Skip::Paused => "it was paused",
            Skip::Refused => "the want was refused",
            Skip::Replaced => "it was edited or removed before they were fired",
        };
        with(format!("schedule {} skipped {ticks}: {why}", self.schedule), &self.message)
    }

    fn example() -> TicksSkipped {
        TicksSkipped {
            schedule: "sales/nightly".into(),
            first: time("2024-03-12T05:00:00Z"),
            last: time("2024-03-13T05:00:00Z"),
            count: 2,
            reason: Skip::Missed,
            message: "für niemanden".into(),
        }
    }
}

impl Fact for SchedulePaused {
    fn text(&self, who: &Origin) -> String {
        format!("{who} paused schedule {}", self.schedule)
    }

    fn example() -> SchedulePaused {
        SchedulePaused { schedule: "sales/nightly".into() }
    }
}

impl Fact for ScheduleResumed {
    fn text(&self, who: &Origin) -> String {
        format!("{who} resumed schedule {}", self.schedule)
    }

    fn example() -> ScheduleResumed {
        ScheduleResumed { schedule: "sales/nightly".into() }
    }
}
