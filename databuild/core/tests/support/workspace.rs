//! A core with its log and a clock, driven by hand.

use super::graphs::GraphSpec;
use databuild_core::decide::{
    ApplyRequest, AttemptEnd, AttemptReport, AttemptSpec, Core, Effect, Input, Leave, PlanRequest, Refusal,
    Registration, Reply, Sighting, Sightings, Step, Success, WantRequest,
};
use databuild_core::event::{
    AttemptOutcome, Event, OutputRecord, PlanCreated, PriorityClass, Record, Refresh,
};
use databuild_core::ids::{AttemptId, PlanId, RunId, WantId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::State;
use jiff::{SignedDuration, Timestamp};
use std::sync::Arc;

/// See the module.
pub struct Workspace {
    pub core: Core,
    pub log: Vec<Record>,
    pub now: Timestamp,
    /// Attempts that were ordered and are not over, oldest first.
    pub ordered: Vec<AttemptSpec>,
    /// All effects of the last step.
    pub effects: Vec<Effect>,
    /// Wants for which external data is to be looked at.
    pub looks: Vec<WantId>,
    /// Ticks for which files are to be looked at.
    pub fires: Vec<(Arc<str>, Timestamp)>,
}

/// A request for `targets` as somebody at a terminal makes it.
pub fn request(targets: &[&str], refresh: Refresh) -> WantRequest {
    WantRequest {
        targets: targets.iter().map(|text| (*text).to_owned()).collect(),
        class: PriorityClass::Interactive,
        refresh,
        as_of: None,
        ttl_seconds: None,
        sla_seconds: None,
        comment: String::new(),
        graph: None,
        key: None,
    }
}

/// A request to plan `targets`.
pub fn planning(targets: &[&str], refresh: Refresh) -> PlanRequest {
    let targets = targets.iter().map(|text| (*text).to_owned()).collect();
    PlanRequest { targets, refresh, as_of: None, expires_seconds: None, key: None }
}

/// A request to do what a plan says.
pub fn applying(plan: PlanId) -> ApplyRequest {
    ApplyRequest {
        plan,
        class: PriorityClass::Interactive,
        ttl_seconds: None,
        sla_seconds: None,
        comment: String::new(),
        key: None,
    }
}

/// The end of an attempt that took long enough for nothing to be leased ahead.
pub fn end_of(result: Result<Success, AttemptReport>) -> AttemptEnd {
    AttemptEnd { wall_ms: 1_000, cpu_ms: 10, max_rss_kb: 1, ..AttemptEnd::of(result) }
}

/// One output of a successful attempt.
pub fn output(partition: &str, version: &str) -> OutputRecord {
    OutputRecord {
        partition: partition.to_owned(),
        version: version.to_owned(),
        empty: false,
        mark: 0,
        bytes: 0,
        metadata: "{}".to_owned(),
    }
}

/// Texts of all outputs of an attempt, in the order of the job's outputs.
pub fn output_texts(spec: &AttemptSpec, state: &State) -> Vec<String> {
    let graph = &spec.graph.graph;
    let outputs = |key| {
        let outputs = graph.job(spec.job).outputs.iter();
        outputs.map(move |ix| graph.dataset(*ix).partition_text(&key, state.symbols()))
    };
    spec.set.iter().flat_map(outputs).collect()
}

impl Workspace {
    /// At noon of 2010-02-01, with a graph and `slots` places.
    pub fn new(graph: &GraphSpec, slots: usize) -> Workspace {
        let mut workspace = Workspace {
            core: Core::new(slots),
            log: Vec::new(),
            now: "2010-02-01T12:00:00Z".parse().unwrap(),
            ordered: Vec::new(),
            effects: Vec::new(),
            looks: Vec::new(),
            fires: Vec::new(),
        };
        workspace.register(graph);
        workspace
    }

    pub fn register(&mut self, graph: &GraphSpec) {
        let instead_of = self.core.state.followed().map(|registered| registered.id.clone());
        let leave = Leave::Deployment { instead_of };
        let registration = Registration { event: graph.registration(), checked: None, leave };
        self.step(Input::RegisterGraph(Box::new(registration))).reply.expect("the graph is sound");
    }

    pub fn step(&mut self, input: Input) -> Step {
        let step = self.core.step(input, self.now);
        self.log.extend(step.records.iter().cloned());
        self.effects.clone_from(&step.effects);
        for effect in &step.effects {
            match effect {
                Effect::Start(spec) => self.ordered.push(AttemptSpec::clone(spec)),
                Effect::Forget(attempt) => self.ordered.retain(|spec| spec.attempt != *attempt),
                Effect::Look { want, .. } => self.looks.push(*want),
                Effect::Fire { schedule, tick, .. } => self.fires.push((Arc::clone(schedule), *tick)),
                Effect::Cancel(_) | Effect::Withdraw(_) | Effect::Publish { .. } => {}
            }
        }
        step
    }

    pub fn later(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
        self.step(Input::Tick);
    }

    pub fn want(&mut self, targets: &[&str], refresh: Refresh) -> WantId {
        match self.try_want(request(targets, refresh)) {
            Ok(want) => want,
            Err(refusal) => panic!("refused: {refusal}"),
        }
    }

    pub fn try_want(&mut self, request: WantRequest) -> Result<WantId, Refusal> {
        match self.step(Input::CreateWant(request, Sightings::default())).reply? {
            Reply::Want(want) => Ok(want),
            other => panic!("a want is answered with a want, not {other:?}"),
        }
    }

    /// A plan that is kept.
    pub fn plan(&mut self, targets: &[&str], refresh: Refresh) -> PlanCreated {
        let (plan, kept) = self.try_plan(planning(targets, refresh));
        assert!(kept, "there is nothing to do for {targets:?}");
        plan
    }

    pub fn try_plan(&mut self, request: PlanRequest) -> (PlanCreated, bool) {
        match self.step(Input::CreatePlan(request, Sightings::default())).reply {
            Ok(Reply::Planned { plan, kept }) => (*plan, kept),
            other => panic!("a plan is answered with a plan, not {other:?}"),
        }
    }

    pub fn apply(&mut self, plan: PlanId) -> Result<WantId, Refusal> {
        match self.step(Input::ApplyPlan(applying(plan), Sightings::default())).reply? {
            Reply::Want(want) => Ok(want),
            other => panic!("a want is answered with a want, not {other:?}"),
        }
    }

    /// The data of external partitions is there with this content.
    pub fn observe(&mut self, partition: &str, version: &str) {
        let (dataset, set) =
            self.core.state.resolve_at(partition, self.now).expect("partitions of an external dataset");
        let content = |key| Sighting::Content { dataset, key, version: version.to_owned(), mark: 0 };
        self.see(set.iter().map(content).collect());
    }

    /// The file of a partition is gone.
    pub fn lose(&mut self, partition: &str) {
        let (dataset, key) = self.core.state.resolve_one(partition).expect("a partition");
        self.see(vec![Sighting::Gone(dataset, key)]);
    }

    /// What was to be looked at was looked at, and nothing is other than known.
    pub fn answer_looks(&mut self) {
        for want in std::mem::take(&mut self.looks) {
            let graph = Some(self.core.state.registered().id.clone());
            let sightings = Sightings { graph, seen: Vec::new(), unseen: Vec::new() };
            self.step(Input::Looked { want, sightings }).reply.expect("a look is not refused");
        }
    }

    /// The files of ticks were looked at, and are as known; until no tick is due any more.
    pub fn answer_fires(&mut self) {
        while !self.fires.is_empty() {
            let (schedule, tick) = self.fires.remove(0);
            let graph = Some(self.core.state.registered().id.clone());
            let sightings = Sightings { graph, seen: Vec::new(), unseen: Vec::new() };
            self.step(Input::Fired { schedule, tick, sightings }).reply.expect("a tick is not refused");
        }
    }

    pub fn see(&mut self, seen: Vec<Sighting>) {
        let graph = Some(self.core.state.registered().id.clone());
        self.step(Input::Sightings(Sightings { graph, seen, unseen: Vec::new() }))
            .reply
            .expect("sightings are not refused");
    }

    /// What is to be said of one partition that a job makes.
    pub fn verdict(&self, partition: &str) -> &'static str {
        let mut state = self.core.state.clone();
        let (ix, key) = state.resolve_one(partition).unwrap();
        let job = state.graph().dataset(ix).producer.unwrap();
        state.settle(job, &PartitionSet::single(state.dataset(ix).present.shape(), &key));
        state.verdict(job, &key).code()
    }

    /// Partitions being made, in the order in which they were ordered.
    pub fn running(&self) -> Vec<&str> {
        self.ordered.iter().map(|spec| spec.partition.as_str()).collect()
    }

    /// The attempt that makes a partition.
    pub fn attempt(&self, partition: &str) -> AttemptSpec {
        let found = self.ordered.iter().find(|spec| spec.partition == partition);
        found.unwrap_or_else(|| panic!("{partition} is not being made, but {:?}", self.running())).clone()
    }

    pub fn run(&self, partition: &str) -> RunId {
        self.attempt(partition).attempt.run
    }

    /// The attempt at `partition` succeeds; all its outputs have this data version.
    pub fn finish(&mut self, partition: &str, version: &str) {
        let spec = self.attempt(partition);
        let texts = output_texts(&spec, &self.core.state);
        let outputs: Vec<OutputRecord> = texts.iter().map(|text| output(text, version)).collect();
        let end = end_of(Ok(Success { outputs, ..Success::default() }));
        let step = self.step(Input::AttemptEnded { attempt: spec.attempt, end });
        step.reply.as_ref().expect("the attempt is under way");
        self.publish(&step);
    }

    /// What a step ordered to be published is in its place.
    pub fn publish(&mut self, step: &Step) {
        let published = step.effects.iter().find_map(|effect| match effect {
            Effect::Publish { attempt, outputs, .. } => Some((*attempt, outputs.len())),
            _ => None,
        });
        if let Some((attempt, count)) = published {
            let marks = vec![1; count];
            self.step(Input::Published { attempt, marks }).reply.expect("it is being published");
        }
    }

    /// The attempt at a batch fails: partitions in `done` are done all the same, those in `hopeless` can
    /// never be.
    pub fn finish_some(
        &mut self,
        partition: &str,
        outcome: AttemptOutcome,
        done: &[&str],
        hopeless: &[&str],
    ) -> Step {
        let attempt = self.attempt(partition).attempt;
        let done = done.iter().map(|text| output(text, "v1")).collect();
        let hopeless = hopeless.iter().map(|text| (*text).to_owned()).collect();
        let report = AttemptReport { done, hopeless, ..AttemptReport::new(outcome, "as told") };
        let step = self.step(Input::AttemptEnded { attempt, end: end_of(Err(report)) });
        assert!(step.reply.is_ok(), "the attempt is under way");
        step
    }

    /// The attempt at `partition` ends otherwise.
    pub fn end(&mut self, partition: &str, outcome: AttemptOutcome) -> AttemptId {
        let attempt = self.attempt(partition).attempt;
        let end = end_of(Err(AttemptReport::new(outcome, "as told")));
        self.step(Input::AttemptEnded { attempt, end }).reply.expect("the attempt is under way");
        attempt
    }

    pub fn fail(&mut self, partition: &str) {
        self.end(partition, AttemptOutcome::Failure { permanent: true });
    }

    /// Finishes whatever is ordered until nothing is; returns what was made, in order. Data versions are
    /// `version`.
    pub fn finish_all(&mut self, version: &str) -> Vec<String> {
        let mut made = Vec::new();
        self.answer_looks();
        while let Some(spec) = self.ordered.first() {
            let partition = spec.partition.clone();
            self.finish(&partition, version);
            self.answer_looks();
            made.push(partition);
        }
        made
    }

    /// How a want ended.
    pub fn outcome(&self, want: WantId) -> Option<databuild_core::event::WantOutcome> {
        self.log.iter().find_map(|record| match &record.event {
            Event::WantEnded(ended) if ended.want == want => Some(ended.outcome),
            _ => None,
        })
    }

    /// What a want says of why it failed.
    pub fn causes(&self, want: WantId) -> Vec<String> {
        let found = self.log.iter().find_map(|record| match &record.event {
            Event::WantEnded(ended) if ended.want == want => Some(ended.causes.clone()),
            _ => None,
        });
        found.expect("the want is over")
    }

    /// Kinds of the events from position `from` of the log on.
    pub fn kinds_since(&self, from: usize) -> Vec<&'static str> {
        self.log[from..].iter().map(|record| record.event.kind()).collect()
    }

    /// The server dies and comes back, knowing its log and what the executor has.
    pub fn restart(&mut self, known: &[AttemptId]) -> Step {
        let mut core = Core::new(self.core.slots);
        core.fires = self.core.fires;
        self.fires.clear();
        for record in &self.log {
            core.replay(record).expect("the log follows from itself");
        }
        self.core = core;
        self.ordered.retain(|spec| known.contains(&spec.attempt));
        let step = self.step(Input::Resume(known.to_vec()));
        assert!(step.reply.is_ok(), "resuming is not refused");
        step
    }
}
