//! Error codes and what they mean.

use super::super::error::ApiError;
use super::Answer;
use crate::api::ErrorCode;
use crate::errors::{all, find};
use crate::state::App;
use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/errors", get(list)).route("/errors/{code}", get(one))
}

async fn list() -> Json<Vec<ErrorCode>> {
    Json(all().iter().map(ErrorCode::from).collect())
}

async fn one(Path(code): Path<String>) -> Answer<ErrorCode> {
    let entry = find(&code)
        .ok_or_else(|| ApiError::new("unknown_error_code", format!("there is no error code `{code}`")))?;
    Ok(Json(ErrorCode::from(entry)))
}
