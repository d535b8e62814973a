//! A history for tests, decided by the core.

use super::attempt::inherited::Inherited;
use super::attempt::staging::Staging;
use super::courier::Courier;
use super::looks::observers::Observers;
use super::message::Message;
use super::metrics::Watch;
use super::orchestrator::{Late, Orchestrator};
use super::pace::Pace;
use super::perform::{Link, Performer};
use super::records::keeper::Keeper;
use super::records::replay;
use super::shared::{Shared, Snapshot};
use super::starts::starter::{self, Orders, Starter};
use crate::executor::fake::Fake;
use crate::executor::{Executor, ExitRecord, Local, LogSize, Outcome, ResourceUse};
use crate::publish::Reserved;
use crate::runner::{self, ConnectOptions, RunnerArgs, RunnerClient};
use crate::store::{MemoryLog, Reader};
use arc_swap::ArcSwap;
use databuild_core::decide::{
    AttemptEnd, AttemptSpec, Core, Effect, Input, Sighting, Sightings, Success, WantRequest,
};
use databuild_core::event::{GraphRegistered, OutputRecord, PriorityClass, Record, Refresh};
use databuild_core::ids::GraphId;
use databuild_core::partition_set::PartitionKey;
use databuild_core::range_set::Key;
use databuild_core::state::checkpoint::StateDump;
use databuild_core::state::State;
use jiff::civil::date;
use jiff::{Span, Timestamp};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, Sender};
use std::sync::Arc;
use std::time::Duration;

const CITIES: [&str; 2] = ["oslo", "rome"];

fn now() -> Timestamp {
    "2024-12-31T00:00:00Z".parse().unwrap()
}

/// `raw` is there for each city and day, `daily` is made from it, `report` from all of that.
/// The program of a job that has this code, as graph files say it.
pub(crate) fn program(code: &str) -> serde_json::Value {
    json!({
        "executable": "job", "args": [], "env": {}, "env_inherit": [], "timeout_ms": null, "grace_ms": 1,
        "manifest": "m", "code": code,
    })
}

fn graph_file(raw: &str) -> String {
    let city = json!({"name": "city", "keys": {"kind": "static", "keys": CITIES}});
    let date = json!({"name": "date", "keys": {
        "kind": "time", "granularity": "day", "start": "1990-01-01", "end": null, "timezone": "UTC",
    }});
    let dataset = |name: &str, external: bool, dims: serde_json::Value, path: Option<&str>| json!({"name": name, "label": format!("//:{name}"), "external": external, "dims": dims, "path": path});
    let job = |name: &str, input: &str, dims: serde_json::Value| {
        json!({
            "label": format!("//:make_{name}"), "program": program("c"),
            "inputs": [{
                "name": input, "dataset": input, "dims": dims, "before_start": "clip", "after_end": "clip",
            }],
            "outputs": [name], "retries": 0, "backoff_ms": 1, "backoff_max_ms": 1,
            "on_code_change": "stale", "sources": "s",
        })
    };
    let same = |dim: &str| json!({"dim": dim, "rule": {"kind": "same", "of": dim}});
    let all = |dim: &str| json!({"dim": dim, "rule": {"kind": "all"}});
    let mut datasets = [
        dataset("daily", false, json!([city, date]), Some("out/{city}/{date}")),
        dataset(raw, true, json!([city, date]), Some("in/{city}/{date}")),
        dataset("report", false, json!([]), None),
    ];
    datasets.sort_by_key(|dataset| dataset["name"].to_string());
    json!({
        "format": 2,
        "label": "//:graph",
        "datasets": datasets,
        "jobs": [
            job("daily", raw, json!([same("city"), same("date")])),
            job("report", "daily", json!([all("city"), all("date")])),
        ],
    })
    .to_string()
}

/// A graph with one dataset `d` of days from `start`, made from nothing by code that no store has.
pub(super) fn days(start: &str) -> GraphRegistered {
    let date = json!({"name": "date", "keys": {
        "kind": "time", "granularity": "day", "start": start, "end": null, "timezone": "UTC",
    }});
    let content: Arc<str> = json!({
        "format": 2,
        "label": "//:graph",
        "datasets": [{"name": "d", "label": "//:d", "external": false, "dims": [date], "path": null}],
        "jobs": [{
            "label": "//:make_d", "program": program("c"), "inputs": [],
            "outputs": ["d"], "retries": 0, "backoff_ms": 1, "backoff_max_ms": 1,
            "on_code_change": "stale", "sources": "s",
        }],
    })
    .to_string()
    .into();
    GraphRegistered {
        graph: GraphId::of(&content),
        content,
        inherited: Default::default(),
        sources: Default::default(),
    }
}

/// What the runner tells of a job that exited with 0 after 200 ms.
pub(super) fn exited_well() -> ExitRecord {
    ExitRecord {
        outcome: Outcome::Code(0),
        timed_out: false,
        canceled: false,
        cancel_reason: None,
        started_at: 1_000,
        ended_at: 1_200,
        rusage: ResourceUse { user_ms: 10, sys_ms: 5, max_rss_kb: 100 },
        stdout: LogSize::default(),
        stderr: LogSize::default(),
        group_left: false,
        memory_exceeded: None,
        log_times: Vec::new(),
        checks: Vec::new(),
    }
}

/// A want of these partitions and nothing else.
pub(crate) fn want_of(target: &str) -> WantRequest {
    WantRequest {
        targets: vec![target.to_owned()],
        class: PriorityClass::Backfill,
        refresh: Refresh::Stale,
        as_of: None,
        ttl_seconds: None,
        sla_seconds: None,
        comment: String::new(),
        graph: None,
        key: None,
    }
}

/// Folder of the runner that this process is, if it was started by [`over_a_runner`].
const RUNNER: &str = "DATABUILD_TEST_RUNNER";

fn spool_and_socket(folder: &Path) -> (PathBuf, PathBuf) {
    (folder.join("spool"), folder.join("run/s"))
}

/// Not a test: what the runner of [`over_a_runner`] runs. It leaves the test program before the harness can say anything.
#[test]
fn runner_process() {
    let Some(folder) = std::env::var_os(RUNNER) else { return };
    let (spool, socket) = spool_and_socket(Path::new(&folder));
    // The test harness has begun a line; what the runner says is one of its own.
    println!();
    std::process::exit(i32::from(runner::main(RunnerArgs::new(spool, socket)).is_err()));
}

/// A runner in this folder, which is there or is started when somebody gets in touch.
pub(super) fn over_a_runner(folder: &Path, timeout: Duration) -> Arc<dyn Executor> {
    let (spool, socket) = spool_and_socket(folder);
    let options = ConnectOptions { timeout, ..ConnectOptions::new(&spool, &socket, "test") };
    let folder = folder.to_owned();
    let connect = Box::new(move |events| {
        let command = || {
            let mut command = Command::new("/usr/bin/env");
            let module = module_path!().split_once("::").expect("a crate's name leads").1;
            command
                .arg(format!("{RUNNER}={}", folder.display()))
                .arg(std::env::current_exe().unwrap())
                .arg(format!("{module}::runner_process"))
                .args(["--exact", "--nocapture", "--test-threads=1"]);
            command
        };
        RunnerClient::connect_or_start(&options, events, command)
    });
    Arc::new(Local::new(spool, connect))
}

/// A loop with a log in memory and an executor that has nothing, and its inbox. Whatever it starts fails at once, since
/// its code is not in the store.
pub(super) fn held_loop(folder: &Path, slots: usize) -> (Orchestrator, Sender<Message>) {
    loop_over(&Fake::default(), folder, slots)
}

/// The same over this executor.
pub(super) fn loop_over(executor: &Fake, folder: &Path, slots: usize) -> (Orchestrator, Sender<Message>) {
    let core = Core::new(slots);
    let log = MemoryLog::new();
    let (_, base) = replay::load(&log).unwrap();
    let (inbox, messages) = mpsc::channel();
    let (examine, _) = mpsc::channel();
    let (publish, _) = mpsc::channel();
    let (start, starts) = mpsc::channel();
    let (ask, _) = mpsc::channel();
    let shared = Arc::new(Shared {
        snapshot: ArcSwap::from_pointee(Snapshot::of(&core)),
        seq: tokio::sync::watch::channel(0).0,
        metrics: Arc::default(),
    });
    let staging = Arc::new(Staging::new(folder.join("staging")));
    let inherited = Arc::new(Inherited::load(&folder.join("inherited")));
    let looking = Arc::new(observers(folder));
    let starter = Starter {
        shared: Arc::clone(&shared),
        workspace: folder.to_owned(),
        staging: Arc::clone(&staging),
        reserved: Arc::new(Reserved::new(folder, &folder.join("state"))),
        executor: executor.shared(),
        snapshots: store(folder),
        reader: Arc::new(Reader::new(&folder.join("log"), 1)),
        base_env: Vec::new(),
        traced: false,
        inherited: Arc::clone(&inherited),
        observers: Arc::clone(&looking),
    };
    let (to_loop, to_examiner) = (inbox.clone(), examine.clone());
    std::thread::spawn(move || starter::starter(&starter, &Orders::of(starts), &to_loop, None, &to_examiner));
    let courier =
        Courier { executor: executor.shared(), staging: Arc::clone(&staging), inbox: inbox.clone() };
    let (orders, of_courier) = mpsc::channel();
    std::thread::spawn(move || courier.run(&of_courier));
    let performer = Performer {
        workspace: folder.to_owned(),
        staging,
        inherited,
        observers: looking,
        orders,
        connection: 0,
        link: Link::Up,
        told_slots: None,
        inbox: inbox.clone(),
        publish,
        start,
        starting: BTreeMap::new(),
        failed: BTreeSet::new(),
        ask,
        examine,
        examinations: Default::default(),
    };
    let watch = Watch::new(Arc::clone(&shared.metrics), &core.state);
    let orchestrator = Orchestrator {
        core,
        log: Box::new(log),
        keeper: Keeper::new(base, inbox.clone()),
        performer,
        shared,
        pace: Pace::default(),
        inbox: messages,
        postponed: Vec::new(),
        late: Late::default(),
        turn: 0,
        waiting: VecDeque::new(),
        watch,
    };
    (orchestrator, inbox)
}

/// An empty code store.
fn store(folder: &Path) -> Arc<crate::snapshot::Store> {
    Arc::new(crate::snapshot::Store::open(folder.join("store")).unwrap())
}

/// Observers that nobody asks anything.
pub(super) fn observers(folder: &Path) -> Observers {
    let inherited = folder.join("inherited");
    Observers::new(folder.to_owned(), folder.join("observers"), store(folder), Vec::new(), inherited).unwrap()
}

/// Registers a graph whose external dataset has this name.
pub(super) fn register(core: &mut Core, raw: &str) -> Vec<Record> {
    let content: Arc<str> = graph_file(raw).into();
    let event = GraphRegistered {
        graph: GraphId::of(&content),
        content,
        inherited: Default::default(),
        sources: Default::default(),
    };
    let step = core.step(Input::RegisterGraph(event.into()), now());
    step.reply.unwrap();
    step.records
}

/// A state that no log adds up to: that of a graph of `raw`, with a change.
pub(super) fn changed(state: &State, change: impl FnOnce(&mut StateDump)) -> State {
    let mut dump = state.dump();
    change(&mut dump);
    State::restore(dump, |_| Some(graph_file("raw").into())).unwrap()
}

/// What happens until nearly all of `daily` is made of so many days; the last runs are under way.
pub(super) fn history(days: Key) -> Vec<Record> {
    let mut core = Core::new(4);
    let mut records = register(&mut core, "raw");
    let graph = Arc::clone(core.state.registered());
    let raw = graph.graph.dataset_named("raw").unwrap();
    let (_, first) = core.state.resolve_at("raw/city=oslo/date=1990-01-01", now()).unwrap();
    let first = first.first().unwrap().keys()[1];
    let cities = 0..CITIES.len() as Key;
    let content = |(city, day): (Key, Key)| Sighting::Content {
        dataset: raw,
        key: PartitionKey::new([city, first + day]),
        version: format!("sha256:{city}-{day}"),
        mark: u64::from(day) + 1,
    };
    let seen = cities.flat_map(|city| (0..days).map(move |day| (city, day))).map(content).collect();
    let sightings = Sightings { graph: Some(graph.id.clone()), seen, unseen: Vec::new() };
    let last = date(1990, 1, 1).saturating_add(Span::new().days(i64::from(days) - 1));
    let request = want_of(&format!("daily/date=1990-01-01..{last}"));
    let mut inputs = VecDeque::from([Input::CreateWant(request, sightings)]);
    let mut left = (CITIES.len() as Key * days).saturating_sub(2);
    while let Some(input) = inputs.pop_front() {
        let step = core.step(input, now());
        step.reply.unwrap();
        records.extend(step.records);
        for effect in step.effects {
            match effect {
                Effect::Start(spec) if left > 0 => {
                    left -= 1;
                    inputs.push_back(Input::AttemptStarted { attempt: spec.attempt, pid: 7 });
                    inputs.push_back(Input::AttemptEnded { attempt: spec.attempt, end: success(&spec) });
                }
                Effect::Publish { attempt, outputs, .. } => {
                    inputs.push_back(Input::Published { attempt, marks: vec![9; outputs.len()] });
                }
                _ => {}
            }
        }
    }
    records
}

fn success(spec: &AttemptSpec) -> AttemptEnd {
    let output = OutputRecord {
        partition: spec.partition.clone(),
        version: format!("sha256:{}", spec.attempt),
        empty: spec.attempt.run.0.is_multiple_of(5),
        mark: 0,
        bytes: 10,
        metadata: "{}".to_owned(),
    };
    AttemptEnd {
        result: Ok(Success { outputs: vec![output], ..Success::default() }),
        exit_code: Some(0),
        wall_ms: 5,
        cpu_ms: 4,
        max_rss_kb: 9,
        checks: Vec::new(),
        returned: Vec::new(),
    }
}
