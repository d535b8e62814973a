//! What can be done now: queued work that waits for nothing upstream and for no run of its own; and the
//! marks by which changed data makes what rests on it suspect.

use super::State;
use crate::graph::{DatasetIx, JobIx};
use crate::partition_set::PartitionSet;
use std::sync::Arc;

impl State {
    /// Looks again at what waits for `set` of `job`.
    pub(super) fn wake_consumers(&mut self, job: JobIx, set: &PartitionSet) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        for output in &graph.job(job).outputs {
            for (consumer, input) in &graph.dataset(*output).consumers {
                let todo = &self.work(*consumer).todo;
                if todo.is_empty() {
                    continue;
                }
                let home = graph.side(graph.job(*consumer).outputs[0], self.extents());
                let read = graph.side(*output, self.extents());
                let mapping = &graph.job(*consumer).inputs[*input].ever;
                let waiting = mapping.dependents_of(&home, &read, set, todo);
                self.refresh_ready_of(*consumer, &waiting);
            }
        }
    }

    /// Decides anew which of `candidates` are ready.
    pub(super) fn refresh_ready_of(&mut self, job: JobIx, candidates: &PartitionSet) {
        if candidates.is_empty() {
            return;
        }
        let queued = candidates.intersect(&self.work(job).todo).subtract(&self.work(job).live);
        let ready = queued.subtract(&self.waiting(job, &queued));
        let work = self.work_mut(job);
        work.ready.subtract_with(candidates);
        work.ready.union_with(&ready);
    }

    /// Decides anew what is ready, for all jobs.
    pub(super) fn refresh_ready(&mut self) {
        for ix in (0..self.env.work.len()).map(JobIx) {
            let work = self.work(ix);
            if work.todo.is_empty() && work.ready.is_empty() {
                continue;
            }
            let queued = work.todo.subtract(&work.live);
            let ready = queued.subtract(&self.waiting(ix, &queued));
            self.work_mut(ix).ready = ready;
        }
    }

    /// Those of `set` some input of which is not done yet. As wants look at key spaces of different instants,
    /// it is asked what they need at any of them.
    #[must_use]
    pub fn waiting(&self, job: JobIx, set: &PartitionSet) -> PartitionSet {
        /// Up to this many partitions are looked at one by one, which can stop early.
        const FEW: u64 = 32;
        let graph = self.graph();
        let home = graph.side(graph.job(job).outputs[0], self.extents());
        let mut waiting = PartitionSet::empty(set.shape());
        for input in &graph.job(job).inputs {
            let Some(producer) = graph.dataset(input.dataset).producer else { continue };
            let work = self.work(producer);
            if work.todo.is_empty() && work.live.is_empty() {
                continue;
            }
            let read = graph.side(input.dataset, self.extents());
            if set.len() <= FEW {
                for key in set.iter() {
                    let Ok(needed) = input.ever.keys_of_one(&home, &read, &key) else { continue };
                    if work.todo.meets(&needed) || work.live.meets(&needed) {
                        waiting.insert(&key);
                    }
                }
            } else {
                waiting.union_with(&input.ever.dependents_of(&home, &read, &work.pending(), set));
            }
        }
        waiting
    }

    /// Data of `set` changed: what was or is being made from it has to be compared.
    pub(super) fn mark_dependents(&mut self, ix: DatasetIx, set: &PartitionSet) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        for (consumer, input) in &graph.dataset(ix).consumers {
            let job = graph.job(*consumer);
            let home = graph.side(job.outputs[0], self.extents());
            let read = graph.side(ix, self.extents());
            let mapping = &job.inputs[*input].mapping;
            // Held against what is on record, which may be much less than all that could be made from it.
            let among = |known: &PartitionSet| mapping.dependents_of(&home, &read, set, known);
            let live = among(&self.work(*consumer).live);
            let found: Vec<_> = job
                .outputs
                .iter()
                .map(|output| {
                    let facts = self.dataset(*output);
                    let failed =
                        facts.failed_by.values().chain([&facts.failed]).map(among).collect::<Vec<_>>();
                    (*output, among(&facts.present), failed)
                })
                .collect();
            for (output, present, failed) in found {
                let state = self.dataset_mut(output);
                state.suspect.union_with(&present);
                state.suspect.union_with(&live);
                failed.iter().for_each(|failed| state.forget_failure(failed));
            }
        }
        for (output, key) in self.readers_by_discovery(ix, set) {
            self.dataset_mut(output).suspect.insert(&key);
        }
    }
}
