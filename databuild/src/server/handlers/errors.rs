//! Error codes and what they mean.

use super::super::error::ApiError;
use crate::api::ErrorCode;
use crate::errors::{all, find};
use axum::extract::Path;
use axum::Json;

/// `GET /errors`: all codes.
pub async fn list() -> Json<Vec<ErrorCode>> {
    Json(all().iter().map(ErrorCode::from).collect())
}

/// `GET /errors/{code}`.
///
/// # Errors
/// Nobody ever says this code.
pub async fn get(Path(code): Path<String>) -> Result<Json<ErrorCode>, ApiError> {
    let entry = find(&code)
        .ok_or_else(|| ApiError::new("unknown_error_code", format!("there is no error code `{code}`")))?;
    Ok(Json(ErrorCode::from(entry)))
}
