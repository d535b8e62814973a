//! What follows by itself: leases for ready work, cut-offs, retries that are due, wants that are over.

use super::limits::{Capacity, Gate};
use super::{batches, suspend, trial, AttemptSpec, Effect, Out};
use crate::event::{ArmId, AttemptLeased, Event, PriorityClass, Refresh, WantEnded, WantOutcome, WorkCutOff};
use crate::graph::{DatasetIx, JobIx};
use crate::ids::{AttemptId, RunId, WantId};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::state::{Run, State, Verdict, Want};
use jiff::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

/// Work this short in milliseconds is handed out ahead, so that a place does not stay empty for the
/// time that making a lease durable takes.
const SHORT_MS: f64 = 100.0;
/// Leases handed out ahead for each place, at most.
const MAX_AHEAD: usize = 16;

/// Leases ready work until nothing that is ready may begin; work that turned out to be current is cut off on
/// the way. Tells when time alone lets something begin.
pub(super) fn dispatch(out: &mut Out, capacity: Capacity) -> Option<Timestamp> {
    let mut replanned = BTreeSet::new();
    // What was made from something that a run found and that is being made anew: mostly it is current afterwards.
    let mut held = Held::new();
    let mut waits = true;
    loop {
        out.state.graph.as_ref()?;
        let mut gate = Gate::new(out.state, capacity, out.now);
        if gate.is_full() {
            return None;
        }
        gate.due_retries();
        let (job, runs) = match next_ready(out.state, &mut gate, &held) {
            // What waits for each other would wait for ever.
            None if !held.is_empty() && !suspend::anything_moves(out.state) => {
                held.clear();
                waits = false;
                continue;
            }
            None => return gate.wake(),
            Some(Ready::Arm(arm)) => {
                trial::lease(out, arm);
                continue;
            }
            Some(Ready::Work(job, runs)) => (job, runs),
        };
        let mut set = PartitionSet::empty(out.state.graph().home(job).shape);
        runs.iter().for_each(|run| set.union_with(run));
        let needed = to_build(out.state, job, &set);
        let postponed =
            if waits { awaiting_found(out.state, job, &needed) } else { PartitionSet::empty(set.shape()) };
        if !postponed.is_empty() {
            held.entry(job).and_modify(|all| all.union_with(&postponed)).or_insert(postponed);
            continue;
        }
        let mut lacking = PartitionSet::empty(needed.shape());
        for (as_of, part) in by_instant(out.state, job, &needed) {
            lacking.union_with(&out.state.at(as_of, |state| lacking_inputs(state, job, &part)));
        }
        if !lacking.is_empty() && replanned.insert(job) {
            // Nobody had planned for that. They are made first, or what needs them is given up.
            super::replan::replan_all(out, &[(job, lacking)]);
            continue;
        }
        if !set.is_subset(&needed) {
            let ready = out.state.work(job).ready.clone();
            let mut unchanged = ready.subtract(&to_build(out.state, job, &ready));
            if waits {
                let waiting = awaiting_found(out.state, job, &unchanged);
                unchanged.subtract_with(&waiting);
                held.entry(job).and_modify(|all| all.union_with(&waiting)).or_insert(waiting);
                held.retain(|_, set| !set.is_empty());
            }
            cut_off(out, job, &unchanged);
            // A want that waits for nothing any more may have more to do, which others then wait for.
            end_wants(out);
            continue;
        }
        for run in runs {
            lease_first(out, job, &run);
        }
    }
}

/// Ready work, by job, with which nothing is to be done for now.
pub(super) type Held = BTreeMap<JobIx, PartitionSet>;

/// Those of `set` that were made from something that a run found, and that is queued or being made: only afterwards is
/// it known whether they are current. Unlike declared inputs these may go in circles, so they are no reason not to be
/// ready. What is built for another reason finds anew what it needs, and does not wait.
fn awaiting_found(state: &State, job: JobIx, set: &PartitionSet) -> PartitionSet {
    let graph = state.graph();
    let mut waiting = PartitionSet::empty(set.shape());
    if graph.job(job).outputs.iter().all(|output| state.dataset(*output).discovered.is_empty()) {
        return waiting;
    }
    let mut open = set.subtract(&state.work(job).forced);
    for (_, other) in state.outdated(job, &open).iter().filter(|(why, _)| *why != Verdict::InputsChanged) {
        open.subtract_with(other);
    }
    for output in &graph.job(job).outputs {
        let pending = |text: &String| {
            let Some((ix, key)) = state.located_one(text) else { return false };
            graph.dataset(ix).producer.is_some_and(|producer| {
                let work = state.work(producer);
                work.todo.contains(&key) || work.live.contains(&key)
            })
        };
        for key in open.iter().filter(|key| state.discovered(*output, key).iter().any(pending)) {
            waiting.insert(&key);
        }
    }
    waiting
}

/// How many attempts beyond the places are worth handing out.
pub(super) fn ahead(state: &State, slots: usize) -> usize {
    if state.attempt_ms <= 0.0 || state.attempt_ms >= SHORT_MS {
        return 0;
    }
    let each = (SHORT_MS / state.attempt_ms.max(1.0)).ceil() as usize;
    slots * each.min(MAX_AHEAD)
}

/// What may begin.
pub(super) enum Ready {
    /// Runs of a job.
    Work(JobIx, Vec<PartitionSet>),
    /// An arm of a trial.
    Arm(ArmId),
}

/// The next that may begin. Trials go after what somebody waits for and before history.
pub(super) fn next_ready<'s>(state: &'s State, gate: &mut Gate<'s>, but: &Held) -> Option<Ready> {
    let mut closed = HashSet::new();
    if let Some((job, runs)) = next_work(state, gate, PriorityClass::Interactive, &mut closed, but) {
        return Some(Ready::Work(job, runs));
    }
    if let Some(arm) = trial::next_arm(state, gate) {
        return Some(Ready::Arm(arm));
    }
    let (job, runs) = next_work(state, gate, PriorityClass::Backfill, &mut closed, but)?;
    Some(Ready::Work(job, runs))
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
    for want in state.wants.values().filter(|want| !want.paused && want.class == class) {
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
                runs.drain(..).partition(|run| !batches::may_grow(batch, run, &waits));
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

/// The queued `set` by the instant for which a run of each partition would read key spaces.
fn by_instant(state: &State, job: JobIx, set: &PartitionSet) -> Vec<(Timestamp, PartitionSet)> {
    let inputs = &state.graph().job(job).inputs;
    let mut left = set.clone();
    let mut found = Vec::new();
    if inputs.iter().any(|input| input.time_dependent) {
        // As for a lease, the want that looks furthest decides.
        let mut wants: Vec<&Arc<Want>> = state.holders_of(job, set).collect();
        wants.sort_by_key(|want| Reverse(want.as_of));
        for want in wants {
            let Some(held) = want.remaining.get(&job) else { continue };
            let part = left.intersect(held);
            if !part.is_empty() {
                left.subtract_with(&part);
                found.push((want.as_of, part));
            }
        }
    }
    if !left.is_empty() {
        found.push((state.as_of, left));
    }
    found
}

/// Those of the queued `set` that are to be built, as far as can be told now.
fn to_build(state: &mut State, job: JobIx, set: &PartitionSet) -> PartitionSet {
    state.settle(job, set);
    let mut fresh = PartitionSet::empty(set.shape());
    for want in state.wants.values().filter(|want| want.refresh != Refresh::Missing) {
        if let Some(held) = want.remaining.get(&job) {
            fresh.union_with(held);
        }
    }
    let mut needed = set.intersect(&state.work(job).forced);
    // Stale data is good enough for those who only want what is missing.
    needed.union_with(&state.absent(job, set));
    for (as_of, part) in by_instant(state, job, &set.intersect(&fresh)) {
        let outdated = state.at(as_of, |state| {
            state.settle(job, &part);
            state.outdated_set(job, &part)
        });
        needed.union_with(&outdated);
    }
    needed
}

/// Work of `job` that is current after all is done with, in one event.
fn cut_off(out: &mut Out, job: JobIx, unchanged: &PartitionSet) {
    if !unchanged.is_empty() {
        let partitions = out.state.work_text(job, unchanged);
        out.event(Event::WorkCutOff(WorkCutOff { partitions }));
    }
}

fn lease_first(out: &mut Out, job: JobIx, set: &PartitionSet) {
    let Some(first) = set.first() else { return };
    let registered = Arc::clone(out.state.registered());
    let attempt = AttemptId { run: RunId(out.state.last_run.0 + 1), number: 1 };
    let as_of = out.state.as_of_for(job, &first);
    let event = AttemptLeased {
        attempt,
        job: registered.graph.job(job).label.clone(),
        partition: registered.graph.home(job).batch_text(set, &out.state.symbols),
        graph: registered.id.clone(),
        as_of,
        inputs: set.iter().map(|key| out.state.inputs_digest_at(job, &key, as_of)).collect(),
        params: out.state.params_for(job, &first),
        trial: None,
    };
    out.event(Event::AttemptLeased(event));
    start(out, attempt.run);
}

/// Orders the start of a run's current attempt.
pub(super) fn start(out: &mut Out, id: RunId) {
    let Some(run) = out.state.runs.get(&id) else { return };
    let graph = &run.graph.graph;
    let extents = graph.extents(run.as_of, &out.state.symbols);
    let inputs = graph
        .job(run.job)
        .inputs
        .iter()
        .enumerate()
        .map(|(at, input)| {
            (input.name.clone(), input.dataset, graph.inputs_of(&extents, run.job, at, &run.set))
        })
        .collect();
    let wants = out.state.served_by(run).map(|want| want.id).collect();
    let mut spec = AttemptSpec {
        attempt: run.attempt_id(),
        graph: Arc::clone(&run.graph),
        job: run.job,
        set: run.set.clone(),
        partition: run.partition.clone(),
        as_of: run.as_of,
        params: run.params.clone(),
        inputs,
        discovered: discovered(out.state, run),
        held: 0,
        wants,
    };
    spec.held = spec.held(out.state);
    out.effects.push(Effect::Start(Box::new(spec)));
}

/// What a run found that it needs, as its own graph has it.
fn discovered(state: &State, run: &Run) -> Vec<(DatasetIx, PartitionKey)> {
    let graph = &run.graph.graph;
    let own = |text: &String| {
        let (ix, key) = state.located_one(text)?;
        Some((state.graph().counterpart(ix, graph)?, key))
    };
    run.discovered.iter().filter_map(own).collect()
}

/// Leases the next attempt of runs whose wait is over, the oldest first, as far as they may begin.
pub(super) fn retry(out: &mut Out, capacity: Capacity) {
    let due = |out: &Out| Gate::new(out.state, capacity, out.now).due_retries();
    let lacking: Vec<_> = due(out)
        .iter()
        .filter_map(|run| {
            let job = out.state.current_job(run)?;
            Some((job, lacking_inputs(out.state, job, &run.set)))
        })
        .filter(|(_, set)| !set.is_empty())
        .collect();
    if !lacking.is_empty() {
        // They went while the attempt before ran: they are made anew first, if that can be done.
        super::replan::replan_all(out, &lacking);
    }
    for run in due(out) {
        let job = out.state.current_job(&run);
        let as_of = job.map_or(run.as_of, |job| retry_as_of(out.state, job, &run));
        let Some(run) = give_up_lacking(out, run, as_of) else { continue };
        let id = run.id;
        let attempt = AttemptId { run: id, number: run.attempt + 1 };
        let inputs = out.state.inputs_digests_of(&run, as_of);
        let event = AttemptLeased {
            attempt,
            job: run.graph.graph.job(run.job).label.clone(),
            partition: run.graph.graph.home(run.job).batch_text(&run.set, &out.state.symbols),
            graph: run.graph.id.clone(),
            as_of,
            inputs,
            params: run.params.clone(),
            trial: run.trial,
        };
        out.event(Event::AttemptLeased(event));
        start(out, id);
    }
}

/// What is left of a run without that which can never have its inputs.
fn give_up_lacking(out: &mut Out, run: Arc<Run>, as_of: Timestamp) -> Option<Arc<Run>> {
    let lacking = match out.state.current_job(&run) {
        Some(job) => out.state.at(as_of, |state| lacking_inputs(state, job, &run.set)),
        None => return Some(run),
    };
    if lacking.is_empty() {
        return Some(run);
    }
    let message = "its inputs are not there and cannot be made".to_owned();
    if lacking == run.set {
        super::attempt::end_run(out, &run, false, message);
        return None;
    }
    super::attempt::give_up(out, &run, &lacking, message);
    out.state.runs.get(&run.id).cloned()
}

/// The instant for which a run's next attempt reads key spaces. Partitions of a batch for which wants look
/// at different instants stay with the one they were planned for together.
fn retry_as_of(state: &State, job: JobIx, run: &Run) -> Timestamp {
    let mut instants = run.set.iter().map(|key| state.as_of_for(job, &key).max(run.as_of));
    let first = instants.next().unwrap_or(run.as_of);
    if instants.all(|as_of| as_of == first) {
        first
    } else {
        run.as_of
    }
}

/// Gives up wants whose time is over.
pub(super) fn expire_wants(out: &mut Out) {
    let expired: Vec<WantId> = out
        .state
        .wants
        .values()
        .filter(|want| want.expires_at.is_some_and(|at| at <= out.now))
        .map(|want| want.id)
        .collect();
    for id in expired {
        super::want::end(out, id, WantOutcome::Expired);
    }
}

/// Ends wants that wait for nothing any more.
pub(super) fn end_wants(out: &mut Out) {
    let done: Vec<_> = out.state.wants.values().filter(|want| want.is_done()).cloned().collect();
    for want in done {
        if super::again::goes_on(out, &want) {
            continue;
        }
        let outcome = if want.failed == 0 { WantOutcome::Satisfied } else { WantOutcome::Failed };
        out.event(Event::WantEnded(WantEnded { want: want.id, outcome, causes: want.causes.clone() }));
        super::suspend::want_over(out, &want, outcome);
    }
}

/// When the next want's time is over.
pub(super) fn next_expiry(state: &State) -> Option<Timestamp> {
    state.wants.values().filter_map(|want| want.expires_at).min()
}

/// Those of `set` that read something which is not there, or lies where an earlier graph had it.
pub(super) fn lacking_inputs(state: &State, job: JobIx, set: &PartitionSet) -> PartitionSet {
    let graph = state.graph();
    let lacks = |at: usize, set: &PartitionSet| {
        let input = graph.job(job).inputs[at].dataset;
        let needed = graph.inputs_of(state.extents(), job, at, set);
        !needed.is_subset(&state.dataset(input).present) || needed.intersects(&state.misplaced(input))
    };
    let mut lacking = PartitionSet::empty(set.shape());
    for at in 0..graph.job(job).inputs.len() {
        if !set.is_empty() && lacks(at, set) {
            for key in set.iter().filter(|key| lacks(at, &PartitionSet::single(set.shape(), key))) {
                lacking.insert(&key);
            }
        }
    }
    lacking
}

/// Whether a run has to wait for its inputs to be made anew.
pub(super) fn inputs_pending(state: &State, run: &Run) -> bool {
    state.current_job(run).is_some_and(|job| !state.waiting(job, &run.set).is_empty())
}
