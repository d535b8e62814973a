//! What differs between two runs, or between a run and now.

use super::answer::Answer;
use super::viewer::Viewer;
use crate::api::CompareQuery;
use crate::app::compare;
use crate::extract::Query;
use crate::state::App;
use axum::routing::get;
use axum::Router;
use databuild_ui::pages;
use serde::Deserialize;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/compare", get(two))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct TwoQuery {
    a: String,
    b: String,
}

async fn two(app: App, viewer: Viewer, Query(query): Query<TwoQuery>) -> Answer {
    if query.a.is_empty() {
        return Ok(viewer.shown(&pages::compare::ask()));
    }
    let query = CompareQuery { a: query.a, b: Some(query.b).filter(|text| !text.is_empty()) };
    let found = compare::get(&app, query.clone()).await?;
    Ok(viewer.shown(&pages::compare::page(&found, &query, viewer.now)))
}
