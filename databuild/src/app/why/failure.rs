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
pub(super) fn way_to_failure(
    state: &State,
    plan: &Plan,
    job: JobIx,
    set: &PartitionSet,
    seen: &mut BTreeSet<JobIx>,
) -> Option<Vec<Step>> {
    let graph = state.graph();
    let works: Vec<(DatasetIx, JobIx, PartitionSet)> = needs(state, job, set)
        .into_iter()
        .filter_map(|need| {
            let producer = graph.dataset(need.dataset).producer?;
            Some((need.dataset, producer, work_of(plan, producer, &need.set).1))
        })
        .collect();
    for (dataset, _, work) in &works {
        let failed = work.intersect(&state.dataset(*dataset).failed);
        if let Some(key) = failed.first() {
            return Some(vec![Step { dataset: *dataset, key, count: failed.len() }]);
        }
    }
    for (dataset, producer, work) in &works {
        if work.is_empty() || !seen.insert(*producer) {
            continue;
        }
        let Some(mut way) = way_to_failure(state, plan, *producer, work, seen) else { continue };
        // The one among `work` that the way goes on from.
        let next = way.first().expect("a way has a step");
        let Some(key) = first_reader(state, *producer, work, (next.dataset, &next.key)) else { continue };
        way.insert(0, Step { dataset: *dataset, key, count: work.len() });
        return Some(way);
    }
    None
}
