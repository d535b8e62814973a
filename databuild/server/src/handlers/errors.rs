//! Error codes and what they mean.

use super::super::error::ApiError;
use super::Answer;
use crate::api::ErrorCode;
use crate::errors::{all, find};
use crate::state::App;
use axum::extract::Path;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(one))
}

/// All error codes.
///
/// The texts `cause` and `cure` are Markdown.
#[utoipa::path(
    get,
    path = "/errors",
    tag = "Errors",
    operation_id = "errors_list",
    responses(
        (status = 200, body = Vec<ErrorCode>),
    )
)]
async fn list() -> Json<Vec<ErrorCode>> {
    Json(all().iter().map(ErrorCode::from).collect())
}

/// An error code.
#[utoipa::path(
    get,
    path = "/errors/{code}",
    tag = "Errors",
    operation_id = "errors_one",
    params(("code" = String, Path, description = "The code.", example = "want_not_found")),
    responses(
        (status = 200, body = ErrorCode),
        (status = "default", description = "unknown_error_code"),
    )
)]
async fn one(Path(code): Path<String>) -> Answer<ErrorCode> {
    let entry = find(&code)
        .ok_or_else(|| ApiError::new("unknown_error_code", format!("there is no error code `{code}`")))?;
    Ok(Json(ErrorCode::from(entry)))
}
