//! The simulation itself.

use super::lineage::Lineage;
use super::makers::Makers;
use super::oracle::{made, Made};
use super::scene::{Scene, CITIES, KEYS, PARAM};
use super::world::{essence, staged, Process, ProcessPhase, Publication, World};
use super::{check, plans};
use crate::support::graphs::GraphSpec;
use crate::support::rng::{alone, Rng};
use crate::support::workspace::{applying, end_of, planning, request};
use databuild_core::decide::{
    acceptable, AcceptRequest, AdoptRequest, AttemptReport, AttemptSpec, Capacity, Core, Effect, FoundFile,
    Input, InvokeRequest, Judgement, KeptPlans, KeyRequest, Leave, PoolRequest, Refusal, Registration, Reply,
    SampleRequest, Sighting, Sightings, Step, Success, TrialRequest,
};
use databuild_core::event::{
    AttemptOutcome, CheckFindings, CheckOutcome, CheckResult, Event, GraphRegistered, OutputRecord,
    PriorityClass, Record, Refresh, TrialGraph, TrialKind, WantOutcome,
};
use databuild_core::graph::{DatasetIx, OnCodeChange};
use databuild_core::ids::{AttemptId, WantId};
use databuild_core::observation::Blindness;
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::planner::{self, Unseen};
use databuild_core::state::{Standings, State};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{catch_unwind, resume_unwind, AssertUnwindSafe};
use std::sync::Arc;

/// What has happened, for a person who has to find out why it failed.
type Trace = Vec<Line>;

/// A line of it; events are written out only if somebody reads them.
enum Line {
    Text(String),
    Event(Box<Event>),
}

/// Runs a simulation of `steps` actions; what goes wrong is told with the seed and all actions.
pub fn simulate(seed: u64, steps: usize) {
    guarded(seed, |simulation| {
        simulation.discoveries = seed % 4 == 3;
        simulation.scheduled = seed % 3 == 1;
        simulation.core.fires = simulation.scheduled;
        simulation.doubts = seed % 4 == 1;
        for _ in 0..steps {
            simulation.act();
        }
        simulation.conclude();
    });
}

/// Compares plans with those of a planner that looks at each partition, after each of `steps` actions.
pub fn compare_plans(seed: u64, steps: usize) {
    guarded(seed, |simulation| {
        for _ in 0..steps {
            simulation.act();
            simulation.compare_plan();
        }
    });
}

fn guarded(seed: u64, story: impl FnOnce(&mut Simulation)) {
    let mut simulation = Simulation::new(seed);
    let outcome = catch_unwind(AssertUnwindSafe(|| story(&mut simulation)));
    if let Err(panic) = outcome {
        for line in &simulation.trace {
            match line {
                Line::Text(text) => eprintln!("{text}"),
                Line::Event(event) => {
                    eprintln!("  {}", format!("{event:?}").chars().take(400).collect::<String>())
                }
            }
        }
        eprintln!(
            "seed {seed} fails after these {} lines; SEED={seed} runs it alone",
            simulation.trace.len()
        );
        resume_unwind(panic);
    }
}

/// What runs may take together.
const MEMORY: Option<u64> = Some(8);

fn new_core(slots: usize) -> Core {
    let mut core = Core::new(slots);
    core.memory = MEMORY;
    core
}

/// What was decided of inputs that nothing has followed from yet, as the engine gathers them.
struct Turn {
    records: Vec<Record>,
    effects: Vec<Effect>,
    acknowledged: Vec<WantId>,
    /// The scene before it, and how many came before that: what it registers is undone with it.
    scene: Scene,
    earlier: usize,
}

pub(super) struct Simulation {
    pub(super) rng: Rng,
    pub(super) scene: Scene,
    pub(super) world: World,
    pub(super) core: Core,
    pub(super) log: Vec<Record>,
    /// The fold of the log alone: never settled, never asked.
    pub(super) replayed: State,
    pub(super) now: Timestamp,
    pub(super) slots: usize,
    trace: Trace,
    lineage: Lineage,
    pub(super) makers: Makers,
    /// Attempts that were ever ordered.
    ordered: BTreeSet<AttemptId>,
    /// Wants that were acknowledged.
    acknowledged: BTreeSet<WantId>,
    pub(super) ended: BTreeMap<WantId, WantOutcome>,
    /// Counts restarts; what was in hand before one is lost.
    life: u64,
    /// Crashes and failing jobs happen.
    pub(super) hostile: bool,
    /// Jobs find that they need what nobody declared.
    pub(super) discoveries: bool,
    /// A schedule wants something every now and then.
    pub(super) scheduled: bool,
    /// So much is still found while all else is quiet: keys, and inputs.
    pub(super) finds: u32,
    /// Much is declared bad.
    doubts: bool,
    /// Graphs that were registered before.
    earlier: Vec<GraphSpec>,
    /// Inputs are being gathered.
    turn: Option<Turn>,
    /// Where datasets stand, as those know who ask now and then for some of them.
    standings: Standings,
    kept_plans: KeptPlans,
}

/// Whether an event is of a trial alone.
fn is_of_trial(event: &Event) -> bool {
    match event {
        Event::AttemptLeased(lease) => lease.trial.is_some(),
        Event::TrialCreated(_) | Event::TrialMade(_) | Event::TrialEnded(_) => true,
        _ => false,
    }
}

impl Simulation {
    fn new(seed: u64) -> Simulation {
        let mut rng = Rng::new(seed);
        let scene = Scene::new(&mut rng);
        let slots = 1 + rng.below(4);
        let mut simulation = Simulation {
            rng,
            scene,
            world: World::default(),
            core: new_core(slots),
            log: Vec::new(),
            replayed: State::default(),
            now: "2020-01-03T06:00:00Z".parse().unwrap(),
            slots,
            trace: Trace::new(),
            lineage: Lineage::default(),
            makers: Makers::default(),
            ordered: BTreeSet::new(),
            acknowledged: BTreeSet::new(),
            ended: BTreeMap::new(),
            life: 0,
            hostile: false,
            discoveries: false,
            scheduled: false,
            finds: 0,
            doubts: false,
            earlier: Vec::new(),
            turn: None,
            standings: Standings::new(&Arc::default(), Timestamp::UNIX_EPOCH),
            kept_plans: KeptPlans::default(),
        };
        simulation.trace.push(Line::Text(simulation.scene.spec.json()));
        simulation.register();
        simulation.hostile = true;
        simulation
    }

    pub(super) fn note(&mut self, line: impl Into<String>) {
        let line = line.into();
        self.trace.push(Line::Text(line));
    }

    /// One step of the core with all that follows; none if a crash undid it. While inputs are gathered, nothing
    /// follows yet.
    pub(super) fn step(&mut self, input: Input) -> Option<Result<Reply, Refusal>> {
        let step = self.core.decide(input, Default::default(), self.now);
        let acknowledged = match &step.reply {
            Ok(Reply::Want(want)) => Some(*want),
            _ => None,
        };
        match &step.reply {
            Ok(Reply::Trial(trial)) => self.note(format!("  {trial}")),
            Ok(_) => {}
            Err(refusal) => self.note(format!("  refused: {refusal}")),
        }
        let Step { records, effects, reply } = step;
        if let Some(turn) = &mut self.turn {
            turn.records.extend(records);
            turn.effects.extend(effects);
            turn.acknowledged.extend(acknowledged);
            return Some(reply);
        }
        self.commit(records, effects, acknowledged.as_slice()).then_some(reply)
    }

    /// What happens up to the end of the turn is decided before anything follows from it.
    pub(super) fn begin_turn(&mut self) {
        self.note("{");
        self.turn = Some(Turn {
            records: Vec::new(),
            effects: Vec::new(),
            acknowledged: Vec::new(),
            scene: self.scene.clone(),
            earlier: self.earlier.len(),
        });
    }

    pub(super) fn end_turn(&mut self) {
        let Some(turn) = self.turn.take() else { return };
        self.note("}");
        let Turn { records, effects, acknowledged, scene, earlier } = turn;
        if !self.commit(records, effects, &acknowledged) {
            self.scene = scene;
            self.earlier.truncate(earlier);
        }
    }

    /// Appends what was decided and what follows from it, then acts on it; false if a crash undid it.
    fn commit(
        &mut self,
        mut records: Vec<Record>,
        mut effects: Vec<Effect>,
        acknowledged: &[WantId],
    ) -> bool {
        let step = self.core.follow(self.now);
        records.extend(step.records);
        effects.extend(step.effects);
        if self.hostile && self.rng.percent(2) {
            self.note("  crash before the append");
            self.restart();
            return false;
        }
        for record in records {
            self.trace.push(Line::Event(Box::new(record.event.clone())));
            if let Event::Materialized(made) = &record.event {
                let graph = Arc::clone(&self.replayed.runs()[&made.attempt.run].graph);
                self.world.keep_values(&graph.graph, &made.outputs, self.replayed.symbols());
            }
            assert_eq!(check::within_plan(&self.replayed, &record.event), Ok(()));
            if let Event::AttemptLeased(lease) = &record.event {
                assert_eq!(check::inputs_settled(&self.replayed, lease), Ok(()));
            }
            let before = is_of_trial(&record.event).then(|| check::known(&self.replayed));
            let satisfied = match &record.event {
                Event::WantEnded(ended) if ended.outcome == WantOutcome::Satisfied => {
                    self.replayed.wants().get(&ended.want).cloned()
                }
                _ => None,
            };
            self.makers.follow(&record, &self.replayed);
            assert_eq!(check::ends_counted(&self.replayed, &record.event), Ok(()));
            let totals = check::totals(&self.replayed);
            self.replayed.apply(&record).expect("the log follows from itself");
            assert_eq!(check::none_uncounted(&totals, &self.replayed, &record.event), Ok(()));
            if let Some(before) = before {
                assert_eq!(check::known(&self.replayed), before, "a trial changes what is known: {record:?}");
            }
            if let Some(want) = satisfied {
                assert_eq!(check::nothing_left(&self.replayed, &want), Ok(()));
            }
            self.lineage.follow(&record, &self.replayed);
            if let Event::WantEnded(ended) = &record.event {
                self.ended.insert(ended.want, ended.outcome);
            }
            self.log.push(record);
        }
        self.acknowledged.extend(acknowledged);
        self.check(&effects);
        if self.hostile && self.rng.percent(2) {
            self.note("  crash before the effects");
            self.restart();
            return true;
        }
        self.perform(effects);
        true
    }

    fn check(&mut self, effects: &[Effect]) {
        let state = &self.core.state;
        let asked = effects.iter().filter_map(|effect| match effect {
            Effect::Look { want, .. } => Some(*want),
            _ => None,
        });
        let looks = self.world.looks.iter().map(|(want, _)| *want).chain(asked).collect();
        let mut verdict = check::sound(state, &looks);
        let starts = effects.iter().filter_map(|effect| match effect {
            Effect::Start(spec) => Some(spec),
            _ => None,
        });
        let starts: Vec<&AttemptSpec> = starts.map(|spec| &**spec).collect();
        let capacity = Capacity { slots: self.slots, memory: MEMORY };
        verdict = verdict.and_then(|()| check::within_limits(state, capacity, &starts));
        if !self.core.held {
            verdict = verdict.and_then(|()| check::nothing_waits_in_vain(state, capacity, self.now));
        }
        for spec in starts {
            let paused = |want: &WantId| state.wants().get(want).is_some_and(|want| want.paused);
            if !spec.wants.is_empty() && spec.wants.iter().all(paused) {
                verdict = Err(format!("{} starts for {:?}, which are paused", spec.attempt, spec.wants));
            }
            if !self.ordered.insert(spec.attempt) {
                verdict = Err(format!("{} is ordered a second time", spec.attempt));
            }
        }
        for want in &self.acknowledged {
            if !state.wants().contains_key(want) && !self.ended.contains_key(want) {
                verdict = Err(format!("{want} was acknowledged and is gone"));
            }
        }
        if let Some(timer) = self.core.next_timer().filter(|timer| *timer <= self.now) {
            verdict = Err(format!("the timer stands at {timer}, which is over, and nothing was done"));
        }
        if self.log.len().is_multiple_of(4) || alone() {
            self.standings = self.standings.turned_to(&Arc::new(state.clone()), self.now);
            let asked = |ix: &DatasetIx| (ix.0 + self.log.len() / 4).is_multiple_of(5);
            let all = state.followed().into_iter().flat_map(|registered| registered.graph.datasets());
            all.map(|(ix, _)| ix).filter(asked).for_each(|ix| _ = self.standings.counts_of(ix));
            let plans = state
                .plans()
                .values()
                .filter(|saved| (saved.plan.plan.0 as usize + self.log.len() / 4).is_multiple_of(3));
            plans.for_each(|saved| _ = self.kept_plans.changes(state, &saved.plan));
        }
        // Comparing all is slow; what differs once mostly goes on to differ.
        if self.log.len().is_multiple_of(16) || alone() {
            verdict = verdict
                .and_then(|()| check::same(&check::fingerprint(state), &check::fingerprint(&self.replayed)))
                .and_then(|()| check::history_has_what_is_held(state, &self.log))
                .and_then(|()| check::standings_are_those_worked_out_anew(&self.standings))
                .and_then(|()| check::kept_plans_are_told_as_they_are(&self.kept_plans, state))
                .and_then(|()| self.makers.check(state))
                .and_then(|()| self.lineage.check(state));
        }
        if let Err(problem) = verdict {
            panic!("{problem}");
        }
    }

    fn perform(&mut self, effects: Vec<Effect>) {
        let life = self.life;
        for effect in effects {
            if self.life != life {
                return;
            }
            match effect {
                Effect::Start(spec) => {
                    let process = Process::new(*spec, self.core.state.symbols());
                    self.world.processes.insert(process.spec.attempt, process);
                }
                Effect::Look { want, sets } => self.world.looks.push((want, sets)),
                Effect::Fire { schedule, tick, .. } => self.world.ticks.push((schedule, tick)),
                Effect::Cancel(attempt) => {
                    if let Some(process) = self.world.processes.get_mut(&attempt) {
                        process.cancel = true;
                    }
                }
                Effect::Withdraw(attempt) => {
                    let process = self.world.processes.get_mut(&attempt);
                    if let Some(process) =
                        process.filter(|process| matches!(process.phase, ProcessPhase::Waiting))
                    {
                        process.cancel = true;
                    }
                }
                Effect::Publish { attempt, graph, outputs, .. } => {
                    // The publisher takes orders one after another: what is ordered again is done once.
                    if self.world.publications.iter().all(|other| other.attempt != attempt) {
                        self.world.publications.push(Publication { attempt, graph, outputs });
                    }
                }
                Effect::Forget(attempt) => {
                    self.world.processes.remove(&attempt);
                }
            }
        }
    }

    /// The executor is gone, too, and the log ends with the last event that waited for the disk.
    fn lose_power(&mut self) {
        self.note("  power loss");
        self.world.processes.clear();
        let before = self.log.len();
        while self.log.last().is_some_and(|record| record.event.goes_with_its_attempt()) {
            self.log.pop();
        }
        if self.log.len() < before {
            let mut core = new_core(self.slots);
            for record in &self.log {
                core.replay(record).expect("the log follows from itself");
            }
            self.replayed = core.state;
        }
    }

    /// The server dies and comes back; the executor goes on.
    pub(super) fn restart(&mut self) {
        self.end_turn();
        self.life += 1;
        self.world.publications.clear();
        self.world.looks.clear();
        self.world.ticks.clear();
        self.world.processes.retain(|_, process| process.is_handed_over());
        self.core = new_core(self.slots);
        self.core.fires = self.scheduled;
        if self.rng.clone().percent(30) {
            self.lose_power();
        }
        if self.rng.percent(10) {
            for record in &self.log {
                self.core.replay(record).expect("the log follows from itself");
            }
        } else {
            // The same, without reading all graphs again.
            self.core.state = self.replayed.clone();
        }
        self.note("  restart");
        let known: Vec<AttemptId> = self.world.processes.keys().copied().collect();
        let life = self.life;
        self.step(Input::Resume(known.clone()));
        for attempt in known {
            if self.life != life {
                return;
            }
            match self.world.processes.get(&attempt).map(|process| process.phase.clone()) {
                Some(ProcessPhase::Running) => {
                    self.step(Input::AttemptStarted { attempt, pid: 1 });
                }
                Some(ProcessPhase::Ended(end)) => self.tell_end(attempt, end),
                Some(ProcessPhase::Ordered | ProcessPhase::Waiting) | None => {}
            }
        }
    }

    fn tell_end(&mut self, attempt: AttemptId, end: databuild_core::decide::AttemptEnd) {
        if let Some(Err(_)) = self.step(Input::AttemptEnded { attempt, end }) {
            self.world.processes.remove(&attempt);
        }
    }

    /// Something happens, or several things at once.
    fn act(&mut self) {
        if self.rng.percent(80) {
            return self.act_once();
        }
        self.begin_turn();
        for _ in 0..2 + self.rng.below(4) {
            self.act_once();
        }
        self.end_turn();
    }

    fn act_once(&mut self) {
        if self.doubts && self.rng.percent(8) {
            return self.judge();
        }
        match self.rng.below(105) {
            100..=104 => self.control_want(),
            0..=39 => self.progress(),
            40..=54 => self.publish(),
            55..=66 => self.want(),
            67 | 68 => self.cancel_want(),
            69 => self.plan(),
            70 | 71 => self.cancel_run(),
            72..=77 => self.edit_source(),
            78..=80 => self.touch_output(),
            81..=84 => self.change_graph(),
            85 | 86 => {
                self.slots = self.rng.below(5);
                self.note(format!("{} slots", self.slots));
                self.step(Input::SetSlots(self.slots));
            }
            87 => {
                self.note("the executor dies");
                self.world.processes.retain(|_, process| matches!(process.phase, ProcessPhase::Ended(_)));
                let known = self.world.processes.keys().copied().collect();
                self.step(Input::Resume(known));
            }
            88 => {
                self.note("the executor dies, and there is none for a while");
                self.world.processes.retain(|_, process| matches!(process.phase, ProcessPhase::Ended(_)));
                let known = self.world.processes.keys().copied().collect();
                self.step(Input::Hold(known));
                for _ in 0..3 {
                    self.progress();
                }
                let known = self.world.processes.keys().copied().collect();
                self.step(Input::Resume(known));
            }
            89 => {
                self.note("restart");
                self.restart();
            }
            90 | 91 => self.change_keys(),
            92 => self.pass(3_600 * (1 + self.rng.clone().below(10) as i64)),
            93 | 94 => self.apply(),
            95 if self.rng.percent(70) => self.resize_pool(),
            95..=97 if self.rng.percent(40) => self.try_out(),
            98 if self.rng.percent(70) => self.invoke(),
            95..=97 if self.rng.percent(60) => self.judge(),
            95..=97 if self.rng.percent(50) => self.accept(),
            95..=97 => self.adopt(),
            _ => self.pass(1 + self.rng.clone().below(30) as i64),
        }
    }

    /// Another graph is registered: a new one, or one that was there before, as when somebody goes back to another branch.
    pub(super) fn change_graph(&mut self) {
        // What other code made and is kept has to do the same, which that of earlier graphs may not.
        let keeps = |spec: &GraphSpec| {
            spec.file.jobs.iter().any(|job| job.policy.on_code_change == OnCodeChange::Keep)
        };
        let back = !self.earlier.is_empty() && !self.earlier.iter().chain([&self.scene.spec]).any(keeps);
        let (next, what) = if back && self.rng.percent(30) {
            let back = self.rng.pick(&self.earlier).clone();
            (self.scene.with(back), "an earlier one")
        } else {
            self.scene.changed(&mut self.rng)
        };
        self.note(format!("graph: {what}"));
        self.register_scene(next);
    }

    pub(super) fn register_scene(&mut self, next: Scene) {
        let before = std::mem::replace(&mut self.scene, next);
        if self.register().is_none() {
            self.scene = before;
        } else {
            self.earlier.push(before.spec);
        }
    }

    fn register(&mut self) -> Option<()> {
        if self.scheduled {
            self.scene.schedule();
        }
        let instead_of = self.core.state.followed().map(|registered| registered.id.clone());
        let leave = Leave::Deployment { instead_of };
        let registration = Registration { event: self.scene.spec.registration(), checked: None, leave };
        let input = Input::RegisterGraph(Box::new(registration));
        self.step(input)?.expect("the graph is sound");
        Some(())
    }

    fn pass(&mut self, seconds: i64) {
        self.rng.next();
        self.now += SignedDuration::from_secs(seconds);
        self.note(format!("{}", self.now));
        self.step(Input::Tick);
    }

    /// Some attempt gets on.
    pub(super) fn progress(&mut self) {
        let all: Vec<AttemptId> = self.world.processes.keys().copied().collect();
        if all.is_empty() {
            return;
        }
        let attempt = *self.rng.pick(&all);
        let hostile = self.hostile;
        let dice = self.rng.below(100);
        let Some(process) = self.world.processes.get_mut(&attempt) else { return };
        match &process.phase {
            ProcessPhase::Ordered => self.prepare(attempt),
            ProcessPhase::Waiting if !process.cancel && dice < 80 => {
                process.phase = ProcessPhase::Running;
                self.note(format!("{attempt} starts"));
                self.read(attempt, 50);
                self.step(Input::AttemptStarted { attempt, pid: 1 });
            }
            ProcessPhase::Waiting | ProcessPhase::Running => {
                self.read(attempt, 100);
                let Some(process) = self.world.processes.get_mut(&attempt) else { return };
                let staged = staged(process, self.core.state.symbols());
                let lacks = staged.is_none();
                let staged = staged.unwrap_or_default();
                let mut report = AttemptReport::new(AttemptOutcome::Lost, "simulated");
                if process.spec.set.len() > 1 {
                    // Some of a batch is done all the same, and some can never be.
                    let share = 70 * self.rng.below(2) as u64;
                    for output in &staged {
                        if self.rng.percent(share) {
                            report.done.push(output.clone());
                        } else if self.rng.percent(30) {
                            report.hopeless.push(output.partition.clone());
                        }
                    }
                }
                let failure = |outcome| Err(AttemptReport { outcome, ..report });
                let result = match dice {
                    _ if process.cancel && dice < 80 => failure(AttemptOutcome::Canceled),
                    _ if lacks => failure(AttemptOutcome::Failure { permanent: false }),
                    0..=9 if hostile => failure(AttemptOutcome::Failure { permanent: false }),
                    10..=13 if hostile => failure(AttemptOutcome::Failure { permanent: true }),
                    14..=15 if hostile => failure(AttemptOutcome::Timeout),
                    16 if hostile => failure(AttemptOutcome::OutOfMemory),
                    17..=19 if hostile => failure(AttemptOutcome::Lost),
                    20..=24 if hostile && self.discoveries => {
                        let datasets = self.core.state.graph().datasets();
                        let all: Vec<String> = datasets.map(|(_, dataset)| dataset.name.clone()).collect();
                        let partitions = vec![self.rng.pick(&all).clone()];
                        failure(AttemptOutcome::MissingInput { partitions })
                    }
                    20..=29 if self.finds > 0 && self.discoveries => {
                        self.finds -= 1;
                        match upstream(&process.spec, &mut self.rng) {
                            Some(dataset) => {
                                failure(AttemptOutcome::MissingInput { partitions: vec![dataset] })
                            }
                            None => failure(AttemptOutcome::Lost),
                        }
                    }
                    _ => {
                        let mut found = BTreeMap::new();
                        let finds = self.finds > 0 && self.rng.percent(25);
                        self.finds -= u32::from(finds);
                        if finds || hostile && self.rng.percent(10) {
                            found.insert(KEYS.to_owned(), vec![(*self.rng.pick(&CITIES)).to_owned()]);
                        }
                        Ok(Success { outputs: staged.clone(), keys: found })
                    }
                };
                let moved = self.world.moved(&self.world.processes[&attempt]);
                let result = match result {
                    Err(report) if report.outcome == AttemptOutcome::Canceled => Err(report),
                    _ if moved => {
                        Err(AttemptReport::new(AttemptOutcome::InputsMoved, "an input was changed"))
                    }
                    result => result,
                };
                let how = result.as_ref().map_or_else(
                    |report| {
                        let done: Vec<_> = report.done.iter().map(|output| &output.partition).collect();
                        format!("{:?}, done {done:?}, hopeless {:?}", report.outcome, report.hopeless)
                    },
                    |_| "well".to_owned(),
                );
                self.trace.push(Line::Text(format!("{attempt} ends: {how}")));
                let mut end = end_of(result);
                if self.rng.percent(10) {
                    end.checks = warnings(&staged);
                }
                if let Some(process) = self.world.processes.get_mut(&attempt) {
                    process.phase = ProcessPhase::Ended(end.clone());
                }
                self.tell_end(attempt, end);
            }
            ProcessPhase::Ended(end) => {
                let end = end.clone();
                self.tell_end(attempt, end);
            }
        }
    }

    /// Its inputs are looked at when an attempt is about to start.
    fn prepare(&mut self, attempt: AttemptId) {
        let Some(process) = self.world.processes.get(&attempt) else { return };
        let (sightings, marks) = self.world.look_before(&process.spec, &self.core.state);
        let life = self.life;
        if !sightings.seen.is_empty() {
            self.note(format!("{attempt} is about to start: {} seen", sightings.seen.len()));
            self.step(Input::Sightings(sightings));
        }
        if self.life != life {
            return;
        }
        match (self.world.processes.get_mut(&attempt), marks) {
            (Some(process), Some(marks)) => {
                process.marks = marks;
                process.phase = ProcessPhase::Waiting;
            }
            (_, Some(_)) => {}
            (_, None) => {
                self.note(format!("{attempt} finds inputs moved"));
                self.world.processes.remove(&attempt);
                let report = AttemptReport::new(AttemptOutcome::InputsMoved, "an input was changed");
                self.step(Input::AttemptEnded { attempt, end: end_of(Err(report)) });
            }
        }
    }

    /// An attempt reads each of its inputs with this chance, in percent.
    fn read(&mut self, attempt: AttemptId, chance: u64) {
        let Some(mut process) = self.world.processes.remove(&attempt) else { return };
        let rng = &mut self.rng;
        self.world.read(&mut process, self.core.state.symbols(), || rng.percent(chance));
        self.world.processes.insert(attempt, process);
    }

    pub(super) fn publish(&mut self) {
        self.answer_look();
        if self.world.publications.is_empty() {
            return;
        }
        let at = self.rng.below(self.world.publications.len());
        let publication = self.world.publications.remove(at);
        let attempt = publication.attempt;
        if self.hostile && self.rng.percent(4) {
            self.note(format!("{attempt} cannot be published"));
            let message = "no room".to_owned();
            self.step(Input::PublishFailed { attempt, message });
            return;
        }
        self.note(format!("{attempt} is published"));
        let marks = self.world.publish(&publication, self.core.state.symbols());
        self.step(Input::Published { attempt, marks });
    }

    /// What was to be looked at is looked at, as it is now.
    pub(super) fn answer_look(&mut self) {
        if !self.world.ticks.is_empty() {
            let at = self.rng.below(self.world.ticks.len());
            let (schedule, tick) = self.world.ticks.remove(at);
            self.note(format!("the tick {tick} of {schedule}"));
            self.step(Input::Fired { schedule, tick, sightings: Sightings::default() });
        }
        if !self.world.looks.is_empty() {
            let at = self.rng.below(self.world.looks.len());
            let (want, sets) = self.world.looks.remove(at);
            // The graph may be another by now, and then the answer tells nothing.
            let graph = self.core.state.graph().datasets().len();
            let fits = |(ix, set): &(DatasetIx, PartitionSet)| {
                ix.0 < graph && self.core.state.graph().dataset(*ix).shape == set.shape()
            };
            let known: Vec<_> = sets.iter().filter(|look| fits(look)).cloned().collect();
            let sightings = self.world.look_at(&self.core.state, &known);
            self.note(format!("a look for {want}: {} seen", sightings.seen.len()));
            self.step(Input::Looked { want, sightings });
        }
    }

    fn random_target(&mut self) -> Option<String> {
        let state = &self.core.state;
        let datasets = state.graph().datasets().len();
        let ix = DatasetIx(self.rng.below(datasets));
        let dataset = state.graph().dataset(ix);
        if self.rng.percent(60) {
            return Some(dataset.name.clone());
        }
        let all = PartitionSet::full(dataset.shape, state.extents().of(ix));
        let keys: Vec<_> = all.iter().collect();
        if keys.is_empty() {
            return None;
        }
        Some(dataset.partition_text(self.rng.pick(&keys), state.symbols()))
    }

    fn want(&mut self) {
        let Some(target) = self.random_target() else { return };
        let refresh = match self.rng.below(100) {
            0..=59 => Refresh::Stale,
            60..=84 => Refresh::Missing,
            _ => Refresh::All,
        };
        let mut wanted = request(&[&target], refresh);
        if self.rng.percent(10) {
            wanted.ttl_seconds = Some(self.rng.below(100) as u64);
        }
        if self.rng.percent(30) {
            wanted.class = PriorityClass::Backfill;
        }
        wanted.as_of = self.sometimes_past();
        let seen = if self.rng.percent(80) { self.look(&target, refresh) } else { Sightings::default() };
        self.note(format!("want {target} {refresh:?}, {} seen", seen.seen.len()));
        self.step(Input::CreateWant(wanted, seen));
    }

    /// Mostly none, which means now; else an instant of the last days.
    fn sometimes_past(&mut self) -> Option<Timestamp> {
        let hours = self.rng.below(72) as i64;
        self.rng.percent(10).then(|| self.now - SignedDuration::from_hours(hours))
    }

    fn plan(&mut self) {
        let Some(target) = self.random_target() else { return };
        let refresh = *self.rng.pick(&[Refresh::Stale, Refresh::Stale, Refresh::Missing, Refresh::All]);
        let mut request = planning(&[&target], refresh);
        if self.rng.percent(20) {
            request.expires_seconds = Some(self.rng.below(100) as u64);
        }
        request.as_of = self.sometimes_past();
        let seen = if self.rng.percent(80) { self.look(&target, refresh) } else { Sightings::default() };
        self.note(format!("plan {target} {refresh:?}, {} seen", seen.seen.len()));
        self.step(Input::CreatePlan(request, seen));
    }

    /// Some plan is applied, or refused; just made or long ago.
    fn apply(&mut self) {
        if self.rng.percent(60) {
            self.plan();
        }
        let all: Vec<_> = self.core.state.plans().values().cloned().collect();
        if all.is_empty() {
            return;
        }
        let saved = self.rng.pick(&all);
        let plan = &saved.plan;
        let id = plan.plan;
        let seen = if self.rng.percent(80) {
            let targets = plan.targets.clone();
            let refresh = plan.refresh;
            targets.iter().fold(Sightings::default(), |seen, target| {
                let Sightings { graph, seen: more, .. } = self.look(target, refresh);
                let seen = seen.seen.into_iter().chain(more).collect();
                Sightings { graph, seen, unseen: Vec::new() }
            })
        } else {
            Sightings::default()
        };
        self.note(format!("apply {id}, {} seen", seen.seen.len()));
        self.end_turn();
        let held = self.log.len();
        if let Some(Err(_)) = self.step(Input::ApplyPlan(applying(id), seen)) {
            // A power loss may have taken what was there before, too.
            let made = self.log.iter().skip(held).any(|record| matches!(record.event, Event::Observed(_)));
            assert!(!made, "a refusal records nothing");
        }
    }

    /// Somebody puts files where partitions belong, as good as built ones, and has them adopted.
    fn adopt(&mut self) {
        let Some(target) = self.random_target() else { return };
        let state = &self.core.state;
        let Ok((dataset, set)) = state.resolve_at(&target, self.now) else { return };
        let graph = state.graph();
        let Some(job) = graph.dataset(dataset).producer else { return };
        let set = set.subtract(&state.recorded(dataset)).subtract(&state.work(job).live);
        let mut found = Vec::new();
        // As somebody makes it by hand from what there is.
        let makeable = |key: &PartitionKey| {
            made(state, dataset, key) == Made::Yes && self.world.is_known(state, job, key)
        };
        for key in set.iter().filter(makeable) {
            let path = graph.dataset(dataset).partition_path(&key, state.symbols());
            if let (Some(path), Some(version)) = (path, self.world.would_make(state, job, dataset, &key)) {
                found.push((key, path, version));
            }
        }
        self.note(format!("adopt {target}: {} files", found.len()));
        let mut files = Vec::new();
        for (key, path, version) in found {
            let mark = self.world.write(&path, version.clone());
            files.push(FoundFile { dataset, key, version, mark, bytes: 1 });
        }
        let seen = self.look(&target, Refresh::Stale);
        self.step(Input::Adopt(AdoptRequest { files }, seen));
    }

    /// Somebody accepts a change, if it is as harmless as they say.
    pub(super) fn accept(&mut self) {
        let Some(target) = self.random_target() else { return };
        let request = AcceptRequest {
            targets: vec![target.clone()],
            job: None,
            reason: "it does the same".to_owned(),
            evidence: String::new(),
        };
        let state = &self.core.state;
        let Ok(found) = acceptable(state, &request, self.now) else { return };
        let harmless = found.iter().all(|of| {
            let now = state.registered().digests_of(of.job);
            of.from.iter().all(|(then, _)| essence(&then.code) == essence(&now.code) && then.args == now.args)
        });
        if harmless {
            self.note(format!("accept {target}"));
            self.step(Input::Accept(request));
        }
    }

    /// A job is invoked by hand, maybe with a value of its own.
    pub(super) fn invoke(&mut self) {
        let Some(target) = self.random_target() else { return };
        let Ok((ix, _)) = self.core.state.resolve(&target) else { return };
        let graph = self.core.state.graph();
        let Some(job) = graph.dataset(ix).producer.map(|job| graph.job(job)) else { return };
        let mut params = BTreeMap::new();
        if job.params.contains_key(PARAM) || self.rng.percent(5) {
            params.insert(PARAM.to_owned(), self.rng.below(3).to_string());
        }
        let job = job.label.clone();
        self.note(format!("invoke {job} for {target} with {params:?}"));
        let seen = self.look(&target, Refresh::All);
        let want = request(&[&target], Refresh::All);
        self.step(Input::Invoke(InvokeRequest { job, params, want }, seen));
    }

    /// Work is repeated, or a trial is given up.
    fn try_out(&mut self) {
        let live = self.core.state.trials().values().find(|trial| trial.is_live()).map(|t| t.spec.trial);
        if let Some(trial) = live.filter(|_| self.rng.percent(30)) {
            self.note(format!("cancel {trial}"));
            self.step(Input::CancelTrial(trial));
            return;
        }
        let Some(target) = self.random_target() else { return };
        let state = &self.core.state;
        let Ok((ix, set)) = state.resolve(&target) else { return };
        let registered = state.registered();
        let (Some(job), Some(key)) = (registered.graph.dataset(ix).producer, set.first()) else { return };
        let home = registered.graph.job(job).outputs[0];
        let sample = |graph: &&GraphSpec| (graph.registration().graph, BTreeMap::new());
        let all: Vec<&GraphSpec> = self.earlier.iter().chain([&self.scene.spec]).collect();
        let arms = vec![sample(self.rng.pick(&all)), sample(&&self.scene.spec)];
        let mut graphs: Vec<TrialGraph> = Vec::new();
        for spec in all {
            let GraphRegistered { graph, content, inherited, .. } = spec.registration();
            if arms.iter().any(|(id, _)| *id == graph) && graphs.iter().all(|known| known.graph != graph) {
                graphs.push(TrialGraph { graph, content, inherited });
            }
        }
        let request = TrialRequest {
            graph: registered.id.clone(),
            kind: TrialKind::Compare,
            run: None,
            job: registered.graph.job(job).label.clone(),
            graphs,
            samples: vec![SampleRequest {
                partition: state.partition_text(home, &key),
                arms,
                discovered: Vec::new(),
                expected: Vec::new(),
                changed_inputs: Vec::new(),
            }],
            as_of: None,
            keep: None,
            key: None,
        };
        self.note(format!("try {target}"));
        self.step(Input::CreateTrial(Box::new(request)));
    }

    /// Dynamic keys come and go.
    fn change_keys(&mut self) {
        let keys: Vec<String> =
            CITIES.iter().filter(|_| self.rng.percent(40)).map(|city| (*city).to_owned()).collect();
        let request = KeyRequest { space: KEYS.to_owned(), keys: keys.clone() };
        if self.rng.percent(60) {
            self.note(format!("keys {keys:?} come"));
            self.step(Input::AddKeys(request));
        } else {
            let own = self.core.state.symbols().dynamic(KEYS);
            let known = |key: &String| {
                let key = self.core.state.symbols().get(key);
                key.is_some_and(|key| own.current.contains(key) || own.retired.contains(key))
            };
            let keys: Vec<String> = keys.into_iter().filter(known).collect();
            self.note(format!("keys {keys:?} go"));
            self.step(Input::RetireKeys(KeyRequest { keys, ..request }));
        }
    }

    /// Somebody says of data that it is bad, or takes that back.
    pub(super) fn judge(&mut self) {
        let Some(target) = self.random_target() else { return };
        let judgement = Judgement { targets: vec![target.clone()], reason: "it is bad".to_owned() };
        if self.rng.percent(60) {
            self.note(format!("taint {target}"));
            self.step(Input::Taint(judgement, Sightings::default()));
        } else {
            self.note(format!("untaint {target}"));
            self.step(Input::Untaint(judgement));
        }
    }

    /// Somebody makes a pool larger or smaller, or lets nothing of it run.
    fn resize_pool(&mut self) {
        let pools: Vec<String> = self.core.state.graph().pools().map(|pool| pool.name.clone()).collect();
        if !pools.is_empty() {
            let pool = self.rng.pick(&pools).clone();
            let slots = self.rng.percent(80).then(|| self.rng.below(5) as u32);
            self.note(format!("pool {pool} has {slots:?}"));
            self.step(Input::ResizePool(PoolRequest { pool, slots }));
        }
    }

    fn compare_plan(&mut self) {
        let Some(text) = self.random_target() else { return };
        let refresh = *self.rng.pick(&[Refresh::Stale, Refresh::Stale, Refresh::Missing, Refresh::All]);
        let mut state = self.core.state.clone();
        state.advance(self.now);
        let Ok(target) = state.resolve(&text) else { return };
        let targets = [target];
        let unseen = self.random_unseen(&state);
        let expected = plans::enumerated(&state, &targets, refresh, &unseen);
        let found = plans::planned(&mut state, &targets, refresh, &unseen);
        self.note(format!("plan {text} {refresh:?} without {unseen:?}"));
        assert_eq!(found, expected, "the plan for {text} {refresh:?}; left is the planner's");
    }

    /// External data that cannot be observed; mostly none.
    fn random_unseen(&mut self, state: &State) -> Vec<Unseen> {
        let mut unseen = Vec::new();
        for (ix, dataset) in state.graph().datasets().filter(|(_, dataset)| dataset.external) {
            if self.rng.percent(20) {
                let all = PartitionSet::full(dataset.shape, state.extents().of(ix));
                let some = 1 + self.rng.below(5) as u64;
                let set = if self.rng.percent(50) { all } else { all.take_first(some) };
                let kind = Blindness::Unreadable;
                unseen.push(Unseen { dataset: ix, set, kind, message: "no answer".to_owned() });
            }
        }
        unseen
    }

    pub(super) fn look(&self, target: &str, refresh: Refresh) -> Sightings {
        let mut state = self.core.state.clone();
        state.advance(self.now);
        match state.resolve(target) {
            Ok(target) => self.world.look(&state, &[target], refresh),
            Err(_) => Sightings::default(),
        }
    }

    fn cancel_want(&mut self) {
        let all: Vec<WantId> = self.core.state.wants().keys().copied().collect();
        if !all.is_empty() {
            let want = *self.rng.pick(&all);
            self.note(format!("cancel {want}"));
            self.step(Input::CancelWant(want));
        }
    }

    /// Somebody pauses a want, lets it go on, or changes its class.
    fn control_want(&mut self) {
        let all: Vec<WantId> = self.core.state.wants().keys().copied().collect();
        if !all.is_empty() {
            let want = *self.rng.pick(&all);
            let input = match self.rng.below(5) {
                0 | 1 => Input::PauseWant(want),
                2 | 3 => Input::ResumeWant(want),
                _ => {
                    let class = *self.rng.pick(&[PriorityClass::Interactive, PriorityClass::Backfill]);
                    Input::PrioritizeWant(want, class)
                }
            };
            self.note(format!("{input:?}"));
            self.step(input);
        }
    }

    fn cancel_run(&mut self) {
        let all: Vec<_> = self.core.state.runs().keys().copied().collect();
        if !all.is_empty() {
            let run = *self.rng.pick(&all);
            self.note(format!("cancel {run}"));
            self.step(Input::CancelRun(run));
        }
    }

    /// Paths of existing partitions of datasets that are files, external or not.
    pub(super) fn paths(
        &self,
        external: bool,
    ) -> Vec<(DatasetIx, databuild_core::partition_set::PartitionKey, String)> {
        let state = &self.core.state;
        let extents = state.graph().extents(self.now, state.symbols());
        let mut found = Vec::new();
        for (ix, dataset) in state.graph().datasets().filter(|(_, dataset)| dataset.external == external) {
            for key in PartitionSet::full(dataset.shape, extents.of(ix)).iter() {
                if let Some(path) = dataset.partition_path(&key, state.symbols()) {
                    found.push((ix, key, path));
                }
            }
        }
        found
    }

    pub(super) fn edit_source(&mut self) {
        let all = self.paths(true);
        if all.is_empty() {
            return;
        }
        // Mostly there is data; else nothing could ever be built.
        for (_, _, path) in &all {
            if !self.world.files.contains_key(path) && self.rng.percent(60) {
                let version = format!("s{}", self.world.fresh());
                self.world.write(path, version);
            }
        }
        let (ix, key, path) = self.rng.pick(&all).clone();
        if self.rng.percent(15) {
            self.note(format!("source {path} goes"));
            self.world.files.remove(&path);
        } else {
            let version = format!("s{}", self.world.fresh());
            self.note(format!("source {path} is {version}"));
            self.world.write(&path, version);
        }
        if self.rng.percent(50) {
            let seen = match self.world.files.get(&path) {
                Some(file) => {
                    Sighting::Content { dataset: ix, key, version: file.version.clone(), mark: file.mark }
                }
                None => Sighting::Gone(ix, key),
            };
            let graph = Some(self.core.state.registered().id.clone());
            self.step(Input::Sightings(Sightings { graph, seen: vec![seen], unseen: Vec::new() }));
        }
    }

    /// Somebody deletes a published file, or writes into it.
    pub(super) fn touch_output(&mut self) {
        let all = self.paths(false);
        let all: Vec<_> = all.into_iter().filter(|(.., path)| self.world.files.contains_key(path)).collect();
        if all.is_empty() {
            return;
        }
        let (ix, key, path) = self.rng.pick(&all).clone();
        let graph = Some(self.core.state.registered().id.clone());
        if self.rng.percent(60) {
            self.note(format!("{path} is deleted"));
            self.world.files.remove(&path);
            if self.rng.percent(50) {
                self.step(Input::Sightings(Sightings {
                    graph,
                    seen: vec![Sighting::Gone(ix, key)],
                    unseen: Vec::new(),
                }));
            }
            return;
        }
        let version = format!("x{}", self.world.fresh());
        self.note(format!("{path} is altered: {version}"));
        let mark = self.world.write(&path, version.clone());
        if self.rng.percent(50) {
            let seen = vec![Sighting::Content { dataset: ix, key, version, mark }];
            self.step(Input::Sightings(Sightings { graph, seen, unseen: Vec::new() }));
        }
    }
}

/// A dataset that a job could have declared as an input: one that some job before it makes.
fn upstream(spec: &AttemptSpec, rng: &mut Rng) -> Option<String> {
    let graph = &spec.graph.graph;
    let before = graph.datasets().filter(|(_, dataset)| dataset.producer.is_some_and(|job| job < spec.job));
    let all: Vec<String> = before.map(|(_, dataset)| dataset.name.clone()).collect();
    (!all.is_empty()).then(|| rng.pick(&all).clone())
}

/// A check that warns of all that an attempt made.
fn warnings(outputs: &[OutputRecord]) -> Vec<CheckFindings> {
    let result = |output: &OutputRecord| CheckResult {
        partition: output.partition.clone(),
        outcome: CheckOutcome::Failed,
        message: "simulated".to_owned(),
        metadata: "{}".to_owned(),
    };
    let results = outputs.iter().map(result).collect();
    vec![CheckFindings { check: "//:check".to_owned(), blocking: false, results }]
}
