//! Files that exist at the places of partitions become what these hold, without a run.

use crate::decide::changes::sight;
use crate::decide::messages::input::AdoptRequest;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::sightings::{FoundFile, Sightings};
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::event::{Adopted, AdoptedPartition, Event, Record};
use crate::graph::DatasetIx;
use crate::partition_set::PartitionSet;
use crate::planner::Unseen;
use crate::state::State;
use std::collections::BTreeMap;

impl State {
    /// Partitions of a built dataset that hold what a run made or somebody adopted for the place of today, untouched
    /// as far as known.
    #[must_use]
    pub fn recorded(&self, ix: DatasetIx) -> PartitionSet {
        let facts = self.dataset(ix);
        let mut made = PartitionSet::empty(facts.present.shape());
        facts.made_by.values().for_each(|set| made.union_with(set));
        made.intersect(&facts.present).subtract(&facts.altered).subtract(&self.misplaced(ix))
    }
}

pub(crate) fn adopt(out: &mut Out, request: AdoptRequest, seen: &Sightings) -> Result<Reply, Refusal> {
    let registered = out.state.followed().cloned().ok_or(Refusal::NoGraph)?;
    let graph = &registered.graph;
    check_inputs(out.state, &request.files, &seen.unseen)?;
    sight::sight(out, seen);
    let mut found: BTreeMap<DatasetIx, Vec<FoundFile>> = BTreeMap::new();
    let mut being_made: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for file in request.files {
        let Some(job) = graph.dataset(file.dataset).producer else { continue };
        if out.state.work(job).live.contains(&file.key) {
            let shape = graph.dataset(file.dataset).shape;
            let set = being_made.entry(file.dataset).or_insert_with(|| PartitionSet::empty(shape));
            set.insert(&file.key);
        } else if !out.state.recorded(file.dataset).contains(&file.key) {
            found.entry(file.dataset).or_default().push(file);
        }
    }
    // Each dataset sees what was adopted of those it is made from, so a copy is a step ahead.
    let mut ahead = out.state.clone();
    let mut partitions = Vec::new();
    for (job, entry) in graph.jobs() {
        for output in &entry.outputs {
            let Some(files) = found.remove(output) else { continue };
            let adopted: Vec<AdoptedPartition> = files
                .into_iter()
                .map(|file| AdoptedPartition {
                    partition: ahead.partition_text(*output, &file.key),
                    inputs: ahead.inputs_digest(job, &file.key),
                    version: file.version,
                    mark: file.mark,
                    bytes: file.bytes,
                })
                .collect();
            let event = Event::Adopted(Adopted { partitions: adopted.clone() });
            ahead
                .apply(&Record { at: out.now, origin: out.origin.clone(), event })
                .expect("an adoption follows from any state");
            partitions.extend(adopted);
        }
    }
    let texts = |state: &State, sets: &BTreeMap<DatasetIx, PartitionSet>| {
        sets.iter().flat_map(|(ix, set)| state.set_text(*ix, set)).collect()
    };
    let being_made = texts(out.state, &being_made);
    let adopted: Vec<String> = partitions.iter().map(|adopted| adopted.partition.clone()).collect();
    if !partitions.is_empty() {
        out.event(Event::Adopted(Adopted { partitions }));
    }
    Ok(Reply::Adopted { adopted, being_made })
}

/// What files would have been made from must be known, or it is not known what they are held against later.
fn check_inputs(state: &State, files: &[FoundFile], unseen: &[Unseen]) -> Result<(), Refusal> {
    if unseen.is_empty() {
        return Ok(());
    }
    let graph = state.graph();
    for file in files {
        let dataset = graph.dataset(file.dataset);
        let Some(job) = dataset.producer else { continue };
        let one = PartitionSet::single(dataset.shape, &file.key);
        for (at, input) in graph.job(job).inputs.iter().enumerate() {
            let lost = |look: &&Unseen| {
                look.dataset == input.dataset
                    && !graph.inputs_among(state.extents(), job, at, &one, &look.set).is_empty()
            };
            if let Some(look) = unseen.iter().find(lost) {
                return Err(Refusal::InputUnseen {
                    partition: state.partition_text(file.dataset, &file.key),
                    input: graph.dataset(input.dataset).name.clone(),
                    message: look.message.clone(),
                });
            }
        }
    }
    Ok(())
}
