//! Runs, attempts and their logs.

use super::super::error::ApiError;
use super::super::extract::Query;
use super::super::log_lines::Form;
use super::super::logs::{self, Printed};
use super::{last_event, Answer};
use crate::api::{
    Canceled, LogFormat, LogLines, Page, ReproductionQuery, ReproductionView, RunDetail, RunRow, RunsQuery,
    StreamEvent, WhyWork,
};
use crate::app::{cursor, limit_of, one_of, runs};
use crate::executor::{LogFrom, Stream};
use crate::state::App;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use databuild_core::word::Word as _;
use serde::Deserialize;
use std::time::Duration;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Longest wait for more of a log.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Lines of an answer, if the request does not say.
const LINES: usize = 1000;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(one, cancel))
        .routes(routes!(why))
        .routes(routes!(reproduction))
        .routes(routes!(lines))
        .routes(routes!(logs))
}

/// Those of the first plan for this API, below `/api`.
pub(crate) fn seed_routes() -> Router<App> {
    Router::new()
        .route("/job_runs", get(list))
        .route("/job_runs/{id}", get(one).delete(cancel))
        .route("/job_runs/{id}/logs", get(lines))
        .route("/job_runs/{id}/logs/{stream}", get(logs))
}

/// Runs, newest first.
///
/// `job` and `partition` of now also find runs under earlier names. A text that no dataset of now knows is looked
/// for at the beginning of the runs' partitions. A run with `trial` publishes nothing.
#[utoipa::path(
    get,
    path = "/runs",
    tag = "Runs",
    operation_id = "runs_list",
    params(RunsQuery),
    responses(
        (status = 200, body = Page<RunRow>),
        (status = "default", description = "LIST JOB REFERENCE RELATIVE bad_state bad_sort"),
    )
)]
async fn list(app: App, Query(query): Query<RunsQuery>) -> Answer<Page<RunRow>> {
    Ok(Json(runs::list(&app, query).await?))
}

/// A run, with its attempts.
///
/// It has at most 1000 results of `checks` and 1 MiB of them, 1 MiB of what its attempts returned, the last ones first, and `params` with all parameters of its job. `archive` is there if it
/// is [archived](operations.md#old-events).
#[utoipa::path(
    get,
    path = "/runs/{id}",
    tag = "Runs",
    operation_id = "runs_one",
    params(("id" = String, Path, description = "The run.", example = "r12")),
    responses(
        (status = 200, body = RunDetail),
        (status = "default", description = "invalid_run_id run_not_found archive_missing"),
    )
)]
async fn one(app: App, Path(id): Path<String>) -> Answer<RunDetail> {
    Ok(Json(runs::get(&app, runs::parse(&id)?).await?))
}

/// Stops a run.
///
/// Asking again is no error: `outcome` says what came of it.
#[utoipa::path(
    delete,
    path = "/runs/{id}",
    tag = "Runs",
    operation_id = "runs_cancel",
    params(("id" = String, Path, description = "The run.", example = "r12")),
    responses(
        (status = 200, body = Canceled<RunDetail>),
        (status = "default", description = "invalid_run_id run_not_found archive_missing WRITE"),
    )
)]
async fn cancel(app: App, Path(id): Path<String>) -> Answer<Canceled<RunDetail>> {
    Ok(Json(runs::cancel(&app, runs::parse(&id)?).await?))
}

/// What a run waits for.
///
/// The one thing: `kind`, `message` and what belongs to the kind, as in [cli.md](cli.md#why).
#[utoipa::path(
    get,
    path = "/runs/{id}/why",
    tag = "Runs",
    operation_id = "runs_why",
    params(("id" = String, Path, description = "The run.", example = "r12")),
    responses(
        (status = 200, body = WhyWork),
        (status = "default", description = "invalid_run_id run_not_found archive_missing"),
    )
)]
async fn why(app: App, Path(id): Path<String>) -> Answer<WhyWork> {
    Ok(Json(runs::why(&app, runs::parse(&id)?).await?))
}

/// What a process needs to be an attempt once more, in a folder of its own.
///
/// As [`shell`](cli.md#shell) has it. Values of inherited variables are not told.
#[utoipa::path(
    get,
    path = "/runs/{id}/reproduction",
    tag = "Runs",
    operation_id = "runs_reproduction",
    params(("id" = String, Path, description = "The run.", example = "r12"), ReproductionQuery),
    responses(
        (status = 200, body = ReproductionView),
        (status = "default", description = "invalid_run_id run_not_found attempt_not_found archive_missing not_reproducible"),
    )
)]
async fn reproduction(
    app: App,
    Path(id): Path<String>,
    Query(query): Query<ReproductionQuery>,
) -> Answer<ReproductionView> {
    Ok(Json(runs::reproduction(&app, runs::parse(&id)?, query).await?))
}

/// Query of `GET /runs/{id}/logs/{stream}`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct LogsQuery {
    /// Its number; the last one by default.
    attempt: Option<u32>,
    /// Where the answer begins, in bytes.
    offset: Option<u64>,
    /// How many bytes at most.
    #[param(minimum = 0, maximum = 16777216)]
    limit: Option<u64>,
    /// Instead: how many bytes before the end.
    tail: Option<u64>,
    /// How long to wait if there is nothing yet, in milliseconds, at most 30000.
    wait_ms: Option<u64>,
    /// Answer with server-sent events as the log grows.
    #[serde(default)]
    follow: bool,
}

/// The bytes that an attempt wrote to one stream.
///
/// At most 16 MiB from `offset` on, or the last `tail` bytes. `X-Log-Size` is the size of the whole log,
/// `X-Log-Offset` is where the answer begins, and `X-Log-Ended: true` says that it is the end of the log of an
/// attempt that is over. `X-Log-Kept: false` says that nothing is kept of the attempt: `gc` removed its log, or it ended
/// well and printed nothing. With `follow=true` the
/// answer is server-sent events: `log` with a JSON string of what came (what is no UTF-8 is replaced), whose id is
/// the offset after it (send it as `Last-Event-ID` to resume), and `end` when the attempt is over.
#[utoipa::path(
    get,
    path = "/runs/{id}/logs/{stream}",
    tag = "Runs",
    operation_id = "runs_logs",
    params(("id" = String, Path, description = "The run.", example = "r12"), ("stream" = String, Path, description = "`stdout` or `stderr`.", example = "stdout"), LogsQuery),
    responses(
        (status = 200, description = "The bytes, or a stream of them.", content((String = "text/plain"), (StreamEvent = "text/event-stream"))),
        (status = "default", description = "invalid_run_id run_not_found attempt_not_found stream_not_found log_not_found archive_missing WAIT"),
    )
)]
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

/// Query of `GET /runs/{id}/logs`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct LinesQuery {
    /// Its number; the last one by default.
    attempt: Option<u32>,
    /// Only this one: `stdout` or `stderr`.
    stream: Option<String>,
    /// `next` of the answer before.
    cursor: Option<String>,
    /// How many lines at most; 1000 by default, at most 10000; with another
    /// `format` up to 1000000.
    #[param(minimum = 1, maximum = 1000000)]
    limit: Option<usize>,
    /// How long to wait if there is nothing yet, in milliseconds, at most 30000.
    wait_ms: Option<u64>,
    /// Answer with server-sent events as the log grows.
    #[serde(default)]
    follow: bool,
    /// How an answer has the lines: `json` by default.
    #[param(inline, value_type = Option<LogFormat>)]
    format: Option<String>,
    /// Only lines that have this text in them, whatever its case.
    search: Option<String>,
}

/// What an attempt printed, as lines of both streams, or of one, in the order in which they were completed.
///
/// `at` is [when a line's end came](cli.md#times-of-lines), or null if nobody knows. A line longer than 64 KiB
/// comes in pieces, of which all but the last have `"continues": true`. A line that has no end yet is told when it
/// has one, or when the attempt is over. `ended` says that the attempt is over and nothing follows. An answer has about 1 MiB
/// of lines at most: `next` is where to go on, also for a search. `kept` is false, or `X-Log-Kept`, if nothing is kept of the
/// attempt: `gc` removed its log, or it ended well and printed nothing.
///
/// With `format=text` the answer is `TIME STREAM TEXT` for each line, as `databuild logs --timestamps` prints them, and
/// with `format=ndjson` a JSON object for each: many times faster for a long log. `X-Log-Next` says where to go on,
/// `X-Log-Ended` whether nothing follows, and `X-Log-At` when the last line came.
///
/// With `follow=true` the answer is server-sent events: `line` with one of the lines, whose id is the place after it
/// (send it as `Last-Event-ID` to resume), and `end` when the attempt is over.
///
/// With `search` the answer has the first `limit` lines with that text, and in `hits` how many there are. After two
/// seconds it has what was found until then, and `"incomplete": true`: `next` is where to search on.
#[utoipa::path(
    get,
    path = "/runs/{id}/logs",
    tag = "Runs",
    operation_id = "runs_lines",
    params(("id" = String, Path, description = "The run.", example = "r12"), LinesQuery),
    responses(
        (status = 200, description = "The lines, or a stream of them.", content((LogLines = "application/json"), (String = "text/plain"), (String = "application/x-ndjson"), (StreamEvent = "text/event-stream"))),
        (status = "default", description = "invalid_run_id run_not_found attempt_not_found bad_cursor log_not_found archive_missing unknown_word WAIT"),
    )
)]
async fn lines(
    app: App,
    Path(id): Path<String>,
    headers: HeaderMap,
    Query(query): Query<LinesQuery>,
) -> Result<Response, ApiError> {
    let streams = Stream::BOTH.map(Stream::name);
    let only = query.stream.as_deref().map(|stream| one_of("stream", stream, &streams)).transpose()?;
    let only = only.and_then(|name| Stream::BOTH.into_iter().find(|stream| stream.name() == name));
    let from = cursor(query.cursor.as_deref())?;
    let formats: Vec<&str> = LogFormat::ALL.iter().map(|format| format.word()).collect();
    let format = query.format.as_deref().map(|format| one_of("format", format, &formats)).transpose()?;
    let form = match format.and_then(LogFormat::of_word) {
        None | Some(LogFormat::Json) => None,
        Some(LogFormat::Ndjson) => Some(Form::Json),
        Some(LogFormat::Text) => Some(Form::Text),
    };
    let (usual, most) = if form.is_some() { (logs::PRINTED, logs::PRINTED) } else { (LINES, logs::LINES) };
    let most = limit_of("lines", query.limit, usual, most)?;
    if query.search.is_some() && (query.follow || form.is_some()) {
        let message = "`search` has one answer, in JSON: leave out `follow` and `format`";
        return Err(ApiError::new("bad_query", message));
    }
    let lines = Printed::of_run(&app, &id, query.attempt).await?.lines(only);
    if let Some(sought) = &query.search {
        let found = lines.search(&app, from.unwrap_or_default(), sought, most, logs::SEARCH).await?;
        return Ok(Json(found).into_response());
    }
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
