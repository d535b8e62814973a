//! Wants.

use super::super::app::App;
use super::super::error::ApiError;
use super::super::keyed::Keyed;
use super::{class, cursor, instant, limit, page, refresh, word};
use crate::api::{CreateWant, InvokeJob, Page, PrioritizeWant, ProgressAnswer, WantDetail, WantRow, WhyWork};
use crate::app::history;
use crate::app::progress::Lines;
use crate::app::scope::{by_job, Scope};
use crate::app::{views, waits};
use crate::engine::Created;
use crate::store::{self, History, StoreError, WantFilter, WantState};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Json;
use databuild_core::decide::{Input, InvokeRequest, WantRequest};
use databuild_core::event::Refresh;
use databuild_core::ids::{GraphId, Seq, WantId};
use databuild_core::state::State as BuildState;
use databuild_core::word::Word as _;
use serde::Deserialize;
use std::time::Duration;

/// Lines of one progress answer, at most.
const MOST_LINES: usize = 500;
/// After something happened, more of it is waited for this long, so that a busy want is told of in a few answers a
/// second and not in one for each event.
const PACE: Duration = Duration::from_millis(50);
/// Longest wait of a progress request.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// `POST /wants`.
///
/// # Errors
/// A bad body, a reference that cannot be resolved, no graph, a full disk.
pub async fn create(app: App, Keyed { key, body }: Keyed<CreateWant>) -> Result<Response, ApiError> {
    let request = WantRequest {
        targets: body.targets,
        class: class(body.class.as_deref())?,
        refresh: refresh(body.refresh.as_deref())?,
        as_of: instant(body.as_of.as_deref())?,
        ttl_seconds: body.ttl_seconds,
        sla_seconds: body.sla_seconds,
        comment: body.comment,
        graph: body.graph.map(GraphId),
        key,
    };
    created(&app, app.engine.want(request).await?).await
}

/// `POST /jobs/invoke`.
///
/// # Errors
/// As [`create`]; no such job or parameter, or a value that cannot be.
pub async fn invoke(app: App, Keyed { key, body }: Keyed<InvokeJob>) -> Result<Response, ApiError> {
    let want = WantRequest {
        targets: body.targets,
        class: class(body.class.as_deref())?,
        refresh: Refresh::All,
        as_of: instant(body.as_of.as_deref())?,
        ttl_seconds: body.ttl_seconds,
        sla_seconds: body.sla_seconds,
        comment: body.comment,
        graph: body.graph.map(GraphId),
        key,
    };
    let request = InvokeRequest { job: body.job, params: body.params, want };
    created(&app, app.engine.invoke(request).await?).await
}

/// The answer to a request for a want: 201, or 200 if an earlier request with its key made the want.
pub(super) async fn created(app: &App, created: Created) -> Result<Response, ApiError> {
    let Created { want, repeated } = created;
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    let location = [(header::LOCATION, format!("/api/v1/wants/{want}"))];
    let detail = app.quick(move |app, reader| detail(app, reader, want)).await?;
    Ok((status, location, Json(detail)).into_response())
}

fn parse(id: &str) -> Result<WantId, ApiError> {
    id.parse().map_err(|_| ApiError::not_found("want_not_found", "want", id))
}

fn row(want: crate::store::WantRow) -> WantRow {
    WantRow {
        id: want.id.to_string(),
        state: want.state.word().to_owned(),
        targets: want.targets,
        class: want.class.word().to_owned(),
        paused: want.paused && want.ended_at.is_none(),
        refresh: want.refresh.word().to_owned(),
        comment: want.comment,
        source: want.source,
        by: want.by,
        created_at: want.created_at.to_string(),
        ended_at: want.ended_at.map(|at| at.to_string()),
        due_at: want.due_at.map(|at| at.to_string()),
        late: want.due_at.is_some_and(|due| due < want.ended_at.unwrap_or_else(crate::os::now)),
    }
}

/// How many of a want's partitions edge rules of the graph of today leave out.
fn left_out(state: &BuildState, want: &store::WantRow) -> u64 {
    let Some(registered) = &state.graph else { return 0 };
    let graph = &registered.graph;
    let extents = graph.extents(want.as_of, &state.symbols);
    let asked = by_job(state, &want.targets).into_iter();
    let left_out = |(job, set)| {
        graph.left_out(&extents, graph.job(job).outputs[0], &set).map_or(0, |left_out| left_out.len())
    };
    asked.map(left_out).sum()
}

fn detail(app: &App, reader: &dyn History, id: WantId) -> Result<WantDetail, ApiError> {
    let snapshot = app.engine.snapshot();
    let history::Found { value: want, archive, seq } = history::want(reader, id)?;
    let live = snapshot.state.wants.get(&id);
    Ok(WantDetail {
        as_of: want.as_of.to_string(),
        plan: want.plan.map(|plan| plan.to_string()),
        params: want.params.clone(),
        progress: live.map(|live| views::progress(&snapshot.state, live)),
        graph: live.and(snapshot.state.graph.as_ref()).map(|graph| graph.id.0.clone()),
        causes: live.map_or_else(|| want.causes.clone(), |live| live.causes.clone()),
        left_out: if live.is_none() { left_out(&snapshot.state, &want) } else { 0 },
        want: row(want),
        archive,
        seq: seq.0,
    })
}

/// Query of [`list`].
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    state: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /wants`.
///
/// # Errors
/// A bad query.
pub async fn list(
    app: App,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<WantRow>>, ApiError> {
    let Query(query) = query?;
    let state: Option<WantState> = word("bad_state", query.state.as_deref())?;
    let before = cursor(query.cursor.as_deref())?;
    let limit = limit(query.limit);
    let found = app.slow(move |_, reader| Ok(reader.wants(&WantFilter { state, before, limit })?)).await?;
    Ok(Json(page(found, row, WantId)))
}

/// `GET /wants/{id}`.
///
/// # Errors
/// No such want.
pub async fn get(app: App, Path(id): Path<String>) -> Result<Json<WantDetail>, ApiError> {
    let id = parse(&id)?;
    Ok(Json(app.quick(move |app, reader| detail(app, reader, id)).await?))
}

/// `DELETE /wants/{id}`.
///
/// # Errors
/// No such want, or it is over.
pub async fn cancel(app: App, Path(id): Path<String>) -> Result<Json<WantDetail>, ApiError> {
    let id = parse(&id)?;
    act(&app, id, Input::CancelWant(id)).await
}

/// `POST /wants/{id}/pause`.
///
/// # Errors
/// No such want, or it is over.
pub async fn pause(app: App, Path(id): Path<String>) -> Result<Json<WantDetail>, ApiError> {
    let id = parse(&id)?;
    act(&app, id, Input::PauseWant(id)).await
}

/// `POST /wants/{id}/resume`.
///
/// # Errors
/// No such want, or it is over.
pub async fn resume(app: App, Path(id): Path<String>) -> Result<Json<WantDetail>, ApiError> {
    let id = parse(&id)?;
    act(&app, id, Input::ResumeWant(id)).await
}

/// `POST /wants/{id}/priority`.
///
/// # Errors
/// No such want, it is over, or no such class.
pub async fn prioritize(
    app: App,
    Path(id): Path<String>,
    body: Result<Json<PrioritizeWant>, JsonRejection>,
) -> Result<Json<WantDetail>, ApiError> {
    let Json(body) = body?;
    let id = parse(&id)?;
    let class = class(Some(&body.class))?;
    act(&app, id, Input::PrioritizeWant(id, class)).await
}

/// Does something with a want that is not over.
async fn act(app: &App, id: WantId, input: Input) -> Result<Json<WantDetail>, ApiError> {
    let done = app.engine.submit(input).await;
    let answer = app.quick(move |app, reader| match done {
        Ok(_) => detail(app, reader, id),
        Err(error) => {
            let state = || Ok(history::want(reader, id)?.value.state.word());
            Err(ApiError::of_command(error, "want", id, state))
        }
    });
    Ok(Json(answer.await?))
}

/// `GET /wants/{id}/why`.
///
/// # Errors
/// No such want.
pub async fn why(app: App, Path(id): Path<String>) -> Result<Json<WhyWork>, ApiError> {
    let id = parse(&id)?;
    Ok(Json(app.quick(move |app, reader| Ok(waits::want(&app.engine.snapshot(), reader, id)?)).await?))
}

/// Query of [`progress`].
#[derive(Debug, Deserialize)]
pub struct ProgressQuery {
    after: Option<u64>,
    wait_ms: Option<u64>,
}

/// `GET /wants/{id}/progress`: a long poll.
///
/// # Errors
/// No such want.
pub async fn progress(
    app: App,
    Path(id): Path<String>,
    query: Result<Query<ProgressQuery>, QueryRejection>,
) -> Result<Json<ProgressAnswer>, ApiError> {
    let Query(query) = query?;
    let id = parse(&id)?;
    let after = query.after.unwrap_or(0);
    let wait = Duration::from_millis(query.wait_ms.unwrap_or(0)).min(LONGEST_WAIT);
    let mut seq = app.engine.watch();
    let over = || !app.engine.snapshot().state.wants.contains_key(&id);
    // A want that is over has nothing to wait for.
    if !over() {
        let changed = seq.wait_for(|seq| *seq > after);
        if matches!(tokio::time::timeout(wait, changed).await, Ok(Ok(_))) {
            let ended = seq.wait_for(|_| over());
            let _ = tokio::time::timeout(PACE.min(wait), ended).await;
        }
    }
    app.quick(move |app, reader| Ok(Json(progress_since(app, reader, id, Seq(after))?))).await
}

/// How far a want is, with lines of the events after `after`.
fn progress_since(
    app: &App,
    reader: &dyn History,
    id: WantId,
    after: Seq,
) -> Result<ProgressAnswer, ApiError> {
    let want = detail(app, reader, id)?;
    let until = Seq(want.seq);
    let live = app.engine.snapshot();
    let row = history::want(reader, id)?.value;
    let scope = Scope::new(&live, &row, &app.watched.work(reader, id)?);
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
    Ok(ProgressAnswer { want, lines, seq: last.0, truncated: last < until })
}
