//! What cannot be looked at, gathered by reason.

use databuild_core::graph::DatasetIx;
use databuild_core::observation::{Blind, Blindness};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::planner::Unseen;
use databuild_core::state::State;
use std::collections::BTreeMap;

/// What cannot be looked at, by dataset and reason.
#[derive(Debug, Default)]
pub(crate) struct Blanks(BTreeMap<(DatasetIx, String, Blindness), PartitionSet>);

impl Blanks {
    /// Of this partition nobody can say what it holds.
    pub(crate) fn add(&mut self, state: &State, dataset: DatasetIx, key: &PartitionKey, blind: Blind) {
        let shape = state.graph().dataset(dataset).shape;
        let Blind { kind, message } = blind;
        let set = self.0.entry((dataset, message, kind)).or_insert_with(|| PartitionSet::empty(shape));
        set.insert(key);
    }

    pub(crate) fn unseen(self, state: &State) -> Vec<Unseen> {
        let look = |((dataset, message, kind), set)| {
            let name = &state.graph().dataset(dataset).name;
            tracing::warn!(dataset = name, code = Blindness::code(kind), message, "not observed");
            Unseen { dataset, set, kind, message }
        };
        self.0.into_iter().map(look).collect()
    }
}
