//! What is said of partitions of a workspace that the core drives, over a log on disk.

use super::*;
use crate::api::InputUsed;
use crate::audience::Audience;
use crate::store::{Archiver, Batch, Blob, Checkpoint, Cut, EventLog, Reader, SqliteLog};
use databuild_core::decide::{
    AcceptRequest, AdoptRequest, AttemptEnd, AttemptReport, AttemptSpec, Core, Effect, FoundFile, Input,
    InvokeRequest, KeyRequest, Registration, Sighting, Sightings, Step, Success, WantRequest,
};
use databuild_core::event;
use databuild_core::event::{AttemptOutcome, GraphRegistered, OutputRecord, PriorityClass, Refresh};
use databuild_core::ids::GraphId;
use databuild_core::planner;
use databuild_core::state::{Counts, Standings};
use jiff::Timestamp;
use serde_json::{json, Value};
use std::sync::Arc;
use tempfile::TempDir;

/// A job: its name, what it makes with which dimensions, what it reads.
type Job<'j> = (&'j str, &'j str, &'j [&'j str], &'j [Reads<'j>]);
/// An input with the rule of each of its dimensions.
type Reads<'r> = (&'r str, &'r [(&'r str, &'r str)]);

/// The dimension `name` has listed keys, any other is a dynamic key space.
fn dims(names: &[&str]) -> Value {
    let keys = |name: &str| match name {
        "name" => json!({"kind": "static", "keys": ["a", "b", "c"]}),
        other => json!({"kind": "dynamic", "name": other}),
    };
    names.iter().map(|name| json!({"name": name, "keys": keys(name)})).collect()
}

/// A graph of external datasets and jobs. `code` is that of all jobs.
fn graph(external: &[(&str, &[&str])], jobs: &[Job<'_>], code: &str) -> Value {
    let dataset = |name: &str, external: bool, dims: Value| json!({"name": name, "label": format!("//:{name}"), "external": external, "dims": dims, "path": null});
    let outside = external.iter().map(|(name, keys)| {
        let mut dataset = dataset(name, true, dims(keys));
        let holes: String = keys.iter().map(|dim| format!("-{{{dim}}}")).collect();
        dataset["path"] = format!("in/{name}{holes}.csv").into();
        dataset
    });
    let mut datasets: Vec<Value> = outside.collect();
    datasets.extend(jobs.iter().map(|(_, makes, keys, _)| dataset(makes, false, dims(keys))));
    datasets.sort_by_key(|dataset| dataset["name"].to_string());
    let rule = |(dim, kind): &(&str, &str)| match *kind {
        "same" => json!({"dim": dim, "rule": {"kind": "same", "of": dim}}),
        kind => json!({"dim": dim, "rule": {"kind": kind}}),
    };
    let input = |(name, rules): &Reads<'_>| {
        json!({
            "name": name, "dataset": name, "dims": rules.iter().map(rule).collect::<Value>(),
            "before_start": "clip", "after_end": "clip",
        })
    };
    let job = |(name, makes, _, reads): &Job<'_>| {
        json!({
            "label": format!("//:{name}"), "program": program(code),
            "inputs": reads.iter().map(input).collect::<Value>(), "outputs": [makes], "retries": 0,
            "backoff_ms": 1, "backoff_max_ms": 1,
            "on_code_change": "stale", "sources": "s",
        })
    };
    let jobs: Vec<Value> = jobs.iter().map(job).collect();
    json!({"format": 2, "label": "//:graph", "datasets": datasets, "jobs": jobs})
}

/// The program of a job that has this code, as graph files say it.
fn program(code: &str) -> Value {
    json!({
        "executable": "job", "args": [], "env": {}, "env_inherit": [], "timeout_ms": null, "grace_ms": 1,
        "manifest": "m", "code": code,
    })
}

fn want_of(target: &str) -> WantRequest {
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

pub(crate) struct Workspace {
    folder: TempDir,
    log: SqliteLog,
    pub(crate) core: Core,
    /// Attempts that were ordered and are not over.
    pub(crate) ordered: Vec<AttemptSpec>,
    /// What the next batch has besides its events.
    blobs: Vec<Blob>,
    /// Since the beginning.
    seconds: i64,
}

impl Workspace {
    pub(crate) fn new(graph: &Value) -> Workspace {
        let folder = tempfile::tempdir().unwrap();
        let log = SqliteLog::open(&folder.path().join("log.db")).unwrap();
        let mut workspace =
            Workspace { folder, log, core: Core::new(8), ordered: Vec::new(), blobs: Vec::new(), seconds: 0 };
        workspace.register(graph);
        workspace
    }

    fn now(&self) -> Timestamp {
        let begin: Timestamp = "2024-12-31T00:00:00Z".parse().unwrap();
        begin + jiff::SignedDuration::from_secs(self.seconds)
    }

    pub(crate) fn later(&mut self, seconds: i64) {
        self.seconds += seconds;
    }

    pub(crate) fn step(&mut self, input: Input) -> Step {
        let now = self.now();
        let origin = event::Origin { actor: event::Actor::Person("ada".into()), cause: None };
        let mut step = self.core.decide(input, origin, now);
        let more = self.core.follow(now);
        step.records.extend(more.records);
        step.effects.extend(more.effects);
        step.reply.as_ref().unwrap();
        let blobs = std::mem::take(&mut self.blobs);
        self.log.append(&Batch { records: step.records.clone(), blobs }).unwrap();
        for effect in &step.effects {
            match effect {
                Effect::Start(spec) => self.ordered.push(AttemptSpec::clone(spec)),
                Effect::Publish { attempt, outputs, .. } => {
                    self.step(Input::Published { attempt: *attempt, marks: vec![9; outputs.len()] });
                }
                _ => {}
            }
        }
        step
    }

    pub(crate) fn register(&mut self, graph: &Value) {
        let content = graph.to_string();
        let graph = GraphId::of(&content);
        let (inherited, sources) = Default::default();
        self.step(Input::RegisterGraph(Box::<Registration>::from(GraphRegistered {
            graph,
            content: content.into(),
            inherited,
            sources,
        })));
    }

    /// The same, with the graph file kept beside the log, as the engine does.
    pub(crate) fn register_kept(&mut self, graph: &Value) {
        let content = graph.to_string();
        self.blobs.push(Blob { digest: GraphId::of(&content).0, bytes: content.into() });
        self.register(graph);
    }

    pub(crate) fn want(&mut self, target: &str, refresh: Refresh) {
        let request = WantRequest { class: PriorityClass::Interactive, refresh, ..want_of(target) };
        self.step(Input::CreateWant(request, Sightings::default()));
    }

    /// A job is invoked by hand with a value of a parameter.
    pub(crate) fn invoke(&mut self, job: &str, target: &str, name: &str, value: &str) {
        let want = WantRequest { class: PriorityClass::Interactive, ..want_of(target) };
        let params = [(name.to_owned(), value.to_owned())].into();
        let request = InvokeRequest { job: format!("//:{job}"), params, want };
        self.step(Input::Invoke(request, Sightings::default()));
    }

    fn see(&mut self, sighting: Sighting) {
        let graph = Some(self.core.state.registered().id.clone());
        self.step(Input::Sightings(Sightings { graph, seen: vec![sighting], unseen: Vec::new() }));
    }

    pub(crate) fn observe(&mut self, partition: &str, version: &str) {
        let (dataset, key) = self.core.state.resolve_one(partition).unwrap();
        self.see(Sighting::Content { dataset, key, version: version.to_owned(), mark: 7 });
    }

    /// The attempt at a partition is over.
    pub(crate) fn end(&mut self, partition: &str, result: Result<Success, AttemptReport>) {
        let at = self.ordered.iter().position(|spec| spec.partition == partition).expect("it is being made");
        let attempt = self.ordered.remove(at).attempt;
        let end = AttemptEnd { wall_ms: 9000, cpu_ms: 1, max_rss_kb: 1, ..AttemptEnd::of(result) };
        self.step(Input::AttemptEnded { attempt, end });
    }

    pub(crate) fn finish(&mut self, partition: &str, version: &str) {
        let output = OutputRecord {
            partition: partition.to_owned(),
            version: version.to_owned(),
            empty: false,
            mark: 0,
            bytes: 1,
            metadata: r#"{"rows":24}"#.to_owned(),
        };
        self.end(partition, Ok(Success { outputs: vec![output], ..Success::default() }));
    }

    pub(crate) fn fail(&mut self, partition: &str, message: &str) {
        let outcome = AttemptOutcome::Failure { permanent: true };
        self.end(partition, Err(AttemptReport::new(outcome, message)));
    }

    /// Makes all that is wanted, and that it finds it needs.
    pub(crate) fn finish_all(&mut self, version: &str) {
        while let Some(partition) = self.ordered.first().map(|spec| spec.partition.clone()) {
            self.finish(&partition, version);
        }
    }

    pub(crate) fn reader(&self) -> Reader {
        Reader::new(&self.folder.path().join("log.db"), 1)
    }

    /// The state as of now.
    pub(crate) fn state(&self) -> State {
        let mut state = self.core.state.clone();
        state.advance(self.now());
        state
    }

    fn standings(&self) -> Standings {
        Standings::new(&Arc::new(self.core.state.clone()), self.now())
    }

    /// Counts of a dataset.
    fn counts(&self, dataset: &str) -> Counts {
        let standings = self.standings();
        standings.counts_of(standings.state().graph().dataset_named(dataset).unwrap())
    }

    fn why(&self, partition: &str) -> Why {
        let mut state = self.state();
        let (ix, key) = state.resolve_one(partition).unwrap();
        let targets = [(ix, PartitionSet::single(state.graph().dataset(ix).shape, &key))];
        let plan = planner::plan(&mut state, &targets, Refresh::Stale);
        why(
            &mut state,
            &self.reader(),
            (&plan, Seen { looks: &Sightings::default(), audience: &Audience::default() }),
            ix,
            &key,
        )
        .unwrap()
    }

    /// State and summary of a partition.
    fn said(&self, partition: &str) -> (PartitionState, String) {
        let why = self.why(partition);
        let standings = self.standings();
        let (ix, set) = standings.state().resolve(partition).unwrap();
        let (rows, _) = partitions::rows(&standings, ix, &set, None, 0, 1);
        assert_eq!(rows[0].state, why.state, "a list says the same");
        (why.state, why.summary)
    }
}

/// `raw`, `text` made from it, `book` made from all of `text`.
pub(crate) fn chain(code: &str) -> Value {
    let text: Job<'_> = ("write", "text", &["name"], &[("raw", &[("name", "same")])]);
    let book: Job<'_> = ("bind", "book", &[], &[("text", &[("name", "all")])]);
    graph(&[("raw", &["name"])], &[text, book], code)
}

fn written() -> Workspace {
    let mut workspace = Workspace::new(&chain("code"));
    for name in ["a", "b", "c"] {
        workspace.observe(&format!("raw/name={name}"), "r1");
    }
    workspace.want("book", Refresh::Stale);
    workspace.finish_all("v1");
    workspace
}

#[test]
fn what_a_job_reported_is_told() {
    let workspace = written();
    let metadata = |partition| Value::Object(workspace.why(partition).metadata);
    assert_eq!(metadata("text/name=a"), serde_json::json!({"rows": 24}));
    assert_eq!(metadata("raw/name=a"), serde_json::json!({}));
}

#[test]
fn of_outputs_that_are_made_together_the_one_is_named_whose_file_it_is_about() {
    let mut two = graph(&[], &[("make", "p", &["name"], &[])], "code");
    let mut other = two["datasets"][0].clone();
    (other["name"], other["label"]) = ("q".into(), "//:q".into());
    for (dataset, name) in [(&mut two["datasets"][0], "p"), (&mut other, "q")] {
        dataset["path"] = format!("out/{name}/{{name}}").into();
    }
    two["datasets"].as_array_mut().unwrap().push(other);
    two["jobs"][0]["outputs"] = json!(["p", "q"]);
    let mut workspace = Workspace::new(&two);
    workspace.want("p/name=a", Refresh::Stale);
    let version = format!("sha256:{}", "0".repeat(64));
    let outputs = ["p/name=a", "q/name=a"].map(|partition| OutputRecord {
        partition: partition.to_owned(),
        version: version.clone(),
        empty: false,
        mark: 0,
        bytes: 1,
        metadata: "{}".to_owned(),
    });
    workspace.end("p/name=a", Ok(Success { outputs: outputs.into(), ..Success::default() }));
    let (dataset, key) = workspace.core.state.resolve_one("q/name=a").unwrap();
    let changed = format!("sha256:{}", "1".repeat(64));
    workspace.see(Sighting::Content { dataset, key: key.clone(), version: changed, mark: 8 });
    let said =
        |workspace: &Workspace| ["p/name=a", "q/name=a"].map(|partition| workspace.why(partition).summary);
    assert_eq!(
        said(&workspace),
        [
            "p/name=a is stale because the file of q/name=a, which the same run makes, was changed by somebody else",
            "q/name=a is stale because its file was changed by somebody else",
        ]
    );
    workspace.see(Sighting::Gone(dataset, key));
    assert_eq!(
        said(&workspace),
        [
            "p/name=a is missing because the file of q/name=a, which the same run makes, is gone",
            "q/name=a is missing because its file is gone",
        ]
    );
}

#[test]
fn what_is_current_is_not_failed_by_a_run_for_code_that_was_taken_back() {
    let mut workspace = written();
    workspace.register(&chain("broken"));
    workspace.want("text/name=a", Refresh::Stale);
    workspace.fail("text/name=a", "exit code 1");
    let (state, summary) = workspace.said("text/name=a");
    assert_eq!(state, PartitionState::Failed);
    assert!(summary.contains("failed because its last run, r5, failed: exit code 1"), "{summary}");

    workspace.register(&chain("code"));
    let (state, summary) = workspace.said("text/name=a");
    assert_eq!(state, PartitionState::Current);
    assert_eq!(
        summary,
        "text/name=a is current: neither its job nor an input has changed since it was built; a later run, r5, failed and changed \
         nothing: exit code 1"
    );
    assert!(workspace.standings().counts().iter().all(|counts| counts.failed == 0));
}

#[test]
fn counts_do_not_overlap_and_tell_what_is_behind() {
    /// Current, behind, stale, missing, building, failed.
    fn counts(workspace: &Workspace, dataset: &str) -> [u64; 6] {
        let standings = workspace.standings();
        let of = workspace.counts(dataset);
        let counts = [of.current, of.behind, of.stale, of.missing, of.building, of.failed];
        assert_eq!(counts.iter().sum::<u64>(), of.total);
        // Each is the number of rows in that state.
        let (ix, set) = standings.state().resolve_readable(dataset).unwrap();
        let states = [
            PartitionState::Current,
            PartitionState::Behind,
            PartitionState::Stale,
            PartitionState::Missing,
            PartitionState::Building,
            PartitionState::Failed,
        ];
        let listed = states.map(|wanted| {
            let (rows, _) = partitions::rows(&standings, ix, &set, Some(wanted), 0, 1000);
            assert!(rows.iter().all(|row| row.state == wanted));
            rows.len() as u64
        });
        assert_eq!(listed, counts, "{dataset}");
        counts
    }
    let mut workspace = written();
    assert_eq!(counts(&workspace, "text"), [3, 0, 0, 0, 0, 0]);
    assert_eq!(counts(&workspace, "book"), [1, 0, 0, 0, 0, 0]);
    workspace.observe("raw/name=b", "r2");
    assert_eq!(counts(&workspace, "text"), [2, 0, 1, 0, 0, 0]);
    assert_eq!(counts(&workspace, "book"), [0, 1, 0, 0, 0, 0]);
    workspace.want("text/name=b", Refresh::Stale);
    assert_eq!(counts(&workspace, "text"), [2, 0, 0, 0, 1, 0]);
    assert_eq!(counts(&workspace, "book"), [0, 1, 0, 0, 0, 0]);
    workspace.fail("text/name=b", "broken");
    assert_eq!(counts(&workspace, "text"), [2, 0, 0, 0, 0, 1]);
    assert_eq!(counts(&workspace, "book"), [0, 1, 0, 0, 0, 0]);
    workspace.want("text/name=b", Refresh::Stale);
    workspace.finish("text/name=b", "v2");
    assert_eq!(counts(&workspace, "text"), [3, 0, 0, 0, 0, 0]);
    assert_eq!(counts(&workspace, "book"), [0, 0, 1, 0, 0, 0]);
}

#[test]
fn inputs_that_are_not_listed_are_counted() {
    let jobs: &[Job<'_>] =
        &[("write", "text", &["chapter"], &[]), ("bind", "book", &[], &[("text", &[("chapter", "all")])])];
    let mut workspace = Workspace::new(&graph(&[], jobs, "code"));
    let keys = (0..250).map(|number| format!("n{number:03}")).collect();
    workspace.step(Input::AddKeys(KeyRequest { space: "chapter".to_owned(), keys }));
    workspace.want("book", Refresh::Stale);
    workspace.finish_all("v1");
    let why = workspace.why("book");
    assert_eq!((why.inputs.len(), why.inputs_total), (MOST_INPUTS, 250));
    workspace.want("text", Refresh::All);
    workspace.finish_all("v2");
    let why = workspace.why("book");
    assert_eq!((why.causes[0].inputs.len(), why.causes[0].inputs_total), (MOST_INPUTS, 250));
}

#[test]
fn what_is_current_is_not_failed_by_a_run_that_was_forced() {
    let mut workspace = written();
    workspace.want("text/name=b", Refresh::All);
    workspace.fail("text/name=b", "no space");
    let why = workspace.why("text/name=b");
    assert_eq!((why.state, why.causes), (PartitionState::Current, Vec::new()));
    assert!(
        why.summary.ends_with("a later run, r5, failed and changed nothing: no space"),
        "{}",
        why.summary
    );
    assert_eq!(why.run.as_deref(), Some("r2"));
    // Once it is stale for other inputs, a run would not do the same again: that is the reason, as in a plan.
    workspace.observe("raw/name=b", "r2");
    let (state, summary) = workspace.said("text/name=b");
    assert_eq!(state, PartitionState::Stale);
    assert!(summary.contains("input raw/name=b changed (r1 then, r2 now)"), "{summary}");
}

#[test]
fn what_is_out_of_date_only_upstream_names_how_many_which_and_why() {
    let mut workspace = written();
    assert_eq!(
        workspace.said("book").1,
        "book is current: neither its job nor an input has changed since it was built"
    );
    assert_eq!(
        workspace.said("raw/name=a").1,
        "raw/name=a is current: it is external, and its data is there"
    );
    workspace.observe("raw/name=c", "r2");
    let because = "input raw/name=c changed (r1 then, r2 now)";
    let (state, summary) = workspace.said("book");
    assert_eq!(state, PartitionState::Behind);
    assert_eq!(summary, format!("book is out of date upstream: text/name=c, because {because}"));
    workspace.observe("raw/name=b", "r2");
    let because = "input raw/name=b changed (r1 then, r2 now)";
    let summary = workspace.said("book").1;
    assert_eq!(
        summary,
        format!("book is out of date upstream: 2 partitions, such as text/name=b, because {because}")
    );
}

#[test]
fn an_old_failure_does_not_hide_why_something_is_stale_now() {
    let mut workspace = written();
    workspace.register(&chain("broken"));
    workspace.want("text/name=a", Refresh::Stale);
    workspace.fail("text/name=a", "exit code 1");
    workspace.register(&chain("fixed"));
    let why = workspace.why("text/name=a");
    assert_eq!(why.state, PartitionState::Stale);
    assert_eq!(why.causes[0].reason, "code_changed");
    assert_eq!(why.failed_since.as_deref(), Some("r5"));
    assert!(
        why.summary.ends_with("; a later run, r5, failed with another version of the job: exit code 1"),
        "{}",
        why.summary
    );
    // Back with the code that failed, it is failed.
    workspace.register(&chain("broken"));
    assert_eq!(workspace.said("text/name=a").0, PartitionState::Failed);
}

#[test]
fn a_run_with_values_by_hand_that_failed_is_told_by_them() {
    let mut graph = chain("code");
    graph["jobs"][0]["params"] = json!({"rows": "3"});
    let mut workspace = Workspace::new(&graph);
    workspace.observe("raw/name=a", "r1");
    workspace.invoke("write", "text/name=a", "rows", "5");
    workspace.fail("text/name=a", "too many");
    let why = workspace.why("text/name=a");
    assert_eq!(why.state, PartitionState::Missing);
    let ends = "; a later run, r1, which somebody invoked with rows=5, failed and changed nothing: too many";
    assert!(why.summary.ends_with(ends), "{}", why.summary);
}

#[test]
fn what_counts_for_an_acceptance_says_so() {
    let mut workspace = written();
    workspace.register(&chain("newer"));
    let request = AcceptRequest {
        targets: vec!["text/name=a".to_owned()],
        job: None,
        reason: "a comment".to_owned(),
        evidence: String::new(),
    };
    workspace.step(Input::Accept(request));
    let why = workspace.why("text/name=a");
    assert_eq!(why.state, PartitionState::Current);
    let said: Vec<_> = why.accepted.iter().map(|said| (said.by.as_str(), said.reason.as_str())).collect();
    assert_eq!(said, [("ada", "a comment")]);
    assert!(
        why.summary.ends_with("; ada accepted that an older version of its job made it: a comment"),
        "{}",
        why.summary
    );
    // What made it needs no acceptance.
    workspace.register(&chain("code"));
    assert_eq!(workspace.why("text/name=a").accepted, []);
}

#[test]
fn what_was_never_built_since_a_run_upstream_failed_says_so() {
    let mut workspace = Workspace::new(&chain("code"));
    for name in ["a", "b", "c"] {
        workspace.observe(&format!("raw/name={name}"), "r1");
    }
    workspace.want("book", Refresh::Stale);
    workspace.fail("text/name=b", "exit code 3");
    workspace.finish("text/name=a", "v1");
    let why = workspace.why("book");
    assert_eq!(why.state, PartitionState::Missing);
    assert_eq!(
        why.summary,
        "book is missing because it needs text/name=b, and //:write failed in r2: exit code 3"
    );
    let causes: Vec<_> =
        why.causes.iter().map(|cause| (cause.reason.as_str(), cause.run.as_deref())).collect();
    assert_eq!(causes, [("upstream_failed", Some("r2")), ("missing", None)]);
    let steps: Vec<_> = why.upstream.iter().map(|step| (step.partition.as_str(), step.count)).collect();
    assert_eq!(steps, [("text/name=b", 1)]);
    assert_eq!(why.upstream[0].cause.message, "//:write failed in r2: exit code 3");
}

#[test]
fn a_failure_further_up_is_found_past_what_was_merely_never_built() {
    let same: &[(&str, &str)] = &[("name", "same")];
    let jobs: &[Job<'_>] = &[
        ("fetch", "page", &["name"], &[]),
        ("look", "image", &["name"], &[]),
        ("write", "text", &["name"], &[("page", same)]),
        ("bind", "book", &["name"], &[("image", same), ("text", same)]),
    ];
    let mut workspace = Workspace::new(&graph(&[], jobs, "code"));
    workspace.want("page/name=b", Refresh::Stale);
    workspace.fail("page/name=b", "no answer");
    let why = workspace.why("book/name=b");
    let steps: Vec<_> = why.upstream.iter().map(|step| step.partition.as_str()).collect();
    assert_eq!(steps, ["text/name=b", "page/name=b"]);
    assert_eq!(
        why.summary,
        "book/name=b is missing because it needs page/name=b, and //:fetch failed in r1: no answer"
    );
    // It says nothing of keys that do not need it.
    assert_eq!(workspace.why("book/name=a").summary, "book/name=a is missing because it was never built");
}

/// As counts say that it is behind.
#[test]
fn what_is_gone_far_upstream_of_what_is_current_is_told() {
    let same: &[(&str, &str)] = &[("name", "same")];
    let jobs: &[Job<'_>] = &[
        ("clean", "text", &["name"], &[("raw", same)]),
        ("bind", "book", &["name"], &[("text", same)]),
        ("stack", "shelf", &["name"], &[("book", same)]),
    ];
    let graph = || {
        let mut graph = graph(&[("raw", &["name"])], jobs, "code");
        for dataset in graph["datasets"].as_array_mut().unwrap() {
            let name = dataset["name"].as_str().unwrap().to_owned();
            dataset["path"] = format!("out/{name}/{{name}}").into();
        }
        graph
    };
    let mut workspace = Workspace::new(&graph());
    workspace.observe("raw/name=a", "r1");
    workspace.want("shelf/name=a", Refresh::Stale);
    let version = format!("sha256:{}", "0".repeat(64));
    for dataset in ["text", "book", "shelf"] {
        workspace.finish(&format!("{dataset}/name=a"), &version);
    }
    assert_eq!(workspace.why("shelf/name=a").upstream.len(), 0);
    for gone in ["raw/name=a", "text/name=a"] {
        let (dataset, key) = workspace.core.state.resolve_one(gone).unwrap();
        workspace.see(Sighting::Gone(dataset, key));
        for told in ["shelf/name=a", "book/name=a"] {
            let why = workspace.why(told);
            assert_eq!(why.state, PartitionState::Behind);
            let last = why.upstream.last().unwrap_or_else(|| panic!("{told} without {gone}"));
            assert!(last.partition == gone || last.partition == "raw/name=a", "{told}: {}", last.partition);
        }
    }
}

/// It is worked out on a thread like any other.
#[test]
fn why_of_a_chain_of_thousands_is_told_on_a_small_stack() {
    const LENGTH: usize = 3_000;
    let same: &[(&str, &str)] = &[("name", "same")];
    let names: Vec<String> = (0..LENGTH).map(|number| format!("d{number:04}")).collect();
    let reads: Vec<[Reads<'_>; 1]> = names.iter().map(|name| [(name.as_str(), same)]).collect();
    let jobs: Vec<Job<'_>> = names
        .iter()
        .enumerate()
        .map(|(number, name)| {
            let reads: &[Reads<'_>] = number.checked_sub(1).map_or(&[], |before| &reads[before]);
            (name.as_str(), name.as_str(), ["name"].as_slice(), reads)
        })
        .collect();
    let mut workspace = Workspace::new(&graph(&[], &jobs, "code"));
    workspace.want("d0000/name=b", Refresh::Stale);
    workspace.fail("d0000/name=b", "no answer");
    let last = format!("d{:04}/name=b", LENGTH - 1);
    let asked = last.clone();
    let ask = move || workspace.why(&asked).summary;
    let summary = std::thread::Builder::new().stack_size(512 << 10).spawn(ask).unwrap().join().unwrap();
    assert_eq!(
        summary,
        format!("{last} is missing because it needs d0000/name=b, and //:d0000 failed in r1: no answer")
    );
}

/// Another name of a zone changes nothing. With another zone the same texts name other data.
#[test]
fn what_was_built_for_other_keys_says_so() {
    let daily = |zone: &str| {
        let mut graph = graph(&[], &[("fetch", "page", &["name"], &[])], "code");
        graph["datasets"][0]["dims"] = json!([{"name": "date", "keys": {
            "kind": "time", "granularity": "day", "start": "2010-01-01", "end": "2010-01-02", "timezone": zone,
        }}]);
        graph
    };
    let mut workspace = Workspace::new(&daily("Europe/Kiev"));
    workspace.want("page", Refresh::Stale);
    workspace.finish_all("v1");
    workspace.register(&daily("Europe/Kyiv"));
    let why = workspace.why("page/date=2010-01-01");
    assert_eq!(
        why.summary,
        "page/date=2010-01-01 is current: neither its job nor an input has changed since it was built"
    );
    workspace.register(&daily("UTC"));
    let why = workspace.why("page/date=2010-01-01");
    assert_eq!(
        why.summary,
        "page/date=2010-01-01 is missing because r1 built it when `date` was day in Europe/Kiev; now `date` is \
         day in UTC, so the same key means other data"
    );
    assert_eq!((why.run, why.version), (None, None));
    // Back again, it is there.
    workspace.register(&daily("Europe/Kyiv"));
    assert_eq!(workspace.why("page/date=2010-01-01").run.as_deref(), Some("r1"));
}

/// The same texts may have been built in another zone since.
#[test]
fn what_was_built_in_this_zone_is_told_whatever_was_built_in_another() {
    let daily = |zone: &str| {
        let jobs: &[Job<'_>] =
            &[("fetch", "page", &["name"], &[]), ("bind", "book", &[], &[("page", &[("date", "all")])])];
        let mut graph = graph(&[], jobs, "code");
        graph["datasets"][1]["dims"] = json!([{"name": "date", "keys": {
            "kind": "time", "granularity": "day", "start": "2010-01-01", "end": "2010-01-01", "timezone": zone,
        }}]);
        graph
    };
    let mut workspace = Workspace::new(&daily("UTC"));
    workspace.want("book", Refresh::Stale);
    workspace.finish_all("v1");
    workspace.register(&daily("Europe/Berlin"));
    workspace.want("page", Refresh::Stale);
    workspace.finish_all("v2");
    let page = |workspace: &Workspace| {
        let why = workspace.why("page/date=2010-01-01");
        (why.run.unwrap(), why.version.unwrap())
    };
    assert_eq!(page(&workspace), ("r3".to_owned(), "v2".to_owned()));
    workspace.register(&daily("UTC"));
    assert_eq!(page(&workspace), ("r1".to_owned(), "v1".to_owned()));
    let book = workspace.why("book");
    let used = |input: &InputUsed| (input.then.clone(), input.now.clone());
    let v1 = || Some("v1".to_owned());
    assert_eq!(book.inputs.iter().map(used).collect::<Vec<_>>(), [(v1(), v1())]);
}

#[test]
fn a_file_that_was_touched_keeps_its_run_and_what_that_said_of_it() {
    let mut workspace = written();
    let before = workspace.why("text/name=a");
    workspace.observe("text/name=a", "v1");
    let after = workspace.why("text/name=a");
    assert_eq!((after.run.as_deref(), after.metadata), (Some("r1"), before.metadata));
    assert_eq!(after.built_at, before.built_at);
}

#[test]
fn a_run_is_told_with_the_job_that_it_was_of() {
    let mut workspace = written();
    let text: Job<'_> = ("compose", "text", &["name"], &[("raw", &[("name", "same")])]);
    let book: Job<'_> = ("bind", "book", &[], &[("text", &[("name", "all")])]);
    workspace.register(&graph(&[("raw", &["name"])], &[text, book], "code"));
    let why = workspace.why("text/name=a");
    assert_eq!(why.run.as_deref(), Some("r1"));
    assert_eq!((why.job.as_deref(), why.run_job.as_deref()), (Some("//:compose"), Some("//:write")));
}

#[test]
fn changed_arguments_are_told_as_they_were_and_as_they_are() {
    let with = |args: &[&str], moved: bool| {
        let write = if moved { "compose" } else { "write" };
        let text: Job<'_> = (write, "text", &["name"], &[("raw", &[("name", "same")])]);
        let mut graph = graph(&[("raw", &["name"])], &[text], "code");
        graph["jobs"][0]["program"]["args"] = json!(args);
        if moved {
            graph["moved"] = json!([{"kind": "job", "from": "//:write", "to": "//:compose"}]);
        }
        graph
    };
    let mut workspace = Workspace::new(&with(&["--x=1", "{name}"], false));
    workspace.observe("raw/name=a", "r1");
    workspace.want("text/name=a", Refresh::Stale);
    workspace.finish_all("v1");
    workspace.register(&with(&["--x=2", "{name}"], false));
    let summary = workspace.said("text/name=a").1;
    assert_eq!(summary, "text/name=a is stale because the arguments of //:write changed: `--x=1` -> `--x=2`");
    workspace.register(&with(&["--x=1", "{name}", "--y"], true));
    let summary = workspace.said("text/name=a").1;
    assert_eq!(summary, "text/name=a is stale because the arguments of //:compose changed: `--y` was added");
}

#[test]
fn what_is_current_says_what_failed_upstream() {
    let mut workspace = written();
    workspace.observe("raw/name=a", "r2");
    workspace.want("book", Refresh::Stale);
    workspace.fail("text/name=a", "exit code 1");
    let summary = workspace.said("book").1;
    assert_eq!(
        summary,
        "book is out of date upstream: text/name=a, because //:write failed in r5: exit code 1"
    );
}

#[test]
fn who_adopted_a_partition_is_told() {
    let mut workspace = Workspace::new(&chain("code"));
    workspace.observe("raw/name=a", "r1");
    let (dataset, key) = workspace.core.state.resolve_one("text/name=a").unwrap();
    let files = vec![FoundFile { dataset, key, version: "sha256:old".to_owned(), mark: 3, bytes: 4 }];
    workspace.step(Input::Adopt(AdoptRequest { files }, Sightings::default()));
    let why = workspace.why("text/name=a");
    assert!(
        why.summary.starts_with(
            "text/name=a is current: it was adopted, and neither its job nor an input has changed since"
        ),
        "{}",
        why.summary
    );
    let adopted = why.adopted.unwrap();
    assert_eq!((adopted.by.as_deref(), adopted.at.as_str()), (Some("ada"), "2024-12-31T00:00:00Z"));
    let used = |partition: &str, then: &str, now: &str| InputUsed {
        partition: partition.to_owned(),
        then: Some(then.to_owned()),
        now: Some(now.to_owned()),
        kind: None,
    };
    assert_eq!(why.inputs, [used("raw/name=a", "r1", "r1")]);
    // What changed is held against the adoption.
    workspace.observe("raw/name=a", "r2");
    let why = workspace.why("text/name=a");
    assert_eq!(why.causes[0].inputs, [used("raw/name=a", "r1", "r2")]);
    assert!(why.adopted.is_some());
    workspace.want("text/name=a", Refresh::Stale);
    workspace.finish_all("v1");
    assert_eq!(workspace.why("text/name=a").adopted, None);
}

/// Partition, versions of then and now, and kind of each input.
type Row = (String, Option<String>, Option<String>, Option<String>);

fn row(partition: &str, then: &str, now: &str, kind: &str) -> Row {
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    (partition.to_owned(), text(then), text(now), text(kind))
}

fn rows(inputs: &[InputUsed]) -> Vec<Row> {
    let row = |input: &InputUsed| {
        (input.partition.clone(), input.then.clone(), input.now.clone(), input.kind.clone())
    };
    inputs.iter().map(row).collect()
}

#[test]
fn inputs_that_a_run_found_are_told_with_their_versions() {
    let jobs: &[Job<'_>] = &[("write", "text", &["name"], &[]), ("set", "page", &["name"], &[])];
    let mut workspace = Workspace::new(&graph(&[], jobs, "code"));
    workspace.want("page/name=a", Refresh::Stale);
    let partitions = vec!["text/name=b".to_owned()];
    workspace.end("page/name=a", Err(AttemptReport::new(AttemptOutcome::MissingInput { partitions }, "")));
    workspace.finish("text/name=b", "t1");
    workspace.finish("page/name=a", "p1");
    let why = workspace.why("page/name=a");
    assert_eq!(why.state, PartitionState::Current);
    assert_eq!(rows(&why.inputs), [row("text/name=b", "t1", "t1", "discovered")]);

    workspace.want("text/name=b", Refresh::All);
    workspace.finish("text/name=b", "t2");
    let why = workspace.why("page/name=a");
    assert_eq!(rows(&why.causes[0].inputs), [row("text/name=b", "t1", "t2", "discovered")]);
    assert_eq!(
        why.summary,
        "page/name=a is stale because input text/name=b, found by its run, changed (t1 then, t2 now)"
    );
}

#[test]
fn the_first_cause_is_followed_through_what_runs_found() {
    let same: &[(&str, &str)] = &[("name", "same")];
    let jobs: &[Job<'_>] = &[
        ("write", "text", &["name"], &[("raw", same)]),
        ("set", "page", &["name"], &[]),
        ("bind", "book", &["name"], &[("page", same)]),
    ];
    let mut workspace = Workspace::new(&graph(&[("raw", &["name"])], jobs, "code"));
    workspace.observe("raw/name=b", "r1");
    workspace.want("book/name=a", Refresh::Stale);
    let partitions = vec!["text/name=b".to_owned()];
    workspace.end("page/name=a", Err(AttemptReport::new(AttemptOutcome::MissingInput { partitions }, "")));
    workspace.finish_all("v1");
    assert!(workspace.why("book/name=a").upstream.is_empty());

    workspace.observe("raw/name=b", "r2");
    let steps = |workspace: &Workspace, partition| -> Vec<(String, String)> {
        let steps = workspace.why(partition).upstream.into_iter();
        steps.map(|step| (step.partition, step.cause.reason)).collect()
    };
    let text = |reason: &str| ("text/name=b".to_owned(), reason.to_owned());
    let page = |reason: &str| ("page/name=a".to_owned(), reason.to_owned());
    assert_eq!(steps(&workspace, "page/name=a"), [text("inputs_changed")]);
    assert_eq!(steps(&workspace, "book/name=a"), [page("upstream_built"), text("inputs_changed")]);
    assert_eq!(steps(&workspace, "page/name=b"), []);
    // A failure there, too.
    workspace.want("book/name=a", Refresh::Stale);
    workspace.fail("text/name=b", "broken");
    assert_eq!(steps(&workspace, "page/name=a"), [text("run_failed")]);
    assert_eq!(steps(&workspace, "book/name=a"), [page("upstream_built"), text("run_failed")]);
}

/// It is the last day of 2024 in the tests.
#[test]
fn what_edge_rules_leave_out_or_forbid_is_told_as_in_a_plan() {
    let date = json!([{"name": "date", "keys": {
        "kind": "time", "granularity": "day", "start": "2024-12-26", "end": null, "timezone": "UTC",
    }}]);
    let jobs: &[Job<'_>] = &[
        ("fetch", "day", &["date"], &[]),
        ("average", "mean", &["date"], &[("day", &[("date", "same")])]),
        ("predict", "next", &["date"], &[("day", &[("date", "same")])]),
        ("sum", "report", &["date"], &[("next", &[("date", "same")])]),
    ];
    let mut graph = graph(&[], jobs, "code");
    for dataset in graph["datasets"].as_array_mut().unwrap() {
        dataset["dims"] = date.clone();
    }
    for job in graph["jobs"].as_array_mut().unwrap() {
        let edges = match job["label"].as_str().unwrap() {
            "//:average" => json!(["skip", "fail", {"kind": "window", "of": "date", "count": 3}]),
            "//:predict" => json!(["fail", "fail", {"kind": "offset", "of": "date", "by": 1}]),
            _ => continue,
        };
        let input = &mut job["inputs"][0];
        input["before_start"] = edges[0].clone();
        input["after_end"] = edges[1].clone();
        input["dims"][0]["rule"] = edges[2].clone();
    }
    let workspace = Workspace::new(&graph);
    let why = workspace.why("mean/date=2024-12-26");
    assert_eq!(why.state, PartitionState::LeftOut);
    assert_eq!(
        why.summary,
        "mean/date=2024-12-26 is left out: `mean/date=2024-12-26` needs date=2024-12-24..2024-12-25 of input `day`, which \
         are before its first key, and the dep of input `day` of //:average says before_start = \"skip\""
    );
    assert_eq!(why.causes[0].reason, "left_out");
    let why = workspace.why("next/date=2024-12-30");
    assert_eq!(why.state, PartitionState::Missing);
    let needs = "it cannot be built: `next/date=2024-12-30` needs date=2024-12-31 of input `day`, which does not exist yet;";
    assert!(
        why.summary.starts_with(&format!("next/date=2024-12-30 is missing because {needs}")),
        "{}",
        why.summary
    );
    let causes: Vec<_> = why.causes.iter().map(|cause| cause.reason.as_str()).collect();
    assert_eq!(causes, ["blocked", "missing"]);
    // The same at the end of the way up from what needs it.
    let why = workspace.why("report/date=2024-12-30");
    let steps: Vec<_> = why.upstream.iter().map(|step| step.cause.message.as_str()).collect();
    assert!(steps.len() == 1 && steps[0].starts_with(needs), "{steps:?}");

    // Lists and counts agree.
    let standings = workspace.standings();
    let listed = |reference: &str| -> Vec<(PartitionState, Option<String>)> {
        let (ix, set) = standings.state().resolve(reference).unwrap();
        let (rows, _) = partitions::rows(&standings, ix, &set, None, 0, 9);
        rows.into_iter().map(|row| (row.state, row.reason)).collect()
    };
    let left_out = (PartitionState::LeftOut, None);
    let missing = |reason: &str| (PartitionState::Missing, Some(reason.to_owned()));
    assert_eq!(listed("mean/date=2024-12-26..2024-12-28"), [left_out.clone(), left_out, missing("missing")]);
    assert_eq!(listed("next/date=2024-12-29..2024-12-30"), [missing("missing"), missing("blocked")]);
    let counts = |name: &str| {
        let of = workspace.counts(name);
        (of.total, of.missing, of.left_out)
    };
    assert_eq!((counts("mean"), counts("next")), ((5, 3, 2), (5, 5, 0)));
}

#[test]
fn the_failure_of_a_partition_is_not_that_of_one_whose_text_begins_so() {
    let mut workspace = Workspace::new(&graph(&[], &[("write", "text", &["chapter"], &[])], "code"));
    let keys = ["n1", "n10"].map(str::to_owned).into();
    workspace.step(Input::AddKeys(KeyRequest { space: "chapter".to_owned(), keys }));
    for (partition, message) in [("text/chapter=n1", "the first"), ("text/chapter=n10", "the tenth")] {
        workspace.want(partition, Refresh::Stale);
        workspace.fail(partition, message);
    }
    assert!(workspace.said("text/chapter=n1").1.ends_with("the first"));
    assert!(workspace.said("text/chapter=n10").1.ends_with("the tenth"));
}

#[test]
fn keys_that_came_and_went_are_told() {
    let jobs: &[Job<'_>] =
        &[("write", "text", &["chapter"], &[]), ("bind", "book", &[], &[("text", &[("chapter", "all")])])];
    let mut workspace = Workspace::new(&graph(&[], jobs, "code"));
    let keys = |keys: &[&str]| KeyRequest {
        space: "chapter".to_owned(),
        keys: keys.iter().map(|key| (*key).to_owned()).collect(),
    };
    workspace.step(Input::AddKeys(keys(&["one", "two", "old"])));
    workspace.want("text", Refresh::Stale);
    workspace.finish_all("t1");
    workspace.step(Input::RetireKeys(keys(&["old"])));
    workspace.want("book", Refresh::Stale);
    workspace.finish_all("b1");
    assert_eq!(workspace.said("book").0, PartitionState::Current);

    workspace.step(Input::AddKeys(keys(&["three", "old"])));
    workspace.step(Input::RetireKeys(keys(&["two"])));
    workspace.want("text/chapter=three", Refresh::Stale);
    workspace.finish_all("t1");
    let why = workspace.why("book");
    let told = [
        // It was there then, and not read.
        row("text/chapter=old", "", "t1", "added"),
        row("text/chapter=three", "", "t1", "added"),
        row("text/chapter=two", "t1", "", "removed"),
    ];
    assert_eq!(rows(&why.causes[0].inputs), told);
    assert_eq!(
        why.summary,
        "book is stale because input text/chapter=old (and 1 more) was added; input text/chapter=two is no longer read"
    );
    // And the same where all that is told by an archive.
    let path = workspace.folder.path().join("log.db");
    let (archiver, until) = (Archiver::new(&path), workspace.log.last());
    let seq = workspace.core.state.seq();
    workspace.log.save_checkpoint(&Checkpoint { seq, format: 1, bytes: vec![1] }).unwrap();
    let until = Seq(until.0 - 1);
    archiver.write(&Cut { until, ..Cut::default() }).unwrap();
    workspace.log.cut_off(until).unwrap();
    while workspace.log.purge().unwrap() {}
    assert_eq!(rows(&workspace.why("book").causes[0].inputs), told);
}

#[test]
fn an_input_that_is_declared_no_more_is_told() {
    let mut workspace = written();
    let text: Job<'_> = ("write", "text", &["name"], &[("raw", &[("name", "same")])]);
    let book: Job<'_> = ("bind", "book", &[], &[]);
    workspace.register(&graph(&[("raw", &["name"])], &[text, book], "code"));
    let why = workspace.why("book");
    assert_eq!(rows(&why.causes[0].inputs)[0], row("text/name=a", "v1", "", "removed"));
    assert_eq!(why.summary, "book is stale because input text/name=a (and 2 more) is no longer read");
}
