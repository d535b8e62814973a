//! What there is to measure, for Prometheus.

use super::super::error::ApiError;
use crate::app::metrics;
use crate::state::App;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Its route, at the root of the server.
pub(crate) fn root_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(text))
}

/// OpenMetrics text for Prometheus.
///
/// [What it measures](operations.md#metrics).
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "Server",
    operation_id = "metrics_text",
    responses(
        (status = 200, description = "OpenMetrics text.", body = String, content_type = "application/openmetrics-text"),
        (status = "default", description = "query_too_slow"),
    )
)]
async fn text(app: App) -> Result<Response, ApiError> {
    let text = metrics::text(&app, |registry| app.requests.register(registry)).await?;
    Ok(([(header::CONTENT_TYPE, metrics::CONTENT_TYPE)], text).into_response())
}
