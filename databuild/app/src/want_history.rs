//! How far a want was when, and what failed for it: told from the runs that made what it waits for.
//!
//! Runs are looked at from the newest one backwards, so that the last point is what the state says now, and a want whose
//! history is long shows its end.

use super::context::{Backend, Context};
use super::how_far::{progress_at_end, progress_of, Begun};
use super::now::add_failure;
use super::scope::{all_work, by_job};
use super::{history, AppError};
use crate::api::{ProgressPoint, WantHistory};
use crate::store::{History, RunFilter, RunRow, RunState, WantRow, MAX_ROWS};
use databuild_core::event::{Refresh, SetText};
use databuild_core::graph::JobIx;
use databuild_core::ids::{RunId, WantId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::State;
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Runs that are looked at, at most.
const MOST_RUNS: usize = 5_000;
/// Runs that began before the want, of which some may have been under way when it was created.
const MOST_BEFORE: usize = 500;
/// Points of an answer, at most.
const MOST_POINTS: usize = 200;
/// Groups of failures, at most.
const MOST_GROUPS: usize = 50;

/// The history of a want.
///
/// # Errors
/// No such want, or the history cannot be read.
pub async fn get(context: &impl Context, id: WantId) -> Result<WantHistory, AppError> {
    context.slow(move |backend, reader| of(backend, reader, id)).await
}

fn of(backend: &Backend, reader: &dyn History, id: WantId) -> Result<WantHistory, AppError> {
    let snapshot = backend.engine.snapshot();
    let state = &snapshot.state;
    let found = history::want(reader, id)?;
    let want = found.value;
    let said = backend.watched.work(reader, id)?.said;
    let work = all_work(state, &said);
    let mut answer = WantHistory { id: id.to_string(), seq: found.seq.0, ..WantHistory::default() };
    let mut ends: Vec<(Timestamp, u64, u64)> = Vec::new();
    let mut in_part = Vec::new();
    answer.truncated = each_run(state, reader, &want, &work, |run, own| {
        let Some(ended) = run.ended_at else { return };
        if !backend.audience.sees_making(state, &run.partition) {
            return;
        }
        match run.state {
            RunState::Completed => ends.push((ended, own, 0)),
            RunState::Failed => {
                ends.push((ended, 0, own));
                // Of a batch, some may be there all the same.
                if run.partitions > 1 {
                    in_part.push((ends.len() - 1, run.id));
                }
                add_failure(&mut answer.failures, run);
            }
            _ => {}
        }
    })?;
    for (at, run) in in_part {
        let made = reader.materializations_of_run(run)?.value;
        let texts: SetText = made.into_iter().map(|row| row.partition).collect();
        let made = own_of(&work, &by_job(state, &texts));
        let (_, done, lost) = &mut ends[at];
        *done = made.min(*lost);
        *lost -= *done;
    }
    answer.failures.truncate(MOST_GROUPS);
    let live = state.wants().get(&id);
    let live = live.map(|live| progress_of(backend, reader, state, &Begun::new(), live)).transpose()?;
    let now = match live {
        Some(progress) => Some(progress),
        None => progress_at_end(backend, reader, id)?,
    };
    answer.points = points(ends, want.created_at, now.map(|progress| (progress.done, progress.failed)));
    Ok(answer)
}

/// How many partitions of `made` are in `work`.
fn own_of(work: &BTreeMap<JobIx, PartitionSet>, made: &BTreeMap<JobIx, PartitionSet>) -> u64 {
    let part = |(job, set): (&JobIx, &PartitionSet)| {
        work.get(job).filter(|own| own.shape() == set.shape()).map_or(0, |own| own.intersect(set).len())
    };
    made.iter().map(part).sum()
}

/// Calls `each` for runs that made what a want waits for while it was open, also if they began before it, newest first, with
/// how many partitions of the want that is. True if there were more.
pub(super) fn each_run(
    state: &State,
    reader: &dyn History,
    want: &WantRow,
    work: &BTreeMap<JobIx, PartitionSet>,
    mut each: impl FnMut(RunRow, u64),
) -> Result<bool, AppError> {
    let own = |text: &str| own_of(work, &by_job(state, std::slice::from_ref(&text.to_owned())));
    let mut filter =
        RunFilter { before: first_after(state, reader, want)?, limit: MAX_ROWS, ..RunFilter::default() };
    let (mut looked, mut before) = (0, 0);
    loop {
        let found = reader.runs(&filter, &|_| true)?.value;
        for run in found.rows {
            looked += 1;
            let was_before = run.created_at < want.created_at;
            before += usize::from(was_before);
            if before > MOST_BEFORE {
                return Ok(false);
            }
            // One that was under way then may make what the want waits for, unless it is to be made anew.
            let shared = !was_before
                || want.refresh != Refresh::All && run.ended_at.is_none_or(|ended| ended > want.created_at);
            let in_time = run.ended_at.zip(want.ended_at).is_none_or(|(run, want)| run <= want);
            if !shared || !in_time || run.trial.is_some() {
                continue;
            }
            let count = own(&run.partition);
            if count > 0 {
                each(run, count);
            }
        }
        match found.next {
            None => return Ok(false),
            Some(_) if looked >= MOST_RUNS => return Ok(true),
            Some(next) => filter.before = Some(RunId(next)),
        }
    }
}

/// The first run that began after a want was over; none while it is open.
fn first_after(state: &State, reader: &dyn History, want: &WantRow) -> Result<Option<RunId>, AppError> {
    want.ended_at.map(|ended| first_run_after(state, reader, ended)).transpose()
}

/// The first run that began after an instant, or the number that the next one gets.
pub(super) fn first_run_after(state: &State, reader: &dyn History, at: Timestamp) -> Result<RunId, AppError> {
    // Runs have their numbers in the order in which they began. One that is not in the lists any more is an old one.
    let (mut low, mut high) = (1, state.last_run().0 + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let is_later = reader.run(RunId(middle))?.value.is_some_and(|found| found.run.created_at > at);
        if is_later {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(RunId(low))
}

/// From ends of runs, with how many partitions each made and failed to make, to how far the want was. `now` is how many of
/// it are done and failed; what no run tells of was so from the beginning.
fn points(
    mut ends: Vec<(Timestamp, u64, u64)>,
    begin: Timestamp,
    now: Option<(u64, u64)>,
) -> Vec<ProgressPoint> {
    if ends.is_empty() {
        return Vec::new();
    }
    ends.sort_unstable_by_key(|(at, ..)| *at);
    let sum = |of: &dyn Fn(&(Timestamp, u64, u64)) -> u64| ends.iter().map(of).sum::<u64>();
    let (by_runs, failed_by_runs) = (sum(&|end| end.1), sum(&|end| end.2));
    // What was made again for another want counts once.
    let (all_done, all_failed) = now.unwrap_or((by_runs, failed_by_runs));
    let (mut done, mut failed) =
        (all_done.saturating_sub(by_runs), all_failed.saturating_sub(failed_by_runs));
    let mut points = Vec::new();
    if done + failed > 0 {
        points.push(ProgressPoint { at: begin.to_string(), done, failed });
    }
    let each = ends.len().div_ceil(MOST_POINTS - 1);
    for some in ends.chunks(each) {
        done += some.iter().map(|(_, made, _)| made).sum::<u64>();
        failed += some.iter().map(|(.., lost)| lost).sum::<u64>();
        if let Some((at, ..)) = some.last() {
            points.push(ProgressPoint {
                at: at.to_string(),
                done: done.min(all_done),
                failed: failed.min(all_failed),
            });
        }
    }
    points
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_point_is_what_is_known_now() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let told = |points: Vec<ProgressPoint>| {
            points.iter().map(|point| (point.done, point.failed)).collect::<Vec<_>>()
        };
        let ends = vec![(at(30), 0, 2), (at(10), 5, 0), (at(20), 1, 0)];
        assert_eq!(told(points(ends.clone(), at(0), None)), [(5, 0), (6, 0), (6, 2)]);
        // Four were found to be current.
        assert_eq!(told(points(ends, at(0), Some((10, 2)))), [(4, 0), (9, 0), (10, 0), (10, 2)]);
        // Three were made twice.
        let ends = vec![(at(10), 5, 0), (at(20), 3, 0), (at(30), 0, 1)];
        assert_eq!(told(points(ends, at(0), Some((5, 0)))), [(5, 0), (5, 0), (5, 0)]);
        assert_eq!(told(points(Vec::new(), at(0), Some((1, 0)))), []);
        let many = points((0..1_000).map(|second| (at(second), 1, 0)).collect(), at(0), None);
        assert!(many.len() <= MOST_POINTS);
        assert_eq!(many.last().unwrap().done, 1_000);
    }
}
