//! Files that were there already become what partitions hold.

use super::{Entry, Marks, State};
use crate::digest::hash64;
use crate::event::Adopted;
use crate::graph::DatasetIx;
use crate::partition_set::PartitionSet;
use std::collections::BTreeMap;

impl State {
    pub(super) fn adopt(&mut self, event: &Adopted) {
        let mut sets: BTreeMap<DatasetIx, (PartitionSet, PartitionSet)> = BTreeMap::new();
        for adopted in &event.partitions {
            let Some((ix, key)) = self.located_one(&adopted.partition) else { continue };
            // What nobody makes any more is observed, if at all.
            let Some(job) = self.graph().dataset(ix).producer else { continue };
            let made_by = self.intern(job);
            let version = hash64(&adopted.version);
            let entry = Entry { version, inputs: adopted.inputs, mark: adopted.mark, seq: self.seq };
            let state = self.dataset_mut(ix);
            let changed = state.set(&key, entry, Some(made_by), false);
            state.adopted.insert(&key);
            let none = || PartitionSet::empty(state.present.shape());
            let (all, other) = sets.entry(ix).or_insert_with(|| (none(), none()));
            all.insert(&key);
            if changed {
                other.insert(&key);
            }
        }
        for (ix, (all, changed)) in sets {
            self.mark_dependents(ix, &changed);
            // Somebody judged it good as it is, whatever it was made from.
            self.renew(ix, &all, &Marks::default());
        }
    }
}
