//! Schedules fire: each tick that came due makes a want, or is skipped for a reason that an event tells.
//!
//! Before a want is made, the rim looks at the files that it is about, as for a want of a person. So a tick takes two steps:
//! here it is found due and [`Effect::Fire`] asks for the look, and [`fired`] makes the want of what was seen. In between it is
//! remembered in [`Firing`]; if that is lost with the process, the next one asks again, since no event has the tick.

use crate::decide::acts::want;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::sightings::Sightings;
use crate::decide::messages::step::{Effect, Reply};
use crate::decide::out::Out;
use crate::decide::queries::ticks::{next, request, skipped, unaccounted, Firing};
use crate::event::{Cause, Event, Origin, ScheduleFired, Skip};
use crate::graph::{Missed, Schedule};
use crate::state::State;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// A tick that is fired so much later than it was due was not missed: the server was busy.
const ON_TIME: SignedDuration = SignedDuration::from_mins(1);
/// Missed ticks of one schedule that are made up for, at most.
const MOST_MADE_UP: u64 = 1_000;
/// Schedules that are looked at in one step; others follow in the next.
const MOST_AT_ONCE: usize = 100;

/// Accounts for ticks that are due: skips those that are not made up for, and asks for what the others need.
pub(crate) fn fire_due(out: &mut Out, firing: &mut Firing) {
    // A schedule that went or was paused fires nothing; whatever was seen for it comes too late.
    firing.retain(|name, _| next(out.state, name).is_some());
    let due = |out: &Out, firing: &Firing| -> Vec<Arc<str>> {
        let all = out.state.schedules().due().take_while(|(at, _)| *at <= out.now);
        all.map(|(_, name)| name)
            .filter(|name| !firing.contains_key(*name))
            .take(MOST_AT_ONCE)
            .cloned()
            .collect()
    };
    for name in due(out, firing) {
        skip_missed(out, &name);
        let Some((schedule, tick)) = next(out.state, &name) else { continue };
        if schedule.due(tick) <= out.now {
            out.effects.push(Effect::Fire {
                schedule: Arc::clone(&name),
                tick,
                request: request(schedule, Some(tick)),
            });
            firing.insert(name, tick);
        }
    }
}

/// The files that a tick is about were looked at: its want is made.
pub(crate) fn fired(
    out: &mut Out,
    firing: &mut Firing,
    (name, tick): (&Arc<str>, Timestamp),
    sightings: &Sightings,
) -> Result<Reply, Refusal> {
    if firing.get(name) == Some(&tick) {
        firing.remove(name);
    }
    let Some((schedule, next)) = next(out.state, name) else { return Ok(Reply::Done) };
    let is_of = sightings.are_of(out.state.followed().map(|registered| &registered.id));
    if next != tick || !is_of {
        // It was paused or edited meanwhile; if it is still due, it is looked at again.
        return Ok(Reply::Done);
    }
    let request = request(schedule, Some(tick));
    let origin = Origin::because(Cause::Schedule(Arc::clone(name)));
    let origin = std::mem::replace(&mut out.origin, origin);
    let event = match want::create(out, request, sightings) {
        Ok(Reply::Want(want)) => {
            Event::ScheduleFired(ScheduleFired { schedule: name.to_string(), tick: Some(tick), want })
        }
        other => {
            skipped(name, (tick, tick, 1), Skip::Refused, other.err().map(|refusal| refusal.to_string()))
        }
    };
    out.event(event);
    out.origin = origin;
    Ok(Reply::Done)
}

/// Skips ticks that were missed and are not made up for, in one event for each reason.
fn skip_missed(out: &mut Out, name: &str) {
    let Some((schedule, first)) = next(out.state, name) else { return };
    let (schedule, now) = (schedule.clone(), out.now);
    let length = |length: Duration| SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    let latest = ago(now, length(schedule.jitter));
    let on_time = ago(latest, ON_TIME);
    let oldest = on_time.min(ago(now, length(schedule.missed_within)));
    if first <= oldest {
        skip_through(out, &schedule, oldest, Skip::TooOld);
    }
    match schedule.missed {
        Missed::None => skip_through(out, &schedule, on_time, Skip::Missed),
        Missed::Last => {
            let Some(through) = through(out.state, name) else { return };
            // The last tick that can be fired by now stays, however late it is.
            if let Some(last) = schedule.timing.last(latest, through) {
                let before = last.saturating_sub(SignedDuration::from_nanos(1)).unwrap_or(Timestamp::MIN);
                skip_through(out, &schedule, before.min(on_time), Skip::Missed);
            }
        }
        Missed::All => {
            let Some(through) = through(out.state, name) else { return };
            let waiting = schedule.timing.count(through, on_time);
            if waiting > MOST_MADE_UP {
                let kept = nth_last(&schedule, through, on_time, MOST_MADE_UP);
                skip_through(out, &schedule, kept, Skip::TooMany);
            }
        }
    }
}

fn through(state: &State, name: &str) -> Option<Timestamp> {
    state.schedules().get(name).map(|known| known.through)
}

fn ago(now: Timestamp, length: SignedDuration) -> Timestamp {
    now.saturating_sub(length).unwrap_or(Timestamp::MIN)
}

/// The latest instant after which, up to `until`, there are still `count` ticks.
fn nth_last(schedule: &Schedule, after: Timestamp, until: Timestamp, count: u64) -> Timestamp {
    let (mut low, mut high) = (after.as_second(), until.as_second());
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        let from = Timestamp::from_second(middle).unwrap_or(until);
        match schedule.timing.count(from, until) >= count {
            true => low = middle,
            false => high = middle,
        }
    }
    Timestamp::from_second(low).unwrap_or(after).max(after)
}

/// Skips ticks that are not accounted for, up to an instant.
fn skip_through(out: &mut Out, schedule: &Schedule, until: Timestamp, reason: Skip) {
    let Some(range) = unaccounted(out.state, schedule, until) else { return };
    out.event_because(None, skipped(&schedule.name, range, reason, None));
}
