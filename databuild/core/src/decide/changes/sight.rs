//! What was seen becomes facts.

use crate::decide::changes::replan;
use crate::decide::changes::replan::rests;
use crate::decide::messages::sightings::{Sighting, Sightings};
use crate::decide::out::Out;
use crate::digest::hash64;
use crate::event::{Event, FilesAltered, FilesVanished, Observed, SeenPartition, SetText};
use crate::graph::DatasetIx;
use crate::partition_set::PartitionSet;
use crate::state::State;
use std::collections::BTreeMap;

/// Files that are not as recorded become facts. What is stale news by now is dropped.
pub(crate) fn sight(out: &mut Out, sightings: &Sightings) {
    let Some(registered) = out.state.followed().cloned() else { return };
    let graph = &registered.graph;
    let mut gone: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    let mut altered: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    let mut seen = Vec::new();
    let add = |sets: &mut BTreeMap<DatasetIx, PartitionSet>, ix: DatasetIx, key| {
        sets.entry(ix).or_insert_with(|| PartitionSet::empty(graph.dataset(ix).shape)).insert(key);
    };
    for sighting in &sightings.seen {
        match sighting {
            Sighting::Gone(ix, key) => {
                if out.state.dataset(*ix).present.contains(key) {
                    add(&mut gone, *ix, key);
                }
            }
            Sighting::Content { dataset, key, version, mark } => {
                let known = out.state.dataset(*dataset).entries.get(key);
                let here = out.state.dataset(*dataset).present.contains(key);
                let same = here && known.is_some_and(|known| known.version == hash64(version));
                let altered_before = out.state.dataset(*dataset).altered.contains(key);
                if same && !altered_before && known.is_some_and(|known| known.mark == *mark) {
                    continue;
                }
                if same || graph.dataset(*dataset).external {
                    seen.push(SeenPartition {
                        partition: out.state.partition_text(*dataset, key),
                        version: version.clone(),
                        mark: *mark,
                    });
                } else if here && !altered_before {
                    add(&mut altered, *dataset, key);
                }
            }
        }
    }
    let texts = |state: &State, sets: BTreeMap<DatasetIx, PartitionSet>| -> SetText {
        sets.iter().flat_map(|(ix, set)| state.set_text(*ix, set)).collect()
    };
    if !seen.is_empty() {
        out.event(Event::Observed(Observed { partitions: seen }));
    }
    // Open wants may rest on what is gone.
    let rests = if gone.is_empty() && altered.is_empty() { Vec::new() } else { rests(out.state) };
    if !gone.is_empty() {
        let partitions = texts(out.state, gone);
        out.event(Event::FilesVanished(FilesVanished { partitions }));
    }
    if !altered.is_empty() {
        let partitions = texts(out.state, altered);
        out.event(Event::FilesAltered(FilesAltered { partitions }));
    }
    replan::replan(out, graph, rests, &[]);
}
