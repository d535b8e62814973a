//! Carries out effects: the orchestrator's hands. Never blocks on a job; what takes long goes to a thread.

use super::examine::CANCELED;
use super::examiner::Examinations;
use super::files::{self, is_remote};
use super::history::Told;
use super::inherited::Inherited;
use super::message::{attempt_id, EndedAttempt, Lease, LookOrder, Message, Prepared, PublishOrder};
use super::observers::Observers;
use super::request;
use super::shared::Shared;
use super::staging::{self, Staging};
use crate::publish::{BadHash, Output};
use crate::runner::{
    self, AttemptFiles, AttemptName, AttemptState, EventSink, ExitRecord, Found, MemoryLimits, RunnerClient,
    RunnerError, RunnerEvent, MAX_REQUESTS,
};
use crate::system::{read_left, EnvValue};
use databuild_core::decide::{AttemptEnd, AttemptReport, Effect, Input};
use databuild_core::event::{AttemptOutcome, OutputRecord, Record};
use databuild_core::graph::DatasetIx;
use databuild_core::ids::{AttemptId, WantId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::{Phase, State};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
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
    pub(super) inherited: Arc<Mutex<Inherited>>,
    pub(super) observers: Arc<Observers>,
    pub(super) runner: Option<RunnerClient>,
    /// How much may run at once, as the runner was told.
    pub(super) told_slots: Option<usize>,
    pub(super) connect: ConnectRunner,
    /// While there is no runner: when the next one may be looked for.
    pub(super) try_again: Option<Instant>,
    pub(super) inbox: Sender<Message>,
    pub(super) publish: Sender<PublishOrder>,
    pub(super) start: Sender<LookOrder>,
    /// Attempts that are being prepared, with the turns that decided their leases.
    pub(super) starting: BTreeMap<AttemptId, u64>,
    /// Turns whose leases were dropped.
    pub(super) failed: BTreeSet<u64>,
    /// Where others are asked.
    pub(super) ask: Sender<LookOrder>,
    pub(super) examine: Sender<EndedAttempt>,
    /// What is being looked at of ended attempts.
    pub(super) examinations: Examinations,
}

impl Performer {
    /// Has the attempts prepared that a turn leased, though the turn may not be on disk yet; returns the other effects.
    /// `records` are the turn's, the last of which made `state`.
    pub(super) fn prepare(
        &mut self,
        effects: Vec<Effect>,
        turn: u64,
        state: &Arc<State>,
        records: &[Record],
    ) -> Vec<Effect> {
        if !effects.iter().any(|effect| matches!(effect, Effect::Start(_))) {
            return effects;
        }
        let told = Arc::new(Told::by(records, state.seq));
        let mut others = Vec::with_capacity(effects.len());
        for effect in effects {
            if let Effect::Start(spec) = effect {
                self.starting.insert(spec.attempt, turn);
                // A starter that is gone means that the engine goes down; a restart leases again.
                let (state, told) = (Arc::clone(state), Arc::clone(&told));
                let _ = self.start.send(LookOrder::Start(Lease { spec, turn, state, told }));
            } else {
                others.push(effect);
            }
        }
        others
    }

    /// The leases of that turn do not count, as it could not be recorded.
    pub(super) fn drop_leases(&mut self, turn: u64) {
        let before = self.starting.len();
        self.starting.retain(|_, leased| *leased != turn);
        if self.starting.len() < before {
            self.failed.insert(turn);
        }
    }

    /// Carries out effects; returns what was found out at once.
    pub(super) fn perform(&mut self, effects: Vec<Effect>, state: &State) -> Vec<Input> {
        let mut found = Vec::new();
        let mut forget = Vec::new();
        for effect in effects {
            match effect {
                // Those were sent out to be prepared.
                Effect::Start(_) => {}
                Effect::Cancel(attempt) => {
                    self.examinations.cancel(attempt);
                    if let (Some(runner), Ok(name)) = (&self.runner, AttemptName::new(attempt.to_string())) {
                        report(runner.cancel(&name, CANCELED));
                    }
                }
                Effect::Publish { attempt, outputs, again, .. } => {
                    match self.placed(attempt, &outputs, state) {
                        // A publisher that is gone means that the engine goes down; a restart publishes.
                        Ok(outputs) => {
                            let _ = self.publish.send(PublishOrder::Publish { attempt, outputs, again });
                        }
                        Err(message) => found.push(Input::PublishFailed { attempt, message }),
                    }
                }
                Effect::Look { want, sets } => self.look(want, sets, state),
                Effect::Forget(attempt) => {
                    self.starting.remove(&attempt);
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
        }
        found
    }

    /// Starts attempts that were prepared; returns the ends of those that cannot be started.
    pub(super) fn begin(&mut self, prepared: Vec<Prepared>, state: &State) -> Vec<Input> {
        let mut ends = Vec::new();
        let mut starts = Vec::new();
        for Prepared { attempt, turn, start } in prepared {
            if self.failed.contains(&turn) {
                continue;
            }
            self.starting.remove(&attempt);
            let start = match start {
                Ok(start) => start,
                Err(end) => {
                    ends.push(Input::AttemptEnded { attempt, end });
                    continue;
                }
            };
            let run = state.runs.get(&attempt.run);
            let run = run.filter(|run| run.attempt == attempt.number && run.phase == Phase::Leased);
            let end = |outcome, message: &str| {
                let report = AttemptReport::new(outcome, message);
                Input::AttemptEnded { attempt, end: AttemptEnd::without_process(report) }
            };
            match (run, &self.runner) {
                // It was given up meanwhile.
                (None, _) => drop(self.publish.send(PublishOrder::Clear { attempt })),
                (Some(run), _) if run.cancel_requested => {
                    ends.push(end(AttemptOutcome::Canceled, "canceled before it started"));
                }
                (Some(_), None) => ends.push(end(AttemptOutcome::Lost, "there is no runner")),
                (Some(_), Some(runner)) if !start.checks.is_empty() && !runner.runs_checks() => {
                    // It would make the outputs and leave them unchecked.
                    let message = "the runner that still runs is of an older version and runs no checks; \
                                   when its jobs are done, end it by `databuild stop --jobs`";
                    ends.push(end(AttemptOutcome::Failure { permanent: true }, message));
                }
                (Some(_), Some(_)) => starts.push(start),
            }
        }
        if let Some(runner) = self.runner.as_ref().filter(|_| !starts.is_empty()) {
            report(runner.start(&starts));
        }
        ends
    }

    /// Has an attempt that has ended looked at, and what others have to be asked about before that. Once, though the
    /// runner may tell of its end twice.
    pub(super) fn ended(&self, attempt: AttemptId, exit: ExitRecord, state: &State) {
        let Some(stop) = self.examinations.begin(attempt) else { return };
        let run = state.runs.get(&attempt.run);
        // The order to cancel may have come before its end.
        if run.is_some_and(|run| run.cancel_requested) {
            self.examinations.cancel(attempt);
        }
        let asks = run.is_some_and(|run| {
            let graph = &run.graph.graph;
            let found = run.discovered.iter().filter_map(|text| graph.locate(text, &state.symbols));
            let declared = graph.job(run.job).inputs.iter().map(|input| input.dataset);
            declared.chain(found.map(|(ix, _)| ix)).any(|ix| is_remote(graph, ix))
        });
        let ended = EndedAttempt { attempt, exit, asked: None, stop };
        // A closed channel means that the engine is going down; the runner tells again.
        if asks {
            let _ = self.ask.send(LookOrder::Ended(Box::new(ended)));
        } else {
            let _ = self.examine.send(ended);
        }
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

    /// Outputs with their staging paths and places, if they are files. These follow from the log alone, so that an intent
    /// can be carried out after a power loss that took the attempt's folder.
    fn placed(
        &self,
        attempt: AttemptId,
        outputs: &[OutputRecord],
        state: &State,
    ) -> Result<Vec<(String, Option<Output>)>, String> {
        let Some(run) = state.runs.get(&attempt.run) else { return Err(format!("{attempt} is not known")) };
        let graph = &run.graph.graph;
        let place = |output: &OutputRecord| -> Result<Option<Output>, String> {
            let (ix, key) = graph
                .locate(&output.partition, &state.symbols)
                .ok_or_else(|| format!("{} is not in the graph", output.partition))?;
            let job = graph.job(run.job);
            let index = job
                .outputs
                .iter()
                .position(|output| *output == ix)
                .ok_or_else(|| format!("{} does not make {}", job.label, output.partition))?;
            let Some(place) = graph.dataset(ix).partition_path(&key, &state.symbols) else { return Ok(None) };
            let place = self.workspace.join(place);
            let slot = staging::slot(job, index, &output.partition);
            let staging = self.staging.path(&attempt.to_string(), &slot, &place);
            let content = if output.empty {
                None
            } else {
                Some(output.version.parse().map_err(|error: BadHash| error.to_string())?)
            };
            Ok(Some(Output { staging, place, content, body: output.mark }))
        };
        outputs.iter().map(|output| Ok((output.partition.clone(), place(output)?))).collect()
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
                if matches!(error, RunnerError::Unreachable { pid: Some(_), .. }) {
                    // There is one, with all it was given: it is lost when that one ends without having told.
                    known.extend(live);
                }
                self.shared.memory_limits.store(Arc::new(no_runner()));
                self.try_again = Some(Instant::now() + TRY_AGAIN);
            }
        }
        // They are handed to whoever is there when they are prepared.
        known.extend(live.iter().filter(|attempt| self.starting.contains_key(attempt)));
        let unknown: Vec<AttemptId> =
            live.iter().filter(|attempt| !known.contains(attempt)).copied().collect();
        for (attempt, name, exit) in self.ended_before(&unknown) {
            known.push(attempt);
            news.push(RunnerEvent::Ended { attempt: name, exit });
        }
        news.into_iter().for_each(tell);
        // One that is leaving takes nothing new. Its end is told, and then another one is looked for.
        if self.runner.as_ref().is_some_and(|runner| !runner.hello().draining) {
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
            let text = read_left(&request, MAX_REQUESTS as u64).ok().flatten();
            if let Some(request) = text.and_then(|text| request::parse_request(&text).ok()) {
                if let Err(error) = self.staging.note(attempt.as_str(), &request) {
                    tracing::warn!(%error, attempt = attempt.as_str(), "where it stages outputs cannot be noted");
                }
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

    /// Attempts whose runner is gone and whose end was recorded. Kills what is left of the others.
    fn ended_before(&self, attempts: &[AttemptId]) -> Vec<(AttemptId, AttemptName, Box<ExitRecord>)> {
        if attempts.is_empty() {
            return Vec::new();
        }
        let Ok(boot) = crate::system::boot_id() else { return Vec::new() };
        let named = |attempt: &AttemptId| Some((*attempt, AttemptName::new(attempt.to_string()).ok()?));
        let (ids, names): (Vec<_>, Vec<_>) = attempts.iter().filter_map(named).unzip();
        let found = runner::inspect(&self.spool, &names, &boot);
        let mut ended = Vec::new();
        for ((attempt, name), found) in ids.into_iter().zip(names).zip(found) {
            match found {
                Ok(Found::Ended(exit)) => ended.push((attempt, name, exit)),
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, %attempt, "what became of an attempt cannot be seen"),
            }
        }
        ended
    }

    /// Stops all jobs and the runner.
    pub(super) fn stop_jobs(&mut self) {
        if let Some(runner) = self.runner.take() {
            report(runner.shutdown());
        }
    }

    pub(super) fn keep_inherited(&mut self, values: BTreeMap<String, EnvValue>) -> std::io::Result<()> {
        self.inherited.lock().unwrap_or_else(PoisonError::into_inner).store(values)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_runner_has_that_lives_and_cannot_be_reached_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let (orchestrator, _inbox) = super::super::testing::held_loop(folder.path(), 1);
        let mut performer = orchestrator.performer;
        let live: Vec<AttemptId> = vec!["r1-1".parse().unwrap(), "r2-1".parse().unwrap()];
        let unreachable = || RunnerError::Unreachable {
            pid: Some(1),
            spool: "/spool".into(),
            socket: "/socket".into(),
            why: "no such file".to_owned(),
        };
        performer.connect = Box::new(move |_| Err(unreachable()));
        assert!(matches!(performer.reconnect(&live), Input::Hold(known) if known == live));
        assert!(performer.try_again.is_some());
        performer.connect = Box::new(|_| Err(RunnerError::FolderGone("/spool".into())));
        assert!(matches!(performer.reconnect(&live), Input::Hold(known) if known.is_empty()));
    }
}
