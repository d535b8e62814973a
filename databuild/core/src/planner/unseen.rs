//! What could not be observed.

use crate::graph::DatasetIx;
use crate::observation::Blindness;
use crate::partition_set::PartitionSet;

/// External partitions of which nobody knows what they hold: looking at them failed. What was recorded of
/// them stays recorded, but nothing that rests on them counts as current, and nothing is made from them.
#[derive(Debug, Clone, PartialEq)]
pub struct Unseen {
    /// Their dataset.
    pub dataset: DatasetIx,
    /// They.
    pub set: PartitionSet,
    /// Of what kind that is which went wrong.
    pub kind: Blindness,
    /// What went wrong, and what to do.
    pub message: String,
}
