//! Carries out effects: the orchestrator's hands. It waits for nothing; what takes long goes to a thread.

use super::apart::apart;
use super::attempt::inherited::Inherited;
use super::attempt::staging::{self, Staging};
use super::history::Told;
use super::looks::files::{self, is_remote};
use super::looks::observers::Observers;
use super::message::{Answer, EndedAttempt, Lease, LookOrder, Message, Prepared, PublishOrder};
use super::orders::{Access, Order, Search, PAUSED};
use super::outcomes::examiner::Examinations;
use crate::executor::ExitRecord;
use crate::publish::{BadHash, Output};
use databuild_core::decide::{AttemptEnd, AttemptReport, Effect, Input, WantRequest};
use databuild_core::event::{AttemptOutcome, OutputRecord, Record};
use databuild_core::graph::DatasetIx;
use databuild_core::ids::{AttemptId, WantId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::{Phase, State};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Pause between two tries to reach the executor; each try may take seconds.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// Where the loop stands with the executor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Link {
    /// It is looked for. It may be told to have `gone` before it is told to be there.
    Searching { gone: bool },
    /// It is there.
    Up,
    /// It could not be reached, and is looked for again then.
    Away { again: Instant },
}

/// What effects need.
pub(super) struct Performer {
    pub(super) workspace: PathBuf,
    pub(super) staging: Arc<Staging>,
    pub(super) inherited: Arc<Inherited>,
    pub(super) observers: Arc<Observers>,
    /// Where the executor is told what to do.
    pub(super) orders: Sender<Order>,
    /// The number of the connection with the executor, or of the search for it.
    pub(super) connection: u64,
    pub(super) link: Link,
    /// How much may run at once, as the executor was told.
    pub(super) told_slots: Option<usize>,
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
        let told = Arc::new(Told::by(records, state.seq()));
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
                    if !self.is_away() {
                        self.order(Order::Cancel(attempt));
                    }
                }
                Effect::Withdraw(attempt) => {
                    if !self.is_away() {
                        self.order(Order::Withdraw(attempt));
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
                Effect::Fire { schedule, tick, request } => self.fire(schedule, tick, request, state),
                Effect::Forget(attempt) => {
                    self.starting.remove(&attempt);
                    forget.push(attempt);
                    let _ = self.publish.send(PublishOrder::Clear { attempt });
                }
            }
        }
        if !forget.is_empty() && !self.is_away() {
            self.order(Order::Forget(forget));
        }
        found
    }

    /// Whether nobody is there who could be told anything, nor is looked for.
    fn is_away(&self) -> bool {
        matches!(self.link, Link::Away { .. })
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
            let run = state.runs().get(&attempt.run);
            let run = run.filter(|run| run.attempt == attempt.number && run.phase == Phase::Leased);
            let end = |outcome, message: &str| {
                let report = AttemptReport::new(outcome, message);
                Input::AttemptEnded { attempt, end: AttemptEnd::without_process(report) }
            };
            match run {
                // It was given up meanwhile.
                None => drop(self.publish.send(PublishOrder::Clear { attempt })),
                Some(run) if run.cancel_requested => {
                    ends.push(end(AttemptOutcome::Canceled, "canceled before it started"));
                }
                // The order to take it back came before it was handed over.
                Some(run) if state.is_held_back(run) => ends.push(end(AttemptOutcome::Canceled, PAUSED)),
                Some(_) if self.is_away() => ends.push(end(AttemptOutcome::Lost, "there is no runner")),
                Some(_) => starts.push(start),
            }
        }
        if !starts.is_empty() {
            self.order(Order::Submit(starts));
        }
        ends
    }

    /// Has an attempt that has ended looked at, and what others have to be asked about before that. Once, though the
    /// runner may tell of its end twice.
    pub(super) fn ended(&self, attempt: AttemptId, exit: ExitRecord, state: &State) {
        let Some(stop) = self.examinations.begin(attempt) else { return };
        let run = state.runs().get(&attempt.run);
        // The order to cancel may have come before its end.
        if run.is_some_and(|run| run.cancel_requested) {
            self.examinations.cancel(attempt);
        }
        let asks = run.is_some_and(|run| {
            let graph = &run.graph.graph;
            let found = run.discovered.iter().filter_map(|text| graph.locate(text, state.symbols()));
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
        apart("look", move || {
            let sightings = files::look_at(&state, &sets, &observers, false);
            // A closed inbox means that the engine is going down; the next one asks again.
            drop(inbox.send(Message::Input(Box::new(Input::Looked { want, sightings }))));
        });
    }

    /// Looks at the files that a tick's want is about, on a thread of its own, and tells the loop what was seen.
    fn fire(&self, schedule: Arc<str>, tick: Timestamp, request: WantRequest, state: &State) {
        let (state, observers, inbox) = (state.clone(), Arc::clone(&self.observers), self.inbox.clone());
        apart("tick", move || {
            let looked = files::look_at_files(state, &request.targets, request.refresh, tick, &observers);
            // What cannot be looked at since it means nothing is refused by the core, with the reason.
            let sightings = looked.map(|look| look.sightings).unwrap_or_default();
            drop(inbox.send(Message::Input(Box::new(Input::Fired { schedule, tick, sightings }))));
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
        let Some(run) = state.runs().get(&attempt.run) else { return Err(format!("{attempt} is not known")) };
        let graph = &run.graph.graph;
        let place = |output: &OutputRecord| -> Result<Option<Output>, String> {
            let (ix, key) = graph
                .locate(&output.partition, state.symbols())
                .ok_or_else(|| format!("{} is not in the graph", output.partition))?;
            let job = graph.job(run.job);
            let index = job
                .outputs
                .iter()
                .position(|output| *output == ix)
                .ok_or_else(|| format!("{} does not make {}", job.label, output.partition))?;
            let Some(place) = graph.dataset(ix).partition_path(&key, state.symbols()) else {
                return Ok(None);
            };
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

    /// Has the executor looked for. Until it is found, all that may be under way counts as known, and nothing begins; the
    /// input says so, unless it holds already.
    pub(super) fn look_for_executor(&mut self, state: &State) -> Option<Input> {
        let is_held = matches!(self.link, Link::Away { .. });
        let live = live_attempts(state);
        let search = self.search(&live);
        self.order(Order::Connect(search));
        (!is_held).then_some(Input::Hold(live))
    }

    /// What the loop believes, for a new search.
    pub(super) fn search(&mut self, live: &[AttemptId]) -> Search {
        self.connection += 1;
        self.link = Link::Searching { gone: false };
        // Attempts that are being prepared go to the executor that is there when they are ready.
        let submitted = live.iter().filter(|attempt| !self.starting.contains_key(attempt));
        Search { connection: self.connection, live: live.to_vec(), submitted: submitted.copied().collect() }
    }

    /// A search has ended. The input that follows says whether anything may begin, and which attempts are accounted for;
    /// the others are lost.
    pub(super) fn reached(&mut self, access: Access, lost: &[AttemptId], state: &State) -> Input {
        let known = live_attempts(state).into_iter().filter(|attempt| !lost.contains(attempt)).collect();
        let went_away = self.link == Link::Searching { gone: true };
        self.told_slots = None;
        self.link = match access {
            Access::None => Link::Away { again: Instant::now() + TRY_AGAIN },
            // Its end was told before its begin.
            _ if went_away => Link::Away { again: Instant::now() },
            _ => Link::Up,
        };
        if access == Access::Open && !went_away {
            Input::Resume(known)
        } else {
            Input::Hold(known)
        }
    }

    /// The executor of this connection went away; true if another one is to be looked for now.
    pub(super) fn gone(&mut self, connection: u64) -> bool {
        if connection != self.connection {
            return false;
        }
        match &mut self.link {
            Link::Searching { gone } => {
                *gone = true;
                false
            }
            Link::Up => true,
            Link::Away { .. } => false,
        }
    }

    /// When the executor is to be looked for again.
    pub(super) fn try_again(&self) -> Option<Instant> {
        match self.link {
            Link::Away { again } => Some(again),
            Link::Searching { .. } | Link::Up => None,
        }
    }

    /// A courier that is gone means that the engine goes down; a restart finds out what became of all.
    fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }

    /// Stops all jobs and the executor.
    pub(super) fn stop_jobs(&self) {
        self.order(Order::Stop);
    }

    /// The answer to a request that brings inherited values: it is given when they are kept, by a thread that waits for
    /// the disk.
    pub(super) fn answer_when_kept(&self, answer: Answer) -> Answer {
        let inherited = Arc::clone(&self.inherited);
        Box::new(move |reply| {
            apart("keeping", move || {
                if let Err(error) = inherited.keep() {
                    tracing::error!(%error, "inherited environment values could not be kept");
                }
                answer(reply);
            });
        })
    }

    /// Tells the executor how much may run at once, if it does not know.
    pub(super) fn set_slots(&mut self, slots: usize) {
        if self.link == Link::Up && self.told_slots != Some(slots) {
            self.order(Order::SetSlots(slots));
            self.told_slots = Some(slots);
        }
    }
}

/// Attempts that the executor should know.
pub(super) fn live_attempts(state: &State) -> Vec<AttemptId> {
    state.runs().values().filter(|run| run.occupies_slot()).map(|run| run.attempt_id()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::testing::{days, held_loop, want_of};
    use super::*;
    use crate::executor::{AttemptName, StartSpec};
    use databuild_core::decide::{Core, Reply, Sightings};

    fn seen_nothing(core: &Core) -> Sightings {
        let graph = core.state.followed().map(|registered| registered.id.clone());
        Sightings { graph, seen: Vec::new(), unseen: Vec::new() }
    }

    fn performer(folder: &std::path::Path) -> Performer {
        held_loop(folder, 1).0.performer
    }

    #[test]
    fn an_executor_that_went_away_before_it_was_told_to_be_there_is_looked_for_again() {
        let folder = tempfile::tempdir().unwrap();
        let (state, mut performer) = (State::default(), performer(folder.path()));
        performer.look_for_executor(&state);
        assert!(performer.try_again().is_none());
        let connection = performer.connection;
        assert!(!performer.gone(connection - 1), "news of an earlier one");
        assert!(!performer.gone(connection));
        assert!(matches!(performer.reached(Access::Open, &[], &state), Input::Hold(_)));
        assert!(performer.try_again().is_some_and(|again| again <= Instant::now()));
        assert!(performer.look_for_executor(&state).is_none(), "it is held");
        assert!(matches!(performer.reached(Access::Open, &[], &state), Input::Resume(_)));
        assert!(!performer.gone(connection) && performer.gone(performer.connection));
    }

    #[test]
    fn what_was_prepared_for_a_paused_want_is_not_handed_over() {
        let folder = tempfile::tempdir().unwrap();
        let mut performer = performer(folder.path());
        let (orders, ordered) = std::sync::mpsc::channel();
        performer.orders = orders;
        let now = "2024-12-31T00:00:00Z".parse().unwrap();
        let mut core = Core::new(1);
        core.step(Input::RegisterGraph(days("2024-12-01").into()), now).reply.unwrap();
        let step = core.step(Input::CreateWant(want_of("d/date=2024-12-01"), seen_nothing(&core)), now);
        let Ok(Reply::Want(want)) = step.reply else { panic!("{:?}", step.reply) };
        let attempt = live_attempts(&core.state)[0];
        let prepared = || {
            let name = AttemptName::new(attempt.to_string()).unwrap();
            Prepared { attempt, turn: 1, start: Ok(StartSpec::new(name, vec!["/bin/true".to_owned()], "/")) }
        };
        assert!(performer.begin(vec![prepared()], &core.state).is_empty());
        assert!(matches!(ordered.try_recv(), Ok(Order::Submit(_))));
        core.step(Input::PauseWant(want), now).reply.unwrap();
        let ends = performer.begin(vec![prepared()], &core.state);
        let [Input::AttemptEnded { end, .. }] = ends.as_slice() else { panic!("{ends:?}") };
        assert!(matches!(&end.result, Err(report) if report.outcome == AttemptOutcome::Canceled), "{end:?}");
        assert!(ordered.try_recv().is_err(), "it is not handed over");
    }

    #[test]
    fn nothing_begins_under_an_executor_that_leaves_or_cannot_be_reached() {
        let folder = tempfile::tempdir().unwrap();
        let (state, mut performer) = (State::default(), performer(folder.path()));
        assert!(matches!(performer.look_for_executor(&state), Some(Input::Hold(_))));
        assert!(matches!(performer.reached(Access::Leaving, &[], &state), Input::Hold(_)));
        assert!(performer.try_again().is_none(), "its end is told");
        assert!(performer.gone(performer.connection));
        assert!(matches!(performer.look_for_executor(&state), Some(Input::Hold(_))));
        assert!(matches!(performer.reached(Access::None, &[], &state), Input::Hold(_)));
        assert!(performer.try_again().is_some());
    }
}
