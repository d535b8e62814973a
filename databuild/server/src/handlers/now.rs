//! What goes on now.

use super::super::extract::Query;
use super::Answer;
use crate::api::{Now, NowQuery};
use crate::app::now;
use crate::state::App;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new().route("/now", get(one))
}

async fn one(app: App, Query(query): Query<NowQuery>) -> Answer<Now> {
    Ok(Json(now::get(&app, query).await?))
}
