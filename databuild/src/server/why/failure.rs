//! Runs that failed, as the reason why something is not there.

use super::work_of;
use crate::store::{Reader, RunFilter, RunRow, RunState, StoreError};
use databuild_core::graph::{DatasetIx, JobIx};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::planner::Plan;
use databuild_core::state::State;
use std::collections::BTreeSet;

/// The last run for a partition that failed.
///
/// # Errors
/// The history cannot be read.
pub(super) fn last_failure(
    state: &State,
    reader: &Reader,
    job: JobIx,
    key: &PartitionKey,
) -> Result<Option<RunRow>, StoreError> {
    let texts = state.texts(state.graph().job(job).outputs[0], key);
    let failed = RunFilter { state: Some(RunState::Failed), limit: 1, ..RunFilter::default() };
    let mut run: Option<RunRow> = None;
    for text in texts {
        let alone = RunFilter { partition_prefixes: vec![text.clone()], ..failed.clone() };
        let found = reader.runs(&alone, |run| run.partition == text)?.value;
        run = run.into_iter().chain(found).max_by_key(|run| run.id);
    }
    // A batch goes by the name of its set.
    let jobs = state.graph().job(job).labels().map(str::to_owned).collect();
    let batches = RunFilter { jobs, ..failed };
    let among = |text: &str| {
        let found = state.graph().locate_set(text, &state.symbols);
        found.is_some_and(|(_, set)| set.contains(key))
    };
    let batch = reader.runs(&batches, |run| run.partitions > 1 && among(&run.partition))?.value;
    Ok(run.into_iter().chain(batch).max_by_key(|run| run.id))
}

/// A partition on the way up to one whose run failed.
#[derive(Debug)]
pub(super) struct Step {
    /// Which input of the job before it is.
    input: usize,
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
    let inputs = || graph.job(job).inputs.iter().enumerate();
    let work = |number: usize, dataset: DatasetIx| {
        // What nobody can list is not planned, so nothing of it is work.
        let needed = graph.inputs_of(state.extents(), job, number, set).ok()?;
        graph.dataset(dataset).producer.map(|producer| (producer, work_of(plan, producer, &needed).1))
    };
    for (number, input) in inputs() {
        let Some((_, work)) = work(number, input.dataset) else { continue };
        let failed = work.intersect(&state.dataset(input.dataset).failed);
        if let Some(key) = failed.first() {
            return Some(vec![Step { input: number, dataset: input.dataset, key, count: failed.len() }]);
        }
    }
    for (number, input) in inputs() {
        let Some((producer, work)) = work(number, input.dataset) else { continue };
        if work.is_empty() || !seen.insert(producer) {
            continue;
        }
        let Some(mut way) = way_to_failure(state, plan, producer, &work, seen) else { continue };
        // The one among `work` that the way goes on from.
        let next = way.first().expect("a way has a step");
        let home = graph.side(graph.job(producer).outputs[0], state.extents());
        let read = graph.side(next.dataset, state.extents());
        let one = PartitionSet::single(graph.dataset(next.dataset).shape, &next.key);
        let mapping = &graph.job(producer).inputs[next.input].mapping;
        let Some(key) = mapping.dependents_of(&home, &read, &one, &work).first() else { continue };
        way.insert(0, Step { input: number, dataset: input.dataset, key, count: work.len() });
        return Some(way);
    }
    None
}
