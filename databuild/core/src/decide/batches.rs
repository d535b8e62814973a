//! How ready work is cut into runs: one partition each, or several along the dimension of a batch.

use crate::graph::{BatchPolicy, JobIx};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::range_set::Key;
use crate::state::State;

/// The first `most` partitions, a run for each.
pub(super) fn singles(ready: &PartitionSet, most: usize) -> Vec<PartitionSet> {
    ready.iter().take(most).map(|key| PartitionSet::single(ready.shape(), &key)).collect()
}

/// At most `most` runs. The partitions of one differ in the batch's dimension only and read key spaces of
/// one instant.
pub(super) fn cut(
    state: &State,
    job: JobIx,
    batch: BatchPolicy,
    ready: &PartitionSet,
    most: usize,
) -> Vec<PartitionSet> {
    let mut runs = Vec::new();
    let mut left = ready.clone();
    while let Some(first) = left.first().filter(|_| runs.len() < most) {
        let as_of = state.as_of_for(job, &first);
        let mut run = PartitionSet::empty(ready.shape());
        for at in left.keys_beside(batch.dim, &first).iter() {
            let key = with_key(&first, batch.dim, at);
            if state.as_of_for(job, &key) == as_of {
                run.insert(&key);
            }
            if run.len() == u64::from(batch.max) {
                break;
            }
        }
        left.subtract_with(&run);
        runs.push(run);
    }
    runs
}

/// Whether a run has room for some of what still waits.
pub(super) fn may_grow(batch: BatchPolicy, run: &PartitionSet, waits: &PartitionSet) -> bool {
    let Some(first) = run.first().filter(|_| run.len() < u64::from(batch.max)) else { return false };
    !waits.keys_beside(batch.dim, &first).is_empty()
}

fn with_key(key: &PartitionKey, dim: usize, at: Key) -> PartitionKey {
    let mut keys = key.keys().to_vec();
    keys[dim] = at;
    PartitionKey::new(keys)
}
