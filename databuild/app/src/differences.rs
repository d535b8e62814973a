//! What differs between two graphs, told in the words of the API. Where the graphs and their source manifests come from is the
//! caller's: files beside a program, or the log.

use super::arguments;
use crate::api::{Blame, CheckDiff, DatasetDiff, DiffView, JobDiff, MovedDiff, PoolDiff, ScheduleDiff};
use databuild_core::graph::diff::{Difference, GraphDiff, MovedDifference};
use databuild_core::graph::file::{GraphFile, MovedEntry};
use databuild_core::graph::Renames;
use databuild_core::ids::GraphId;

/// Jobs whose files are told; after a change of a toolchain all jobs differ, and alike.
const MOST_BLAMED: usize = 100;

/// A graph file with its id.
pub type Side = (GraphFile, GraphId);

/// The jobs whose source files explain what differs, the first of many.
pub fn to_blame(found: &GraphDiff) -> impl Iterator<Item = &Difference> {
    found.jobs.iter().filter(|job| job.what.contains(&"code")).take(MOST_BLAMED)
}

/// The label of a job in the base.
pub fn label_before(job: &Difference) -> &str {
    job.from.as_ref().unwrap_or(&job.name)
}

/// What differs, without what it makes stale. `files` tells the source files that explain why the code of a job is another, as far as
/// that is known.
pub fn view(
    (base, base_id): &Side,
    (head, head_id): &Side,
    found: &GraphDiff,
    files: impl Fn(&Difference) -> Option<Vec<Blame>>,
) -> DiffView {
    let texts = |what: &[&str]| what.iter().map(|what| (*what).to_owned()).collect();
    let job = |difference: &Difference| JobDiff {
        job: difference.name.clone(),
        change: difference.change.code().to_owned(),
        from: difference.from.clone(),
        what: texts(&difference.what),
        args: changed_arguments(difference, base, head),
        files: files(difference),
    };
    let dataset = |difference: &Difference| DatasetDiff {
        dataset: difference.name.clone(),
        change: difference.change.code().to_owned(),
        from: difference.from.clone(),
        what: texts(&difference.what),
    };
    let check = |difference: &Difference| CheckDiff {
        check: difference.name.clone(),
        change: difference.change.code().to_owned(),
        what: texts(&difference.what),
    };
    let schedule = |difference: &Difference| ScheduleDiff {
        schedule: difference.name.clone(),
        change: difference.change.code().to_owned(),
        what: texts(&difference.what),
    };
    DiffView {
        base: base_id.0.clone(),
        head: head_id.0.clone(),
        jobs: found.jobs.iter().map(job).collect(),
        datasets: found.datasets.iter().map(dataset).collect(),
        checks: found.checks.iter().map(check).collect(),
        schedules: found.schedules.iter().map(schedule).collect(),
        pools: found
            .pools
            .iter()
            .map(|pool| PoolDiff {
                pool: pool.label.clone(),
                change: pool.change().code().to_owned(),
                before: pool.before,
                now: pool.now,
            })
            .collect(),
        moved: found.moved.iter().map(moved).collect(),
        stale: None,
    }
}

/// Arguments of a job that changed.
fn changed_arguments(difference: &Difference, base: &GraphFile, head: &GraphFile) -> Vec<String> {
    if !difference.what.contains(&"args") {
        return Vec::new();
    }
    let job = |file: &GraphFile, label: &str| file.jobs.iter().find(|job| job.label == label).cloned();
    match (job(base, label_before(difference)), job(head, &difference.name)) {
        (Some(then), Some(now)) => arguments::of_job(&Renames::of(head).job(&then), &now),
        _ => Vec::new(),
    }
}

fn moved(MovedDifference { entry, change }: &MovedDifference) -> MovedDiff {
    let (kind, dataset, from, to) = match entry {
        MovedEntry::Dataset { from, to } => ("dataset", None, from, to),
        MovedEntry::Dimension { dataset, from, to } => ("dimension", Some(dataset.clone()), from, to),
        MovedEntry::Job { from, to } => ("job", None, from, to),
    };
    MovedDiff {
        kind: kind.to_owned(),
        change: change.code().to_owned(),
        from: from.clone(),
        to: to.clone(),
        dataset,
    }
}
