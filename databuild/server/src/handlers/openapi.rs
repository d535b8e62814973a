//! The API's description of itself.

use crate::state::App;
use axum::body::Bytes;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::Extension;
use std::sync::{Arc, LazyLock};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The description as JSON, made when somebody asks.
#[derive(Clone)]
pub(crate) struct Described(Arc<LazyLock<Bytes, Box<dyn FnOnce() -> Bytes + Send>>>);

impl Described {
    /// What is made so.
    pub(crate) fn by(make: impl FnOnce() -> serde_json::Value + Send + 'static) -> Described {
        Described(Arc::new(LazyLock::new(Box::new(|| make().to_string().into()))))
    }
}

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(document))
}

/// This API, as an OpenAPI 3.1 document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "Server",
    operation_id = "openapi_document",
    responses((status = 200, description = "The document.", body = serde_json::Value))
)]
async fn document(Extension(Described(text)): Extension<Described>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], Bytes::clone(&text)).into_response()
}
