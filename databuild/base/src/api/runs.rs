//! Runs and attempts.

use super::{BlockReason, ListOrder};
use databuild_core::event::OutcomeKind;
use databuild_core::word::Word as _;
use databuild_core::words;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

words! {
    /// How an answer has lines of a log.
    pub enum LogFormat: "format of a log" {
        /// The lines are in one JSON object.
        Json => "json",
        /// Each line is a JSON object of its own.
        Ndjson => "ndjson",
        /// Lines are as people read them.
        Text => "text",
    }
}

/// Query of `GET /api/v1/runs`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct RunsQuery {
    /// Only of this job: its label, or a name that only one has.
    pub job: Option<String>,
    /// Only those in this state.
    pub state: Option<String>,
    /// Only those that make any of this reference.
    pub partition: Option<String>,
    /// By what they are sorted: `newest` by default. A cursor is of one order.
    #[param(inline, value_type = Option<ListOrder>)]
    pub sort: Option<String>,
    /// How many rows at most.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// Query of `GET /api/v1/runs/{id}/reproduction`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ReproductionQuery {
    /// The attempt; the last one if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// The absolute path of the folder in which it is to work. It need not be there.
    #[param(example = "/srv/ada/again")]
    pub folder: String,
}

/// What a process needs to be an attempt once more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReproductionView {
    /// `r12`.
    pub run: String,
    /// Its number.
    pub attempt: u32,
    /// Label.
    pub job: String,
    /// Executable and arguments.
    pub argv: Vec<String>,
    /// Variables; those of `env_inherit` and the two that name files of the folder are not among them.
    pub env: BTreeMap<String, String>,
    /// Variables that are inherited. Their values may be secrets and are not told; here is the SHA-256 of what each had then, and null if
    /// it was not set.
    pub env_inherit: BTreeMap<String, Option<String>>,
    /// The working folder.
    pub cwd: String,
    /// What the job is asked, as its request file has it; its outputs are in the folder.
    pub request: serde_json::Value,
    /// What it is to make.
    pub outputs: Vec<ReproducedOutput>,
    /// Inputs that are not what the attempt read.
    pub changed: Vec<String>,
}

/// An output of an attempt that is repeated by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ReproducedOutput {
    /// Its reference.
    pub partition: String,
    /// Where it is to be written.
    pub path: String,
    /// Where the published one is.
    pub published: String,
}

/// A run in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunRow {
    /// `r12`.
    pub id: String,
    /// Label.
    pub job: String,
    /// What it makes, as the job's first output: one partition, or a set of them that differ in one
    /// dimension.
    pub partition: String,
    /// How many that is.
    pub partitions: u64,
    /// `leased`, `running`, `retry_wait`, `suspended`, `completed`, `failed`, `canceled`.
    pub state: String,
    /// Attempts so far.
    pub attempt_count: u32,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; absent while live.
    pub ended_at: Option<String>,
    /// Why it failed.
    pub message: String,
    /// The trial that it is a part of, `t3`; it publishes nothing. Absent if it is of none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<String>,
}

/// `GET /api/v1/runs/r12`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RunDetail {
    /// As in lists.
    #[serde(flatten)]
    pub run: RunRow,
    /// Digest of the graph whose code it ran.
    pub graph: String,
    /// All parameters of the job with the values that it got; absent if it has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// The attempt that is under way; absent if none is.
    pub current_attempt: Option<String>,
    /// When it was due to begin, or is due to be tried again, RFC 3339.
    pub scheduled_at: String,
    /// Where it stood, first to last.
    pub state_history: Vec<StateChange>,
    /// Its attempts, first to last.
    pub attempts: Vec<AttemptRow>,
    /// Who has the attempt that is under way; absent if none is.
    pub lease: Option<Lease>,
    /// What keeps it from being done.
    pub block_reason: BlockReason,
    /// Wants that need it; none once it is over.
    pub wants: Vec<String>,
    /// What checks found in what it made, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<super::CheckRow>,
    /// The archive that it is in, by its file name; absent if it is not archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// The last event this reflects.
    pub seq: u64,
}

/// A run came from one state to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StateChange {
    /// Absent for the first.
    pub from: Option<String>,
    /// As in lists.
    pub to: String,
    /// RFC 3339.
    pub at: String,
}

/// An executor has an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Lease {
    /// Which executor: `runner`, the one of this machine.
    pub owner: String,
    /// The attempt.
    pub attempt: String,
    /// RFC 3339.
    pub acquired_at: String,
    /// When something was heard of it last, RFC 3339.
    pub updated_at: String,
    /// When it ends by itself, RFC 3339; absent for the runner of this machine, which is asked whether it lives.
    pub expires_at: Option<String>,
}

/// One attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AttemptRow {
    /// `r12-1`.
    pub id: String,
    /// From 1.
    pub number: u32,
    /// `leased`, `running`, `ended`.
    pub state: String,
    /// `success`, `failure`, `permanent_failure`, `timeout`, `out_of_memory`, `canceled`, `lost`, `inputs_moved`,
    /// `missing_input`; absent while live.
    pub outcome: Option<String>,
    /// Process id, once started.
    pub pid: Option<u32>,
    /// RFC 3339.
    pub leased_at: String,
    /// RFC 3339.
    pub started_at: Option<String>,
    /// RFC 3339.
    pub ended_at: Option<String>,
    /// Exit code.
    pub exit_code: Option<i32>,
    /// Wall time in milliseconds; absent if it had no process.
    #[serde(default)]
    pub wall_ms: Option<u64>,
    /// CPU time in milliseconds.
    pub cpu_ms: u64,
    /// Largest resident set in kibibytes.
    pub max_rss_kb: u64,
    /// Why it failed.
    pub message: String,
    /// What the job [returned](jobs.md#the-report): its text, or base64 of its bytes if `output_base64`; left out if it returned nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// `output` is base64, as the bytes are no UTF-8; else left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub output_base64: bool,
    /// The job returned something that has no room here, since what later attempts returned has 1 MiB already: the event of the
    /// attempt's end has it. Else left out.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub output_left_out: bool,
}

/// How people find out when that was.
const WHEN: &str = "`databuild events --kind garbage_collected` says when";

impl AttemptRow {
    /// What is said of one that is over and of whose output nothing is kept. The folder of one that ended well and printed nothing is
    /// used again, so of such a one nobody knows more. Each removal by `gc` is an event.
    #[must_use]
    pub fn without_log(&self) -> String {
        let id = &self.id;
        if self.outcome.as_deref() == Some(OutcomeKind::Success.word()) {
            format!("nothing is kept of {id}: it printed nothing, or `gc` removed its log ({WHEN})")
        } else {
            format!("the log of {id} is not there any more: `gc` removed it ({WHEN})")
        }
    }
}

/// Runs of one job that failed with one message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct FailedRuns {
    /// Label.
    pub job: String,
    /// What went wrong.
    pub message: String,
    /// How many runs.
    pub runs: u64,
    /// How many partitions they were to make.
    pub partitions: u64,
    /// The newest of these runs.
    pub run: String,
    /// What that was to make.
    pub partition: String,
    /// When that failed, RFC 3339.
    pub at: String,
}

/// `GET /api/v1/runs/r12/logs`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogLines {
    /// Of this attempt.
    pub attempt: u32,
    /// In the order in which they became whole.
    pub lines: Vec<LogLine>,
    /// Pass it as `cursor` to go on.
    pub next: String,
    /// The attempt is over, and nothing follows.
    pub ended: bool,
    /// How many lines of what was searched have what was searched for; `lines` are the first of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hits: Option<u64>,
    /// The time of the search was over before all was looked at: `next` is where to search on.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub incomplete: bool,
    /// Anything is kept of what the attempt printed. If not, `gc` removed its log, or it ended well and printed nothing.
    #[serde(default = "is_kept")]
    pub kept: bool,
}

/// Servers that do not say so told of logs that are not kept as of empty ones.
fn is_kept() -> bool {
    true
}

/// A line that a job printed. It has `text`, or `hex` if it is no UTF-8.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct LogLine {
    /// RFC 3339, to the millisecond: when its end came; null if nobody knows.
    pub at: Option<String>,
    /// `stdout`, `stderr`.
    pub stream: String,
    /// Without its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hex: Option<String>,
    /// It is the beginning of a long line, which goes on in the next one of its stream.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
}
