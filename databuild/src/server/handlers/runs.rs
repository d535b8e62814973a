//! Runs, attempts and their logs.

use super::super::app::App;
use super::super::error::ApiError;
use super::super::logs;
use super::{cursor, limit, page, word};
use crate::api::{AttemptRow, Page, RunDetail, RunRow, WhyWork};
use crate::app::history;
use crate::app::waits;
use crate::engine::CommandError;
use crate::executor::LogFrom;
use crate::store::{History, RunFilter, RunState};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use axum::response::Response;
use axum::Json;
use databuild_core::decide::job_called;
use databuild_core::ids::{AttemptId, RunId};
use databuild_core::state::Making;
use databuild_core::word::Word as _;
use serde::Deserialize;
use std::time::Duration;

/// Longest wait for more of a log.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

fn parse(id: &str) -> Result<RunId, ApiError> {
    id.parse().map_err(|_| ApiError::not_found("run_not_found", "run", id))
}

fn row(run: crate::store::RunRow) -> RunRow {
    RunRow {
        id: run.id.to_string(),
        job: run.job,
        partition: run.partition,
        partitions: run.partitions,
        state: run.state.word().to_owned(),
        attempts: run.attempts,
        created_at: run.created_at.to_string(),
        ended_at: run.ended_at.map(|at| at.to_string()),
        message: run.message,
        trial: run.trial.map(|trial| trial.to_string()),
    }
}

fn attempt(attempt: crate::store::AttemptRow) -> AttemptRow {
    let wall_ms = wall_ms(&attempt);
    AttemptRow {
        number: attempt.id.number,
        state: attempt.state.word().to_owned(),
        outcome: attempt.outcome.map(|outcome| outcome.word().to_owned()),
        pid: attempt.pid,
        leased_at: attempt.leased_at.to_string(),
        started_at: attempt.started_at.map(|at| at.to_string()),
        ended_at: attempt.ended_at.map(|at| at.to_string()),
        exit_code: attempt.exit_code,
        wall_ms,
        cpu_ms: attempt.cpu_ms.unwrap_or(0),
        max_rss_kb: attempt.max_rss_kb.unwrap_or(0),
        message: attempt.message,
    }
}

/// How long the process of an attempt took; none if it had no process. Version 0.1.0 recorded the time since 1970 then.
fn wall_ms(attempt: &crate::store::AttemptRow) -> Option<u64> {
    let ended = attempt.ended_at.map_or(u64::MAX, |at| u64::try_from(at.as_millisecond()).unwrap_or(0));
    let nothing_ran = attempt.exit_code.is_none() && attempt.wall_ms == Some(0);
    attempt.wall_ms.filter(|ms| !nothing_ran && *ms < ended / 2)
}

fn detail(reader: &dyn History, id: RunId) -> Result<RunDetail, ApiError> {
    let history::Found { value: (run, checks), archive, seq } = history::run(reader, id)?;
    Ok(RunDetail {
        archive,
        checks: checks.into_iter().map(super::checks::row).collect(),
        graph: run.run.graph.to_string(),
        params: run.run.params.clone(),
        attempts_detail: run.attempts.into_iter().map(attempt).collect(),
        run: row(run.run),
        seq: seq.0,
    })
}

/// Query of [`list`].
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    job: Option<String>,
    state: Option<String>,
    partition: Option<String>,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// Labels of the job that a text means: of one of now with those that it had, or of one that is gone but ran.
fn labels(app: &App, reader: &dyn History, text: &str) -> Result<Vec<String>, ApiError> {
    let known = &app.engine.snapshot().state;
    let Some(registered) = &known.graph else { return Ok(vec![text.to_owned()]) };
    let graph = &registered.graph;
    let found = match (job_called(graph, text), graph.job_once_labeled(text)) {
        (Ok(job), _) | (Err(_), Some(job)) => Ok(job),
        (Err(refusal), None) => Err(refusal),
    };
    let refusal = match found {
        Ok(job) => return Ok(graph.job(job).labels().map(str::to_owned).collect()),
        Err(refusal) => refusal,
    };
    let jobs = vec![text.to_owned()];
    let ran = reader.newest_run(&RunFilter { jobs: jobs.clone(), ..RunFilter::default() }, &|_| true)?;
    if ran.is_none() {
        return Err(CommandError::Refused(refusal).into());
    }
    Ok(jobs)
}

/// `GET /runs`.
///
/// # Errors
/// A bad query.
pub async fn list(
    app: App,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<RunRow>>, ApiError> {
    let Query(query) = query?;
    let state: Option<RunState> = word("bad_state", query.state.as_deref())?;
    let before = cursor(query.cursor.as_deref())?;
    let limit = limit(query.limit);
    let found = app.slow(move |app, reader| {
        let snapshot = app.engine.snapshot();
        let jobs = query.job.map_or_else(|| Ok(Vec::new()), |text| labels(app, reader, &text))?;
        let making = query.partition.map(|text| Making::of(&snapshot.state, &text));
        let of = making.as_ref().map(|making| making.named().clone());
        let filter = RunFilter { jobs, state, of, before, limit };
        let makes = |partitions: &str| making.as_ref().is_none_or(|making| making.has(partitions));
        Ok(reader.runs(&filter, &makes)?)
    });
    Ok(Json(page(found.await?, row, RunId)))
}

/// `GET /runs/{id}`.
///
/// # Errors
/// No such run.
pub async fn get(app: App, Path(id): Path<String>) -> Result<Json<RunDetail>, ApiError> {
    let id = parse(&id)?;
    Ok(Json(app.quick(move |_, reader| detail(reader, id)).await?))
}

/// `DELETE /runs/{id}`.
///
/// # Errors
/// No such run, or it is over.
pub async fn cancel(app: App, Path(id): Path<String>) -> Result<Json<RunDetail>, ApiError> {
    let id = parse(&id)?;
    let done = app.engine.cancel_run(id).await;
    let answer = app.quick(move |_, reader| match done {
        Ok(_) => detail(reader, id),
        Err(error) => {
            let state = || Ok(history::run(reader, id)?.value.0.run.state.word());
            Err(ApiError::of_command(error, "run", id, state))
        }
    });
    Ok(Json(answer.await?))
}

/// `GET /runs/{id}/why`.
///
/// # Errors
/// No such run.
pub async fn why(app: App, Path(id): Path<String>) -> Result<Json<WhyWork>, ApiError> {
    let id = parse(&id)?;
    Ok(Json(app.quick(move |app, reader| Ok(waits::run(&app.engine.snapshot(), reader, id)?)).await?))
}

/// Query of [`logs`].
#[derive(Debug, Deserialize)]
pub struct LogsQuery {
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
pub async fn logs(
    app: App,
    Path((id, stream)): Path<(String, String)>,
    headers: HeaderMap,
    query: Result<Query<LogsQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(query) = query?;
    let run_id = parse(&id)?;
    let run = app.quick(move |_, reader| detail(reader, run_id)).await?;
    let number = query.attempt.unwrap_or(run.run.attempts);
    if number == 0 || number > run.run.attempts {
        return Err(ApiError::not_found("attempt_not_found", "attempt", &format!("{id}-{number}")));
    }
    let attempt = AttemptId { run: run_id, number };
    let mut attempts = run.attempts_detail.iter();
    let ended_well = attempts.any(|row| row.number == number && row.outcome.as_deref() == Some("success"));
    let log = logs::Log::find(&app, attempt, ended_well, &stream)?;
    if query.follow {
        let resumed =
            headers.get("last-event-id").and_then(|id| id.to_str().ok()).and_then(|id| id.parse().ok());
        Ok(log.follow(&app, resumed.or(query.offset).unwrap_or(0)))
    } else {
        let from = query.tail.map_or(LogFrom::Begin(query.offset.unwrap_or(0)), LogFrom::End);
        let wait = Duration::from_millis(query.wait_ms.unwrap_or(0)).min(LONGEST_WAIT);
        log.read(&app, from, query.limit, wait).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::AttemptState;
    use jiff::Timestamp;

    #[test]
    fn an_attempt_without_a_process_has_no_duration() {
        let at: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let row = |wall_ms, exit_code| crate::store::AttemptRow {
            id: AttemptId { run: RunId(1), number: 1 },
            state: AttemptState::Ended,
            outcome: None,
            pid: None,
            leased_at: at,
            started_at: None,
            ended_at: Some(at),
            exit_code,
            wall_ms,
            cpu_ms: None,
            max_rss_kb: None,
            message: String::new(),
            inputs: 0,
            lease_seq: databuild_core::ids::Seq(1),
        };
        let since_1970 = at.as_millisecond().unsigned_abs();
        let cases = [
            (Some(1_200), Some(1), Some(1_200)),
            (Some(1_200), None, Some(1_200)),
            (Some(0), Some(0), Some(0)),
            (Some(0), None, None),
            (Some(since_1970), None, None),
            (None, None, None),
        ];
        for (wall, code, shown) in cases {
            assert_eq!(wall_ms(&row(wall, code)), shown, "{wall:?} {code:?}");
        }
    }
}
