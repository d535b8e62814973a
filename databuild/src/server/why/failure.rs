//! Runs that failed, as the reason why something is not there.

use crate::store::{Reader, RunFilter, RunRow, RunState, StoreError};
use databuild_core::graph::JobIx;
use databuild_core::partition_set::PartitionKey;
use databuild_core::state::State;

/// Failed runs among which the one that made a partition in a batch is looked for.
const MOST_RUNS: usize = 200;

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
    let failed = RunFilter { state: Some(RunState::Failed), ..RunFilter::default() };
    let mut run: Option<RunRow> = None;
    for text in texts {
        let alone = RunFilter { partition_prefixes: vec![text.clone()], limit: 1, ..failed.clone() };
        let found = reader.runs(&alone)?.value.into_iter().filter(|run| run.partition == text);
        run = run.into_iter().chain(found).max_by_key(|run| run.id);
    }
    // A batch goes by the name of its set.
    let jobs = state.graph().job(job).labels().map(str::to_owned).collect();
    let batches = RunFilter { jobs, limit: MOST_RUNS, ..failed };
    let among = |text: &str| {
        let found = state.graph().locate_set(text, &state.symbols);
        found.is_some_and(|(_, set)| set.contains(key))
    };
    let batch =
        reader.runs(&batches)?.value.into_iter().find(|run| run.partitions > 1 && among(&run.partition));
    Ok(run.into_iter().chain(batch).max_by_key(|run| run.id))
}
