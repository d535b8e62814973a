//! Dynamic keys: they come, they go, they come back.
//!
//! What was made for a key stays when the key goes: it can be read, and is as it was when the key comes
//! back. Only what is queued for it goes.

use super::{State, Want};
use crate::event::{KeysAdded, KeysRetired};
use crate::graph::{DatasetIx, JobIx};
use crate::ids::Seq;
use crate::partition_set::PartitionSet;
use crate::range_set::{Key, RangeSet};
use std::collections::BTreeSet;
use std::sync::Arc;

impl State {
    pub(super) fn add_keys(&mut self, event: &KeysAdded) {
        let in_order: Vec<Key> = event.keys.iter().map(|text| self.symbols.intern(text)).collect();
        self.symbols.add_keys(&event.space, in_order.iter().copied());
        let keys: RangeSet = in_order.into_iter().collect();
        self.read_keys();
        let Some(registered) = self.env.graph.clone() else { return };
        let graph = &registered.graph;
        let mut touched = BTreeSet::new();
        for (ix, dim) in self.with_space(&event.space) {
            let set = self.remembered(ix, dim, &keys);
            self.mark_dependents(ix, &set);
            touched.extend(graph.dataset(ix).consumers.iter().map(|(job, _)| *job));
            if graph.dataset(ix).producer.is_some() {
                // Nobody looked at them while their key was gone.
                touched.extend(graph.dataset(ix).producer);
                self.dataset_mut(ix).suspect.union_with(&set);
            }
        }
        self.concern_wants(&event.space);
        self.suspect_left_out(&event.space);
        self.spread_again(&touched.into_iter().collect::<Vec<JobIx>>());
        self.refresh_ready();
    }

    /// Wants for which a key space matters have to be planned again.
    fn concern_wants(&mut self, space: &str) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        let holders = self.with_space(space);
        // Jobs stand in dependency order.
        let mut concerned = vec![false; graph.datasets().len()];
        holders.iter().for_each(|(ix, _)| concerned[ix.0] = true);
        for (_, job) in graph.jobs() {
            if job.inputs.iter().any(|input| concerned[input.dataset.0]) {
                job.outputs.iter().for_each(|output| concerned[output.0] = true);
            }
        }
        let is_concerned = |want: &&mut Arc<Want>| {
            let mut targets = want.targets.iter().filter_map(|text| graph.locate_set(text, &self.symbols));
            targets.any(|(ix, _)| concerned[ix.0])
        };
        for want in self.env.wants.values_mut().filter(is_concerned) {
            Arc::make_mut(want).planned = Seq(0);
        }
    }

    pub(super) fn retire_keys(&mut self, event: &KeysRetired) {
        let keys: RangeSet = event.keys.iter().filter_map(|text| self.symbols.get(text)).collect();
        // Who reads what goes is told as long as it is there.
        let holders = self.with_space(&event.space);
        for (ix, dim) in &holders {
            let set = self.remembered(*ix, *dim, &keys);
            self.mark_dependents(*ix, &set);
        }
        self.suspect_left_out(&event.space);
        self.symbols.retire_keys(&event.space, &keys);
        self.read_keys();
        if self.env.graph.is_some() {
            self.drop_retired_work(&holders, &keys);
            self.refresh_ready();
        }
    }

    /// Key spaces of all datasets are read anew.
    fn read_keys(&mut self) {
        if let Some(registered) = &self.env.graph {
            self.env.extents = Some(Arc::new(registered.graph.extents(self.env.as_of, &self.symbols)));
        }
    }

    fn with_space(&self, space: &str) -> Vec<(DatasetIx, usize)> {
        let Some(registered) = &self.env.graph else { return Vec::new() };
        registered.graph.dynamic_spaces().remove(space).unwrap_or_default()
    }

    /// Partitions with these keys of which anything is recorded.
    fn remembered(&self, ix: DatasetIx, dim: usize, keys: &RangeSet) -> PartitionSet {
        self.dataset(ix).remembered().within_dim(dim, keys)
    }

    /// Where edge rules leave out what reads this key space, readers at second hand may read another set
    /// of partitions, though none of those changed.
    fn suspect_left_out(&mut self, space: &str) {
        let Some(registered) = self.env.graph.clone() else { return };
        let graph = &registered.graph;
        if self.with_space(space).is_empty() {
            return;
        }
        for (ix, job) in graph.jobs() {
            if !job.inputs.iter().any(|input| graph.may_omit(input.dataset)) {
                continue;
            }
            let live = self.work(ix).live.clone();
            for output in &job.outputs {
                let state = self.dataset_mut(*output);
                let suspect = state.present.union(&live);
                state.suspect.union_with(&suspect);
            }
        }
    }

    fn drop_retired_work(&mut self, holders: &[(DatasetIx, usize)], keys: &RangeSet) {
        let registered = Arc::clone(self.registered());
        for (ix, dim) in holders {
            let Some(job) = registered.graph.dataset(*ix).producer else { continue };
            let work = self.work_mut(job);
            for set in [&mut work.todo, &mut work.ready, &mut work.forced, &mut work.by_hand] {
                let gone = set.within_dim(*dim, keys);
                set.subtract_with(&gone);
            }
            for want in self.env.wants.values_mut() {
                let Some(held) = want.remaining.get(&job) else { continue };
                let gone = held.within_dim(*dim, keys);
                if gone.is_empty() {
                    continue;
                }
                let want = Arc::make_mut(want);
                if let Some(held) = want.remaining.get_mut(&job) {
                    held.subtract_with(&gone);
                }
            }
        }
    }
}
