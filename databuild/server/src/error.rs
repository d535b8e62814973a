//! From what went wrong to a status and the one error body.

use crate::api::ErrorBody;
use crate::app::AppError;
use crate::engine::CommandError;
use crate::errors::{find, kind_of, status_of};
use axum::extract::rejection::{BytesRejection, JsonRejection, QueryRejection};
use axum::http::{header, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use axum::Json;
use databuild_core::text::{nearest, shown};

/// The answer when all places for requests that wait or follow are taken.
pub fn too_many_waiting() -> Response {
    ApiError::too_many_waiting().into_response()
}

/// The answer to a request that waits, of a server that goes.
pub fn shutting_down() -> Response {
    ApiError::from(AppError::from(CommandError::ShuttingDown)).into_response()
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
        // What only attempts fail with is no answer to a request.
        let status = status_of(kind_of(code))
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
        let (error, message) = (code.to_owned(), message.into());
        ApiError {
            status,
            body: ErrorBody { error, message, status: status.as_u16(), ..ErrorBody::default() },
        }
    }

    /// Names what the message speaks of.
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> ApiError {
        self.body.tell(name, value.to_string());
        self
    }

    /// No thread was free in time, which says nothing of what was asked.
    pub(super) fn is_busy(&self) -> bool {
        self.body.error == "server_busy"
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
}

impl ApiError {
    /// As [`IntoResponse`], for people.
    pub(super) fn page(self) -> Response {
        self.answer(|error, status| {
            let cure = find(&error.error).map_or("", |entry| entry.cure);
            let page = databuild_ui::pages::error::page(&error, status.as_u16(), cure).into_string();
            let mut answer = (status, Html(page)).into_response();
            // Whoever asked may not see all that it names.
            answer.extensions_mut().insert(error);
            answer
        })
    }

    fn answer(self, write: impl FnOnce(ErrorBody, StatusCode) -> Response) -> Response {
        // That it cannot do something now is for whoever asks.
        if self.status.is_server_error() && self.status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(code = self.body.error, message = self.body.message, "request failed");
        }
        let mut answer = write(self.body, self.status);
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            // Seconds: what keeps the server busy, or a server that goes, is mostly over by then.
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        answer
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.answer(|error, status| (status, Json(error)).into_response())
    }
}

impl From<AppError> for ApiError {
    fn from(error: AppError) -> ApiError {
        let answer = ApiError::new(error.code(), error.to_string());
        error.details().into_iter().fold(answer, |answer, (name, value)| answer.with(&name, value))
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> ApiError {
        match (rejection.status(), rejection) {
            (_, JsonRejection::BytesRejection(rejection)) => rejection.into(),
            // Well-formed JSON with other fields than ours.
            (StatusCode::UNPROCESSABLE_ENTITY, rejection) => {
                ApiError::new("invalid_body", rejection.body_text())
            }
            (_, rejection) => ApiError::new("bad_json", rejection.body_text()),
        }
    }
}

impl From<BytesRejection> for ApiError {
    fn from(rejection: BytesRejection) -> ApiError {
        match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::new("body_too_large", "the body is too large"),
            _ => ApiError::new("body_incomplete", rejection.body_text()),
        }
    }
}

impl From<QueryRejection> for ApiError {
    fn from(rejection: QueryRejection) -> ApiError {
        let text = rejection.body_text();
        ApiError::new("bad_query", unknown_parameter(&text).unwrap_or(text))
    }
}

/// What serde says of a parameter that a route does not have, with what was probably meant.
fn unknown_parameter(text: &str) -> Option<String> {
    let (_, told) = text.split_once("unknown field `")?;
    let (name, rest) = told.split_once("`, expected")?;
    let known: Vec<&str> = rest.split('`').skip(1).step_by(2).collect();
    let near = nearest(name, known.iter().copied());
    let quoted = |names: Vec<String>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
    let instead = match near.is_empty() {
        false => format!("did you mean {}?", quoted(near).join(" or ")),
        true => format!("it takes {}", quoted(known.iter().map(ToString::to_string).collect()).join(", ")),
    };
    Some(format!("this route has no parameter `{}`; {instead}", shown(name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::decide::Refusal;

    #[test]
    fn a_parameter_that_a_route_does_not_have_is_refused_with_what_was_meant() {
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Two {
            _job: Option<String>,
            _state: Option<String>,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct One {
            _wait_ms: Option<u64>,
        }
        fn refused<T: serde::de::DeserializeOwned + std::fmt::Debug>(query: &str) -> String {
            let uri = format!("/x?{query}").parse().unwrap();
            let error = ApiError::from(axum::extract::Query::<T>::try_from_uri(&uri).unwrap_err());
            assert_eq!(error.body.error, "bad_query");
            error.body.message
        }
        let told = "this route has no parameter `_jobs`; did you mean `_job`?";
        assert_eq!(refused::<Two>("_state=x&_jobs=rare"), told);
        assert_eq!(refused::<Two>("zzz=1"), "this route has no parameter `zzz`; it takes `_job`, `_state`");
        assert_eq!(refused::<One>("zzz=1"), "this route has no parameter `zzz`; it takes `_wait_ms`");
        assert!(refused::<One>("_wait_ms=soon").contains("_wait_ms"), "what is wrong is told");
    }

    #[test]
    fn the_status_follows_from_the_code() {
        let store = |code| CommandError::Store { code, message: "m".to_owned() }.into();
        let cases: [(AppError, u16); 6] = [
            (store("disk_full"), 507),
            (store("log_io_error"), 500),
            (CommandError::ShuttingDown.into(), 503),
            (Refusal::NoGraph.into(), 409),
            (AppError::not_found("want_not_found", "want", "w9"), 404),
            (AppError::new("bad_cursor", "m"), 422),
        ];
        for (error, status) in cases {
            let (code, message) = (error.code(), error.to_string());
            let answer = ApiError::from(error);
            let said = (answer.status.as_u16(), &*answer.body.error, answer.body.message);
            assert_eq!(said, (status, code, message));
        }
    }
}
