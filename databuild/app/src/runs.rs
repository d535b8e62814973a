//! Runs and their attempts.

use super::context::{Backend, Context};
use super::words::{cursor, limit, page, word};
use super::{checks, history, waits, AppError};
use crate::api::{
    AttemptRow, Page, ReproducedOutput, ReproductionQuery, ReproductionView, RunDetail, RunRow, RunsQuery,
    WhyWork,
};
use crate::engine::{parse_request, reproduce, OutputFile, Reproduction, Request};
use crate::executor::{AttemptName, Text};
use crate::store::{History, RunFilter, RunState};
use databuild_core::decide::job_called;
use databuild_core::graph::Graph;
use databuild_core::ids::RunId;
use databuild_core::state::Making;
use databuild_core::symbols::Symbols;
use databuild_core::word::Word as _;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Longest request that is read; none that starts is longer.
const MOST_REQUEST: u64 = 32 << 20;

/// The id of a run as people write it.
pub fn parse(id: &str) -> Result<RunId, AppError> {
    id.parse().map_err(|_| AppError::not_found("run_not_found", "run", id))
}

/// Runs, newest first.
///
/// # Errors
/// A bad query, or a job that is not there and never ran.
pub async fn list(context: &impl Context, query: RunsQuery) -> Result<Page<RunRow>, AppError> {
    let state: Option<RunState> = word("bad_state", query.state.as_deref())?;
    let before = cursor(query.cursor.as_deref())?;
    let limit = limit(query.limit)?;
    let found = context.slow(move |backend, reader| {
        let snapshot = backend.engine.snapshot();
        let jobs = query.job.map_or_else(|| Ok(Vec::new()), |text| labels(backend, reader, &text))?;
        let making = query.partition.map(|text| Making::of(&snapshot.state, &text));
        let of = making.as_ref().map(|making| making.named().clone());
        let filter = RunFilter { jobs, state, of, before, limit };
        let makes = |partitions: &str| making.as_ref().is_none_or(|making| making.has(partitions));
        Ok(reader.runs(&filter, &makes)?)
    });
    Ok(page(found.await?, row, RunId))
}

/// One run.
///
/// # Errors
/// No such run.
pub async fn get(context: &impl Context, id: RunId) -> Result<RunDetail, AppError> {
    context.quick(move |_, reader| detail(reader, id)).await
}

/// Stops a run.
///
/// # Errors
/// No such run, or it has ended.
pub async fn cancel(context: &impl Context, id: RunId) -> Result<RunDetail, AppError> {
    let done = context.backend().engine.cancel_run(id).await;
    let answer = context.quick(move |_, reader| match done {
        Ok(_) => detail(reader, id),
        Err(error) => {
            let state = || Ok(history::run(reader, id)?.value.0.run.state.word());
            Err(AppError::of_command(error, ("run_ended", "run"), id, state))
        }
    });
    answer.await
}

/// What a run waits for.
///
/// # Errors
/// No such run.
pub async fn why(context: &impl Context, id: RunId) -> Result<WhyWork, AppError> {
    context.quick(move |backend, reader| waits::run(&backend.engine.snapshot(), reader, id)).await
}

/// What a process needs to be an attempt of a run once more.
///
/// # Errors
/// No such run or attempt; its request, its graph or its code is not kept any more.
pub async fn reproduction(
    context: &impl Context,
    id: RunId,
    query: ReproductionQuery,
) -> Result<ReproductionView, AppError> {
    let ReproductionQuery { attempt, folder } = query;
    let folder = PathBuf::from(folder);
    if !folder.is_absolute() {
        return Err(AppError::new("bad_query", "`folder` is not an absolute path"));
    }
    let found = context.looking(move |backend, reader| {
        let found = history::run(reader, id)?.value.0;
        let run = found.run;
        let number = attempt.unwrap_or(run.attempts);
        let name = format!("{id}-{number}");
        if number == 0 || number > run.attempts {
            return Err(AppError::not_found("attempt_not_found", "attempt", name));
        }
        let gone = |what: &str| {
            AppError::new("not_reproducible", format!("{name} cannot be repeated by hand: {what}"))
        };
        let request = request(backend, &name)?.ok_or_else(|| {
            gone("what it was asked is not kept, since it printed nothing, has not begun, or `gc` removed it")
        })?;
        let content =
            reader.content(&run.graph.0)?.ok_or_else(|| gone("its graph is not in the log any more"))?;
        let graph = Graph::parse(&String::from_utf8_lossy(&content), &mut Symbols::new())
            .map_err(|_| gone("its graph cannot be read"))?;
        let job = graph.job_labeled(&request.job).ok_or_else(|| gone("its graph has no such job"))?;
        let job = graph.job(job);
        let code = job.program.code.parse().map_err(|_| gone("its graph has no code of the job"))?;
        let code = backend
            .snapshots
            .intact(&code)?
            .ok_or_else(|| gone("its code is not in the code store any more"))?;
        let again = reproduce(job, request, &code, backend.engine.base_env(), &folder)
            .map_err(|reason| gone(&reason))?;
        let lease = found.attempts.iter().find(|row| row.id.number == number).map(|row| row.lease_seq);
        let then = lease.map(|lease| reader.graph_before(&run.graph, lease)).transpose()?;
        let digests = then.and_then(|then| then.value).map(|then| then.inherited).unwrap_or_default();
        Ok(reproduced(again, &digests, backend))
    });
    found.await
}

/// What an attempt was asked, if that is kept.
fn request(backend: &Backend, attempt: &str) -> Result<Option<Request>, AppError> {
    let unreadable = |error: &dyn std::fmt::Display| {
        AppError::new("not_reproducible", format!("{attempt} cannot be repeated by hand: {error}"))
    };
    let name = AttemptName::new(attempt).map_err(|error| unreadable(&error))?;
    let text = backend.engine.executor().read(&name, Text::Request, MOST_REQUEST);
    // A torn one is none.
    Ok(text.map_err(|error| unreadable(&error))?.and_then(|text| parse_request(&text).ok()))
}

fn reproduced(
    found: Reproduction,
    digests: &BTreeMap<String, String>,
    backend: &Backend,
) -> ReproductionView {
    let Reproduction { argv, env, env_inherit, request, changed } = found;
    let text = |path: &PathBuf| path.to_string_lossy().into_owned();
    let output = |output: &OutputFile| {
        let (path, published) = output.path.as_ref().zip(output.final_path.as_ref())?;
        let partition = output.partition.clone();
        Some(ReproducedOutput { partition, path: text(path), published: text(published) })
    };
    ReproductionView {
        run: request.run.clone(),
        attempt: request.attempt,
        job: request.job.clone(),
        argv,
        env,
        env_inherit: env_inherit
            .into_iter()
            .map(|name| (name.clone(), digests.get(&name).cloned()))
            .collect(),
        cwd: backend.engine.workspace().to_string_lossy().into_owned(),
        outputs: request.outputs.iter().filter_map(output).collect(),
        request: serde_json::json!(request),
        changed,
    }
}

/// Labels of the job that a text means: of one of now with those that it had, or of one that is gone but ran.
pub(super) fn labels(backend: &Backend, reader: &dyn History, text: &str) -> Result<Vec<String>, AppError> {
    let known = &backend.engine.snapshot().state;
    let Some(registered) = known.followed() else { return Ok(vec![text.to_owned()]) };
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
        return Err(refusal.into());
    }
    Ok(jobs)
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

fn detail(reader: &dyn History, id: RunId) -> Result<RunDetail, AppError> {
    let history::Found { value: (run, checks), archive, seq } = history::run(reader, id)?;
    Ok(RunDetail {
        archive,
        checks: checks.into_iter().map(checks::row).collect(),
        graph: run.run.graph.to_string(),
        params: run.run.params.clone(),
        attempts_detail: run.attempts.into_iter().map(attempt).collect(),
        run: row(run.run),
        seq: seq.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::AttemptState;
    use databuild_core::ids::AttemptId;
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
