//! Sets of partitions, each with the event that put a mark on them.

use crate::ids::Seq;
use crate::partition_set::{PartitionKey, PartitionSet, Shape};
use std::collections::BTreeMap;

/// Marked partitions. A partition has one mark: that of the newest event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<Seq, PartitionSet>);

impl Marks {
    /// Whether nothing is marked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Marks `set` by the event at `seq`.
    pub fn mark(&mut self, seq: Seq, set: &PartitionSet) {
        if set.is_empty() {
            return;
        }
        self.clear(set);
        self.0.entry(seq).or_insert_with(|| PartitionSet::empty(set.shape())).union_with(set);
    }

    /// Takes the mark off `set`.
    pub fn clear(&mut self, set: &PartitionSet) {
        self.0.retain(|_, marked| {
            marked.subtract_with(set);
            !marked.is_empty()
        });
    }

    /// The event that marked a partition.
    #[must_use]
    pub fn of(&self, key: &PartitionKey) -> Option<Seq> {
        self.0.iter().find(|(_, set)| set.contains(key)).map(|(seq, _)| *seq)
    }

    /// All that is marked.
    #[must_use]
    pub fn set(&self, shape: Shape) -> PartitionSet {
        let mut all = PartitionSet::empty(shape);
        self.0.values().for_each(|set| all.union_with(set));
        all
    }

    /// Events with what they marked; disjoint.
    pub fn iter(&self) -> impl Iterator<Item = (Seq, &PartitionSet)> {
        self.0.iter().map(|(seq, set)| (*seq, set))
    }
}
