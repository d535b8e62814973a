//! What differs between two graph files: jobs, datasets, and in which respect.
//!
//! Only what the files say is compared, so nothing is resolved or checked, and order does not matter. What the head
//! declares moved is held against what it was.

use super::file::{CheckEntry, DatasetEntry, GraphFile, JobEntry, MovedEntry, ProgramEntry, ScheduleEntry};
use super::renames::Renames;
use std::borrow::Cow;
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
    /// Both have it, under two names.
    Moved,
}

impl Change {
    /// Stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Change::Added => "added",
            Change::Removed => "removed",
            Change::Changed => "changed",
            Change::Moved => "moved",
        }
    }
}

/// A job, a dataset or a check that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Label of a job or a check, name of a dataset.
    pub name: String,
    /// How.
    pub change: Change,
    /// If it was moved: what the base calls it.
    pub from: Option<String>,
    /// If both have it: in which respects it changed, by stable names.
    pub what: Vec<&'static str>,
}

/// A declaration of another name that only one of the two has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MovedDifference {
    /// What it declares.
    pub entry: MovedEntry,
    /// Added or removed.
    pub change: Change,
}

/// A pool that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolDifference {
    /// Its label.
    pub label: String,
    /// Its slots in the base; none if it is new.
    pub before: Option<u32>,
    /// Its slots in the head; none if it is gone.
    pub now: Option<u32>,
}

impl PoolDifference {
    /// How it differs.
    #[must_use]
    pub fn change(&self) -> Change {
        match (self.before, self.now) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            _ => Change::Changed,
        }
    }
}

/// What differs between two graphs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GraphDiff {
    /// Jobs, by label.
    pub jobs: Vec<Difference>,
    /// Datasets, by name.
    pub datasets: Vec<Difference>,
    /// Checks, by label.
    pub checks: Vec<Difference>,
    /// Schedules, by label.
    pub schedules: Vec<Difference>,
    /// Pools, by label.
    pub pools: Vec<PoolDifference>,
    /// Declarations of other names: first those that are gone, each in the order of its file. A removed one
    /// matters to a workspace that has not seen the new name yet: for it, the history is lost.
    pub moved: Vec<MovedDifference>,
}

impl GraphDiff {
    /// Nothing differs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let same = self.jobs.is_empty() && self.datasets.is_empty() && self.checks.is_empty();
        same && self.schedules.is_empty() && self.pools.is_empty() && self.moved.is_empty()
    }
}

/// Compares two graph files.
#[must_use]
pub fn diff(base: &GraphFile, head: &GraphFile) -> GraphDiff {
    let renames = Renames::of(head);
    let jobs: Vec<Base<JobEntry>> =
        base.jobs.iter().map(|job| Base { name: &job.label, entry: renames.job(job) }).collect();
    let datasets: Vec<Base<DatasetEntry>> = base
        .datasets
        .iter()
        .map(|dataset| Base { name: &dataset.name, entry: renames.dataset(dataset) })
        .collect();
    let checks: Vec<Base<CheckEntry>> =
        base.checks.iter().map(|check| Base { name: &check.label, entry: renames.check(check) }).collect();
    let schedules: Vec<Base<ScheduleEntry>> = base
        .schedules
        .iter()
        .map(|schedule| Base { name: &schedule.label, entry: Cow::Borrowed(schedule) })
        .collect();
    let mut found = GraphDiff {
        jobs: compare(&jobs, &head.jobs, |job| &job.label, job_changes),
        datasets: compare(&datasets, &head.datasets, |dataset| &dataset.name, dataset_changes),
        checks: compare(&checks, &head.checks, |check| &check.label, check_changes),
        schedules: compare(&schedules, &head.schedules, |schedule| &schedule.label, schedule_changes),
        pools: pool_changes(base, head),
        moved: [(&base.moved, &head.moved, Change::Removed), (&head.moved, &base.moved, Change::Added)]
            .into_iter()
            .flat_map(|(these, those, change)| {
                let only = these.iter().filter(|entry| !those.contains(entry));
                only.map(move |entry| MovedDifference { entry: entry.clone(), change })
            })
            .collect(),
    };
    for (before, Base { entry, .. }) in base.datasets.iter().zip(&datasets) {
        let moved = before.dims.iter().zip(&entry.dims).any(|(before, now)| before.name != now.name);
        if !moved {
            continue;
        }
        if let Some(now) = head.datasets.iter().find(|dataset| dataset.name == entry.name) {
            note_moved_dims(&mut found.datasets, now);
        }
    }
    found
}

/// An entry of the base in the words of the head, with its name there.
struct Base<'f, T: Clone> {
    name: &'f str,
    entry: Cow<'f, T>,
}

fn note_moved_dims(found: &mut Vec<Difference>, dataset: &DatasetEntry) {
    let name = &dataset.name;
    let at = found.iter().position(|difference| difference.name >= *name).unwrap_or(found.len());
    if found.get(at).is_none_or(|difference| difference.name != *name) {
        let (name, change) = (name.clone(), Change::Changed);
        found.insert(at, Difference { name, change, from: None, what: Vec::new() });
    }
    found[at].what.push("moved_dims");
}

fn compare<T: Clone>(
    base: &[Base<T>],
    head: &[T],
    name: impl Fn(&T) -> &str,
    changes: impl Fn(&T, &T) -> Vec<&'static str>,
) -> Vec<Difference> {
    let mut pairs: BTreeMap<&str, (Option<&Base<T>>, Option<&T>)> = BTreeMap::new();
    base.iter().for_each(|base| pairs.entry(name(&base.entry)).or_default().0 = Some(base));
    head.iter().for_each(|entry| pairs.entry(name(entry)).or_default().1 = Some(entry));
    let difference = |(name, pair): (&str, (Option<&Base<T>>, Option<&T>))| {
        let mut from = None;
        let mut name = name;
        let (change, what) = match pair {
            (None, _) => (Change::Added, Vec::new()),
            (before, None) => {
                name = before.map_or(name, |before| before.name);
                (Change::Removed, Vec::new())
            }
            (Some(before), Some(now)) => {
                from = (before.name != name).then(|| before.name.to_owned());
                let change = if from.is_some() { Change::Moved } else { Change::Changed };
                (change, changes(before.entry.as_ref(), now))
            }
        };
        let differs = change != Change::Changed || !what.is_empty();
        differs.then(|| Difference { name: name.to_owned(), change, from, what })
    };
    pairs.into_iter().filter_map(difference).collect()
}

fn pool_changes(base: &GraphFile, head: &GraphFile) -> Vec<PoolDifference> {
    let mut slots: BTreeMap<&str, (Option<u32>, Option<u32>)> = BTreeMap::new();
    base.pools.iter().for_each(|pool| slots.entry(&pool.label).or_default().0 = Some(pool.slots));
    head.pools.iter().for_each(|pool| slots.entry(&pool.label).or_default().1 = Some(pool.slots));
    let differing = slots.into_iter().filter(|(_, (before, now))| before != now);
    differing.map(|(label, (before, now))| PoolDifference { label: label.to_owned(), before, now }).collect()
}

/// Whether code, arguments and limits of a program differ.
fn program_changes(before: &ProgramEntry, now: &ProgramEntry) -> [bool; 3] {
    // No `..`: what a program gains breaks the build here until it has a name.
    let ProgramEntry {
        executable,
        args,
        env,
        env_inherit,
        timeout_ms,
        grace_ms,
        // The path of a build output; what it holds is in `code`.
        manifest: _,
        code,
    } = before;
    [
        (code, executable) != (&now.code, &now.executable),
        (args, env, env_inherit) != (&now.args, &now.env, &now.env_inherit),
        (timeout_ms, grace_ms) != (&now.timeout_ms, &now.grace_ms),
    ]
}

fn job_changes(before: &JobEntry, now: &JobEntry) -> Vec<&'static str> {
    // No `..`: what a job gains breaks the build here until it has a name.
    let JobEntry {
        label: _,
        program,
        params,
        inputs,
        outputs,
        batch,
        policy,
        adds_keys,
        // The path of a build output; what matters of it is in the program's `code`.
        sources: _,
    } = before;
    let rest = (policy, batch, adds_keys);
    let [code, args, process_limits] = program_changes(program, &now.program);
    let differs = [
        ("code", code),
        ("args", args || *params != now.params),
        ("inputs", *inputs != now.inputs),
        ("outputs", *outputs != now.outputs),
        ("policy", rest != (&now.policy, &now.batch, &now.adds_keys) || process_limits),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn dataset_changes(before: &DatasetEntry, now: &DatasetEntry) -> Vec<&'static str> {
    let differs = [
        ("external", before.external != now.external),
        ("dims", before.dims != now.dims),
        ("path", before.path != now.path),
        ("observe", before.observe != now.observe),
        ("policy", before.policy != now.policy),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn check_changes(before: &CheckEntry, now: &CheckEntry) -> Vec<&'static str> {
    let [code, args, process_limits] = program_changes(&before.program, &now.program);
    let differs = [
        ("dataset", before.dataset != now.dataset),
        ("code", code),
        ("args", args),
        ("policy", before.blocking != now.blocking || process_limits),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}

fn schedule_changes(before: &ScheduleEntry, now: &ScheduleEntry) -> Vec<&'static str> {
    // No `..`: what a schedule gains breaks the build here until it has a name.
    let ScheduleEntry {
        label: _,
        cron,
        time_zone,
        every_ms,
        targets,
        class,
        missed,
        missed_within_ms,
        jitter_ms,
        until,
        times,
    } = before;
    let when = (cron, time_zone, every_ms, until, times);
    let policy = (class, missed, missed_within_ms, jitter_ms);
    let differs = [
        ("when", when != (&now.cron, &now.time_zone, &now.every_ms, &now.until, &now.times)),
        ("targets", *targets != now.targets),
        ("policy", policy != (&now.class, &now.missed, &now.missed_within_ms, &now.jitter_ms)),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(name, _)| name).collect()
}
