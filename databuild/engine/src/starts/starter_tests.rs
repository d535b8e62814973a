//! Attempts at real files: everything is as in a server, but the loop is a list of effects and jobs are closures.

use super::*;
use crate::executor::fake::Fake;
use crate::executor::Text;
use crate::handle::{Handle, Parts};
use crate::looks::files::{look_at, look_at_files, look_at_named};
use crate::looks::moved;
use crate::outcomes::examine::{examine, left};
use crate::outcomes::examiner::code_is_intact;
use crate::publish;
use crate::shared::Snapshot;
use crate::snapshot::{CodeManifest, FileDigest};
use crate::store::{Archiver, Batch, EventLog as _, SqliteLog};
use crate::testing::{exited_well, over_a_runner, want_of};
use arc_swap::ArcSwap;
use databuild_core::decide::{Core, Effect, Registration};
use databuild_core::event::{Event, GraphRegistered, Origin, OutputRecord, Refresh, WantOutcome};
use databuild_core::ids::{AttemptId, GraphId};
use jiff::Timestamp;
use serde_json::{json, Value};
use sha2::{Digest as _, Sha256};
use std::collections::VecDeque;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::mpsc;

#[path = "starter_graphs.rs"]
mod graphs;
use graphs::*;

#[path = "change_time_tests.rs"]
mod change_times;
#[path = "ownership_tests.rs"]
mod places;
#[path = "side_by_side_tests.rs"]
mod side_by_side;
#[path = "trace_tests.rs"]
mod traces;

const PROBE: &str = "#!/bin/sh\n[ -e silent ] && exit 1\nif [ -e in/raw ]; then echo \"{\\\"partition\\\": \\\"raw\\\", \\\"version\\\": \\\"$(cat in/raw)\\\"}\"\n\
                     else echo '{\"partition\": \"raw\", \"absent\": true}'; fi\n";
const JOB: &str = "#!/bin/sh\nout=$(sed 's/.*\"outputs\":\\[[^]]*\"path\":\"\\([^\"]*\\)\".*/\\1/' \"$DATABUILD_REQUEST\")\n\
                   cat in/raw > \"$out\"\n";

/// Code of all jobs and programs.
fn code() -> CodeManifest {
    let entry = |path: &str, content: &str| snapshot::Entry::File {
        path: path.to_owned(),
        digest: FileDigest::from_bytes(Sha256::digest(content).into()),
        size: content.len() as u64,
        executable: path == "probe",
    };
    CodeManifest::new(vec![entry("job", JOB), entry("probe", PROBE)]).unwrap()
}

/// Stores it.
fn store_code(store: &snapshot::Store, root: &Path) {
    let built = root.join("built");
    fs::create_dir_all(&built).unwrap();
    fs::write(built.join("job"), JOB).unwrap();
    fs::write(built.join("probe"), PROBE).unwrap();
    store.materialize(&code(), &|runfile| built.join(runfile)).unwrap();
}

type Hook<'h> = Box<dyn FnMut(&Path, AttemptId) + 'h>;

/// What the world does at certain moments.
#[derive(Default)]
struct Hooks<'h> {
    /// Between the lease of an attempt and its start.
    leased: Option<Hook<'h>>,
    /// While it runs, after the job has read its inputs.
    running: Option<Hook<'h>>,
    /// When it has ended, or was not started.
    ended: Option<Hook<'h>>,
}

impl<'h> Hooks<'h> {
    fn leased(hook: impl FnMut(&Path, AttemptId) + 'h) -> Hooks<'h> {
        Hooks { leased: Some(Box::new(hook)), ..Hooks::default() }
    }

    fn running(hook: impl FnMut(&Path, AttemptId) + 'h) -> Hooks<'h> {
        Hooks { running: Some(Box::new(hook)), ..Hooks::default() }
    }
}

struct Bench {
    folder: tempfile::TempDir,
    log: SqliteLog,
    core: Core,
    now: Timestamp,
    starter: Starter,
    effects: VecDeque<Effect>,
    executor: Fake,
    /// Outcomes of attempts, in order.
    ends: Vec<(String, String)>,
    wants: Vec<WantOutcome>,
    /// What the executor was told to keep of their output, in order.
    log_limits: Vec<u64>,
    /// Of which spans they were told that they are a part.
    parents: Vec<EnvValue>,
}

impl Bench {
    fn new(raw: Value) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        for name in ["in", "made"] {
            fs::create_dir(root.join(name)).unwrap();
        }
        let database = root.join("log.db");
        let log = SqliteLog::open(&database).unwrap();
        let snapshots = Arc::new(snapshot::Store::open(root.join("store")).unwrap());
        store_code(&snapshots, &root);
        let path = vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
        let inherited = root.join("inherited");
        let observers = Observers::new(
            root.clone(),
            root.join("observers"),
            Arc::clone(&snapshots),
            path.clone(),
            inherited.clone(),
        );
        let (core, executor) = (Core::new(4), Fake::default());
        let starter = Starter {
            shared: Arc::new(Shared {
                snapshot: ArcSwap::from_pointee(Snapshot::of(&core)),
                seq: tokio::sync::watch::channel(0).0,
                metrics: Arc::default(),
            }),
            workspace: root.clone(),
            staging: Arc::new(Staging::new(root.join("staging"))),
            reserved: Arc::new(Reserved::new(&root, &root.join("state"))),
            executor: executor.shared(),
            snapshots,
            reader: Arc::new(Reader::new(&database, 1)),
            base_env: path,
            traced: true,
            inherited: Arc::new(Inherited::load(&inherited)),
            observers: Arc::new(observers.unwrap()),
        };
        let now = "2024-12-31T00:00:00Z".parse().unwrap();
        let (effects, ends, wants) = Default::default();
        let mut bench = Bench {
            folder,
            log,
            core,
            now,
            executor,
            starter,
            effects,
            ends,
            wants,
            log_limits: Vec::new(),
            parents: Vec::new(),
        };
        let content: Arc<str> = graph(raw).into();
        bench.step(Input::RegisterGraph(Box::<Registration>::from(GraphRegistered {
            graph: GraphId::of(&content),
            content,
            inherited: Default::default(),
            sources: Default::default(),
        })));
        bench
    }

    fn root(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, content: &str) {
        write(self.root(), content);
    }

    fn made(&self, name: &str) -> String {
        fs::read_to_string(self.root().join("made").join(name)).unwrap()
    }

    fn step(&mut self, input: Input) {
        let step = self.core.step(input, self.now);
        if let Err(refusal) = &step.reply {
            panic!("{refusal}");
        }
        for record in &step.records {
            match &record.event {
                Event::AttemptEnded(end) => {
                    let outcome = format!("{:?}", end.outcome);
                    self.ends.push((outcome, end.message.clone()));
                }
                Event::WantEnded(end) => self.wants.push(end.outcome),
                _ => {}
            }
        }
        self.log.append(&Batch { records: step.records, blobs: vec![] }).unwrap();
        self.starter.shared.publish(Snapshot::of(&self.core));
        self.effects.extend(step.effects);
    }

    fn handle(&self) -> Handle {
        let parts = Parts {
            base_env: Arc::new([]),
            commands: tokio::sync::Semaphore::new(8),
            inbox: Mutex::new(mpsc::channel().0),
            shared: Arc::clone(&self.starter.shared),
            archiver: Arc::new(Archiver::new(&self.root().join("log.db"))),
            workspace: self.starter.workspace.clone(),
            executor: Arc::clone(&self.starter.executor),
            observers: Arc::clone(&self.starter.observers),
        };
        Handle { origin: Origin::default(), key: None, parts: Arc::new(parts) }
    }

    /// Scans all; returns what is missing, altered, changed, of these known before, not observed, and looked at.
    fn scan(&mut self) -> [u64; 6] {
        let (found, sightings) = self.handle().look_at_some(&[], false, 0, 100).unwrap();
        self.step(Input::Sightings(sightings));
        let unseen = found.unseen.iter().map(|(set, _)| set.count).sum();
        assert_eq!(found.looked, found.total);
        [found.missing.count, found.altered.count, found.changed.count, found.known, unseen, found.looked]
    }

    fn look(&self, targets: &[&str]) -> Sightings {
        let targets: Vec<String> = targets.iter().map(|text| (*text).to_owned()).collect();
        let state = self.core.state.clone();
        look_at_files(state, &targets, Refresh::Stale, self.now, &self.starter.observers).unwrap().sightings
    }

    fn want(&mut self, target: &str) {
        let seen = self.look(&[target]);
        self.step(Input::CreateWant(want_of(target), seen));
    }

    /// Carries out all that follows; returns the outcomes of attempts.
    fn run(&mut self, hooks: &mut Hooks<'_>) -> Vec<String> {
        let first = self.ends.len();
        loop {
            while let Some(effect) = self.effects.pop_front() {
                match effect {
                    Effect::Start(spec) => self.start(spec, hooks),
                    Effect::Publish { attempt, outputs, .. } => self.publish(attempt, &outputs),
                    Effect::Fire { .. } => unreachable!("no schedule is declared"),
                    Effect::Look { want, sets } => {
                        let sightings = look_at(&self.core.state, &sets, &self.starter.observers, false);
                        self.step(Input::Looked { want, sightings });
                    }
                    Effect::Cancel(_) | Effect::Withdraw(_) | Effect::Forget(_) => {}
                }
            }
            match self.core.next_timer() {
                Some(at) if at > self.now => self.now = at,
                _ => break,
            }
            self.step(Input::Tick);
        }
        self.ends[first..].iter().map(|(outcome, _)| outcome.clone()).collect()
    }

    /// Wants it, with nothing happening on the way.
    fn build(&mut self, target: &str) -> Vec<String> {
        self.want(target);
        self.run(&mut Hooks::default())
    }

    fn start(&mut self, spec: Box<AttemptSpec>, hooks: &mut Hooks<'_>) {
        let (id, job) = (spec.attempt, spec.job);
        let remote = spec.reads().iter().any(|(ix, _)| is_remote(&spec.graph.graph, *ix));
        let makes = spec.graph.graph.dataset(spec.graph.graph.job(job).outputs[0]).name.clone();
        if let Some(hook) = &mut hooks.leased {
            hook(self.folder.path(), id);
        }
        let (send, receive) = mpsc::channel();
        let state = Arc::clone(&self.starter.shared.snapshot.load_full().state);
        self.starter.prepare(vec![Lease { spec, turn: 1, state, told: Arc::default() }], &send).unwrap();
        drop(send);
        for message in receive {
            match message {
                Message::Input(input) => self.step(*input),
                Message::Prepared(prepared) => {
                    for Prepared { attempt, start, .. } in prepared {
                        match start {
                            Ok(start) => {
                                self.log_limits.push(start.max_log_bytes);
                                let told = start.env.iter().filter(|(name, _)| name == TRACE_PARENT);
                                self.parents.extend(told.map(|(_, value)| value.clone()));
                                self.step(Input::AttemptStarted { attempt: id, pid: 7 });
                                self.run_job(&start, id, &makes, remote, hooks);
                            }
                            Err(end) => self.step(Input::AttemptEnded { attempt, end }),
                        }
                    }
                }
                _ => unreachable!(),
            }
        }
        if let Some(hook) = &mut hooks.ended {
            hook(self.folder.path(), id);
        }
    }

    fn run_job(
        &mut self,
        start: &StartSpec,
        id: AttemptId,
        makes: &str,
        remote: bool,
        hooks: &mut Hooks<'_>,
    ) {
        self.executor.leave(&start.attempt, Text::Request, start.request.clone());
        start.mkdirs.iter().for_each(|dir| fs::create_dir_all(dir).unwrap());
        let request = request::parse_request(start.request.as_bytes()).unwrap();
        let input = request.inputs.values().flatten().next().unwrap();
        let read = |path: &Path| match fs::read_dir(path) {
            Ok(entries) => {
                let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
                all.sort();
                all.iter().map(|path| fs::read_to_string(path).unwrap()).collect()
            }
            Err(_) => fs::read_to_string(path).unwrap(),
        };
        let content: String = match (&input.path, &input.paths) {
            (Some(path), _) => read(path),
            (None, Some(paths)) => paths.iter().map(|path| read(path)).collect(),
            (None, None) => read(&self.root().join("in/raw")),
        };
        let output = request.outputs[0].path.as_ref().unwrap();
        fs::write(output, format!("{makes} of {content}")).unwrap();
        if let Some(hook) = &mut hooks.running {
            hook(self.folder.path(), id);
        }
        let mut ended = EndedAttempt::new(id, exited_well());
        if remote {
            let (to_loop, inputs) = mpsc::channel();
            let (examiner, examine) = mpsc::channel();
            ask::ask(&self.starter.asker(), ended, &to_loop, &examiner);
            drop(to_loop);
            for message in inputs {
                let Message::Input(input) = message else { unreachable!() };
                self.step(*input);
            }
            ended = examine.recv().unwrap();
        }
        let verdict = examine(
            left(&self.starter.executor, ended),
            |_, _, _| Ok(()),
            |attempt| code_is_intact(&self.starter.snapshots, &self.core.state, attempt),
        );
        if !verdict.moved.is_empty() {
            let seen = look_at_named(&self.core.state, &verdict.moved, &self.starter.observers);
            self.step(Input::Sightings(seen));
        }
        self.step(Input::AttemptEnded { attempt: id, end: verdict.end });
    }

    fn publish(&mut self, attempt: AttemptId, outputs: &[OutputRecord]) {
        let name = AttemptName::new(attempt.to_string()).unwrap();
        let request = self.starter.executor.read(&name, Text::Request, 1 << 20).unwrap().unwrap();
        let request = request::parse_request(&request).unwrap();
        let mut marks = Vec::new();
        for output in outputs {
            let file = request.outputs.iter().find(|file| file.partition == output.partition).unwrap();
            let place = file.final_path.as_ref().unwrap();
            if output.empty {
                marks.push(0);
                drop(fs::remove_file(place));
                continue;
            }
            fs::create_dir_all(place.parent().unwrap()).unwrap();
            fs::rename(file.path.as_ref().unwrap(), place).unwrap();
            marks.push(publish::stat_mark(place).unwrap().unwrap().0);
        }
        self.step(Input::Published { attempt, marks });
    }
}

/// What another graph would make stale, by its datasets.
fn impact(bench: &Bench, head: &str) -> Vec<String> {
    bench
        .starter
        .shared
        .publish(Snapshot { state: Arc::new(bench.core.state.clone()), ..Snapshot::of(&bench.core) });
    let found = bench.handle().impact(head.to_owned(), &BTreeMap::new(), &[]).unwrap().datasets;
    let stale = found.into_iter().filter(|(_, impact)| impact.stale > 0);
    stale.map(|(dataset, _)| dataset).collect()
}

#[test]
fn what_another_graph_would_read_is_looked_at_before_anybody_is_told_what_is_stale() {
    let mut bench = Bench::new(file());
    bench.write("A");
    assert_eq!(bench.build("top"), [SUCCESS, SUCCESS]);
    assert!(impact(&bench, &graph(file())).is_empty());
    // It lies elsewhere, with other content; then with the same.
    let elsewhere = graph(dataset("raw", true, Some("in/other"), Value::Null));
    fs::write(bench.root().join("in/other"), "B").unwrap();
    assert_eq!(impact(&bench, &elsewhere), ["out"]);
    fs::write(bench.root().join("in/other"), "A").unwrap();
    assert!(impact(&bench, &elsewhere).is_empty());
    // A job reads one that nobody read before.
    let mut more: Value = serde_json::from_str(&graph(file())).unwrap();
    let extra = dataset("extra", true, Some("in/extra"), Value::Null);
    more["datasets"].as_array_mut().unwrap().insert(0, extra);
    let input =
        json!({"name": "extra", "dataset": "extra", "dims": [], "before_start": "fail", "after_end": "fail"});
    more["jobs"][0]["inputs"].as_array_mut().unwrap().insert(0, input);
    fs::write(bench.root().join("in/extra"), "E").unwrap();
    assert_eq!(impact(&bench, &more.to_string()), ["out"]);
}

fn write(root: &Path, content: &str) {
    // As an editor or a checkout does it: another file takes the name.
    let new = root.join("raw.new");
    fs::write(&new, content).unwrap();
    fs::rename(new, root.join("in/raw")).unwrap();
}

/// All kinds of inputs. A program says what the file holds, so a file serves them all.
fn kinds() -> [(&'static str, Value); 3] {
    [("file", file()), ("glob", glob()), ("program", program(false))]
}

const MOVED: &str = "InputsMoved";
const SUCCESS: &str = "Success";

#[test]
fn an_input_that_changed_before_the_lease_or_after_it_is_read_and_recorded_as_it_is_then() {
    for (kind, raw) in kinds() {
        let mut bench = Bench::new(raw);
        bench.write("A");
        bench.want("out");
        bench.write("B");
        assert_eq!(bench.run(&mut Hooks::default()), [MOVED, SUCCESS], "{kind}");
        assert_eq!(bench.made("out.txt"), "out of B", "{kind}");
        assert!(bench.build("out").is_empty(), "{kind}: it was made from what is there");
        bench.write("A");
        assert_eq!(bench.build("out"), [SUCCESS], "{kind}: it was made from other data");
        assert_eq!(bench.made("out.txt"), "out of A", "{kind}");
    }
}

/// Its mark is that of the program's answer, and not of the file.
#[test]
fn a_file_beside_what_a_program_tells_is_read() {
    let mut bench = Bench::new(program_beside_file());
    bench.write("A");
    assert_eq!(bench.build("out"), [SUCCESS]);
    assert_eq!(bench.made("out.txt"), "out of A");
    assert!(bench.build("out").is_empty());
    bench.write("B");
    assert_eq!(bench.build("out"), [SUCCESS]);
    assert_eq!(bench.made("out.txt"), "out of B");
}

#[test]
fn an_input_that_changes_while_it_is_read_makes_the_attempt_worth_nothing() {
    for (kind, raw) in kinds() {
        let mut bench = Bench::new(raw);
        bench.write("A");
        bench.want("out");
        let mut hooks = Hooks::running(|root, id| {
            if id.number == 1 {
                write(root, "B");
            }
        });
        assert_eq!(bench.run(&mut hooks), [MOVED, SUCCESS], "{kind}");
        assert_eq!(bench.made("out.txt"), "out of B", "{kind}");
        bench.write("A");
        assert_eq!(bench.build("out"), [SUCCESS], "{kind}");
    }
}

#[test]
fn a_file_that_is_as_before_when_the_attempt_ends_was_not_while_it_ran() {
    for (kind, raw) in [("file", file()), ("glob", glob())] {
        let mut bench = Bench::new(raw);
        bench.write("B");
        bench.want("out");
        let mut hooks = Hooks::leased(|root, id| {
            if id.number == 1 {
                write(root, "A");
            }
        });
        hooks.running = Some(Box::new(|root, id| {
            if id.number == 2 {
                write(root, "C");
                write(root, "A");
            }
        }));
        assert_eq!(bench.run(&mut hooks), [MOVED, MOVED, SUCCESS], "{kind}");
        assert_eq!(bench.made("out.txt"), "out of A", "{kind}");
    }
}

#[test]
fn an_input_that_keeps_changing_fails_the_run_and_leaves_what_was_there() {
    for (kind, raw) in kinds() {
        let mut bench = Bench::new(raw);
        bench.write("0");
        assert_eq!(bench.build("out"), [SUCCESS], "{kind}");
        bench.write("1");
        bench.want("out");
        let mut hooks = Hooks::running(|root, id| write(root, &format!("1{}", id.number)));
        assert_eq!(bench.run(&mut hooks), [MOVED, MOVED, MOVED, MOVED], "{kind}");
        assert_eq!(bench.made("out.txt"), "out of 0", "{kind}");
        assert_eq!(bench.wants.last(), Some(&WantOutcome::Failed), "{kind}");
        let (_, message) = bench.ends.last().unwrap();
        assert!(
            message.contains(
                "its input raw was changed while it ran; the 3 attempts before it ended in this way"
            ),
            "{message}"
        );
        assert_eq!(bench.build("out"), [SUCCESS], "{kind}: nobody writes any more");
    }
}

#[test]
fn an_input_that_is_gone_or_cannot_be_read_when_its_reader_starts_is_told_apart() {
    let mut bench = Bench::new(file());
    bench.write("A");
    bench.want("out");
    fs::remove_file(bench.root().join("in/raw")).unwrap();
    assert_eq!(bench.run(&mut Hooks::default()), [MOVED]);
    assert!(bench.ends.last().unwrap().1.contains("its input raw was gone when it was to start"));
    bench.write("A");
    bench.want("out");
    fs::remove_file(bench.root().join("in/raw")).unwrap();
    pipe(&bench.root().join("in/raw"));
    assert_eq!(bench.run(&mut Hooks::default()), [MOVED; 4]);
    let message = &bench.ends.last().unwrap().1;
    assert!(
        message.contains("its input raw could not be observed: ") && message.contains("a pipe"),
        "{message}"
    );
}

#[test]
fn an_observer_that_says_nothing_at_the_start_or_the_end_costs_no_retry() {
    let silent = |root: &Path, silent: bool| match silent {
        true => fs::write(root.join("silent"), "").unwrap(),
        false => fs::remove_file(root.join("silent")).unwrap(),
    };
    for at_start in [true, false] {
        for most in [1, 3, 4] {
            let mut bench = Bench::new(program(false));
            bench.write("A");
            bench.want("out");
            let hook = |root: &Path, id: AttemptId| {
                // Whatever is looked at in between gets an answer.
                if id.number <= most {
                    silent(root, true);
                }
            };
            let mut hooks = if at_start { Hooks::leased(hook) } else { Hooks::running(hook) };
            hooks.ended = Some(Box::new(|root, id| {
                if id.number <= most {
                    silent(root, false);
                }
            }));
            let ends = bench.run(&mut hooks);
            let told = bench.ends.iter().filter(|(end, _)| end == MOVED);
            for (_, message) in told {
                assert!(message.contains("its input raw could not be observed"), "{message}");
            }
            let failed = most == 4;
            let expected: Vec<&str> = (0..most).map(|_| MOVED).chain((!failed).then_some(SUCCESS)).collect();
            assert_eq!(ends, expected, "{at_start}");
            let outcome = if failed { WantOutcome::Failed } else { WantOutcome::Satisfied };
            assert_eq!(bench.wants, [outcome], "{at_start} {most}");
        }
    }
}

#[test]
fn a_job_whose_output_has_come_to_lie_in_a_reserved_folder_does_not_start() {
    let mut bench = Bench::new(file());
    bench.write("A");
    bench.want("out");
    let root = bench.root().canonicalize().unwrap();
    fs::create_dir(root.join("state")).unwrap();
    fs::remove_dir(root.join("made")).unwrap();
    std::os::unix::fs::symlink(root.join("state"), root.join("made")).unwrap();
    let mut hooks = Hooks::running(|_, id| panic!("{id} runs"));
    assert_eq!(bench.run(&mut hooks), ["Failure { permanent: true }"]);
    let (_, message) = bench.ends.last().unwrap();
    assert!(message.contains("made/out.txt") && message.contains("state"), "{message}");
    drop(hooks);
    assert!(fs::read_dir(root.join("state")).unwrap().next().is_none());
}

#[test]
fn a_touched_file_with_the_same_content_costs_no_attempt() {
    for (kind, raw) in kinds() {
        let mut bench = Bench::new(raw);
        bench.write("A");
        bench.want("out");
        bench.write("A");
        assert_eq!(bench.run(&mut Hooks::default()), [SUCCESS], "{kind}");
        assert!(bench.build("out").is_empty(), "{kind}");
    }
}

#[test]
fn an_answer_younger_than_every_is_believed_at_both_ends() {
    let mut bench = Bench::new(program(true));
    bench.write("A");
    bench.want("out");
    bench.write("B");
    let mut hooks = Hooks::running(|root, _| write(root, "C"));
    assert_eq!(bench.run(&mut hooks), [SUCCESS]);
    assert!(bench.build("out").is_empty());
}

#[test]
fn a_built_input_that_somebody_alters_is_built_anew_before_it_is_read() {
    let alter = |root: &Path, text: &str| fs::write(root.join("made/out.txt"), text).unwrap();
    // While the reader runs, and between its lease and its start.
    for running in [true, false] {
        let mut bench = Bench::new(file());
        bench.write("A");
        bench.want("top");
        let hook = move |root: &Path, id: AttemptId| {
            if id.run.0 == 2 && id.number == 1 {
                alter(root, "bad");
            }
        };
        let mut hooks = if running { Hooks::running(hook) } else { Hooks::leased(hook) };
        assert_eq!(bench.run(&mut hooks), [SUCCESS, MOVED, SUCCESS, SUCCESS], "{running}");
        assert_eq!(
            (bench.made("out.txt").as_str(), bench.made("top.txt").as_str()),
            ("out of A", "top of out of A")
        );
        assert!(bench.build("top").is_empty());
    }
}

#[test]
fn folders_and_what_links_in_them_lead_to_are_inputs_like_files() {
    let mut bench = Bench::new(file());
    let root = bench.root().to_owned();
    fs::create_dir_all(root.join("in/raw")).unwrap();
    fs::write(root.join("in/raw/a"), "1").unwrap();
    fs::write(root.join("far"), "2").unwrap();
    std::os::unix::fs::symlink(root.join("far"), root.join("in/raw/b")).unwrap();
    assert_eq!(bench.build("out"), [SUCCESS]);
    assert_eq!(bench.made("out.txt"), "out of 12");
    fs::write(root.join("far"), "3 and more").unwrap();
    bench.want("out");
    let mut hooks = Hooks::running(|root, id| {
        if id.number == 1 {
            fs::write(root.join("far"), "4").unwrap();
        }
    });
    assert_eq!(bench.run(&mut hooks), [MOVED, SUCCESS]);
    assert_eq!(bench.made("out.txt"), "out of 14");
}

#[test]
fn a_scan_counts_what_is_there_each_time() {
    let mut bench = Bench::new(file());
    bench.write("A");
    bench.build("top");
    assert_eq!(bench.scan(), [0, 0, 0, 0, 0, 3]);
    fs::remove_file(bench.root().join("made/out.txt")).unwrap();
    fs::write(bench.root().join("made/top.txt"), "by hand").unwrap();
    assert_eq!(bench.scan(), [1, 1, 0, 0, 0, 3]);
    assert_eq!(bench.scan(), [1, 1, 0, 2, 0, 3], "the same, and known");
    bench.write("B");
    assert_eq!(bench.scan(), [1, 1, 1, 2, 0, 3]);
    fs::remove_file(bench.root().join("in/raw")).unwrap();
    assert_eq!(bench.scan(), [2, 1, 0, 2, 0, 3]);
    assert_eq!(bench.scan(), [2, 1, 0, 3, 0, 3]);
    bench.write("C");
    assert_eq!(bench.scan(), [1, 1, 1, 2, 0, 3], "others have brought it back");
    assert_eq!(bench.build("top"), [SUCCESS, SUCCESS]);
    assert_eq!(bench.scan(), [0, 0, 0, 0, 0, 3]);
}

#[test]
fn as_much_output_is_kept_as_the_job_says() {
    let mut bench = Bench::new(file());
    bench.write("A");
    assert_eq!(bench.build("top"), [SUCCESS, SUCCESS]);
    assert_eq!(bench.log_limits, [64 << 20, LOG_LIMIT]);
}

fn pipe(path: &Path) {
    let mode = rustix::fs::Mode::RWXU;
    rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
}

#[test]
fn what_cannot_be_looked_at_is_not_gone() {
    let mut bench = Bench::new(file());
    fs::create_dir(bench.root().join("in/raw")).unwrap();
    fs::write(bench.root().join("in/raw/a"), "1").unwrap();
    assert_eq!(bench.build("top"), [SUCCESS, SUCCESS]);
    pipe(&bench.root().join("in/raw/pipe"));
    assert_eq!(bench.scan(), [0, 0, 0, 0, 1, 3]);
    assert!(bench.build("top").is_empty());
    assert_eq!(bench.wants.last(), Some(&WantOutcome::Failed), "it is not said to be current");
    let facts = bench.core.state.dataset(bench.core.state.graph().dataset_named("raw").unwrap());
    assert!(!facts.present.is_empty(), "what was seen stays recorded");
    fs::remove_file(bench.root().join("in/raw/pipe")).unwrap();
    assert!(bench.build("top").is_empty());
    assert_eq!(bench.wants.last(), Some(&WantOutcome::Satisfied));
    // The same for what was built.
    fs::remove_file(bench.root().join("made/out.txt")).unwrap();
    pipe(&bench.root().join("made/out.txt"));
    assert_eq!(bench.scan(), [0, 0, 0, 0, 1, 3]);
    let found = bench.handle().look_for_adoption(&["out".to_owned()]).unwrap();
    let told = (found.files.len(), found.missing.count, found.recorded.count, found.unseen.len());
    assert_eq!(told, (0, 0, 0, 1));
}

#[test]
fn nothing_is_believed_of_code_that_was_changed() {
    let mut bench = Bench::new(file());
    bench.write("A");
    let store = Arc::clone(&bench.starter.snapshots);
    let poison = |file: &Path| {
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(file, JOB.replace("cat", "tac")).unwrap();
        fs::set_permissions(file, fs::Permissions::from_mode(0o555)).unwrap();
    };
    let job = store.executable(&code().digest(), "job");
    bench.want("out");
    let ends = bench.run(&mut Hooks::running(|_, _| poison(&job)));
    assert_eq!(ends, ["Failure { permanent: true }"]);
    let said = bench.ends.last().unwrap().1.clone();
    assert!(said.contains("what it made is dropped") && said.contains("runfiles/job"), "{said}");
    assert!(!bench.root().join("made/out.txt").exists());

    // Somebody else's job did it, by a hard link.
    store_code(&store, bench.root());
    poison(&job);
    assert_eq!(bench.build("out"), ["Failure { permanent: true }"]);
    assert!(bench.ends.last().unwrap().1.contains("was changed after it was stored"));
    assert_eq!(bench.build("out"), ["Failure { permanent: true }"]);
    assert!(bench.ends.last().unwrap().1.contains("is not in the code store"));

    store_code(&store, bench.root());
    assert_eq!(bench.build("out"), ["Success"]);
    assert_eq!(bench.made("out.txt"), "out of A");
}

/// A whole engine over a real runner, with a job that copies its input and waits until it may end.
#[test]
fn an_engine_with_a_runner_reads_what_is_there_when_its_attempts_start() {
    use crate::{Engine, EngineConfig, Registration};
    for (kind, raw) in [("file", file()), ("program", program(false))] {
        let bench = Bench::new(raw.clone());
        let root = bench.starter.workspace.clone();
        let own = root.join("engine");
        fs::create_dir_all(&own).unwrap();
        let database = own.join("log.db");
        let log = SqliteLog::open(&database).unwrap();
        let engine = Engine::start(EngineConfig {
            workspace: root.clone(),
            state: own.join("state"),
            staging: own.join("staging"),
            observers: own.join("observers"),
            inherited: own.join("inherited"),
            snapshots: Arc::clone(&bench.starter.snapshots),
            log: Box::new(log),
            reader: Arc::new(Reader::new(&database, 1)),
            archiver: Arc::new(Archiver::new(&database)),
            base_env: vec![("PATH".to_owned(), "/usr/bin:/bin".to_owned())],
            slots: 2,
            memory: None,
            traced: true,
            fires: true,
            executor: over_a_runner(&own, Duration::from_secs(60)),
            close: Vec::new(),
        })
        .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let handle = engine.handle();
        runtime.block_on(async {
            let (sources, inherited, leave) = Default::default();
            handle.register(Registration { content: graph(raw), sources, inherited, leave }).await.unwrap();
            for content in ["A", "B"] {
                bench.write(content);
                let request = want_of("out");
                let mut seen = handle.watch();
                let want = handle.want(request).await.unwrap();
                while handle.snapshot().state.wants().contains_key(&want.made) {
                    let change = tokio::time::timeout(Duration::from_secs(60), seen.changed());
                    change.await.expect("something goes on").unwrap();
                }
                assert_eq!(bench.made("out.txt"), content, "{kind}");
            }
        });
        engine.stop(true).unwrap();
    }
}
