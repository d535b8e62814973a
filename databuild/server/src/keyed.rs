//! Requests that name themselves by the header `Idempotency-Key`: each is carried out once, and told the same again.
//!
//! Invariants:
//! - Every POST may name itself ([`once`] stands before all of them), and what succeeded under a name is a fact of the log, but for
//!   looks that do nothing ([`Kept::NotAsked`]).
//! - A name belongs to whoever gives it, the owner or the holder of a token: of what others named, nobody learns anything by it.
//! - What is done in the log is recorded together with the name. So a server that is killed has either done it and knows the name, or
//!   neither.
//! - Answers are kept without what is secret ([`Kept`]).

use super::asker::Asker;
use super::error::ApiError;
use super::extract::{json, whole};
use super::flights::Flight;
use super::next::Next;
use super::state::App;
use crate::app::{AppError, Context as _};
use crate::engine::CommandError;
use axum::body::{to_bytes, Body};
use axum::extract::{FromRequest, Request};
use axum::http::{header, HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse as _, Response};
use databuild_core::decide::repeated;
use databuild_core::digest::sha256_of_texts;
use databuild_core::event::{Event, KeptAnswer, Origin, RequestKey};
use databuild_core::ids::Seq;
use databuild_core::state::Made;
use serde::de::DeserializeOwned;
use tracing::Instrument as _;

/// The header, in lower case.
const HEADER: &str = "idempotency-key";
/// Longest key, in bytes.
const LONGEST: usize = 200;
/// Answers with more bytes are worked out anew for who sends the request again.
const MOST_KEPT: usize = 64 << 10;

/// What is kept of an answer instead of what it says, told by the handler.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    /// This, as the answer has a secret.
    Instead(KeptAnswer),
    /// Nothing: it is worked out anew.
    Nothing,
    /// Not even that it was asked for, as nothing was done.
    NotAsked,
}

/// A body with the name that the client gave to its request.
#[derive(Debug)]
pub struct Keyed<T> {
    /// None without the header.
    pub key: Option<RequestKey>,
    /// The body.
    pub body: T,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Keyed<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Keyed<T>, ApiError> {
        let (parts, bytes) = whole(request, state).await?;
        let key = parts.extensions.get().cloned();
        Ok(Keyed { key, body: json(parts, bytes, state).await? })
    }
}

/// Carries a request with a name out once.
pub(super) async fn once(app: &App, request: Request, next: impl Next + 'static) -> Response {
    if !request.headers().contains_key(HEADER) {
        return next.run(request).await;
    }
    match begun(app, request).await {
        Ok(Begun::Known(answer)) => answer,
        Ok(Begun::New(request, key, flight)) => {
            // It is carried out though its client may leave, for that will ask what came of it.
            let app = app.clone();
            let work = async move {
                let answer = carried_out(&app, request, key, next).await;
                drop(flight);
                answer
            };
            let done = tokio::spawn(work.in_current_span()).await;
            done.unwrap_or_else(|error| {
                ApiError::from(AppError::from(CommandError::from(error))).into_response()
            })
        }
        Err(error) => error.into_response(),
    }
}

enum Begun {
    Known(Response),
    New(Request, RequestKey, Flight),
}

async fn begun(app: &App, request: Request) -> Result<Begun, ApiError> {
    let key = key(request.headers())?.ok_or_else(bad_key)?;
    let (mut parts, bytes) = whole(request, &()).await?;
    let text = String::from_utf8_lossy(&bytes);
    let digest = sha256_of_texts([parts.method.as_str(), parts.uri.path(), &text]);
    let token = match parts.extensions.get() {
        Some(Asker::Holder { name, .. }) => Some(&**name),
        _ => None,
    };
    let key = RequestKey::of(token, &key, digest);
    // First, so that whoever finds no other under way finds what that one has recorded.
    let flight = app.flights.begin(&key.key).ok_or_else(|| {
        let message =
            format!("a request with the idempotency key `{}` is being carried out; ask again", key.said());
        ApiError::new("idempotency_key_in_flight", message)
    })?;
    let state = &app.backend.engine.snapshot().state;
    let known = repeated(state, Some(&key), crate::os::now()).map_err(AppError::from)?;
    if let Some(Made::Answer(seq)) = known {
        return Ok(Begun::Known(again(app, seq).await?));
    }
    parts.extensions.insert(key.clone());
    Ok(Begun::New(Request::from_parts(parts, Body::from(bytes)), key, flight))
}

/// The answer that an event has.
async fn again(app: &App, seq: Seq) -> Result<Response, ApiError> {
    let found = app.quick(move |_, reader| Ok(reader.event(seq)?.value)).await?;
    let Some(Event::RequestAnswered(answered)) = found.map(|record| record.event) else {
        return Err(ApiError::new("internal", "the event of a request has another meaning"));
    };
    let Some(KeptAnswer { status, content_type, location, body }) = answered.answer else {
        return Err(ApiError::new("internal", "the event of a request has no answer"));
    };
    let mut answer = Response::new(Body::from(body));
    // Nothing came into being this time.
    *answer.status_mut() = match StatusCode::from_u16(status) {
        Ok(StatusCode::CREATED) | Err(_) => StatusCode::OK,
        Ok(status) => status,
    };
    for (name, value) in [(header::CONTENT_TYPE, content_type), (header::LOCATION, location)] {
        let value = HeaderValue::try_from(value).ok().filter(|value| !value.is_empty());
        answer.headers_mut().extend(value.map(|value| (name, value)));
    }
    Ok(answer)
}

/// Carries it out, and records what it is told if that was not recorded with what was done.
async fn carried_out(app: &App, request: Request, key: RequestKey, next: impl Next) -> Response {
    let origin = request.extensions().get::<Origin>().cloned().unwrap_or_default();
    let engine = app.backend.engine.on_behalf_of(origin).under(Some(key.clone()));
    let answer = next.run(request).await;
    if !answer.status().is_success() || matches!(answer.extensions().get(), Some(Kept::NotAsked)) {
        return answer;
    }
    let known =
        || app.backend.engine.snapshot().state.requests().get(&key.key, crate::os::now()).map(|of| of.made);
    let is_marked = match known() {
        None => false,
        Some(Made::Done) => true,
        Some(_) => return answer,
    };
    let (answer, kept) = match kept(answer).await {
        Ok(both) => both,
        Err(error) => return error.into_response(),
    };
    if is_marked && kept.is_none() {
        return answer;
    }
    match engine.answered(kept).await {
        Ok(()) => answer,
        // It will be worked out anew.
        Err(_) if is_marked => answer,
        Err(error) => ApiError::from(AppError::from(error)).into_response(),
    }
}

/// What is kept of an answer.
async fn kept(answer: Response) -> Result<(Response, Option<KeptAnswer>), ApiError> {
    match answer.extensions().get() {
        Some(Kept::Nothing | Kept::NotAsked) => return Ok((answer, None)),
        Some(Kept::Instead(kept)) => {
            let kept = kept.clone();
            return Ok((answer, Some(kept)));
        }
        None => {}
    }
    let (head, body) = answer.into_parts();
    let body = to_bytes(body, usize::MAX).await;
    let body = body.map_err(|error| ApiError::new("internal", format!("an answer broke off: {error}")))?;
    let text = std::str::from_utf8(&body).ok().filter(|text| text.len() <= MOST_KEPT);
    let header = |name| {
        let value = head.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let kept = text.map(|text| KeptAnswer {
        status: head.status.as_u16(),
        content_type: header(header::CONTENT_TYPE),
        location: header(header::LOCATION),
        body: text.to_owned(),
    });
    Ok((Response::from_parts(head, Body::from(body)), kept))
}

/// The key of a request's headers.
fn key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(HEADER).iter();
    let Some(value) = values.next() else { return Ok(None) };
    let text = value.to_str().ok().filter(|text| {
        let good = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
        !text.trim().is_empty() && text.len() <= LONGEST && text.bytes().all(good)
    });
    match (text, values.next()) {
        (Some(text), None) => Ok(Some(text.to_owned())),
        (None, _) | (_, Some(_)) => Err(bad_key()),
    }
}

fn bad_key() -> ApiError {
    let message = format!("send one Idempotency-Key of 1 to {LONGEST} printable ASCII characters");
    ApiError::new("bad_idempotency_key", message)
}

#[cfg(test)]
mod tests;
