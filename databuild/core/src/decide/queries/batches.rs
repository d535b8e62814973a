//! How ready work is cut into runs: one partition each, or several along the dimension of a batch.

use crate::graph::{BatchPolicy, JobIx};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::range_set::Key;
use crate::state::State;

/// The first `most` partitions, a run for each; the newest ones first if so asked.
pub(crate) fn singles(
    state: &State,
    job: JobIx,
    ready: &PartitionSet,
    most: usize,
    newest: bool,
) -> Vec<PartitionSet> {
    if newest && has_time(state, job) {
        return ready.newest(most).iter().map(|key| PartitionSet::single(ready.shape(), key)).collect();
    }
    ready.iter().take(most).map(|key| PartitionSet::single(ready.shape(), &key)).collect()
}

/// Whether the dimension that sets keep as ranges is one of time, so that its last key is the newest.
fn has_time(state: &State, job: JobIx) -> bool {
    let home = state.graph().home(job);
    home.shape.long().is_some_and(|long| home.spaces[long].time().is_some())
}

/// At most `most` runs. The partitions of one differ in the batch's dimension only, read key spaces of
/// one instant and get the same values of parameters. If so asked the newest come first, and so does what is in a run.
pub(crate) fn cut(
    state: &State,
    job: JobIx,
    batch: BatchPolicy,
    ready: &PartitionSet,
    most: usize,
    newest: bool,
) -> Vec<PartitionSet> {
    let newest = newest && has_time(state, job);
    let first = |left: &PartitionSet| if newest { left.newest(1).pop() } else { left.first() };
    let mut runs = Vec::new();
    let mut left = ready.clone();
    while let Some(first) = first(&left).filter(|_| runs.len() < most) {
        let as_of = state.as_of_for(job, &first);
        let params = state.params_for(job, &first);
        let mut run = PartitionSet::empty(ready.shape());
        let beside = left.keys_beside(batch.dim, &first);
        let back = newest && ready.shape().long() == Some(batch.dim);
        let keys: Box<dyn Iterator<Item = Key>> =
            if back { Box::new(beside.iter().rev()) } else { Box::new(beside.iter()) };
        for at in keys {
            let key = with_key(&first, batch.dim, at);
            if state.as_of_for(job, &key) == as_of && state.params_for(job, &key) == params {
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
pub(crate) fn may_grow(batch: BatchPolicy, run: &PartitionSet, waits: &PartitionSet) -> bool {
    let Some(first) = run.first().filter(|_| run.len() < u64::from(batch.max)) else { return false };
    !waits.keys_beside(batch.dim, &first).is_empty()
}

fn with_key(key: &PartitionKey, dim: usize, at: Key) -> PartitionKey {
    let mut keys = key.keys().to_vec();
    keys[dim] = at;
    PartitionKey::new(keys)
}
