//! What differs between two graph files: jobs, datasets, and in which respect.
//!
//! Only what the files say is compared, so nothing is resolved or checked, and order does not matter.

use super::file::{DatasetEntry, GraphFile, JobEntry};
use std::collections::BTreeMap;

/// How something differs between two graphs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Only the head has it.
    Added,
    /// Only the base has it.
    Removed,
    /// Both have it.
    Changed,
}

impl Change {
    /// Stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
        }
    }
}

/// A job or a dataset that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Label of a job, name of a dataset.
    pub name: String,
    /// How.
    pub change: Change,
    /// If it changed: in which respects, by stable names.
    pub what: Vec<&'static str>,
}

/// What differs between two graphs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GraphDiff {
    /// Jobs, by label.
    pub jobs: Vec<Difference>,
    /// Datasets, by name.
    pub datasets: Vec<Difference>,
}

/// Compares two graph files.
#[must_use]
pub fn diff(base: &GraphFile, head: &GraphFile) -> GraphDiff {
    GraphDiff {
        jobs: compare(&base.jobs, &head.jobs, |job| &job.label, job_changes),
        datasets: compare(&base.datasets, &head.datasets, |dataset| &dataset.name, dataset_changes),
    }
}

fn compare<T>(
    base: &[T],
    head: &[T],
    name: impl Fn(&T) -> &str,
    changes: impl Fn(&T, &T) -> Vec<&'static str>,
) -> Vec<Difference> {
    let mut pairs: BTreeMap<&str, (Option<&T>, Option<&T>)> = BTreeMap::new();
    base.iter().for_each(|entry| pairs.entry(name(entry)).or_default().0 = Some(entry));
    head.iter().for_each(|entry| pairs.entry(name(entry)).or_default().1 = Some(entry));
    let difference = |(name, pair): (&str, (Option<&T>, Option<&T>))| {
        let (change, what) = match pair {
            (None, _) => (Change::Added, Vec::new()),
            (_, None) => (Change::Removed, Vec::new()),
            (Some(before), Some(now)) => (Change::Changed, changes(before, now)),
        };
        let differs = change != Change::Changed || !what.is_empty();
        differs.then(|| Difference { name: name.to_owned(), change, what })
    };
    pairs.into_iter().filter_map(difference).collect()
}

fn job_changes(before: &JobEntry, now: &JobEntry) -> Vec<&'static str> {
    // No `..`: what a job gains breaks the build here until it has a name.
    let JobEntry {
        label: _,
        executable,
        args,
        env,
        env_inherit,
        inputs,
        outputs,
        batch,
        pools,
        cpus,
        memory,
        max_running,
        rate,
        retries,
        backoff_ms,
        backoff_max_ms,
        timeout_ms,
        grace_ms,
        on_code_change,
        adds_keys,
        // Paths of build outputs; what they hold is in `code`.
        manifest: _,
        sources: _,
        code,
    } = before;
    let policy =
        (batch, retries, backoff_ms, backoff_max_ms, timeout_ms, grace_ms, on_code_change, adds_keys);
    let policy_now = (
        &now.batch,
        &now.retries,
        &now.backoff_ms,
        &now.backoff_max_ms,
        &now.timeout_ms,
        &now.grace_ms,
        &now.on_code_change,
        &now.adds_keys,
    );
    let limits = (pools, cpus, memory, max_running, rate);
    let limits_now = (&now.pools, &now.cpus, &now.memory, &now.max_running, &now.rate);
    let differs = [
        ("code", *code != now.code || *executable != now.executable),
        ("args", *args != now.args || *env != now.env || *env_inherit != now.env_inherit),
        ("inputs", *inputs != now.inputs),
        ("outputs", *outputs != now.outputs),
        ("policy", policy != policy_now || limits != limits_now),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn dataset_changes(before: &DatasetEntry, now: &DatasetEntry) -> Vec<&'static str> {
    let differs = [
        ("external", before.external != now.external),
        ("dims", before.dims != now.dims),
        ("path", before.path != now.path),
        ("observe", before.observe != now.observe),
        ("policy", before.max_running != now.max_running),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
