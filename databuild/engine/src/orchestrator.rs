//! The loop: sources → one message → decide → append → publish → answer → perform.

use super::attempt::inherited::Values;
use super::message::{attempt_id, lost, Answer, Command, CommandError, Message, Once};
use super::metrics::Watch;
use super::orders::Reached;
use super::pace::{Pace, STEP};
use super::perform::Performer;
use super::records::keeper::Keeper;
use super::shared::{Shared, Snapshot};
use crate::executor::News;
use crate::store::{Batch, EventLog, StoreError};
use databuild_core::decide::{self, Core, Effect, Input, Reply, Step};
use databuild_core::event::{Origin, RequestAnswered};
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Most messages that are decided before their events are made durable together.
const BATCH: usize = 512;
/// That an attempt has started is recorded together with what comes next, which is its end if it is short; at the latest
/// after this time.
const LATE: Duration = Duration::from_millis(20);
/// After a failed append, what came from the executor is tried again this much later.
const RETRY_APPEND: Duration = Duration::from_secs(1);
/// Longest sleep, so that a clock that was set is noticed.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Why the loop ended.
#[derive(Debug)]
pub(super) enum Ended {
    /// Somebody asked.
    Stopped,
    /// The log cannot be trusted any more.
    Failed(String),
}

/// All that the loop owns.
pub(super) struct Orchestrator {
    pub(super) core: Core,
    pub(super) log: Box<dyn EventLog>,
    pub(super) keeper: Keeper,
    pub(super) performer: Performer,
    pub(super) shared: Arc<Shared>,
    pub(super) pace: Pace,
    pub(super) inbox: Receiver<Message>,
    /// Inputs for the next turn: what effects found out at once, and those whose events could not be appended.
    pub(super) postponed: Vec<Input>,
    /// Inputs that nobody waits for. They are decided before the next one.
    pub(super) late: Late,
    /// The number of the turn.
    pub(super) turn: u64,
    /// Messages that were passed over for one that could not wait.
    pub(super) waiting: VecDeque<Message>,
    /// What is measured of it.
    pub(super) watch: Watch,
}

/// Inputs that are decided together with others, and until when they may wait for those.
#[derive(Default)]
pub(super) struct Late {
    inputs: Vec<Input>,
    until: Option<Instant>,
}

impl Late {
    fn add(&mut self, input: Input) {
        self.inputs.push(input);
        self.until.get_or_insert_with(|| Instant::now() + LATE);
    }

    fn take(&mut self) -> Vec<Input> {
        self.until = None;
        std::mem::take(&mut self.inputs)
    }

    fn is_due(&self) -> bool {
        self.until.is_some_and(|until| until <= Instant::now())
    }
}

/// What one turn gathered.
#[derive(Default)]
struct Turn {
    batch: Batch,
    effects: Vec<Effect>,
    answers: Vec<(Answer, Result<Reply, CommandError>)>,
    /// Inputs nobody would send again.
    facts: Vec<Input>,
    /// Inherited values that it brings; of several registrations, the last one's.
    inherited: Option<Values>,
}

impl Turn {
    /// Whether nothing of it is missed if a power loss takes it together with the attempts that it is of, and something
    /// follows that waits for the disk.
    fn may_go_with_attempts(&self) -> bool {
        let publishes = self.effects.iter().any(|effect| matches!(effect, Effect::Publish { .. }));
        let starts = self.effects.iter().any(|effect| matches!(effect, Effect::Start(_)));
        let records = &self.batch.records;
        publishes
            && !starts
            && !records.is_empty()
            && self.answers.is_empty()
            && records.iter().all(|record| record.event.goes_with_its_attempt())
    }
}

impl Orchestrator {
    /// Runs until told to stop.
    pub(super) fn run(mut self) -> Ended {
        let mut retry_append: Option<Instant> = None;
        loop {
            let wait = self.time_to_wait(retry_append);
            let first = match self.waiting.pop_front().map_or_else(|| self.inbox.recv_timeout(wait), Ok) {
                Ok(message) => Some(message),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ended::Stopped,
            };
            let mut turn = Turn::default();
            let mut stop = false;
            if retry_append.is_none_or(|at| at <= Instant::now()) {
                retry_append = None;
                for input in std::mem::take(&mut self.postponed) {
                    self.decide_fact(input, &mut turn);
                }
            }
            if self.late.is_due() {
                self.decide_late(&mut turn);
            }
            if self.performer.try_again().is_some_and(|at| at <= Instant::now()) {
                self.look_for_executor(&mut turn);
            }
            match first {
                None => {}
                Some(first) => {
                    let until = self.pace.until();
                    let mut next = Some(first);
                    let mut taken = 0;
                    while let Some(message) = next {
                        let urgent = matches!(
                            message,
                            Message::Command(_) | Message::Prepared(_) | Message::Stop { .. }
                        );
                        let until = until.filter(|_| !urgent);
                        stop |= self.take(message, &mut turn);
                        taken += 1;
                        // After a stop, the end of the runner's connection must not bring another runner.
                        next = if taken < BATCH && !stop { self.next_message(until) } else { None };
                    }
                }
            }
            match self.commit(turn) {
                Ok(()) => {}
                Err(Refused::Postponed) => retry_append = Some(Instant::now() + RETRY_APPEND),
                Err(Refused::Fatal(reason)) => return Ended::Failed(reason),
            }
            self.pace.set(self.has_a_queue());
            // What is published is what is durable.
            let committed = self.shared.snapshot.load_full();
            if stop {
                self.keeper.stop(&committed.state, self.log.as_mut());
                return Ended::Stopped;
            }
            self.keeper.tend(&committed.state, self.log.as_mut());
        }
    }

    /// Whether the runner has enough to do for a moment.
    fn has_a_queue(&self) -> bool {
        self.core.state.runs().values().filter(|run| run.occupies_slot()).count() > 2 * self.core.slots
    }

    fn next_message(&mut self, until: Option<Instant>) -> Option<Message> {
        loop {
            let next = self.waiting.pop_front().or_else(|| self.inbox.try_recv().ok());
            let left = until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
            if next.is_some() || left.is_zero() {
                return next;
            }
            std::thread::sleep(left.min(STEP));
        }
    }

    /// Starts what was prepared while its leases went to the disk, before other messages are looked at.
    fn begin_prepared(&mut self) {
        while let Ok(message) = self.inbox.try_recv() {
            match message {
                // What came of the others is decided in its turn, after what was seen of their inputs.
                Message::Prepared(prepared) if prepared.iter().all(|one| one.start.is_ok()) => {
                    self.postponed.extend(self.performer.begin(prepared, &self.core.state));
                }
                other => self.waiting.push_back(other),
            }
        }
    }

    fn time_to_wait(&self, retry_append: Option<Instant>) -> Duration {
        let timer = self.core.next_timer().map_or(LONGEST_WAIT, |at| {
            Duration::try_from(at.duration_since(crate::os::now())).unwrap_or(Duration::ZERO)
        });
        if retry_append.is_none() && !self.postponed.is_empty() {
            return Duration::ZERO;
        }
        let until =
            |at: Option<Instant>| at.map_or(LONGEST_WAIT, |at| at.saturating_duration_since(Instant::now()));
        let others = [retry_append, self.performer.try_again(), self.late.until];
        others.into_iter().map(until).fold(timer, Duration::min).min(LONGEST_WAIT)
    }

    /// Decides one message; true if it says stop.
    fn take(&mut self, message: Message, turn: &mut Turn) -> bool {
        match message {
            Message::Stop { jobs } => {
                self.decide_late(turn);
                if jobs {
                    self.performer.stop_jobs();
                }
                return true;
            }
            Message::Log(work) => work(self.log.as_mut()),
            Message::Encoded(checkpoint) => self.keeper.take(checkpoint),
            Message::Input(input) => self.decide_fact(*input, turn),
            Message::News { connection, news } => self.news(connection, news, turn),
            Message::Reached(Reached { connection, access, lost, news }) => {
                let found = self.performer.reached(access, &lost, &self.core.state);
                self.decide_fact(found, turn);
                for one in news {
                    self.news(connection, one, turn);
                }
            }
            Message::Prepared(prepared) => {
                for end in self.performer.begin(prepared, &self.core.state) {
                    self.decide_fact(end, turn);
                }
            }
            Message::Command(command) => {
                let Command { input, origin, inherited, once, answer } = *command;
                self.decide_late(turn);
                let step = match once {
                    Some(once) => self.decide_once(input, origin, once),
                    None => self.core.decide(input, origin, crate::os::now()),
                };
                let mut answer = answer;
                let is_new = matches!(&step.reply, Ok(reply) if !matches!(reply, Reply::Repeated(_)));
                if let Some(values) = inherited.filter(|_| is_new) {
                    turn.inherited = Some(values);
                    answer = self.performer.answer_when_kept(answer);
                }
                turn.batch.records.extend(step.records);
                turn.effects.extend(step.effects);
                turn.answers.push((answer, step.reply.map_err(CommandError::Refused)));
            }
        }
        false
    }

    /// Decides what a request means that has a name, and records in the same step what it was told.
    fn decide_once(&mut self, input: Input, origin: Origin, Once { key, told }: Once) -> Step {
        let now = crate::os::now();
        let known = decide::repeated(&self.core.state, Some(&key), now);
        if let Some(reply) = known.map(|known| known.map(Reply::Repeated)).transpose() {
            return Step { records: Vec::new(), effects: Vec::new(), reply };
        }
        let mut step = self.core.decide(input, origin.clone(), now);
        if let Ok(reply) = &step.reply {
            let answer = told(reply, self.core.state.seq());
            let answered = Input::RequestAnswered(RequestAnswered { request: key, answer });
            step.records.extend(self.core.decide(answered, origin, now).records);
        }
        step
    }

    fn decide_fact(&mut self, input: Input, turn: &mut Turn) {
        self.decide_late(turn);
        self.decide_now(input, turn);
    }

    fn decide_late(&mut self, turn: &mut Turn) {
        for input in self.late.take() {
            self.decide_now(input, turn);
        }
    }

    fn decide_now(&mut self, input: Input, turn: &mut Turn) {
        let keep = !matches!(input, Input::Tick);
        let step = self.core.decide(input.clone(), Origin::default(), crate::os::now());
        if let Err(refusal) = &step.reply {
            // For example the end of an attempt that a cancellation overtook.
            tracing::debug!(%refusal, "input without effect");
        }
        turn.batch.records.extend(step.records);
        turn.effects.extend(step.effects);
        if keep {
            turn.facts.push(input);
        }
    }

    fn news(&mut self, connection: u64, news: News, turn: &mut Turn) {
        match news {
            News::Started { attempt, process } => {
                if let Some(attempt) = attempt_id(&attempt) {
                    self.late.add(Input::AttemptStarted { attempt, pid: process });
                }
            }
            News::Ended { attempt, exit } => {
                if let Some(attempt) = attempt_id(&attempt) {
                    self.performer.ended(attempt, *exit, &self.core.state);
                }
            }
            News::Refused { attempt, code, message } => {
                tracing::warn!(%attempt, code, message, "the executor refused an attempt");
                if let Some(attempt) = attempt_id(&attempt) {
                    self.decide_fact(Input::AttemptEnded { attempt, end: lost(message) }, turn);
                }
            }
            News::Gone { reason } => {
                if self.performer.gone(connection) {
                    tracing::error!(reason, "the executor went away; looking for another");
                    self.look_for_executor(turn);
                }
            }
        }
    }

    fn look_for_executor(&mut self, turn: &mut Turn) {
        if let Some(held) = self.performer.look_for_executor(&self.core.state) {
            self.decide_fact(held, turn);
        }
    }

    /// Makes a turn and what follows from it durable, then answers and acts on it.
    fn commit(&mut self, mut turn: Turn) -> Result<(), Refused> {
        let step = self.core.follow(crate::os::now());
        turn.batch.records.extend(step.records);
        turn.effects.extend(step.effects);
        self.turn += 1;
        // What is leased in this turn begins with them. If the turn comes to nothing, those before hold again.
        let before = turn.inherited.take().map(|values| self.performer.inherited.replace(values));
        let told = self.shared.snapshot.load_full();
        let mut next = None;
        if turn.may_go_with_attempts() {
            // What follows brings it to disk. Until then nobody is told.
            if let Err(error) = self.log.append_unsynced(&turn.batch) {
                return self.append_failed(&error, turn, before);
            }
        } else if !turn.batch.records.is_empty() {
            let snapshot = Snapshot::of(&self.core);
            let (effects, records) = (turn.effects, &turn.batch.records);
            turn.effects = self.performer.prepare(effects, self.turn, &snapshot.state, records);
            let began = Instant::now();
            if let Err(error) = self.log.append(&turn.batch) {
                self.performer.drop_leases(self.turn);
                return self.append_failed(&error, turn, before);
            }
            self.watch.metrics.committed(began.elapsed());
            next = Some(snapshot);
        } else {
            turn.effects = self.performer.prepare(turn.effects, self.turn, &told.state, &[]);
            // With nothing left to record, the log is not waited for.
            let unrecorded = told.unrecorded.clone().filter(|_| !self.postponed.is_empty());
            if !told.is_of(&self.core) || unrecorded != told.unrecorded {
                let state = Arc::clone(&told.state);
                next = Some(Snapshot { state, unrecorded, ..Snapshot::of(&self.core) });
            }
        }
        self.watch.see(&turn.batch.records);
        if let Some(snapshot) = next {
            self.shared.publish(snapshot);
        }
        self.performer.set_slots(self.core.slots);
        for (answer, reply) in turn.answers {
            answer(reply);
        }
        // Requests are answered first: an attempt that has started may bring down the server.
        self.begin_prepared();
        // Whatever an effect found out at once is decided in the next turn, together with messages that came meanwhile.
        self.postponed.extend(self.performer.perform(turn.effects, &self.core.state));
        Ok(())
    }

    /// Nothing of the turn happened. The state is folded anew, since it is ahead of the log.
    fn append_failed(
        &mut self,
        error: &StoreError,
        turn: Turn,
        inherited: Option<Values>,
    ) -> Result<(), Refused> {
        if let Some(values) = inherited {
            self.performer.inherited.replace(values);
        }
        self.watch.metrics.not_appended();
        tracing::error!(%error, code = error.code(), "events could not be appended");
        for (answer, _) in turn.answers {
            answer(Err(CommandError::from(error.clone())));
        }
        if error.is_fatal() {
            return Err(Refused::Fatal(error.to_string()));
        }
        let (state, _) = super::records::replay::load(self.log.as_ref())
            .map_err(|error| Refused::Fatal(error.to_string()))?;
        self.core.state = state;
        self.postponed.extend(turn.facts);
        self.shared.cannot_record(error.code(), &error.to_string());
        Err(Refused::Postponed)
    }
}

enum Refused {
    Postponed,
    Fatal(String),
}

#[cfg(test)]
mod tests {
    use super::super::attempt::inherited::Inherited;
    use super::super::history::History;
    use super::super::message::{Lease, LookOrder, Prepared};
    use super::super::testing::{days, held_loop, loop_over, want_of};
    use super::*;
    use crate::executor::fake::Fake;
    use crate::executor::AttemptName;
    use crate::os::EnvValue;
    use crate::store::{MemoryLog, Reader, SqliteLog};
    use databuild_core::decide::AttemptEnd;
    use databuild_core::decide::{Sighting, Sightings, Success};
    use databuild_core::event::{GraphRegistered, OutputRecord};
    use databuild_core::ids::GraphId;
    use databuild_core::state::Phase;
    use std::sync::mpsc;

    /// Very many starts fail at once, each because its code is gone: more than 100,000, and without optimization, where each
    /// takes ten times as long, 20,000. The loop has a small stack, and answers a command before a hundredth of them is over.
    #[test]
    fn starts_that_fail_take_neither_the_stack_nor_the_inbox() {
        const SLOTS: usize = 16;
        let (since, many) =
            if cfg!(debug_assertions) { ("1970-01-01", 20_000) } else { ("1750-01-01", 100_000) };
        let folder = tempfile::tempdir().unwrap();
        let (mut orchestrator, inbox) = held_loop(folder.path(), SLOTS);
        let shared = Arc::clone(&orchestrator.shared);
        orchestrator.postponed = vec![
            Input::Resume(Vec::new()),
            Input::RegisterGraph(days(since).into()),
            Input::CreateWant(want_of("d"), Default::default()),
        ];
        let begun = {
            let shared = Arc::clone(&shared);
            move || shared.snapshot.load().state.last_run().0
        };
        let (tell, told) = mpsc::channel();
        let command = |answer: Answer| {
            let input = Input::Tick;
            Message::Command(Box::new(Command {
                input,
                origin: Origin::default(),
                inherited: None,
                once: None,
                answer,
            }))
        };
        // The first is answered in the turn in which starts begin to fail; only then there is a second one.
        let again = inbox.clone();
        let first = Box::new(move |_| {
            let answer = Box::new(move |_| tell.send(begun()).unwrap());
            again.send(command(answer)).unwrap();
        });
        inbox.send(command(first)).unwrap();
        let running =
            std::thread::Builder::new().stack_size(512 << 10).spawn(move || orchestrator.run()).unwrap();
        let begun = told.recv().unwrap();
        assert!(begun < 200, "{begun} runs had begun before a command was answered");
        let mut seq = shared.seq.subscribe();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let over = |state: &databuild_core::state::State| state.last_run().0 > 0 && state.wants().is_empty();
        runtime.block_on(seq.wait_for(|_| over(&shared.snapshot.load().state))).unwrap();
        inbox.send(Message::Stop { jobs: false }).unwrap();
        assert!(matches!(running.join().unwrap(), Ended::Stopped));
        let begun = shared.snapshot.load().state.last_run().0;
        assert!(begun > many, "{begun}");
    }

    #[test]
    fn commands_are_answered_while_the_executor_is_looked_for() {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::default());
        let (let_in, gate) = mpsc::sync_channel(1);
        fake.wait_at(gate);
        let (mut orchestrator, inbox) = loop_over(&fake, folder.path(), 1);
        let shared = Arc::clone(&orchestrator.shared);
        orchestrator.postponed =
            vec![Input::Resume(Vec::new()), Input::RegisterGraph(days("2020-01-01").into())];
        let news = News::Gone { reason: "it was killed".to_owned() };
        inbox.send(Message::News { connection: 0, news }).unwrap();
        let running = std::thread::spawn(move || orchestrator.run());
        let (tell, told) = mpsc::channel();
        let answer = Box::new(move |reply| tell.send(reply).unwrap());
        let input = Input::CreateWant(want_of("d/date=2020-01-01"), Default::default());
        inbox
            .send(Message::Command(Box::new(Command {
                input,
                origin: Origin::default(),
                inherited: None,
                once: None,
                answer,
            })))
            .unwrap();
        assert!(matches!(told.recv().unwrap(), Ok(Reply::Want(_))));
        let seen = shared.snapshot.load_full();
        assert!(seen.held && seen.state.last_run().0 == 0, "nothing begins");
        let_in.send(()).unwrap();
        let mut seq = shared.seq.subscribe();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let over = |_: &u64| shared.snapshot.load().state.wants().is_empty();
        runtime.block_on(seq.wait_for(over)).unwrap();
        let seen = shared.snapshot.load_full();
        assert!(!seen.held && seen.state.last_run().0 == 1);
        inbox.send(Message::Stop { jobs: false }).unwrap();
        assert!(matches!(running.join().unwrap(), Ended::Stopped));
    }

    /// Registers a graph with a value of `A` in a turn whose events are on record or not; what holds afterwards.
    fn registered(fails: bool) -> (Option<EnvValue>, Result<Reply, CommandError>) {
        let folder = tempfile::tempdir().unwrap();
        let (mut orchestrator, _inbox) = held_loop(folder.path(), 1);
        if fails {
            let mut log = MemoryLog::new();
            log.fail_next(StoreError::DiskFull { log: "log".to_owned() });
            orchestrator.log = Box::new(log);
        }
        let inherited = Some(Values::from([("A".to_owned(), "1".into())]));
        let (tell, told) = mpsc::channel();
        let answer = Box::new(move |reply| tell.send(reply).unwrap());
        let input = Input::RegisterGraph(days("2020-01-01").into());
        let mut turn = Turn::default();
        orchestrator.take(
            Message::Command(Box::new(Command {
                input,
                origin: Origin::default(),
                inherited,
                once: None,
                answer,
            })),
            &mut turn,
        );
        assert_eq!(orchestrator.commit(turn).is_err(), fails);
        let reply = told.recv().unwrap();
        let held = orchestrator.performer.inherited.get("A");
        assert_eq!(
            Inherited::load(&folder.path().join("inherited")).get("A"),
            held,
            "whoever is told finds them kept"
        );
        (held, reply)
    }

    #[test]
    fn values_that_a_graph_brings_hold_when_it_is_on_record() {
        let (held, reply) = registered(false);
        assert!(held == Some("1".into()) && matches!(reply, Ok(Reply::Registered { changed: true })));
        let (held, reply) = registered(true);
        assert!(held.is_none() && reply.is_err());
    }

    /// A loop that wants one day of a file, and what it orders to be prepared.
    fn wanting(folder: &std::path::Path) -> (Orchestrator, Turn, mpsc::Receiver<LookOrder>) {
        let (mut orchestrator, _) = held_loop(folder, 1);
        let (start, orders) = mpsc::channel();
        orchestrator.performer.start = start;
        let mut graph = days("2020-01-01");
        graph.content = graph.content.replace("\"path\":null", "\"path\":\"out/{date}\"").into();
        graph.graph = GraphId::of(&graph.content);
        let want = want_of("d/date=2020-01-01");
        let mut turn = Turn::default();
        for input in [
            Input::Resume(Vec::new()),
            Input::RegisterGraph(graph.into()),
            Input::CreateWant(want, Default::default()),
        ] {
            orchestrator.decide_fact(input, &mut turn);
        }
        (orchestrator, turn, orders)
    }

    fn lease(orders: &mpsc::Receiver<LookOrder>) -> Lease {
        match orders.try_recv() {
            Ok(LookOrder::Start(lease)) => lease,
            _ => panic!("nothing is to be started"),
        }
    }

    #[test]
    fn a_short_attempt_waits_for_the_disk_once_and_is_told_of_then() {
        let folder = tempfile::tempdir().unwrap();
        let (mut orchestrator, turn, orders) = wanting(folder.path());
        let committed = |orchestrator: &mut Orchestrator, turn| {
            assert!(orchestrator.commit(turn).is_ok());
            let told = orchestrator.shared.snapshot.load().state.seq();
            (told, orchestrator.log.last())
        };
        let (leased, last) = committed(&mut orchestrator, turn);
        assert_eq!(leased, last);
        let lease = lease(&orders);
        let attempt = lease.spec.attempt;
        assert_eq!(lease.state.seq(), leased);

        let name = AttemptName::new(attempt.to_string()).unwrap();
        let started = News::Started { attempt: name, process: 7 };
        let mut turn = Turn::default();
        orchestrator.news(0, started, &mut turn);
        assert_eq!(committed(&mut orchestrator, turn), (leased, leased), "it waits for company");

        let output = OutputRecord {
            partition: lease.spec.partition.clone(),
            version: format!("sha256:{}", "0".repeat(64)),
            empty: false,
            mark: 0,
            bytes: 1,
            metadata: "{}".to_owned(),
        };
        let success = Success { outputs: vec![output], keys: Default::default() };
        let end = AttemptEnd { result: Ok(success), ..lost(String::new()) };
        let mut turn = Turn::default();
        orchestrator.decide_fact(Input::AttemptEnded { attempt, end }, &mut turn);
        let (told, last) = committed(&mut orchestrator, turn);
        assert_eq!(
            (told, last.0),
            (leased, leased.0 + 3),
            "nobody is told of what did not wait for the disk"
        );

        let mut turn = Turn::default();
        orchestrator.decide_fact(Input::Published { attempt, marks: vec![1] }, &mut turn);
        let (told, last) = committed(&mut orchestrator, turn);
        assert_eq!(told, last);
        let kinds = orchestrator.log.read(leased, 4).unwrap();
        let kinds: Vec<_> = kinds.iter().map(|(_, record)| record.event.kind()).collect();
        assert_eq!(kinds, ["attempt_started", "attempt_ended", "publish_intended", "materialized"]);
    }

    #[test]
    fn that_a_long_attempt_has_started_is_recorded_by_itself() {
        let folder = tempfile::tempdir().unwrap();
        let (mut orchestrator, turn, orders) = wanting(folder.path());
        assert!(orchestrator.commit(turn).is_ok());
        orchestrator.late.add(Input::AttemptStarted { attempt: lease(&orders).spec.attempt, pid: 7 });
        assert!(orchestrator.time_to_wait(None) <= LATE);
        orchestrator.late.until = Some(Instant::now());
        assert!(orchestrator.late.is_due());
        let mut turn = Turn::default();
        orchestrator.decide_late(&mut turn);
        assert!(orchestrator.commit(turn).is_ok());
        assert!(!orchestrator.late.is_due());
        let told = Arc::clone(&orchestrator.shared.snapshot.load().state);
        assert!(told.runs().values().any(|run| run.phase == Phase::Running));
    }

    #[test]
    fn what_was_prepared_for_a_lease_that_was_not_recorded_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let (mut orchestrator, turn, orders) = wanting(folder.path());
        let mut log = MemoryLog::new();
        log.fail_next(StoreError::DiskFull { log: "log".to_owned() });
        orchestrator.log = Box::new(log);
        assert!(matches!(orchestrator.commit(turn), Err(Refused::Postponed)));
        let void = lease(&orders);
        let mut turn = Turn::default();
        for input in std::mem::take(&mut orchestrator.postponed) {
            orchestrator.decide_fact(input, &mut turn);
        }
        assert!(orchestrator.commit(turn).is_ok());
        let valid = lease(&orders);
        assert_eq!(void.spec.attempt, valid.spec.attempt, "they look the same");
        let mut ends = |lease: &Lease| {
            let (attempt, turn) = (lease.spec.attempt, lease.turn);
            let prepared = Prepared { attempt, turn, start: Err(lost(String::new())) };
            orchestrator.performer.begin(vec![prepared], &orchestrator.core.state).len()
        };
        assert_eq!((ends(&void), ends(&valid)), (0, 1));
    }

    /// Whoever waits is told within the second in which the next try is due, and no longer than it holds.
    #[test]
    fn that_nothing_can_be_recorded_is_told_as_long_as_something_waits_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut orchestrator, turn, _orders) = wanting(folder.path());
        let told = |orchestrator: &Orchestrator| {
            let seen = orchestrator.shared.snapshot.load_full();
            seen.unrecorded.as_ref().map(|why| why.code)
        };
        let fail = |orchestrator: &mut Orchestrator| {
            let mut log = MemoryLog::new();
            log.fail_next(StoreError::DiskFull { log: "log".to_owned() });
            orchestrator.log = Box::new(log);
        };
        fail(&mut orchestrator);
        assert_eq!(told(&orchestrator), None);
        assert!(orchestrator.commit(turn).is_err());
        assert_eq!(told(&orchestrator), Some("disk_full"));
        // Turns in which there is nothing to record say nothing of the log.
        assert!(orchestrator.commit(Turn::default()).is_ok());
        assert_eq!(told(&orchestrator), Some("disk_full"));
        let mut turn = Turn::default();
        for input in std::mem::take(&mut orchestrator.postponed) {
            orchestrator.decide_fact(input, &mut turn);
        }
        assert!(orchestrator.commit(turn).is_ok());
        assert_eq!(told(&orchestrator), None);
        // A command that was refused waits for nothing.
        fail(&mut orchestrator);
        let input = Input::CreateWant(want_of("d/date=2020-01-01"), Default::default());
        let answer = Box::new(|_| {});
        let command = Command { input, origin: Origin::default(), inherited: None, once: None, answer };
        let mut turn = Turn::default();
        orchestrator.take(Message::Command(Box::new(command)), &mut turn);
        assert!(orchestrator.commit(turn).is_err());
        assert_eq!(told(&orchestrator), Some("disk_full"));
        assert!(orchestrator.commit(Turn::default()).is_ok());
        assert_eq!(told(&orchestrator), None);
    }

    #[test]
    fn what_reads_data_of_its_own_turn_is_told_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let (mut orchestrator, _, orders) = wanting(folder.path());
        // `d` is made from `raw`, which is seen in the turn in which `d` is leased.
        let mut graph: serde_json::Value = serde_json::from_str(&days("2020-01-01").content).unwrap();
        let mut raw = graph["datasets"][0].clone();
        raw["name"] = "raw".into();
        raw["label"] = "//:raw".into();
        raw["external"] = true.into();
        graph["datasets"].as_array_mut().unwrap().push(raw);
        graph["jobs"][0]["inputs"] = serde_json::json!([{
            "name": "raw", "dataset": "raw", "before_start": "fail", "after_end": "fail",
            "dims": [{"dim": "date", "rule": {"kind": "same", "of": "date"}}],
        }]);
        let content: Arc<str> = graph.to_string().into();
        let graph = GraphRegistered { graph: GraphId::of(&content), content, ..days("2020-01-01") };
        let mut turn = Turn::default();
        orchestrator.decide_fact(Input::Resume(Vec::new()), &mut turn);
        orchestrator.decide_fact(Input::RegisterGraph(graph.into()), &mut turn);
        let state = &orchestrator.core.state;
        let (dataset, set) = state.resolve_at("raw/date=2020-01-01", crate::os::now()).unwrap();
        let (key, version) = (set.first().unwrap(), "v1".to_owned());
        let seen = vec![Sighting::Content { dataset, key, version, mark: 1 }];
        let sightings = Sightings { graph: Some(state.registered().id.clone()), seen, unseen: Vec::new() };
        orchestrator.decide_fact(Input::Sightings(sightings), &mut turn);
        let want = want_of("d/date=2020-01-01");
        orchestrator.decide_fact(Input::CreateWant(want, Default::default()), &mut turn);
        assert!(orchestrator.commit(turn).is_ok());
        let lease = lease(&orders);
        assert_eq!(lease.spec.partition, "d/date=2020-01-01");
        // No reader can see it before the turn is in the log.
        let database = folder.path().join("empty.db");
        drop(SqliteLog::open(&database).unwrap());
        let reader = Reader::new(&database, 1);
        let history = History { reader: &reader, told: &lease.told };
        let (raw, key) = lease.state.resolve_one("raw/date=2020-01-01").unwrap();
        let held = history.held(&lease.state.holding(raw, &key).unwrap()).unwrap();
        assert_eq!(held.map(|held| held.version), Some("v1".to_owned()));
    }

    #[test]
    fn what_no_event_says_is_seen_as_soon_as_it_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let (mut orchestrator, inbox) = held_loop(folder.path(), 1);
        let shared = Arc::clone(&orchestrator.shared);
        orchestrator.postponed = vec![Input::Hold(Vec::new())];
        let (tell, told) = mpsc::channel();
        let answer = Box::new(move |_| tell.send(()).unwrap());
        let input = Input::SetSlots(7);
        inbox
            .send(Message::Command(Box::new(Command {
                input,
                origin: Origin::default(),
                inherited: None,
                once: None,
                answer,
            })))
            .unwrap();
        let running = std::thread::spawn(move || orchestrator.run());
        told.recv().unwrap();
        let seen = shared.snapshot.load();
        assert_eq!((seen.slots, seen.held, seen.state.seq().0), (7, true, 0));
        inbox.send(Message::Stop { jobs: false }).unwrap();
        assert!(matches!(running.join().unwrap(), Ended::Stopped));
    }
}
