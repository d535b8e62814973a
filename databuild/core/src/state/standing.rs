//! Where the partitions of a dataset stand: as sets, and as counts over all keys.
//!
//! Counts cost as much as there is on record, whatever the number of partitions: what nothing is known of is missing.

use super::staleness::Verdict;
use super::State;
use crate::graph::{DatasetIx, JobIx, TooManyInputs};
use crate::partition_set::{size, PartitionKey, PartitionSet};
use crate::range_set::RangeSet;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Sets of a dataset's partitions by state, within some set. Exact: suspects are compared first.
#[derive(Debug)]
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

/// What is on record of a dataset, and where that stands.
struct Known {
    set: PartitionSet,
    at: Standing,
    /// Of what is neither missing nor stale: what has something upstream that is, at whatever distance.
    behind: PartitionSet,
}

impl Known {
    /// Of `total` partitions, of which so many are left out; what else nothing is known of is missing.
    fn counts(&self, total: u64, left_out: u64) -> Counts {
        let Standing { building, failed, missing, stale, .. } = &self.at;
        // As one partition is called: what is being built comes first, then what failed.
        let rest = |part: &PartitionSet| part.subtract(building).subtract(failed).len();
        let behind = self.behind.subtract(building).len();
        let current = self.fresh().subtract(building).len() - behind;
        let unknown = (total - self.set.len()).saturating_sub(left_out - self.at.left_out.len());
        Counts {
            total,
            current,
            behind,
            missing: unknown + rest(missing),
            stale: rest(stale),
            building: building.len(),
            failed: failed.subtract(building).len(),
            left_out: left_out - self.at.left_out.intersect(building).len(),
        }
    }

    /// What nothing upstream will change either.
    fn sound(&self) -> PartitionSet {
        let mut sound = self.fresh();
        sound.subtract_with(&self.behind);
        sound
    }

    /// What is neither missing nor stale nor left out.
    fn fresh(&self) -> PartitionSet {
        let mut fresh = self.set.subtract(&self.at.missing);
        fresh.subtract_with(&self.at.left_out);
        fresh.subtract_with(&self.at.stale);
        fresh
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
            let reasons = vec![(Verdict::Missing, missing.clone()), (Verdict::Tainted, stale.clone())];
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

    /// Those partitions with keys from `sets` of which anything is known, and where they stand. All others are missing or left
    /// out. Costs as much as there is on record, however many partitions that are.
    pub fn standing_on_record(&mut self, ix: DatasetIx, sets: &[RangeSet]) -> (PartitionSet, Standing) {
        let known = self.on_record(ix).within(sets);
        let at = self.standing(ix, &known);
        (known, at)
    }

    /// Counts of each dataset, in the graph's order, over all keys that exist now.
    pub fn counts(&mut self) -> Vec<Counts> {
        let Some(registered) = self.env.graph.clone() else { return Vec::new() };
        let graph = &registered.graph;
        let known = self.known(|_| true);
        let counts = graph.datasets().map(|(ix, _)| {
            let known = &known[ix.0];
            let left_out = graph.count_left_out(self.extents(), ix).max(known.at.left_out.len());
            known.counts(size(self.extents().of(ix)), left_out)
        });
        counts.collect()
    }

    /// Those of `set` that [`Counts::behind`] counts: current by themselves, while something upstream is not.
    pub fn behind(&mut self, ix: DatasetIx, set: &PartitionSet) -> PartitionSet {
        let upstream = self.upstream_of(ix);
        let known = self.known(|other| upstream.contains(&other));
        known[ix.0].behind.intersect(set).subtract(&known[ix.0].at.building)
    }

    /// A dataset with all that it is made from, at whatever distance.
    fn upstream_of(&self, ix: DatasetIx) -> BTreeSet<DatasetIx> {
        let graph = self.graph();
        let mut found = BTreeSet::from([ix]);
        let mut next = vec![ix];
        while let Some(ix) = next.pop() {
            let job = graph.dataset(ix).producer.map(|job| graph.job(job));
            let declared = job.into_iter().flat_map(|job| job.inputs.iter().map(|input| input.dataset));
            let texts = self.dataset(ix).discovered.values().flat_map(|texts| texts.iter());
            let discovered = texts.filter_map(|text| Some(self.located_one(text)?.0));
            next.extend(declared.chain(discovered).filter(|other| found.insert(*other)));
        }
        found
    }

    /// What is on record of each dataset, in the graph's order, and what of it is behind; of those that are not `asked`
    /// nothing.
    fn known(&mut self, asked: impl Fn(DatasetIx) -> bool) -> Vec<Known> {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        let mut known: Vec<Known> = Vec::new();
        for (ix, dataset) in graph.datasets() {
            let set = match asked(ix) {
                true => self.on_record(ix).within(self.extents().of(ix)),
                false => PartitionSet::empty(dataset.shape),
            };
            let at = self.standing(ix, &set);
            let behind = PartitionSet::empty(set.shape());
            known.push(Known { set, at, behind });
        }
        // Jobs are in an order in which what is declared comes before what reads it. What runs found may come later.
        loop {
            let mut again = false;
            for (ix, job) in graph.jobs() {
                for home in job.outputs.iter().filter(|home| asked(**home)) {
                    let behind = self.fresh_but_behind(ix, *home, &known);
                    let found = !self.dataset(*home).discovered.is_empty();
                    again |= found && behind != known[home.0].behind;
                    known[home.0].behind = behind;
                }
            }
            if !again {
                return known;
            }
        }
    }

    /// Fresh partitions of an output of which some input is not sound.
    fn fresh_but_behind(&self, job: JobIx, home: DatasetIx, known: &[Known]) -> PartitionSet {
        let graph = self.graph();
        let fresh = known[home.0].fresh();
        let mut behind = PartitionSet::empty(fresh.shape());
        if fresh.is_empty() {
            return behind;
        }
        for (number, input) in graph.job(job).inputs.iter().enumerate() {
            let (made, read) = (graph.side(home, self.extents()), graph.side(input.dataset, self.extents()));
            let sound = known[input.dataset.0].sound();
            match graph.inputs_of(self.extents(), job, number, &fresh) {
                Ok(needed) => {
                    let off = needed.subtract(&sound);
                    if !off.is_empty() {
                        behind.union_with(&input.mapping.dependents_of(&made, &read, &off, &fresh));
                    }
                }
                // Together they need more than can be listed, so each is looked at by itself.
                Err(TooManyInputs { .. }) => {
                    for key in fresh.iter() {
                        let needed = input.mapping.keys_of_one(&made, &read, &key);
                        if needed.is_ok_and(|keys| sound.within(&keys).len() < size(&keys)) {
                            behind.insert(&key);
                        }
                    }
                }
            }
        }
        for (key, texts) in self.dataset(home).discovered.iter().filter(|(key, _)| fresh.contains(key)) {
            let mut found = texts.iter().filter_map(|text| self.located_one(text));
            // What is none of today's keys cannot be built, and says nothing.
            let is_key = |dataset, input: &PartitionKey| {
                self.extents().of(dataset).iter().zip(input.keys()).all(|(keys, key)| keys.contains(*key))
            };
            let off = |(dataset, input): (DatasetIx, PartitionKey)| {
                is_key(dataset, &input) && !known[dataset.0].sound().contains(&input)
            };
            if found.any(off) {
                behind.insert(key);
            }
        }
        behind
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
