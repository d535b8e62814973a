//! The server itself.

use super::super::error::ApiError;
use super::super::extract::Body;
use super::Answer;
use crate::api::{GcReply, GcRequest, ServerStatus, ShutdownRequest, SlotsRequest};
use crate::app::{garbage, server};
use crate::state::App;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use axum::{Json, Router};

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
    Router::new().route("/health", get(health)).route("/ready", get(ready))
}

async fn health() -> &'static str {
    "OK"
}

/// The log is replayed and the loop runs.
async fn ready() -> &'static str {
    "OK"
}

async fn status(app: App) -> Answer<ServerStatus> {
    Ok(Json(server::status(&app).await?))
}

async fn set_slots(app: App, Body(body): Body<SlotsRequest>) -> Result<StatusCode, ApiError> {
    server::set_slots(&app, &body).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn shutdown(app: App, Body(body): Body<ShutdownRequest>) -> Result<StatusCode, ApiError> {
    app.shutdown
        .send(body.stop_jobs)
        .map_err(|_| ApiError::new("shutting_down", "the server is shutting down"))?;
    Ok(StatusCode::ACCEPTED)
}

async fn collect_garbage(app: App, Body(body): Body<GcRequest>) -> Answer<GcReply> {
    Ok(Json(garbage::collect(&app, body).await?))
}
