//! Schedules that somebody pauses, resumes, or has fire beside their ticks.

use super::want;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::sightings::Sightings;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::decide::queries::ticks::{request, skipped, unaccounted};
use crate::event::{Event, RequestKey, ScheduleFired, SchedulePaused, ScheduleResumed, Skip};
use crate::graph::Schedule;
use crate::state::State;

/// No tick of it is fired until it is resumed, whatever starts or is registered meanwhile.
pub(crate) fn pause(out: &mut Out, name: &str) -> Result<Reply, Refusal> {
    declared(out.state, name)?;
    if !is_paused(out.state, name) {
        out.event(Event::SchedulePaused(SchedulePaused { schedule: name.to_owned() }));
    }
    Ok(Reply::Done)
}

/// A paused schedule goes on with its next tick. Those of the pause are skipped.
pub(crate) fn resume(out: &mut Out, name: &str) -> Result<Reply, Refusal> {
    let schedule = declared(out.state, name)?;
    if is_paused(out.state, name) {
        if let Some(range) = unaccounted(out.state, &schedule, out.now) {
            out.event(skipped(name, range, Skip::Paused, None));
        }
        out.event(Event::ScheduleResumed(ScheduleResumed { schedule: name.to_owned() }));
    }
    Ok(Reply::Done)
}

/// What a schedule wants is wanted now. Its ticks stay as they are.
pub(crate) fn run_now(
    out: &mut Out,
    name: &str,
    key: Option<RequestKey>,
    sightings: &Sightings,
) -> Result<Reply, Refusal> {
    let schedule = declared(out.state, name)?;
    let mut wanted = request(&schedule, None);
    wanted.key = key;
    let reply = want::create(out, wanted, sightings)?;
    if let Reply::Want(want) = reply {
        out.event(Event::ScheduleFired(ScheduleFired { schedule: name.to_owned(), tick: None, want }));
    }
    Ok(reply)
}

fn is_paused(state: &State, name: &str) -> bool {
    state.schedules().get(name).is_some_and(|known| known.paused_at.is_some())
}

fn declared(state: &State, name: &str) -> Result<Schedule, Refusal> {
    let registered = state.followed().ok_or(Refusal::NoGraph)?;
    let unknown = || {
        let known = registered.graph.schedules().map(|schedule| schedule.name.to_string()).collect();
        Refusal::UnknownSchedule { name: name.to_owned(), known }
    };
    registered.graph.schedule(name).cloned().ok_or_else(unknown)
}
