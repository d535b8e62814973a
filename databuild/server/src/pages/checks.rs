//! Checks of data.

use super::answer::Answer;
use super::viewer::Viewer;
use crate::api::{ChecksQuery, ListQuery as Listed};
use crate::app::checks;
use crate::extract::Query;
use crate::state::App;
use crate::veiled::seen;
use axum::routing::get;
use axum::Router;
use databuild_core::event::CheckOutcome;
use databuild_core::word::Word as _;
use databuild_ui::pages;
use serde::Deserialize;

/// Rows of each of the two lists.
const ROWS: usize = 50;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/checks", get(list))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    check: String,
    #[serde(rename = "ref")]
    reference: String,
    outcome: String,
    from: String,
    cursor: String,
}

async fn list(app: App, viewer: Viewer, Query(query): Query<ListQuery>) -> Answer {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let from = some(query.from);
    let checks = checks::summary(&app, Listed { limit: Some(ROWS), cursor: from.clone() });
    let checks = seen(&app, checks.await?).await?;
    let query = ChecksQuery {
        reference: some(query.reference),
        check: some(query.check),
        outcome: some(query.outcome),
        failed: false,
        limit: Some(ROWS),
        cursor: some(query.cursor),
    };
    let query = ChecksQuery { failed: !pages::checks::is_of_some(&query), ..query };
    let found = seen(&app, checks::list(&app, query.clone()).await?).await?;
    let outcomes: Vec<&str> = CheckOutcome::ALL.iter().map(|outcome| outcome.word()).collect();
    let shown = pages::checks::Checks {
        checks: &checks,
        from: from.as_deref(),
        found: &found,
        query: &query,
        outcomes: &outcomes,
    };
    Ok(viewer.shown(&pages::checks::page(&shown, viewer.now)))
}
