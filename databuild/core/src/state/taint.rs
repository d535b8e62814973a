//! Data that somebody declared bad, and what was made from it.
//!
//! Three sets of each dataset say it all. `tainted` was named by a taint. `follows` was made, at any
//! distance, from data that was tainted when it was read or has been tainted since. `spoiled`, a part of
//! `follows`, stays so whatever is untainted, for the bad data that it was made from is no longer there to
//! be cleared. Being built from clean inputs ends all three.

use super::{DatasetState, Marks, Run, State};
use crate::event::{Tainted, Untainted};
use crate::graph::{DatasetIx, Extents, Graph, JobIx};
use crate::ids::Seq;
use crate::mapping::Side;
use crate::partition_set::{PartitionKey, PartitionSet};
use std::collections::BTreeSet;
use std::sync::Arc;

impl DatasetState {
    /// Partitions whose data is bad or was made from bad data.
    #[must_use]
    pub fn unsound(&self) -> PartitionSet {
        let shape = self.present.shape();
        self.tainted.set(shape).union(&self.follows.set(shape))
    }

    /// Those that untainting other data can clear.
    fn clearable(&self) -> PartitionSet {
        self.follows.set(self.present.shape()).subtract(&self.spoiled)
    }

    fn marked_by(&self, seq: Seq) -> PartitionSet {
        let mut found = PartitionSet::empty(self.present.shape());
        for (_, set) in self.tainted.iter().chain(self.follows.iter()).filter(|(by, _)| *by == seq) {
            found.union_with(set);
        }
        found
    }

    fn is_clean(&self) -> bool {
        self.tainted.is_empty() && self.follows.is_empty()
    }
}

impl State {
    pub(super) fn taint(&mut self, event: &Tainted, seq: Seq) {
        let mut reached = none_of(self.graph());
        for (ix, set) in self.located(&event.partitions) {
            self.dataset_mut(ix).tainted.mark(seq, &set);
            reached[ix.0].union_with(&set);
        }
        self.spread(seq, reached, &[]);
    }

    /// Jobs in `changed` read other data than before: what they made or are making from bad data is marked.
    pub(super) fn spread_again(&mut self, changed: &[JobIx]) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        let seqs: BTreeSet<Seq> = self
            .env
            .datasets
            .iter()
            .flat_map(|state| state.tainted.iter().chain(state.follows.iter()).map(|(seq, _)| seq))
            .collect();
        for seq in seqs {
            self.spread(seq, none_of(graph), changed);
        }
    }

    /// Marks all that was made from what is `reached`, and what jobs in `changed` made from anything that the
    /// event at `seq` marked.
    fn spread(&mut self, seq: Seq, mut reached: Vec<PartitionSet>, changed: &[JobIx]) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        for (job, entry) in graph.jobs() {
            let mut hit = self.readers_of(job, &reached, DatasetState::remembered);
            if changed.contains(&job) {
                let marked: Vec<PartitionSet> =
                    graph.datasets().map(|(ix, _)| self.dataset(ix).marked_by(seq)).collect();
                hit.union_with(&self.readers_of(job, &marked, DatasetState::remembered));
            }
            if hit.is_empty() {
                continue;
            }
            for output in &entry.outputs {
                let followers = hit.intersect(&self.dataset(*output).remembered());
                self.dataset_mut(*output).follows.mark(seq, &followers);
                reached[output.0].union_with(&followers);
            }
        }
        self.taint_runs(seq, &reached);
        self.spread_by_discovery(seq, reached);
    }

    /// Marks what runs are making from what is `reached`.
    fn taint_runs(&mut self, seq: Seq, reached: &[PartitionSet]) {
        for run in self.env.runs.values().filter(|run| run.trial.is_none()).cloned().collect::<Vec<_>>() {
            let making = self.made_from(&run, reached);
            if let Some(run) = self.env.runs.get_mut(&run.id).filter(|_| !making.is_empty()) {
                Arc::make_mut(run).tainted.mark(seq, &making);
            }
        }
    }

    /// What was found by a run stands in no order, so marks go on until nothing new is reached.
    fn spread_by_discovery(&mut self, seq: Seq, reached: Vec<PartitionSet>) {
        if self.env.readers.is_empty() {
            return;
        }
        let mut more = none_of(self.graph());
        for (at, set) in reached.iter().enumerate().filter(|(_, set)| !set.is_empty()) {
            for (output, key) in self.readers_by_discovery(DatasetIx(at), set) {
                if self.dataset(output).remembers(&key) && !reached[output.0].contains(&key) {
                    more[output.0].insert(&key);
                }
            }
        }
        if more.iter().all(PartitionSet::is_empty) {
            return;
        }
        let mut all = reached;
        for (at, set) in more.iter().enumerate().filter(|(_, set)| !set.is_empty()) {
            self.dataset_mut(DatasetIx(at)).follows.mark(seq, set);
            all[at].union_with(set);
        }
        self.spread(seq, all, &[]);
    }

    pub(super) fn untaint(&mut self, event: &Untainted) {
        let mut cleared = none_of(self.graph());
        for (ix, set) in self.located(&event.partitions) {
            self.clean(ix, &set);
            cleared[ix.0].union_with(&set);
        }
        // What was found by a run stands in no order, so this goes on until nothing more is cleared.
        let mut news = cleared.clone();
        while news.iter().any(|set| !set.is_empty()) {
            news = self.clear_readers(news);
            cleared.iter_mut().zip(&news).for_each(|(all, new)| all.union_with(new));
        }
        self.clear_runs(&cleared);
    }

    /// What was made from what is `cleared`, and from no other bad data, is good again. Returns what of it no taint of
    /// its own names.
    fn clear_readers(&mut self, mut cleared: Vec<PartitionSet>) -> Vec<PartitionSet> {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        let mut found = none_of(graph);
        for (at, set) in cleared.iter().enumerate() {
            for (output, key) in self.readers_by_discovery(DatasetIx(at), set) {
                found[output.0].insert(&key);
            }
        }
        let mut all_freed = none_of(graph);
        for (job, entry) in graph.jobs() {
            let mut clearable = PartitionSet::empty(graph.home(job).shape);
            entry.outputs.iter().for_each(|output| clearable.union_with(&self.dataset(*output).clearable()));
            let declared = self.readers_now(job, &cleared, &clearable);
            if declared.is_empty() && entry.outputs.iter().all(|output| found[output.0].is_empty()) {
                continue;
            }
            let unsound: Vec<PartitionSet> =
                graph.datasets().map(|(ix, _)| self.dataset(ix).unsound()).collect();
            let bad = self.readers_now(job, &unsound, &clearable);
            for output in &entry.outputs {
                let state = self.dataset(*output);
                let readers = declared.union(&found[output.0]).intersect(&state.clearable()).subtract(&bad);
                // Where other data is read now than it was made from, nobody knows whether that was bad.
                let (mut sound, _) = self.compare(job, *output, &readers);
                for key in readers.iter().filter(|key| self.found_unsound(*output, key)) {
                    sound.remove(&key);
                }
                // What a taint of its own names stays bad, and so does what was made from it.
                let free = sound.subtract(&self.dataset(*output).tainted.set(sound.shape()));
                self.dataset_mut(*output).follows.clear(&sound);
                cleared[output.0].union_with(&free);
                all_freed[output.0].union_with(&free);
            }
        }
        all_freed
    }

    /// Whether a partition was made from bad data that its run found.
    fn found_unsound(&self, output: DatasetIx, key: &PartitionKey) -> bool {
        self.discovered(output, key).iter().filter_map(|text| self.located_one(text)).any(|(ix, key)| {
            let state = self.dataset(ix);
            state.tainted.of(&key).is_some() || state.follows.of(&key).is_some()
        })
    }

    /// What runs are making from what is `cleared` is as good, unless they read other bad data too.
    fn clear_runs(&mut self, cleared: &[PartitionSet]) {
        let tainted = |run: &&Arc<Run>| run.trial.is_none() && !run.tainted.is_empty();
        for run in self.env.runs.values().filter(tainted).cloned().collect::<Vec<_>>() {
            let bad = self.taint_read_by(&run).set(run.set.shape()).union(&run.spoiled);
            let good = self.made_from(&run, cleared).subtract(&bad);
            if let Some(run) = self.env.runs.get_mut(&run.id).filter(|_| !good.is_empty()) {
                Arc::make_mut(run).tainted.clear(&good);
            }
        }
    }

    /// `set` of a dataset holds other data from now on, made from inputs of which those in `read` were bad.
    pub(super) fn renew(&mut self, ix: DatasetIx, set: &PartitionSet, read: &Marks) {
        let state = self.dataset(ix);
        if state.is_clean() && read.is_empty() {
            return;
        }
        let was = state.unsound().intersect(set);
        if !was.is_empty() {
            self.spoil_readers(ix, &was);
            self.clean(ix, set);
        }
        for (seq, bad) in read.iter() {
            self.dataset_mut(ix).follows.mark(seq, &bad.intersect(set));
        }
    }

    /// The bad data that readers of `set` were made from, or are being made from, is replaced.
    fn spoil_readers(&mut self, ix: DatasetIx, set: &PartitionSet) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        let mut replaced = none_of(graph);
        replaced[ix.0].union_with(set);
        let tainted = |run: &&Arc<Run>| run.trial.is_none() && !run.tainted.is_empty();
        for run in self.env.runs.values().filter(tainted).cloned().collect::<Vec<_>>() {
            let spoiled = self.made_from(&run, &replaced).intersect(&run.tainted.set(run.set.shape()));
            if let Some(run) = self.env.runs.get_mut(&run.id).filter(|_| !spoiled.is_empty()) {
                Arc::make_mut(run).spoiled.union_with(&spoiled);
            }
        }
        for (job, _) in &graph.dataset(ix).consumers {
            let readers = self.readers_of(*job, &replaced, DatasetState::clearable);
            for output in &graph.job(*job).outputs {
                let spoiled = readers.intersect(&self.dataset(*output).clearable());
                if !spoiled.is_empty() {
                    self.dataset_mut(*output).spoiled.union_with(&spoiled);
                }
            }
        }
    }

    fn clean(&mut self, ix: DatasetIx, set: &PartitionSet) {
        let state = self.dataset_mut(ix);
        state.tainted.clear(set);
        state.follows.clear(set);
        state.spoiled.subtract_with(set);
    }

    /// Of what a run is about to make from its inputs as they are: that which is made from bad data.
    pub(super) fn taint_read_by(&self, run: &Run) -> Marks {
        let mut read = Marks::default();
        let mut extents = None;
        // Most runs read nothing bad, and each lease asks: what it reads is looked at, and not all that there is.
        for (at, ix) in self.read_by(run).into_iter().filter(|(_, ix)| !self.dataset(*ix).is_clean()) {
            let state = self.dataset(ix);
            let extents = extents.get_or_insert_with(|| self.extents_of(run));
            for (seq, bad) in state.tainted.iter().chain(state.follows.iter()) {
                read.mark(seq, &reading(run, extents, at, bad));
            }
        }
        if run.discovered.is_empty() || self.env.datasets.iter().all(|state| state.is_clean()) {
            return read;
        }
        for text in run.discovered.iter() {
            let Some((ix, key)) = self.located_one(text) else { continue };
            let state = self.dataset(ix);
            for seq in state.tainted.of(&key).into_iter().chain(state.follows.of(&key)) {
                read.mark(seq, &run.set);
            }
        }
        read
    }

    /// Of what a run made from bad data: that which is not known to have been made from the bad data that is there
    /// still. Some may have been replaced while it ran, and that cannot be judged good any more.
    pub(super) fn spoiled_under(&self, run: &Run) -> PartitionSet {
        let shape = run.set.shape();
        let mut spoiled = run.tainted.set(shape);
        if !spoiled.is_empty() {
            let bad = self.taint_read_by(run).set(shape);
            let now = self.inputs_digests_of(run, run.as_of);
            for ((key, then), now) in run.partitions().zip(now) {
                if then == now && bad.contains(&key) && !run.spoiled.contains(&key) {
                    spoiled.remove(&key);
                }
            }
        }
        spoiled
    }

    /// Of what a run is making from what its own graph says, as of its own instant: that which is made from any of
    /// `sets`, which has one for each dataset.
    fn made_from(&self, run: &Run, sets: &[PartitionSet]) -> PartitionSet {
        let found = |text: &String| self.located_one(text).is_some_and(|(ix, key)| sets[ix.0].contains(&key));
        if run.discovered.iter().any(found) {
            return run.set.clone();
        }
        let mut made = PartitionSet::empty(run.set.shape());
        let mut read = self.read_by(run);
        read.retain(|(_, ix)| !sets[ix.0].is_empty());
        if read.is_empty() {
            return made;
        }
        let extents = self.extents_of(run);
        for (at, ix) in read {
            made.union_with(&reading(run, &extents, at, &sets[ix.0]));
        }
        made
    }

    /// Of what a run is making: that which is made from any of `set`.
    pub(super) fn reads_any(&self, run: &Run, ix: DatasetIx, set: &PartitionSet) -> PartitionSet {
        let found =
            |text: &String| self.located_one(text).is_some_and(|(of, key)| of == ix && set.contains(&key));
        if run.discovered.iter().any(found) {
            return run.set.clone();
        }
        let mut made = PartitionSet::empty(run.set.shape());
        let mut extents = None;
        for (at, _) in self.read_by(run).into_iter().filter(|(_, read)| *read == ix) {
            let extents = extents.get_or_insert_with(|| self.extents_of(run));
            made.union_with(&reading(run, extents, at, set));
        }
        made
    }

    /// Inputs of a run with the datasets of now.
    fn read_by(&self, run: &Run) -> Vec<(usize, DatasetIx)> {
        let graph = &run.graph.graph;
        let inputs = graph.job(run.job).inputs.iter().enumerate();
        inputs.filter_map(|(at, input)| Some((at, self.successor_of(graph, input.dataset)?))).collect()
    }

    /// Partitions of a job that were made from any of `sets`, which has one for each dataset. Other keys may have
    /// been the latest then, and keys that are retired now may have been there: where a partition was made from
    /// something else than it would be now, that counts. Only those `among` which it matters are looked at, one by one.
    fn readers_of(
        &self,
        job: JobIx,
        sets: &[PartitionSet],
        among: impl Fn(&DatasetState) -> PartitionSet,
    ) -> PartitionSet {
        let graph = self.graph();
        let entry = graph.job(job);
        if entry.inputs.iter().all(|input| sets[input.dataset.0].is_empty()) {
            return PartitionSet::empty(graph.home(job).shape);
        }
        let mut all = PartitionSet::empty(graph.home(job).shape);
        entry.outputs.iter().for_each(|output| all.union_with(&among(self.dataset(*output))));
        let mut found = self.readers_now(job, sets, &all);
        let ever = |ix: DatasetIx| graph.dataset(ix).extents_with_retired(self.env.as_of, &self.symbols);
        let mut once = PartitionSet::empty(graph.home(job).shape);
        for input in entry.inputs.iter().filter(|input| !sets[input.dataset.0].is_empty()) {
            let (made, read) = (ever(entry.outputs[0]), ever(input.dataset));
            let home = Side { extents: &made, ..graph.side(entry.outputs[0], self.extents()) };
            let read = Side { extents: &read, ..graph.side(input.dataset, self.extents()) };
            once.union_with(&input.ever.dependents_of(&home, &read, &sets[input.dataset.0], &all));
        }
        once.subtract_with(&found);
        for output in entry.outputs.iter().filter(|_| !once.is_empty()) {
            let (_, changed) = self.compare(job, *output, &once.intersect(&among(self.dataset(*output))));
            found.union_with(&changed);
        }
        found
    }

    /// Those `among` partitions of a job that would be made now from any of `sets`, which has one for each dataset.
    fn readers_now(&self, job: JobIx, sets: &[PartitionSet], among: &PartitionSet) -> PartitionSet {
        let graph = self.graph();
        let entry = graph.job(job);
        let home = entry.outputs[0];
        let mut found = PartitionSet::empty(graph.home(job).shape);
        for input in entry.inputs.iter().filter(|input| !sets[input.dataset.0].is_empty()) {
            let ever = graph.dataset(home).extents_with_retired(self.env.as_of, &self.symbols);
            let made = Side { extents: &ever, ..graph.side(home, self.extents()) };
            let read = graph.side(input.dataset, self.extents());
            found.union_with(&input.mapping.dependents_of(&made, &read, &sets[input.dataset.0], among));
        }
        found
    }
}

/// Of what a run makes: that which reads any of `bad` by its input at `at`.
fn reading(run: &Run, extents: &Extents, at: usize, bad: &PartitionSet) -> PartitionSet {
    let graph = &run.graph.graph;
    let input = &graph.job(run.job).inputs[at];
    let home = graph.side(graph.job(run.job).outputs[0], extents);
    let side = graph.side(input.dataset, extents);
    // Without what is left out there: that may still be there, and is not read.
    let read = graph.inputs_among(extents, run.job, at, &run.set, bad);
    input.mapping.dependents_of(&home, &side, &read, &run.set)
}

fn none_of(graph: &Graph) -> Vec<PartitionSet> {
    graph.datasets().map(|(_, dataset)| PartitionSet::empty(dataset.shape)).collect()
}
