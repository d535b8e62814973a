//! In which order work begins: what is looked at first when there is room, and what after that.
//!
//! Pure reading. Nobody says here who goes first: each turn is asked of the function that dispatch asks ([`super::ready`]), at
//! a gate that lets everything through. Of what is looked at, whatever fits begins; what does not, is passed over as
//! [`super::limits`] says.
//!
//! Cost: grows with what is shown, not with what is queued.

use crate::decide::queries::blocker::under_way;
use crate::decide::queries::limits::Gate;
use crate::decide::queries::needed::Held;
use crate::decide::queries::ready::{next_of, Ready, Turn, TURNS};
use crate::event::{ArmId, PriorityClass};
use crate::graph::JobIx;
use crate::ids::{RunId, WantId};
use crate::partition_set::PartitionSet;
use crate::state::{Phase, Run, State};
use jiff::Timestamp;
use std::collections::HashSet;

/// Runs of one place in the queue that are named.
const NAMED: usize = 3;

/// A place in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// A run that was handed out ahead, and waits at the executor.
    HandedOut(RunId),
    /// A run whose next attempt is due.
    Retry(RunId),
    /// What of a job's ready work begins for a want.
    Work {
        /// The job.
        job: JobIx,
        /// The want that puts it here: the oldest of its class that waits for it.
        want: WantId,
        /// Its class.
        class: PriorityClass,
        /// The first runs, in their order.
        first: Vec<PartitionSet>,
        /// All partitions.
        all: PartitionSet,
    },
    /// An arm of a trial; those after it follow when it has begun.
    Arm(ArmId),
}

/// The first `most` places of the queue.
#[must_use]
pub fn upcoming(state: &State, slots: usize, now: Timestamp, most: usize) -> Vec<Next> {
    if state.followed().is_none() {
        return Vec::new();
    }
    let begun = under_way(state, slots);
    let waits = |run: &RunId| !begun.contains(run);
    let leased = state.runs().values().filter(|run| run.phase == Phase::Leased).map(|run| run.id);
    let mut next: Vec<Next> = leased.filter(waits).take(most).map(Next::HandedOut).collect();
    let mut gate = Gate::open(state, now, NAMED);
    let due = gate.due_retries();
    next.extend(due.iter().map(|run| Next::Retry(run.id)).take(most - next.len()));
    // Each partition has one place: that of the first want that it is looked at for.
    let mut passed = Held::new();
    for turn in TURNS {
        while next.len() < most {
            let mut gate = Gate::open(state, now, NAMED);
            match next_of(turn, state, &mut gate, &mut HashSet::new(), &passed) {
                Some(Ready::Work(job, first)) => {
                    let Some(found) = place(state, turn, job, first, &passed) else { break };
                    let Next::Work { all, .. } = &found else { break };
                    passed.entry(job).and_modify(|set| set.union_with(all)).or_insert_with(|| all.clone());
                    next.push(found);
                }
                Some(Ready::Arm(arm)) => {
                    next.push(Next::Arm(arm));
                    break;
                }
                None => break,
            }
        }
    }
    next
}

/// All that the want which puts these runs here has of the job's ready work.
fn place(state: &State, turn: Turn, job: JobIx, first: Vec<PartitionSet>, passed: &Held) -> Option<Next> {
    let Turn::Of(class) = turn else { return None };
    let run = first.first()?;
    let want = state.holders_of(job, run).find(|want| !want.paused && want.class == class)?;
    let mut all = want.remaining.get(&job)?.intersect(&state.work(job).ready);
    if let Some(passed) = passed.get(&job) {
        all.subtract_with(passed);
    }
    Some(Next::Work { job, want: want.id, class, first, all })
}

/// Whose work is counted.
#[derive(Clone, Copy)]
pub struct Counted<'c> {
    /// Of live runs.
    pub runs: &'c dyn Fn(&Run) -> bool,
    /// Of jobs.
    pub jobs: &'c dyn Fn(JobIx) -> bool,
}

impl Counted<'_> {
    /// All there is.
    pub const ALL: Counted<'static> = Counted { runs: &|_| true, jobs: &|_| true };
}

/// How many partitions wait: those of live runs that are not under way, and all that is queued. What is under way is said by
/// [`under_way`]; each live run is one or the other.
#[must_use]
pub fn waiting(state: &State, slots: usize, counted: Counted<'_>) -> u64 {
    let begun = under_way(state, slots);
    let live = state.runs().values().filter(|run| !begun.contains(&run.id) && (counted.runs)(run));
    let live: u64 = live.map(|run| run.set.len()).sum();
    let queued = state.followed().into_iter().flat_map(|registered| registered.graph.jobs());
    live + queued
        .filter(|(job, _)| (counted.jobs)(*job))
        .map(|(job, _)| state.work(job).todo.len())
        .sum::<u64>()
}

/// How many partitions could begin, were there room: those that were handed out ahead, those whose next attempt is due, and what is
/// ready for wants that are not paused.
#[must_use]
pub fn could_begin(state: &State, slots: usize, now: Timestamp, counted: Counted<'_>) -> u64 {
    let Some(registered) = state.followed() else { return 0 };
    let begun = under_way(state, slots);
    let ahead = state.runs().values().filter(|run| run.phase == Phase::Leased && !begun.contains(&run.id));
    let ahead: u64 = ahead.filter(|run| (counted.runs)(run)).map(|run| run.set.len()).sum();
    let due = Gate::open(state, now, 1).due_retries();
    let due: u64 = due.iter().filter(|run| (counted.runs)(run)).map(|run| run.set.len()).sum();
    let ready = registered.graph.jobs().filter(|(job, _)| (counted.jobs)(*job)).map(|(job, _)| {
        let ready = &state.work(job).ready;
        let mut left = ready.clone();
        for want in state.wants().values().filter(|want| !want.paused) {
            if left.is_empty() {
                break;
            }
            if let Some(held) = want.remaining.get(&job) {
                left.subtract_with(held);
            }
        }
        ready.len() - left.len()
    });
    ahead + due + ready.sum::<u64>()
}
