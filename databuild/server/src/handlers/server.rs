//! The server itself.

use super::super::error::ApiError;
use super::super::extract::Body;
use super::super::lanes::Load;
use super::Answer;
use crate::api::{GcReply, GcRequest, ReadLane, ServerStatus, ShutdownRequest, SlotsRequest};
use crate::app::{garbage, server};
use crate::state::App;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};
use std::sync::atomic::Ordering;

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/server", get(status))
        .route("/server/slots", put(set_slots))
        .route("/server/shutdown", post(shutdown))
        .route("/gc", post(collect_garbage))
}

/// Those at the root of the server.
pub(crate) fn root_routes() -> Router<App> {
    Router::new().route("/health", get(health)).route("/healthz", get(health)).route("/ready", get(ready))
}

/// Those below `/api`.
pub(crate) fn seed_routes() -> Router<App> {
    Router::new().route("/health", get(health))
}

async fn health() -> &'static str {
    "OK"
}

/// The log is replayed, the loop runs, and work can begin. While the log is replayed, [`super::super::replaying`] answers.
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

async fn status(app: App) -> Answer<ServerStatus> {
    let lane = |(name, load): (&str, Load)| {
        let Load { size, in_use, waiting } = load;
        ReadLane { name: name.to_owned(), size, in_use, waiting }
    };
    let reads = app.lanes.loads().map(lane).into();
    Ok(Json(ServerStatus { reads, ..server::status(&app).await? }))
}

async fn set_slots(app: App, Body(body): Body<SlotsRequest>) -> Result<StatusCode, ApiError> {
    server::set_slots(&app, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn shutdown(app: App, Body(body): Body<ShutdownRequest>) -> Result<StatusCode, ApiError> {
    match app.stop(body.stop_jobs) {
        true => Ok(StatusCode::ACCEPTED),
        false => Err(ApiError::new("shutting_down", "the server is shutting down")),
    }
}

async fn collect_garbage(app: App, Body(body): Body<GcRequest>) -> Answer<GcReply> {
    Ok(Json(garbage::collect(&app, body).await?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::decide::Input;

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
