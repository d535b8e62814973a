//! What was made from what, piece of data by piece of data; and what of it is bad.

use super::world::first_text;
use databuild_core::event::{Event, Record, SetText};
use databuild_core::graph::{Dataset, DatasetIx, Graph};
use databuild_core::ids::RunId;
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::State;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
struct Piece {
    partition: String,
    version: String,
    bad: bool,
    made_from: Vec<usize>,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Lineage {
    pieces: Vec<Piece>,
    /// What partitions hold, by their first text.
    held: BTreeMap<String, usize>,
    /// What live runs have read, by the keys of what they make.
    read: BTreeMap<RunId, BTreeMap<String, Vec<usize>>>,
    /// What datasets are made from, as the last graph that had them says.
    rules: BTreeMap<String, String>,
}

impl Lineage {
    /// Follows an event; `state` is the fold up to it, with it.
    pub fn follow(&mut self, record: &Record, state: &State) {
        match &record.event {
            Event::AttemptLeased(lease) if lease.trial.is_none() => {
                let run = &state.runs()[&lease.attempt.run];
                let graph = &run.graph.graph;
                let extents = graph.extents(run.as_of, state.symbols());
                let home = graph.home(run.job);
                let mut all = BTreeMap::new();
                for key in run.set.iter() {
                    let single = PartitionSet::single(home.shape, &key);
                    let inputs = graph.job(run.job).inputs.iter().enumerate();
                    let read = inputs.flat_map(|(at, input)| {
                        let keys: Vec<_> =
                            graph.inputs_of(&extents, run.job, at, &single).unwrap().iter().collect();
                        let text = |key| graph.dataset(input.dataset).partition_text(&key, state.symbols());
                        keys.into_iter().map(text).collect::<Vec<_>>()
                    });
                    let read = read.filter_map(|text| self.held.get(&first_text(&text)).copied()).collect();
                    all.insert(keys_of(&home.partition_text(&key, state.symbols())).to_owned(), read);
                }
                self.read.insert(lease.attempt.run, all);
            }
            Event::Materialized(made) => {
                let read = self.read.remove(&made.attempt.run).unwrap_or_default();
                // What is external by now holds what is observed there.
                let external = |text: &String| {
                    let located = state.graph().locate_set(text, state.symbols());
                    located.is_some_and(|(ix, _)| state.graph().dataset(ix).external)
                };
                for output in made.outputs.iter().filter(|output| !external(&output.partition)) {
                    let made_from = read.get(keys_of(&output.partition)).cloned().unwrap_or_default();
                    self.hold(&output.partition, &output.version, made_from);
                    self.clear_equals(&output.partition);
                }
            }
            Event::Adopted(adopted) => {
                for adopted in &adopted.partitions {
                    self.hold(&adopted.partition, &adopted.version, Vec::new());
                }
            }
            Event::Observed(observed) => {
                for seen in &observed.partitions {
                    let same =
                        self.held.get(&first_text(&seen.partition)).map(|piece| &self.pieces[*piece].version);
                    if same != Some(&seen.version) {
                        self.hold(&seen.partition, &seen.version, Vec::new());
                    }
                }
            }
            Event::GraphRegistered(_) => self.forget_makers(state),
            Event::Tainted(taint) => self.judge(&taint.partitions, state, |piece| piece.bad = true),
            Event::Untainted(taint) => self.pardon(&taint.partitions, state),
            _ => {}
        }
    }

    /// Where another graph reads otherwise, nobody knows any more what had been made from what: what is declared
    /// bad from now on does not reach it. It is stale, unless nobody makes it any more.
    fn forget_makers(&mut self, state: &State) {
        let mut changed = BTreeSet::new();
        for (_, dataset) in state.graph().datasets() {
            let name = first_text(&dataset.name);
            let rules = rules(state.graph(), dataset);
            let before = self.rules.insert(name.clone(), rules.clone());
            if before.is_some_and(|before| before != rules) {
                changed.insert(name);
            }
        }
        let mut known = BTreeMap::new();
        for piece in 0..self.pieces.len() {
            let dataset = self.pieces[piece].partition.split('/').next().unwrap_or_default();
            if changed.contains(dataset) && !self.is_bad(piece, &mut known) {
                self.pieces[piece].made_from.clear();
            }
        }
        let mut read = std::mem::take(&mut self.read);
        for (run, all) in &mut read {
            let Some(run) = state.runs().get(run) else { continue };
            let graph = &run.graph.graph;
            let mut outputs = graph.job(run.job).outputs.iter();
            if outputs.any(|output| changed.contains(&first_text(&graph.dataset(*output).name))) {
                all.values_mut().for_each(|read| read.retain(|piece| self.is_bad(*piece, &mut known)));
            }
        }
        self.read = read;
    }

    fn hold(&mut self, partition: &str, version: &str, made_from: Vec<usize>) {
        let (partition, version) = (first_text(partition), version.to_owned());
        self.held.insert(partition.clone(), self.pieces.len());
        self.pieces.push(Piece { partition, version, bad: false, made_from });
    }

    fn judge(&mut self, texts: &SetText, state: &State, say: impl Fn(&mut Piece)) {
        for piece in self.named(texts, state) {
            say(&mut self.pieces[piece]);
        }
    }

    /// Good is what has that version, whenever it was made.
    fn pardon(&mut self, texts: &SetText, state: &State) {
        for named in self.named(texts, state) {
            self.pardon_equals(named);
            (self.pieces[named].bad, self.pieces[named].made_from) = (false, Vec::new());
        }
    }

    /// What was made again from good data, and came out as before, was as good before.
    fn clear_equals(&mut self, partition: &str) {
        let held = self.held[&first_text(partition)];
        if !self.is_bad(held, &mut BTreeMap::new()) {
            self.pardon_equals(held);
        }
    }

    /// All that the partition of this piece held before in its version is good.
    fn pardon_equals(&mut self, of: usize) {
        let same = (self.pieces[of].partition.clone(), self.pieces[of].version.clone());
        for (at, piece) in self.pieces.iter_mut().enumerate() {
            if at != of && (&piece.partition, &piece.version) == (&same.0, &same.1) {
                piece.bad = false;
                piece.made_from.clear();
            }
        }
    }

    /// What the named partitions hold.
    fn named(&self, texts: &SetText, state: &State) -> Vec<usize> {
        let mut found = Vec::new();
        for text in texts {
            let (ix, set) = state.resolve_at(text, Timestamp::MAX).expect("the graph has it");
            let held = |key| self.held.get(&first_text(&state.partition_text(ix, &key))).copied();
            found.extend(set.iter().filter_map(held));
        }
        found
    }

    fn is_bad(&self, piece: usize, known: &mut BTreeMap<usize, bool>) -> bool {
        if let Some(known) = known.get(&piece) {
            return *known;
        }
        let Piece { bad, made_from, .. } = &self.pieces[piece];
        let bad = *bad || made_from.iter().any(|piece| self.is_bad(*piece, known));
        known.insert(piece, bad);
        bad
    }

    /// From a bad piece to one that was declared bad.
    fn way(&self, piece: usize, known: &mut BTreeMap<usize, bool>) -> String {
        let Piece { partition, version, bad, made_from } = &self.pieces[piece];
        let next = made_from.iter().find(|piece| !bad && self.is_bad(**piece, known));
        let rest = next.map(|piece| format!(" from {}", self.way(*piece, known))).unwrap_or_default();
        format!("{partition} ({version}){rest}")
    }

    /// Bad data is stale, at any distance from what was tainted.
    pub fn check(&self, state: &State) -> Result<(), String> {
        let mut state = state.clone();
        let mut known = BTreeMap::new();
        let Some(registered) = state.followed().cloned() else { return Ok(()) };
        for (ix, job) in registered.graph.jobs() {
            for output in &job.outputs {
                // What the key space does not have now nobody is told of; when it comes back, it is compared.
                let present = state.dataset(*output).present.within(state.extents().of(*output));
                state.settle(ix, &present);
                let stale = state.outdated_set(ix, &present);
                if let Some(text) = self.bad_in(&state, *output, &present.subtract(&stale), &mut known) {
                    let way = self.way(self.held[&first_text(&text)], &mut known);
                    return Err(format!("{text} was made from tainted data and counts as current: {way}"));
                }
            }
        }
        Ok(())
    }

    fn bad_in(
        &self,
        state: &State,
        ix: DatasetIx,
        set: &PartitionSet,
        known: &mut BTreeMap<usize, bool>,
    ) -> Option<String> {
        let texts = set.iter().map(|key| state.partition_text(ix, &key));
        texts
            .into_iter()
            .find(|text| self.held.get(&first_text(text)).is_some_and(|piece| self.is_bad(*piece, known)))
    }
}

/// What a dataset is made from, as the graph says.
fn rules(graph: &Graph, dataset: &Dataset) -> String {
    let inputs = dataset.producer.into_iter().flat_map(|job| &graph.job(job).inputs);
    let inputs = inputs.map(|input| {
        let read = graph.dataset(input.dataset);
        (first_text(&read.name), &read.spaces, &input.mapping)
    });
    format!("{:?} {:?} {:?}", dataset.external, dataset.spaces, inputs.collect::<Vec<_>>())
}

/// The part of a partition's text after the dataset.
fn keys_of(partition: &str) -> &str {
    partition.split_once('/').map_or("", |(_, keys)| keys)
}
