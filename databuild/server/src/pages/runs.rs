//! Runs.

use super::answer::{refused, to, Answer};
use super::form::Sent;
use super::run_log::{self, Asked};
use super::viewer::Viewer;
use crate::api::RunsQuery;
use crate::app::{cursor, runs};
use crate::extract::Query;
use crate::state::App;
use crate::store::RunState;
use crate::veiled::seen;
use axum::extract::Path;
use axum::routing::get;
use axum::Router;
use databuild_core::word::Word as _;
use databuild_ui::layout::Place as Where;
use databuild_ui::links;
use databuild_ui::pages;
use databuild_ui::pages::ask::Ask;
use serde::Deserialize;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/runs", get(list)).route("/runs/{id}", get(one).post(act))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    job: String,
    state: String,
    partition: String,
    limit: Option<usize>,
    cursor: Option<String>,
}

async fn list(app: App, viewer: Viewer, Query(query): Query<ListQuery>) -> Answer {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    let query = RunsQuery {
        job: some(query.job),
        state: some(query.state),
        partition: some(query.partition),
        limit: query.limit,
        cursor: query.cursor,
        sort: None,
    };
    let rows = seen(&app, runs::list(&app, query.clone()).await?).await?;
    let states: Vec<&str> = RunState::ALL.iter().map(|state| state.word()).collect();
    let total = runs::total(&app).await?;
    Ok(viewer.shown(&pages::runs::page(&rows, &query, &states, total, viewer.now)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OneQuery {
    attempt: Option<u32>,
    from: Option<String>,
    search: String,
    ask: String,
}

async fn one(app: App, viewer: Viewer, Path(id): Path<String>, Query(query): Query<OneQuery>) -> Answer {
    let run = runs::parse(&id)?;
    if !query.ask.is_empty() {
        return ask(&app, &viewer, &id, &query.ask).await;
    }
    let detail = seen(&app, runs::get(&app, run).await?).await?;
    let why = seen(&app, runs::why(&app, run).await?).await?;
    let from = query.from.filter(|from| !from.is_empty());
    let asked = Asked { attempt: query.attempt, from: cursor(from.as_deref())?, search: query.search };
    let number = |number: Option<u32>| number.map_or_else(String::new, |number| number.to_string());
    let url = links::run(&id)
        .with("attempt", number(query.attempt))
        .with("from", from.unwrap_or_default())
        .with("search", &asked.search);
    let log = run_log::log(&app, run, &detail, asked).await?;
    let shown = pages::run::Run {
        detail: &detail,
        why: &why,
        log,
        may: viewer.may(url.path()),
        compares: viewer.may_read_whole("/api/v1/compare"),
        url,
    };
    Ok(viewer.shown(&pages::run::page(&shown, viewer.now)))
}

/// What an action would do.
async fn ask(app: &App, viewer: &Viewer, id: &str, what: &str) -> Answer {
    let detail = seen(app, runs::get(app, runs::parse(id)?).await?).await?;
    if what != "cancel" {
        return Err(refused("bad_query", format!("a run has no action `{what}`")));
    }
    let ask = Ask {
        place: Where::Runs,
        question: format!("Cancel {id}?"),
        follows: vec![
            format!(
                "{id} makes {}. Its job is told to end and has its grace, then it is killed.",
                detail.run.partition
            ),
            "Nothing of this attempt is published; what is there stays as it is.".to_owned(),
            "Whoever wants these partitions fails, and so does what is to be made from them.".to_owned(),
        ],
        label: "Cancel the run",
        action: links::run(id),
        fields: vec![("action", "cancel")],
        back: links::run(id),
        command: format!("cancel {id}"),
    };
    Ok(viewer.shown(&pages::ask::page(&ask, viewer.may(links::run(id).path()))))
}

async fn act(app: App, Path(id): Path<String>, sent: Sent) -> Answer {
    match sent.get("action") {
        "cancel" => runs::cancel(&app, runs::parse(&id)?).await?,
        other => return Err(refused("bad_query", format!("a run has no action `{other}`"))),
    };
    Ok(to(&links::run(&id)))
}
