//! The server itself.

use super::context::{Backend, Context};
use super::partitions::{seen, summary};
use super::AppError;
use crate::api::{
    CommandQueue, Formats, GraphInfo, Idle, RunnerInfo, ServerStatus, SettingList, SlotsRequest, Stats, Tally,
};
use crate::executor::MemoryLimits;
use crate::os::read_given;
use crate::store::{History, Listed, WantFilter, WantRow, MAX_ROWS};
use databuild_core::decide::Input;
use databuild_core::graph::file::FORMAT;
use databuild_core::graph::Graph;
use databuild_core::ids::WantId;
use databuild_core::state::{State, Want};
use databuild_core::text::shown;
use databuild_core::word::Word as _;
use std::path::Path;
use std::sync::Arc;

/// What the server is, has and does.
///
/// # Errors
/// The history cannot be read.
pub async fn status(context: &impl Context) -> Result<ServerStatus, AppError> {
    let backend = context.backend();
    let snapshot = backend.engine.snapshot();
    let state = &snapshot.state;
    let (memory_limits, memory_limits_reason) = match backend.engine.memory_limits() {
        MemoryLimits::Enforced { by } => ("enforced".to_owned(), format!("by {by}")),
        MemoryLimits::Accounting { why } => ("accounting".to_owned(), why),
    };
    let audience = &backend.audience;
    let open_wants = state.wants().keys().filter(|want| audience.sees_want(state, **want)).count();
    let live_runs = state.runs().values().filter(|run| audience.sees_run(state, run)).count();
    let seq = state.seq().0;
    let given = Arc::clone(state);
    let found = context.slow(move |backend, reader| {
        let graph = match given.followed() {
            None => None,
            Some(registered) => {
                let row = reader.graph(&registered.id)?.value;
                Some(GraphInfo {
                    id: registered.id.to_string(),
                    label: registered.graph.label.clone(),
                    registered_at: row.map(|row| row.at.to_string()).unwrap_or_default(),
                    jobs: jobs_seen(backend, &registered.graph),
                })
            }
        };
        let standings = backend.standings.of(&given, crate::os::now());
        let datasets = seen(backend, &standings).into_iter().map(summary).collect();
        Ok((graph, datasets, bazel(backend.engine.workspace())))
    });
    let (graph, datasets, bazel) = found.await?;
    Ok(ServerStatus {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        workspace: backend.engine.workspace().display().to_string(),
        started_at: backend.started_at.to_string(),
        code_store: backend.snapshots.root().display().to_string(),
        runtime_dir: backend.runtime_dir.display().to_string(),
        temporary_dir: backend.temporary_dir.clone().filter(|folder| std::path::Path::new(folder).is_dir()),
        slots: snapshot.slots,
        memory: snapshot.memory,
        memory_limits,
        memory_limits_reason,
        open_wants,
        live_runs,
        graph,
        datasets,
        seq,
        commands: CommandQueue {
            waiting: backend.engine.waiting_commands(),
            size: backend.engine.most_commands(),
        },
        resident: crate::os::resident(),
        idle: idle(context, &snapshot.state),
        runner: backend
            .engine
            .executor()
            .capabilities()
            .who
            .clone()
            .filter(|_| !snapshot.held)
            .map(|who| RunnerInfo { pid: who.process, version: who.version, protocol: who.protocol }),
        formats: Formats { bazel, log: backend.setup.log_format, graph: FORMAT },
        // Whoever serves this knows them.
        reads: Vec::new(),
    })
}

/// The version of Bazel that a workspace asks for: the first line of its `.bazelversion`.
fn bazel(workspace: &Path) -> Option<String> {
    const LONGEST: u64 = 128;
    let bytes = read_given(&workspace.join(".bazelversion"), LONGEST).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let line = text.lines().next().map(str::trim).filter(|line| !line.is_empty())?;
    Some(shown(line))
}

/// What keeps the server up, of what whoever asks may see. When somebody used it last, whoever serves this knows.
fn idle(context: &impl Context, state: &State) -> Idle {
    let Backend { audience, place, .. } = context.backend();
    let seen = state.wants().values().filter(|want| audience.sees_want(state, want.id));
    let wants = seen.filter(|want| is_due(want)).count();
    let trials = state.trials().values().filter(|trial| audience.sees_label(state, &trial.spec.job));
    let graph = state.followed().map(|registered| &registered.graph);
    let sees_schedule = |name: &str| {
        let schedule = graph.and_then(|graph| graph.schedule(name));
        schedule.is_some_and(|schedule| audience.sees_texts(state, &schedule.targets))
    };
    Idle {
        after_seconds: place.setup.idle_timeout.map(|time| time.as_secs()),
        runs: state.runs().values().filter(|run| audience.sees_run(state, run)).count(),
        wants: wants + trials.filter(|trial| trial.is_live()).count(),
        schedules: state.schedules().due().filter(|(_, name)| sees_schedule(name)).count(),
        used_at: None,
        ends_at: None,
    }
}

fn is_due(want: &Want) -> bool {
    !want.paused
}

/// Wants and trials that have something to do now or at a known time: they keep the server up.
#[must_use]
pub fn due(state: &State) -> usize {
    state.wants().values().filter(|want| is_due(want)).count()
        + state.trials().values().filter(|trial| trial.is_live()).count()
}

/// The settings that the server was started with.
pub fn settings(context: &impl Context) -> SettingList {
    let backend = context.backend();
    SettingList { data: backend.setup.settings.clone(), seq: backend.engine.snapshot().state.seq().0 }
}

/// Labels of jobs that whoever asks may see.
pub(super) fn jobs_seen(backend: &Backend, graph: &Graph) -> Vec<String> {
    let seen = graph.jobs().filter(|(ix, _)| backend.audience.sees_job(graph, *ix));
    seen.map(|(_, job)| job.label.clone()).collect()
}

/// How many wants there are that whoever asks may see, by state; of who may see all, the history knows without looking at each.
fn wants_seen(backend: &Backend, reader: &dyn History) -> Result<Tally, AppError> {
    let state = &backend.engine.snapshot().state;
    let mut tally = Tally::default();
    let mut filter = WantFilter { limit: MAX_ROWS, ..WantFilter::default() };
    loop {
        let is_seen = |want: &WantRow| backend.audience.sees_texts(state, &want.targets);
        let Listed { rows, next } = reader.wants_that(&filter, &is_seen)?.value;
        rows.iter().for_each(|want| add(&mut tally, want.state.word(), 1));
        let Some(next) = next else { return Ok(tally) };
        filter.before = Some(WantId(next));
    }
}

/// How many runs, wants and partitions there are, by state.
///
/// # Errors
/// The history cannot be read.
pub async fn stats(context: &impl Context) -> Result<Stats, AppError> {
    let told = context.slow(|backend, reader| {
        let found = reader.counts()?;
        let (mut runs, mut wants, mut partitions) = <(Tally, Tally, Tally)>::default();
        let state = Arc::clone(&backend.engine.snapshot().state);
        for ((job, run), count) in found.value.runs {
            if backend.audience.sees_label(&state, &job) {
                add(&mut runs, run.word(), count);
            }
        }
        for (state, count) in found.value.wants {
            add(&mut wants, state.word(), count);
        }
        if !backend.audience.sees_all() {
            wants = wants_seen(backend, reader)?;
        }
        for (_, row) in seen(backend, &backend.standings.of(&state, crate::os::now())) {
            let counts = [
                ("current", row.current),
                ("behind", row.behind),
                ("missing", row.missing),
                ("stale", row.stale),
                ("building", row.building),
                ("failed", row.failed),
                ("left_out", row.left_out),
            ];
            counts.into_iter().for_each(|(state, count)| add(&mut partitions, state, count));
        }
        Ok(Stats { runs, wants, partitions, seq: found.last_seq.0 })
    });
    told.await
}

fn add(tally: &mut Tally, state: &str, count: u64) {
    tally.total += count;
    *tally.by_state.entry(state.to_owned()).or_default() += count;
}

/// How many attempts may run at once.
///
/// # Errors
/// Zero.
pub async fn set_slots(context: &impl Context, body: &SlotsRequest) -> Result<(), AppError> {
    if body.slots == 0 {
        return Err(AppError::new("bad_slots", "at least one attempt must be able to run"));
    }
    context.backend().engine.submit(Input::SetSlots(body.slots)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_bazel_is_the_one_that_the_workspace_asks_for() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(bazel(folder.path()), None);
        for (text, said) in [("8.2.1\n", Some("8.2.1")), (" 7.x\n# ours\n", Some("7.x")), ("\n", None)] {
            std::fs::write(folder.path().join(".bazelversion"), text).unwrap();
            assert_eq!(bazel(folder.path()).as_deref(), said, "{text:?}");
        }
    }
}
