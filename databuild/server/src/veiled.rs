//! Answers to those who may see some datasets alone: what is left of others in texts is taken out.

use super::asker::{segments, Asker};
use super::error::ApiError;
use super::next::Next;
use super::state::App;
use super::stream::write;
use crate::app::audience::Audience;
use crate::app::events::{Filter, Told};
use crate::app::subjects;
use crate::app::veil::veil;
use crate::app::{AppError, Context as _};
use axum::body::{to_bytes, Body, Bytes};
use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use databuild_core::state::State;
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::Value;

/// What a handler answers, for whoever asked.
pub(super) async fn veiled(app: &App, request: Request, next: impl Next) -> Response {
    let audience = request.extensions().get().map(Asker::audience).unwrap_or_default();
    if audience.sees_all() {
        return next.run(request).await;
    }
    let path = request.uri().path().to_owned();
    answer(app, audience, &path, next.run(request).await).await
}

async fn answer(app: &App, audience: Audience, path: &str, answer: Response) -> Response {
    // Assistants are answered in texts; what all servers of this version say names nothing; and a log is as its job wrote it.
    let says_nothing = matches!(
        segments(path)[..],
        ["mcp"] | ["openapi.json"] | ["errors", ..] | ["runs" | "job_runs", _, "logs", ..]
    );
    let kind = answer.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if says_nothing || kind != Some("application/json") {
        return answer;
    }
    let (mut head, body) = answer.into_parts();
    let Ok(body) = to_bytes(body, usize::MAX).await else {
        return ApiError::new("internal", "an answer broke off").into_response();
    };
    let Ok(said) = serde_json::from_slice(&body) else {
        return ApiError::new("internal", "an answer is not JSON").into_response();
    };
    let mut app = app.clone();
    app.backend.audience = audience;
    match value(&app, said).await {
        Ok(said) => {
            head.headers.remove(header::CONTENT_LENGTH);
            Response::from_parts(head, Body::from(said.to_string()))
        }
        Err(error) => ApiError::from(error).into_response(),
    }
}

/// An answer, as whoever asks may read it.
pub(super) async fn seen<T: Serialize + DeserializeOwned>(app: &App, answer: T) -> Result<T, AppError> {
    if app.backend.audience.sees_all() {
        return Ok(answer);
    }
    let broken = |error: serde_json::Error| {
        AppError::new("internal", format!("an answer cannot be told in parts: {error}"))
    };
    let said = value(app, serde_json::to_value(answer).map_err(broken)?).await?;
    serde_json::from_value(said).map_err(broken)
}

/// What is said, for whoever asks.
pub(super) async fn value(app: &App, said: Value) -> Result<Value, AppError> {
    if app.backend.audience.sees_all() {
        return Ok(said);
    }
    app.slow(move |backend, reader| Ok(subjects::veiled(backend, reader, said))).await
}

/// An event of a stream, for whoever follows it.
pub(super) fn event(filter: &Filter, state: &State, told: &Told) -> Bytes {
    let row = told.row();
    let about = &row.about;
    let seen: Vec<&String> =
        [&about.wants, &about.runs, &about.plans, &about.trials].into_iter().flatten().collect();
    let mut ids = |id: &str| {
        let (id, _) = id.split_once('-').unwrap_or((id, ""));
        seen.iter().any(|seen| *seen == id)
    };
    let said = veil(filter.audience(), state, &mut ids, serde_json::json!(row));
    let mut bytes = Vec::new();
    write(&mut bytes, row.seq, "event", &said);
    bytes.into()
}
