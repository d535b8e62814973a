//! Carries out effects: the orchestrator's hands. Never blocks on a job; what takes long goes to a thread.

use super::checks::CheckRequest;
use super::examine::CANCELED;
use super::files;
use super::handle::Shared;
use super::inherited::Inherited;
use super::observers::Observers;
use super::orchestrator::{attempt_id, lost, Message};
use super::publisher::PublishOrder;
use super::request;
use super::staging::{self, Staging};
use crate::runner::{
    self, AttemptFiles, AttemptName, AttemptState, CheckSpec, EventSink, ExitRecord, Found, MemoryLimits,
    RunnerClient, RunnerError, RunnerEvent, StartSpec, MAX_REQUESTS,
};
use crate::snapshot;
use crate::store::Reader;
use databuild_core::decide::{AttemptEnd, AttemptReport, AttemptSpec, Effect, Input, Sighting, Sightings};
use databuild_core::event::{AttemptOutcome, OutputRecord};
use databuild_core::graph::{DatasetIx, Resource};
use databuild_core::ids::{AttemptId, WantId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::State;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Starts or finds the runner and returns a connection whose events go to the given sink.
pub type ConnectRunner = Box<dyn Fn(EventSink) -> Result<RunnerClient, RunnerError> + Send>;

/// Between two tries to get a runner, of which each may take seconds.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// What effects need.
pub(super) struct Performer {
    /// Where readers see what the runner is like.
    pub(super) shared: Arc<Shared>,
    pub(super) workspace: PathBuf,
    pub(super) staging: Arc<Staging>,
    pub(super) spool: PathBuf,
    pub(super) snapshots: Arc<snapshot::Store>,
    pub(super) reader: Arc<Reader>,
    pub(super) base_env: Vec<(String, String)>,
    pub(super) inherited: Inherited,
    pub(super) observers: Arc<Observers>,
    pub(super) runner: Option<RunnerClient>,
    /// How much may run at once, as the runner was told.
    pub(super) told_slots: Option<usize>,
    pub(super) connect: ConnectRunner,
    /// While there is no runner: when the next one may be looked for.
    pub(super) try_again: Option<Instant>,
    pub(super) inbox: Sender<Message>,
    pub(super) publish: Sender<PublishOrder>,
}

impl Performer {
    /// Carries out effects; returns what was found out at once.
    pub(super) fn perform(&mut self, effects: Vec<Effect>, state: &State) -> Vec<Input> {
        let mut starts = Vec::new();
        let mut found = Vec::new();
        let mut forget = Vec::new();
        for effect in effects {
            match effect {
                Effect::Start(spec) => match self.start_spec(&spec, state) {
                    Ok(start) => starts.push(start),
                    Err(inputs) => found.extend(inputs),
                },
                Effect::Cancel(attempt) => {
                    if let (Some(runner), Ok(name)) = (&self.runner, AttemptName::new(attempt.to_string())) {
                        report(runner.cancel(&name, CANCELED));
                    }
                }
                Effect::Publish { attempt, outputs, .. } => {
                    let outputs = self.placed(attempt, outputs, state);
                    // A publisher that is gone means that the engine goes down; a restart publishes.
                    let _ = self.publish.send(PublishOrder::Publish { attempt, outputs });
                }
                Effect::Look { want, sets } => self.look(want, sets, state),
                Effect::Forget(attempt) => {
                    forget.extend(AttemptName::new(attempt.to_string()).ok());
                    let _ = self.publish.send(PublishOrder::Clear { attempt });
                }
            }
        }
        if let Some(runner) = &self.runner {
            if !forget.is_empty() {
                // Logs are kept for `databuild logs`; `gc` removes old ones.
                report(runner.forget(&forget, true));
            }
            if !starts.is_empty() {
                report(runner.start(&starts));
            }
        } else {
            for start in starts {
                if let Some(attempt) = attempt_id(&start.attempt) {
                    found.push(Input::AttemptEnded { attempt, end: lost("there is no runner".to_owned()) });
                }
            }
        }
        found
    }

    /// Looks at external data on a thread of its own, and tells the loop what was seen.
    fn look(&self, want: WantId, sets: Vec<(DatasetIx, PartitionSet)>, state: &State) {
        let (state, observers, inbox) = (state.clone(), Arc::clone(&self.observers), self.inbox.clone());
        std::thread::spawn(move || {
            let sightings = files::look_at(&state, &sets, &observers, false);
            // A closed inbox means that the engine is going down; the next one asks again.
            drop(inbox.send(Message::Input(Box::new(Input::Looked { want, sightings }))));
        });
    }

    /// Each output with its staging path and its place. They follow from the log alone, so that an intent
    /// can be carried out after a power loss that took the attempt's folder.
    fn placed(
        &self,
        attempt: AttemptId,
        outputs: Vec<OutputRecord>,
        state: &State,
    ) -> Vec<(OutputRecord, Option<(PathBuf, PathBuf)>)> {
        let run = state.runs.get(&attempt.run);
        outputs
            .into_iter()
            .map(|output| {
                let paths = run.and_then(|run| {
                    let graph = &run.graph.graph;
                    let (ix, key) = graph.locate(&output.partition, &state.symbols)?;
                    let job = graph.job(run.job);
                    let index = job.outputs.iter().position(|output| *output == ix)?;
                    let place = graph.dataset(ix).partition_path(&key, &state.symbols)?;
                    let place = self.workspace.join(place);
                    let slot = staging::slot(job, index, &output.partition);
                    let staging = self.staging.path(&attempt.to_string(), &slot, &place);
                    Some((staging, place))
                });
                (output, paths)
            })
            .collect()
    }

    /// Connects to a runner. The input that follows says whether there is one, and which of the `live` attempts are
    /// accounted for; the others are lost.
    pub(super) fn reconnect(&mut self, live: &[AttemptId]) -> Input {
        self.runner = None;
        self.try_again = None;
        self.told_slots = None;
        let inbox = self.inbox.clone();
        // A closed inbox means that the engine is going down; the next one asks the runner what became of all.
        let tell = move |event| drop(inbox.send(Message::Runner(event)));
        let (mut known, mut news) = (Vec::new(), Vec::new());
        match (self.connect)(Box::new(tell.clone())) {
            Ok(client) => {
                (known, news) = self.told_by(&client, live);
                self.shared.memory_limits.store(Arc::new(client.memory_limits()));
                self.runner = Some(client);
            }
            Err(error) => {
                tracing::error!(%error, code = error.code(), "no runner can be started");
                self.shared.memory_limits.store(Arc::new(no_runner()));
                self.try_again = Some(Instant::now() + TRY_AGAIN);
            }
        }
        for attempt in live.iter().filter(|attempt| !known.contains(attempt)).copied().collect::<Vec<_>>() {
            if let Some(exit) = self.ended_before(attempt) {
                known.push(attempt);
                news.extend(
                    AttemptName::new(attempt.to_string())
                        .ok()
                        .map(|attempt| RunnerEvent::Ended { attempt, exit }),
                );
            }
        }
        news.into_iter().for_each(tell);
        if self.runner.is_some() {
            Input::Resume(known)
        } else {
            Input::Hold(known)
        }
    }

    /// What a runner knows of the `live` attempts: which ones, and what happened while nobody listened, to be told as
    /// if it happened now. It is told to stop all others.
    fn told_by(&self, client: &RunnerClient, live: &[AttemptId]) -> (Vec<AttemptId>, Vec<RunnerEvent>) {
        let (mut known, mut news) = (Vec::new(), Vec::new());
        for runner::AttemptReport { attempt, state } in &client.hello().attempts {
            let request = AttemptFiles::new(&self.spool, attempt).request();
            if let Some(request) =
                std::fs::read(request).ok().and_then(|text| request::parse_request(&text).ok())
            {
                self.staging.note(attempt.as_str(), &request);
            }
            let id = attempt_id(attempt);
            let over = matches!(state, AttemptState::Ended { .. });
            if !over && id.is_none_or(|id| !live.contains(&id)) {
                // It was given up when the runner could not be reached, and may be under way again.
                report(client.cancel(attempt, CANCELED));
                continue;
            }
            known.extend(id);
            match state {
                AttemptState::Queued => {}
                AttemptState::Running { pid, start_time, .. } => news.push(RunnerEvent::Started {
                    attempt: attempt.clone(),
                    pid: *pid,
                    start_time: *start_time,
                }),
                AttemptState::Ended { exit } => {
                    news.push(RunnerEvent::Ended { attempt: attempt.clone(), exit: exit.clone() });
                }
            }
        }
        (known, news)
    }

    /// The end of an attempt whose runner is gone, if it was recorded. Kills what is left of it.
    fn ended_before(&self, attempt: AttemptId) -> Option<Box<ExitRecord>> {
        let name = AttemptName::new(attempt.to_string()).ok()?;
        let boot = runner::identity::boot_id().ok()?;
        match runner::inspect(&self.spool, &name, &boot) {
            Ok(Found::Ended(exit)) => Some(exit),
            Ok(_) => None,
            Err(error) => {
                tracing::warn!(%error, %attempt, "what became of an attempt cannot be seen");
                None
            }
        }
    }

    /// Stops all jobs and the runner.
    pub(super) fn stop_jobs(&mut self) {
        if let Some(runner) = self.runner.take() {
            report(runner.shutdown());
        }
    }

    pub(super) fn keep_inherited(&mut self, values: BTreeMap<String, String>) -> std::io::Result<()> {
        self.inherited.store(values)
    }

    /// Tells the runner how much may run at once, if it does not know.
    pub(super) fn set_slots(&mut self, slots: usize) {
        if self.told_slots == Some(slots) {
            return;
        }
        if let Some(runner) = &self.runner {
            report(runner.set_capacity(u32::try_from(slots).unwrap_or(u32::MAX)));
            self.told_slots = Some(slots);
        }
    }

    fn start_spec(&self, spec: &AttemptSpec, state: &State) -> Result<StartSpec, Vec<Input>> {
        let attempt = spec.attempt;
        let fail = |message: String, permanent: bool| {
            let end = AttemptEnd {
                result: Err(AttemptReport::new(AttemptOutcome::Failure { permanent }, message)),
                exit_code: None,
                wall_ms: 0,
                cpu_ms: 0,
                max_rss_kb: 0,
                checks: Vec::new(),
            };
            Input::AttemptEnded { attempt, end }
        };
        let request = request::build(spec, state, &self.workspace, &self.staging, &self.reader)
            .map_err(|error| vec![fail(error.to_string(), false)])?;
        if let Some(inputs) = self.vanished(spec, &request) {
            return Err(inputs);
        }
        let job = spec.graph.graph.job(spec.job);
        let snapshot = self
            .snapshot(&job.label, &job.code)
            .map_err(|(message, permanent)| vec![fail(message, permanent)])?;
        let arguments = request::arguments(spec, &request).map_err(|message| vec![fail(message, true)])?;
        let mut argv = vec![snapshot.file(&job.executable).to_string_lossy().into_owned()];
        argv.extend(arguments);
        let name =
            AttemptName::new(attempt.to_string()).map_err(|error| vec![fail(error.to_string(), true)])?;
        let mut start = StartSpec::new(name, argv, self.workspace.to_string_lossy().into_owned());
        start.env = self.environment(spec, &job.env, &job.env_inherit, &snapshot);
        // What is only tried is published by nobody.
        if state.runs.get(&attempt.run).is_none_or(|run| run.trial.is_none()) {
            start.checks = self
                .checks(spec, &request, &start.attempt)
                .map_err(|(message, permanent)| vec![fail(message, permanent)])?;
        }
        start.check_failures = job.batch.is_some();
        self.staging.prepare(start.attempt.as_str());
        self.staging.note(start.attempt.as_str(), &request);
        start.mkdirs = staging::dirs(&request).map(|dir| dir.to_string_lossy().into_owned()).collect();
        start.request =
            serde_json::to_string(&request).map_err(|error| vec![fail(error.to_string(), true)])?;
        if start.request_bytes() > MAX_REQUESTS {
            return Err(vec![fail(too_large(&start, spec), true)]);
        }
        let memory = job.takes.iter().find(|(resource, _)| *resource == Resource::Memory);
        start.memory = memory.map(|(_, bytes)| *bytes);
        start.timeout_ms = job.timeout.map(millis);
        start.grace_ms = millis(job.grace);
        Ok(start)
    }

    /// The code with this digest; or why there is none, and whether for good.
    fn snapshot(&self, label: &str, code: &str) -> Result<snapshot::SnapshotRef, (String, bool)> {
        let code = code.parse().map_err(|_| (format!("the graph has no code digest for {label}"), true))?;
        match self.snapshots.find(&code) {
            Ok(Some(snapshot)) => Ok(snapshot),
            Ok(None) => {
                let message = format!(
                    "the code snapshot of {label} is gone from the cache; run `bazel run //:databuild -- status` to store it again"
                );
                Err((message, true))
            }
            Err(error) => Err((error.to_string(), false)),
        }
    }

    /// The checks of what an attempt makes; or why they cannot be run, and whether for good.
    fn checks(
        &self,
        spec: &AttemptSpec,
        request: &request::Request,
        attempt: &AttemptName,
    ) -> Result<Vec<CheckSpec>, (String, bool)> {
        let graph = &spec.graph.graph;
        let files = AttemptFiles::new(&self.spool, attempt);
        let checks: Vec<CheckSpec> = graph
            .checks_of(spec.job)
            .map(|check| {
                let dataset = &graph.dataset(check.dataset).name;
                let request = CheckRequest::new(check, dataset, request, files.report());
                let snapshot = self.snapshot(&check.label, &check.code)?;
                let mut argv = vec![snapshot.file(&check.executable).to_string_lossy().into_owned()];
                argv.extend(request.arguments(check).map_err(|message| (message, true))?);
                let request = serde_json::to_string(&request).map_err(|error| (error.to_string(), true))?;
                Ok(CheckSpec {
                    name: check.label.clone(),
                    argv,
                    env: self.environment(spec, &check.env, &check.env_inherit, &snapshot),
                    request,
                    timeout_ms: millis(check.timeout),
                    grace_ms: millis(check.grace),
                })
            })
            .collect::<Result<_, _>>()?;
        if !checks.is_empty() && self.runner.as_ref().is_some_and(|runner| !runner.runs_checks()) {
            // It would make the outputs and leave them unchecked.
            let message = "the runner that still runs is of an older version and runs no checks; \
                           when its jobs are done, end it by `databuild stop --jobs`";
            return Err((message.to_owned(), true));
        }
        Ok(checks)
    }

    /// Inputs whose file is gone by now: facts about them, and the end of the attempt.
    fn vanished(&self, spec: &AttemptSpec, request: &request::Request) -> Option<Vec<Input>> {
        let mut gone = Vec::new();
        let mut first = None;
        for (name, ix, set) in &spec.inputs {
            let files = request.inputs.get(name).into_iter().flatten();
            for (key, file) in set.iter().zip(files) {
                if file.vanished() {
                    first.get_or_insert_with(|| file.partition.clone());
                    gone.push(Sighting::Gone(*ix, key));
                }
            }
        }
        for ((ix, key), file) in spec.discovered.iter().zip(&request.discovered) {
            if file.vanished() {
                first.get_or_insert_with(|| file.partition.clone());
                gone.push(Sighting::Gone(*ix, key.clone()));
            }
        }
        let first = first?;
        let sightings = Sightings { graph: Some(spec.graph.id.clone()), seen: gone, unseen: Vec::new() };
        // No fault of the job: the core makes the input anew and then this run, or says that nobody can.
        let end = lost(format!("its input {first} was gone when it was to start"));
        Some(vec![Input::Sightings(sightings), Input::AttemptEnded { attempt: spec.attempt, end }])
    }

    /// The environment of a process of an attempt, which has this of its own and runs from this code.
    fn environment(
        &self,
        spec: &AttemptSpec,
        own: &BTreeMap<String, String>,
        inherit: &[String],
        snapshot: &snapshot::SnapshotRef,
    ) -> Vec<(String, String)> {
        let mut env: BTreeMap<String, String> = self.base_env.iter().cloned().collect();
        for name in inherit {
            if let Some(value) = self.inherited.get(name) {
                env.insert(name.clone(), value.to_owned());
            }
        }
        env.extend(own.clone());
        env.extend(runfiles_environment(&snapshot.runfiles().to_string_lossy()));
        env.insert("DATABUILD_RUN_ID".to_owned(), spec.attempt.run.to_string());
        env.insert("DATABUILD_ATTEMPT".to_owned(), spec.attempt.number.to_string());
        env.into_iter().collect()
    }
}

/// What to say of an attempt that would be told more than the runner takes.
fn too_large(start: &StartSpec, spec: &AttemptSpec) -> String {
    const MIB: usize = 1 << 20;
    format!(
        "the request for {} partitions would have {} MiB, and may have {} MiB with those of the checks; \
         lower `batch` of {}, or let it read fewer partitions at once",
        spec.set.len(),
        start.request_bytes().div_ceil(MIB),
        MAX_REQUESTS / MIB,
        spec.graph.graph.job(spec.job).label
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// What a program from a snapshot needs to know of it.
pub(super) fn runfiles_environment(runfiles: &str) -> [(String, String); 3] {
    [
        ("RUNFILES_DIR", runfiles),
        ("JAVA_RUNFILES", runfiles),
        // Byte code beside the sources would be a write into the snapshot.
        ("PYTHONDONTWRITEBYTECODE", "1"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
}

/// Who holds attempts to their memory while there is no runner.
pub(super) fn no_runner() -> MemoryLimits {
    MemoryLimits::Accounting { why: "there is no runner".to_owned() }
}

/// A runner that cannot be written to also reports its disconnection, which is where it is dealt with.
fn report(result: Result<(), RunnerError>) {
    if let Err(error) = result {
        tracing::warn!(%error, "the runner could not be told");
    }
}
