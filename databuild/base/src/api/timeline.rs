//! Attempts on an axis of time.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query of `GET /api/v1/timeline`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct TimelineQuery {
    /// Only runs that made what this want waits for.
    pub want: Option<String>,
    /// Only of this job: its label, or a name that only one has.
    pub job: Option<String>,
    /// Only what was under way after this instant, RFC 3339; without it, the newest runs.
    pub from: Option<String>,
    /// Only what was handed out before this instant, RFC 3339.
    pub until: Option<String>,
    /// Only runs before this one: `older` of the answer before.
    pub before: Option<String>,
}

/// `GET /api/v1/timeline`: when attempts waited, were on their way, and ran.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// The time that it is about, first to last: pieces in which one of these runs was under way, and those in which none was.
    pub axis: Vec<TimelinePiece>,
    /// Runs, in the order in which they were handed out; none if there are so many that they are folded.
    pub runs: Vec<TimelineRun>,
    /// Of more than 100 runs: how many were under way when, by job.
    pub folds: Vec<TimelineFold>,
    /// How many runs it shows.
    pub total: u64,
    /// There are more, which were handed out before those: ask again with this as `before`. Absent if there are none.
    pub older: Option<String>,
    /// The last event this reflects.
    pub seq: u64,
}

/// A piece of time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelinePiece {
    /// RFC 3339.
    pub from: String,
    /// RFC 3339.
    pub until: String,
    /// None of the runs was under way.
    pub idle: bool,
}

/// A run with the times of its attempts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TimelineRun {
    /// `r12`.
    pub run: String,
    /// Label.
    pub job: String,
    /// What it makes.
    pub partition: String,
    /// How many partitions that is.
    pub partitions: u64,
    /// As in lists.
    pub state: String,
    /// Its last attempts, first to last.
    pub attempts: Vec<AttemptTimes>,
}

/// The times of an attempt.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct AttemptTimes {
    /// From 1.
    pub number: u32,
    /// As with a run's attempts; absent while live.
    pub outcome: Option<String>,
    /// When it could have begun, had there been room: its want asked for it, and its inputs were there; of a later attempt, when the
    /// one before it ended. RFC 3339; absent if nobody knows.
    pub ready_at: Option<String>,
    /// When it was handed to the runner, RFC 3339.
    pub leased_at: String,
    /// When its process began, RFC 3339; absent if it had none yet.
    pub started_at: Option<String>,
    /// When it was over, RFC 3339; absent while it goes on.
    pub ended_at: Option<String>,
    /// How long its process ran, in milliseconds; absent while it goes on, and if it had none.
    #[serde(default)]
    pub wall_ms: Option<u64>,
}

/// The runs of a job, folded.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct TimelineFold {
    /// Label; empty for all jobs that have no row of their own.
    pub job: String,
    /// How many runs.
    pub runs: u64,
    /// Equal parts of the time in which something was under way.
    pub bins: Vec<TimelineBin>,
}

/// A part of the time of some runs.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct TimelineBin {
    /// RFC 3339.
    pub from: String,
    /// RFC 3339.
    pub until: String,
    /// Runs that had an attempt under way.
    pub runs: u64,
    /// Attempts that failed in it.
    pub failed: u64,
    /// Milliseconds that attempts were handed out and had not begun, together.
    pub dispatch_ms: u64,
    /// Milliseconds that attempts ran, together.
    pub running_ms: u64,
}
