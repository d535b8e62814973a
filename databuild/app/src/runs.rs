//! Runs and their attempts.

use super::context::{Backend, Context};
use super::words::{canceled, cursor, limit, order, page, returned_text, word, Room};
use super::{checks, filters, history, waits, AppError};
use crate::api::{
    AttemptRow, BlockReason, Canceled, Lease, ListOrder, Page, ReproducedOutput, ReproductionQuery,
    ReproductionView, RunDetail, RunRow, RunsQuery, StateChange, WhyWork,
};
use crate::engine::{parse_request, reproduce, OutputFile, Reproduction, Request};
use crate::executor::{AttemptName, Text};
use crate::store::{AttemptState, History, RunFilter, RunState, RunWithAttempts};
use databuild_core::decide::job_called;
use databuild_core::event::OutcomeKind;
use databuild_core::graph::Graph;
use databuild_core::ids::RunId;
use databuild_core::state::{Making, Phase};
use databuild_core::symbols::Symbols;
use databuild_core::word::Word as _;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Longest request that is read; none that starts is longer.
const MOST_REQUEST: u64 = 32 << 20;

/// The id of a run as people write it.
pub fn parse(id: &str) -> Result<RunId, AppError> {
    let cure = "write it as r12";
    let bad = || AppError::BadId { code: "invalid_run_id", noun: "run", id: id.to_owned(), cure };
    // No run has the number 0.
    id.parse().ok().filter(|run| *run != RunId(0)).ok_or_else(bad)
}

/// Runs, newest first.
///
/// # Errors
/// A bad query, a job that is not there and never ran, or relative keys that mean none.
pub async fn list(context: &impl Context, query: RunsQuery) -> Result<Page<RunRow>, AppError> {
    let state: Option<RunState> = word("bad_state", query.state.as_deref())?;
    let before = cursor(query.cursor.as_deref())?;
    let limit = limit(query.limit)?;
    let oldest_first = order(query.sort.as_deref())? == Some(ListOrder::Oldest);
    let found = context.slow(move |backend, reader| {
        let snapshot = backend.engine.snapshot();
        let jobs = query.job.map_or_else(|| Ok(Vec::new()), |text| labels(backend, reader, &text))?;
        // A key that exists by now may be later than the snapshot.
        let exact = |text: String| snapshot.state.in_exact_keys(&text, crate::os::now());
        let named = query.partition.map(exact).transpose()?;
        named.iter().try_for_each(|text| filters::reference(backend, reader, text))?;
        let making = named.map(|text| Making::of(&snapshot.state, &text));
        let of = making.as_ref().map(|making| making.named().clone());
        let filter = RunFilter { jobs, state, of, before, oldest_first, limit };
        let makes = |partitions: &str| {
            making.as_ref().is_none_or(|making| making.has(partitions))
                && backend.audience.sees_making(&snapshot.state, partitions)
        };
        Ok(reader.runs(&filter, &makes)?)
    });
    Ok(page(found.await?, |run| run.id.0, row, RunId))
}

/// How many runs there ever were that whoever asks may see.
///
/// # Errors
/// The history cannot be read.
pub async fn total(context: &impl Context) -> Result<u64, AppError> {
    let found = context.quick(|backend, reader| {
        let state = &backend.engine.snapshot().state;
        if backend.audience.sees_all() {
            return Ok(state.last_run().0);
        }
        let runs = reader.counts()?.value.runs;
        let seen = runs.iter().filter(|((job, _), _)| backend.audience.sees_label(state, job));
        Ok(seen.map(|(_, count)| count).sum())
    });
    found.await
}

/// One run.
///
/// # Errors
/// No such run.
pub async fn get(context: &impl Context, id: RunId) -> Result<RunDetail, AppError> {
    context.by_id(move |backend, reader| detail(backend, reader, id)).await
}

/// Stops a run. That it is over is no error.
///
/// # Errors
/// No such run.
pub async fn cancel(context: &impl Context, id: RunId) -> Result<Canceled<RunDetail>, AppError> {
    let done = context.backend().engine.cancel_run(id).await;
    let answer = context.quick(move |backend, reader| {
        let found = || Ok(history::run(reader, id)?.value.0.run.state == RunState::Canceled);
        let outcome = canceled(done.map(|_| ()), found)?;
        Ok(Canceled { outcome, of: detail(backend, reader, id)? })
    });
    answer.await
}

/// What a run waits for.
///
/// # Errors
/// No such run.
pub async fn why(context: &impl Context, id: RunId) -> Result<WhyWork, AppError> {
    context
        .quick(move |backend, reader| waits::run(&backend.engine.snapshot(), reader, &backend.audience, id))
        .await
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
        attempt_count: run.attempts,
        created_at: run.created_at.to_string(),
        ended_at: run.ended_at.map(|at| at.to_string()),
        message: run.message,
        trial: run.trial.map(|trial| trial.to_string()),
    }
}

/// Attempts of a run, first to last. What earlier ones returned is left out if all of it has no room.
fn attempts(rows: Vec<crate::store::AttemptRow>) -> Vec<AttemptRow> {
    let mut room = Room::default();
    let mut attempts: Vec<AttemptRow> = rows.into_iter().map(attempt).collect();
    for attempt in attempts.iter_mut().rev() {
        if attempt.output.as_ref().is_some_and(|output| !room.has(output)) {
            attempt.output = None;
            attempt.output_left_out = true;
        }
    }
    attempts
}

fn attempt(attempt: crate::store::AttemptRow) -> AttemptRow {
    let wall_ms = wall_ms(&attempt);
    let (output, output_base64) = returned_text(&attempt.returned);
    AttemptRow {
        id: attempt.id.to_string(),
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
        output,
        output_base64,
        output_left_out: false,
    }
}

/// How long the process of an attempt took; none if it had no process. Version 0.1.0 recorded the time since 1970 then.
pub(super) fn wall_ms(attempt: &crate::store::AttemptRow) -> Option<u64> {
    let ended = attempt.ended_at.map_or(u64::MAX, |at| u64::try_from(at.as_millisecond()).unwrap_or(0));
    let nothing_ran = attempt.exit_code.is_none() && attempt.wall_ms == Some(0);
    attempt.wall_ms.filter(|ms| !nothing_ran && *ms < ended / 2)
}

/// Where a run stood, first to last, as its attempts tell.
fn state_history(run: &RunWithAttempts) -> Vec<StateChange> {
    let mut changes: Vec<(RunState, Timestamp)> = Vec::new();
    let over = run.run.ended_at.map(|at| (run.run.state, at));
    for (place, attempt) in run.attempts.iter().enumerate() {
        changes.push((RunState::Leased, attempt.leased_at));
        changes.extend(attempt.started_at.map(|at| (RunState::Running, at)));
        let is_last = place + 1 == run.attempts.len();
        let between = match attempt.outcome {
            Some(OutcomeKind::MissingInput) => RunState::Suspended,
            _ => RunState::RetryWait,
        };
        // What follows the last one is the end of the run, or what the run says itself.
        if !is_last || over.is_none() && run.run.state == between {
            changes.extend(attempt.ended_at.map(|at| (between, at)));
        }
    }
    changes.extend(over);
    let mut from: Option<RunState> = None;
    let mut told = Vec::new();
    for (to, at) in changes {
        let before = from.replace(to).map(|from| from.word().to_owned());
        told.push(StateChange { from: before, to: to.word().to_owned(), at: at.to_string() });
    }
    told
}

/// What keeps a run from being done.
fn block_reason(state: RunState) -> BlockReason {
    match state {
        RunState::Leased => BlockReason::Leased,
        RunState::Running => BlockReason::Running,
        RunState::RetryWait => BlockReason::RetryWait,
        RunState::Suspended => BlockReason::Suspended,
        RunState::Completed | RunState::Failed | RunState::Canceled => BlockReason::Terminal,
    }
}

/// Who has the attempt that is under way.
fn lease(attempts: &[crate::store::AttemptRow]) -> Option<Lease> {
    let attempt = attempts.last().filter(|attempt| attempt.state != AttemptState::Ended)?;
    Some(Lease {
        owner: "runner".to_owned(),
        attempt: attempt.id.to_string(),
        acquired_at: attempt.leased_at.to_string(),
        updated_at: attempt.started_at.unwrap_or(attempt.leased_at).to_string(),
        expires_at: None,
    })
}

fn detail(backend: &Backend, reader: &dyn History, id: RunId) -> Result<RunDetail, AppError> {
    let history::Found { value: (run, checks), archive, seq } = history::run(reader, id)?;
    let state = &backend.engine.snapshot().state;
    let live = state.runs().get(&id);
    let due = live.and_then(|live| match live.phase {
        Phase::RetryWait(until) => Some(until),
        _ => None,
    });
    let wants = live.and_then(|live| Some((state.current_job(live)?, live)));
    let wants =
        wants.map(|(job, live)| state.holders_of(job, &live.set).map(|want| want.id.to_string()).collect());
    let lease = lease(&run.attempts);
    let mut room = Room::default();
    let checks = checks.into_iter().map(checks::row).take_while(|row| room.has(row)).collect();
    Ok(RunDetail {
        archive,
        checks,
        graph: run.run.graph.to_string(),
        params: run.run.params.clone(),
        current_attempt: lease.as_ref().map(|lease| lease.attempt.clone()),
        scheduled_at: due.unwrap_or(run.run.created_at).to_string(),
        state_history: state_history(&run),
        lease,
        block_reason: block_reason(run.run.state),
        wants: wants.unwrap_or_default(),
        attempts: attempts(run.attempts),
        run: row(run.run),
        seq: seq.0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::ids::AttemptId;

    fn ended(at: Timestamp) -> crate::store::AttemptRow {
        crate::store::AttemptRow {
            id: AttemptId { run: RunId(1), number: 1 },
            state: AttemptState::Ended,
            outcome: None,
            pid: None,
            leased_at: at,
            started_at: None,
            ended_at: Some(at),
            exit_code: None,
            wall_ms: None,
            cpu_ms: None,
            max_rss_kb: None,
            message: String::new(),
            inputs: 0,
            lease_seq: databuild_core::ids::Seq(1),
            returned: Vec::new(),
        }
    }

    #[test]
    fn of_many_attempts_the_last_are_told_with_what_they_returned() {
        let returned =
            |_| crate::store::AttemptRow { returned: vec![b'x'; 64 << 10], ..ended(Timestamp::UNIX_EPOCH) };
        let told = attempts((0..20).map(returned).collect());
        let left_out = told.iter().take_while(|attempt| attempt.output_left_out).count();
        assert_eq!((told.len(), left_out), (20, 5), "with its quotes, a text has two bytes more");
        assert!(told[left_out..].iter().all(|attempt| attempt.output.is_some() && !attempt.output_left_out));
        assert!(attempts(vec![ended(Timestamp::UNIX_EPOCH)]).iter().all(|attempt| !attempt.output_left_out));
    }

    #[test]
    fn an_attempt_without_a_process_has_no_duration() {
        let at: Timestamp = "2026-01-02T00:00:00Z".parse().unwrap();
        let row = |wall_ms, exit_code| crate::store::AttemptRow { exit_code, wall_ms, ..ended(at) };
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

    #[test]
    fn where_a_run_stood_is_told_by_its_attempts() {
        let at =
            |second: i8| jiff::civil::date(2026, 1, 2).at(0, 0, second, 0).in_tz("UTC").unwrap().timestamp();
        let attempt = |number, times: [Option<i8>; 3], outcome| crate::store::AttemptRow {
            id: AttemptId { run: RunId(1), number },
            state: if times[2].is_some() { AttemptState::Ended } else { AttemptState::Running },
            outcome,
            pid: None,
            leased_at: at(times[0].unwrap()),
            started_at: times[1].map(at),
            ended_at: times[2].map(at),
            exit_code: None,
            wall_ms: None,
            cpu_ms: None,
            max_rss_kb: None,
            message: String::new(),
            inputs: 0,
            lease_seq: databuild_core::ids::Seq(1),
            returned: Vec::new(),
        };
        let run = |state, ended: Option<i8>, attempts| RunWithAttempts {
            run: crate::store::RunRow {
                id: RunId(1),
                job: "//:make".to_owned(),
                partition: "daily".to_owned(),
                partitions: 1,
                graph: databuild_core::ids::GraphId("g".to_owned()),
                state,
                attempts: 0,
                created_at: at(0),
                ended_at: ended.map(at),
                message: String::new(),
                params: Default::default(),
                trial: None,
            },
            attempts,
        };
        let told = |run| {
            let words = state_history(&run).into_iter().map(|change| {
                assert_eq!(change.from.is_none(), change.to == "leased" && change.at == at(0).to_string());
                format!("{} {}", change.to, &change.at[17..19])
            });
            words.collect::<Vec<_>>().join(", ")
        };
        let failed = attempt(1, [Some(0), Some(1), Some(2)], Some(OutcomeKind::Failure));
        let needs = attempt(2, [Some(3), None, Some(4)], Some(OutcomeKind::MissingInput));
        let good = attempt(3, [Some(5), Some(6), Some(7)], Some(OutcomeKind::Success));
        let all = vec![failed.clone(), needs, good.clone()];
        assert_eq!(
            told(run(RunState::Completed, Some(8), all.clone())),
            "leased 00, running 01, retry_wait 02, leased 03, suspended 04, leased 05, running 06, completed 08"
        );
        // Its outputs are being published.
        assert!(told(run(RunState::Running, None, all)).ends_with("running 06"));
        assert_eq!(
            told(run(RunState::RetryWait, None, vec![failed.clone()])),
            "leased 00, running 01, retry_wait 02"
        );
        assert_eq!(told(run(RunState::Failed, Some(2), vec![failed])), "leased 00, running 01, failed 02");
        assert_eq!(lease(&[good]), None);
        let live = attempt(1, [Some(0), Some(1), None], None);
        let lease = lease(&[live]).unwrap();
        assert_eq!((lease.owner.as_str(), lease.attempt.as_str()), ("runner", "r1-1"));
        assert_eq!((lease.acquired_at, lease.updated_at), (at(0).to_string(), at(1).to_string()));
    }
}
