//! What goes on now.

use super::pools::MachineRow;
use super::runs::FailedRuns;
use super::wants::{Progress, WantRow};
use super::work::Blocker;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query of `GET /api/v1/now`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct NowQuery {
    /// Failures after this instant, RFC 3339; those of the last 24 hours, if absent.
    pub since: Option<String>,
}

/// `GET /api/v1/now`: what runs, what waits and why, what failed. Lists have at most 20 rows, counts are exact.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Now {
    /// Places, and memory if it is counted.
    pub machine: Vec<MachineRow>,
    /// Runs under way, oldest first.
    pub running: Vec<LiveRun>,
    /// How many there are.
    pub running_total: u64,
    /// Work that waits, by job and reason, most partitions first.
    pub waiting: Vec<Waiting>,
    /// How many partitions wait.
    pub waiting_total: u64,
    /// Open wants, newest first.
    pub wants: Vec<OpenWant>,
    /// How many there are.
    pub wants_total: u64,
    /// Open wants that are late, newest first.
    pub late: Vec<OpenWant>,
    /// How many there are.
    pub late_total: u64,
    /// Failed runs by job and message, the newest first.
    pub failed: Vec<FailedRuns>,
    /// How many runs failed since then.
    pub failed_total: u64,
    /// Failures after this instant are shown, RFC 3339.
    pub since: String,
    /// More runs failed than were looked at: `failed_total` is a lower bound then.
    #[serde(default)]
    pub failed_more: bool,
    /// The last event this reflects.
    pub seq: u64,
}

/// A run that is under way.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct LiveRun {
    /// `r12`.
    pub id: String,
    /// Label.
    pub job: String,
    /// What it makes.
    pub partition: String,
    /// How many partitions that is.
    pub partitions: u64,
    /// `starting`, `running`, `publishing` or `canceling`.
    pub phase: String,
    /// The attempt's number.
    pub attempt: u32,
    /// When the attempt was started, or handed out if it was not yet, RFC 3339.
    pub since: Option<String>,
    /// Who wants it.
    pub wants: Vec<String>,
}

/// Partitions of one job that wait for one thing.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// Label.
    pub job: String,
    /// The first output of the job.
    pub dataset: String,
    /// How many.
    pub partitions: u64,
    /// Who wants them; at most 20.
    pub wants: Vec<String>,
    /// What they wait for; that of the first one, where each waits for something of its own.
    pub blocker: Blocker,
}

/// A want that is open.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct OpenWant {
    /// As in lists.
    #[serde(flatten)]
    pub want: WantRow,
    /// How far it is.
    pub progress: Progress,
}
