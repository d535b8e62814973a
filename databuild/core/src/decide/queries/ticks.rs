//! Ticks of schedules: which are next, and which nobody has accounted for.

use crate::decide::messages::input::WantRequest;
use crate::event::{Event, Refresh, Skip, TicksSkipped};
use crate::graph::Schedule;
use crate::state::State;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Ticks whose files are being looked at, by schedule.
pub(crate) type Firing = BTreeMap<Arc<str>, Timestamp>;

/// What is wanted at a tick.
pub(crate) fn request(schedule: &Schedule, as_of: Option<Timestamp>) -> WantRequest {
    WantRequest {
        targets: schedule.targets.clone(),
        class: schedule.class,
        refresh: Refresh::Stale,
        as_of,
        ttl_seconds: None,
        sla_seconds: None,
        comment: String::new(),
        graph: None,
        key: None,
    }
}

/// When the next tick comes due.
pub(crate) fn next_due(state: &State, firing: &Firing) -> Option<Timestamp> {
    state.schedules().due().find(|(_, name)| !firing.contains_key(*name)).map(|(at, _)| at)
}

/// The schedule with its next tick; none if it is paused, over, or not in the graph.
pub(crate) fn next<'s>(state: &'s State, name: &str) -> Option<(&'s Schedule, Timestamp)> {
    let schedule = state.followed()?.graph.schedule(name)?;
    let known = state.schedules().get(name).filter(|known| known.paused_at.is_none())?;
    Some((schedule, known.next(schedule)?))
}

/// First and last tick that are not accounted for up to an instant, and how many they are; none if there is none.
pub(crate) fn unaccounted(
    state: &State,
    schedule: &Schedule,
    until: Timestamp,
) -> Option<(Timestamp, Timestamp, u64)> {
    let known = state.schedules().get(&schedule.name)?;
    let first = known.next(schedule).filter(|first| *first <= until)?;
    let last = schedule.timing.last(until, known.through)?;
    Some((first, last, schedule.timing.count(known.through, until)))
}

pub(crate) fn skipped(
    schedule: &str,
    (first, last, count): (Timestamp, Timestamp, u64),
    reason: Skip,
    message: Option<String>,
) -> Event {
    let (schedule, message) = (schedule.to_owned(), message.unwrap_or_default());
    Event::TicksSkipped(TicksSkipped { schedule, first, last, count, reason, message })
}
