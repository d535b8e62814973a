//! Prometheus text.

use super::super::error::ApiError;
use crate::app::metrics;
use crate::state::App;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::Router;

/// Its route, at the root of the server.
pub(crate) fn root_routes() -> Router<App> {
    Router::new().route("/metrics", get(text))
}

async fn text(app: App) -> Result<Response, ApiError> {
    let text = metrics::text(&app).await?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response())
}
