//! The values that a build from scratch would give, partition by partition.

use super::world::{made_version, World};
use databuild_core::graph::{DatasetIx, Graph};
use databuild_core::mapping::Edge;
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::state::State;
use std::collections::BTreeMap;

/// What edge rules say of a partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Made {
    Yes,
    /// It is left out.
    Skipped,
    /// It cannot be made.
    Fails,
}

/// See the module.
pub struct Oracle<'w> {
    world: &'w World,
    state: &'w State,
    known: BTreeMap<(DatasetIx, PartitionKey), Option<String>>,
    /// What nobody can build now and so stays as it is.
    stuck: BTreeMap<DatasetIx, PartitionSet>,
}

impl<'w> Oracle<'w> {
    pub fn new(world: &'w World, state: &'w State) -> Oracle<'w> {
        Oracle { world, state, known: BTreeMap::new(), stuck: BTreeMap::new() }
    }

    /// These stay as they are.
    pub fn keep(&mut self, ix: DatasetIx, set: &PartitionSet) {
        self.stuck.entry(ix).or_insert_with(|| PartitionSet::empty(set.shape())).union_with(set);
    }

    /// The value; none if it cannot be made.
    pub fn value(&mut self, ix: DatasetIx, key: &PartitionKey) -> Option<String> {
        if let Some(known) = self.known.get(&(ix, key.clone())) {
            return known.clone();
        }
        let value = self.compute(ix, key);
        self.known.insert((ix, key.clone()), value.clone());
        value
    }

    fn compute(&mut self, ix: DatasetIx, key: &PartitionKey) -> Option<String> {
        let state = self.state;
        let graph: &Graph = state.graph();
        let dataset = graph.dataset(ix);
        if dataset.external || self.stuck.get(&ix).is_some_and(|stuck| stuck.contains(key)) {
            return self.world.version(graph, ix, key, state.symbols());
        }
        if made(state, ix, key) != Made::Yes {
            return None;
        }
        let job = graph.job(dataset.producer?);
        let home = graph.side(job.outputs[0], state.extents());
        let mut read = Vec::new();
        for input in &job.inputs {
            let side = graph.side(input.dataset, state.extents());
            for needed in input.mapping.inputs_of_one(&home, &side, key).unwrap().needed.iter() {
                if made(state, input.dataset, &needed) == Made::Skipped {
                    continue;
                }
                let text = graph.dataset(input.dataset).partition_text(&needed, state.symbols());
                read.push((input.name.clone(), text, self.value(input.dataset, &needed)?));
            }
        }
        Some(made_version(job, &job.params, &dataset.partition_text(key, state.symbols()), &read))
    }
}

/// What edge rules say of a partition, looked at by itself.
pub fn made(state: &State, ix: DatasetIx, key: &PartitionKey) -> Made {
    let graph = state.graph();
    let Some(producer) = graph.dataset(ix).producer else { return Made::Yes };
    let job = graph.job(producer);
    let home = graph.side(job.outputs[0], state.extents());
    let mut skipped = false;
    for input in &job.inputs {
        let side = graph.side(input.dataset, state.extents());
        let inputs = input.mapping.inputs_of_one(&home, &side, key).unwrap();
        if !inputs.failing.is_empty() {
            return Made::Fails;
        }
        skipped |= !inputs.skipped.is_empty();
        if inputs.needed.iter().any(|needed| made(state, input.dataset, &needed) == Made::Skipped) {
            let maker = graph.dataset(input.dataset).producer.map(|job| graph.job(job));
            let lacks_start = maker
                .is_some_and(|job| job.inputs.iter().any(|input| input.mapping.before_start == Edge::Skip));
            let rule = if lacks_start { input.mapping.before_start } else { input.mapping.after_end };
            match rule {
                Edge::Fail => return Made::Fails,
                Edge::Skip => skipped = true,
                Edge::Clip => {}
            }
        }
    }
    if skipped {
        Made::Skipped
    } else {
        Made::Yes
    }
}
