//! What checks found.

use super::super::extract::Query;
use super::Answer;
use crate::api::{CheckRow, ChecksQuery, Page};
use crate::app::checks;
use crate::state::App;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/checks", get(list))
}

async fn list(app: App, Query(query): Query<ChecksQuery>) -> Answer<Page<CheckRow>> {
    Ok(Json(checks::list(&app, query).await?))
}
