//! What there is to measure, for Prometheus.

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
    let text = metrics::text(&app, |registry| app.requests.register(registry)).await?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}
