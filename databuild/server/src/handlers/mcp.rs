//! Assistants.

use super::super::error::ApiError;
use super::super::extract::whole;
use super::super::mcp;
use crate::state::App;
use axum::extract::{FromRequestParts as _, Request, State};
use axum::response::Response;
use axum::routing::post;
use axum::Router;

/// The routes of this noun, below `/`. There are no sessions, and so no streams to `GET` and nothing to `DELETE`.
pub(crate) fn root_routes() -> Router<App> {
    Router::new().route("/mcp", post(answer))
}

async fn answer(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let (mut parts, body) = whole(request, &app).await?;
    let Ok(app) = App::from_request_parts(&mut parts, &app).await;
    mcp::answer(app, parts, body).await
}
