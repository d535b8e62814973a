//! Records for tests: one full example of each event, and random histories that could have happened.

use databuild_core::event::*;
use databuild_core::graph::JobDigests;
use databuild_core::ids::{AttemptId, GraphId, PlanId, RunId, TrialId, WantId};
use jiff::Timestamp;

/// The examples, and a function that names every variant, from one list: a new event breaks the build
/// here until it has an example, and an example cannot be left out of [`examples`].
macro_rules! one_example_of_each {
    ($($variant:ident($example:expr)),* $(,)?) => {
        /// One full example of each event.
        pub(super) fn examples() -> Vec<Event> {
            vec![$(Event::$variant($example)),*]
        }

        /// The event's name.
        pub(super) fn name(event: &Event) -> &'static str {
            match event {
                $(Event::$variant(_) => stringify!($variant)),*
            }
        }
    };
}

one_example_of_each! {
    GraphRegistered(graph("{\"jobs\": []}")),
    Observed(Observed {
        partitions: vec![SeenPartition {
            partition: "raw/city=oslo".into(),
            version: "sha256:1f".into(),
            mark: u64::MAX,
        }],
    }),
    FilesVanished(FilesVanished { partitions: texts(["daily/date=2024-01-01..2024-01-31", "x"]) }),
    FilesAltered(FilesAltered { partitions: texts(["daily/date=2024-02-01"]) }),
    WantCreated(WantCreated {
        want: WantId(3),
        targets: texts(["report/month=2024-01", "report/month=2024-02"]),
        class: PriorityClass::Backfill,
        refresh: Refresh::All,
        as_of: time("2024-03-14T01:02:03.123456789Z"),
        expires_at: Some(time("2024-03-15T00:00:00Z")),
        due_at: Some(time("1969-03-14T12:00:00.000000001Z")),
        comment: "für den Bericht".into(),
        work: texts(["daily/date=2024-01-01..2024-02-29"]),
        forced: texts(["report/month=2024-01"]),
        successors: texts(["daily/date=2024-01-05"]),
        blocked: vec![Blocked { partitions: texts(["raw/city=rome"]), reason: "no file".into() }],
        plan: Some(PlanId(7)),
        parent: Some(RunId(11)),
        params: [("full".to_owned(), "true".to_owned())].into(),
        request: Some(RequestKey { key: "nightly 7".into(), digest: "1f".into() }),
        asked: texts(["report"]),
    }),
    WantEnded(WantEnded {
        want: WantId(3),
        outcome: WantOutcome::Failed,
        causes: texts(["r12-1: exit 3", ""]),
    }),
    WorkCutOff(WorkCutOff { partitions: texts(["daily/date=2024-01-02"]) }),
    WorkAbandoned(WorkAbandoned { partitions: texts(["report/month=2024-01"]), cause: RunId(12) }),
    AttemptLeased(AttemptLeased {
        attempt: attempt(12, 1),
        job: "//weather:daily".into(),
        partition: "daily/date=2024-01-01".into(),
        graph: GraphId::of("{\"jobs\": []}"),
        as_of: time("2024-03-14T01:02:03Z"),
        inputs: vec![u64::MAX - 1],
        params: [("full".to_owned(), String::new())].into(),
        trial: Some(ArmId { trial: TrialId(3), sample: 0, arm: 1 }),
    }),
    AttemptStarted(AttemptStarted { attempt: attempt(12, 1), pid: u32::MAX }),
    AttemptEnded(AttemptEnded {
        attempt: attempt(12, 1),
        outcome: AttemptOutcome::Failure { permanent: true },
        message: "line one\nline two\0".into(),
        exit_code: Some(-1),
        wall_ms: 1,
        cpu_ms: 2,
        max_rss_kb: u64::from(u32::MAX) + 1,
        retry_at: Some(time("2024-03-14T01:02:04.5Z")),
        done: 28,
    }),
    RunCancelRequested(RunCancelRequested { run: RunId(12) }),
    PublishIntended(PublishIntended { attempt: attempt(12, 1), outputs: vec![output("daily/a", 0)] }),
    Materialized(Materialized {
        attempt: attempt(12, 2),
        outputs: vec![output("daily/a", 7), output("daily/b", 8)],
        goes_on: true,
    }),
    RunEnded(RunEnded { run: RunId(12), canceled: true, message: "asked to".into() }),
    WantReplanned(WantReplanned {
        want: WantId(3),
        work: texts(["daily/date=2024-01-03..2024-02-29"]),
        successors: texts(["daily/date=2024-02-29"]),
        blocked: vec![Blocked { partitions: texts(["raw/city=oslo"]), reason: "gone".into() }],
        whole: true,
    }),
    PartitionsFailed(PartitionsFailed {
        attempt: attempt(12, 1),
        partitions: texts(["daily/date=2024-01-03..2024-02-29"]),
        message: "no such day".into(),
    }),
    WantPaused(WantPaused { want: WantId(3) }),
    WantResumed(WantResumed { want: WantId(3) }),
    WantReprioritized(WantReprioritized { want: WantId(3), class: PriorityClass::Backfill }),
    PlanCreated(PlanCreated {
        plan: PlanId(7),
        graph: GraphId::of("{\"jobs\": []}"),
        targets: texts(["report/month=2024-01"]),
        refresh: Refresh::Stale,
        as_of: time("2024-03-14T01:02:03Z"),
        expires_at: time("2024-03-15T01:02:03.5Z"),
        rows: vec![PlanRow {
            job: "//weather:daily".into(),
            kind: PlanRowKind::Certain,
            reason: "missing".into(),
            message: "missing".into(),
            count: 31,
            partitions: texts(["daily/date=2024-01-01..2024-01-31"]),
        }],
        current: 3,
        grounds: Grounds {
            jobs: vec![JobGround { job: "//weather:daily".into(), digest: u64::MAX }],
            datasets: vec![DatasetGround { dataset: "daily".into(), partitions: 31, digests: vec![0, 1] }],
        },
    }),
    PlansDropped(PlansDropped { plans: vec![PlanId(5), PlanId(6)] }),
    Tainted(Tainted {
        partitions: texts(["daily/date=2024-01-01..2024-01-31"]),
        reason: "the source sent zeros".into(),
    }),
    Untainted(Untainted {
        partitions: texts(["daily/date=2024-01-05"]),
        reason: "they were real".into(),
    }),
    CodeAccepted(CodeAccepted {
        job: "//weather:daily".into(),
        partitions: texts(["daily/date=2024-01-01..2024-01-31"]),
        from: vec![digests("1"), digests("2")],
        to: digests("3"),
        reason: "a comment".into(),
        evidence: "t3".into(),
    }),
    Adopted(Adopted {
        partitions: vec![AdoptedPartition {
            partition: "daily/date=2024-01-07".into(),
            version: "sha256:77".into(),
            mark: 5,
            bytes: 6,
            inputs: u64::MAX,
        }],
    }),
    KeysAdded(KeysAdded { space: "customers".into(), keys: texts(["acme", "bølt"]) }),
    KeysRetired(KeysRetired { space: "customers".into(), keys: texts(["acme"]) }),
    PoolResized(PoolResized { pool: "//sales:db".into(), slots: Some(0) }),
    RunSuspended(RunSuspended { run: RunId(12), want: WantId(4), inputs: texts(["raw/city=oslo"]) }),
    Checked(Checked {
        attempt: attempt(12, 1),
        checks: vec![
            findings("//weather:sane", true, [CheckOutcome::Passed, CheckOutcome::Failed]),
            findings("//weather:usual", false, [CheckOutcome::Error, CheckOutcome::Passed]),
        ],
    }),
    TrialCreated(TrialCreated {
        trial: TrialId(3),
        kind: TrialKind::Rerun,
        run: Some(RunId(12)),
        job: "//weather:daily".into(),
        graphs: vec![TrialGraph {
            graph: GraphId::of("{\"jobs\": []}"),
            content: "{\"jobs\": []}".into(),
            inherited: [("HOME".to_owned(), "ab".to_owned())].into(),
        }],
        samples: vec![TrialSample {
            partition: "daily/date=2024-01-01".into(),
            arms: vec![TrialArm {
                graph: GraphId::of("{\"jobs\": []}"),
                params: [("full".to_owned(), "true".to_owned())].into(),
                digests: digests("4"),
            }],
            discovered: texts(["raw/city=oslo"]),
            expected: vec![output("daily/date=2024-01-01", 9)],
            changed_inputs: texts(["raw/city=rome"]),
        }],
        as_of: time("2024-03-14T01:02:03Z"),
        keep: Some("/tmp/kept".into()),
    }),
    TrialMade(TrialMade { attempt: attempt(14, 1), outputs: vec![output("daily/date=2024-01-01", 8)] }),
    TrialEnded(TrialEnded {
        trial: TrialId(3),
        outcome: TrialOutcome::Differs,
        results: vec![TrialResult {
            partition: "daily/date=2024-01-01".into(),
            verdict: TrialVerdict::InputsChanged,
            versions: ["sha256:1".into(), String::new()],
            bytes: [1, 2],
            runs: vec![RunId(14)],
            message: "its inputs changed meanwhile".into(),
        }],
    }),
}

/// An example of each origin.
pub(super) fn origins() -> Vec<Origin> {
    let ada = || Actor::Person("ada".into());
    let asked = Cause::Request { id: "4f-1".into(), client: "cli".into() };
    vec![
        Origin { actor: ada(), cause: Some(asked.clone()) },
        Origin::default(),
        Origin::because(asked),
        Origin::because(Cause::Run(RunId(12))),
        Origin::because(Cause::Want(WantId(3))),
        Origin { actor: ada(), cause: None },
    ]
}

/// An example of each event, a second apart.
pub(super) fn example_records() -> Vec<Record> {
    let start = time("2024-03-14T00:00:00.000000999Z").as_second();
    (start..)
        .zip(examples())
        .zip(origins().into_iter().cycle())
        .map(|((second, event), origin)| Record { at: Timestamp::new(second, 999).unwrap(), origin, event })
        .collect()
}

pub(super) fn graph(content: &str) -> GraphRegistered {
    GraphRegistered {
        graph: GraphId::of(content),
        content: content.into(),
        inherited: [("HOME".to_owned(), "ab".to_owned()), ("A".to_owned(), String::new())].into(),
        sources: [("//weather:daily".to_owned(), "cd".to_owned())].into(),
    }
}

pub(super) fn output(partition: &str, mark: u64) -> OutputRecord {
    OutputRecord {
        partition: partition.into(),
        version: format!("sha256:{mark}"),
        empty: mark == 8,
        mark,
        bytes: 100 + mark,
        metadata: "{\"rows\": 24}".into(),
    }
}

/// What a check found in two days.
pub(super) fn findings(check: &str, blocking: bool, outcomes: [CheckOutcome; 2]) -> CheckFindings {
    let result = |(day, outcome): (u32, CheckOutcome)| CheckResult {
        partition: format!("daily/n={day}"),
        outcome,
        message: format!("{outcome:?} on day {day}"),
        metadata: "{\"rows\": 24}".into(),
    };
    CheckFindings { check: check.into(), blocking, results: (0..).zip(outcomes).map(result).collect() }
}

fn digests(salt: &str) -> JobDigests {
    let of = |what: &str| format!("{what}{salt}");
    JobDigests { code: of("c"), args: of("a"), template: of("t") }
}

pub(super) fn attempt(run: u64, number: u32) -> AttemptId {
    AttemptId { run: RunId(run), number }
}

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(super) fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

/// A record at a second of 2024-03-14.
pub(super) fn at(second: i64, event: Event) -> Record {
    Record { at: Timestamp::new(1_710_374_400 + second, 0).unwrap(), origin: Origin::default(), event }
}

/// A history that an orchestrator could have written: runs are leased before they start, end once,
/// retry after a failure, and so on. Each of `choices` makes one step, so that a shorter list is a
/// simpler history.
pub(super) fn history(choices: &[u32]) -> Vec<Record> {
    let mut model = History::default();
    for (second, &choice) in (0_i64..).zip(choices) {
        let events = model.step(choice);
        model.records.extend(events.into_iter().map(|event| at(second, event)));
    }
    model.records
}

#[derive(Default)]
struct History {
    records: Vec<Record>,
    wants: Vec<WantId>,
    runs: Vec<ModelRun>,
    next_want: u64,
    next_run: u64,
}

#[derive(Clone, Copy)]
struct ModelRun {
    attempt: AttemptId,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    Leased,
    Running,
    RetryWait,
    Succeeded,
}

impl History {
    fn step(&mut self, choice: u32) -> Vec<Event> {
        let (what, detail) = (choice % 10, choice / 10);
        match what {
            0 => self.open_want(detail),
            1 => self.close_want(detail),
            2 | 3 => self.lease(detail),
            4 => vec![Event::GraphRegistered(graph(&format!("graph {}", detail % 3)))],
            5 => vec![Event::Observed(Observed {
                partitions: (0..detail % 3)
                    .map(|n| SeenPartition {
                        partition: format!("raw/n={n}"),
                        version: format!("sha256:{detail}"),
                        mark: u64::from(detail),
                    })
                    .collect(),
            })],
            _ => self.advance(detail),
        }
    }

    fn open_want(&mut self, detail: u32) -> Vec<Event> {
        self.next_want += 1;
        let want = WantId(self.next_want);
        self.wants.push(want);
        vec![Event::WantCreated(WantCreated {
            want,
            targets: texts(["daily/date=2024-01-01"]),
            class: [PriorityClass::Interactive, PriorityClass::Backfill][detail as usize % 2],
            refresh: [Refresh::Missing, Refresh::Stale, Refresh::All][detail as usize % 3],
            as_of: time("2024-03-14T00:00:00Z"),
            expires_at: detail.is_multiple_of(2).then(|| time("2024-03-15T00:00:00Z")),
            due_at: None,
            comment: format!("comment {detail}"),
            work: vec![],
            forced: vec![],
            successors: vec![],
            blocked: vec![],
            plan: None,
            parent: None,
            params: Default::default(),
            request: None,
            asked: vec![],
        })]
    }

    fn close_want(&mut self, detail: u32) -> Vec<Event> {
        if self.wants.is_empty() {
            return vec![];
        }
        let want = self.wants.swap_remove(detail as usize % self.wants.len());
        let outcomes =
            [WantOutcome::Satisfied, WantOutcome::Failed, WantOutcome::Canceled, WantOutcome::Expired];
        let outcome = outcomes[detail as usize % 4];
        vec![Event::WantEnded(WantEnded { want, outcome, causes: texts(["because"]) })]
    }

    fn lease(&mut self, detail: u32) -> Vec<Event> {
        let waiting = self.runs.iter_mut().find(|run| run.phase == Phase::RetryWait);
        let attempt = match waiting {
            Some(run) => {
                run.attempt.number += 1;
                run.phase = Phase::Leased;
                run.attempt
            }
            None => {
                self.next_run += 1;
                let attempt = attempt(self.next_run, 1);
                self.runs.push(ModelRun { attempt, phase: Phase::Leased });
                attempt
            }
        };
        vec![Event::AttemptLeased(AttemptLeased {
            attempt,
            job: format!("//weather:job{}", detail % 2),
            partition: format!("daily/n={}", attempt.run.0 % 5),
            graph: GraphId::of("graph 0"),
            as_of: time("2024-03-14T00:00:00Z"),
            inputs: vec![u64::from(detail)],
            params: Default::default(),
            trial: None,
        })]
    }

    fn advance(&mut self, detail: u32) -> Vec<Event> {
        if self.runs.is_empty() {
            return vec![];
        }
        let index = detail as usize % self.runs.len();
        let ModelRun { attempt, phase } = self.runs[index];
        let detail = detail / 7;
        match phase {
            Phase::Leased if detail.is_multiple_of(5) => self.end_attempt(index, AttemptOutcome::Lost, true),
            Phase::Leased => {
                self.runs[index].phase = Phase::Running;
                vec![Event::AttemptStarted(AttemptStarted { attempt, pid: detail })]
            }
            Phase::Running => match detail % 6 {
                0 => self.end_attempt(index, AttemptOutcome::Failure { permanent: true }, false),
                1 => self.end_attempt(index, AttemptOutcome::Timeout, true),
                2 => {
                    let mut events = vec![Event::RunCancelRequested(RunCancelRequested { run: attempt.run })];
                    events.extend(self.end_attempt(index, AttemptOutcome::Canceled, false));
                    events
                }
                _ => {
                    let outcome = [CheckOutcome::Passed, CheckOutcome::Failed, CheckOutcome::Error]
                        [detail as usize / 6 % 3];
                    let checks = vec![findings("//weather:usual", false, [outcome, CheckOutcome::Passed])];
                    let mut events = vec![Event::Checked(Checked { attempt, checks })];
                    events.extend(self.end_attempt(index, AttemptOutcome::Success, true));
                    events
                }
            },
            Phase::RetryWait => {
                self.runs.swap_remove(index);
                let run = attempt.run;
                vec![Event::RunEnded(RunEnded { run, canceled: true, message: "gone".into() })]
            }
            Phase::Succeeded => {
                self.runs.swap_remove(index);
                let outputs = vec![
                    output(&format!("daily/n={}", attempt.run.0 % 5), u64::from(detail)),
                    output(&format!("extra/n={}", attempt.run.0 % 5), u64::from(detail)),
                ];
                vec![
                    Event::PublishIntended(PublishIntended { attempt, outputs: outputs.clone() }),
                    Event::Materialized(Materialized { attempt, outputs, goes_on: false }),
                ]
            }
        }
    }

    /// Ends the attempt; a failed one is tried again if `again`, else its run ends too.
    fn end_attempt(&mut self, index: usize, outcome: AttemptOutcome, again: bool) -> Vec<Event> {
        let attempt = self.runs[index].attempt;
        let success = outcome == AttemptOutcome::Success;
        let canceled = outcome == AttemptOutcome::Canceled;
        let mut events = vec![Event::AttemptEnded(AttemptEnded {
            attempt,
            outcome,
            message: if success { String::new() } else { format!("{attempt} failed") },
            exit_code: success.then_some(0),
            wall_ms: 10,
            cpu_ms: 5,
            max_rss_kb: 1000,
            retry_at: (!success && again).then(|| time("2024-03-14T00:10:00Z")),
            done: 0,
        })];
        if success {
            self.runs[index].phase = Phase::Succeeded;
        } else if again {
            self.runs[index].phase = Phase::RetryWait;
        } else {
            self.runs.swap_remove(index);
            let message = "no more".to_owned();
            events.push(Event::RunEnded(RunEnded { run: attempt.run, canceled, message }));
        }
        events
    }
}
