//! One file for each noun of the API, with its routes beside their handlers. Paths are below `/api/v1`, unless a file says otherwise.
//!
//! What stands above a handler is what [`crate::document`] tells of its route: its first sentence, what else there is to say, what it
//! takes and answers. The "default" answer has the codes of its errors, and in capitals groups of them.

pub(super) mod checks;
pub(super) mod compare;
pub(super) mod contents;
pub(super) mod datasets;
pub(super) mod errors;
pub(super) mod events;
pub(super) mod graphs;
pub(super) mod inventory;
pub(super) mod judgements;
pub(super) mod keys;
pub(super) mod mcp;
pub(super) mod metrics;
pub(super) mod now;
pub(super) mod openapi;
pub(super) mod partitions;
pub(super) mod plans;
pub(super) mod pools;
pub(super) mod queue;
pub(super) mod runs;
pub(super) mod schedules;
pub(super) mod server;
pub(super) mod sessions;
pub(super) mod timeline;
pub(super) mod tokens;
pub(super) mod trials;
pub(super) mod wants;

use super::error::ApiError;
use crate::engine::Created;
use axum::http::{header, HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::Json;
use serde::Serialize;

/// What most handlers answer.
type Answer<T> = Result<Json<T>, ApiError>;

/// The answer to a request that makes something: 201, or 200 if an earlier request with its key made it. `path` is that of all
/// such things.
fn created<T: Serialize>(path: &str, id: &str, Created { made, repeated }: Created<T>) -> Response {
    let status = if repeated { StatusCode::OK } else { StatusCode::CREATED };
    let location = [(header::LOCATION, format!("/api/v1/{path}/{id}"))];
    (status, location, Json(made)).into_response()
}

/// Where a client that follows something was, when it comes again.
fn last_event<T: std::str::FromStr>(headers: &HeaderMap) -> Option<T> {
    headers.get("last-event-id")?.to_str().ok()?.parse().ok()
}
