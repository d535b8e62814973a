//! Graphs that were registered, what each changed, and what is done about that.

use super::answer::{refused, to, Answer};
use super::form::Sent;
use super::viewer::Viewer;
use crate::api::{
    AcceptRequest, CreateTrial, DiffView, EventRow, EventsQuery, ListQuery as Listed, SampleTrial,
    TrialDetail, TrialQuery,
};
use crate::app::{events, graphs, judgements, pull_request, trials, AppError};
use crate::extract::Query;
use crate::state::App;
use crate::veiled::seen;
use axum::extract::Path;
use axum::routing::get;
use axum::Router;
use databuild_ui::links;
use databuild_ui::pages;
use serde::Deserialize;

/// Graphs of one page: what each changed is read from its file.
const ROWS: usize = 25;
/// Acceptances that are shown.
const ACCEPTED: usize = 50;
/// Comparisons that are shown.
const COMPARISONS: usize = 3;

/// The routes of this noun.
pub(super) fn routes() -> Router<App> {
    Router::new().route("/changes", get(list)).route("/changes/{graph}", get(one).post(act))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ListQuery {
    cursor: Option<String>,
}

async fn list(app: App, viewer: Viewer, Query(query): Query<ListQuery>) -> Answer {
    let is_first = query.cursor.is_none();
    let rows = graphs::list(&app, Listed { limit: Some(ROWS), cursor: query.cursor }).await?;
    let is_part = !app.backend.audience.sees_all();
    let rows = seen(&app, rows).await?;
    Ok(viewer.shown(&pages::changes::page(&rows, is_first, is_part, viewer.now)))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct OneQuery {
    base: String,
    ask: String,
    job: String,
}

async fn one(app: App, viewer: Viewer, Path(id): Path<String>, Query(query): Query<OneQuery>) -> Answer {
    let base = Some(query.base).filter(|base| !base.is_empty());
    if !query.ask.is_empty() {
        return judge(&app, &viewer, id, &query.ask, query.job).await;
    }
    // What differs is about all that there is.
    if !app.backend.audience.sees_all() {
        let head = seen(&app, graphs::detail(&app, id).await?).await?;
        let may = viewer.may(links::change(head.graph.number).path());
        let shown = pages::change::Change {
            head: &head,
            is_part: true,
            base: None,
            diff: None,
            markdown: "",
            trials: &[],
            accepted: &[],
            may,
        };
        return Ok(viewer.shown(&pages::change::page(&shown, viewer.now)));
    }
    let found = graphs::changed(&app, id, base).await?;
    let markdown = found.diff.as_ref().map(|diff| pull_request::lines(diff).join("\n")).unwrap_or_default();
    let trials = found.diff.as_ref().map(|diff| comparisons(&app, diff));
    let trials = match trials {
        Some(trials) => trials.await?,
        None => Vec::new(),
    };
    let accepted = match &found.diff {
        Some(diff) => accepted(&app, diff, found.head.graph.number, found.until).await?,
        None => Vec::new(),
    };
    let shown = pages::change::Change {
        head: &found.head,
        is_part: false,
        base: found.base.as_ref(),
        diff: found.diff.as_ref(),
        markdown: &markdown,
        trials: &trials,
        accepted: &accepted,
        may: viewer.may(links::change(found.head.graph.number).path()),
    };
    Ok(viewer.shown(&pages::change::page(&shown, viewer.now)))
}

/// The newest comparisons of jobs that differ.
async fn comparisons(app: &App, diff: &DiffView) -> Result<Vec<TrialDetail>, AppError> {
    let kept = trials::list(app, &Listed { limit: None, cursor: None })?.data;
    let is_of = |label: &str| diff.jobs.iter().any(|job| job.job == label);
    let of = kept.into_iter().filter(|trial| trial.kind == "compare" && is_of(&trial.job));
    let mut found = Vec::new();
    for trial in of.take(COMPARISONS) {
        found.push(trials::get(app, trials::parse(&trial.id)?, &TrialQuery::default()).await?);
    }
    Ok(found)
}

/// What was accepted of jobs that differ, while new work followed the graph.
async fn accepted(
    app: &App,
    diff: &DiffView,
    from: u64,
    until: Option<u64>,
) -> Result<Vec<EventRow>, AppError> {
    let query = EventsQuery {
        kind: Some("code_accepted".to_owned()),
        sort: Some("newest".to_owned()),
        after: Some(from),
        before: until,
        limit: Some(ACCEPTED),
        ..EventsQuery::default()
    };
    let found = match events::list(app, query).await {
        Ok(found) => found.data,
        // What is archived is told one by one.
        Err(error) if error.code() == "events_archived" => Vec::new(),
        Err(error) => return Err(error),
    };
    let is_of = |row: &EventRow| diff.jobs.iter().any(|job| row.data["job"] == *job.job);
    Ok(found.into_iter().filter(is_of).collect())
}

/// The newest comparison of a job that came out equal: it speaks for accepting the change.
fn evidence(app: &App, job: &str) -> Result<String, AppError> {
    let kept = trials::list(app, &Listed { limit: None, cursor: None })?.data;
    let mut of = kept.into_iter().filter(|trial| trial.kind == "compare" && trial.job == job);
    Ok(of.next().filter(|newest| newest.state == "equal").map(|trial| trial.id).unwrap_or_default())
}

/// What can be done about a job that changed.
async fn judge(app: &App, viewer: &Viewer, id: String, what: &str, job: String) -> Answer {
    if what != "judge" {
        return Err(refused("bad_query", format!("a graph has no action `{what}`")));
    }
    let graph = graphs::detail(app, id).await?.graph;
    if !graph.current {
        let message =
            format!("new work does not follow graph {} any more, so nothing is judged by it", graph.number);
        return Err(refused("graph_replaced", message));
    }
    let preview = judgements::accept(app, request(job.clone(), "", None, true)).await?;
    Ok(viewer.shown(&pages::change::judge(
        graph.number,
        &job,
        &preview,
        &evidence(app, &job)?,
        viewer.may(links::change(graph.number).path()),
    )))
}

fn request(job: String, reason: &str, evidence: Option<String>, dry_run: bool) -> AcceptRequest {
    AcceptRequest { targets: Vec::new(), job: Some(job), reason: reason.to_owned(), evidence, dry_run }
}

async fn act(app: App, Path(id): Path<String>, sent: Sent) -> Answer {
    let graph = graphs::detail(&app, id).await?.graph;
    let job = sent.get("job").to_owned();
    match sent.get("action") {
        "accept" => {
            judgements::accept(&app, request(job, sent.get("reason"), sent.some("evidence"), false)).await?;
        }
        "compare" => {
            let sample = SampleTrial { job: Some(job), ..SampleTrial::default() };
            trials::create(&app, CreateTrial::Compare(sample), None).await?;
        }
        other => return Err(refused("bad_query", format!("a graph has no action `{other}`"))),
    }
    Ok(to(&links::change(graph.number)))
}
