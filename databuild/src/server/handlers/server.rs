//! The server itself.

use super::super::app::App;
use super::super::error::ApiError;
use crate::api::{GcReply, GcRequest, GraphInfo, ServerStatus, ShutdownRequest, SlotsRequest};
use crate::app::views;
use crate::executor::MemoryLimits;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::Json;
use databuild_core::decide::Input;
use databuild_core::state::State as BuildState;

/// `GET /health`.
pub async fn health() -> &'static str {
    "OK"
}

/// `GET /ready`: the log is replayed and the loop runs.
pub async fn ready() -> &'static str {
    "OK"
}

/// `GET /server`.
///
/// # Errors
/// The history cannot be read.
pub async fn status(app: App) -> Result<Json<ServerStatus>, ApiError> {
    let snapshot = app.engine.snapshot();
    let mut state = BuildState::clone(&snapshot.state);
    state.advance(crate::os::now());
    let (memory_limits, memory_limits_reason) = match app.engine.memory_limits() {
        MemoryLimits::Enforced { by } => ("enforced".to_owned(), format!("by {by}")),
        MemoryLimits::Accounting { why } => ("accounting".to_owned(), why),
    };
    let (open_wants, live_runs, seq) = (state.wants.len(), state.runs.len(), state.seq.0);
    let found = app.slow(move |_, reader| {
        let graph = match &state.graph {
            None => None,
            Some(registered) => {
                let row = reader.graph(&registered.id)?.value;
                Some(GraphInfo {
                    id: registered.id.to_string(),
                    label: registered.graph.label.clone(),
                    registered_at: row.map(|row| row.at.to_string()).unwrap_or_default(),
                    jobs: registered.graph.jobs().map(|(_, job)| job.label.clone()).collect(),
                })
            }
        };
        Ok((graph, views::summaries(&mut state)))
    });
    let (graph, datasets) = found.await?;
    Ok(Json(ServerStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        workspace: app.engine.workspace().display().to_string(),
        started_at: app.started_at.to_string(),
        code_store: app.snapshots.root().display().to_string(),
        runtime_dir: app.runtime_dir.display().to_string(),
        temporary_dir: app.temporary_dir.clone().filter(|folder| std::path::Path::new(folder).is_dir()),
        slots: snapshot.slots,
        memory: snapshot.memory,
        memory_limits,
        memory_limits_reason,
        open_wants,
        live_runs,
        graph,
        datasets,
        seq,
    }))
}

/// `PUT /server/slots`.
///
/// # Errors
/// A bad body, or zero.
pub async fn set_slots(
    app: App,
    body: Result<Json<SlotsRequest>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(SlotsRequest { slots }) = body?;
    if slots == 0 {
        return Err(ApiError::new("bad_slots", "at least one attempt must be able to run"));
    }
    app.engine.submit(Input::SetSlots(slots)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /server/shutdown`.
///
/// # Errors
/// A bad body.
pub async fn shutdown(
    app: App,
    body: Result<Json<ShutdownRequest>, JsonRejection>,
) -> Result<StatusCode, ApiError> {
    let Json(ShutdownRequest { stop_jobs }) = body?;
    app.shutdown
        .send(stop_jobs)
        .map_err(|_| ApiError::new("shutting_down", "the server is shutting down"))?;
    Ok(StatusCode::ACCEPTED)
}

/// `POST /gc`.
///
/// # Errors
/// A bad body, or a store that cannot be swept.
pub async fn collect_garbage(
    app: App,
    body: Result<Json<GcRequest>, JsonRejection>,
) -> Result<Json<GcReply>, ApiError> {
    let Json(request) = body?;
    let reply = app.slow(move |app, _| super::super::garbage::collect(app, &request)).await?;
    Ok(Json(reply))
}
