//! What checks found.

use super::super::app::App;
use super::super::extract::Query;
use super::Answer;
use crate::api::{CheckRow, ChecksQuery, Page};
use crate::app::checks;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun.
pub(in crate::server) fn routes() -> Router<App> {
    Router::new().route("/checks", get(list))
}

async fn list(app: App, Query(query): Query<ChecksQuery>) -> Answer<Page<CheckRow>> {
    Ok(Json(checks::list(&app, query).await?))
}
