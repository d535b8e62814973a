//! Runs that failed, as the reason why something is not there.

use super::needs::{first_reader, needs, work_of};
use crate::store::{History, RunFilter, RunRow, RunState, StoreError};
use databuild_core::graph::{DatasetIx, JobIx};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::planner::Plan;
use databuild_core::state::{Named, State};
use std::collections::BTreeSet;

/// The last run for a partition that failed.
///
/// # Errors
/// The history cannot be read.
pub(super) fn last_failure(
    state: &State,
    reader: &dyn History,
    job: JobIx,
    key: &PartitionKey,
) -> Result<Option<RunRow>, StoreError> {
    let home = state.graph().job(job).outputs[0];
    let of = Named::Partitions { texts: state.texts(home, key), datasets: state.names(home) };
    let failed = RunFilter { state: Some(RunState::Failed), of: Some(of), ..RunFilter::default() };
    // A batch goes by the name of its set.
    let among = |partitions: &str| {
        let found = state.graph().locate_set(partitions, state.symbols());
        found.is_some_and(|(_, set)| set.contains(key))
    };
    reader.newest_run(&failed, &among)
}

/// A partition on the way up to one whose run failed.
#[derive(Debug)]
pub(super) struct Step {
    /// Its dataset.
    pub(super) dataset: DatasetIx,
    /// Its key.
    pub(super) key: PartitionKey,
    /// How many partitions of its dataset are like it.
    pub(super) count: u64,
}

/// The way from `set` of `job` up to a partition that is not there or not current since its run failed, nearest
/// first. The nearest failure counts; `seen` are jobs that were looked at.
///
/// Graphs may be thousands of jobs deep, so what is to be looked at further down is kept in a list and not on the stack.
pub(super) fn way_to_failure(
    state: &State,
    plan: &Plan,
    job: JobIx,
    set: &PartitionSet,
    seen: &mut BTreeSet<JobIx>,
) -> Option<Vec<Step>> {
    let mut levels = vec![Level::of(state, plan, job, set)];
    while let Some(level) = levels.last_mut() {
        if let Some(failed) = level.failed.take() {
            match way_back(state, &levels, failed) {
                Ok(way) => return Some(way),
                Err(depth) => levels.truncate(depth + 1),
            }
            continue;
        }
        let Some((_, producer, work)) = level.works.get(level.next) else {
            levels.pop();
            continue;
        };
        level.next += 1;
        if !work.is_empty() && seen.insert(*producer) {
            let above = Level::of(state, plan, *producer, work);
            levels.push(above);
        }
    }
    None
}

/// What one job of the way needs.
struct Level {
    /// Its inputs that are made here: the dataset, its job, and what a build would make of them.
    works: Vec<(DatasetIx, JobIx, PartitionSet)>,
    /// The first of them that was not followed yet.
    next: usize,
    /// The first partition of them whose run failed.
    failed: Option<Step>,
}

impl Level {
    fn of(state: &State, plan: &Plan, job: JobIx, set: &PartitionSet) -> Level {
        let graph = state.graph();
        let made = needs(state, job, set).into_iter().filter_map(|need| {
            let producer = graph.dataset(need.dataset).producer?;
            Some((need.dataset, producer, work_of(plan, producer, &need.set).1))
        });
        let works: Vec<(DatasetIx, JobIx, PartitionSet)> = made.collect();
        let failed = works.iter().find_map(|(dataset, _, work)| {
            let failed = work.intersect(&state.dataset(*dataset).failed);
            failed.first().map(|key| Step { dataset: *dataset, key, count: failed.len() })
        });
        Level { works, next: 0, failed }
    }
}

/// The way to what failed at the last level; or the level from which no partition leads there.
fn way_back(state: &State, levels: &[Level], failed: Step) -> Result<Vec<Step>, usize> {
    let mut way = vec![failed];
    for (depth, level) in levels.iter().enumerate().rev().skip(1) {
        // The input that was followed up to the level above.
        let (dataset, producer, work) = &level.works[level.next - 1];
        let above = way.last().expect("a way has a step");
        let key = first_reader(state, *producer, work, (above.dataset, &above.key)).ok_or(depth)?;
        way.push(Step { dataset: *dataset, key, count: work.len() });
    }
    way.reverse();
    Ok(way)
}
