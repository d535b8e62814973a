//! What a want or a run waits for, in words.

use super::error::ApiError;
use super::history;
use super::routes::App;
use crate::api::{Blocker, Holder, WhyWork};
use crate::engine::Snapshot;
use crate::store::{Reader, StoreError};
use databuild_core::decide::blocker::{of_run, of_want};
use databuild_core::decide::Blocker as Found;
use databuild_core::graph::Resource;
use databuild_core::ids::{RunId, WantId};
use databuild_core::state::Phase;
use jiff::Timestamp;

/// Holders of places that an answer names.
const MOST_HOLDERS: usize = 20;
/// Holders that a message names.
const MOST_NAMED: usize = 5;

/// What a want waits for.
///
/// # Errors
/// No such want, or the history cannot be read.
pub(super) fn want(app: &App, id: WantId) -> Result<WhyWork, ApiError> {
    let snapshot = app.engine.snapshot();
    let reader = app.engine.reader();
    if let Some(want) = snapshot.state.wants.get(&id) {
        let now = Timestamp::now();
        let found = of_want(&snapshot.state, snapshot.capacity(), now, want);
        return Ok(WhyWork {
            id: id.to_string(),
            state: "open".to_owned(),
            blocker: told(&snapshot, reader, now, &found)?,
            causes: want.causes.clone(),
            seq: snapshot.state.seq.0,
        });
    }
    let found = history::want(reader, id)?;
    let want = found.value;
    let state = want.state.as_str();
    Ok(WhyWork {
        id: id.to_string(),
        state: state.to_owned(),
        blocker: over(state, want.ended_at, want.causes.first()),
        causes: want.causes,
        seq: found.seq.0,
    })
}

/// What a run waits for.
///
/// # Errors
/// No such run, or the history cannot be read.
pub(super) fn run(app: &App, id: RunId) -> Result<WhyWork, ApiError> {
    let snapshot = app.engine.snapshot();
    let reader = app.engine.reader();
    let found = history::run(reader, id)?;
    let row = found.value.0.run;
    let state = row.state.as_str();
    let causes = Some(row.message).filter(|message| !message.is_empty()).into_iter().collect::<Vec<_>>();
    let (blocker, seq) = match snapshot.state.runs.get(&id) {
        Some(run) => {
            let now = Timestamp::now();
            let found = of_run(&snapshot.state, snapshot.capacity(), now, run);
            (told(&snapshot, reader, now, &found)?, snapshot.state.seq)
        }
        None => (over(state, row.ended_at, causes.first()), found.seq),
    };
    Ok(WhyWork { id: id.to_string(), state: state.to_owned(), blocker, causes, seq: seq.0 })
}

/// Of what has ended.
fn over(state: &str, at: Option<Timestamp>, cause: Option<&String>) -> Blocker {
    let cause = cause.map(|cause| format!(": {cause}")).unwrap_or_default();
    Blocker {
        kind: state.to_owned(),
        message: format!("it is over{cause}"),
        since: at.map(|at| at.to_string()),
        ..Blocker::default()
    }
}

fn told(snapshot: &Snapshot, reader: &Reader, now: Timestamp, found: &Found) -> Result<Blocker, StoreError> {
    let state = &snapshot.state;
    let partition = |id: &RunId| state.runs.get(id).map(|run| run.partition.clone()).unwrap_or_default();
    Ok(match found {
        Found::Ready if snapshot.held => Blocker {
            kind: "no_runner".to_owned(),
            message:
                "no runner can be started, and one is looked for every 10 s; .databuild/server.log says why"
                    .to_owned(),
            ..Blocker::default()
        },
        Found::UnderWay { run: id, more } => under_way(snapshot, reader, now, *id, *more)?,
        Found::Ready => Blocker {
            kind: "ready".to_owned(),
            message: "it waits for nothing: it is about to start".to_owned(),
            ..Blocker::default()
        },
        Found::Slots { slots, ready, holders } => {
            let named: Vec<Holder> =
                holders.iter().take(MOST_HOLDERS).map(|id| holder(snapshot, *id)).collect();
            let who = named.iter().take(3).map(|holder| {
                let wants =
                    if holder.wants.is_empty() { "nobody".to_owned() } else { holder.wants.join(", ") };
                format!("{} ({} for {wants})", holder.run, holder.partition)
            });
            let mut who = who.collect::<Vec<_>>().join(", ");
            if holders.len() > 3 {
                who.push_str(&format!(" and {} more", holders.len() - 3));
            }
            let who = if who.is_empty() { String::new() } else { format!("; they have {who}") };
            let places =
                if *slots == 1 { "the one place is".to_owned() } else { format!("all {slots} places are") };
            Blocker {
                kind: "slots".to_owned(),
                message: format!("{places} taken{who}; {ready} of its partitions could start"),
                holders: named,
                ..Blocker::default()
            }
        }
        Found::Limit { resource, size, needs, ready, holders, set_aside } => {
            limit(snapshot, resource, (*size, *needs), *ready, holders, *set_aside)
        }
        Found::Rate { job, until, ready } => {
            let left = u64::try_from(until.duration_since(now).as_millis()).unwrap_or(0);
            Blocker {
                kind: "rate".to_owned(),
                message: format!(
                    "{job} has started as often as its rate allows; the next start is due in {}; {ready} of its \
                     partitions could start",
                    span(left)
                ),
                until: Some(until.to_string()),
                ..Blocker::default()
            }
        }
        Found::Backoff { run, until } => {
            let made = reader.run(*run)?.value;
            let message = made.map(|found| found.run.message).filter(|message| !message.is_empty());
            let failed = message.map(|message| format!(" ({message})")).unwrap_or_default();
            let left = until.duration_since(now).as_millis();
            let left = span(u64::try_from(left).unwrap_or(0));
            Blocker {
                kind: "backoff".to_owned(),
                message: format!(
                    "the last attempt of {run} at {} failed{failed}; the next one is due in {left}",
                    partition(run)
                ),
                partition: Some(partition(run)),
                run: Some(run.to_string()),
                until: Some(until.to_string()),
                ..Blocker::default()
            }
        }
        Found::Paused { want } => Blocker {
            kind: "paused".to_owned(),
            message: format!("{want} is paused; go on with `databuild want resume {want}`"),
            ..Blocker::default()
        },
        Found::Suspended { run, want } => {
            let targets = snapshot.state.wants.get(want).map(|want| want.targets.join(", "));
            Blocker {
                kind: "suspended".to_owned(),
                message: format!(
                    "{run} at {} found that it needs {}, which {want} brings",
                    partition(run),
                    targets.unwrap_or_default()
                ),
                partition: Some(partition(run)),
                run: Some(run.to_string()),
                ..Blocker::default()
            }
        }
        Found::Canceling { run } => Blocker {
            kind: "canceling".to_owned(),
            message: format!("{run} makes {}, was told to stop and has not yet", partition(run)),
            partition: Some(partition(run)),
            run: Some(run.to_string()),
            ..Blocker::default()
        },
        Found::Behind { run } => Blocker {
            kind: "behind".to_owned(),
            message: format!(
                "{run} makes {} from older code or inputs; a new run follows when it is over",
                partition(run)
            ),
            partition: Some(partition(run)),
            run: Some(run.to_string()),
            ..Blocker::default()
        },
        Found::Upstream { waiting, partition, because } => {
            let because = told(snapshot, reader, now, because)?;
            Blocker {
                kind: "upstream".to_owned(),
                message: format!("{waiting} needs {partition}, which is not done; {}", because.message),
                partition: Some(partition.clone()),
                run: because.run.clone(),
                because: Some(Box::new(because)),
                ..Blocker::default()
            }
        }
    })
}

/// Of something that runs share, too little is free.
fn limit(
    snapshot: &Snapshot,
    resource: &Resource,
    (size, needs): (u64, u64),
    ready: u64,
    holders: &[(RunId, u64)],
    set_aside: bool,
) -> Blocker {
    let graph = snapshot.state.graph();
    let pool =
        |label: &str| graph.pool_labeled(label).map_or_else(|| label.to_owned(), |pool| pool.name.clone());
    let (kind, what) = match resource {
        Resource::Places => ("slots", "places".to_owned()),
        Resource::Memory => ("memory", "memory".to_owned()),
        Resource::Pool(label) => ("pool", format!("pool {}", pool(label))),
        Resource::Job(label) => {
            let label = graph.job_first_labeled(label).map_or(label, |job| &job.label);
            ("limit", format!("max_running of {label}"))
        }
        Resource::Dataset(name) => {
            let name = graph.dataset_first_named(name).map_or(name, |dataset| &dataset.name);
            ("limit", format!("max_running of {name}"))
        }
    };
    let amount = |amount: u64| match resource {
        Resource::Memory => format!("{} MiB", amount.div_ceil(1 << 20)),
        _ => amount.to_string(),
    };
    let mut who: Vec<String> =
        holders.iter().take(MOST_NAMED).map(|(run, has)| format!("{run} ({})", amount(*has))).collect();
    if holders.len() > MOST_NAMED {
        who.push(format!("and {} more", holders.len() - MOST_NAMED));
    }
    let who = who.join(", ");
    let used: u64 = holders.iter().map(|(_, has)| has).sum();
    let state = match (used, set_aside) {
        _ if needs > size => "is too small; `databuild pools` tells, and sets it larger".to_owned(),
        (_, true) => format!("is set aside for what waits longer: {who}"),
        (used, _) if used >= size => format!("is full: {who}"),
        (used, _) => format!("has {} free: {who}", amount(size - used)),
    };
    let state = state.strip_suffix(": ").unwrap_or(&state).to_owned();
    let named =
        holders.iter().take(MOST_HOLDERS).map(|(run, has)| Holder { amount: *has, ..holder(snapshot, *run) });
    Blocker {
        kind: kind.to_owned(),
        message: format!(
            "{what} {state}; there is {} of it, a run takes {}; {ready} of its partitions could start",
            amount(size),
            amount(needs)
        ),
        holders: named.collect(),
        ..Blocker::default()
    }
}

fn under_way(
    snapshot: &Snapshot,
    reader: &Reader,
    now: Timestamp,
    id: RunId,
    more: u64,
) -> Result<Blocker, StoreError> {
    let Some(run) = snapshot.state.runs.get(&id) else { return Ok(Blocker::default()) };
    let attempt = reader.attempt(run.attempt_id())?.value;
    let started = attempt.as_ref().and_then(|attempt| attempt.started_at);
    let since = started.or_else(|| attempt.map(|attempt| attempt.leased_at));
    let (kind, does) = match run.phase {
        Phase::Leased => ("starting", "is about to make"),
        Phase::Publishing => ("publishing", "publishes"),
        Phase::Running | Phase::RetryWait(_) => ("running", "makes"),
    };
    let took = since.map(|at| u64::try_from(now.duration_since(at).as_millis()).unwrap_or(0));
    let took = took.map(|ms| format!(" for {}", span(ms))).unwrap_or_default();
    let more = match more {
        0 => String::new(),
        1 => ", and 1 more run is under way".to_owned(),
        more => format!(", and {more} more runs are under way"),
    };
    Ok(Blocker {
        kind: kind.to_owned(),
        message: format!("it waits for nothing: {id} {does} {}{took}{more}", run.partition),
        partition: Some(run.partition.clone()),
        run: Some(id.to_string()),
        since: since.map(|at| at.to_string()),
        ..Blocker::default()
    })
}

fn holder(snapshot: &Snapshot, id: RunId) -> Holder {
    let state = &snapshot.state;
    let run = state.runs.get(&id);
    let wants = run
        .and_then(|run| state.current_job(run).map(|job| (job, run)))
        .map(|(job, run)| state.holders_of(job, &run.set).map(|want| want.id.to_string()).collect());
    Holder {
        run: id.to_string(),
        partition: run.map(|run| run.partition.clone()).unwrap_or_default(),
        wants: wants.unwrap_or_default(),
        amount: 1,
    }
}

/// A length of time for people, to the second.
fn span(ms: u64) -> String {
    match ms / 1000 {
        0 => "less than a second".to_owned(),
        seconds @ 1..=119 => format!("{seconds} s"),
        seconds => format!("{} min", seconds / 60),
    }
}
