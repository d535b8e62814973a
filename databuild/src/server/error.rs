//! From what went wrong to a status and the one error body.

use crate::api::ErrorBody;
use crate::engine::CommandError;
use crate::store::StoreError;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::Json;
use databuild_core::decide::Refusal;
use std::collections::BTreeMap;

/// An error answer.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    body: ErrorBody,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> ApiError {
        ApiError {
            status,
            body: ErrorBody { error: code.to_owned(), message: message.into(), details: BTreeMap::new() },
        }
    }

    /// Names what the message speaks of.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> ApiError {
        self.body.details.insert(name.to_owned(), value.to_string());
        self
    }

    pub(super) fn not_found(code: &str, what: &str, id: &str) -> ApiError {
        ApiError::new(StatusCode::NOT_FOUND, code, format!("there is no {what} `{id}`"))
            .with(&format!("{what}_id"), id)
    }

    pub(super) fn invalid(code: &str, message: impl Into<String>) -> ApiError {
        ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(code = self.body.error, message = self.body.message, "request failed");
        }
        (self.status, Json(self.body)).into_response()
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> ApiError {
        let status = match error.code() {
            "want_not_found" | "run_not_found" | "plan_not_found" | "pool_not_found" | "trial_not_found"
            | "unknown_key_space" => StatusCode::NOT_FOUND,
            "graph_changed" | "graph_replaced" | "no_graph" | "plan_expired" | "plan_outdated"
            | "trial_ended" => StatusCode::CONFLICT,
            "shutting_down" => StatusCode::SERVICE_UNAVAILABLE,
            "disk_full" => StatusCode::INSUFFICIENT_STORAGE,
            _ if matches!(error, CommandError::Store { .. }) => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let answer = ApiError::new(status, error.code(), error.to_string());
        match error {
            CommandError::Refused(Refusal::PlanOutdated { changes, .. }) => {
                answer.with("changes", changes.join("; "))
            }
            _ => answer,
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        let status = match error {
            StoreError::Archived { .. } | StoreError::ArchiveMissing { .. } => StatusCode::GONE,
            StoreError::DiskFull { .. } => StatusCode::INSUFFICIENT_STORAGE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let answer = ApiError::new(status, error.code(), error.to_string());
        match error {
            StoreError::Archived { until, .. } => answer.with("first_seq", until.next()),
            _ => answer,
        }
    }
}

impl From<databuild_core::reference::ReferenceError> for ApiError {
    fn from(error: databuild_core::reference::ReferenceError) -> ApiError {
        ApiError::invalid(error.code(), error.to_string())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> ApiError {
        match rejection.status() {
            // Well-formed JSON with other fields than ours.
            StatusCode::UNPROCESSABLE_ENTITY => ApiError::invalid("invalid_body", rejection.body_text()),
            status => unreadable(status, rejection.body_text()),
        }
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> ApiError {
        unreadable(rejection.status(), rejection.body_text())
    }
}

/// Of a body that is no JSON, or did not come whole.
fn unreadable(status: StatusCode, message: String) -> ApiError {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new(status, "body_too_large", "the body is too large"),
        _ => ApiError::new(StatusCode::BAD_REQUEST, "bad_json", message),
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> ApiError {
        ApiError::new(StatusCode::BAD_REQUEST, "bad_query", rejection.body_text())
    }
}
