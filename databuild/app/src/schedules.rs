//! Schedules: where they stand, and what people do with them.

use super::context::{Backend, Context};
use super::words::part;
use super::{wants, AppError};
use crate::api::{
    FiredTick, ListQuery, ScheduleDetail, ScheduleList, ScheduleQuery, ScheduleRow, SkippedTicks, WantDetail,
};
use crate::engine::Created;
use databuild_core::decide::{Input, Refusal};
use databuild_core::event::RequestKey;
use databuild_core::graph::Schedule;
use databuild_core::state::{ScheduleState, State};
use databuild_core::word::Word as _;
use jiff::Timestamp;

/// Next ticks that are told, if nobody says how many.
const TICKS: usize = 10;
/// As many at most.
const MOST_TICKS: usize = 1000;

/// Schedules of the graph, by name.
///
/// # Errors
/// A bad query.
pub fn list(context: &impl Context, query: &ListQuery) -> Result<ScheduleList, AppError> {
    let Backend { engine, audience, .. } = context.backend();
    let state = &engine.snapshot().state;
    let schedules = state.followed().into_iter().flat_map(|registered| registered.graph.schedules());
    let seen = schedules.filter(|schedule| audience.sees_texts(state, &schedule.targets));
    let rows = seen.filter_map(|schedule| Some(row(schedule, state.schedules().get(&schedule.name)?)));
    part(rows, query.limit, query.cursor.as_deref(), state.seq().0)
}

/// A schedule with its next ticks.
///
/// # Errors
/// None has the name.
pub fn get(context: &impl Context, name: &str, query: &ScheduleQuery) -> Result<ScheduleDetail, AppError> {
    let count = query.ticks.unwrap_or(TICKS).min(MOST_TICKS);
    let Backend { engine, audience, .. } = context.backend();
    let state = &engine.snapshot().state;
    let seen = known(state, name).filter(|(schedule, _)| audience.sees_texts(state, &schedule.targets));
    let (schedule, known) = seen.ok_or_else(|| unknown(context, state, name))?;
    let first = known.next(schedule);
    let left = schedule.times.map_or(u64::MAX, |times| times.saturating_sub(known.fired));
    let count = count.min(usize::try_from(left).unwrap_or(usize::MAX));
    let ticks = std::iter::successors(first, |tick| schedule.timing.next(*tick));
    let ticks = ticks.take(count).map(|tick| tick.to_string()).collect();
    Ok(ScheduleDetail { row: row(schedule, known), ticks, seq: state.seq().0 })
}

/// Says of a schedule that is not seen that it is not there.
///
/// # Errors
/// As if it were not there.
pub(super) fn check(context: &impl Context, name: &str) -> Result<(), AppError> {
    get(context, name, &ScheduleQuery { ticks: Some(0) }).map(drop)
}

/// Has no tick of it fired until it is resumed.
///
/// # Errors
/// None has the name.
pub async fn pause(context: &impl Context, name: String) -> Result<ScheduleDetail, AppError> {
    change(context, name, Input::PauseSchedule).await
}

/// Has a paused schedule go on with its next tick.
///
/// # Errors
/// None has the name.
pub async fn resume(context: &impl Context, name: String) -> Result<ScheduleDetail, AppError> {
    change(context, name, Input::ResumeSchedule).await
}

async fn change(
    context: &impl Context,
    name: String,
    input: fn(String) -> Input,
) -> Result<ScheduleDetail, AppError> {
    check(context, &name)?;
    context.backend().engine.submit(input(name.clone())).await?;
    get(context, &name, &ScheduleQuery::default())
}

/// Wants now what a schedule wants at its ticks.
///
/// # Errors
/// None has the name; or as for any want.
pub async fn run(
    context: &impl Context,
    name: String,
    key: Option<RequestKey>,
) -> Result<Created<WantDetail>, AppError> {
    check(context, &name)?;
    let made = context.backend().engine.run_schedule(name, key).await?;
    wants::created(context, made).await
}

fn known<'s>(state: &'s State, name: &str) -> Option<(&'s Schedule, &'s ScheduleState)> {
    let schedule = state.followed()?.graph.schedule(name)?;
    Some((schedule, state.schedules().get(name)?))
}

/// Names only schedules that whoever asks may see.
fn unknown(context: &impl Context, state: &State, name: &str) -> AppError {
    let audience = &context.backend().audience;
    let schedules = state.followed().into_iter().flat_map(|registered| registered.graph.schedules());
    let seen = schedules.filter(|schedule| audience.sees_texts(state, &schedule.targets));
    let known = seen.map(|schedule| schedule.name.to_string()).collect();
    Refusal::UnknownSchedule { name: name.to_owned(), known }.into()
}

fn row(schedule: &Schedule, known: &ScheduleState) -> ScheduleRow {
    let next = known.next(schedule).filter(|_| known.paused_at.is_none());
    let state = match (known.paused_at, next) {
        (Some(_), _) => "paused",
        (None, Some(_)) => "on",
        (None, None) => "ended",
    };
    let text = |at: Timestamp| at.to_string();
    ScheduleRow {
        name: schedule.name.to_string(),
        label: schedule.label.clone(),
        when: schedule.when.clone(),
        time_zone: schedule.zone.name().to_owned(),
        targets: schedule.targets.clone(),
        want_class: schedule.class.word().to_owned(),
        missed: schedule.missed.word().to_owned(),
        missed_within_seconds: schedule.missed_within.as_secs(),
        jitter_seconds: schedule.jitter.as_secs(),
        times: schedule.times,
        state: state.to_owned(),
        paused_at: known.paused_at.map(text),
        next_tick: next.map(text),
        next_due: next.map(|tick| text(schedule.due(tick))),
        fired: known.fired,
        last_fired: known
            .last_fired
            .map(|(tick, want)| FiredTick { tick: tick.map(text), want: want.to_string() }),
        last_skipped: known.last_skipped(&schedule.name).map(|skipped| SkippedTicks {
            first: text(skipped.first),
            last: text(skipped.last),
            count: skipped.count,
            reason: skipped.reason.word().to_owned(),
            meaning: skipped.reason.meaning().to_owned(),
            message: skipped.message,
        }),
    }
}
