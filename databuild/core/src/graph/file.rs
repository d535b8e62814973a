//! The graph file as it is written by the rules: one JSON document, format 2.
//!
//! One schema stands between Starlark and Rust, pinned by `rules/tests/golden/graph.json`, which the
//! rules' test generates and this module's test parses. Unknown fields are refused: a newer rule set
//! never talks past an older server. Files of earlier formats are rewritten when they are read (`upgrade`).
//!
//! The fields of a policy stand among the others of its entry (`serde(flatten)`), and `deny_unknown_fields` refuses what
//! neither has. Serde's manual does not promise that the two work together, so `graph::an_unknown_field_is_refused_at_each_level`
//! holds it.

use super::policy::{DatasetPolicy, JobPolicy};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The number of the format.
pub const FORMAT: u32 = 2;

/// A whole graph file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GraphFile {
    /// Always [`FORMAT`].
    pub format: u32,
    /// The graph target.
    pub label: String,
    /// By name.
    pub datasets: Vec<DatasetEntry>,
    /// By label.
    pub jobs: Vec<JobEntry>,
    /// By label; absent if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pools: Vec<PoolEntry>,
    /// Milliseconds that events are kept in the log at least; those older are archived. Absent: all are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_events_ms: Option<u64>,
    /// Renames; absent if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<MovedEntry>,
    /// By label; absent if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<CheckEntry>,
    /// By label; absent if there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub schedules: Vec<ScheduleEntry>,
}

/// A schedule: when partitions are wanted by themselves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleEntry {
    /// Its target.
    pub label: String,
    /// When, as cron writes it; absent if it has `every_ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// IANA name of the zone whose clock `cron` means; absent for UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Milliseconds between two ticks; absent if it has `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
    /// References of what is wanted at each tick.
    pub targets: Vec<String>,
    /// The class of its wants.
    pub class: String,
    /// What becomes of ticks that were missed: `all`, `last` or `none`.
    pub missed: String,
    /// Milliseconds after which a missed tick is never made up for; absent for a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_within_ms: Option<u64>,
    /// Milliseconds by which a tick may be put off; absent for none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub jitter_ms: u64,
    /// No tick is later than this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<String>,
    /// It ends after so many ticks were fired.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u64>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Something has another name than before. It is what it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum MovedEntry {
    /// A dataset, by name.
    Dataset {
        /// What it was named.
        from: String,
        /// What it is named.
        to: String,
    },
    /// A dimension of a dataset.
    Dimension {
        /// The dataset's name, that of now or an earlier one.
        dataset: String,
        /// What it was named.
        from: String,
        /// What it is named.
        to: String,
    },
    /// A job, by label.
    Job {
        /// What it was labeled.
        from: String,
        /// What it is labeled.
        to: String,
    },
}

/// A check of a dataset's partitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckEntry {
    /// Its target.
    pub label: String,
    /// The dataset that it looks at.
    pub dataset: String,
    /// What it refuses is not published; else it only warns.
    pub blocking: bool,
    /// What is run.
    pub program: ProgramEntry,
}

/// A program: what is run for a job, a check or an observer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgramEntry {
    /// Runfiles path of the executable.
    pub executable: String,
    /// Arguments; templates for jobs and checks.
    pub args: Vec<String>,
    /// Environment.
    pub env: BTreeMap<String, String>,
    /// Names taken from the environment of whoever registers the graph.
    pub env_inherit: Vec<String>,
    /// Time limit of one process; absent for no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Time between TERM and KILL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grace_ms: Option<u64>,
    /// Runfiles path of the code manifest.
    pub manifest: String,
    /// Digest of the code manifest; absent before assembly.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// A pool: something that runs share and that there is only so much of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PoolEntry {
    /// Its target.
    pub label: String,
    /// How much of it there is.
    pub slots: u32,
}

/// A dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetEntry {
    /// `package/name`, or `name` in the root package.
    pub name: String,
    /// Its target.
    pub label: String,
    /// Observed, not built.
    pub external: bool,
    /// In declared order.
    pub dims: Vec<DimEntry>,
    /// Where its partitions are files; absent if they are not.
    pub path: Option<String>,
    /// How runs that make it are treated.
    #[serde(flatten)]
    pub policy: DatasetPolicy,
    /// How its data versions are found out; by the file at `path` if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observe: Option<ObserveEntry>,
}

/// How the data versions of an external dataset are found out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum ObserveEntry {
    /// By the files that match a pattern.
    Glob {
        /// The pattern, with `{dimension}` for each dimension.
        pattern: String,
    },
    /// By asking a server over HTTP.
    Http {
        /// The URL, with `{dimension}` for each dimension.
        url: String,
        /// Time limit of one question.
        timeout_ms: u64,
        /// An answer younger than this is believed without asking again.
        every_ms: u64,
    },
    /// By running a program.
    Program(ObserverEntry),
}

/// A program that says which data versions partitions have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ObserverEntry {
    /// Its target.
    pub label: String,
    /// What is run.
    pub program: ProgramEntry,
    /// An answer younger than this is believed without asking again.
    pub every_ms: u64,
}

/// A dimension of a dataset.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DimEntry {
    /// Its name.
    pub name: String,
    /// Its key space.
    pub keys: KeysEntry,
}

/// A key space.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum KeysEntry {
    /// Calendar periods.
    Time {
        /// Their length.
        granularity: GranularityName,
        /// First key.
        start: String,
        /// Last key; open if absent.
        end: Option<String>,
        /// IANA name.
        timezone: String,
    },
    /// Listed keys.
    Static {
        /// In declared order.
        keys: Vec<String>,
    },
    /// Keys that are added and retired while the system runs.
    Dynamic {
        /// The name of the set, which all dimensions with it share; absent for a set of this dimension alone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// Length of a calendar period.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum GranularityName {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobEntry {
    /// Its target.
    pub label: String,
    /// What is run.
    pub program: ProgramEntry,
    /// Parameters with their defaults; absent if it has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub params: BTreeMap<String, String>,
    /// By name.
    pub inputs: Vec<InputEntry>,
    /// Dataset names; all have the same dimensions.
    pub outputs: Vec<String>,
    /// One run makes several partitions; absent if it makes one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<BatchEntry>,
    /// How its runs are treated.
    #[serde(flatten)]
    pub policy: JobPolicy,
    /// Runfiles path of the source manifest.
    pub sources: String,
    /// Names of dynamic key spaces that its runs may add keys to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub adds_keys: Vec<String>,
}

/// How many partitions one run makes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchEntry {
    /// The dimension of the outputs in which the partitions of a run may differ.
    pub dim: String,
    /// How many there may be: 2 to 10,000.
    pub max: u32,
}

/// An input of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputEntry {
    /// The job's name for it.
    pub name: String,
    /// The dataset read.
    pub dataset: String,
    /// One entry for each dimension of that dataset, in its order.
    pub dims: Vec<InputDimEntry>,
    /// What happens to keys before the dataset's first.
    pub before_start: EdgeName,
    /// What happens to keys after its last.
    pub after_end: EdgeName,
}

/// How one dimension of an input follows from the output's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputDimEntry {
    /// The input dataset's dimension.
    pub dim: String,
    /// The rule.
    pub rule: RuleEntry,
}

/// A mapping rule; `of` names a dimension of the outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum RuleEntry {
    /// The same key.
    Same {
        /// Output dimension.
        of: String,
    },
    /// The key and the `count - 1` before it.
    Window {
        /// Output dimension.
        of: String,
        /// Length.
        count: u32,
    },
    /// The key `by` periods later (earlier if negative).
    Offset {
        /// Output dimension.
        of: String,
        /// Distance.
        by: i32,
    },
    /// All finer periods within the output's.
    Rollup {
        /// Output dimension.
        of: String,
    },
    /// The coarser period that contains the output's.
    Fanout {
        /// Output dimension.
        of: String,
    },
    /// Every key.
    All {},
    /// The last `count` keys.
    Latest {
        /// How many.
        count: u32,
    },
    /// These keys.
    Only {
        /// They.
        keys: Vec<String>,
    },
}

/// An edge rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeName {
    /// What does not exist is not needed.
    Clip,
    /// The output cannot be built; refused when the graph is built, if that can be known.
    Fail,
    /// The output is left out.
    Skip,
}

impl GraphFile {
    /// All programs with the labels of what they belong to: those of jobs, then those of checks, then those of observers.
    pub fn programs(&self) -> impl Iterator<Item = (&str, &ProgramEntry)> {
        let jobs = self.jobs.iter().map(|job| (job.label.as_str(), &job.program));
        let checks = self.checks.iter().map(|check| (check.label.as_str(), &check.program));
        let observers = self.datasets.iter().filter_map(|dataset| match &dataset.observe {
            Some(ObserveEntry::Program(observer)) => Some((observer.label.as_str(), &observer.program)),
            _ => None,
        });
        jobs.chain(checks).chain(observers)
    }
}
