//! What follows by itself: leases for ready work, cut-offs, retries that are due, wants that are over.

use crate::decide::changes::replan::replan_all;
use crate::decide::follow::start::start;
use crate::decide::follow::trials;
use crate::decide::follow::wants::end_wants;
use crate::decide::lives::suspend::anything_moves;
use crate::decide::out::Out;
use crate::decide::queries::limits::{Capacity, Gate};
use crate::decide::queries::needed::{awaiting_found, by_instant, lacking_inputs, to_build, Held};
use crate::decide::queries::ready::{next_ready, Ready};
use crate::event::{AttemptLeased, Cause, Event, WorkCutOff};
use crate::graph::JobIx;
use crate::ids::{AttemptId, RunId};
use crate::partition_set::PartitionSet;
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Leases ready work until nothing that is ready may begin; work that turned out to be current is cut off on
/// the way. Tells when time alone lets something begin.
pub(crate) fn dispatch(out: &mut Out, capacity: Capacity) -> Option<Timestamp> {
    let mut replanned = BTreeSet::new();
    // What was made from something that a run found and that is being made anew: mostly it is current afterwards.
    let mut held = Held::new();
    let mut waits = true;
    loop {
        out.state.followed()?;
        let mut gate = Gate::new(out.state, capacity, out.now);
        if gate.is_full() {
            return None;
        }
        gate.due_retries();
        let (job, runs) = match next_ready(out.state, &mut gate, &held) {
            // What waits for each other would wait for ever.
            None if !held.is_empty() && !anything_moves(out.state) => {
                held.clear();
                waits = false;
                continue;
            }
            None => return gate.wake(),
            Some(Ready::Arm(arm)) => {
                trials::lease(out, arm);
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
            replan_all(out, &[(job, lacking)]);
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
    let attempt = AttemptId { run: RunId(out.state.last_run().0 + 1), number: 1 };
    let as_of = out.state.as_of_for(job, &first);
    let event = AttemptLeased {
        attempt,
        job: registered.graph.job(job).label.clone(),
        partition: registered.graph.home(job).batch_text(set, out.state.symbols()),
        graph: registered.id.clone(),
        as_of,
        inputs: set.iter().map(|key| out.state.inputs_digest_at(job, &key, as_of)).collect(),
        params: out.state.params_for(job, &first),
        trial: None,
    };
    let want = out.state.holders_of(job, set).map(|want| want.id).min();
    out.event_because(want.map(Cause::Want), Event::AttemptLeased(event));
    start(out, attempt.run);
}
