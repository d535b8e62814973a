//! Why something that is wanted is not there yet: the one thing that it waits for now.
//!
//! Pure reading. It looks at what [`super::ready`] looks at, so that it names what dispatch waits for.

use crate::decide::queries::backoff::waits_until;
use crate::decide::queries::lack::{lack, Lack};
use crate::decide::queries::limits::Capacity;
use crate::decide::queries::needed::inputs_pending;
use crate::graph::{Job, JobIx, Resource};
use crate::ids::{RunId, WantId};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::state::{Phase, Run, State, Want};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Why a run that makes a wanted partition is not what the want waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfit {
    /// It is of older code, or reads older inputs.
    Older,
    /// It began before the want that invokes its job by hand.
    Earlier,
    /// Parameters with other values than the want asks for.
    Params(Vec<OtherValue>),
}

/// A parameter of which a run has another value than a want asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherValue {
    /// Its name.
    pub name: String,
    /// The run's value; none if its job had no such parameter.
    pub has: Option<String>,
    /// What the want asks for; none if the job has no such parameter any more.
    pub wanted: Option<String>,
}

/// What a want or a run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Blocker {
    /// Nothing: it is handed out or running, or its outputs are being published.
    UnderWay {
        /// The run; of a want, the oldest one under way.
        run: RunId,
        /// Further runs of the want that are under way.
        more: u64,
    },
    /// Nothing: it is about to be handed out.
    Ready,
    /// All places are taken.
    Slots {
        /// How many there are.
        slots: usize,
        /// Partitions that could begin.
        ready: u64,
        /// Who has the places, oldest first.
        holders: Vec<RunId>,
    },
    /// Of something else that runs share, too little is free.
    Limit {
        /// Of what.
        resource: Resource,
        /// How much there is.
        size: u64,
        /// How much a run takes.
        needs: u64,
        /// Partitions that could begin.
        ready: u64,
        /// Who has it, oldest first, with how much.
        holders: Vec<(RunId, u64)>,
        /// Enough is free, but set aside for what waits longer.
        set_aside: bool,
    },
    /// The job has started as often as it may for now.
    Rate {
        /// Its label.
        job: String,
        /// When it may start again.
        until: Timestamp,
        /// Partitions that could begin.
        ready: u64,
    },
    /// The last attempt failed; the next one is due then.
    Backoff {
        /// The run.
        run: RunId,
        /// When it is tried again.
        until: Timestamp,
    },
    /// Whoever wants it is paused.
    Paused {
        /// The oldest of them.
        want: WantId,
    },
    /// The run found that it needs partitions that nobody declared, and waits for them.
    Suspended {
        /// The run.
        run: RunId,
        /// The want that brings them.
        want: WantId,
    },
    /// The run was told to stop and has not yet.
    Canceling {
        /// The run.
        run: RunId,
    },
    /// Another run makes the same partition, which is not what is waited for; a new one is queued behind it.
    Behind {
        /// The run.
        run: RunId,
        /// What is wrong with it.
        unfit: Unfit,
    },
    /// Something that it is made from is not done.
    Upstream {
        /// What waits.
        waiting: String,
        /// What it waits for, at the end of the chain: the partition that nothing upstream holds up.
        partition: String,
        /// What that waits for; never `Upstream`.
        because: Box<Blocker>,
    },
}

/// What a want waits for. Whatever moves it on counts first: a run under way that it can use, then what could begin.
#[must_use]
pub fn of_want(state: &State, capacity: Capacity, now: Timestamp, want: &Want) -> Blocker {
    let runs: Vec<&Arc<Run>> = state
        .runs()
        .values()
        .filter(|run| {
            let job = state.current_job(run);
            job.is_some_and(|job| want.holds_any(job, &run.set) && want.is_served_by(run, job))
        })
        .collect();
    let moving: Vec<_> = runs
        .iter()
        .filter(|run| !run.cancel_requested && !matches!(run.phase, Phase::RetryWait(_)))
        .collect();
    let live = under_way(state, capacity.slots);
    let mut own = moving.iter().filter(|run| live.contains(&run.id));
    if let Some(run) = own.next() {
        return Blocker::UnderWay { run: run.id, more: own.count() as u64 };
    }
    if want.paused && moving.is_empty() {
        return Blocker::Paused { want: want.id };
    }
    // Handed out ahead, with no place to begin in, is no better than ready.
    let mut ready = moving.len() as u64;
    for (job, set) in &want.remaining {
        ready += set.intersect(&state.work(*job).ready).len();
    }
    if !moving.is_empty() {
        return all_taken(state, capacity, ready);
    }
    // As dispatch does, from the furthest downstream.
    let could_begin =
        want.remaining.iter().rev().filter(|(job, set)| set.intersects(&state.work(**job).ready));
    let mut lacks = could_begin.map(|(job, _)| begins(state, capacity, now, state.graph().job(*job), ready));
    if let Some(first) = lacks.next() {
        let free = first == Blocker::Ready || lacks.any(|other| other == Blocker::Ready);
        return if free { Blocker::Ready } else { first };
    }
    // Among runs that wait to be tried again, the one that is due first.
    let due = runs.iter().filter_map(|run| match run.phase {
        Phase::RetryWait(at) => Some((at, run)),
        _ => None,
    });
    if let Some((_, run)) = due.min_by_key(|(at, run)| (*at, run.id)) {
        return of_run(state, capacity, now, run);
    }
    if let Some(run) = runs.first() {
        return Blocker::Canceling { run: run.id };
    }
    // Only what others make: the furthest upstream first.
    for (job, set) in &want.remaining {
        if let Some(key) = set.first() {
            return of_queued(state, capacity, now, want, (*job, &key));
        }
    }
    Blocker::Ready
}

/// What a live run waits for.
#[must_use]
pub fn of_run(state: &State, capacity: Capacity, now: Timestamp, run: &Run) -> Blocker {
    if run.cancel_requested {
        return Blocker::Canceling { run: run.id };
    }
    if let Some(until) = waits_until(run, now).filter(|_| run.suspended.is_none()) {
        return Blocker::Backoff { run: run.id, until };
    }
    match run.phase {
        Phase::Leased if !gets_a_place(state, capacity.slots, run) => all_taken(state, capacity, 1),
        Phase::Leased | Phase::Running | Phase::Publishing => Blocker::UnderWay { run: run.id, more: 0 },
        Phase::RetryWait(_) if run.suspended.is_some() => {
            Blocker::Suspended { run: run.id, want: run.suspended.unwrap_or_default() }
        }
        Phase::RetryWait(_) if state.is_held_back(run) => {
            let job = state.current_job(run);
            let want = job.and_then(|job| state.holders_of(job, &run.set).next().map(|want| want.id));
            Blocker::Paused { want: want.unwrap_or_default() }
        }
        Phase::RetryWait(_) => {
            let job = state.current_job(run).filter(|_| inputs_pending(state, run));
            match job.and_then(|job| upstream(state, capacity, now, job, &run.set)) {
                Some(blocker) => blocker,
                None => begins(state, capacity, now, run.graph.graph.job(run.job), 1),
            }
        }
    }
}

/// What the queued work of a job waits for: what could begin, and what waits for something else, that as its first
/// partition does.
#[must_use]
pub fn of_job(state: &State, capacity: Capacity, now: Timestamp, job: JobIx) -> Vec<(PartitionSet, Blocker)> {
    let work = state.work(job);
    let rest = work.todo.subtract(&work.ready);
    let ready = work.ready.first().map(|key| {
        let begins = || begins(state, capacity, now, state.graph().job(job), work.ready.len());
        (work.ready.clone(), paused(state, job, &key).unwrap_or_else(begins))
    });
    let waiting = rest.first().and_then(|key| {
        let want = state.holders(job, &key).next()?;
        Some((rest, of_queued(state, capacity, now, want, (job, &key))))
    });
    ready.into_iter().chain(waiting).collect()
}

/// What queued work of a want waits for.
fn of_queued(
    state: &State,
    capacity: Capacity,
    now: Timestamp,
    want: &Want,
    (job, key): (JobIx, &PartitionKey),
) -> Blocker {
    let work = state.work(job);
    if work.ready.contains(key) {
        let begins = || begins(state, capacity, now, state.graph().job(job), 1);
        return paused(state, job, key).unwrap_or_else(begins);
    }
    if work.live.contains(key) {
        if let Some(run) = making(state, job, key) {
            return if run.cancel_requested {
                Blocker::Canceling { run: run.id }
            } else {
                Blocker::Behind { run: run.id, unfit: unfit(state, want, job, run) }
            };
        }
    }
    let single = PartitionSet::single(state.graph().home(job).shape, key);
    upstream(state, capacity, now, job, &single).unwrap_or(Blocker::Ready)
}

/// Why a run of `job` is not what a want waits for.
fn unfit(state: &State, want: &Want, job: JobIx, run: &Run) -> Unfit {
    let entry = state.graph().job(job);
    let wanted = want.invokes(job).map_or_else(|| entry.params.clone(), |by| entry.values(&by.params));
    let names: BTreeSet<&String> = wanted.keys().chain(run.params.keys()).collect();
    let differs = names.into_iter().filter(|name| run.params.get(*name) != wanted.get(*name));
    let values = differs.map(|name| OtherValue {
        name: name.clone(),
        has: run.params.get(name).cloned(),
        wanted: wanted.get(name).cloned(),
    });
    let values: Vec<_> = values.collect();
    match want.invokes(job) {
        _ if !values.is_empty() => Unfit::Params(values),
        Some(invoked) if run.id <= invoked.after => Unfit::Earlier,
        _ => Unfit::Older,
    }
}

/// What a part of `set` of `job` waits for upstream, followed to its end; none if nothing upstream is undone.
fn upstream(
    state: &State,
    capacity: Capacity,
    now: Timestamp,
    job: JobIx,
    set: &PartitionSet,
) -> Option<Blocker> {
    let graph = state.graph();
    let mut job = job;
    let mut key = state.waiting(job, set).first()?;
    let waiting = state.partition_text(graph.job(job).outputs[0], &key);
    let mut found = None;
    // Each step goes to a job further upstream, so this ends.
    while let Some((producer, first)) = pending_input(state, job, &key) {
        let partition = state.partition_text(graph.job(producer).outputs[0], &first);
        let is_due = |run: &Run| matches!(run.phase, Phase::RetryWait(_)) && waits_until(run, now).is_none();
        let run = making(state, producer, &first).filter(|run| run.suspended.is_some() || !is_due(run));
        let because = match run {
            Some(run) => Some(of_run(state, capacity, now, run)),
            None if state.work(producer).ready.contains(&first) => {
                let begins = || begins(state, capacity, now, graph.job(producer), 1);
                Some(paused(state, producer, &first).unwrap_or_else(begins))
            }
            None => None,
        };
        let ends = because.is_some();
        let because = Box::new(because.unwrap_or(Blocker::Ready));
        found = Some(Blocker::Upstream { waiting: waiting.clone(), partition, because });
        if ends {
            break;
        }
        (job, key) = (producer, first);
    }
    found
}

/// If all who want a partition are paused.
fn paused(state: &State, job: JobIx, key: &PartitionKey) -> Option<Blocker> {
    let first = state.holders(job, key).next()?.id;
    state.holders(job, key).all(|want| want.paused).then_some(Blocker::Paused { want: first })
}

/// The live run that makes a partition.
fn making<'s>(state: &'s State, job: JobIx, key: &PartitionKey) -> Option<&'s Arc<Run>> {
    // Runs of other jobs may have keys of other dimensions.
    state.runs().values().find(|run| state.occupied_by(run).contains(&job) && run.set.contains(key))
}

/// The first partition that `key` of `job` is made from and that is not done, with who makes it.
fn pending_input(state: &State, job: JobIx, key: &PartitionKey) -> Option<(JobIx, PartitionKey)> {
    let graph = state.graph();
    let home = graph.side(graph.job(job).outputs[0], state.extents());
    graph.job(job).inputs.iter().find_map(|input| {
        let producer = graph.dataset(input.dataset).producer?;
        let read = graph.side(input.dataset, state.extents());
        let needed = input.ever.keys_of_one(&home, &read, key).ok()?;
        let work = state.work(producer);
        let first = |set: &PartitionSet| set.within(&needed).first();
        Some((producer, first(&work.live).or_else(|| first(&work.todo))?))
    })
}

/// What work lacks that waits for nothing upstream.
fn begins(state: &State, capacity: Capacity, now: Timestamp, job: &Job, ready: u64) -> Blocker {
    match lack(state, capacity, now, job) {
        None => Blocker::Ready,
        Some(Lack::Rate(until)) => Blocker::Rate { job: job.label.clone(), until, ready },
        Some(Lack::Resource { resource: Resource::Places, needs: 1, .. }) => {
            all_taken(state, capacity, ready)
        }
        Some(Lack::Resource { resource, size, needs, holders, set_aside }) => {
            Blocker::Limit { resource, size, needs, ready, holders, set_aside }
        }
    }
}

fn all_taken(state: &State, capacity: Capacity, ready: u64) -> Blocker {
    let slots = capacity.slots;
    Blocker::Slots { slots, ready, holders: holders(state, slots) }
}

/// Runs that have the places: those that run, then those that were handed out first.
fn holders(state: &State, slots: usize) -> Vec<RunId> {
    let in_phase =
        |phase: Phase| state.runs().values().filter(move |run| run.phase == phase).map(|run| run.id);
    let running: Vec<RunId> = in_phase(Phase::Running).collect();
    let free = slots.saturating_sub(running.len());
    running.into_iter().chain(in_phase(Phase::Leased).take(free)).collect()
}

/// The runs that are under way: their processes run or are about to, or their outputs are being published. What was handed out
/// ahead and waits at the executor for a place is not among them, nor is what waits to be tried again.
#[must_use]
pub fn under_way(state: &State, slots: usize) -> BTreeSet<RunId> {
    let publishing = state.runs().values().filter(|run| run.phase == Phase::Publishing).map(|run| run.id);
    holders(state, slots).into_iter().chain(publishing).collect()
}

/// Whether a run that was handed out can begin at once.
fn gets_a_place(state: &State, slots: usize, run: &Run) -> bool {
    holders(state, slots).contains(&run.id)
}
