//! From what went wrong to a status and the one error body.

use crate::api::ErrorBody;
use crate::app::ShowError;
use crate::engine::CommandError;
use crate::errors::{kind_of, status_of};
use crate::store::StoreError;
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::http::{header, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Json;
use databuild_core::decide::Refusal;
use std::collections::BTreeMap;

/// The answer when all places for requests that wait or follow are taken.
pub fn too_many_waiting() -> Response {
    ApiError::too_many_waiting().into_response()
}

/// An error answer.
#[derive(Debug)]
pub struct ApiError {
    status: StatusCode,
    pub(super) body: ErrorBody,
}

impl ApiError {
    /// The status follows from the code.
    pub(super) fn new(code: &str, message: impl Into<String>) -> ApiError {
        ApiError {
            // What only attempts fail with is no answer to a request.
            status: status_of(kind_of(code))
                .and_then(|status| StatusCode::from_u16(status).ok())
                .unwrap_or(StatusCode::UNPROCESSABLE_ENTITY),
            body: ErrorBody { error: code.to_owned(), message: message.into(), details: BTreeMap::new() },
        }
    }

    /// Names what the message speaks of.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> ApiError {
        self.body.details.insert(name.to_owned(), value.to_string());
        self
    }

    /// All places for requests that wait or follow are taken.
    fn too_many_waiting() -> ApiError {
        ApiError::new(
            "too_many_waiting",
            "too many requests wait or follow a log already; end some, and ask again",
        )
    }

    pub(super) fn not_found(code: &str, what: &str, id: &str) -> ApiError {
        ApiError::new(code, format!("there is no {what} `{id}`")).with(&format!("{what}_id"), id)
    }

    /// Why a command about a want or a run, which `what` says, was not carried out. If it is not live, `state` looks up
    /// how it ended. Any other error is told as it is.
    pub(super) fn of_command(
        error: CommandError,
        what: &str,
        id: impl std::fmt::Display,
        state: impl FnOnce() -> Result<&'static str, ApiError>,
    ) -> ApiError {
        if !matches!(error, CommandError::Refused(Refusal::UnknownWant(_) | Refusal::UnknownRun(_))) {
            return error.into();
        }
        match state() {
            Ok(state) => {
                let message = format!("{id} is {state} already");
                ApiError::new(&format!("{what}_ended"), message).with(&format!("{what}_id"), id)
            }
            Err(unknown) => unknown,
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::error!(code = self.body.error, message = self.body.message, "request failed");
        }
        let mut answer = (self.status, Json(self.body)).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            // Seconds: what keeps the server busy, or a server that goes, is mostly over by then.
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}

impl From<CommandError> for ApiError {
    fn from(error: CommandError) -> ApiError {
        let answer = ApiError::new(error.code(), error.to_string());
        match error {
            CommandError::Refused(Refusal::PlanOutdated { changes, .. }) => {
                answer.with("changes", changes.join("; "))
            }
            _ => answer,
        }
    }
}

impl From<ShowError> for ApiError {
    fn from(error: ShowError) -> ApiError {
        let answer = ApiError::new(error.code(), error.to_string());
        match error {
            ShowError::UnknownWant(want) => answer.with("want_id", want),
            ShowError::UnknownRun(run) => answer.with("run_id", run),
            ShowError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> ApiError {
        let answer = ApiError::new(error.code(), error.to_string());
        match error {
            StoreError::Archived { until, .. } => answer.with("first_seq", until.next()),
            _ => answer,
        }
    }
}

impl From<databuild_core::reference::ReferenceError> for ApiError {
    fn from(error: databuild_core::reference::ReferenceError) -> ApiError {
        ApiError::new(error.code(), error.to_string())
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> ApiError {
        match rejection.status() {
            // Well-formed JSON with other fields than ours.
            StatusCode::UNPROCESSABLE_ENTITY => ApiError::new("invalid_body", rejection.body_text()),
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
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::new("body_too_large", "the body is too large"),
        _ => ApiError::new("bad_json", message),
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> ApiError {
        ApiError::new("bad_query", rejection.body_text())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::ids::{RunId, WantId};

    #[test]
    fn a_command_that_fails_says_why() {
        let store = |code, message: &str| CommandError::Store { code, message: message.to_owned() };
        let unknown = |id: &str| ApiError::not_found("want_not_found", "want", id);
        let ended = || -> Result<&'static str, ApiError> { Ok("satisfied") };
        let said = |error: ApiError| (error.status.as_u16(), error.body.error, error.body.message);
        // Pausing, resuming, canceling and prioritizing a want, and canceling a run, can end in each of these ways.
        let cases = [
            (store("disk_full", "no space"), 507, "disk_full", "no space"),
            (store("log_io_error", "read-only"), 500, "log_io_error", "read-only"),
            (CommandError::ShuttingDown, 503, "shutting_down", "the server is shutting down; ask again"),
            (Refusal::NoGraph.into(), 409, "no_graph", &*Refusal::NoGraph.to_string()),
            (Refusal::UnknownWant(WantId(3)).into(), 409, "want_ended", "w3 is satisfied already"),
        ];
        for (error, status, code, message) in cases {
            let answer = said(ApiError::of_command(error, "want", WantId(3), ended));
            assert_eq!(answer, (status, code.to_owned(), message.to_owned()));
        }
        let run =
            ApiError::of_command(Refusal::UnknownRun(RunId(7)).into(), "run", RunId(7), || Ok("failed"));
        assert_eq!(said(run), (409, "run_ended".to_owned(), "r7 is failed already".to_owned()));
        let never = Refusal::UnknownWant(WantId(9)).into();
        let never = said(ApiError::of_command(never, "want", WantId(9), || Err(unknown("w9"))));
        assert_eq!((never.0, &*never.1), (404, "want_not_found"));
        let unreadable = || Err(StoreError::DiskFull { log: "x".to_owned() }.into());
        let unreadable =
            ApiError::of_command(Refusal::UnknownWant(WantId(9)).into(), "want", WantId(9), unreadable);
        assert_eq!(said(unreadable).1, "disk_full");
    }
}
