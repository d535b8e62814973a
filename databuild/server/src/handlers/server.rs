//! The server itself.

use super::super::error::ApiError;
use super::super::extract::Body;
use super::Answer;
use crate::api::{
    DiskReport, GcReply, GcRequest, ServerStatus, SettingList, ShutdownRequest, SlotsRequest, Stats,
};
use crate::app::{disk, garbage, server, AppError};
use crate::state::App;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use axum::{Json, Router};
use databuild_core::decide::{Input, Reply};
use std::sync::atomic::Ordering;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(status))
        .routes(routes!(disk_use))
        .routes(routes!(settings))
        .routes(routes!(stats))
        .routes(routes!(set_slots))
        .routes(routes!(shutdown))
        .routes(routes!(collect_garbage))
}

/// Those at the root of the server.
pub(crate) fn root_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(health)).routes(routes!(healthz)).routes(routes!(ready))
}

/// Those below `/api`.
pub(crate) fn seed_routes() -> Router<App> {
    Router::new().route("/health", get(health))
}

/// Whether the server lives. Needs no token.
#[utoipa::path(
    get,
    path = "/health",
    tag = "Server",
    operation_id = "server_health",
    responses(
        (status = 200, description = "`OK`.", body = String),
    )
)]
async fn health() -> &'static str {
    "OK"
}

/// Whether the server lives: another name of `/health`.
#[utoipa::path(
    get,
    path = "/healthz",
    tag = "Server",
    operation_id = "server_healthz",
    responses(
        (status = 200, description = "`OK`.", body = String),
    )
)]
async fn healthz() -> &'static str {
    health().await
}

/// Whether the server takes commands and begins work. Needs no token.
///
/// 503 says why work cannot begin: `replaying` (the server reads its log; everything but `/health` says so then), `no_runner`,
/// `shutting_down`.
#[utoipa::path(
    get,
    path = "/ready",
    tag = "Server",
    operation_id = "server_ready",
    responses(
        (status = 200, description = "`OK`.", body = String),
        (status = "default", description = "no_runner replaying shutting_down"),
    )
)]
async fn ready(State(app): State<App>) -> Result<&'static str, ApiError> {
    if app.draining.load(Ordering::Relaxed) {
        return Err(ApiError::new("shutting_down", "the server is shutting down"));
    }
    if app.backend.engine.snapshot().held {
        let message = "the runner cannot be started; the server tries again every 10 s";
        return Err(ApiError::new("no_runner", message));
    }
    Ok("OK")
}

/// The server: what it is, has and does.
///
/// `memory` and `temporary_dir` are null if nobody knows, or there is none. `memory_limits` is `enforced`, or
/// `accounting`: only counted; `memory_limits_reason` says by what, or why not. `reads` are the threads that work out
/// answers: `quick` about one thing, `slow` for lists, `looking` at external data.
#[utoipa::path(
    get,
    path = "/server",
    tag = "Server",
    operation_id = "server_status",
    responses(
        (status = 200, body = ServerStatus),
        (status = "default", description = "query_too_slow"),
    )
)]
async fn status(app: App) -> Answer<ServerStatus> {
    Ok(Json(app.status().await?))
}

/// What is in the state folder, how much of the disk it takes, and how much is free.
///
/// `bytes` are those of the disk. The code store is the user's, and may have the code of other workspaces. Of each kind, 50,000 files are
/// looked at; `more` says that there are others.
#[utoipa::path(
    get,
    path = "/server/disk",
    tag = "Server",
    operation_id = "server_disk",
    responses((status = 200, body = DiskReport), (status = "default", description = "query_too_slow"))
)]
async fn disk_use(app: App) -> Answer<DiskReport> {
    Ok(Json(disk::report(&app).await?))
}

/// The settings that the server was started with, and where each value comes from.
#[utoipa::path(
    get,
    path = "/server/settings",
    tag = "Server",
    operation_id = "server_settings",
    responses((status = 200, body = SettingList))
)]
async fn settings(app: App) -> Json<SettingList> {
    Json(server::settings(&app))
}

/// How many runs, wants and partitions there are, by state.
///
/// Of each, the states sum up to the total.
#[utoipa::path(
    get,
    path = "/stats",
    tag = "Server",
    operation_id = "server_stats",
    responses((status = 200, body = Stats), (status = "default", description = "query_too_slow"))
)]
async fn stats(app: App) -> Answer<Stats> {
    Ok(Json(server::stats(&app).await?))
}

/// Says how many attempts may run at once.
#[utoipa::path(
    put,
    path = "/server/slots",
    tag = "Server",
    operation_id = "server_set_slots",
    request_body = SlotsRequest,
    responses(
        (status = 204, description = "It is so."),
        (status = "default", description = "bad_slots WRITE"),
    )
)]
async fn set_slots(app: App, Body(body): Body<SlotsRequest>) -> Result<StatusCode, ApiError> {
    server::set_slots(&app, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Makes the server go.
///
/// With `stop_jobs` running jobs are told to end and have their `grace`. No job begins any more, requests that wait
/// (`wait_ms`) are answered with 503 `shutting_down`, and streams (`follow=true`) end with
/// `event: end` and the data `{"reason":"shutting_down"}`; other requests have 5 s.
#[utoipa::path(
    post,
    path = "/server/shutdown",
    tag = "Server",
    operation_id = "server_shutdown",
    request_body = ShutdownRequest,
    responses(
        (status = 202, description = "It goes."),
        (status = "default", description = "shutting_down"),
    )
)]
async fn shutdown(app: App, Body(body): Body<ShutdownRequest>) -> Result<StatusCode, ApiError> {
    let engine = &app.backend.engine;
    // First, so that the server after this one does not go as well.
    if engine.key().is_some() {
        let done = engine.submit_once(Input::Tick, |_, _| None).await.map_err(AppError::from)?;
        if let Reply::Repeated(_) = done {
            return Ok(StatusCode::ACCEPTED);
        }
    }
    match app.stop(body.stop_jobs) {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(ApiError::new("shutting_down", "the server is shutting down")),
    }
}

/// Removes what nobody needs any more, as the command `gc` does.
///
/// `events_checked` is how many events of the log were read and found whole. `not_removed` has the reason for each
/// folder of an attempt that could not be. `archived` is there if old events were asked for; its `held_by` names
/// what is not over and keeps events that are old enough.
#[utoipa::path(
    post,
    path = "/gc",
    tag = "Server",
    operation_id = "server_collect_garbage",
    request_body = GcRequest,
    responses(
        (status = 200, body = GcReply),
        (status = "default", description = "code_store_io code_store_damaged bad_roots WRITE"),
    )
)]
async fn collect_garbage(app: App, Body(body): Body<GcRequest>) -> Answer<GcReply> {
    Ok(Json(garbage::collect(&app, body).await?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Its executor hides.
    #[tokio::test]
    async fn who_is_not_ready_says_why() {
        let (app, _running) = super::super::super::fuzz::app();
        app.backend.engine.submit(Input::Tick).await.unwrap();
        let reason = |app: &App| {
            let ready = ready(State(app.clone()));
            async { ready.await.err().map(|error| error.body.error) }
        };
        assert_eq!(reason(&app).await.as_deref(), Some("no_runner"));
        // Nobody hears it, but it is on its way.
        app.stop(false);
        assert_eq!(reason(&app).await.as_deref(), Some("shutting_down"));
    }

    #[tokio::test]
    async fn status_tells_what_the_threads_have_to_do() {
        let (app, _running) = super::super::super::fuzz::app();
        let Json(status) = status(app).await.unwrap();
        let names: Vec<&str> = status.reads.iter().map(|lane| lane.name.as_str()).collect();
        assert_eq!(names, ["quick", "slow", "looking"]);
        assert!(status.reads.iter().all(|lane| lane.size > 0 && lane.waiting == 0), "{:?}", status.reads);
    }
}
