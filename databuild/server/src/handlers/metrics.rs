//! What there is to measure, for Prometheus.

use super::super::error::ApiError;
use crate::app::metrics;
use crate::state::App;
use axum::http::{header, HeaderMap};
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
        (status = 200, description = "OpenMetrics text, or what it is in Prometheus's own text format.", content(
            (String = "application/openmetrics-text"),
            (String = "text/plain"),
        )),
        (status = "default", description = "query_too_slow"),
    )
)]
async fn text(app: App, headers: HeaderMap) -> Result<Response, ApiError> {
    let text = metrics::text(&app, |registry| app.requests.register(registry)).await?;
    let kind = if wants_plain(&headers) { metrics::PLAIN_TEXT } else { metrics::CONTENT_TYPE };
    Ok(([(header::CONTENT_TYPE, kind), (header::VARY, "accept")], text).into_response())
}

/// Whether who asks reads text and says nothing of OpenMetrics: older scrapers, and browsers, which would save the file.
fn wants_plain(headers: &HeaderMap) -> bool {
    let all = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<&str> = all.flat_map(|value| value.split(',')).map(str::trim).collect();
    let names = |kind: &str| named.iter().any(|name| name.starts_with(kind));
    names("text/") && !names("application/openmetrics-text")
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    #[test]
    fn the_text_is_told_to_be_what_who_asks_can_read() {
        let plain = |accept: &str| {
            let value = HeaderValue::from_str(accept).unwrap();
            wants_plain(&HeaderMap::from_iter([(header::ACCEPT, value)]))
        };
        assert!(!wants_plain(&HeaderMap::new()));
        for (accept, is_plain) in [
            ("*/*", false),
            ("text/plain", true),
            ("text/plain;version=0.0.4;q=0.5,*/*;q=0.1", true),
            ("text/html,application/xhtml+xml,*/*;q=0.8", true),
            ("application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5", false),
        ] {
            assert_eq!(plain(accept), is_plain, "{accept}");
        }
    }
}
