//! Work that begins to wait and ends: what is queued, and for whom it is over.

use super::{Run, State, Want};
use crate::graph::JobIx;
use crate::partition_set::PartitionSet;
use std::sync::Arc;

/// How many causes a want remembers.
pub(super) const MAX_CAUSES: usize = 10;

/// How a want's wait for some work ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ending {
    Built,
    /// It turned out to be current.
    Unchanged,
    /// Its run failed.
    Failed,
    /// It was given up, since something upstream failed.
    Skipped,
    /// Its run was canceled.
    Canceled,
}

impl State {
    /// A run is over with what it left: those who waited for it do so no longer, and what others wait for is
    /// queued again.
    pub(super) fn finish(&mut self, run: &Run, left: &[(JobIx, PartitionSet)], ending: Ending) {
        self.release_served(run, left, ending);
        for (job, set) in left {
            self.requeue(*job, set);
        }
    }

    /// Wants that a run serves stop waiting for what it left: all but that for which a successor is queued, for
    /// which they wait on.
    pub(super) fn release_served(&mut self, run: &Run, left: &[(JobIx, PartitionSet)], ending: Ending) {
        for (job, set) in left {
            let over = self.over_for_others(*job, set);
            self.release(*job, &over, ending, |want| {
                want.invokes(*job).is_none() && want.is_served_by(run, *job)
            });
            // Another graph's job may have made only a part of what was asked for.
            let whole = self.makes_all_of(run, *job);
            self.release(*job, set, ending, |want| {
                whole && want.invokes(*job).is_some() && want.is_served_by(run, *job)
            });
        }
    }

    /// A run leaves `set`, which frees what no other run is making. Returns what that is.
    pub(super) fn leave(&mut self, run: &Run, set: &PartitionSet) -> Vec<(JobIx, PartitionSet)> {
        let mut freed: Vec<_> = self.occupied_by(run).into_iter().map(|job| (job, set.clone())).collect();
        for other in self.env.runs.values().filter(|other| other.id != run.id && other.set.intersects(set)) {
            let occupied = self.occupied_by(other);
            for (_, set) in freed.iter_mut().filter(|(job, _)| occupied.contains(job)) {
                set.subtract_with(&other.set);
            }
        }
        freed.retain(|(_, set)| !set.is_empty());
        for (job, set) in &freed {
            self.work_mut(*job).live.subtract_with(set);
        }
        freed
    }

    pub(super) fn wake(&mut self, freed: &[(JobIx, PartitionSet)]) {
        for (job, set) in freed {
            self.refresh_ready_of(*job, set);
            self.wake_consumers(*job, set);
        }
    }

    pub(super) fn unqueue(&mut self, job: JobIx, set: &PartitionSet) {
        let work = self.work_mut(job);
        work.todo.subtract_with(set);
        work.ready.subtract_with(set);
        work.forced.subtract_with(set);
        work.by_hand.subtract_with(set);
    }

    /// Some want waits for a run of `set` that has not begun yet.
    pub(super) fn queue(&mut self, job: JobIx, set: &PartitionSet, by_hand: bool) {
        let work = self.work_mut(job);
        if by_hand {
            work.by_hand.union_with(&set.subtract(&work.todo));
        } else {
            work.by_hand.subtract_with(set);
        }
        work.todo.union_with(set);
    }

    /// Those wants that are `meant` stop waiting for `set`.
    pub(super) fn release(
        &mut self,
        job: JobIx,
        set: &PartitionSet,
        ending: Ending,
        meant: impl Fn(&Want) -> bool,
    ) {
        for want in self.env.wants.values_mut().filter(|want| meant(want)) {
            let Some(held) = want.remaining.get(&job) else { continue };
            let gone = held.intersect(set);
            if gone.is_empty() {
                continue;
            }
            let want = Arc::make_mut(want);
            if let Some(held) = want.remaining.get_mut(&job) {
                held.subtract_with(&gone);
            }
            let counts = &mut want.counts;
            let count = match ending {
                Ending::Built => &mut counts.built,
                Ending::Unchanged => &mut counts.unchanged,
                Ending::Failed => &mut counts.failed,
                Ending::Skipped => &mut counts.skipped,
                Ending::Canceled => &mut counts.canceled,
            };
            *count += gone.len();
        }
    }

    /// Wants that a run serves remember why it did not make what it left.
    pub(super) fn note_cause(&mut self, run: &Run, left: &[(JobIx, PartitionSet)], cause: &str) {
        for (job, set) in left {
            let over = self.over_for_others(*job, set);
            let whole = self.makes_all_of(run, *job);
            for want in self.env.wants.values_mut().filter(|want| want.is_served_by(run, *job)) {
                let by_hand = want.invokes(*job).is_some();
                let ends = if by_hand { set } else { &over };
                if (whole || !by_hand) && want.holds_any(*job, ends) && want.causes.len() < MAX_CAUSES {
                    Arc::make_mut(want).causes.push(cause.to_owned());
                }
            }
        }
    }
}
