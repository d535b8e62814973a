//! The event log.

use super::answer::Answer;
use super::viewer::Viewer;
use crate::api::{EventRow, EventsQuery};
use crate::app::{cursor, events, Context as _};
use crate::extract::Query;
use crate::state::App;
use crate::veiled::seen;
use axum::extract::Path;
use axum::routing::get;
use axum::Router;
use databuild_ui::pages;
use serde::Deserialize;

/// Events before and after one that may follow from the same.
const NEAR: u64 = 1_000;
/// Of these, so many before it and so many after it are shown.
const SHOWN: usize = 10;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/events", get(list)).route("/events/{seq}", get(one))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    kind: String,
    actor: String,
    run: String,
    want: String,
    cause: String,
    dataset: String,
    #[serde(rename = "ref")]
    reference: String,
    job: String,
    sort: String,
    limit: Option<usize>,
    after: String,
    before: String,
}

async fn list(app: App, viewer: Viewer, Query(query): Query<ListQuery>) -> Answer {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let query = EventsQuery {
        kind: some(query.kind),
        actor: some(query.actor),
        run: some(query.run),
        want: some(query.want),
        cause: some(query.cause),
        dataset: some(query.dataset),
        reference: some(query.reference),
        job: some(query.job),
        sort: some(query.sort),
        limit: query.limit,
        after: cursor(some(query.after).as_deref())?,
        before: cursor(some(query.before).as_deref())?,
    };
    let order = pages::events::order(&query).to_owned();
    let rows = events::list(&app, EventsQuery { sort: Some(order), ..query.clone() }).await?;
    let rows = seen(&app, rows).await?;
    Ok(viewer.shown(&pages::events::page(&rows, &query, events::KINDS, viewer.now)))
}

async fn one(app: App, viewer: Viewer, Path(seq): Path<String>) -> Answer {
    let row = events::get(&app, &seq).await?;
    let same = seen(&app, same_cause(&app, &row).await?).await?;
    let row = seen(&app, row).await?;
    let before = neighbor(&app, row.seq, viewer.site.seq, "newest").await?;
    let after = neighbor(&app, row.seq, viewer.site.seq, "oldest").await?;
    let shown = pages::event::Event { row: &row, same: &same, before, after };
    Ok(viewer.shown(&pages::event::page(&shown, viewer.now)))
}

/// The number of the event before another one, if the newest are first, or after it, of those that whoever asks may see.
async fn neighbor(app: &App, of: u64, last: u64, order: &str) -> Result<Option<u64>, crate::app::AppError> {
    let is_before = order == "newest";
    if app.backend.audience.sees_all() {
        let next = if is_before { of.saturating_sub(1) } else { of + 1 };
        return Ok((1..=last).contains(&next).then_some(next));
    }
    let query = EventsQuery {
        before: is_before.then_some(of),
        after: (!is_before).then_some(of),
        sort: Some(order.to_owned()),
        limit: Some(1),
        ..EventsQuery::default()
    };
    match events::list(app, query).await {
        Ok(found) => Ok(found.data.first().map(|row| row.seq)),
        // What is archived is told one by one.
        Err(error) if error.code() == "events_archived" => Ok(None),
        Err(error) => Err(error),
    }
}

/// Events near one that follow from the same, with itself, oldest first.
async fn same_cause(app: &App, row: &EventRow) -> Result<Vec<EventRow>, crate::app::AppError> {
    let Some(cause) = &row.cause else { return Ok(Vec::new()) };
    let near = |after: u64, before: u64, order: &str| EventsQuery {
        cause: Some(cause.id.clone()),
        after: Some(after),
        before: Some(before),
        sort: Some(order.to_owned()),
        limit: Some(SHOWN),
        ..EventsQuery::default()
    };
    // What is archived is told one by one.
    let archived = app.quick(|_, reader| Ok(reader.events(None, 0)?.value.archived)).await?;
    let first = row.seq.saturating_sub(NEAR).max(archived.0);
    let mut found = events::list(app, near(first, row.seq, "newest")).await?.data;
    found.reverse();
    found.push(row.clone());
    if row.seq >= archived.0 {
        found.extend(events::list(app, near(row.seq, row.seq + NEAR, "oldest")).await?.data);
    }
    Ok(found)
}
