//! Who may begin: what runs take of places, memory, pools and limits, and how often jobs may start.
//!
//! Invariants:
//! - All is derived from live runs and from the graph each time; nothing is counted along, so nothing leaks.
//! - What waits is looked at in the order in which it may begin. What does not fit has set aside for it what
//!   it lacks, so that nothing later takes that: the big is not overtaken for ever by the small. The first
//!   that waits for others has all set aside that it needs, except a single place: otherwise two resources
//!   could be taken away in turns. A place comes free with whatever it waits for.
//! - Nothing is set aside for what could not begin even if nothing ran: it would hold up all others.
//!
//! Cost: one walk over live runs, then constant work for each job that has something ready.

use crate::decide::queries::backoff::waits_until;
use crate::decide::queries::needed::inputs_pending;
use crate::graph::{Graph, Job, JobIx, Rate, Resource};
use crate::ids::RunId;
use crate::state::{Phase, Run, State};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Work this short in milliseconds is handed out ahead, so that a place does not stay empty for the
/// time that making a lease durable takes.
const SHORT_MS: f64 = 100.0;

/// Leases handed out ahead for each place, at most.
const MAX_AHEAD: usize = 64;

/// How many attempts beyond the places are worth handing out.
pub(crate) fn ahead(state: &State, slots: usize) -> usize {
    if state.attempt_ms() <= 0.0 || state.attempt_ms() >= SHORT_MS {
        return 0;
    }
    let each = (SHORT_MS / state.attempt_ms().max(1.0)).ceil() as usize;
    slots * each.min(MAX_AHEAD)
}

/// What the machine has for runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Capacity {
    /// Places.
    pub slots: usize,
    /// Bytes of memory; none if that is not known, and then it is not counted.
    pub memory: Option<u64>,
}

/// How much of a resource there is for new work; none if it has no limit.
#[must_use]
pub fn size(state: &State, capacity: Capacity, resource: &Resource) -> Option<u64> {
    let graph = state.followed().map(|registered| &registered.graph)?;
    match resource {
        Resource::Places => Some(capacity.slots as u64),
        Resource::Memory => capacity.memory,
        Resource::Pool(label) => {
            let declared = graph.pool_labeled(label)?.slots;
            Some(u64::from(state.pool_sizes().get(label).copied().unwrap_or(declared)))
        }
        Resource::Job(label) => graph.job_first_labeled(label)?.policy.max_running.map(u64::from),
        Resource::Dataset(name) => graph.dataset_first_named(name)?.policy.max_running.map(u64::from),
    }
}

/// How much a run that says `amount` really takes. One that asks for more than the machine has takes all.
#[must_use]
pub fn taken(capacity: Capacity, resource: &Resource, amount: u64) -> u64 {
    match resource {
        Resource::Places => amount.min((capacity.slots as u64).max(1)),
        Resource::Memory => amount.min(capacity.memory.unwrap_or(amount)),
        Resource::Pool(_) | Resource::Job(_) | Resource::Dataset(_) => amount,
    }
}

/// What a run takes, as declared where its code comes from.
fn takes_of(run: &Run) -> &[(Resource, u64)] {
    &run.graph.graph.job(run.job).takes
}

/// Live runs that hold some of a resource, with how much.
pub fn holders<'s>(
    state: &'s State,
    capacity: Capacity,
    resource: &'s Resource,
) -> impl Iterator<Item = (RunId, u64)> + 's {
    state.runs().values().filter(|run| run.occupies_slot()).filter_map(move |run| {
        let found = takes_of(run).iter().find(|(other, _)| other == resource)?;
        Some((run.id, taken(capacity, resource, found.1)))
    })
}

/// What is taken, and what may be, while the waiting is looked at in its order.
pub(crate) struct Gate<'s> {
    state: &'s State,
    capacity: Capacity,
    now: Timestamp,
    /// Places beyond the real ones, for short runs that take one.
    ahead: u64,
    /// By live runs, and set aside for what waits.
    used: BTreeMap<&'s Resource, u64>,
    /// Attempts of a job that begin now, by its first label.
    begun: BTreeMap<&'s str, u64>,
    /// The first that waits for others has been met.
    headed: bool,
    /// The next instant at which time alone lets something begin.
    wake: Option<Timestamp>,
    /// It lets everything through, at most so many runs at a time: who asks in which order work is looked at, whatever it lacks.
    open: Option<usize>,
}

impl<'s> Gate<'s> {
    /// A gate that lets everything through, at most `most` runs at a time.
    pub(crate) fn open(state: &'s State, now: Timestamp, most: usize) -> Gate<'s> {
        let capacity = Capacity { slots: usize::MAX, memory: None };
        Gate {
            state,
            capacity,
            now,
            ahead: 0,
            used: BTreeMap::new(),
            begun: BTreeMap::new(),
            headed: false,
            wake: None,
            open: Some(most),
        }
    }

    /// Before anything that waits was looked at.
    pub(crate) fn new(state: &'s State, capacity: Capacity, now: Timestamp) -> Gate<'s> {
        let mut used: BTreeMap<&Resource, u64> = BTreeMap::new();
        let mut wide = false;
        for run in state.runs().values().filter(|run| run.occupies_slot()) {
            for (resource, amount) in takes_of(run) {
                let amount = taken(capacity, resource, *amount);
                wide |= *resource == Resource::Places && amount > 1;
                *used.entry(resource).or_default() += amount;
            }
        }
        // The runner counts attempts, not places: what is queued there would start beside a run that takes several.
        let ahead = if wide { 0 } else { ahead(state, capacity.slots) as u64 };
        let begun = BTreeMap::new();
        Gate { state, capacity, now, ahead, used, begun, headed: false, wake: None, open: None }
    }

    /// Whether all places are taken, so that nothing can begin whatever it is.
    pub(crate) fn is_full(&self) -> bool {
        let used = self.used.get(&Resource::Places).copied().unwrap_or(0);
        used >= self.capacity.slots as u64 + self.ahead
    }

    pub(crate) fn room(&self, resource: &Resource, amount: u64) -> u64 {
        let Some(size) = size(self.state, self.capacity, resource) else { return u64::MAX };
        let ahead = if *resource == Resource::Places && amount == 1 { self.ahead } else { 0 };
        let used = self.used.get(resource).copied().unwrap_or(0);
        (size + ahead).saturating_sub(used) / taken(self.capacity, resource, amount).max(1)
    }

    /// How many runs of a job may begin now. If none may, what they lack is set aside for them, or the time
    /// is noted from which they may.
    pub(crate) fn admit(&mut self, job: &'s Job) -> usize {
        if let Some(most) = self.open {
            return most;
        }
        let fit = job.takes.iter().map(|(resource, amount)| self.room(resource, *amount)).min();
        let fit = fit.unwrap_or(u64::MAX);
        if fit == 0 {
            self.set_aside(job);
            return 0;
        }
        let Some(rate) = job.policy.rate else { return usize::try_from(fit).unwrap_or(usize::MAX) };
        let begun = self.begun.get(job.origin()).copied().unwrap_or(0);
        let starts = u64::from(rate.count).saturating_sub(self.recent(job, rate) + begun);
        if starts == 0 {
            if let Some(at) = opens_at(self.state, job, self.now) {
                self.wake_at(at);
            }
        }
        usize::try_from(fit.min(starts)).unwrap_or(usize::MAX)
    }

    /// Attempts of the job that started within the last period.
    fn recent(&self, job: &Job, rate: Rate) -> u64 {
        recent_starts(self.state, job, rate, self.now).count() as u64
    }

    /// `runs` of the job begin.
    fn take(&mut self, job: &'s Job, runs: u64) {
        for (resource, amount) in &job.takes {
            *self.used.entry(resource).or_default() += taken(self.capacity, resource, *amount) * runs;
        }
        *self.begun.entry(job.origin()).or_default() += runs;
    }

    fn set_aside(&mut self, job: &'s Job) {
        let takes = job.takes.iter().map(|(resource, amount)| {
            let amount = taken(self.capacity, resource, *amount);
            (resource, amount, self.room(resource, amount) == 0)
        });
        let takes: Vec<_> = takes.collect();
        let never = |(resource, amount, _): &(&Resource, u64, bool)| {
            size(self.state, self.capacity, resource).is_some_and(|size| *amount > size)
        };
        if takes.iter().any(never) {
            return;
        }
        let others = |resource: &Resource| {
            let of_other = |run: &&Arc<Run>| run.graph.graph.job(run.job).origin() != job.origin();
            let live = self.state.runs().values().filter(|run| run.occupies_slot()).filter(of_other);
            live.flat_map(|run| takes_of(run)).any(|(other, _)| other == resource)
        };
        // Runs of the same job leave, when they end, all that the next one needs.
        let head = !self.headed && takes.iter().any(|(resource, _, lacking)| *lacking && others(resource));
        self.headed |= head;
        for (resource, amount, lacking) in takes {
            // Short runs ahead of places would go on taking what a wide one waits for.
            if lacking && *resource == Resource::Places && amount > 1 {
                self.ahead = 0;
            }
            if lacking || (head && *resource != Resource::Places) {
                *self.used.entry(resource).or_default() += amount;
            }
        }
    }

    fn wake_at(&mut self, at: Timestamp) {
        self.wake = Some(self.wake.map_or(at, |wake| wake.min(at)));
    }

    /// Runs to be tried again now, the oldest first. For those whose time has not come yet the time is noted.
    pub(crate) fn due_retries(&mut self) -> Vec<Arc<Run>> {
        let mut due = Vec::new();
        for run in self.state.runs().values() {
            if !matches!(run.phase, Phase::RetryWait(_)) {
                continue;
            }
            if run.suspended.is_some() || inputs_pending(self.state, run) || self.state.is_held_back(run) {
                continue;
            }
            let job = run.graph.graph.job(run.job);
            if let Some(at) = waits_until(run, self.now) {
                let fits = job.takes.iter().all(|(resource, amount)| self.room(resource, *amount) > 0);
                if fits {
                    self.wake_at(opens_at(self.state, job, self.now).map_or(at, |opens| opens.max(at)));
                }
            } else if self.admit(job) > 0 {
                self.take(job, 1);
                due.push(Arc::clone(run));
            }
        }
        due
    }

    /// See the field.
    pub(crate) fn wake(&self) -> Option<Timestamp> {
        self.wake
    }
}

/// Starts of the job's attempts in the period before `now`, oldest first. What a clock that was set back
/// shows as the future does not count.
fn recent_starts<'s>(
    state: &'s State,
    job: &Job,
    rate: Rate,
    now: Timestamp,
) -> impl Iterator<Item = Timestamp> + 's {
    let starts = state.starts().get(job.origin()).map(|starts| starts.iter().copied());
    starts.into_iter().flatten().filter(move |at| *at <= now && after(*at, rate) > now)
}

fn after(start: Timestamp, rate: Rate) -> Timestamp {
    let period = SignedDuration::try_from(rate.period).unwrap_or(SignedDuration::MAX);
    start.checked_add(period).unwrap_or(Timestamp::MAX)
}

/// When the rate of a job allows another start; none if it does now.
#[must_use]
pub fn opens_at(state: &State, job: &Job, now: Timestamp) -> Option<Timestamp> {
    let rate = job.policy.rate?;
    let mut starts: Vec<_> = recent_starts(state, job, rate, now).collect();
    starts.sort_unstable();
    let over = starts.len().checked_sub(rate.count as usize)?;
    starts.get(over).map(|start| after(*start, rate))
}

/// A pool as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolUse {
    /// Its label.
    pub label: String,
    /// What people call it.
    pub name: String,
    /// How many slots it has now.
    pub slots: u64,
    /// How many it is declared to have.
    pub declared: u32,
    /// Live runs that hold some, with how many.
    pub holders: Vec<(RunId, u64)>,
    /// Partitions that are ready, and of which a run takes some: by job.
    pub waiting: Vec<(JobIx, u64)>,
    /// Labels of jobs that need more than it has now.
    pub too_small_for: Vec<String>,
}

/// All pools of the graph, by label.
#[must_use]
pub fn pools(state: &State, capacity: Capacity) -> Vec<PoolUse> {
    let Some(registered) = state.followed() else { return Vec::new() };
    let graph: &Graph = &registered.graph;
    let use_of = |pool: &crate::graph::Pool| {
        let resource = Resource::Pool(pool.label.clone());
        let slots = size(state, capacity, &resource).unwrap_or_default();
        let needs = |job: &Job| job.takes.iter().any(|(other, n)| *other == resource && *n > slots);
        PoolUse {
            label: pool.label.clone(),
            name: pool.name.clone(),
            slots,
            declared: pool.slots,
            holders: holders(state, capacity, &resource).collect(),
            waiting: graph
                .jobs()
                .filter(|(_, job)| job.takes.iter().any(|(other, _)| *other == resource))
                .map(|(ix, _)| (ix, state.work(ix).ready.len()))
                .collect(),
            too_small_for: graph
                .jobs()
                .filter(|(_, job)| needs(job))
                .map(|(_, job)| job.label.clone())
                .collect(),
        }
    };
    graph.pools().map(use_of).collect()
}
