//! Where the partitions of a dataset stand: as sets, and as counts over all keys.
//!
//! Counts cost as much as there is on record, whatever the number of partitions: what nothing is known of is missing.

use super::staleness::Verdict;
use super::State;
use crate::graph::DatasetIx;
use crate::partition_set::{size, PartitionSet};
use crate::range_set::RangeSet;

/// Sets of a dataset's partitions by state, within some set. Exact: suspects are compared first.
#[derive(Debug)]
pub struct Standing {
    /// A run makes them.
    pub building: PartitionSet,
    /// Of what is missing or stale: the last run failed.
    pub failed: PartitionSet,
    /// They are not there.
    pub missing: PartitionSet,
    /// They are there and not as a fresh build would make them.
    pub stale: PartitionSet,
    /// They hold nothing, as the job that made them said.
    pub empty: PartitionSet,
    /// Reasons for `missing` and `stale`.
    pub reasons: Vec<(Verdict, PartitionSet)>,
}

/// How many of a dataset's partitions are in which state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub total: u64,
    /// As a fresh build would make them.
    pub current: u64,
    /// As in [`Standing`].
    pub missing: u64,
    /// As in [`Standing`].
    pub stale: u64,
    /// As in [`Standing`].
    pub building: u64,
    /// As in [`Standing`].
    pub failed: u64,
}

impl State {
    /// Where the partitions of `set` stand.
    pub fn standing(&mut self, ix: DatasetIx, set: &PartitionSet) -> Standing {
        let none = || PartitionSet::empty(set.shape());
        let Some(job) = self.graph().dataset(ix).producer else {
            let facts = self.dataset(ix);
            let missing = set.subtract(&facts.present);
            let stale = set.intersect(&facts.present).intersect(&facts.unsound());
            let reasons = vec![(Verdict::Missing, missing.clone()), (Verdict::Tainted, stale.clone())];
            return Standing { building: none(), failed: none(), stale, empty: none(), reasons, missing };
        };
        self.settle(job, set);
        let reasons = self.outdated(job, set);
        let mut missing = none();
        let mut stale = none();
        for (verdict, part) in &reasons {
            match verdict {
                Verdict::Missing | Verdict::Vanished => missing.union_with(part),
                _ => stale.union_with(part),
            }
        }
        let facts = self.dataset(ix);
        Standing {
            building: set.intersect(&self.work(job).live),
            // What is current lacks nothing, whatever a run after the one that made it came to.
            failed: missing.union(&stale).intersect(&facts.failed),
            empty: set.intersect(&facts.empty),
            missing,
            stale,
            reasons,
        }
    }

    /// Counts over all combinations of keys, one set for each dimension in order.
    pub fn counts(&mut self, ix: DatasetIx, keys: &[RangeSet]) -> Counts {
        let known = self.on_record(ix).within(keys);
        let at = self.standing(ix, &known);
        let total = size(keys);
        let present = known.len() - at.missing.len();
        Counts {
            total,
            current: present - at.stale.len(),
            missing: total - present,
            stale: at.stale.len(),
            building: at.building.len(),
            failed: at.failed.len(),
        }
    }

    /// Partitions of which anything is known; all others are missing, and nothing more.
    fn on_record(&self, ix: DatasetIx) -> PartitionSet {
        let Some(job) = self.graph().dataset(ix).producer else { return self.dataset(ix).remembered() };
        let mut known = self.work(job).live.clone();
        for output in &self.graph().job(job).outputs {
            let facts = self.dataset(*output);
            for set in [&facts.present, &facts.vanished, &facts.failed] {
                known.union_with(set);
            }
        }
        known
    }
}
