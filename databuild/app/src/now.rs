//! What goes on now: what runs, what waits and why, what failed.

use super::audience::Audience;
use super::context::{Backend, Context};
use super::how_far::{begun, progress_of};
use super::words::instant;
use super::{pools, waits, wants, AppError};
use crate::api::{FailedRuns, LiveRun, Now, NowQuery, OpenWant, Waiting};
use crate::engine::Snapshot;
use crate::store::{self, History, RunFilter, RunState, WantFilter, WantState, MAX_ROWS};
use databuild_core::decide::blocker::{of_job, of_run, under_way};
use databuild_core::decide::queue;
use databuild_core::ids::RunId;
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::{Phase, Run, State};
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// Rows of each list.
pub(super) const MOST: usize = 20;
/// How long ago failures are shown, if nobody says.
const RECENT: SignedDuration = SignedDuration::from_hours(24);
/// Failed runs that are looked at in one go.
const PART: usize = 100;

/// What goes on.
///
/// # Errors
/// A bad instant, or the history cannot be read.
pub async fn get(context: &impl Context, query: NowQuery) -> Result<Now, AppError> {
    let since = instant(query.since.as_deref())?;
    let machine = pools::list(context).machine;
    let found = context.slow(move |backend, reader| {
        let now = crate::os::now();
        let since = since.unwrap_or_else(|| recent(now));
        let mut answer = Now { machine, since: since.to_string(), ..Now::default() };
        state_of(backend, reader, now, &mut answer)?;
        let state = &backend.engine.snapshot().state;
        failed(reader, since, &|run| backend.audience.sees_making(state, run), &mut answer)?;
        Ok(answer)
    });
    found.await
}

/// Since when failures are shown, if nobody says: a whole minute, so that who asks again within it is told that all is as it was.
fn recent(now: Timestamp) -> Timestamp {
    let since = now - RECENT;
    Timestamp::from_second(since.as_second().div_euclid(60) * 60).unwrap_or(since)
}

/// What the state and the open wants say.
fn state_of(
    backend: &Backend,
    reader: &dyn History,
    now: Timestamp,
    answer: &mut Now,
) -> Result<(), AppError> {
    let snapshot = backend.engine.snapshot();
    let state = &snapshot.state;
    let audience = &backend.audience;
    let Live { running, running_total, waiting, waiting_total } =
        live_and_waiting(&snapshot, reader, now, audience)?;
    (answer.seq, answer.running, answer.running_total) = (state.seq().0, running, running_total);
    (answer.waiting, answer.waiting_total) = (waiting, waiting_total);
    let open = WantFilter { state: Some(WantState::Open), limit: MAX_ROWS, ..WantFilter::default() };
    let open = reader.wants_that(&open, &|want| audience.sees_texts(state, &want.targets))?.value.rows;
    let is_late = |row: &&store::WantRow| row.due_at.is_some_and(|due| due < now);
    let seen = state.wants().values().filter(|want| audience.sees_texts(state, &want.targets));
    answer.wants_total = seen.count() as u64;
    answer.late_total = open.iter().filter(is_late).count() as u64;
    let begun = begun(&snapshot);
    let said = |row: &store::WantRow| -> Option<Result<OpenWant, AppError>> {
        let live = state.wants().get(&row.id)?;
        let progress = progress_of(backend, reader, state, &begun, live);
        Some(progress.map(|progress| OpenWant { want: wants::row_in_list(row.clone()), progress }))
    };
    answer.wants = open.iter().filter_map(said).take(MOST).collect::<Result<_, _>>()?;
    answer.late = open.iter().filter(is_late).filter_map(said).take(MOST).collect::<Result<_, _>>()?;
    Ok(())
}

/// What is under way and what waits: the first rows of each, and how much there is.
pub(super) struct Live {
    pub(super) running: Vec<LiveRun>,
    pub(super) running_total: u64,
    pub(super) waiting: Vec<Waiting>,
    pub(super) waiting_total: u64,
}

/// What is under way, and what waits. Each live run is one or the other.
pub(super) fn live_and_waiting(
    snapshot: &Snapshot,
    reader: &dyn History,
    now: Timestamp,
    audience: &Audience,
) -> Result<Live, AppError> {
    let state = &snapshot.state;
    let begun = under_way(state, snapshot.slots);
    let seen = state.runs().values().filter(|run| audience.sees_run(state, run));
    let (running, waiting): (Vec<&Arc<Run>>, Vec<_>) = seen.partition(|run| begun.contains(&run.id));
    let running_total = running.len() as u64;
    let running: Result<_, AppError> =
        running.into_iter().take(MOST).map(|run| live(state, reader, run)).collect();
    let waiting_total = audience.counted(state, |counted| queue::waiting(state, snapshot.slots, counted));
    let waiting = work_that_waits(snapshot, reader, now, audience, &waiting)?;
    Ok(Live { running: running?, running_total, waiting, waiting_total })
}

fn live(state: &State, reader: &dyn History, run: &Run) -> Result<LiveRun, AppError> {
    let attempt = reader.attempt(run.attempt_id())?.value;
    let since = attempt.map(|attempt| attempt.started_at.unwrap_or(attempt.leased_at));
    let phase = match run.phase {
        _ if run.cancel_requested => "canceling",
        Phase::Leased => "starting",
        Phase::Publishing => "publishing",
        Phase::Running | Phase::RetryWait(_) => "running",
    };
    Ok(LiveRun {
        id: run.id.to_string(),
        job: run.graph.graph.job(run.job).label.clone(),
        partition: run.partition.clone(),
        partitions: run.set.len(),
        phase: phase.to_owned(),
        attempt: run.attempt,
        since: since.map(|at| at.to_string()),
        wants: state.current_job(run).map(|job| holders(state, job, &run.set)).unwrap_or_default(),
    })
}

pub(super) fn holders(state: &State, job: databuild_core::graph::JobIx, set: &PartitionSet) -> Vec<String> {
    state.holders_of(job, set).take(MOST).map(|want| want.id.to_string()).collect()
}

/// Work that waits, most partitions first.
fn work_that_waits(
    snapshot: &Snapshot,
    reader: &dyn History,
    now: Timestamp,
    audience: &Audience,
    runs: &[&Arc<Run>],
) -> Result<Vec<Waiting>, AppError> {
    let state = &snapshot.state;
    let mut rows = Vec::new();
    let Some(registered) = state.followed() else { return Ok(rows) };
    let graph = &registered.graph;
    let seen = graph.jobs().filter(|(job, _)| audience.sees_job(graph, *job));
    let queued = seen.map(|(job, _)| (job, state.work(job).todo.len())).filter(|(_, count)| *count > 0);
    let mut queued: Vec<_> = queued.collect();
    queued.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    for (job, _) in queued.into_iter().take(MOST) {
        for (set, found) in of_job(state, snapshot.capacity(), now, job) {
            rows.push(Waiting {
                job: graph.job(job).label.clone(),
                dataset: graph.home(job).name.clone(),
                partitions: set.len(),
                wants: holders(state, job, &set),
                blocker: waits::told(snapshot, reader, audience, now, &found)?,
            });
        }
    }
    for run in runs {
        let own = &run.graph.graph;
        let (job, dataset) = (&own.job(run.job).label, &own.home(run.job).name);
        // What was handed out ahead waits for one thing, and there may be many.
        let is_ahead = run.phase == Phase::Leased;
        let same = rows
            .iter_mut()
            .find(|row: &&mut Waiting| is_ahead && row.job == *job && row.blocker.kind == "slots");
        if let Some(row) = same {
            row.partitions += run.set.len();
            let wants = state.current_job(run).map(|job| holders(state, job, &run.set)).unwrap_or_default();
            for want in wants {
                if row.wants.len() < MOST && !row.wants.contains(&want) {
                    row.wants.push(want);
                }
            }
            continue;
        }
        if rows.len() >= 2 * MOST {
            continue;
        }
        let found = of_run(state, snapshot.capacity(), now, run);
        rows.push(Waiting {
            job: job.clone(),
            dataset: dataset.clone(),
            partitions: run.set.len(),
            wants: state.current_job(run).map(|job| holders(state, job, &run.set)).unwrap_or_default(),
            blocker: waits::told(snapshot, reader, audience, now, &found)?,
        });
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.partitions));
    rows.truncate(MOST);
    Ok(rows)
}

/// Runs that failed since then, by job and message.
fn failed(
    reader: &dyn History,
    since: Timestamp,
    is_seen: &dyn Fn(&str) -> bool,
    answer: &mut Now,
) -> Result<(), AppError> {
    let mut filter = RunFilter { state: Some(RunState::Failed), limit: PART, ..RunFilter::default() };
    let mut looked = 0;
    loop {
        let found = reader.runs(&filter, is_seen)?.value;
        // Where rows are passed over, a part without any is no end.
        let none = found.rows.is_empty();
        looked += found.rows.len().max(PART);
        let recent: Vec<_> =
            found.rows.into_iter().filter(|run| run.ended_at.is_some_and(|ended| ended > since)).collect();
        let is_over = recent.is_empty() && !none;
        answer.failed_total += recent.len() as u64;
        recent.into_iter().for_each(|run| add_failure(&mut answer.failed, run));
        match found.next {
            _ if is_over => break,
            None => break,
            Some(_) if looked >= MAX_ROWS => {
                answer.failed_more = true;
                break;
            }
            Some(next) => filter.before = Some(RunId(next)),
        }
    }
    Ok(())
}

/// Adds a run that failed to the others that failed for the same reason. Runs come newest first.
pub(super) fn add_failure(groups: &mut Vec<FailedRuns>, run: store::RunRow) {
    let same = groups.iter_mut().find(|group| group.job == run.job && group.message == run.message);
    if let Some(group) = same {
        group.runs += 1;
        group.partitions += run.partitions;
        return;
    }
    groups.push(FailedRuns {
        job: run.job,
        message: run.message,
        runs: 1,
        partitions: run.partitions,
        run: run.id.to_string(),
        partition: run.partition,
        at: run.ended_at.unwrap_or(run.created_at).to_string(),
    });
}

#[cfg(test)]
mod tests {
    use super::super::why::tests::{chain, Workspace};
    use super::*;
    use databuild_core::decide::queue::Counted;
    use databuild_core::decide::Input;
    use databuild_core::event::Refresh;

    #[test]
    fn work_waits_by_job_and_reason_and_failures_are_grouped() {
        let mut workspace = Workspace::new(&chain("code"));
        for name in ["a", "b", "c"] {
            workspace.observe(&format!("raw/name={name}"), "r1");
        }
        workspace.step(Input::SetSlots(1));
        workspace.want("book", Refresh::Stale);
        let reader = workspace.reader();
        let snapshot = Snapshot {
            state: Arc::new(workspace.core.state.clone()),
            slots: 1,
            memory: None,
            held: false,
            unrecorded: None,
        };
        let now = "2024-12-31T00:02:05Z".parse().unwrap();
        let rows = work_that_waits(&snapshot, &reader, now, &Audience::default(), &[]).unwrap();
        let said: Vec<_> =
            rows.iter().map(|row| (&*row.dataset, row.partitions, &*row.blocker.kind)).collect();
        assert_eq!(said, [("text", 2, "slots"), ("book", 1, "upstream")]);
        assert_eq!(
            (queue::waiting(&snapshot.state, 1, Counted::ALL), &rows[0].wants),
            (3, &vec!["w1".to_owned()])
        );
        for name in ["a", "b"] {
            workspace.fail(&format!("text/name={name}"), "boom");
        }
        let mut answer = Now::default();
        failed(&workspace.reader(), Timestamp::UNIX_EPOCH, &|_| true, &mut answer).unwrap();
        assert_eq!((answer.failed_total, answer.failed.len(), answer.failed[0].runs), (2, 1, 2));
        assert_eq!((&*answer.failed[0].message, &*answer.failed[0].run), ("boom", "r2"), "the newest one");
        let mut none = Now::default();
        failed(&workspace.reader(), "2025-01-01T00:00:00Z".parse().unwrap(), &|_| true, &mut none).unwrap();
        assert_eq!(none.failed_total, 0);
    }
}
