//! Prepares leased attempts: looks at their inputs, and writes the requests for the runner and the job.
//!
//! A lease is prepared while it is on its way to the disk; the loop has it started only once it is there. If it does not
//! get there, the loop drops what was prepared.
//!
//! Invariant: an attempt starts only if everything it reads is, at a moment after its lease, what the state said when
//! it was leased. Else what was seen is recorded and the attempt ends as [`AttemptOutcome::InputsMoved`]; the next one
//! is leased after the sighting. So the newest version before a lease is what the attempt found when it started. What
//! it found is in the request by its mark, against which [`super::moved`] holds it when the attempt has ended.
//!
//! Runs on threads of its own: one for attempts that read only files, and [some](ASKERS) for those whose inputs others have
//! to be asked about, which may take long.

use super::compose::{self, Marks};
use crate::attempt::check_request::CheckRequest;
use crate::attempt::environment::{runfiles_environment, usable};
use crate::attempt::inherited::Inherited;
use crate::attempt::request;
use crate::attempt::staging::{self, Staging};
use crate::executor::{AttemptName, CheckSpec, Executor, StartSpec};
use crate::history::{History, Told};
use crate::looks::ask::{self, Asker};
use crate::looks::files::{self, is_remote};
use crate::looks::observers::Observers;
use crate::looks::ownership::{self, Claim};
use crate::message::{EndedAttempt, Lease, LookOrder, Message, Prepared};
use crate::os::EnvValue;
use crate::pace::Pace;
use crate::publish::{Reserved, StatMark};
use crate::shared::Shared;
use crate::snapshot;
use crate::store::Reader;
use crate::trace::Trace;
use databuild_core::decide::{AttemptEnd, AttemptReport, AttemptSpec, Input, Sighting, Sightings};
use databuild_core::digest::hash64;
use databuild_core::event::AttemptOutcome;
use databuild_core::graph::{DatasetIx, Program, Resource};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::state::State;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Time limit of a check for which the graph has none. Graphs of today have one for each check.
const CHECK_TIMEOUT: Duration = Duration::from_secs(300);

/// The variable by which a process learns of which span its own are a part (W3C, OpenTelemetry).
const TRACE_PARENT: &str = "TRACEPARENT";

/// All that preparing needs.
pub(crate) struct Starter {
    pub(crate) shared: Arc<Shared>,
    pub(crate) workspace: PathBuf,
    pub(crate) staging: Arc<Staging>,
    pub(crate) reserved: Arc<Reserved>,
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) snapshots: Arc<snapshot::Store>,
    pub(crate) reader: Arc<Reader>,
    pub(crate) base_env: Vec<(String, String)>,
    /// Jobs are told of which trace they are a part.
    pub(crate) traced: bool,
    pub(crate) inherited: Arc<Inherited>,
    pub(crate) observers: Arc<Observers>,
}

/// So many threads ask others at once, so that one who answers late holds up nobody else.
pub(crate) const ASKERS: usize = 4;

/// Orders that several threads take, each what waits when it is free.
#[derive(Clone)]
pub(crate) struct Orders(Arc<Mutex<Receiver<LookOrder>>>);

impl Orders {
    /// Those that come here.
    pub(crate) fn of(orders: Receiver<LookOrder>) -> Orders {
        Orders(Arc::new(Mutex::new(orders)))
    }

    /// What waits, or comes next; none if nothing can come any more.
    fn next(&self) -> Option<Vec<LookOrder>> {
        let orders = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let first = orders.recv().ok()?;
        // Nobody waits for more: places are empty.
        Some(Pace::default().gather(first, &orders))
    }
}

/// Carries out orders until the channel closes. Those that have to ask others go `on`, if there is somebody.
pub(crate) fn starter(
    starter: &Starter,
    orders: &Orders,
    to_loop: &Sender<Message>,
    on: Option<&Sender<LookOrder>>,
    examine: &Sender<EndedAttempt>,
) {
    while let Some(batch) = orders.next() {
        let mut starts = Vec::new();
        for order in batch {
            match (order, on) {
                (LookOrder::Start(lease), Some(on))
                    if lease.spec.reads().iter().any(|(ix, _)| is_remote(&lease.spec.graph.graph, *ix)) =>
                {
                    // If the receiver is gone, the engine is going down.
                    let _ = on.send(LookOrder::Start(lease));
                }
                (LookOrder::Start(lease), _) => starts.push(lease),
                (LookOrder::Ended(ended), _) => ask::ask(&starter.asker(), *ended, to_loop, examine),
            }
        }
        if starter.prepare(starts, to_loop).is_err() {
            return;
        }
    }
}

/// What was seen of the inputs that attempts are about to read.
#[derive(Default)]
struct Seen {
    sightings: HashMap<(DatasetIx, PartitionKey), Sighting>,
    unseen: Vec<databuild_core::planner::Unseen>,
}

/// Why an attempt does not start.
struct Fault {
    outcome: AttemptOutcome,
    message: String,
}

fn fault(message: impl Into<String>, permanent: bool) -> Fault {
    Fault { outcome: AttemptOutcome::Failure { permanent }, message: message.into() }
}

fn input_moved(message: String) -> Fault {
    Fault { outcome: AttemptOutcome::InputsMoved, message }
}

impl Starter {
    fn asker(&self) -> Asker<'_> {
        Asker { shared: &self.shared, observers: &self.observers, executor: &self.executor }
    }

    /// Prepares attempts and tells the loop what came of it.
    fn prepare(
        &self,
        leases: Vec<Lease>,
        to_loop: &Sender<Message>,
    ) -> Result<(), std::sync::mpsc::SendError<Message>> {
        let Some(newest) = leases.last() else { return Ok(()) };
        // The newest that there is: it has all of their leases, and what was seen since.
        let told = Arc::clone(&self.shared.snapshot.load_full().state);
        let state = if told.seq() > newest.state.seq() { told } else { Arc::clone(&newest.state) };
        let sightings = self.look(&leases, &state);
        let of = |sighting: &Sighting| match sighting {
            Sighting::Gone(ix, key) | Sighting::Content { dataset: ix, key, .. } => (*ix, key.clone()),
        };
        let seen = Seen {
            sightings: sightings.seen.iter().map(|sighting| (of(sighting), sighting.clone())).collect(),
            unseen: sightings.unseen.clone(),
        };
        if !sightings.seen.is_empty() {
            to_loop.send(Message::Input(Box::new(Input::Sightings(sightings))))?;
        }
        let prepare = |Lease { spec, turn, told, .. }: Lease| {
            let end = |Fault { outcome, message }| {
                AttemptEnd::without_process(AttemptReport::new(outcome, message))
            };
            let start = self.start_spec(&spec, &told, &state, &seen).map_err(end);
            Prepared { attempt: spec.attempt, turn, start }
        };
        to_loop.send(Message::Prepared(leases.into_iter().map(prepare).collect()))
    }

    /// One look at all that these attempts read, where the current graph has it at the same place.
    fn look(&self, leases: &[Lease], state: &State) -> Sightings {
        let mut sets: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
        for Lease { spec, .. } in leases {
            for (ix, set) in spec.reads() {
                if let Some(now) = state.same_place(&spec.graph, ix) {
                    sets.entry(now).and_modify(|all| all.union_with(&set)).or_insert(set);
                }
            }
        }
        if sets.is_empty() {
            return Sightings::default();
        }
        let sets: Vec<_> = sets.into_iter().collect();
        files::look_at(state, &sets, &self.observers, false)
    }

    fn start_spec(
        &self,
        spec: &AttemptSpec,
        told: &Told,
        state: &State,
        seen: &Seen,
    ) -> Result<StartSpec, Fault> {
        let history = History { reader: &self.reader, told };
        let marks = self.check_inputs(spec, state, seen)?;
        let request = compose::build(spec, state, &self.workspace, &self.staging, history, &marks).map_err(
            |error| match error {
                compose::BuildError::Moved(partition) => {
                    input_moved(format!("its input {partition} was changed before it started"))
                }
                error => fault(error.to_string(), false),
            },
        )?;
        // Before it runs in vain. Links can change until it is published, so that looks again.
        let places = request.outputs.iter().filter_map(|output| output.final_path.as_deref());
        self.reserved.check(places).map_err(|error| fault(error.to_string(), true))?;
        // What is only tried is published by nobody.
        let trial = state.runs().get(&spec.attempt.run).is_some_and(|run| run.trial.is_some());
        if !trial {
            let claims = request.outputs.iter().filter_map(Claim::of_request);
            let checked = ownership::check(state, &spec.graph, history, claims);
            checked.map_err(|error| fault(error.to_string(), true))?;
        }
        let job = spec.graph.graph.job(spec.job);
        let snapshot = self
            .snapshot(&job.label, &job.program.code)
            .map_err(|(message, permanent)| fault(message, permanent))?;
        let arguments = compose::arguments(job, &request).map_err(|message| fault(message, true))?;
        let argv = argv(&snapshot, &job.program, arguments);
        let name =
            AttemptName::new(spec.attempt.to_string()).map_err(|error| fault(error.to_string(), true))?;
        let mut start = StartSpec::new(name, argv, self.workspace.to_string_lossy().into_owned());
        start.env = self.environment(spec, &job.program, &snapshot);
        if !trial {
            start.checks = self
                .checks(spec, &request, &start.attempt)
                .map_err(|(message, permanent)| fault(message, permanent))?;
        }
        if let Some(parent) = self.trace_parent(spec, state) {
            let checks = start.checks.iter_mut().map(|check| &mut check.env);
            for env in std::iter::once(&mut start.env).chain(checks) {
                // What the job declares is what it gets.
                if !env.iter().any(|(name, _)| name == TRACE_PARENT) {
                    env.push((TRACE_PARENT.to_owned(), parent.clone().into()));
                }
            }
        }
        start.check_failures = job.batch.is_some();
        self.staging.prepare(start.attempt.as_str());
        let noted = self.staging.note(start.attempt.as_str(), &request);
        noted.map_err(|error| fault(format!("its staging folder cannot be made: {error}"), false))?;
        start.mkdirs = staging::dirs(&request).map(|dir| dir.to_string_lossy().into_owned()).collect();
        start.request = serde_json::to_string(&request).map_err(|error| fault(error.to_string(), true))?;
        let most = self.executor.capabilities().most_request_bytes;
        if start.request_bytes() > most {
            return Err(fault(too_large(&start, spec, most), true));
        }
        let memory = job.takes.iter().find(|(resource, _)| *resource == Resource::Memory);
        start.memory = memory.map(|(_, bytes)| *bytes);
        start.timeout_ms = job.program.timeout.map(millis);
        start.grace_ms = millis(job.program.grace);
        start.max_log_bytes = job.policy.log_limit.unwrap_or(start.max_log_bytes);
        Ok(start)
    }

    /// Whether all that an attempt reads is what the state said when it was leased: the marks of its files, or why it
    /// does not start.
    fn check_inputs(&self, spec: &AttemptSpec, state: &State, seen: &Seen) -> Result<Marks, Fault> {
        let mut marks = Marks::new();
        let reads = spec.reads();
        for (ix, set) in &reads {
            let now = state.same_place(&spec.graph, *ix);
            let text =
                |key: &PartitionKey| spec.graph.graph.dataset(*ix).partition_text(key, state.symbols());
            let Some(now) = now else { continue };
            if let Some((look, key)) = seen.unseen.iter().find_map(|look| {
                let lost = if look.dataset == now { look.set.intersect(set) } else { return None };
                Some((look, lost.first()?))
            }) {
                // It is not the job's fault, and trying again may help: as if it had moved.
                let message = format!("its input {} could not be observed: {}", text(&key), look.message);
                return Err(input_moved(message));
            }
            let facts = state.dataset(now);
            for key in set.iter() {
                // It has no file, unless somebody put one there.
                let empty = facts.empty.contains(&key);
                let entry = facts.entries.get(&key).filter(|_| facts.present.contains(&key));
                match seen.sightings.get(&(now, key.clone())) {
                    Some(Sighting::Gone(..)) => {
                        let message = format!("its input {} was gone when it was to start", text(&key));
                        return Err(input_moved(message));
                    }
                    Some(Sighting::Content { version, mark, .. }) => {
                        let same = entry.is_some_and(|entry| entry.version == hash64(version));
                        // What is known to be altered counts as altered, whatever it holds.
                        if !same && !facts.altered.contains(&key) {
                            let message = format!("its input {} was changed before it started", text(&key));
                            return Err(input_moved(message));
                        }
                        marks.insert((*ix, key), StatMark(*mark));
                    }
                    None if empty => {}
                    None => {
                        let mark = entry.map_or(0, |entry| entry.mark);
                        marks.insert((*ix, key), StatMark(mark));
                    }
                }
            }
        }
        // Somebody else may have seen, or built, another version since it was leased.
        if spec.held(state) != spec.held {
            return Err(input_moved("one of its inputs was changed before it started".to_owned()));
        }
        Ok(marks)
    }

    /// The code with this digest; or why there is none, and whether for good.
    fn snapshot(&self, label: &str, code: &str) -> Result<snapshot::SnapshotRef, (String, bool)> {
        let code = code.parse().map_err(|_| (format!("the graph has no code digest for {label}"), true))?;
        match self.snapshots.intact(&code) {
            Ok(Some(snapshot)) => Ok(snapshot),
            Ok(None) => {
                let message = format!(
                        "the code snapshot of {label} is not in the code store ({}); run `bazel run //:databuild -- deploy` to store it again",
                    self.snapshots.root().display()
                );
                Err((message, true))
            }
            Err(error) => Err((error.to_string(), matches!(error, snapshot::SnapshotError::Damaged { .. }))),
        }
    }

    /// The checks of an attempt's outputs; or why they cannot be run, and whether that is for good.
    fn checks(
        &self,
        spec: &AttemptSpec,
        request: &request::Request,
        attempt: &AttemptName,
    ) -> Result<Vec<CheckSpec>, (String, bool)> {
        let graph = &spec.graph.graph;
        let checks: Vec<CheckSpec> = graph
            .checks_of(spec.job)
            .map(|check| {
                let dataset = &graph.dataset(check.dataset).name;
                let request = CheckRequest::new(check, dataset, request, self.executor.report_path(attempt));
                let snapshot = self.snapshot(&check.label, &check.program.code)?;
                let arguments = request.arguments(check).map_err(|message| (message, true))?;
                let request = serde_json::to_string(&request).map_err(|error| (error.to_string(), true))?;
                Ok(CheckSpec {
                    name: check.label.clone(),
                    argv: argv(&snapshot, &check.program, arguments),
                    env: self.environment(spec, &check.program, &snapshot),
                    request,
                    timeout_ms: millis(check.program.timeout.unwrap_or(CHECK_TIMEOUT)),
                    grace_ms: millis(check.program.grace),
                })
            })
            .collect::<Result<_, _>>()?;
        Ok(checks)
    }

    /// The span of an attempt: in the trace of the want that its lease names as the cause.
    /// None if nobody collects traces, or that want is over meanwhile.
    fn trace_parent(&self, spec: &AttemptSpec, state: &State) -> Option<String> {
        let oldest = spec.wants.iter().min().filter(|_| self.traced)?;
        let want = state.wants().get(oldest)?;
        Some(Trace::of(want.id, want.created_at).parent(spec.attempt))
    }

    /// The environment of a process of an attempt, which runs from this code.
    fn environment(
        &self,
        spec: &AttemptSpec,
        program: &Program,
        snapshot: &snapshot::SnapshotRef,
    ) -> Vec<(String, EnvValue)> {
        let mut env = usable(&self.base_env);
        let values = |name: &String| Some((name.clone(), self.inherited.get(name)?));
        env.extend(program.env_inherit.iter().filter_map(values));
        env.extend(program.env.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
        let runfiles = runfiles_environment(&snapshot.runfiles().to_string_lossy());
        env.extend(runfiles.map(|(name, value)| (name, value.into())));
        env.insert("DATABUILD_RUN_ID".to_owned(), spec.attempt.run.to_string().into());
        env.insert("DATABUILD_ATTEMPT".to_owned(), spec.attempt.number.to_string().into());
        env.into_iter().collect()
    }
}

/// What is executed of a snapshot.
fn argv(snapshot: &snapshot::SnapshotRef, program: &Program, arguments: Vec<String>) -> Vec<String> {
    let executable = snapshot.file(&program.executable).to_string_lossy().into_owned();
    std::iter::once(executable).chain(arguments).collect()
}

/// What to say of an attempt that would be told more than the executor takes.
fn too_large(start: &StartSpec, spec: &AttemptSpec, most: usize) -> String {
    const MIB: usize = 1 << 20;
    let job = spec.graph.graph.job(spec.job);
    let advice = match job.batch {
        Some(_) => "lower its `batch`, or let it read fewer partitions at once",
        None => "let it read fewer partitions at once",
    };
    format!(
        "the request of {} for {} partitions would have {} MiB, and may have {} MiB with those of the checks; {advice}",
        job.label,
        spec.set.len(),
        start.request_bytes().div_ceil(MIB),
        most / MIB,
    )
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "starter_tests.rs"]
mod tests;
