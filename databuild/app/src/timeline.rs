//! When attempts waited, were on their way, and ran.
//!
//! Runs are looked at from the newest one backwards. Few are told one by one; more are folded, so that an answer stays small
//! however long the history is.
//!
//! Invariant: an answer costs what [`MOST_RUNS`] runs cost, whatever else there is.

mod axis;
mod fold;

use super::audience::Audience;
use super::context::{Backend, Context};
use super::scope::all_work;
use super::want_history::{each_run, first_run_after};
use super::words::span as span_of;
use super::{history, runs, wants, AppError};
use crate::api::{AttemptTimes, Timeline, TimelinePiece, TimelineQuery, TimelineRun};
use crate::store::{AttemptRow, History, RunFilter, RunRow, StoreError, MAX_ROWS};
use axis::Axis;
use databuild_core::event::Cause;
use databuild_core::ids::{RunId, Seq, WantId};
use databuild_core::state::State;
use databuild_core::word::Word as _;
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Runs that are told one by one, at most.
const BY_RUN: usize = 100;
/// Runs that are looked at, at most.
const MOST_RUNS: usize = 2_000;
/// Rows of the history that are looked at for them.
const MOST_LOOKED: usize = 5_000;
/// Runs that were handed out before the time that is asked for, and are looked at since they may go on in it.
const EARLIER: usize = 200;
/// Attempts of a run that are told: the last ones.
const ATTEMPTS: usize = 5;
/// Runs whose attempts are asked for at once.
const AT_ONCE: usize = 250;
/// Inputs of a run that are looked up, at most: of one with more nobody knows when they were there.
const INPUTS: u64 = 32;

/// What is asked for.
struct Asked {
    want: Option<WantId>,
    job: Option<String>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    before: Option<RunId>,
}

impl Asked {
    /// How many runs are looked at. Who names no time, and no want, sees the newest.
    fn limit(&self) -> usize {
        if self.from.is_none() && self.want.is_none() {
            BY_RUN
        } else {
            MOST_RUNS
        }
    }

    /// Whether a run was under way in the time, if it was handed out before its end.
    fn has(&self, run: &RunRow) -> bool {
        self.until.is_none_or(|until| run.created_at <= until)
            && self.before.is_none_or(|before| run.id < before)
            && self.from.is_none_or(|from| run.ended_at.is_none_or(|ended| ended >= from))
    }
}

/// The timeline.
///
/// # Errors
/// A bad instant or id, no such want or job, or the history cannot be read.
pub async fn get(context: &impl Context, query: TimelineQuery) -> Result<Timeline, AppError> {
    let TimelineQuery { want, job, from, until, before } = query;
    let (from, until) = span_of(from.as_deref(), until.as_deref())?;
    let asked = Asked {
        want: want.map(|id| wants::parse(&id)).transpose()?,
        job,
        from,
        until,
        before: before.map(|id| runs::parse(&id)).transpose()?,
    };
    context.slow(move |backend, reader| of(backend, reader, &asked)).await
}

fn of(backend: &Backend, reader: &dyn History, asked: &Asked) -> Result<Timeline, AppError> {
    let snapshot = backend.engine.snapshot();
    let state = &snapshot.state;
    let jobs =
        asked.job.as_ref().map_or_else(|| Ok(Vec::new()), |text| runs::labels(backend, reader, text))?;
    let (mut rows, older) = match asked.want {
        Some(want) => of_want(backend, state, reader, want, asked)?,
        None => newest(state, reader, &backend.audience, &jobs, asked)?,
    };
    rows.retain(|run| jobs.is_empty() || jobs.contains(&run.job));
    rows.sort_by_key(|run| run.id);
    told(state, reader, rows, older, asked, crate::os::now())
}

/// An answer of runs that were chosen, oldest first.
fn told(
    state: &State,
    reader: &dyn History,
    rows: Vec<RunRow>,
    older: Option<RunId>,
    asked: &Asked,
    now: Timestamp,
) -> Result<Timeline, AppError> {
    let mut attempts: BTreeMap<RunId, Vec<AttemptRow>> = BTreeMap::new();
    for some in rows.chunks(AT_ONCE) {
        let ids: Vec<RunId> = some.iter().map(|run| run.id).collect();
        for attempt in reader.attempts_of(&ids)?.value {
            attempts.entry(attempt.id.run).or_default().push(attempt);
        }
    }
    let spans = attempts.values().flatten().map(|row| span(row, now));
    let axis = Axis::of(spans.collect(), asked.from, asked.until);
    let piece = |(from, until, idle): (Timestamp, Timestamp, bool)| TimelinePiece {
        from: from.to_string(),
        until: until.to_string(),
        idle,
    };
    let mut answer = Timeline {
        axis: axis.pieces().into_iter().map(piece).collect(),
        total: rows.len() as u64,
        older: older.map(|run| run.to_string()),
        seq: state.seq().0,
        ..Timeline::default()
    };
    if rows.len() > BY_RUN {
        answer.folds = fold::by_job(&rows, &attempts, &axis, now);
        return Ok(answer);
    }
    let mut known = Known::default();
    for run in rows {
        let own = attempts.remove(&run.id).unwrap_or_default();
        let ready = match own.first() {
            Some(first) => ready(state, reader, &run, first, &mut known)?,
            None => None,
        };
        answer.runs.push(row(run, &own, ready));
    }
    Ok(answer)
}

/// From when to when an attempt was under way.
fn span(attempt: &AttemptRow, now: Timestamp) -> (Timestamp, Timestamp) {
    (attempt.leased_at, attempt.ended_at.unwrap_or(now))
}

fn row(run: RunRow, attempts: &[AttemptRow], ready: Option<Timestamp>) -> TimelineRun {
    let times = |(at, attempt): (usize, &AttemptRow)| AttemptTimes {
        number: attempt.id.number,
        outcome: attempt.outcome.map(|outcome| outcome.word().to_owned()),
        ready_at: match at.checked_sub(1).and_then(|before| attempts.get(before)) {
            Some(before) => before.ended_at.map(|at| at.to_string()),
            None => ready.map(|at| at.to_string()),
        },
        leased_at: attempt.leased_at.to_string(),
        started_at: attempt.started_at.map(|at| at.to_string()),
        ended_at: attempt.ended_at.map(|at| at.to_string()),
        wall_ms: runs::wall_ms(attempt),
    };
    TimelineRun {
        run: run.id.to_string(),
        job: run.job,
        partition: run.partition,
        partitions: run.partitions,
        state: run.state.word().to_owned(),
        attempts: attempts
            .iter()
            .enumerate()
            .map(times)
            .skip(attempts.len().saturating_sub(ATTEMPTS))
            .collect(),
    }
}

/// The newest runs of the time, newest first, and where older ones go on.
fn newest(
    state: &State,
    reader: &dyn History,
    audience: &Audience,
    jobs: &[String],
    asked: &Asked,
) -> Result<(Vec<RunRow>, Option<RunId>), AppError> {
    let is_seen = |partition: &str| audience.sees_making(state, partition);
    let until = asked.until.map(|until| first_run_after(state, reader, until)).transpose()?;
    let before = asked.before.into_iter().chain(until).min();
    let limit = asked.limit();
    let mut filter =
        RunFilter { jobs: jobs.to_vec(), before, limit: MAX_ROWS.min(limit + 1), ..RunFilter::default() };
    let (mut rows, mut looked, mut earlier) = (Vec::<RunRow>::new(), 0, 0);
    let mut older = None;
    'all: loop {
        let found = reader.runs(&filter, &is_seen)?.value;
        // What is passed over is looked at, too.
        looked += if audience.sees_all() { found.rows.len() } else { MAX_ROWS };
        for run in found.rows {
            let is_earlier = asked.from.is_some_and(|from| run.created_at < from);
            earlier += usize::from(is_earlier);
            if earlier > EARLIER {
                break 'all;
            }
            if !asked.has(&run) {
                continue;
            }
            if rows.len() == limit {
                older = rows.last().map(|last| last.id);
                break 'all;
            }
            rows.push(run);
        }
        match found.next {
            None => break,
            Some(next) if looked >= MOST_LOOKED => {
                // Where it goes on may be at a run that is not seen.
                older = if audience.sees_all() { Some(RunId(next)) } else { rows.last().map(|last| last.id) };
                break;
            }
            Some(next) => filter.before = Some(RunId(next)),
        }
    }
    // What goes on for long may have begun before all that was looked at.
    let seen: BTreeSet<RunId> = rows.iter().map(|run| run.id).collect();
    let mut live = Vec::new();
    for id in state.runs().keys().filter(|id| !seen.contains(id)) {
        if live.len() == EARLIER.min(limit) {
            break;
        }
        let Some(found) = reader.run(*id)?.value.map(|found| found.run) else { continue };
        let of_job = jobs.is_empty() || jobs.contains(&found.job);
        if of_job && asked.has(&found) && is_seen(&found.partition) {
            live.push(found);
        }
    }
    // It takes the place of what has been over for longest.
    let room = limit - live.len();
    if rows.len() > room {
        let first_left_out = rows[room].id;
        rows.truncate(room);
        older = Some(rows.last().map_or_else(|| RunId(first_left_out.0 + 1), |last| last.id));
    }
    rows.extend(live);
    Ok((rows, older))
}

/// The runs that made what a want waits for, newest first.
fn of_want(
    backend: &Backend,
    state: &State,
    reader: &dyn History,
    id: WantId,
    asked: &Asked,
) -> Result<(Vec<RunRow>, Option<RunId>), AppError> {
    let want = history::want(reader, id)?.value;
    let work = all_work(state, &backend.watched.work(reader, id)?.said);
    let mut rows: Vec<RunRow> = Vec::new();
    let mut older = None;
    each_run(state, reader, &want, &work, |run, _| {
        if !asked.has(&run) || !backend.audience.sees_making(state, &run.partition) {
            return;
        }
        if rows.len() < MOST_RUNS {
            rows.push(run);
        } else {
            older = older.or(rows.last().map(|last| last.id));
        }
    })?;
    Ok((rows, older))
}

/// What was looked up for earlier runs of an answer: they are of few wants, and often read the same.
#[derive(Default)]
struct Known {
    /// When wants were created.
    asked: BTreeMap<WantId, Option<Timestamp>>,
    /// The newest data of partitions.
    newest: BTreeMap<String, Option<(Seq, Timestamp)>>,
}

/// When the first attempt of a run could have begun: its want had asked for it, and its inputs were there.
fn ready(
    state: &State,
    reader: &dyn History,
    run: &RunRow,
    first: &AttemptRow,
    known: &mut Known,
) -> Result<Option<Timestamp>, StoreError> {
    let lease = match reader.event(first.lease_seq) {
        Ok(found) => found.value,
        // It is archived, and its archive is elsewhere.
        Err(_) => None,
    };
    let Some(Cause::Want(want)) = lease.and_then(|record| record.origin.cause) else { return Ok(None) };
    let asked = match known.asked.get(&want) {
        Some(asked) => *asked,
        None => {
            let found = reader.want(want)?.value.map(|want| want.created_at);
            known.asked.insert(want, found);
            found
        }
    };
    let Some(asked) = asked else { return Ok(None) };
    let inputs = inputs_there(state, reader, run, first, known)?;
    Ok(inputs.map(|there| asked.max(there).min(first.leased_at)))
}

/// When the last input of a run was there, as its attempt read it: the beginning of time if it has none, and none if nobody knows.
fn inputs_there(
    state: &State,
    reader: &dyn History,
    run: &RunRow,
    first: &AttemptRow,
    known: &mut Known,
) -> Result<Option<Timestamp>, StoreError> {
    let Some(registered) = state.followed().filter(|registered| registered.id == run.graph) else {
        return Ok(None);
    };
    let graph = &registered.graph;
    let located = graph.job_labeled(&run.job).zip(graph.locate_set(&run.partition, state.symbols()));
    let Some((job, (_, set))) = located else { return Ok(None) };
    let mut last = Timestamp::MIN;
    let mut left = INPUTS;
    for (at, input) in graph.job(job).inputs.iter().enumerate() {
        let Ok(read) = graph.inputs_of(state.extents(), job, at, &set) else { return Ok(None) };
        let Some(rest) = left.checked_sub(read.len()) else { return Ok(None) };
        left = rest;
        for key in read.iter() {
            let texts = state.texts(input.dataset, &key);
            let there = known.there(reader, &texts, first.lease_seq)?;
            last = there.map_or(last, |there| last.max(there));
        }
    }
    Ok(Some(last))
}

impl Known {
    /// When the data came that a partition, which the history knows by `texts`, held at a position of the log.
    fn there(
        &mut self,
        reader: &dyn History,
        texts: &[String],
        at: Seq,
    ) -> Result<Option<Timestamp>, StoreError> {
        let Some(text) = texts.first() else { return Ok(None) };
        let held = |seq: Seq| -> Result<Option<(Seq, Timestamp)>, StoreError> {
            Ok(reader.materialization_at(texts, seq)?.value.map(|row| (row.seq, row.at)))
        };
        let newest = match self.newest.get(text) {
            Some(known) => *known,
            None => {
                let found = held(Seq(u64::MAX))?;
                self.newest.insert(text.clone(), found);
                found
            }
        };
        Ok(match newest {
            Some((seq, _)) if seq > at => held(at)?.map(|(_, at)| at),
            newest => newest.map(|(_, at)| at),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::why::tests::{chain, Workspace};
    use super::*;
    use databuild_core::event::Refresh;

    fn anything() -> Asked {
        Asked { want: None, job: None, from: None, until: None, before: None }
    }

    #[test]
    fn runs_are_told_with_the_times_of_their_attempts() {
        let mut workspace = Workspace::new(&chain("code"));
        for name in ["a", "b"] {
            workspace.observe(&format!("raw/name={name}"), "r1");
        }
        workspace.want("text/name=a+b", Refresh::Stale);
        workspace.finish("text/name=a", "t1");
        workspace.fail("text/name=b", "boom");
        let (state, reader) = (&workspace.core.state, workspace.reader());
        let (mut rows, older) = newest(state, &reader, &Audience::default(), &[], &anything()).unwrap();
        rows.sort_by_key(|run| run.id);
        let now = "2025-01-01T00:00:00Z".parse().unwrap();
        let answer = told(state, &reader, rows, older, &anything(), now).unwrap();
        assert_eq!((answer.total, answer.older, answer.folds.len()), (2, None, 0));
        let said: Vec<_> = answer.runs.iter().map(|run| (&*run.partition, &*run.state)).collect();
        assert_eq!(said, [("text/name=a", "completed"), ("text/name=b", "failed")]);
        let times = &answer.runs[0].attempts[0];
        let ready: Timestamp = times.ready_at.as_deref().unwrap().parse().unwrap();
        let leased: Timestamp = times.leased_at.parse().unwrap();
        assert!(ready <= leased && times.ended_at.is_some(), "{times:?}");
        let others = Audience::of(&["book".to_owned()]);
        assert_eq!(newest(state, &reader, &others, &[], &anything()).unwrap(), (Vec::new(), None));
        let late = Asked { before: Some(RunId(1)), ..anything() };
        assert!(newest(state, &reader, &Audience::default(), &[], &late).unwrap().0.is_empty());
    }

    #[test]
    fn what_is_under_way_is_told_however_many_runs_began_since() {
        let mut workspace = Workspace::new(&chain("code"));
        for name in ["a", "b"] {
            workspace.observe(&format!("raw/name={name}"), "r1");
        }
        workspace.want("text/name=b", Refresh::Stale);
        for number in 0..=BY_RUN {
            workspace.want("text/name=a", Refresh::All);
            workspace.finish("text/name=a", &format!("t{number}"));
        }
        let (state, reader) = (&workspace.core.state, workspace.reader());
        let (rows, older) = newest(state, &reader, &Audience::default(), &[], &anything()).unwrap();
        assert_eq!(rows.len(), BY_RUN);
        assert!(rows.iter().any(|run| run.partition == "text/name=b"), "it still runs");
        let ended = rows.iter().filter(|run| run.partition == "text/name=a").map(|run| run.id).min();
        assert_eq!(older, ended, "there the next page goes on");
        let others = ["//:other".to_owned()];
        assert_eq!(newest(state, &reader, &Audience::default(), &others, &anything()).unwrap().0, []);
    }

    #[test]
    fn a_want_has_the_runs_that_it_shares_with_older_ones() {
        let mut workspace = Workspace::new(&chain("code"));
        for name in ["a", "b"] {
            workspace.observe(&format!("raw/name={name}"), "r1");
        }
        workspace.want("text/name=b", Refresh::Stale);
        workspace.finish("text/name=b", "t1");
        for refresh in [Refresh::Stale, Refresh::Stale, Refresh::All] {
            workspace.later(1);
            workspace.want("text/name=a", refresh);
        }
        let told = |workspace: &Workspace, want: u64| {
            let (state, reader) = (&workspace.core.state, workspace.reader());
            let row = reader.want(WantId(want)).unwrap().value.unwrap();
            let said = reader.work_of_want(WantId(want), None).unwrap().value.said;
            let mut found = Vec::new();
            each_run(state, &reader, &row, &all_work(state, &said), |run, own| found.push((run.id.0, own)))
                .unwrap();
            found
        };
        assert_eq!(told(&workspace, 3), [(2, 1)], "it goes on");
        workspace.later(1);
        workspace.finish("text/name=a", "t1");
        for want in [2, 3] {
            assert_eq!(told(&workspace, want).last(), Some(&(2, 1)), "w{want}");
        }
        assert_eq!(told(&workspace, 4), [(3, 1)], "what it makes anew is no run from before");
    }

    #[test]
    fn inputs_were_there_when_they_were_first_read_whatever_came_later() {
        let mut workspace = Workspace::new(&chain("code"));
        workspace.observe("raw/name=a", "r1");
        let (state, reader) = (&workspace.core.state, workspace.reader());
        let texts = ["raw/name=a".to_owned()];
        let first = state.seq();
        let then = Known::default().there(&reader, &texts, first).unwrap();
        assert!(then.is_some());
        workspace.observe("raw/name=a", "r2");
        let reader = workspace.reader();
        let mut known = Known::default();
        for _ in 0..2 {
            assert_eq!(known.there(&reader, &texts, first).unwrap(), then);
        }
        assert_eq!(known.there(&reader, &["nothing".to_owned()], first).unwrap(), None);
    }

    #[test]
    fn what_was_under_way_in_a_time_is_told_though_it_began_before() {
        let mut workspace = Workspace::new(&chain("code"));
        workspace.observe("raw/name=a", "r1");
        workspace.want("text/name=a", Refresh::Stale);
        let (state, reader) = (&workspace.core.state, workspace.reader());
        let after = Asked { from: Some("2030-01-01T00:00:00Z".parse().unwrap()), ..anything() };
        assert_eq!(
            newest(state, &reader, &Audience::default(), &[], &after).unwrap().0.len(),
            1,
            "it still runs"
        );
        let until = Asked { until: Some("2000-01-01T00:00:00Z".parse().unwrap()), ..anything() };
        assert!(newest(state, &reader, &Audience::default(), &[], &until).unwrap().0.is_empty());
    }
}
