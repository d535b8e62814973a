//! The event log, for reading.

use super::super::extract::Query;
use super::Answer;
use crate::api::{EventPage, EventsQuery};
use crate::app::events;
use crate::state::App;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/events", get(list))
}

async fn list(app: App, Query(query): Query<EventsQuery>) -> Answer<EventPage> {
    Ok(Json(events::list(&app, query).await?))
}
