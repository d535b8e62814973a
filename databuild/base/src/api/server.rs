//! The server itself.

use super::partitions::DatasetSummary;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// `GET /api/v1/server`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServerStatus {
    /// Program version.
    pub version: String,
    /// Process id.
    pub pid: u32,
    /// The workspace.
    pub workspace: String,
    /// RFC 3339.
    pub started_at: String,
    /// Where it finds the code of jobs.
    #[serde(default)]
    pub code_store: String,
    /// Where it has sockets.
    #[serde(default)]
    pub runtime_dir: String,
    /// `TMPDIR` of jobs as long as it is there; absent if they get none.
    #[serde(default)]
    pub temporary_dir: Option<String>,
    /// Attempts that may run at once.
    pub slots: usize,
    /// Bytes of memory that runs may take together; absent if it is not known, and then not counted.
    pub memory: Option<u64>,
    /// Who holds runs to the memory that their jobs declare: `enforced`, the kernel; `accounting`, nobody but the plan
    /// of who runs beside whom.
    pub memory_limits: String,
    /// By what, or why not, in few words.
    pub memory_limits_reason: String,
    /// Wants that are open.
    pub open_wants: usize,
    /// Runs that are live.
    pub live_runs: usize,
    /// The graph, once one is registered.
    pub graph: Option<GraphInfo>,
    /// Counts by dataset, by name.
    pub datasets: Vec<DatasetSummary>,
    /// The last event.
    pub seq: u64,
    /// Threads that work out answers, by what these are about.
    #[serde(default)]
    pub reads: Vec<ReadLane>,
    /// Commands that wait for their answers.
    #[serde(default)]
    pub commands: CommandQueue,
    /// Bytes of memory that the server has; absent if nobody knows.
    #[serde(default)]
    pub resident: Option<u64>,
    /// What keeps it up, and when it goes.
    #[serde(default)]
    pub idle: Idle,
    /// Who runs attempts; absent while nobody is in sight.
    #[serde(default)]
    pub runner: Option<RunnerInfo>,
    /// Versions of what it writes and reads.
    #[serde(default)]
    pub formats: Formats,
}

/// The queue of commands. One that is full refuses with 503.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct CommandQueue {
    /// Commands in it.
    pub waiting: usize,
    /// As many as it takes.
    pub size: usize,
}

/// What keeps the server up.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Idle {
    /// It ends after so many seconds without use; absent if it never does.
    pub after_seconds: Option<u64>,
    /// Live runs, which keep it up.
    pub runs: usize,
    /// Wants that are not paused, and trials; they keep it up, too.
    pub wants: usize,
    /// Schedules that have a next tick; they keep it up, too.
    pub schedules: usize,
    /// When somebody used it last, RFC 3339; absent if nobody did yet. What pages ask by themselves is no use.
    pub used_at: Option<String>,
    /// When it ends at the earliest, RFC 3339, if nobody uses it; absent while something keeps it up, or if it never ends.
    pub ends_at: Option<String>,
}

/// Who runs attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RunnerInfo {
    /// Process id.
    pub pid: u32,
    /// Program version.
    pub version: String,
    /// Version of what it and the server say to each other.
    pub protocol: u32,
}

/// Versions of what the server writes and reads.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
pub struct Formats {
    /// Of Bazel, as the workspace's `.bazelversion` says; absent if it says nothing.
    #[serde(default)]
    pub bazel: Option<String>,
    /// Of the event log.
    pub log: u64,
    /// Of graph files.
    pub graph: u32,
}

/// `GET /api/v1/server/disk`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskReport {
    /// The state folder.
    pub state_dir: String,
    /// What is in it, by kind, most first; and the code store, which other workspaces may share.
    pub kinds: Vec<DiskKind>,
    /// Bytes that are free on its disk; absent if nobody knows.
    pub free: Option<u64>,
    /// Events of the log.
    pub events: u64,
    /// How many of them are in archives.
    pub archived: u64,
    /// How many archives there are.
    pub archives: u64,
    /// The last event this reflects.
    pub seq: u64,
}

/// What files of one kind take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DiskKind {
    /// `log`, `archives`, `attempts`: their logs and records; `staging`: outputs that are not published yet; `observers`,
    /// `server_logs`, `code_store`.
    pub kind: String,
    /// Where.
    pub path: String,
    /// Bytes of the disk.
    pub bytes: u64,
    /// Files.
    pub files: u64,
    /// There are more than were looked at: the numbers are lower bounds.
    pub more: bool,
}

/// `GET /api/v1/server/settings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SettingList {
    /// All settings that the server was started with, by name.
    pub data: Vec<Setting>,
    /// The last event.
    pub seq: u64,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Setting {
    /// What files call it.
    pub name: String,
    /// What holds; empty if it is none.
    pub value: String,
    /// Where that stands: a file, a variable, a flag or `default`.
    pub from: String,
    /// What it means.
    pub meaning: String,
}

/// Threads that work out answers of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReadLane {
    /// `quick`: about one thing; `slow`: lists and counts; `looking`: external data is looked at.
    pub name: String,
    /// Threads.
    pub size: usize,
    /// Threads that work.
    pub in_use: usize,
    /// Requests that wait for one.
    pub waiting: usize,
}

/// The graph that new work follows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GraphInfo {
    /// Digest.
    pub id: String,
    /// The graph target.
    pub label: String,
    /// When it was registered, RFC 3339.
    pub registered_at: String,
    /// Labels of its jobs.
    pub jobs: Vec<String>,
}

/// `GET /api/v1/stats`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// Runs, archived ones included.
    pub runs: Tally,
    /// Wants, archived ones included.
    pub wants: Tally,
    /// Partitions of all datasets.
    pub partitions: Tally,
    /// The last event this reflects.
    pub seq: u64,
}

/// How many there are of something.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Tally {
    /// All.
    pub total: u64,
    /// By state; together as many as there are.
    pub by_state: BTreeMap<String, u64>,
}

/// `PUT /api/v1/server/slots`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SlotsRequest {
    /// Attempts that may run at once; at least 1.
    pub slots: usize,
}

/// `POST /api/v1/server/shutdown`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ShutdownRequest {
    /// Stop running jobs as well; otherwise they go on under the runner.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub stop_jobs: bool,
}

/// `POST /api/v1/gc`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GcRequest {
    /// Count, remove nothing.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub dry_run: bool,
    /// Logs of attempts younger than so many days stay; as the setting `keep_logs` says if absent.
    #[serde(default)]
    pub keep_days: Option<u32>,
    /// Events older than so many seconds are archived; none are if absent.
    #[serde(default)]
    pub events_older_than_seconds: Option<u64>,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GcReply {
    /// Nothing was removed.
    pub dry_run: bool,
    /// Code snapshots.
    pub snapshots_removed: u64,
    /// Files of the content store.
    pub files_removed: u64,
    /// Their size.
    pub bytes_freed: u64,
    /// Folders of attempts.
    pub attempts_removed: u64,
    /// Events of the log and its archives that were read and found as they were written.
    #[serde(default)]
    pub events_checked: u64,
    /// Why folders of attempts are still there that should be gone; absent if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_removed: Vec<String>,
    /// What was archived; absent if that was not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<Archived>,
}

/// Events that went from the log to an archive.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Archived {
    /// How many; the following are 0 or absent if it is 0.
    pub events: u64,
    /// The first one.
    pub first: u64,
    /// The last one.
    pub last: u64,
    /// Bytes that they had in the log.
    pub bytes: u64,
    /// The archive, beside the log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Its size.
    pub file_bytes: u64,
    /// Size of the log before.
    pub log_bytes_before: u64,
    /// Size of the log after.
    pub log_bytes_after: u64,
    /// What keeps events that are old enough in the log; absent if only young ones stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<HeldBy>,
}

/// Something that is not over, and so keeps events in the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeldBy {
    /// Of the want, run, plan or trial.
    pub id: String,
    /// The event with which it began; all later ones stay.
    pub seq: u64,
}
