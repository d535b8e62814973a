//! Runs, attempts and their logs.

use super::super::error::ApiError;
use super::super::extract::Query;
use super::super::log_lines::Form;
use super::super::logs::{self, Printed};
use super::{last_event, Answer};
use crate::api::{Page, ReproductionQuery, ReproductionView, RunDetail, RunRow, RunsQuery, WhyWork};
use crate::app::{cursor, limit_of, runs};
use crate::executor::LogFrom;
use crate::state::App;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Deserialize;
use std::time::Duration;

/// Longest wait for more of a log.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Lines of an answer, if the request does not say.
const LINES: usize = 1000;

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/runs", get(list))
        .route("/runs/{id}", get(one).delete(cancel))
        .route("/runs/{id}/why", get(why))
        .route("/runs/{id}/reproduction", get(reproduction))
        .route("/runs/{id}/logs", get(lines))
        .route("/runs/{id}/logs/{stream}", get(logs))
}

/// Those of the first plan for this API, below `/api`.
pub(crate) fn seed_routes() -> Router<App> {
    Router::new()
        .route("/job_runs", get(list))
        .route("/job_runs/{id}", get(one).delete(cancel))
        .route("/job_runs/{id}/logs", get(lines))
        .route("/job_runs/{id}/logs/{stream}", get(logs))
}

async fn list(app: App, Query(query): Query<RunsQuery>) -> Answer<Page<RunRow>> {
    Ok(Json(runs::list(&app, query).await?))
}

async fn one(app: App, Path(id): Path<String>) -> Answer<RunDetail> {
    Ok(Json(runs::get(&app, runs::parse(&id)?).await?))
}

async fn cancel(app: App, Path(id): Path<String>) -> Answer<RunDetail> {
    Ok(Json(runs::cancel(&app, runs::parse(&id)?).await?))
}

async fn why(app: App, Path(id): Path<String>) -> Answer<WhyWork> {
    Ok(Json(runs::why(&app, runs::parse(&id)?).await?))
}

async fn reproduction(
    app: App,
    Path(id): Path<String>,
    Query(query): Query<ReproductionQuery>,
) -> Answer<ReproductionView> {
    Ok(Json(runs::reproduction(&app, runs::parse(&id)?, query).await?))
}

/// Query of [`logs`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LogsQuery {
    attempt: Option<u32>,
    offset: Option<u64>,
    limit: Option<u64>,
    tail: Option<u64>,
    wait_ms: Option<u64>,
    #[serde(default)]
    follow: bool,
}

/// `GET /runs/{id}/logs/{stream}`.
///
/// # Errors
/// No such run or attempt, no such stream, or the log is gone.
async fn logs(
    app: App,
    Path((id, stream)): Path<(String, String)>,
    headers: HeaderMap,
    Query(query): Query<LogsQuery>,
) -> Result<Response, ApiError> {
    let limit = limit_of("bytes", query.limit, logs::MOST, logs::MOST)?;
    let log = Printed::of_run(&app, &id, query.attempt).await?.log(logs::stream(&stream)?);
    if query.follow {
        Ok(log.follow(&app, last_event(&headers).or(query.offset).unwrap_or(0)))
    } else {
        let from = query.tail.map_or(LogFrom::Begin(query.offset.unwrap_or(0)), LogFrom::End);
        log.read(&app, from, limit, patience(query.wait_ms)).await
    }
}

/// Query of [`lines`].
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinesQuery {
    attempt: Option<u32>,
    stream: Option<String>,
    cursor: Option<String>,
    limit: Option<usize>,
    wait_ms: Option<u64>,
    #[serde(default)]
    follow: bool,
    format: Option<Format>,
}

/// How an answer has lines.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// In one JSON object.
    Json,
    /// Each in a JSON object of its own.
    Ndjson,
    /// As people read them.
    Text,
}

/// `GET /runs/{id}/logs`.
///
/// # Errors
/// No such run or attempt, no such stream, a bad cursor, or the log is gone.
async fn lines(
    app: App,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(query): Query<LinesQuery>,
) -> Result<Response, ApiError> {
    let only = query.stream.as_deref().map(logs::stream).transpose()?;
    let from = cursor(query.cursor.as_deref())?;
    let form = query.format.and_then(|format| match format {
        Format::Json => None,
        Format::Ndjson => Some(Form::Json),
        Format::Text => Some(Form::Text),
    });
    let (usual, most) = if form.is_some() { (logs::PRINTED, logs::PRINTED) } else { (LINES, logs::LINES) };
    let most = limit_of("lines", query.limit, usual, most)?;
    let lines = Printed::of_run(&app, &id, query.attempt).await?.lines(only);
    if query.follow {
        Ok(lines.follow(&app, last_event(&headers).or(from).unwrap_or_default()))
    } else {
        let (from, wait) = (from.unwrap_or_default(), patience(query.wait_ms));
        match form {
            Some(form) => lines.print(&app, from, most, wait, form).await,
            None => Ok(Json(lines.read(&app, from, most, wait).await?).into_response()),
        }
    }
}

/// How long a client waits for more of a log.
fn patience(wait_ms: Option<u64>) -> Duration {
    Duration::from_millis(wait_ms.unwrap_or(0)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::super::super::fuzz::app;
    use super::*;

    #[tokio::test]
    async fn none_of_a_log_cannot_be_asked_for() {
        let (app, _running) = app();
        let no_headers = HeaderMap::new;
        let refused = |answer: Result<Response, ApiError>| answer.unwrap_err().body;
        for path in ["/?limit=0", "/?limit=0&follow=true"] {
            let uri = axum::http::Uri::from_static(path);
            let query = axum::extract::Query::<LinesQuery>::try_from_uri(&uri).unwrap().0;
            let body = refused(lines(app.clone(), Path("r1".to_owned()), no_headers(), Query(query)).await);
            assert_eq!(body.message, "`limit` is 0: say how many lines, at most 10000", "{path}");
            let query = axum::extract::Query::<LogsQuery>::try_from_uri(&uri).unwrap().0;
            let id = Path(("r1".to_owned(), "stdout".to_owned()));
            let body = refused(logs(app.clone(), id, no_headers(), Query(query)).await);
            assert_eq!(body.error, "bad_query", "{path}");
        }
    }
}
