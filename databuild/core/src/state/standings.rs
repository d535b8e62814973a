//! Where all datasets of a state stand: each is worked out when somebody asks for it, and kept.
//!
//! Invariants:
//! - What is kept equals what would be worked out anew. `simulation` (`standings_are_those_worked_out_anew`).
//! - It outlives the state that it was worked out from, until something that it depends on may differ: the graph, what is known of
//!   the dataset, what runs make of it, its keys, or any of these upstream, at whatever distance.
//! - Whoever asks for one dataset works out that one and what is upstream of it. There is at most one answer for each dataset.
//!
//! Counts cost as much as there is on record, whatever the number of partitions: what nothing is known of is missing.

use super::standing::{Counts, Standing};
use super::State;
use crate::graph::{Dataset, DatasetIx, JobIx, TooManyInputs};
use crate::partition_set::{size, PartitionKey, PartitionSet};
use crate::range_set::RangeSet;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// A state as of an instant, and where its datasets stand. Shared by all who ask.
#[derive(Debug)]
pub struct Standings {
    /// The state as it was given.
    given: Arc<State>,
    /// The same, with key spaces read as of the instant.
    state: Arc<State>,
    /// When there are other keys; never, if none.
    until: Option<Timestamp>,
    /// By index in the graph.
    known: Vec<OnceLock<Arc<Known>>>,
    /// Who works something out holds it, so that nobody else works out the same.
    working: Mutex<()>,
}

/// Where one dataset stands.
#[derive(Debug)]
struct Known {
    /// Of all keys that exist.
    counts: Counts,
    /// Of these something is known, whether or not their keys exist now.
    record: PartitionSet,
    /// Where they stand.
    at: Standing,
    /// Those with keys that exist that are neither missing nor stale nor left out.
    fresh: PartitionSet,
    /// Of `fresh`: what has something upstream that is not, at whatever distance.
    behind: PartitionSet,
    /// Datasets that runs found they need.
    found: BTreeSet<DatasetIx>,
}

impl Known {
    /// What nothing upstream will change either.
    fn sound(&self) -> PartitionSet {
        self.fresh.subtract(&self.behind)
    }

    /// Each partition that exists is counted once, as it is called: what is being built comes first, then what failed.
    fn count(&self, state: &State, ix: DatasetIx) -> Counts {
        let keys = state.extents().of(ix);
        let total = size(keys);
        let [building, failed, left_out] =
            [&self.at.building, &self.at.failed, &self.at.left_out].map(|part| part.within(keys));
        let rest = |part: &PartitionSet| part.within(keys).subtract(&building).subtract(&failed).len();
        let all_left_out = state.graph().count_left_out(state.extents(), ix).max(left_out.len());
        let unknown = total - self.record.within(keys).len();
        let behind = self.behind.subtract(&building).len();
        Counts {
            total,
            current: self.fresh.subtract(&building).len() - behind,
            behind,
            missing: unknown.saturating_sub(all_left_out - left_out.len()) + rest(&self.at.missing),
            stale: rest(&self.at.stale),
            building: building.len(),
            failed: failed.subtract(&building).len(),
            left_out: all_left_out - left_out.intersect(&building).len(),
        }
    }
}

impl Standings {
    /// Of a state as of `now`, or as of what it was asked for last, if that is later. Nothing is worked out yet.
    #[must_use]
    pub fn new(given: &Arc<State>, now: Timestamp) -> Standings {
        let mut state = State::clone(given);
        state.advance(now);
        Standings {
            given: Arc::clone(given),
            until: state.followed().and_then(|registered| registered.graph.grows_at(state.as_of())),
            known: state.env.datasets.iter().map(|_| OnceLock::new()).collect(),
            state: Arc::new(state),
            working: Mutex::default(),
        }
    }

    /// Of another state, with all that is known from this one and still true.
    #[must_use]
    pub fn turned_to(&self, given: &Arc<State>, now: Timestamp) -> Standings {
        let turned = Standings::new(given, now);
        let touched = self.touched(&turned.state);
        for (ix, slot) in turned.known.iter().enumerate().filter(|(ix, _)| !touched[*ix]) {
            if let Some(known) = self.known[ix].get() {
                // It was made just now, so nobody else has set it.
                let _ = slot.set(Arc::clone(known));
            }
        }
        turned
    }

    /// Whether they are of that very state as of `now`.
    #[must_use]
    pub fn are_of(&self, given: &Arc<State>, now: Timestamp) -> bool {
        Arc::ptr_eq(&self.given, given) && self.until.is_none_or(|until| now < until)
    }

    /// The state, with key spaces as they are until [`Standings::are_of`] says otherwise.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Counts of one dataset, over all keys that exist now.
    #[must_use]
    pub fn counts_of(&self, ix: DatasetIx) -> Counts {
        self.known(ix).counts
    }

    /// The same of each dataset, in the graph's order.
    #[must_use]
    pub fn counts(&self) -> Vec<Counts> {
        let all = || (0..self.known.len()).map(DatasetIx);
        self.work_out(&mut all());
        all().map(|ix| self.counts_of(ix)).collect()
    }

    /// Where the partitions of `set` stand; and those that [`Counts::behind`] counts.
    #[must_use]
    pub fn standing(&self, ix: DatasetIx, set: &PartitionSet) -> (Standing, PartitionSet) {
        let known = self.known(ix);
        let mut at = known.at.of(set);
        // Nobody knows anything of the others: they are left out, or missing.
        let mut rest = set.subtract(&known.record);
        if let Ok(left_out) = self.state.graph().left_out(self.state.extents(), ix, &rest) {
            rest.subtract_with(&left_out);
            at.left_out.union_with(&left_out);
        }
        at.add_missing(&rest);
        (at, known.behind.intersect(set).subtract(&known.at.building))
    }

    /// Those partitions with keys from `sets` of which anything is known, where they stand, and which are behind. All others
    /// are missing or left out. Costs as much as there is on record, however many partitions that are.
    #[must_use]
    pub fn on_record(&self, ix: DatasetIx, sets: &[RangeSet]) -> (PartitionSet, Standing, PartitionSet) {
        let known = self.known(ix).record.within(sets);
        let (at, behind) = self.standing(ix, &known);
        (known, at, behind)
    }

    fn known(&self, ix: DatasetIx) -> &Known {
        if self.known[ix.0].get().is_none() {
            self.work_out(&mut std::iter::once(ix));
        }
        self.known[ix.0].get().expect("it was just worked out")
    }

    /// Whatever of these and what is upstream of them is not known yet.
    fn work_out(&self, asked: &mut dyn Iterator<Item = DatasetIx>) {
        let unknown = |ix: &DatasetIx| self.known[ix.0].get().is_none();
        let mut next: Vec<DatasetIx> = asked.filter(unknown).collect();
        if next.is_empty() {
            return;
        }
        // Who panicked while holding it has set nothing that is not true.
        let _working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = State::clone(&self.state);
        let mut new: BTreeMap<DatasetIx, Known> = BTreeMap::new();
        while let Some(ix) = next.pop() {
            if !unknown(&ix) || new.contains_key(&ix) {
                continue;
            }
            let known = state.known_by_itself(ix);
            next.extend(&known.found);
            if let Some(job) = self.state.graph().dataset(ix).producer {
                next.extend(self.state.graph().job(job).inputs.iter().map(|input| input.dataset));
            }
            new.insert(ix, known);
        }
        self.find_behind(&mut new);
        for (ix, mut known) in new {
            known.counts = known.count(&self.state, ix);
            // Nobody else sets it meanwhile.
            let _ = self.known[ix.0].set(Arc::new(known));
        }
    }

    /// What of these is behind; what is upstream of them is among them, or known.
    fn find_behind(&self, new: &mut BTreeMap<DatasetIx, Known>) {
        let graph = self.state.graph();
        // Jobs are in an order in which what is declared comes before what reads it. What runs found may come later.
        let made = new.keys().filter_map(|ix| Some((graph.dataset(*ix).producer?, *ix)));
        let mut made: Vec<(JobIx, DatasetIx)> = made.collect();
        made.sort_unstable();
        loop {
            let mut again = false;
            for (job, home) in &made {
                let behind = self.fresh_but_behind(*job, *home, new);
                let Some(known) = new.get_mut(home) else { continue };
                again |= !known.found.is_empty() && behind != known.behind;
                known.behind = behind;
            }
            if !again {
                return;
            }
        }
    }

    /// Fresh partitions of an output of which some input is not sound.
    fn fresh_but_behind(
        &self,
        job: JobIx,
        home: DatasetIx,
        new: &BTreeMap<DatasetIx, Known>,
    ) -> PartitionSet {
        let (graph, extents) = (self.state.graph(), self.state.extents());
        let kept = |ix: DatasetIx| self.known[ix.0].get().expect("all that is upstream is new, or known");
        let known = |ix: DatasetIx| new.get(&ix).unwrap_or_else(|| kept(ix));
        let fresh = &known(home).fresh;
        let mut behind = PartitionSet::empty(fresh.shape());
        if fresh.is_empty() {
            return behind;
        }
        for (number, input) in graph.job(job).inputs.iter().enumerate() {
            let (made, read) = (graph.side(home, extents), graph.side(input.dataset, extents));
            let sound = known(input.dataset).sound();
            match graph.inputs_of(extents, job, number, fresh) {
                Ok(needed) => {
                    let off = needed.subtract(&sound);
                    if !off.is_empty() {
                        behind.union_with(&input.mapping.dependents_of(&made, &read, &off, fresh));
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
        let is_sound = |ix: DatasetIx, input: &PartitionKey| {
            let known = known(ix);
            known.fresh.contains(input) && !known.behind.contains(input)
        };
        // What is none of today's keys cannot be built, and says nothing.
        let is_key = |ix: DatasetIx, input: &PartitionKey| {
            extents.of(ix).iter().zip(input.keys()).all(|(keys, key)| keys.contains(*key))
        };
        let discovered = &self.state.dataset(home).discovered;
        for (key, texts) in discovered.iter().filter(|(key, _)| fresh.contains(key)) {
            let mut found = texts.iter().filter_map(|text| self.state.located_one(text));
            if found.any(|(ix, input)| is_key(ix, &input) && !is_sound(ix, &input)) {
                behind.insert(key);
            }
        }
        behind
    }

    /// For each dataset whether what is known of it may not be true of another state.
    fn touched(&self, now: &State) -> Vec<bool> {
        let before = &self.state;
        let graph = match (&before.env.graph, &now.env.graph) {
            (Some(graph), Some(same)) if Arc::ptr_eq(graph, same) => &graph.graph,
            _ => return vec![true; now.env.datasets.len()],
        };
        let texts_differ = !before.symbols.is_shared_with(&now.symbols);
        let differs = |(ix, dataset): (DatasetIx, &Dataset)| {
            let facts = now.dataset(ix);
            let made_otherwise = |job: JobIx| {
                let (one, other) = (&before.env.work[job.0], &now.env.work[job.0]);
                !Arc::ptr_eq(one, other) && one.live != other.live
            };
            !Arc::ptr_eq(&before.env.datasets[ix.0], &now.env.datasets[ix.0])
                || before.extents().of(ix) != now.extents().of(ix)
                || dataset.producer.is_some_and(made_otherwise)
                // A text may be of a partition now that was of none before.
                || texts_differ && !facts.discovered.is_empty()
        };
        let mut touched: Vec<bool> = graph.datasets().map(differs).collect();
        // What runs found may come later than what reads it.
        loop {
            let mut again = false;
            for (_, job) in graph.jobs() {
                let found = job.outputs.iter().filter_map(|output| self.known[output.0].get());
                let found = found.flat_map(|known| known.found.iter());
                let read = job.inputs.iter().map(|input| &input.dataset).chain(found);
                // What is stale of one output is stale of all.
                if read.chain(&job.outputs).any(|ix| touched[ix.0]) {
                    for output in &job.outputs {
                        again |= !std::mem::replace(&mut touched[output.0], true);
                    }
                }
            }
            if !again {
                return touched;
            }
        }
    }
}

impl State {
    /// Where a dataset stands, whatever is upstream of it.
    fn known_by_itself(&mut self, ix: DatasetIx) -> Known {
        let record = self.on_record(ix);
        let at = self.standing(ix, &record);
        let mut fresh = record.within(self.extents().of(ix));
        [&at.missing, &at.left_out, &at.stale].into_iter().for_each(|part| fresh.subtract_with(part));
        let texts = self.dataset(ix).discovered.values().flat_map(|texts| texts.iter());
        let found = texts.filter_map(|text| Some(self.located_one(text)?.0)).collect();
        let behind = PartitionSet::empty(record.shape());
        Known { counts: Counts::default(), record, at, fresh, behind, found }
    }
}
