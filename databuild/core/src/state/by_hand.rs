//! Jobs that were invoked by hand with values of parameters.
//!
//! Such a want waits for runs of its own: one that reads other values, or was begun before it was asked for, is
//! not what it waits for. And a run with such values is not what other wants of the same partition wait for.
//! So when a run ends, wants that it does not serve go on, and what they wait for is queued again.
//!
//! Invariant: what is queued and in [`super::JobWork::by_hand`] is queued for such wants alone. A run under way
//! that serves others is therefore the end of their wait.

use super::work::Invocation;
use super::{Run, State, Want};
use crate::event::Refresh;
use crate::graph::{JobIx, Params};
use crate::partition_set::{PartitionKey, PartitionSet};
use std::sync::Arc;

impl Want {
    /// What it invokes of `job` by hand.
    #[must_use]
    pub fn invokes(&self, job: JobIx) -> Option<&Invocation> {
        self.invoked.as_ref().filter(|invoked| invoked.job == job)
    }

    /// Whether the end of a run that makes partitions of `job` is what it waits for.
    #[must_use]
    pub fn is_served_by(&self, run: &Run, job: JobIx) -> bool {
        let own = run.graph.graph.job(run.job);
        match self.invokes(job) {
            None => run.params == own.params,
            Some(invoked) => run.id > invoked.after && run.params == own.values(&invoked.params),
        }
    }
}

impl State {
    /// Live wants that wait for a run's end.
    pub fn served_by<'s>(&'s self, run: &'s Run) -> impl Iterator<Item = &'s Arc<Want>> {
        let job = self.current_job(run);
        let held =
            job.into_iter().flat_map(|job| self.holders_of(job, &run.set).map(move |want| (job, want)));
        held.filter(|(job, want)| want.is_served_by(run, *job)).map(|(_, want)| want)
    }

    /// Whether a run makes all that a job of the current graph does.
    #[must_use]
    pub(super) fn makes_all_of(&self, run: &Run, job: JobIx) -> bool {
        let graph = &run.graph.graph;
        let made: Vec<_> = graph
            .job(run.job)
            .outputs
            .iter()
            .filter_map(|output| self.successor_of(graph, *output))
            .collect();
        self.graph().job(job).outputs.iter().all(|output| made.contains(output))
    }

    /// The values with which a new run makes a partition: those of the want that goes first.
    #[must_use]
    pub fn params_for(&self, job: JobIx, key: &PartitionKey) -> Params {
        let entry = self.graph().job(job);
        if entry.params.is_empty() || !self.env.wants.values().any(|want| want.invokes(job).is_some()) {
            return entry.params.clone();
        }
        let first =
            self.holders(job, key).filter(|want| !want.paused).min_by_key(|want| (want.class, want.id));
        match first.and_then(|want| want.invokes(job)) {
            Some(invoked) => entry.values(&invoked.params),
            None => entry.params.clone(),
        }
    }

    /// Of `set`, what a run is over for with those who did not invoke the job by hand: all that is not queued for
    /// them behind it.
    pub(super) fn over_for_others(&self, job: JobIx, set: &PartitionSet) -> PartitionSet {
        let work = self.work(job);
        set.subtract(&work.todo.subtract(&work.by_hand))
    }

    /// Queues what live wants still wait for of `set`, which no run makes any more. What was asked for whatever its
    /// state stays so.
    pub(super) fn requeue(&mut self, job: JobIx, set: &PartitionSet) {
        let mut held = PartitionSet::empty(set.shape());
        let mut others = held.clone();
        let mut forced = held.clone();
        let queued = &self.work(job).todo;
        for want in self.env.wants.values() {
            let Some(waits) = want.remaining.get(&job).map(|waits| waits.intersect(set)) else { continue };
            held.union_with(&waits);
            if want.invokes(job).is_some() {
                forced.union_with(&waits);
                continue;
            }
            others.union_with(&waits);
            let again = waits.subtract(queued);
            if want.refresh == Refresh::All && !again.is_empty() {
                for (_, asked) in self.located_work(&want.targets).iter().filter(|(of, _)| *of == job) {
                    forced.union_with(&again.intersect(asked));
                }
            }
        }
        if held.is_empty() {
            return;
        }
        let work = self.work_mut(job);
        work.by_hand.union_with(&held.subtract(&work.todo));
        work.by_hand.subtract_with(&others);
        work.todo.union_with(&held);
        work.forced.union_with(&forced);
    }

    /// Of what an ended want left behind: what is queued for somebody else. Whoever waits for a run under way needs
    /// no other.
    pub(super) fn queued_for_others(&self, job: JobIx, set: &PartitionSet) -> PartitionSet {
        let mut needed = PartitionSet::empty(set.shape());
        for want in self.env.wants.values() {
            let Some(mut waits) = want.remaining.get(&job).map(|waits| waits.intersect(set)) else {
                continue;
            };
            if want.invokes(job).is_none() {
                waits.subtract_with(&self.work(job).by_hand);
            } else if !waits.is_empty() {
                let serves =
                    |run: &&Arc<Run>| self.occupied_by(run).contains(&job) && want.is_served_by(run, job);
                self.env.runs.values().filter(serves).for_each(|run| waits.subtract_with(&run.set));
            }
            needed.union_with(&waits);
        }
        needed
    }
}
