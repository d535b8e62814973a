//! What there is to measure, as OpenMetrics text for Prometheus.
//!
//! Invariants:
//! - Counters only rise, whatever is archived: they come from ids, which are never given twice, and from tables that count what is
//!   over with all that is archived. Those of the loop and of requests begin again with each server.
//! - Labels come from closed lists: words, routes, and the jobs and datasets of graphs. None is a partition.
//! - Their cost does not grow with the history: what is over is counted when it ends.
//! - Who may see some datasets alone is told what has the label of one of them, or of a job that makes them. All else is about
//!   everything, or about the server, and is left out.

use super::audience::Audience;
use super::context::{Backend, Context};
use super::AppError;
use crate::engine::Snapshot;
use crate::store::{Counts, WantState};
use databuild_core::state::State;
use databuild_core::word::Word as _;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;
use std::sync::Arc;

type Labels = Vec<(&'static str, String)>;

/// What content type the text has.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// What it has for who does not know that one. Each such text is also one in Prometheus's older format, to which `# UNIT` and `# EOF`
/// are comments.
pub const PLAIN_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// All metrics; `others` adds those that whoever serves this has of its own.
///
/// # Errors
/// The history cannot be read.
pub async fn text(
    context: &impl Context,
    others: impl FnOnce(&mut Registry) + Send,
) -> Result<String, AppError> {
    let Backend { engine, audience, .. } = context.backend();
    let snapshot = engine.snapshot();
    let state = Arc::clone(&snapshot.state);
    let found = context.quick(move |backend, reader| {
        let counts = reader.counts()?.value;
        let standings = backend.standings.of(&state, crate::os::now());
        let stand = standings.counts();
        Ok((counts, standings, stand))
    });
    let (counts, standings, stand) = found.await?;
    let mut registry = Registry::with_prefix("databuild");
    of_jobs(&mut registry, audience, &snapshot, &counts);
    of_datasets(&mut registry, audience, standings.state(), &stand);
    if audience.sees_all() {
        of_history(&mut registry, &snapshot, &counts);
        of_now(&mut registry, &snapshot);
        registry.register(
            "commands_waiting",
            "Commands that wait for the loop",
            ConstGauge::new(engine.waiting_commands()),
        );
        engine.metrics().register(&mut registry);
        others(&mut registry);
    }
    let mut text = String::new();
    // Writing to a text does not fail.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    Ok(text)
}

/// Where partitions stand.
fn of_datasets(
    registry: &mut Registry,
    audience: &Audience,
    state: &State,
    stand: &[databuild_core::state::Counts],
) {
    let states: Family<Labels, Gauge> = Family::default();
    let datasets = state.followed().into_iter().flat_map(|registered| registered.graph.datasets());
    let seen = datasets.zip(stand).filter(|((_, dataset), _)| audience.sees_name(&dataset.name));
    for ((_, dataset), stand) in seen {
        for (state, count) in [
            ("current", stand.current),
            ("behind", stand.behind),
            ("missing", stand.missing),
            ("stale", stand.stale),
            ("building", stand.building),
            ("failed", stand.failed),
            ("left_out", stand.left_out),
        ] {
            let labels = vec![("dataset", dataset.name.clone()), ("state", state.to_owned())];
            states.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
        }
    }
    registry.register("partitions", "Partitions by dataset and state", states);
}

/// Runs of each job.
fn of_jobs(registry: &mut Registry, audience: &Audience, snapshot: &Snapshot, counts: &Counts) {
    let (ended, live): (Family<Labels, Counter>, Family<Labels, Gauge>) = Default::default();
    let seen = counts.runs.iter().filter(|((job, _), _)| audience.sees_label(&snapshot.state, job));
    for ((job, state), count) in seen {
        let labels = vec![("job", job.clone()), ("state", state.word().to_owned())];
        if state.is_over() {
            ended.get_or_create(&labels).inc_by(*count);
        } else {
            live.get_or_create(&labels).set(i64::try_from(*count).unwrap_or(i64::MAX));
        }
    }
    registry.register("job_runs_ended", "Runs that are over, by job and by how they ended", ended);
    registry.register("job_runs_live", "Runs that are not over, by job and state", live);
}

/// What happened since there is a log.
fn of_history(registry: &mut Registry, snapshot: &Snapshot, counts: &Counts) {
    let state = &snapshot.state;
    let mut total =
        |name: &str, help: &str, count: u64| registry.register(name, help, ConstCounter::new(count));
    total("events", "Events of the log", state.seq().0);
    total("wants", "Wants that were created", state.last_want().0);
    total("job_runs", "Runs that were begun", state.last_run().0);
    let wants: Family<Labels, Counter> = Family::default();
    for (state, count) in counts.wants.iter().filter(|(state, _)| **state != WantState::Open) {
        wants.get_or_create(&vec![("state", state.word().to_owned())]).inc_by(*count);
    }
    registry.register("wants_ended", "Wants that are over, by how they ended", wants);
}

/// What is under way.
fn of_now(registry: &mut Registry, snapshot: &Snapshot) {
    let state = &snapshot.state;
    registry.register("wants_open", "Wants that are not over", ConstGauge::new(state.wants().len()));
    let (mut ready, mut queued) = (0, 0);
    for (job, _) in state.followed().iter().flat_map(|registered| registered.graph.jobs()) {
        let work = state.work(job);
        ready += work.ready.len();
        queued += work.todo.len();
    }
    let length: Family<Labels, Gauge<u64, std::sync::atomic::AtomicU64>> = Family::default();
    for (state, count) in [("ready", ready), ("waiting", queued - ready)] {
        length.get_or_create(&vec![("state", state.to_owned())]).set(count);
    }
    registry.register(
        "queue_length",
        "Partitions that wants wait for and no run makes yet: ready, or waiting for what they read",
        length,
    );
    registry.register("slots", "Attempts that may run at once", ConstGauge::new(snapshot.slots));
}
