//! What a partition holds, as the history is asked for it.
//!
//! Duty: the state says which of the materializations in a history is the one that counts. A text alone does not:
//! others had it when its keys meant something else, when another graph was the current one, or under another name.

use super::{Entry, State};
use crate::digest::hash64;
use crate::graph::{DatasetIx, Graph};
use crate::ids::Seq;
use crate::partition_set::PartitionKey;
use std::collections::BTreeSet;

/// What a partition holds by the state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holding {
    /// All texts under which the history may know the partition, that of now first.
    pub texts: Vec<String>,
    /// What is known of its data.
    pub entry: Entry,
}

impl Holding {
    /// Whether it is the data of this version that the event at `seq` tells of.
    #[must_use]
    pub fn is(&self, seq: Seq, version: &str) -> bool {
        self.entry.seq == seq && self.entry.version == hash64(version)
    }
}

impl State {
    /// What a partition holds, or held until it went; none if nothing was ever known of it.
    #[must_use]
    pub fn holding(&self, ix: DatasetIx, key: &PartitionKey) -> Option<Holding> {
        let entry = self.dataset(ix).entries.get(key)?;
        Some(Holding { texts: self.texts(ix, key), entry })
    }

    /// Events by which partitions hold data whose texts may not be those that the current graph would give them.
    pub(crate) fn held_under_other_names(&self) -> BTreeSet<Seq> {
        let renamed = self.env.datasets.iter().filter(|state| !state.aliases.is_empty());
        let all = renamed.chain(self.env.retired.values());
        all.flat_map(|state| state.entries.iter().map(|(_, entry)| entry.seq)).collect()
    }

    /// What a partition of a graph that may be an earlier one holds, or held until it went.
    #[must_use]
    pub fn holding_in(&self, graph: &Graph, ix: DatasetIx, key: &PartitionKey) -> Option<Holding> {
        let entries = match self.successor_of(graph, ix) {
            Some(now) => &self.dataset(now).entries,
            None => &self.retired_of(graph.dataset(ix))?.1.entries,
        };
        Some(Holding { texts: self.texts_in(graph, ix, key), entry: entries.get(key)? })
    }
}
