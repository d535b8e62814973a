//! The job graph.

use super::super::error::ApiError;
use super::super::routes::App;
use crate::api::{GraphId, RegisterReply, RegisterRequest};
use crate::engine::Registration;
use axum::extract::rejection::JsonRejection;
use axum::extract::State;
use axum::http::{header, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Json;

/// `POST /graphs`.
///
/// # Errors
/// The graph is invalid.
pub async fn register(
    State(app): State<App>,
    body: Result<Json<RegisterRequest>, JsonRejection>,
) -> Result<Json<RegisterReply>, ApiError> {
    let Json(RegisterRequest { content, sources, inherited }) = body?;
    let (graph, changed) = app.engine.register(Registration { content, sources, inherited }).await?;
    let sweeper = app.clone();
    super::blocking(move || {
        // Before anything relies on the new snapshots: another workspace's gc must not take them.
        crate::server::write_roots(&sweeper).map(drop).map_err(|error| {
            ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, error.code(), error.to_string())
        })
    })
    .await?;
    Ok(Json(RegisterReply { graph: graph.to_string(), changed }))
}

/// `GET /graph`: the graph file as it was registered.
///
/// # Errors
/// No graph.
pub async fn current(State(app): State<App>) -> Result<Response, ApiError> {
    let none = || ApiError::new(StatusCode::NOT_FOUND, "no_graph", "no graph is registered yet");
    let id = app.engine.snapshot().state.graph.as_ref().map(|graph| graph.id.clone()).ok_or_else(none)?;
    let content = app.engine.reader().blob(&id.0)?.value.ok_or_else(none)?;
    Ok(([(header::CONTENT_TYPE, "application/json")], content).into_response())
}

/// `GET /graph/id`: what a client asks before it stores and registers its own.
pub async fn id(State(app): State<App>) -> Json<GraphId> {
    let graph = app.engine.snapshot().state.graph.as_ref().map(|graph| graph.id.to_string());
    Json(GraphId { graph })
}
