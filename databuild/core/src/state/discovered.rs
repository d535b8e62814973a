//! Inputs that nobody declared: a run found that it needs them.
//!
//! They are kept with what was made from them, as reference texts, for only those partitions that have any.
//! They count in the digest of its inputs like declared ones. The way back, from a partition to those that
//! found it, is an index that is made anew with each graph.

use super::dataset::Discovered;
use super::State;
use crate::digest::{hash64, mix};
use crate::graph::DatasetIx;
use crate::partition_set::{PartitionKey, PartitionSet};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Tells a discovered input from a declared one of the same partition.
const DISCOVERED: u64 = 0x6469_7363_6f76_6572;
/// Tells the digest of an altered file from that of what was published.
const ALTERED: u64 = 1;

impl State {
    /// What one partition was made from beside its declared inputs.
    #[must_use]
    pub fn discovered(&self, ix: DatasetIx, key: &PartitionKey) -> &[String] {
        self.dataset(ix).discovered.get(key).map_or(&[], |texts| texts)
    }

    /// What such inputs add to the digest of all. Those that are not there add nothing, so that their coming
    /// changes it.
    #[must_use]
    pub fn discovered_digest(&self, texts: &[String]) -> u64 {
        let mut sum: u64 = 0;
        for text in texts {
            let Some((ix, key)) = self.located_one(text) else { continue };
            let state = self.dataset(ix);
            let Some(entry) = state.entries.get(&key).filter(|_| state.present.contains(&key)) else {
                continue;
            };
            let altered = state.altered.contains(&key);
            let version = if altered { mix(entry.version, ALTERED) } else { entry.version };
            sum = sum.wrapping_add(mix(mix(DISCOVERED, hash64(text)), version));
        }
        sum
    }

    /// Records what a partition that was just made was made from.
    pub(super) fn remember_discovered(&mut self, ix: DatasetIx, key: &PartitionKey, texts: &Discovered) {
        if texts.is_empty() && !self.dataset(ix).discovered.contains_key(key) {
            return;
        }
        let state = self.dataset_mut(ix);
        let all = Arc::make_mut(&mut state.discovered);
        let before =
            if texts.is_empty() { all.remove(key) } else { all.insert(key.clone(), Arc::clone(texts)) };
        if !texts.is_empty() {
            // Nobody marked it while it was being made, so it is compared once.
            state.suspect.insert(key);
        }
        for text in before.iter().flat_map(|before| before.iter()) {
            if let Some((up, from)) = self.located_one(text) {
                let readers = Arc::make_mut(&mut self.env.readers);
                if let Some(all) = readers.get_mut(&up) {
                    if let Some(set) = all.get_mut(&from) {
                        set.remove(&(ix, key.clone()));
                        if set.is_empty() {
                            all.remove(&from);
                        }
                    }
                }
            }
        }
        for text in texts.iter() {
            self.add_reader(text, ix, key);
        }
    }

    fn add_reader(&mut self, text: &str, ix: DatasetIx, key: &PartitionKey) {
        if let Some((up, from)) = self.located_one(text) {
            let readers = Arc::make_mut(&mut self.env.readers);
            readers.entry(up).or_default().entry(from).or_default().insert((ix, key.clone()));
        }
    }

    /// Finds the way back for the current graph.
    pub(super) fn index_discovered(&mut self) {
        self.env.readers = Arc::default();
        let found: Vec<(DatasetIx, Arc<BTreeMap<PartitionKey, Discovered>>)> = self
            .graph()
            .datasets()
            .map(|(ix, _)| (ix, Arc::clone(&self.dataset(ix).discovered)))
            .filter(|(_, all)| !all.is_empty())
            .collect();
        for (ix, all) in found {
            for (key, texts) in all.iter() {
                // What it found may not be in this graph.
                self.dataset_mut(ix).suspect.insert(key);
                texts.iter().for_each(|text| self.add_reader(text, ix, key));
            }
        }
    }

    /// Partitions that were made from any of `set` without having declared it.
    pub(crate) fn readers_by_discovery(
        &self,
        ix: DatasetIx,
        set: &PartitionSet,
    ) -> BTreeSet<(DatasetIx, PartitionKey)> {
        let Some(all) = self.env.readers.get(&ix) else { return BTreeSet::new() };
        if set.len() < all.len() as u64 {
            set.iter().filter_map(|key| all.get(&key)).flatten().cloned().collect()
        } else {
            all.iter().filter(|(key, _)| set.contains(key)).flat_map(|(_, found)| found).cloned().collect()
        }
    }
}
