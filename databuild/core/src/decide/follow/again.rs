//! A want is satisfied when nothing is left to do for what it asks for. So what waits for nothing any more is planned
//! once more, whole: its own runs and those of others may have found keys and inputs meanwhile, another graph may
//! have been registered, files may have gone.
//!
//! Invariant: what somebody builds and asks for again at once has nothing left to do.

use crate::decide::changes::begin::supersede;
use crate::decide::changes::sight;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::sightings::Sightings;
use crate::decide::messages::step::{Effect, Reply};
use crate::decide::out::Out;
use crate::decide::queries::targets::{blocked_of, targets_now, work_texts, Work};
use crate::event::{Blocked, Event, SetText, WantReplanned};
use crate::graph::{DatasetIx, JobIx};
use crate::ids::{Seq, WantId};
use crate::partition_set::PartitionSet;
use crate::planner;
use crate::planner::{Plan, Unseen};
use crate::state::{State, Want};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How often a want is planned again without anything coming from outside. Each time it has built something that
/// changed what it had built before, which comes to an end unless found inputs go round in a circle.
const MOST_ROUNDS: u32 = 20;

/// What there is to do for all that a want asks for.
struct Again {
    /// All that it has to wait for.
    work: SetText,
    /// The part of it that has to be made after what is under way.
    successors: SetText,
    /// What cannot be made.
    blocked: Vec<Blocked>,
    /// External data that is lacking for that.
    absent: Vec<(DatasetIx, PartitionSet)>,
}

/// Adds to a want that waits for nothing whatever there is to do by now. False if that is nothing.
pub(crate) fn goes_on(out: &mut Out, want: &Want) -> bool {
    if is_settled(want) || want.planned == out.state.seq() {
        return false;
    }
    if out.looking.contains(&want.id) {
        return true;
    }
    let mut again = plan(out.state, want, &[]);
    if again.work.is_empty() && again.blocked.is_empty() {
        return false;
    }
    if look_first(out, want, &again) {
        return true;
    }
    if want.rounds >= MOST_ROUNDS && !again.work.is_empty() {
        let reason = format!(
            "`{}` was built {MOST_ROUNDS} times and is not current: what is built for it changes what it was made from",
            again.work[0]
        );
        again.blocked.push(Blocked { partitions: std::mem::take(&mut again.work), reason });
        again.successors.clear();
    }
    replan(out, want, again);
    true
}

/// Adds to open wants what there is to do for keys that have come: it can be begun beside what is under way.
pub(crate) fn follow_keys(out: &mut Out) {
    let asked = |want: &&Arc<Want>| want.planned == Seq(0) && !is_settled(want) && !want.is_done();
    for want in out.state.wants().values().filter(asked).cloned().collect::<Vec<_>>() {
        if out.looking.contains(&want.id) {
            continue;
        }
        let again = plan(out.state, &want, &[]);
        if !look_first(out, &want, &again) {
            replan(out, &want, again);
        }
    }
}

/// External data that a want came to need was looked at: what is not there now is not there.
pub(crate) fn looked(out: &mut Out, id: WantId, sightings: &Sightings) -> Result<Reply, Refusal> {
    out.looking.remove(&id);
    if !sightings.are_of(out.state.followed().map(|registered| &registered.id)) {
        // Another graph was registered meanwhile, under which the want is planned once more in any case.
        return Ok(Reply::Done);
    }
    sight::sight(out, sightings);
    let open = out.state.wants().get(&id).filter(|want| !is_settled(want)).cloned();
    if let Some(want) = open {
        let again = plan(out.state, &want, &sightings.unseen);
        if !again.work.is_empty() || !again.blocked.is_empty() {
            replan(out, &want, again);
        }
    }
    Ok(Reply::Done)
}

/// Whether a want is left as it is: it has failed in part, so that it is asked for again in any case; it carries out
/// a plan and does what that shows; or it makes something with values by hand, which is meant to differ.
fn is_settled(want: &Want) -> bool {
    want.counts.not_done() > 0 || want.plan.is_some() || want.invoked.is_some()
}

/// Whether external data has to be looked at before it can be said that it is not there.
fn look_first(out: &mut Out, want: &Want, again: &Again) -> bool {
    if again.blocked.is_empty() || again.absent.is_empty() {
        return false;
    }
    out.looking.insert(want.id);
    out.effects.push(Effect::Look { want: want.id, sets: again.absent.clone() });
    true
}

fn replan(out: &mut Out, want: &Want, again: Again) {
    let Again { work, successors, blocked, absent: _ } = again;
    out.event(Event::WantReplanned(WantReplanned { want: want.id, work, successors, blocked, whole: true }));
    supersede(out);
}

fn plan(state: &mut State, want: &Want, unseen: &[Unseen]) -> Again {
    let targets = targets_now(state, want);
    let plan = left_to_do(state, want, &targets, unseen);
    let blocked = blocked_of(state, &plan, &targets);
    let Work { all, successors, .. } = work_texts(state, &plan);
    if want.is_done() {
        return Again { work: all, successors, blocked, absent: plan.absent };
    }
    let mut work = want.remaining.clone();
    for (job, set, _) in &plan.blocked {
        let lost = set.subtract(&state.work(*job).live);
        work.entry(*job).and_modify(|held| held.subtract_with(&lost));
    }
    for entry in &plan.jobs {
        let more = entry.work();
        work.entry(entry.job).and_modify(|held| held.union_with(&more)).or_insert(more);
    }
    let work = work.iter().flat_map(|(job, set)| state.work_text(*job, set)).collect();
    Again { work, successors, blocked, absent: plan.absent }
}

/// What a want has left to do by the time it ends: what it waits for, and what it would be found to lack when it is planned once more.
pub(crate) fn all_left(state: &mut State, want: &Want) -> BTreeMap<JobIx, PartitionSet> {
    let mut work = want.remaining.clone();
    if !is_settled(want) {
        let targets = targets_now(state, want);
        for entry in &left_to_do(state, want, &targets, &[]).jobs {
            let more = entry.work();
            work.entry(entry.job).and_modify(|held| held.union_with(&more)).or_insert(more);
        }
    }
    work.retain(|_, set| !set.is_empty());
    work
}

/// What a build of `targets` would do now. What another want has built for a later instant is not taken back.
fn left_to_do(
    state: &mut State,
    want: &Want,
    targets: &[(DatasetIx, PartitionSet)],
    unseen: &[Unseen],
) -> Plan {
    let planned = |state: &mut State| planner::plan_rest(state, targets, want.refresh, &[], unseen);
    let mut plan = state.at(want.as_of, planned);
    let graph = state.graph();
    let depends_on_time = || graph.jobs().any(|(_, job)| job.inputs.iter().any(|input| input.time_dependent));
    if plan.jobs.is_empty() || want.as_of == state.as_of() || !depends_on_time() {
        return plan;
    }
    let latest = planned(state);
    let mut any = false;
    for entry in &mut plan.jobs {
        let later = latest.jobs.iter().find(|later| later.job == entry.job);
        let keep = later.map_or_else(|| PartitionSet::empty(entry.certain.shape()), planner::JobPlan::work);
        for set in [&mut entry.certain, &mut entry.joined] {
            *set = set.intersect(&keep);
            any |= !set.is_empty();
        }
    }
    if !any {
        plan.jobs.clear();
    }
    plan
}
