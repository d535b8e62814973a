//! What may begin next.

use crate::decide::queries::batches;
use crate::decide::queries::batches::may_grow;
use crate::decide::queries::limits::Gate;
use crate::decide::queries::needed::Held;
use crate::event::{ArmId, PriorityClass};
use crate::graph::JobIx;
use crate::partition_set::PartitionSet;
use crate::state::State;
use std::collections::HashSet;

/// What may begin.
pub(crate) enum Ready {
    /// Runs of a job.
    Work(JobIx, Vec<PartitionSet>),
    /// An arm of a trial.
    Arm(ArmId),
}

/// Whose turn it is to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Work of wants of a class.
    Of(PriorityClass),
    /// Arms of trials.
    Trials,
}

/// All turns, in their order: trials go after what somebody waits for and before history.
pub(crate) const TURNS: [Turn; 3] =
    [Turn::Of(PriorityClass::Interactive), Turn::Trials, Turn::Of(PriorityClass::Backfill)];

/// The next that may begin.
pub(crate) fn next_ready<'s>(state: &'s State, gate: &mut Gate<'s>, but: &Held) -> Option<Ready> {
    let mut closed = HashSet::new();
    TURNS.into_iter().find_map(|turn| next_of(turn, state, gate, &mut closed, but))
}

/// The next of one turn.
pub(crate) fn next_of<'s>(
    turn: Turn,
    state: &'s State,
    gate: &mut Gate<'s>,
    closed: &mut HashSet<JobIx>,
    but: &Held,
) -> Option<Ready> {
    match turn {
        Turn::Of(class) => {
            let (job, runs) = next_work(state, gate, class, closed, but)?;
            Some(Ready::Work(job, runs))
        }
        Turn::Trials => next_arm(state, gate).map(Ready::Arm),
    }
}

/// The next ready work of wants of a class that may begin, as runs: by age of the want, then what is furthest
/// downstream, so that results come early and little stands half done. Of history the newest goes first.
/// What one want's work of a job waits for, another's does as well; such jobs are `closed`.
fn next_work<'s>(
    state: &'s State,
    gate: &mut Gate<'s>,
    class: PriorityClass,
    closed: &mut HashSet<JobIx>,
    but: &Held,
) -> Option<(JobIx, Vec<PartitionSet>)> {
    // They stand in the order of their age.
    for want in state.wants().values().filter(|want| !want.paused && want.class == class) {
        let newest = want.class == PriorityClass::Backfill;
        // A batch that may still grow lets other work of its want go first, such as that which it waits for.
        let mut growing = None;
        for (job, held) in want.remaining.iter().rev() {
            let work = state.work(*job);
            if work.ready.is_empty() || closed.contains(job) || !held.intersects(&work.ready) {
                continue;
            }
            let mut ready = held.intersect(&work.ready);
            if let Some(but) = but.get(job) {
                ready.subtract_with(but);
                if ready.is_empty() {
                    continue;
                }
            }
            let most = gate.admit(state.graph().job(*job));
            if most == 0 {
                closed.insert(*job);
                continue;
            }
            let Some(batch) = state.graph().job(*job).batch else {
                let singles = batches::singles(state, *job, &ready, most, newest);
                return Some((*job, singles));
            };
            let mut runs = batches::cut(state, *job, batch, &ready, most, newest);
            let waits = held.intersect(&work.todo).subtract(&ready);
            let (done, open): (Vec<_>, Vec<_>) =
                runs.drain(..).partition(|run| !may_grow(batch, run, &waits));
            if !done.is_empty() {
                return Some((*job, done));
            }
            growing.get_or_insert((*job, open));
        }
        if growing.is_some() {
            return growing;
        }
    }
    None
}

/// The next arm of any trial that may begin; none before one that has to wait.
pub(crate) fn next_arm<'s>(state: &'s State, gate: &mut Gate<'s>) -> Option<ArmId> {
    let next = state.trials().values().find_map(|trial| Some((trial, trial.next_arm()?)))?;
    let (trial, arm) = next;
    let sample = trial.spec.samples.get(arm.sample as usize)?;
    let (graph, job) = trial.code_of(sample, arm.arm as usize)?;
    (gate.admit(graph.graph.job(job)) > 0).then_some(arm)
}
