//! The event log, for reading.

use super::super::error::ApiError;
use super::super::extract::Query;
use super::super::follow::follow;
use super::{last_event, Answer};
use crate::api::{EventPage, EventRow, EventsQuery};
use crate::app::events;
use crate::state::App;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/events", get(list))
        .route("/events/stream", get(stream))
        .route("/events/{seq}", get(one))
}

async fn list(app: App, Query(query): Query<EventsQuery>) -> Answer<EventPage> {
    Ok(Json(events::list(&app, query).await?))
}

async fn one(app: App, Path(seq): Path<String>) -> Answer<EventRow> {
    Ok(Json(events::get(&app, &seq).await?))
}

/// `GET /events/stream`.
///
/// # Errors
/// The query is bad.
async fn stream(
    app: App,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, ApiError> {
    if query.limit.is_some() {
        return Err(ApiError::new("bad_query", "a stream has no `limit`: it goes on as long as you read it"));
    }
    let after = last_event(&headers).or(query.after);
    let filter = events::filter(&app, query).await?;
    Ok(follow(&app, after, filter))
}
