//! Schedules: what is wanted by itself, and when.

use super::Page;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What to say of a schedule that is to fire now: nothing yet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RunSchedule {}

/// Query of `GET /api/v1/schedules/{name}`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ScheduleQuery {
    /// How many next ticks: 10 if absent, never more than 1,000.
    pub ticks: Option<usize>,
}

/// `GET /api/v1/schedules`.
pub type ScheduleList = Page<ScheduleRow>;

/// A schedule of the graph, and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleRow {
    /// `package/name`, or `name` in the root package.
    pub name: String,
    /// Its target.
    pub label: String,
    /// When it fires, for people: `cron "0 6 * * *" in Europe/Zurich`, `every 15m`.
    pub when: String,
    /// The zone whose clock it goes by.
    pub time_zone: String,
    /// References of what it wants at each tick, read as of the tick.
    pub targets: Vec<String>,
    /// The class of its wants.
    pub want_class: String,
    /// What becomes of ticks that were missed: `all`, `last` or `none`.
    pub missed: String,
    /// Ticks that were missed longer ago than this are never made up for.
    pub missed_within_seconds: u64,
    /// A tick may be fired so much later than it is.
    pub jitter_seconds: u64,
    /// It ends after so many ticks were fired; null if it does not.
    pub times: Option<u64>,
    /// `on`, `paused`, or `ended`: it has no tick any more.
    pub state: String,
    /// RFC 3339; null unless it is paused.
    pub paused_at: Option<String>,
    /// The next tick, RFC 3339; null if it is paused or ended.
    pub next_tick: Option<String>,
    /// When that is fired: later by its jitter.
    pub next_due: Option<String>,
    /// Ticks that were fired since it has these times.
    pub fired: u64,
    /// What it made last; null if nothing.
    pub last_fired: Option<FiredTick>,
    /// The ticks that were skipped last; null if none.
    pub last_skipped: Option<SkippedTicks>,
}

/// A tick that made a want.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FiredTick {
    /// RFC 3339; null if somebody had it fire beside its ticks.
    pub tick: Option<String>,
    /// The want.
    pub want: String,
}

/// Ticks that made no want.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SkippedTicks {
    /// The first one, RFC 3339.
    pub first: String,
    /// The last one.
    pub last: String,
    /// How many they are.
    pub count: u64,
    /// `missed`, `too_old`, `too_many`, `paused`, `refused` or `replaced`.
    pub reason: String,
    /// What that means.
    pub meaning: String,
    /// More of it, for people; may be empty.
    pub message: String,
}

/// A schedule with its next ticks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ScheduleDetail {
    /// It.
    #[serde(flatten)]
    pub row: ScheduleRow,
    /// Its next ticks, RFC 3339; those that it would have, if it is paused.
    pub ticks: Vec<String>,
    /// The last event this reflects.
    pub seq: u64,
}
