//! What is noted of each request: a span, a line of the log, a count, and how long it took.
//!
//! Invariants:
//! - Every request has an id, its own or one of ours: it stands in the answer, in the log, and in the events that the request
//!   brings about.
//! - Labels come from closed lists: a request to no route counts for all such together, and so does one with a method of its own.

use super::caller::{RequestId, REQUEST_ID};
use super::next::Next;
use super::state::App;
use axum::extract::{MatchedPath, Request};
use axum::http::{header, HeaderValue, Method};
use axum::response::Response;
use std::time::Instant;
use tracing::field::Empty;
use tracing::Instrument as _;

/// The route of a request that fits none.
const NO_ROUTE: &str = "none";
/// Routes that are asked again and again by programs which only look whether the server lives. They make no lines unless those of
/// debugging are shown.
const PROBES: [&str; 5] = ["/health", "/healthz", "/api/health", "/ready", "/metrics"];

/// Gives a request its id, and notes what came of it.
pub(super) async fn noted(app: &App, mut request: Request, next: impl Next) -> Response {
    let began = Instant::now();
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map_or(NO_ROUTE, MatchedPath::as_str);
    let method = word(request.method());
    let id = RequestId::of(request.headers());
    request.extensions_mut().insert(id.clone());
    let shown = id.logged();
    // What is known is said at once: to say it later would write the span's fields anew.
    let span = match spoken_of(request.uri().path()) {
        Some(("want", want)) => {
            tracing::info_span!("request", id = %shown, method, route, %want, run = Empty)
        }
        Some((_, run)) => tracing::info_span!("request", id = %shown, method, route, want = Empty, %run),
        None => tracing::info_span!("request", id = %shown, method, route, want = Empty, run = Empty),
    };
    let mut response = next.run(request).instrument(span.clone()).await;
    let status = response.status().as_u16();
    if let Some(made) = response.headers().get(header::LOCATION).and_then(|made| made.to_str().ok()) {
        if let Some((noun, id)) = spoken_of(made) {
            span.record(noun, id);
        }
    }
    if let Ok(id) = HeaderValue::from_bytes(id.as_bytes()) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    let took = began.elapsed();
    app.requests.note(method, route, status, took.as_secs_f64());
    let ms = took.as_secs_f64() * 1e3;
    span.in_scope(|| {
        if PROBES.contains(&route) {
            tracing::debug!(status, ms = %format_args!("{ms:.1}"), "answered");
        } else {
            tracing::info!(status, ms = %format_args!("{ms:.1}"), "answered");
        }
    });
    response
}

/// The want or the run that a path leads to: which of them, and its id.
fn spoken_of(path: &str) -> Option<(&'static str, &str)> {
    let mut parts = path.split('/').skip_while(|part| !matches!(*part, "wants" | "runs" | "job_runs"));
    let noun = match parts.next() {
        Some("wants") => "want",
        Some(_) => "run",
        None => return None,
    };
    // What is no id is told by the answer.
    let is_id = |id: &&str| id.len() < 24 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    parts.next().filter(is_id).map(|id| (noun, id))
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
