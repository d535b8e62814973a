//! What a lease says.

use super::error::FoldError;
use crate::event::AttemptLeased;
use crate::graph::Dataset;
use crate::ids::Seq;
use crate::partition_set::PartitionSet;
use crate::time::TimeSpace;

/// The partitions of a lease with the digests of their inputs.
pub(super) fn leased(
    home: &Dataset,
    located: Option<PartitionSet>,
    event: &AttemptLeased,
    seq: Seq,
) -> Result<(PartitionSet, Vec<u64>), FoldError> {
    let partitions = located.as_ref().map(PartitionSet::len);
    match located {
        Some(set) if set.len() == event.inputs.len() as u64 => Ok((set, event.inputs.clone())),
        // A run for keys that are none any more makes nothing that is known.
        _ if home.spaces.iter().any(|space| space.time().is_some_and(TimeSpace::had_other_keys)) => {
            Ok((PartitionSet::empty(home.shape), Vec::new()))
        }
        _ => Err(match partitions {
            Some(partitions) => FoldError::Lease { seq, partitions, inputs: event.inputs.len() },
            None => FoldError::UnknownGraph { seq },
        }),
    }
}
