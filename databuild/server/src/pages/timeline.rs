//! Attempts on an axis of time.

use super::answer::Answer;
use super::viewer::Viewer;
use crate::api::TimelineQuery;
use crate::app::timeline;
use crate::extract::Query;
use crate::state::App;
use crate::veiled::seen;
use axum::routing::get;
use axum::Router;
use databuild_ui::pages;
use serde::Deserialize;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/timeline", get(page))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PageQuery {
    want: String,
    job: String,
    from: String,
    until: String,
    before: String,
}

async fn page(app: App, viewer: Viewer, Query(query): Query<PageQuery>) -> Answer {
    let some = |text: String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let query = TimelineQuery {
        want: some(query.want),
        job: some(query.job),
        from: some(query.from),
        until: some(query.until),
        before: some(query.before),
    };
    let found = seen(&app, timeline::get(&app, query.clone()).await?).await?;
    Ok(viewer.shown(&pages::timeline::page(&found, &query, viewer.now)))
}
