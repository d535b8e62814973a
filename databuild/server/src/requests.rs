//! What is noted of each request: a span, a line of the log, a count, and how long it took.
//!
//! Invariants:
//! - Every request has an id, its own or one of ours: it stands in the answer, in the log, and in the events that the request
//!   brings about.
//! - Labels come from closed lists: a request to no route counts for all such together, and so does one with a method of its own.

use super::caller::{RequestId, REQUEST_ID};
use super::state::App;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{header, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use std::time::Instant;
use tracing::field::{display, Empty};
use tracing::Instrument as _;

/// The route of a request that fits none.
const NO_ROUTE: &str = "none";
/// Routes that are asked again and again by programs which only look whether the server lives. They make no lines unless those of
/// debugging are shown.
const PROBES: [&str; 5] = ["/health", "/healthz", "/api/health", "/ready", "/metrics"];

/// Gives a request its id, and notes what came of it.
pub(super) async fn noted(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let method = word(request.method());
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let span = tracing::info_span!("request", %id, method, route, want = Empty, run = Empty, status = Empty);
    speak_of(&span, request.uri().path());
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    if let Some(made) = response.headers().get(header::LOCATION).and_then(|made| made.to_str().ok()) {
        speak_of(&span, made);
    }
    span.record("status", status);
    if let Ok(id) = HeaderValue::from_bytes(id.as_bytes()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let took = began.elapsed();
    app.requests.note(method, route, status, took.as_secs_f64());
    let ms = format_args!("{:.1}", took.as_secs_f64() * 1e3).to_string();
    span.in_scope(|| {
        if PROBES.contains(&route) {
            tracing::debug!(ms, "answered");
        } else {
            tracing::info!(ms, "answered");
        }
    });
    response
}

/// Names the want or the run that a path leads to.
fn speak_of(span: &tracing::Span, path: &str) {
    let mut parts = path.split('/').skip_while(|part| !matches!(*part, "wants" | "runs" | "job_runs"));
    let noun = match parts.next() {
        Some("wants") => "want",
        Some(_) => "run",
        None => return,
    };
    // What is no id is told by the answer.
    let is_id = |id: &&str| id.len() < 24 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if let Some(id) = parts.next().filter(is_id) {
        span.record(noun, display(id));
    }
}

/// A method, of those that routes have.
fn word(method: &Method) -> &'static str {
    let known = [
        (Method::GET, "GET"),
        (Method::HEAD, "HEAD"),
        (Method::POST, "POST"),
        (Method::PUT, "PUT"),
        (Method::DELETE, "DELETE"),
        (Method::OPTIONS, "OPTIONS"),
    ];
    known.into_iter().find(|(known, _)| known == method).map_or("other", |(_, word)| word)
}

#[cfg(test)]
mod tests;
