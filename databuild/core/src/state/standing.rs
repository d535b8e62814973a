//! Where the partitions of a dataset stand, whatever is upstream of it.

use super::staleness::Verdict;
use super::State;
use crate::graph::DatasetIx;
use crate::partition_set::PartitionSet;

/// Sets of a dataset's partitions by state, within some set. Exact: suspects are compared first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// A run makes them.
    pub building: PartitionSet,
    /// Edge rules leave them out: no run makes them as key spaces stand, and nobody reads what they hold. In no other
    /// set but `building`.
    pub left_out: PartitionSet,
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

/// How many of a dataset's partitions are in which state. Each partition is in one of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// All.
    pub total: u64,
    /// As a fresh build would make them, with all that they are made from.
    pub current: u64,
    /// As a fresh build of them alone would make them, but something upstream is not.
    pub behind: u64,
    /// As in [`Standing`], without those that are being built or failed.
    pub missing: u64,
    /// As in [`Standing`], without those that are being built or failed.
    pub stale: u64,
    /// As in [`Standing`].
    pub building: u64,
    /// As in [`Standing`], without those that are being built.
    pub failed: u64,
    /// As in [`Standing`], without those that are being built.
    pub left_out: u64,
}

impl Standing {
    /// Where those of `set` stand.
    pub(super) fn of(&self, set: &PartitionSet) -> Standing {
        let part = |all: &PartitionSet| all.intersect(set);
        let reasons = self.reasons.iter().map(|(verdict, all)| (*verdict, part(all)));
        Standing {
            building: part(&self.building),
            left_out: part(&self.left_out),
            failed: part(&self.failed),
            missing: part(&self.missing),
            stale: part(&self.stale),
            empty: part(&self.empty),
            reasons: reasons.filter(|(_, part)| !part.is_empty()).collect(),
        }
    }

    /// These were never made either.
    pub(super) fn add_missing(&mut self, set: &PartitionSet) {
        if set.is_empty() {
            return;
        }
        self.missing.union_with(set);
        // Reasons stand in the order in which they are looked for.
        match self.reasons.iter_mut().find(|(verdict, _)| *verdict == Verdict::Missing) {
            Some((_, all)) => all.union_with(set),
            None => {
                let vanished = self.reasons.first().is_some_and(|(first, _)| *first == Verdict::Vanished);
                self.reasons.insert(usize::from(vanished), (Verdict::Missing, set.clone()));
            }
        }
    }
}

impl State {
    /// Where the partitions of `set` stand.
    pub fn standing(&mut self, ix: DatasetIx, set: &PartitionSet) -> Standing {
        let none = || PartitionSet::empty(set.shape());
        let Some(job) = self.graph().dataset(ix).producer else {
            let facts = self.dataset(ix);
            let missing = set.subtract(&facts.present);
            let stale = set.intersect(&facts.present).intersect(&facts.unsound());
            let mut reasons = vec![(Verdict::Missing, missing.clone()), (Verdict::Tainted, stale.clone())];
            reasons.retain(|(_, part)| !part.is_empty());
            let (building, left_out, failed, empty) = (none(), none(), none(), none());
            return Standing { building, left_out, failed, stale, empty, reasons, missing };
        };
        let left_out = self.graph().left_out(self.extents(), ix, set).unwrap_or_else(|_| none());
        let building = set.intersect(&self.work(job).live);
        let set = &set.subtract(&left_out);
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
            building,
            left_out,
            // What is current lacks nothing, whatever a run after the one that made it came to.
            failed: missing.union(&stale).intersect(&facts.failed),
            empty: set.intersect(&facts.empty),
            missing,
            stale,
            reasons,
        }
    }

    /// Partitions of which anything is known; all others are missing, and nothing more.
    pub(super) fn on_record(&self, ix: DatasetIx) -> PartitionSet {
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
