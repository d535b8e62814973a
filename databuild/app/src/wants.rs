//! Wants: asked for, looked at, followed, changed and given up.

use super::context::{Backend, Context};
use super::how_far::{begun, progress_at_end, progress_of};
use super::partitions::shortened;
use super::progress::Lines;
use super::scope::{by_job, Scope};
use super::words::{canceled, class, cursor, cut, instant, limit, order, page, refresh, said, word};
use super::{history, waits, AppError};
use crate::api::{
    Canceled, CreateWant, CreateWants, InvokeJob, ListOrder, Page, PrioritizeWant, ProgressAnswer,
    ProgressQuery, WantDetail, WantRow, WantsQuery, WhyWork,
};
use crate::engine::Created;
use crate::store::{self, History, StoreError, WantFilter, WantState};
use databuild_core::decide::{Input, InvokeRequest, WantRequest};
use databuild_core::event::RequestKey;
use databuild_core::ids::{GraphId, RunId, Seq, WantId};
use databuild_core::state::State;
use databuild_core::word::Word as _;
use jiff::Timestamp;
use std::time::Duration;

/// Wants of one request, at most.
const MOST_AT_ONCE: usize = 100;
/// Lines of one progress answer, at most.
const MOST_LINES: usize = 500;
/// After something happened, more of it is waited for this long, so that a busy want is told of in a few answers a
/// second and not in one for each event.
const PACE: Duration = Duration::from_millis(50);
/// Longest wait of a progress request.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// The id of a want as people write it.
pub fn parse(id: &str) -> Result<WantId, AppError> {
    id.parse().map_err(|_| AppError::not_found("want_not_found", "want", id))
}

/// What a body asks for.
fn request(body: CreateWant, key: Option<RequestKey>) -> Result<WantRequest, AppError> {
    Ok(WantRequest {
        targets: body.targets,
        class: class(body.class.as_deref())?,
        refresh: refresh(body.refresh.as_deref())?,
        as_of: instant(body.as_of.as_deref())?,
        ttl_seconds: body.ttl_seconds,
        sla_seconds: body.sla_seconds,
        comment: said("comment", body.comment)?,
        graph: body.graph.map(GraphId),
        key,
    })
}

/// Asks for partitions.
///
/// # Errors
/// A bad word, a reference that cannot be resolved, no graph, a full disk.
pub async fn create(
    context: &impl Context,
    body: CreateWant,
    key: Option<RequestKey>,
) -> Result<Created<WantDetail>, AppError> {
    let request = request(body, key)?;
    let made = context.backend().engine.want(request).await?;
    created(context, made).await
}

/// Asks for several things at once: of each, the want or why there is none. The key of the request names each of them, with its
/// place.
///
/// # Errors
/// There are none, or too many; or one has a word or a time that cannot be.
pub async fn create_all(
    context: &impl Context,
    body: CreateWants,
    key: Option<RequestKey>,
) -> Result<Vec<Result<WantDetail, AppError>>, AppError> {
    let asked = body.wants.len();
    if !(1..=MOST_AT_ONCE).contains(&asked) {
        let message = format!("the batch has {asked} wants: send 1 to {MOST_AT_ONCE}");
        return Err(AppError::new("invalid_body", message));
    }
    let named = |place: usize| {
        key.as_ref().map(|RequestKey { key, digest }| RequestKey {
            key: format!("{key}#{place}"),
            digest: digest.clone(),
        })
    };
    let wants = body.wants.into_iter().enumerate().map(|(place, want)| request(want, named(place)));
    // What no want can say refuses all of them.
    let wants = wants.collect::<Result<Vec<_>, _>>()?;
    let mut made = Vec::with_capacity(asked);
    for want in wants {
        let done = match context.backend().engine.want(want).await {
            Ok(Created { made, .. }) => get(context, made).await,
            Err(error) => Err(error.into()),
        };
        made.push(done);
    }
    Ok(made)
}

/// Has a job make partitions whatever their state, with values for its parameters.
///
/// # Errors
/// As [`create`]; no such job or parameter, or a value that cannot be.
pub async fn invoke(
    context: &impl Context,
    body: InvokeJob,
    key: Option<RequestKey>,
) -> Result<Created<WantDetail>, AppError> {
    let (job, params, want) = body.into_want();
    let request = InvokeRequest { job, params, want: request(want, key)? };
    let made = context.backend().engine.invoke(request).await?;
    created(context, made).await
}

/// The want that a request made.
pub(super) async fn created(
    context: &impl Context,
    Created { made, repeated }: Created<WantId>,
) -> Result<Created<WantDetail>, AppError> {
    Ok(Created { made: get(context, made).await?, repeated })
}

/// Wants, newest first.
///
/// # Errors
/// A bad query.
pub async fn list(context: &impl Context, query: WantsQuery) -> Result<Page<WantRow>, AppError> {
    let state: Option<WantState> = word("bad_state", query.state.as_deref())?;
    let before = cursor(query.cursor.as_deref())?;
    let limit = limit(query.limit)?;
    let oldest_first = order(query.sort.as_deref())? == Some(ListOrder::Oldest);
    let filter = WantFilter { state, source: query.source, before, oldest_first, limit };
    let found = context.slow(move |backend, reader| {
        let state = &backend.engine.snapshot().state;
        Ok(reader.wants_that(&filter, &|want| backend.audience.sees_texts(state, &want.targets))?)
    });
    Ok(page(found.await?, |want| want.id.0, row_in_list, WantId))
}

/// One want.
///
/// # Errors
/// No such want.
pub async fn get(context: &impl Context, id: WantId) -> Result<WantDetail, AppError> {
    context.quick(move |backend, reader| detail(backend, reader, id)).await
}

/// Gives a want up. That it is over is no error.
///
/// # Errors
/// No such want.
pub async fn cancel(context: &impl Context, id: WantId) -> Result<Canceled<WantDetail>, AppError> {
    let done = context.backend().engine.submit(Input::CancelWant(id)).await;
    let answer = context.quick(move |backend, reader| {
        let found = || Ok(history::want(reader, id)?.value.state == WantState::Canceled);
        let outcome = canceled(done.map(|_| ()), found)?;
        Ok(Canceled { outcome, of: detail(backend, reader, id)? })
    });
    answer.await
}

/// Begins nothing more for a want.
///
/// # Errors
/// No such want, or it has ended.
pub async fn pause(context: &impl Context, id: WantId) -> Result<WantDetail, AppError> {
    act(context, id, Input::PauseWant(id)).await
}

/// Goes on with a paused want.
///
/// # Errors
/// As [`pause`].
pub async fn resume(context: &impl Context, id: WantId) -> Result<WantDetail, AppError> {
    act(context, id, Input::ResumeWant(id)).await
}

/// Puts a want before or after others.
///
/// # Errors
/// As [`pause`]; or no such class.
pub async fn prioritize(
    context: &impl Context,
    id: WantId,
    body: &PrioritizeWant,
) -> Result<WantDetail, AppError> {
    let class = class(Some(&body.class))?;
    act(context, id, Input::PrioritizeWant(id, class)).await
}

/// Does something with a want that has not ended.
async fn act(context: &impl Context, id: WantId, input: Input) -> Result<WantDetail, AppError> {
    let done = context.backend().engine.submit_once(input, |_, _| None).await;
    let answer = context.quick(move |backend, reader| match done {
        Ok(_) => detail(backend, reader, id),
        Err(error) => {
            let state = || Ok(history::want(reader, id)?.value.state.word());
            Err(AppError::of_command(error, ("want_ended", "want"), id, state))
        }
    });
    answer.await
}

/// What a want waits for.
///
/// # Errors
/// No such want.
pub async fn why(context: &impl Context, id: WantId) -> Result<WhyWork, AppError> {
    context
        .quick(move |backend, reader| waits::want(&backend.engine.snapshot(), reader, &backend.audience, id))
        .await
}

/// How far a want is, as soon as something has happened after an event, or after a wait.
///
/// # Errors
/// No such want.
pub async fn progress(
    context: &impl Context,
    id: WantId,
    query: &ProgressQuery,
) -> Result<ProgressAnswer, AppError> {
    let engine = &context.backend().engine;
    let after = query.after.unwrap_or(0);
    let wait = Duration::from_millis(query.wait_ms.unwrap_or(0)).min(LONGEST_WAIT);
    let mut seq = engine.watch();
    let over = || !engine.snapshot().state.wants().contains_key(&id);
    // A want that is over has nothing to wait for.
    if !over() {
        let changed = seq.wait_for(|seq| *seq > after);
        if matches!(tokio::time::timeout(wait, changed).await, Ok(Ok(_))) {
            let ended = seq.wait_for(|_| over());
            let _ = tokio::time::timeout(PACE.min(wait), ended).await;
        }
    }
    context.quick(move |backend, reader| progress_since(backend, reader, id, Seq(after))).await
}

/// How far a want is, with lines of the events after `after`.
fn progress_since(
    backend: &Backend,
    reader: &dyn History,
    id: WantId,
    after: Seq,
) -> Result<ProgressAnswer, AppError> {
    let want = detail(backend, reader, id)?;
    let until = Seq(want.seq);
    let live = backend.engine.snapshot();
    let row = history::want(reader, id)?.value;
    let scope = Scope::new(&live, &row, &backend.watched.work(reader, id)?);
    let (after, found) = match reader.events(Some(after), MOST_LINES) {
        Ok(found) => (after, found.value.records),
        // Somebody who was away for long goes on where history begins now.
        Err(StoreError::Archived { until, .. }) => {
            (until, reader.events(Some(until), MOST_LINES)?.value.records)
        }
        Err(error) => return Err(error.into()),
    };
    let mut making = Lines::new(&live, reader, &scope);
    let mut lines = Vec::new();
    let mut last = after;
    for (seq, record) in &found {
        if *seq > until {
            break;
        }
        last = *seq;
        lines.extend(making.of(*seq, record)?);
    }
    let stalled = waits::unrecorded(&live);
    Ok(ProgressAnswer { want, lines, seq: last.0, truncated: last < until, stalled })
}

/// A want in a list, which names the first of many references.
pub(super) fn row_in_list(want: store::WantRow) -> WantRow {
    let row = row(want);
    WantRow { targets: shortened(row.targets).into_iter().map(cut).collect(), ..row }
}

fn row(want: store::WantRow) -> WantRow {
    WantRow {
        id: want.id.to_string(),
        state: want.state.word().to_owned(),
        targets: want.targets,
        class: want.class.word().to_owned(),
        paused: want.paused && want.ended_at.is_none(),
        refresh: want.refresh.word().to_owned(),
        comment: cut(want.comment),
        source: want.source,
        by: want.by,
        created_at: want.created_at.to_string(),
        ended_at: want.ended_at.map(|at| at.to_string()),
        due_at: want.due_at.map(|at| at.to_string()),
        late: want.due_at.is_some_and(|due| due < want.ended_at.unwrap_or_else(crate::os::now)),
    }
}

/// How many of a want's partitions edge rules of the graph of today leave out.
fn left_out(state: &State, want: &store::WantRow) -> u64 {
    let Some(registered) = state.followed() else { return 0 };
    let graph = &registered.graph;
    let extents = state.extents_at(want.as_of);
    let asked = by_job(state, &want.targets).into_iter();
    let left_out = |(job, set)| {
        graph.left_out(&extents, graph.job(job).outputs[0], &set).map_or(0, |left_out| left_out.len())
    };
    asked.map(left_out).sum()
}

/// When something was decided about the work of a want last.
fn updated_at(backend: &Backend, reader: &dyn History, want: &store::WantRow) -> Result<Timestamp, AppError> {
    if let Some(ended) = want.ended_at {
        return Ok(ended);
    }
    let last = backend.watched.work(reader, want.id)?.said.last().map(|(seq, _)| *seq);
    let Some(last) = last else { return Ok(want.created_at) };
    let at = reader.event(last)?.value.map_or(want.created_at, |record| record.at);
    // As exact as the times of lists are.
    Ok(Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at))
}

/// Wants that runs of a want wait for.
fn children(state: &State, id: WantId) -> Vec<String> {
    let needed = state.runs().values().filter_map(|run| Some((run, run.suspended?)));
    let mine = needed.filter(|(run, _)| {
        let job = state.current_job(run);
        job.is_some_and(|job| state.holders_of(job, &run.set).any(|want| want.id == id))
    });
    mine.map(|(_, want)| want.to_string()).collect()
}

fn detail(backend: &Backend, reader: &dyn History, id: WantId) -> Result<WantDetail, AppError> {
    let snapshot = backend.engine.snapshot();
    let history::Found { value: want, archive, seq } = history::want(reader, id)?;
    // It may have ended after the snapshot was taken.
    let live = snapshot.state.wants().get(&id).filter(|_| want.state == WantState::Open);
    let causes = live.map_or_else(|| want.causes.clone(), |live| live.causes.clone());
    Ok(WantDetail {
        updated_at: updated_at(backend, reader, &want)?.to_string(),
        outputs: if want.state == WantState::Satisfied { want.targets.clone() } else { Vec::new() },
        error: causes.first().cloned(),
        parent: want.by.parse::<RunId>().ok().map(|run| run.to_string()),
        children: children(&snapshot.state, id),
        as_of: want.as_of.to_string(),
        plan: want.plan.map(|plan| plan.to_string()),
        params: want.params.clone(),
        progress: match live {
            Some(live) => Some(progress_of(backend, reader, &snapshot.state, &begun(&snapshot), live)?),
            None => progress_at_end(backend, reader, id)?,
        },
        graph: live.and(snapshot.state.followed()).map(|graph| graph.id.0.clone()),
        causes,
        left_out: if live.is_none() { left_out(&snapshot.state, &want) } else { 0 },
        want: row(want),
        archive,
        seq: seq.0,
    })
}
