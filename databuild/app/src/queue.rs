//! What runs, what begins next and why, what waits for what.

use super::audience::Audience;
use super::context::Context;
use super::now::{live_and_waiting, Live, MOST};
use super::{pools, waits, AppError};
use crate::api::{Blocker, NextRun, NextWork, PoolList, Queue, Turn};
use crate::engine::Snapshot;
use crate::store::History;
use databuild_core::decide::blocker::{of_job, of_run};
use databuild_core::decide::queue::{could_begin, upcoming, Next};
use databuild_core::event::{ArmId, PriorityClass};
use databuild_core::graph::JobIx;
use databuild_core::ids::{RunId, WantId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::{Run, State};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Runs that one row names.
const NAMED: usize = 3;
/// Places of the queue that are looked at: runs of one job that follow each other are one row.
const LOOKED: usize = 200;

/// The queue.
///
/// # Errors
/// The history cannot be read.
pub async fn get(context: &impl Context) -> Result<Queue, AppError> {
    let PoolList { data, machine, .. } = pools::list(context);
    let found = context.slow(move |backend, reader| {
        let now = crate::os::now();
        let snapshot = backend.engine.snapshot();
        let Live { running, running_total, waiting, waiting_total } =
            live_and_waiting(&snapshot, reader, now, &backend.audience)?;
        let (state, audience) = (&snapshot.state, &backend.audience);
        let next_total = audience.counted(state, |counted| could_begin(state, snapshot.slots, now, counted));
        Ok(Queue {
            running,
            running_total,
            next: next(&snapshot, reader, now, audience)?,
            next_total,
            waiting,
            waiting_total,
            pools: data,
            machine,
            seq: state.seq().0,
        })
    });
    found.await
}

/// The first rows of the queue.
fn next(
    snapshot: &Snapshot,
    reader: &dyn History,
    now: Timestamp,
    audience: &Audience,
) -> Result<Vec<NextWork>, AppError> {
    let state = &snapshot.state;
    let mut rows: Vec<NextWork> = Vec::new();
    let mut lacks: BTreeMap<JobIx, Blocker> = BTreeMap::new();
    let seen = |place: &Next| is_seen(audience, state, place);
    for place in upcoming(state, snapshot.slots, now, LOOKED).into_iter().filter(seen) {
        let row = match place {
            Next::HandedOut(run) => of_live(snapshot, reader, audience, (now, run), Turn::HandedOut)?,
            Next::Retry(run) => of_live(snapshot, reader, audience, (now, run), Turn::Retry)?,
            Next::Work { job, want, class, first, all } => {
                let blocker = match lacks.get(&job) {
                    Some(known) => known.clone(),
                    None => {
                        let found = lack(snapshot, reader, audience, now, job)?;
                        lacks.insert(job, found.clone());
                        found
                    }
                };
                Some(of_work(state, (job, &first, &all), (want, class), blocker))
            }
            Next::Arm(arm) => of_arm(snapshot, arm),
        };
        let Some(mut row) = row else { continue };
        // It is there for somebody else.
        let sees_want = |want: &String| want.parse().is_ok_and(|want| audience.sees_want(state, want));
        row.want = row.want.filter(sees_want);
        if let Some(last) = rows.last_mut().filter(|last| same(last, &row)) {
            last.partitions += row.partitions;
            let room = NAMED.saturating_sub(last.first.len());
            last.first.extend(row.first.into_iter().take(room));
            continue;
        }
        if rows.len() == MOST {
            break;
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Whether a place of the queue is seen.
fn is_seen(audience: &Audience, state: &State, place: &Next) -> bool {
    match place {
        Next::HandedOut(run) | Next::Retry(run) => {
            state.runs().get(run).is_some_and(|run| audience.sees_run(state, run))
        }
        Next::Work { job, .. } => audience.sees_job(state.graph(), *job),
        Next::Arm(arm) => {
            let trial = state.trials().get(&arm.trial);
            trial.is_some_and(|trial| audience.sees_label(state, &trial.spec.job))
        }
    }
}

/// Runs that were handed out, or are due again, one after the other.
fn same(one: &NextWork, other: &NextWork) -> bool {
    matches!(one.turn, Turn::HandedOut | Turn::Retry)
        && one.turn == other.turn
        && (&one.job, &one.blocker.kind) == (&other.job, &other.blocker.kind)
}

/// What ready work of a job lacks.
fn lack(
    snapshot: &Snapshot,
    reader: &dyn History,
    audience: &Audience,
    now: Timestamp,
    job: JobIx,
) -> Result<Blocker, AppError> {
    if let Some(blocker) = waits::unrecorded(snapshot) {
        return Ok(blocker);
    }
    let found = of_job(&snapshot.state, snapshot.capacity(), now, job);
    let ready =
        found.first().map(|(_, found)| waits::told(snapshot, reader, audience, now, found)).transpose()?;
    Ok(ready.unwrap_or_default())
}

fn of_live(
    snapshot: &Snapshot,
    reader: &dyn History,
    audience: &Audience,
    (now, id): (Timestamp, RunId),
    turn: Turn,
) -> Result<Option<NextWork>, AppError> {
    let state = &snapshot.state;
    let Some(run) = state.runs().get(&id) else { return Ok(None) };
    let blocker = match waits::unrecorded(snapshot) {
        Some(blocker) => blocker,
        None => waits::told(snapshot, reader, audience, now, &of_run(state, snapshot.capacity(), now, run))?,
    };
    let want = state.served_by(run).map(|want| want.id).min();
    let reason = match turn {
        Turn::HandedOut => "it is handed out already, and begins as soon as a place is free".to_owned(),
        _ => format!("attempt {} is due, and what is tried again goes first", run.attempt + 1),
    };
    Ok(Some(NextWork { reason, want: want.map(|want| want.to_string()), blocker, ..of_run_row(run, turn) }))
}

fn of_run_row(run: &Arc<Run>, turn: Turn) -> NextWork {
    let graph = &run.graph.graph;
    NextWork {
        turn,
        reason: String::new(),
        want: None,
        job: graph.job(run.job).label.clone(),
        dataset: graph.home(run.job).name.clone(),
        partitions: run.set.len(),
        first: vec![NextRun {
            run: Some(run.id.to_string()),
            partition: run.partition.clone(),
            partitions: run.set.len(),
        }],
        blocker: Blocker::default(),
    }
}

fn of_work(
    state: &State,
    (job, first, all): (JobIx, &[PartitionSet], &PartitionSet),
    (want, class): (WantId, PriorityClass),
    blocker: Blocker,
) -> NextWork {
    let graph = state.graph();
    let home = graph.home(job);
    let run = |set: &PartitionSet| NextRun {
        run: None,
        partition: home.batch_text(set, state.symbols()),
        partitions: set.len(),
    };
    let (turn, reason) = match class {
        PriorityClass::Interactive => (
            Turn::Interactive,
            format!("{want} waits for it; older wants go first, and of a want what is furthest downstream"),
        ),
        PriorityClass::Backfill => (
            Turn::Backfill,
            format!("{want} is a backfill: it goes after all else, and begins with the newest"),
        ),
    };
    NextWork {
        turn,
        reason,
        want: Some(want.to_string()),
        job: graph.job(job).label.clone(),
        dataset: home.name.clone(),
        partitions: all.len(),
        first: first.iter().take(NAMED).map(run).collect(),
        blocker,
    }
}

fn of_arm(snapshot: &Snapshot, arm: ArmId) -> Option<NextWork> {
    let state = &snapshot.state;
    let trial = state.trials().get(&arm.trial)?;
    let sample = trial.spec.samples.get(arm.sample as usize)?;
    let (graph, job) = trial.code_of(sample, arm.arm as usize)?;
    let blocker = Blocker {
        kind: "ready".to_owned(),
        message: "it begins when what it takes is free".to_owned(),
        ..Blocker::default()
    };
    Some(NextWork {
        turn: Turn::Trial,
        reason: format!("{} goes after wants and before backfills", arm.trial),
        want: None,
        job: graph.graph.job(job).label.clone(),
        dataset: graph.graph.home(job).name.clone(),
        partitions: 1,
        first: vec![NextRun { run: None, partition: sample.partition.clone(), partitions: 1 }],
        blocker,
    })
}

#[cfg(test)]
mod tests {
    use super::super::why::tests::{chain, Workspace};
    use super::*;
    use databuild_core::decide::Input;
    use databuild_core::event::Refresh;

    /// One place, and a want for which three partitions of `text` are ready.
    fn wanted(target: &str) -> (Workspace, Snapshot) {
        let mut workspace = Workspace::new(&chain("code"));
        for name in ["a", "b", "c"] {
            workspace.observe(&format!("raw/name={name}"), "r1");
        }
        workspace.step(Input::SetSlots(1));
        workspace.want(target, Refresh::Stale);
        let state = Arc::new(workspace.core.state.clone());
        let snapshot = Snapshot { state, slots: 1, memory: None, held: false, unrecorded: None };
        (workspace, snapshot)
    }

    #[test]
    fn the_queue_says_what_begins_next_why_and_what_it_lacks() {
        let (workspace, snapshot) = wanted("text");
        let now = "2024-12-31T00:02:05Z".parse().unwrap();
        let rows = next(&snapshot, &workspace.reader(), now, &Audience::default()).unwrap();
        let [row] = rows.as_slice() else { panic!("{rows:?}") };
        assert_eq!((row.turn, &*row.dataset, row.partitions), (Turn::Interactive, "text", 2));
        let first: Vec<&str> = row.first.iter().map(|run| &*run.partition).collect();
        assert_eq!((first, row.want.as_deref()), (vec!["text/name=b", "text/name=c"], Some("w1")));
        assert!(row.reason.starts_with("w1 waits for it") && row.blocker.kind == "slots", "{row:?}");
        // Others see nothing of it.
        let of = |dataset: &str| {
            let audience = Audience::of(&[dataset.to_owned()]);
            let state = &snapshot.state;
            let total = audience.counted(state, |counted| could_begin(state, snapshot.slots, now, counted));
            (next(&snapshot, &workspace.reader(), now, &audience).unwrap(), total)
        };
        assert_eq!((of("book"), of("text").1), ((Vec::new(), 0), row.partitions));
        assert_eq!(of("text").0, rows);
    }

    #[test]
    fn what_is_made_for_others_is_told_without_whom_it_is_for() {
        let (workspace, snapshot) = wanted("book");
        let now = "2024-12-31T00:02:05Z".parse().unwrap();
        let want_of = |audience: &Audience| {
            let rows = next(&snapshot, &workspace.reader(), now, audience).unwrap();
            rows.into_iter().map(|row| (row.dataset, row.want)).collect::<Vec<_>>()
        };
        let row = |want: Option<&str>| vec![("text".to_owned(), want.map(str::to_owned))];
        assert_eq!(want_of(&Audience::default()), row(Some("w1")));
        assert_eq!(want_of(&Audience::of(&["text".to_owned()])), row(None));
    }
}
