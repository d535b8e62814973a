//! Dumps of random histories come back whole, and what was never dumped is refused.

use super::*;
use crate::decide::{
    ApplyRequest, AttemptEnd, AttemptReport, AttemptSpec, Core, Effect, Input, PlanRequest, Reply, Sighting,
    Sightings, Success, WantRequest,
};
use crate::digest::mix;
use crate::event::{AttemptOutcome, GraphRegistered, OutputRecord, PriorityClass, Record, Refresh};
use crate::ids::{AttemptId, GraphId, RunId, WantId};
use crate::partition_set::{PartitionKey, PartitionSet, Shape};
use crate::range_set::{Key, RangeSet};
use crate::state::{Phase, State};
use jiff::{SignedDuration, Timestamp};
use serde_json::{json, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Graphs that follow each other: other code, other cities, a dataset gone, a dataset with other axes.
const VARIANTS: u64 = 5;

fn graph_file(variant: u64) -> String {
    let cities: &[&str] = if variant == 2 { &["rome", "lima", "oslo"] } else { &["oslo", "rome"] };
    let city = json!({"name": "city", "keys": {"kind": "static", "keys": cities}});
    let time = |name: &str, granularity: &str, start: &str, zone: &str| {
        let keys = json!({"kind": "time", "granularity": granularity, "start": start, "end": null, "timezone": zone});
        json!({"name": name, "keys": keys})
    };
    let zone = if variant == 3 { "Europe/Berlin" } else { "UTC" };
    let date = time("date", "day", "2024-01-01", zone);
    let month = time("month", "month", "2024-01", zone);
    let dataset = |name: &str, dims: &[&Value], path: Option<&str>| json!({"name": name, "label": format!("//:{name}"), "external": name == "raw", "dims": dims, "path": path});
    let input = |name: &str, dims: Value| json!({"name": name, "dataset": name, "dims": dims, "before_start": "clip", "after_end": "clip"});
    let job = |label: &str, inputs: Vec<Value>, outputs: &[&str]| {
        json!({
            "label": label,
            "program": {
                "executable": "job", "args": [], "env": {}, "env_inherit": ["WHO"], "timeout_ms": null,
                "grace_ms": 1000, "manifest": "m", "code": if variant == 1 { "code-1" } else { "code-0" },
            },
            "inputs": inputs, "outputs": outputs, "retries": 1, "backoff_ms": 1000, "backoff_max_ms": 4000,
            "on_code_change": "stale", "sources": "s",
        })
    };
    let same = |dim: &str| json!({"dim": dim, "rule": {"kind": "same", "of": dim}});
    let window = json!({"dim": "date", "rule": {"kind": "window", "of": "date", "count": 3}});
    let rollup = json!({"dim": "date", "rule": {"kind": "rollup", "of": "month"}});
    let all = |dim: &str| json!({"dim": dim, "rule": {"kind": "all"}});
    let mut datasets = vec![
        dataset("daily", &[&city, &date], Some("out/{city}/{date}")),
        dataset("monthly", &[&month, &city], None),
        dataset("notes", &[&city, &date], None),
        dataset("raw", &[&city, &date], Some("in/{city}/{date}")),
    ];
    let mut jobs = vec![
        job("//:daily", vec![input("raw", json!([same("city"), window]))], &["daily", "notes"]),
        job("//:monthly", vec![input("daily", json!([same("city"), rollup]))], &["monthly"]),
    ];
    if variant != 1 {
        jobs[0]["batch"] = json!({"dim": if variant == 3 { "city" } else { "date" }, "max": 4});
    }
    if variant != 4 {
        datasets.push(dataset("report", &[], Some("out/report")));
        jobs.push(job("//:report", vec![input("monthly", json!([all("month"), all("city")]))], &["report"]));
    }
    json!({"format": 2, "label": "//:graph", "datasets": datasets, "jobs": jobs}).to_string()
}

/// A workspace in which things happen by chance.
struct World {
    core: Core,
    now: Timestamp,
    dice: u64,
    contents: BTreeMap<GraphId, Arc<str>>,
    running: Vec<AttemptSpec>,
    publishing: Vec<(AttemptId, usize)>,
    records: Vec<Record>,
    /// Put the state aside and take it up again before every step.
    restores: bool,
}

impl World {
    fn new(seed: u64, restores: bool) -> World {
        World {
            core: Core::new(3),
            now: "2024-02-03T00:00:00.000000007Z".parse().unwrap(),
            dice: mix(7, seed),
            contents: BTreeMap::new(),
            running: Vec::new(),
            publishing: Vec::new(),
            records: Vec::new(),
            restores,
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.dice = mix(self.dice, 1);
        self.dice % sides
    }

    fn content(&self) -> impl Fn(&GraphId) -> Option<Arc<str>> + '_ {
        |id| self.contents.get(id).cloned()
    }

    fn give(&mut self, input: Input) -> Option<Reply> {
        if self.restores {
            let dump = self.core.state.dump();
            let state = State::restore(dump.clone(), self.content()).unwrap();
            assert_eq!(state.dump(), dump);
            self.core.state = state;
        }
        let step = self.core.step(input, self.now);
        self.records.extend(step.records);
        for effect in step.effects {
            match effect {
                Effect::Start(spec) => self.running.push(*spec),
                Effect::Publish { attempt, outputs, .. } => self.publishing.push((attempt, outputs.len())),
                Effect::Cancel(attempt) => {
                    self.running.retain(|spec| spec.attempt != attempt);
                    let end = failed(AttemptOutcome::Canceled);
                    self.give(Input::AttemptEnded { attempt, end });
                }
                Effect::Withdraw(_) | Effect::Forget(_) | Effect::Look { .. } | Effect::Fire { .. } => {}
            }
        }
        step.reply.ok()
    }

    fn step(&mut self) {
        self.now = self.now.checked_add(SignedDuration::from_millis(300)).unwrap();
        match self.roll(28) {
            26 => {
                let paused = self.core.state.env.wants.values().find(|want| want.paused).map(|want| want.id);
                let newest = self.core.state.last_want;
                self.give(paused.map_or(Input::PauseWant(newest), Input::ResumeWant));
            }
            27 => {
                let want = WantId(self.roll(1 + self.core.state.last_want.0));
                self.give(Input::PrioritizeWant(want, PriorityClass::Backfill));
            }
            0 => self.register(),
            1 | 2 => self.want(),
            3..=5 => self.look(),
            6 => {
                let run = RunId(self.roll(1 + self.core.state.last_run.0));
                self.give(Input::CancelRun(run));
            }
            7 => {
                let want = WantId(self.roll(1 + self.core.state.last_want.0));
                self.give(Input::CancelWant(want));
            }
            8 => {
                self.now = self.now.checked_add(SignedDuration::from_hours(10)).unwrap();
                self.give(Input::Tick);
            }
            9..=13 => self.publish(),
            15 => {
                let targets = vec!["daily".to_owned()];
                let request = PlanRequest {
                    targets,
                    refresh: Refresh::Stale,
                    as_of: None,
                    expires_seconds: None,
                    key: None,
                };
                self.give(Input::CreatePlan(request, Sightings::default()));
            }
            16 => {
                let request = ApplyRequest {
                    plan: self.core.state.last_plan,
                    class: PriorityClass::Backfill,
                    ttl_seconds: None,
                    sla_seconds: None,
                    comment: String::new(),
                    key: None,
                };
                self.give(Input::ApplyPlan(request, Sightings::default()));
            }
            14 => {
                if let Some(spec) = self.running.first() {
                    let attempt = spec.attempt;
                    self.give(Input::AttemptStarted { attempt, pid: 7 });
                }
            }
            _ => self.end(),
        }
    }

    fn register(&mut self) {
        let content: Arc<str> = graph_file(self.roll(VARIANTS)).into();
        let graph = GraphId::of(&content);
        self.contents.insert(graph.clone(), Arc::clone(&content));
        let who = format!("digest-{}", self.roll(2));
        let inherited = BTreeMap::from([("WHO".to_owned(), who)]);
        let sources = BTreeMap::new();
        self.give(Input::RegisterGraph(GraphRegistered { graph, content, inherited, sources }.into()));
    }

    fn want(&mut self) {
        const TARGETS: [&str; 6] = [
            "report",
            "monthly",
            "daily/city=oslo",
            "daily/city=rome/date=2024-01-05..2024-01-20",
            "daily/date=2024-01-02",
            "monthly/city=lima",
        ];
        let targets = vec![TARGETS[self.roll(6) as usize].to_owned()];
        let request = WantRequest {
            targets,
            class: [PriorityClass::Interactive, PriorityClass::Backfill][self.roll(2) as usize],
            refresh: [Refresh::Missing, Refresh::Stale, Refresh::All][self.roll(3) as usize],
            as_of: None,
            ttl_seconds: [None, Some(40_000)][self.roll(2) as usize],
            sla_seconds: None,
            comment: String::new(),
            graph: None,
            key: None,
        };
        self.give(Input::CreateWant(request, Sightings::default()));
    }

    /// Files of some days are there, or gone, or other ones.
    fn look(&mut self) {
        let Some(registered) = self.core.state.env.graph.clone() else {
            return;
        };
        let name = ["raw", "raw", "daily"][self.roll(3) as usize];
        let dataset = registered.graph.dataset_named(name).unwrap();
        let first = self.core.state.resolve_recorded(&format!("{name}/city=oslo/date=2024-01-01")).unwrap().1;
        let first = first.first().unwrap();
        let mut seen = Vec::new();
        let all = self.roll(3) == 0;
        for at in 0..if all { 80 } else { self.roll(40) } {
            let (day, city) = if all { (at / 2, (at % 2) as Key) } else { (at, self.roll(2) as Key) };
            let key = PartitionKey::new([city, first.keys()[1] + day as Key]);
            seen.push(match self.roll(6) {
                0 if !all => Sighting::Gone(dataset, key),
                mark => Sighting::Content { dataset, key, version: format!("v{}", self.roll(3)), mark },
            });
        }
        self.give(Input::Sightings(Sightings {
            graph: Some(registered.id.clone()),
            seen,
            unseen: Vec::new(),
        }));
    }

    fn publish(&mut self) {
        let Some((attempt, outputs)) = self.publishing.pop() else {
            return;
        };
        if self.roll(4) == 0 {
            self.give(Input::PublishFailed { attempt, message: "no space".to_owned() });
        } else {
            let marks = (0..outputs as u64).map(|mark| mark + 9).collect();
            self.give(Input::Published { attempt, marks });
        }
    }

    fn end(&mut self) {
        if self.running.is_empty() {
            return;
        }
        let at = self.roll(self.running.len() as u64) as usize;
        let spec = self.running.swap_remove(at);
        let end = match self.roll(9) {
            0 => failed(AttemptOutcome::Failure { permanent: false }),
            1 => failed(AttemptOutcome::Failure { permanent: true }),
            2 => failed(AttemptOutcome::Lost),
            3 => failed(AttemptOutcome::InputsMoved),
            _ => {
                let version = format!("v{}", self.roll(3));
                let empty = self.roll(5) == 0;
                let graph = &spec.graph.graph;
                let symbols = &self.core.state.symbols;
                let output = |key: &PartitionKey, ix: &_| OutputRecord {
                    partition: graph.dataset(*ix).partition_text(key, symbols),
                    version: version.clone(),
                    empty,
                    mark: 0,
                    bytes: 3,
                    metadata: "{}".to_owned(),
                };
                let mut outputs = Vec::new();
                for key in spec.set.iter() {
                    outputs.extend(graph.job(spec.job).outputs.iter().map(|ix| output(&key, ix)));
                }
                let count = outputs.len() as u64;
                if count > 2 && self.roll(2) == 0 {
                    // Some of a batch is done, and of the rest the last is beyond hope.
                    let hopeless = outputs.iter().rev().step_by(2).take(self.roll(2) as usize);
                    let hopeless = hopeless.map(|output| output.partition.clone()).collect();
                    let done = outputs[..self.roll(count) as usize].to_vec();
                    let report =
                        AttemptReport::new(AttemptOutcome::Failure { permanent: false }, "some failed");
                    let result = Err(AttemptReport { done, hopeless, ..report });
                    AttemptEnd { result, ..failed(AttemptOutcome::Timeout) }
                } else {
                    let result = Ok(Success { outputs, ..Success::default() });
                    AttemptEnd { result, ..failed(AttemptOutcome::Success) }
                }
            }
        };
        self.give(Input::AttemptEnded { attempt: spec.attempt, end });
    }
}

fn failed(outcome: AttemptOutcome) -> AttemptEnd {
    AttemptEnd {
        result: Err(AttemptReport::new(outcome, "exit 3")),
        exit_code: Some(3),
        wall_ms: 11,
        cpu_ms: 5,
        max_rss_kb: 100,
        checks: Vec::new(),
        returned: Vec::new(),
    }
}

fn world(seed: u64, steps: usize, restores: bool) -> World {
    let mut world = World::new(seed, restores);
    world.register();
    for _ in 0..steps {
        world.step();
    }
    world
}

const SEEDS: u64 = 24;
const STEPS: usize = 100;

#[test]
fn a_core_that_is_restored_before_each_step_decides_the_same() {
    for seed in 0..SEEDS {
        let (plain, restored) = (world(seed, STEPS, false), world(seed, STEPS, true));
        assert!(plain.records == restored.records, "seed {seed}");
        assert_eq!(plain.core.state.dump(), restored.core.state.dump(), "seed {seed}");
    }
}

#[test]
fn checkpoint_and_tail_are_the_whole_log() {
    for seed in 0..SEEDS {
        let world = world(seed, STEPS, false);
        let fold = |mut state: State, records: &[Record]| {
            records.iter().for_each(|record| state.apply(record).unwrap());
            state
        };
        let whole = fold(State::default(), &world.records).dump();
        for part in 0..6 {
            let (head, tail) = world.records.split_at(world.records.len() * part / 5);
            let head = fold(State::default(), head).dump();
            let restored = State::restore(head, world.content()).unwrap();
            assert_eq!(fold(restored, tail).dump(), whole, "seed {seed}, part {part}");
        }
    }
}

/// Were the histories above too tame, they would prove nothing.
#[test]
fn the_histories_have_all_that_a_state_can_have() {
    let mut met: BTreeMap<&str, u32> = BTreeMap::new();
    let mut meet = |name, is: bool| *met.entry(name).or_default() += u32::from(is);
    for seed in 0..SEEDS {
        let mut world = World::new(seed, false);
        world.register();
        for _ in 0..STEPS {
            world.step();
            let dump = world.core.state.dump();
            let some = |set: &SetColumns| !set.counts.is_empty();
            meet("old graph", dump.runs.iter().any(|run| run.graph > 0));
            meet("two registrations of one graph", {
                let ids: BTreeSet<_> = dump.graphs.iter().map(|graph| &graph.id).collect();
                ids.len() < dump.graphs.len()
            });
            meet("provenances", dump.provenances.len() > 2);
            meet("more symbols", dump.symbols.len() > 2);
            meet("retired", dump.retired.iter().any(|dataset| some(&dataset.present)));
            for dataset in &dump.datasets {
                meet("inputs", !dataset.entries.inputs.is_empty());
                meet("no inputs", dataset.entries.inputs.is_empty() && !dataset.entries.marks.is_empty());
                meet("empty", some(&dataset.empty));
                meet("made_by", dataset.made_by.len() > 1);
                meet("suspect", some(&dataset.suspect));
                meet("inputs_changed", some(&dataset.inputs_changed));
                meet("altered", some(&dataset.altered));
                meet("vanished", some(&dataset.vanished));
                meet("failed", some(&dataset.failed));
            }
            for work in &dump.work {
                meet("todo", some(&work.todo));
                meet("ready", some(&work.ready));
                meet("live", some(&work.live));
                meet("forced", some(&work.forced));
            }
            for want in &dump.wants {
                meet("expires", want.expires_at.is_some());
                meet("paused", want.paused);
                meet("causes", !want.causes.is_empty());
                meet("unchanged", want.counts.unchanged > 0);
                meet("remaining of many jobs", want.remaining.len() > 1);
            }
            for run in &dump.runs {
                meet("losses", run.losses > 0);
                meet("moves", run.moves > 0);
                meet("batches", run.inputs.len() > 1);
                meet("rest_due", run.rest_due.is_some());
                meet("given_up", run.given_up.is_some());
                meet("failures", run.failures > 0);
                meet("intended", !run.intended.is_empty());
                meet("cancel_requested", run.cancel_requested);
                meet("running", run.phase == Phase::Running);
                meet("retry", matches!(run.phase, Phase::RetryWait(_)));
            }
        }
    }
    assert!(met.values().all(|times| *times > 0), "{met:?}");
}

/// A dump with something in every part.
fn rich() -> (StateDump, World) {
    let rich = |world: &World| {
        let dump = world.core.state.dump();
        !dump.runs.is_empty()
            && !dump.wants.is_empty()
            && !dump.retired.is_empty()
            && dump.provenances.len() > 1
    };
    let mut worlds = (0..SEEDS).map(|seed| world(seed, STEPS, false));
    let world = worlds.find(rich).unwrap();
    (world.core.state.dump(), world)
}

#[test]
fn a_dump_that_does_not_fit_its_graphs_is_refused() {
    let (dump, world) = rich();
    let refused = |change: &dyn Fn(&mut StateDump)| {
        let mut changed = dump.clone();
        change(&mut changed);
        State::restore(changed, world.content()).unwrap_err().to_string()
    };
    let missing = State::restore(dump.clone(), |_| None).unwrap_err();
    assert_eq!(missing, RestoreError::GraphMissing(dump.graphs[0].id.clone()));
    let other = State::restore(dump.clone(), |_| Some("{}".into())).unwrap_err();
    assert!(matches!(other, RestoreError::Graph { .. }), "{other}");

    let graph = &dump.graphs[0].id;
    type Case<'a> = (&'a dyn Fn(&mut StateDump), String);
    let cases: [Case; 13] = [
        (&|dump| dump.symbols.clear(), format!("graph {graph} has static keys without numbers")),
        (
            &|dump| dump.symbols.push("oslo".to_owned()),
            "a static key is out of range or there twice".to_owned(),
        ),
        (&|dump| dump.datasets.truncate(3), "`raw` is not in the graph, or not as it was".to_owned()),
        (&|dump| dump.datasets[0].axes.clear(), "`daily` is not in the graph, or not as it was".to_owned()),
        (
            &|dump| {
                let more = DatasetDump { name: "more".to_owned(), ..dump.datasets[0].clone() };
                dump.datasets.push(more);
            },
            "`more` is not in the graph, or not as it was".to_owned(),
        ),
        (&|dump| dump.work.truncate(1), "`//:monthly` is not in the graph, or not as it was".to_owned()),
        (&|dump| dump.provenances.clear(), "a provenance is out of range or there twice".to_owned()),
        (&|dump| dump.wants.push(dump.wants[0].clone()), "a want is out of range or there twice".to_owned()),
        (&|dump| dump.runs.push(dump.runs[0].clone()), "a run is out of range or there twice".to_owned()),
        (&|dump| dump.runs[0].inputs.push(0), format!("`{}`: a key out of range", dump.runs[0].partition)),
        (&|dump| dump.runs[0].graph = 9, "a graph is out of range or there twice".to_owned()),
        (
            &|dump| dump.retired.push(dump.retired[0].clone()),
            "a retired dataset is out of range or there twice".to_owned(),
        ),
        (&|dump| dump.graphs.clear(), "a graph is out of range or there twice".to_owned()),
    ];
    for (change, message) in cases {
        assert_eq!(refused(change), message);
    }
    let key = refused(&|dump| dump.datasets[0].present = columns(&[99], &[1], &[0, 0]));
    assert_eq!(key, "`daily`: a key out of range");
}

fn columns(tuples: &[Key], counts: &[u32], runs: &[u32]) -> SetColumns {
    SetColumns { tuples: tuples.to_vec(), counts: counts.to_vec(), runs: runs.to_vec() }
}

#[test]
fn sets_come_back_from_columns() {
    let shape = Shape::with_long(2, 1);
    let mut set = PartitionSet::empty(shape);
    set.insert_row([0].into(), RangeSet::from_ranges([(5, 7), (9, 9)]));
    set.insert_row([1].into(), RangeSet::from_ranges([(0, 9), (Key::MAX, Key::MAX)]));
    let written = SetColumns::of(&set);
    assert_eq!(written, columns(&[0, 1], &[2, 2], &[5, 2, 1, 0, 0, 9, Key::MAX - 10, 0]));
    assert_eq!(written.set(shape), Ok(set));

    let everything = PartitionSet::full(Shape::with_long(1, 0), &[RangeSet::range(0, Key::MAX)]);
    assert_eq!(SetColumns::of(&everything).set(everything.shape()), Ok(everything));
    let one = PartitionSet::full(Shape::with_long(0, 0), &[]);
    assert_eq!(SetColumns::of(&one), columns(&[], &[1], &[0, 0]));
    assert_eq!(SetColumns::of(&one).set(one.shape()), Ok(one));
}

#[test]
fn columns_of_no_set_are_refused() {
    let two = Shape::with_long(2, 1);
    for (tuples, counts, runs, misfit) in [
        (&[0][..], &[1][..], &[0][..], Misfit::Lengths),
        (&[], &[1], &[0, 0], Misfit::Lengths),
        (&[0], &[2], &[0, 0], Misfit::Lengths),
        (&[0], &[u32::MAX], &[0, 0], Misfit::Lengths),
        (&[0], &[0], &[], Misfit::Order),
        (&[1, 0], &[1, 1], &[0, 0, 0, 0], Misfit::Order),
        (&[1, 1], &[1, 1], &[0, 0, 0, 0], Misfit::Order),
        (&[0], &[1], &[2, u32::MAX], Misfit::Range),
        (&[0], &[2], &[0, u32::MAX, 0, 0], Misfit::Range),
    ] {
        assert_eq!(columns(tuples, counts, runs).set(two), Err(misfit), "{tuples:?} {counts:?} {runs:?}");
    }
    assert_eq!(columns(&[], &[1], &[0, 1]).set(Shape::with_long(0, 0)), Err(Misfit::Range));

    let entries = |keys: SetColumns, versions: &[u64], marks: &[u64]| {
        let seqs = vec![1; versions.len()];
        let columns =
            EntryColumns { keys, versions: versions.to_vec(), inputs: vec![], marks: marks.to_vec(), seqs };
        columns.entries(two).map(|entries| entries.len())
    };
    let three = || columns(&[0], &[1], &[4, 2]);
    assert_eq!(entries(three(), &[1, 2, 3], &[]), Ok(3));
    assert_eq!(entries(three(), &[1, 2], &[]), Err(Misfit::Lengths));
    assert_eq!(entries(three(), &[1, 2, 3, 4], &[]), Err(Misfit::Lengths));
    assert_eq!(entries(three(), &[1, 2, 3], &[1]), Err(Misfit::Lengths));
    assert_eq!(entries(columns(&[0], &[1], &[0, u32::MAX]), &[1], &[]), Err(Misfit::Lengths));
}
