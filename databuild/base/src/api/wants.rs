//! Wants and their progress.

use super::runs::FailedRuns;
use super::schema::{word, word_or_none};
use super::work::Blocker;
use super::ListOrder;
use databuild_core::event::{PriorityClass, Refresh, WantCounts};
use databuild_core::word::Word as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// `POST /api/v1/wants`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWant {
    /// References: `temps/city=seattle/date=2010-01-01..2010-01-31`.
    pub targets: Vec<String>,
    /// `interactive` (default) or `backfill`.
    #[serde(default)]
    #[schema(schema_with = word_or_none::<PriorityClass>)]
    pub class: Option<String>,
    /// `missing`, `stale` (default) or `all`.
    #[serde(default)]
    #[schema(schema_with = word_or_none::<Refresh>)]
    pub refresh: Option<String>,
    /// Key spaces as of this instant; now if absent.
    #[serde(default)]
    pub as_of: Option<String>,
    /// Give up after so many seconds.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// Late after so many seconds.
    #[serde(default)]
    pub sla_seconds: Option<u64>,
    /// What it is for, in at most 4096 bytes.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable, max_length = 4096)]
    pub comment: String,
    /// Refuse if another graph is registered.
    #[serde(default)]
    pub graph: Option<String>,
}

/// `POST /api/v1/jobs/invoke`; the answer is that of `POST /api/v1/wants`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokeJob {
    /// The job: its label, or a name that only one has.
    pub job: String,
    /// References of what is to be made, whatever its state.
    pub targets: Vec<String>,
    /// Values of its parameters; defaults hold for the others.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable)]
    pub params: BTreeMap<String, String>,
    /// As in `POST /api/v1/wants`.
    #[serde(default)]
    #[schema(schema_with = word_or_none::<PriorityClass>)]
    pub class: Option<String>,
    /// As there.
    #[serde(default)]
    pub as_of: Option<String>,
    /// As there.
    #[serde(default)]
    pub ttl_seconds: Option<u64>,
    /// As there.
    #[serde(default)]
    pub sla_seconds: Option<u64>,
    /// As there.
    #[serde(default, deserialize_with = "super::or_default")]
    #[schema(nullable, max_length = 4096)]
    pub comment: String,
    /// As there.
    #[serde(default)]
    pub graph: Option<String>,
}

impl InvokeJob {
    /// The job, the values of its parameters, and what else is asked as for a want.
    #[must_use]
    pub fn into_want(self) -> (String, BTreeMap<String, String>, CreateWant) {
        let InvokeJob { job, targets, params, class, as_of, ttl_seconds, sla_seconds, comment, graph } = self;
        let refresh = Some(Refresh::All.word().to_owned());
        let want = CreateWant { targets, class, refresh, as_of, ttl_seconds, sla_seconds, comment, graph };
        (job, params, want)
    }
}

/// `POST /api/v1/wants/batch`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateWants {
    /// The wants, at most 100.
    #[schema(min_items = 1, max_items = 100)]
    pub wants: Vec<CreateWant>,
}

/// Its answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CreatedWants {
    /// What came of each want, in the order of the request.
    pub data: Vec<WantOrError>,
    /// How many wants there are now for this request.
    pub made: usize,
    /// Partitions of these that nothing upstream holds up.
    pub ready: u64,
    /// The last event this reflects.
    pub seq: u64,
}

/// What came of a want that was asked for among others. It has one of the two.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WantOrError {
    /// The want.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub want: Option<WantDetail>,
    /// Why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<super::ErrorBody>,
}

/// Query of `GET /api/v1/wants`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct WantsQuery {
    /// Only those in this state: `open`, `satisfied`, `failed`, `canceled` or `expired`.
    pub state: Option<String>,
    /// Only those that this program asked for: `cli`, `ui`, `api`, `mcp`, or as it calls itself; `databuild` for those that runs
    /// made.
    pub source: Option<String>,
    /// By what they are sorted: `newest` by default. A cursor is of one order.
    #[param(inline, value_type = Option<ListOrder>)]
    pub sort: Option<String>,
    /// How many rows at most.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

/// Query of `GET /api/v1/wants/{id}/progress`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ProgressQuery {
    /// Tell what happened after this event.
    pub after: Option<u64>,
    /// How long to wait until something happens, in milliseconds.
    pub wait_ms: Option<u64>,
}

/// A want in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WantRow {
    /// `w3`.
    pub id: String,
    /// `open`, `satisfied`, `failed`, `canceled`, `expired`.
    pub state: String,
    /// What was asked for; in lists the first 20, then `…` follows.
    pub targets: Vec<String>,
    /// `interactive` or `backfill`.
    pub class: String,
    /// `missing`, `stale` or `all`.
    pub refresh: String,
    /// Nothing is begun for it.
    #[serde(default)]
    pub paused: bool,
    /// What it is for.
    pub comment: String,
    /// The program that asked, such as `cli`; empty if it was none.
    pub source: String,
    /// Who asked: a person, or the run that needs it.
    pub by: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; absent while open.
    pub ended_at: Option<String>,
    /// RFC 3339: late after this instant; absent if nobody said.
    pub due_at: Option<String>,
    /// It was not over by then.
    pub late: bool,
}

/// `GET /api/v1/wants/w3`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WantDetail {
    /// As in lists.
    #[serde(flatten)]
    pub want: WantRow,
    /// Key spaces were read as of then.
    pub as_of: String,
    /// The plan that it carries out.
    pub plan: Option<String>,
    /// Values of parameters that were given for it; absent if there are none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// How far it is, or how it went; absent if it ended before the log said how.
    pub progress: Option<Progress>,
    /// The graph that what is left of it follows; absent once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graph: Option<String>,
    /// When something was decided about its work last, RFC 3339.
    #[serde(default)]
    pub updated_at: String,
    /// What is there now, as it was asked for; empty until it is satisfied.
    #[serde(default)]
    pub outputs: Vec<String>,
    /// The first of `causes`; absent if nothing failed.
    pub error: Option<String>,
    /// The run that needs it; absent if somebody asked for it.
    pub parent: Option<String>,
    /// Wants that its runs wait for.
    #[serde(default)]
    pub children: Vec<String>,
    /// Why it failed: first causes, at most ten.
    pub causes: Vec<String>,
    /// How many of the partitions that it asks for edge rules leave out; absent while it is open, and if there are none.
    #[serde(default, skip_serializing_if = "super::partitions::is_zero")]
    pub left_out: u64,
    /// The archive that it is in, by its file name; absent if it is not archived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<String>,
    /// The last event this reflects.
    pub seq: u64,
}

/// `POST /api/v1/wants/w3/priority`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PrioritizeWant {
    /// `interactive` or `backfill`.
    #[schema(schema_with = word::<PriorityClass>)]
    pub class: String,
}

/// `GET /api/v1/wants/w3/history`: how far it was when, and what failed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct WantHistory {
    /// `w3`.
    pub id: String,
    /// How far it was, oldest first; at most 200 points.
    pub points: Vec<ProgressPoint>,
    /// Runs that failed while it was open and make what it waits for, by job and message, the newest first.
    pub failures: Vec<FailedRuns>,
    /// More was to be looked at than was: the oldest is left out.
    #[serde(default)]
    pub truncated: bool,
    /// The last event this reflects.
    pub seq: u64,
}

/// How far a want was at an instant.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct ProgressPoint {
    /// RFC 3339.
    pub at: String,
    /// Partitions done by then.
    pub done: u64,
    /// Partitions by then whose run failed.
    pub failed: u64,
}

/// How far a want is, or how it went. All are partitions, and each counts once: `done`, `failed`, `skipped`, `canceled`,
/// `impossible` and `left` add up to `total`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// All partitions that it is about.
    pub total: u64,
    /// Built, or found to be current after all.
    pub done: u64,
    /// Of `done`: found to be current.
    pub unchanged: u64,
    /// Their run failed.
    pub failed: u64,
    /// Given up, since something that they are made from failed.
    #[serde(default)]
    pub skipped: u64,
    /// Their run was canceled, or the want ended before they were begun.
    #[serde(default)]
    pub canceled: u64,
    /// Nobody can build them: the causes of the want say why.
    #[serde(default)]
    pub impossible: u64,
    /// Still to do, with those that are being made; 0 once the want has ended.
    #[serde(default)]
    pub left: u64,
    /// Of `left`: runs under way make them.
    pub running: u64,
    /// Of `left`: nothing upstream holds them up, and they begin when there is a place.
    #[serde(default)]
    pub ready: u64,
    /// By job, upstream first.
    pub jobs: Vec<JobProgress>,
}

impl Progress {
    /// That of a want of which nothing is left.
    #[must_use]
    pub fn of(counts: &WantCounts) -> Progress {
        let WantCounts { built: _, unchanged, failed, skipped, canceled, impossible } = *counts;
        let (total, done) = (counts.all(), counts.done());
        Progress { total, done, unchanged, failed, skipped, canceled, impossible, ..Progress::default() }
    }

    /// Built by runs.
    #[must_use]
    pub fn built(&self) -> u64 {
        self.done.saturating_sub(self.unchanged)
    }

    /// What did not end well, by the word of each, with how much there is of it.
    #[must_use]
    pub fn not_done(&self) -> [(&'static str, u64); 4] {
        [
            ("failed", self.failed),
            ("skipped", self.skipped),
            ("canceled", self.canceled),
            ("impossible", self.impossible),
        ]
    }
}

/// One job's part of a want.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct JobProgress {
    /// Label.
    pub job: String,
    /// Partitions still to do, running ones included.
    pub remaining: u64,
    /// Of `remaining`: runs under way make them.
    pub running: u64,
}

/// `GET /api/v1/wants/w3/progress?after=SEQ`: waits until something happens, at most some seconds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProgressLine {
    /// Of this event; 0 for a summary.
    pub seq: u64,
    /// `started`, `built`, `empty`, `unchanged`, `failed`, `retry`, `given_up`, `canceled`, `warning`, `keys_back`.
    pub what: String,
    /// What it is about: partitions of this want alone.
    pub partition: String,
    /// How many partitions that is.
    #[serde(default)]
    pub partitions: Option<u64>,
    /// Label of the job that makes them.
    #[serde(default)]
    pub job: Option<String>,
    /// The run.
    pub run: Option<String>,
    /// Milliseconds the attempt took; absent if it had no process.
    pub wall_ms: Option<u64>,
    /// For people.
    pub message: String,
}

/// Answer of `GET /api/v1/wants/w3/progress`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProgressAnswer {
    /// The want now.
    pub want: WantDetail,
    /// What happened since.
    pub lines: Vec<ProgressLine>,
    /// Pass it as `after` next time.
    pub seq: u64,
    /// More has happened than `lines` tells; ask again at once.
    pub truncated: bool,
    /// What all work of the server waits for, its running jobs included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stalled: Option<Blocker>,
}
