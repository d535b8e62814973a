use super::super::log::{Batch, EventLog};
use super::super::rows::{AttemptState, CheckRow, RunRow};
use super::super::sqlite::SqliteLog;
use super::super::testing::{at, attempt, example_records, findings, graph, output, texts, time};
use super::newest::MOST_LOOKED;
use super::*;
use databuild_core::event::*;
use databuild_core::ids::{PlanId, TrialId};
use databuild_core::state::Named;
use jiff::Timestamp;
use tempfile::TempDir;

struct Fixture {
    reader: Reader,
    log: SqliteLog,
    _folder: TempDir,
}

fn fixture(records: Vec<Record>) -> Fixture {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let mut log = SqliteLog::open(&path).unwrap();
    log.append(&Batch { records, blobs: vec![] }).unwrap();
    Fixture { reader: Reader::new(&path, 2), log, _folder: folder }
}

fn second(second: i64) -> Timestamp {
    at(second, Event::RunCancelRequested(RunCancelRequested { run: RunId(0) })).at
}

fn lease(run: u64, number: u32, job: &str, partition: &str) -> Event {
    Event::AttemptLeased(AttemptLeased {
        attempt: attempt(run, number),
        job: job.into(),
        partition: partition.into(),
        graph: GraphId::of("g"),
        as_of: time("2024-03-14T00:00:00Z"),
        inputs: vec![u64::MAX - run],
        params: [("full".to_owned(), "no".to_owned())].into(),
        trial: (run == 2).then_some(ArmId { trial: TrialId(4), sample: 0, arm: 1 }),
    })
}

fn start(run: u64, number: u32) -> Event {
    Event::AttemptStarted(AttemptStarted { attempt: attempt(run, number), pid: 4711 })
}

fn end(run: u64, number: u32, outcome: AttemptOutcome, retry_at: Option<Timestamp>) -> Event {
    let message = if outcome == AttemptOutcome::Success { "" } else { "exit code 3" };
    Event::AttemptEnded(AttemptEnded {
        attempt: attempt(run, number),
        outcome,
        message: message.into(),
        exit_code: Some(3),
        wall_ms: 10,
        cpu_ms: u64::MAX,
        max_rss_kb: 30,
        retry_at,
        done: 0,
    })
}

fn want(id: u64) -> Event {
    Event::WantCreated(WantCreated {
        want: WantId(id),
        targets: texts(["daily/date=2024-01-01", "a \"quoted\" one"]),
        class: PriorityClass::Backfill,
        refresh: Refresh::Missing,
        as_of: second(-1),
        expires_at: Some(second(100)),
        due_at: None,
        comment: "for the report".into(),
        source: "cli".into(),
        work: vec![],
        forced: vec![],
        successors: vec![],
        blocked: vec![],
        plan: Some(PlanId(7)),
        parent: None,
        params: [("full".to_owned(), "yes".to_owned())].into(),
        request: None,
        asked: vec![],
    })
}

#[test]
fn the_last_durations_are_of_successes_of_that_job() {
    let took = |run, outcome, wall_ms| match end(run, 1, outcome, None) {
        Event::AttemptEnded(ended) => Event::AttemptEnded(AttemptEnded { wall_ms, ..ended }),
        other => other,
    };
    let mut events = Vec::new();
    for (run, job, outcome, ms) in [
        (1, "//:a", AttemptOutcome::Success, 10),
        (2, "//:a", AttemptOutcome::Success, 20),
        (3, "//:a", AttemptOutcome::Timeout, 30),
        (4, "//:b", AttemptOutcome::Success, 40),
        (5, "//:a", AttemptOutcome::Success, 50),
    ] {
        events.extend([lease(run, 1, job, "daily"), took(run, outcome, ms)]);
    }
    let f = fixture((0..).zip(events).map(|(second, event)| at(second, event)).collect());
    let found = f.reader.last_durations(&[vec!["//:a"], vec!["//:b"], vec!["//:c"]], 2).unwrap().value;
    let expected = [("//:a", vec![(50.0, 1), (20.0, 1)]), ("//:b", vec![(40.0, 1)]), ("//:c", vec![])];
    assert_eq!(found, expected.map(|(job, ms)| (job.to_owned(), ms)).into());
    let moved = f.reader.last_durations(&[vec!["//:a", "//:b"]], 2).unwrap().value;
    assert_eq!(moved, [("//:a".to_owned(), vec![(50.0, 1), (40.0, 1)])].into());
}

fn run_of(fixture: &Fixture, id: u64) -> RunWithAttempts {
    fixture.reader.run(RunId(id)).unwrap().value.unwrap()
}

#[test]
fn a_run_is_followed_from_its_lease_to_its_result() {
    let failure = AttemptOutcome::Failure { permanent: false };
    let mut f = fixture(vec![at(1, lease(1, 1, "//a:job", "daily/date=1"))]);
    let mut step = |record: Record| {
        f.log.append(&Batch { records: vec![record], blobs: vec![] }).unwrap();
        run_of(&f, 1)
    };

    let seen = step(at(2, start(1, 1)));
    assert_eq!(
        seen.run,
        RunRow {
            id: RunId(1),
            job: "//a:job".into(),
            partition: "daily/date=1".into(),
            partitions: 1,
            graph: GraphId::of("g"),
            state: RunState::Running,
            attempts: 1,
            created_at: second(1),
            ended_at: None,
            message: String::new(),
            params: [("full".to_owned(), "no".to_owned())].into(),
            trial: None,
        }
    );
    let seen = step(at(3, end(1, 1, failure, Some(second(9)))));
    assert_eq!((seen.run.state, seen.run.message.as_str()), (RunState::RetryWait, "exit code 3"));
    let seen = step(at(9, lease(1, 2, "//a:job", "daily/date=1")));
    assert_eq!((seen.run.state, seen.run.attempts), (RunState::Leased, 2));
    step(at(10, start(1, 2)));
    let seen = step(at(11, end(1, 2, AttemptOutcome::Success, None)));
    assert_eq!(seen.run.state, RunState::Running, "its outputs are not published yet");
    let outputs = vec![output("daily/date=1", 7), output("extra/date=1", 8)];
    let done = Materialized { attempt: attempt(1, 2), outputs, goes_on: false };
    let seen = step(at(12, Event::Materialized(done)));
    assert_eq!(seen.run.state, RunState::Completed);
    assert_eq!(seen.run.ended_at, Some(second(12)));
    assert_eq!(seen.run.message, "");

    let first = AttemptRow {
        id: attempt(1, 1),
        state: AttemptState::Ended,
        outcome: Some(OutcomeKind::Failure),
        pid: Some(4711),
        leased_at: second(1),
        started_at: Some(second(2)),
        ended_at: Some(second(3)),
        exit_code: Some(3),
        wall_ms: Some(10),
        cpu_ms: Some(u64::MAX),
        max_rss_kb: Some(30),
        message: "exit code 3".into(),
        inputs: u64::MAX - 1,
        lease_seq: Seq(1),
    };
    assert_eq!(seen.attempts[0], first);
    assert_eq!(seen.attempts[1].lease_seq, Seq(4));
    assert_eq!(seen.attempts.len(), 2);

    let answer = f.reader.attempt(attempt(1, 1)).unwrap();
    assert_eq!(answer, Answer { last_seq: Seq(7), value: Some(first) });
    assert_eq!(f.reader.attempt(attempt(1, 3)).unwrap().value, None);
    assert_eq!(f.reader.run(RunId(2)).unwrap().value, None);
    let made: Vec<_> = f.reader.materializations_of_run(RunId(1)).unwrap().value;
    assert_eq!(
        made.iter().map(|m| m.partition.as_str()).collect::<Vec<_>>(),
        ["daily/date=1", "extra/date=1"]
    );
}

#[test]
fn a_run_without_result_ends_failed_or_canceled() {
    let ended = |run: u64, canceled| {
        Event::RunEnded(RunEnded { run: RunId(run), canceled, message: format!("run {run}") })
    };
    let f = fixture(vec![
        at(1, lease(1, 1, "j", "p")),
        at(1, lease(2, 1, "j", "p")),
        at(2, end(1, 1, AttemptOutcome::Lost, None)),
        at(3, ended(1, false)),
        at(4, ended(2, true)),
    ]);
    let row = run_of(&f, 1).run;
    assert_eq!((row.state, row.message, row.ended_at), (RunState::Failed, "run 1".into(), Some(second(3))));
    assert_eq!(run_of(&f, 1).attempts[0].outcome, Some(OutcomeKind::Lost));
    assert_eq!(run_of(&f, 2).run.state, RunState::Canceled);
}

#[test]
fn runs_are_filtered_and_paged_newest_first() {
    let mut records = Vec::new();
    for run in 1..=20 {
        let job = if run % 2 == 0 { "//a:even" } else { "//a:odd" };
        records.push(at(0, lease(run, 1, job, &format!("daily/n={run}"))));
    }
    records.push(at(1, start(4, 1)));
    records.push(at(1, start(5, 1)));
    let f = fixture(records);
    let list = |filter: RunFilter| f.reader.runs(&filter, &|_| true).unwrap().value;
    let ids = |filter: RunFilter| -> Vec<u64> { list(filter).rows.iter().map(|run| run.id.0).collect() };
    let all = || RunFilter { limit: 3, ..RunFilter::default() };
    let none: [u64; 0] = [];
    assert_eq!(ids(all()), [20, 19, 18]);
    assert_eq!(list(all()).next, Some(18));
    assert_eq!(list(RunFilter { limit: 20, ..all() }).next, None);
    assert_eq!(ids(RunFilter { before: Some(RunId(18)), ..all() }), [17, 16, 15]);
    assert_eq!(ids(RunFilter { jobs: vec!["//a:odd".into()], ..all() }), [19, 17, 15]);
    assert_eq!(ids(RunFilter { jobs: vec!["//a:od".into()], ..all() }), none);
    assert_eq!(ids(RunFilter { state: Some(RunState::Running), ..all() }), [5, 4]);
    let of = |named| RunFilter { of: Some(named), ..all() };
    let beginning = |text: &str| Named::Beginnings(vec![text.to_owned()]);
    assert_eq!(ids(of(beginning("daily/n=1"))), [19, 18, 17]);
    assert_eq!(ids(of(beginning("daily/n=20"))), [20]);
    assert_eq!(ids(of(beginning(""))), [20, 19, 18]);
    assert_eq!(ids(of(beginning("weekly"))), none);
    let datasets = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(ids(of(Named::Datasets(datasets(&["daily", "none"])))), [20, 19, 18]);
    // Under several names, each run once.
    let odd_and_even = || vec!["//a:odd".to_owned(), "//a:even".to_owned()];
    assert_eq!(ids(RunFilter { jobs: odd_and_even(), ..all() }), [20, 19, 18]);
    let some = || vec!["daily/n=2".to_owned(), "daily/n=20".to_owned(), "daily/n=7".to_owned()];
    let alone = Named::Partitions { texts: some(), datasets: vec![] };
    assert_eq!(ids(RunFilter { jobs: odd_and_even(), ..of(alone) }), [20, 7, 2]);
    let both = RunFilter {
        jobs: vec!["//a:even".into()],
        state: Some(RunState::Running),
        of: Some(beginning("daily/")),
        before: Some(RunId(20)),
        limit: usize::MAX,
    };
    assert_eq!(ids(both), [4]);
    let fives = f.reader.runs(&all(), &|text| text.ends_with('5') || text.ends_with('0')).unwrap().value;
    assert_eq!(fives.rows.iter().map(|run| run.id.0).collect::<Vec<_>>(), [20, 15, 10], "three that fit");
    assert_eq!(ids(RunFilter { limit: 0, ..all() }), none);
}

#[test]
fn a_run_of_a_batch_is_found_by_each_of_its_partitions() {
    let batch = |run, partitions: &str| match lease(run, 1, "//:j", partitions) {
        Event::AttemptLeased(lease) => Event::AttemptLeased(AttemptLeased { inputs: vec![1, 2], ..lease }),
        other => other,
    };
    let f = fixture(vec![
        at(0, batch(1, "daily/n=1..2")),
        at(0, lease(2, 1, "//:j", "daily/n=1")),
        at(0, batch(3, "daily/n=3..4")),
        at(0, batch(4, "daily/n=1..2")),
        at(0, lease(5, 1, "//:j", "daily/n=3")),
    ]);
    let (texts, datasets) = (vec!["daily/n=1".to_owned()], vec!["daily".to_owned()]);
    let filter =
        RunFilter { of: Some(Named::Partitions { texts, datasets }), limit: 10, ..RunFilter::default() };
    let found = f.reader.runs(&filter, &|text| text.starts_with("daily/n=1")).unwrap().value;
    assert_eq!(found.rows.iter().map(|run| run.id.0).collect::<Vec<_>>(), [4, 2, 1]);
}

#[test]
fn what_is_rare_is_found_by_asking_on() {
    let runs = 2 * MOST_LOOKED as u64 + 10;
    let f = fixture((1..=runs).map(|run| at(0, lease(run, 1, "//:j", &format!("daily/n={run}")))).collect());
    let rare = |text: &str| ["daily/n=7", "daily/n=3"].contains(&text);
    let mut filter = RunFilter { limit: 2, ..RunFilter::default() };
    let mut pages = Vec::new();
    loop {
        let Listed { rows, next } = f.reader.runs(&filter, &rare).unwrap().value;
        pages.push(rows.iter().map(|run| run.id.0).collect::<Vec<_>>());
        let Some(next) = next else { break };
        filter.before = Some(RunId(next));
    }
    // Those before the third one were not looked at yet.
    assert_eq!(pages, [vec![], vec![], vec![7, 3], vec![]]);
    let found = f.reader.newest_run(&RunFilter::default(), &rare).unwrap();
    assert_eq!(found.map(|run| run.id), Some(RunId(7)));
}

#[test]
fn wants_are_followed_filtered_and_paged() {
    let closed = Event::WantEnded(WantEnded {
        want: WantId(2),
        outcome: WantOutcome::Expired,
        causes: texts(["first", "second"]),
    });
    let f = fixture(vec![at(1, want(1)), at(2, want(2)), at(3, want(3)), at(9, closed)]);
    let row = WantRow {
        id: WantId(2),
        state: WantState::Expired,
        class: PriorityClass::Backfill,
        refresh: Refresh::Missing,
        targets: texts(["daily/date=2024-01-01", "a \"quoted\" one"]),
        comment: "for the report".into(),
        source: "cli".into(),
        as_of: second(-1),
        expires_at: Some(second(100)),
        due_at: None,
        created_at: second(2),
        ended_at: Some(second(9)),
        causes: texts(["first", "second"]),
        plan: Some(PlanId(7)),
        paused: false,
        params: [("full".to_owned(), "yes".to_owned())].into(),
    };
    assert_eq!(f.reader.want(WantId(2)).unwrap(), Answer { last_seq: Seq(4), value: Some(row) });
    assert_eq!(f.reader.want(WantId(9)).unwrap().value, None);
    let ids = |filter: WantFilter| -> Vec<u64> {
        f.reader.wants(&filter).unwrap().value.rows.iter().map(|want| want.id.0).collect()
    };
    let all = || WantFilter { limit: 10, ..WantFilter::default() };
    assert_eq!(ids(all()), [3, 2, 1]);
    assert_eq!(ids(WantFilter { state: Some(WantState::Open), ..all() }), [3, 1]);
    assert_eq!(ids(WantFilter { before: Some(WantId(3)), limit: 1, ..all() }), [2]);
}

#[test]
fn a_partitions_history_tells_what_it_held_when() {
    let seen = |version: &str| {
        Event::Observed(Observed {
            partitions: vec![SeenPartition {
                partition: "raw".into(),
                version: version.into(),
                mark: u64::MAX,
            }],
        })
    };
    let made = Materialized { attempt: attempt(1, 1), outputs: vec![output("daily", 8)], goes_on: false };
    let f = fixture(vec![at(1, seen("v1")), at(2, Event::Materialized(made)), at(3, seen("v3"))]);
    let history = f.reader.materializations("raw", 10).unwrap().value;
    assert_eq!(history.iter().map(|m| m.version.as_str()).collect::<Vec<_>>(), ["v3", "v1"]);
    assert_eq!(f.reader.materializations("raw", 1).unwrap().value.len(), 1);
    assert_eq!((history[0].run, history[0].mark), (None, u64::MAX));

    let daily = f.reader.materializations("daily", 10).unwrap().value;
    let want = MaterializationRow {
        partition: "daily".into(),
        seq: Seq(2),
        run: Some(RunId(1)),
        version: "sha256:8".into(),
        empty: true,
        bytes: 108,
        mark: 8,
        metadata: "{\"rows\": 24}".into(),
        at: second(2),
    };
    assert_eq!(daily, [want]);

    let held =
        |seq| f.reader.materialization_at(&["raw".to_owned()], Seq(seq)).unwrap().value.map(|m| m.version);
    assert_eq!(held(0), None);
    assert_eq!(held(1).as_deref(), Some("v1"));
    assert_eq!(held(2).as_deref(), Some("v1"));
    assert_eq!(held(u64::MAX).as_deref(), Some("v3"));
    // Under several names the newest counts, whichever it is under.
    let texts = ["daily".to_owned(), "raw".to_owned(), "none".to_owned()];
    let under = |seq| f.reader.materialization_at(&texts, Seq(seq)).unwrap().value.map(|m| m.partition);
    assert_eq!(under(1).as_deref(), Some("raw"));
    assert_eq!(under(2).as_deref(), Some("daily"));
    assert_eq!(under(3).as_deref(), Some("raw"));
}

#[test]
fn what_a_partition_held_once_is_told_with_what_it_was_made_from() {
    let made = |run, number, version| {
        let outputs = vec![output("daily", version)];
        Event::Materialized(Materialized { attempt: attempt(run, number), outputs, goes_on: false })
    };
    let events = [
        lease(1, 1, "//:j", "daily"),
        made(1, 1, 1),
        lease(3, 1, "//:j", "daily"),
        lease(3, 2, "//:j", "daily"),
        made(3, 2, 2),
        lease(4, 1, "//:j", "daily"),
        made(4, 1, 3),
    ];
    let f = fixture(events.into_iter().enumerate().map(|(ix, event)| at(ix as i64 + 1, event)).collect());
    let past = f.reader.past_materializations(&["daily".to_owned()], 2).unwrap().value;
    let told: Vec<_> = past
        .iter()
        .map(|past| {
            let by = past.by.as_ref().unwrap();
            (past.made.version.as_str(), past.made.run, by.job.as_str(), by.lease_seq)
        })
        .collect();
    assert_eq!(
        told,
        [("sha256:3", Some(RunId(4)), "//:j", Seq(6)), ("sha256:2", Some(RunId(3)), "//:j", Seq(4))]
    );
    let by = past[0].by.as_ref().unwrap();
    assert_eq!((&by.graph, by.params["full"].as_str()), (&GraphId::of("g"), "no"));
    // The lease has the digest of the inputs.
    let lease = f.reader.event(by.lease_seq).unwrap().value.unwrap().event;
    assert!(matches!(lease, Event::AttemptLeased(lease) if lease.inputs == [u64::MAX - 4]));
    assert_eq!(f.reader.past_materializations(&["none".to_owned()], 2).unwrap().value, []);
}

#[test]
fn a_graph_is_found_by_its_newest_registration() {
    let other = Event::GraphRegistered(graph("h"));
    let again = || Event::GraphRegistered(graph("g"));
    let f = fixture(vec![at(1, again()), at(2, other), at(3, again())]);
    let row = f.reader.graph(&GraphId::of("g")).unwrap().value.unwrap();
    let GraphRegistered { sources, inherited, .. } = graph("g");
    let want = GraphRow { id: GraphId::of("g"), seq: Seq(3), at: second(3), sources, inherited };
    assert_eq!(row, want);
    assert_eq!(f.reader.graph(&GraphId::of("x")).unwrap().value, None);
    let content = f.reader.blob(&GraphId::of("h").0).unwrap().value;
    assert_eq!(content.as_deref(), Some(&b"h"[..]));
}

#[test]
fn events_are_read_like_from_the_log() {
    let f = fixture(example_records());
    let answer = f.reader.events(Some(Seq(2)), 5).unwrap();
    assert_eq!(answer.last_seq, f.log.last());
    assert_eq!(Ok(answer.value.records), f.log.read(Seq(2), 5));
}

#[test]
fn no_answer_is_longer_than_the_longest() {
    let records = (1..=1100).map(|id| at(0, want(id))).collect();
    let f = fixture(records);
    let filter = WantFilter { limit: usize::MAX, ..WantFilter::default() };
    assert_eq!(f.reader.wants(&filter).unwrap().value.rows.len(), MAX_ROWS);
    assert_eq!(f.reader.events(None, usize::MAX).unwrap().value.records.len(), MAX_ROWS);
}

#[test]
fn a_query_that_takes_too_long_is_stopped_and_its_connection_works_on() {
    let mut f = fixture(example_records());
    f.reader.most = 1;
    f.reader.longest = Duration::from_millis(20);
    let endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)
                   SELECT count(*) FROM n";
    let error = f
        .reader
        .answer(|connection| connection.query_row(endless, [], |row| row.get::<_, i64>(0)))
        .unwrap_err();
    assert_eq!(error.code(), "query_too_slow");
    assert!(f.reader.want(WantId(3)).unwrap().value.is_some());
}

#[test]
fn a_reader_cannot_write() {
    let f = fixture(example_records());
    let error = f.reader.answer(|connection| connection.execute("DELETE FROM runs", [])).unwrap_err();
    assert_eq!(error.code(), "state_unwritable");
    assert_eq!(run_of(&f, 12).run.id, RunId(12));
}

#[test]
fn readers_take_turns_and_see_whole_batches_while_the_log_grows() {
    let mut f = fixture(vec![]);
    let reader = &f.reader;
    let batches = 40;
    std::thread::scope(|scope| {
        let readers: Vec<_> = (0..5)
            .map(|_| {
                scope.spawn(move || loop {
                    // Each batch is a want and a run, so an answer that saw half of one is noticed.
                    let Answer { last_seq, value: Events { records: value, .. } } =
                        reader.events(None, MAX_ROWS).unwrap();
                    assert_eq!(value.len() as u64, last_seq.0);
                    assert_eq!(last_seq.0 % 2, 0);
                    let filter = RunFilter { limit: MAX_ROWS, ..RunFilter::default() };
                    let runs = reader.runs(&filter, &|_| true).unwrap();
                    assert_eq!(runs.value.rows.len() as u64, runs.last_seq.0 / 2);
                    if last_seq.0 == 2 * batches {
                        break;
                    }
                })
            })
            .collect();
        for id in 1..=batches {
            let records = vec![at(0, want(id)), at(0, lease(id, 1, "j", "p"))];
            f.log.append(&Batch { records, blobs: vec![] }).unwrap();
        }
        for reader in readers {
            reader.join().unwrap();
        }
    });
    assert!(f.reader.pool().open <= 2);
}

#[test]
fn of_each_check_of_each_partition_the_newest_finding_counts() {
    use CheckOutcome::{Error, Failed, Passed};
    let made = |run, number, outputs| {
        Event::Materialized(Materialized { attempt: attempt(run, number), outputs, goes_on: false })
    };
    let checked = |run, number, checks| Event::Checked(Checked { attempt: attempt(run, number), checks });
    let leased = |run, number| at(0, lease(run, number, "//:j", "daily/n=0"));
    let f = fixture(vec![
        leased(1, 1),
        leased(2, 1),
        leased(3, 2),
        at(
            0,
            checked(
                1,
                1,
                vec![findings("//:a", true, [Passed, Failed]), findings("//:b", false, [Failed, Failed])],
            ),
        ),
        at(1, made(1, 1, vec![output("daily/n=0", 1)])),
        at(2, checked(2, 1, vec![findings("//:b", false, [Passed, Error])])),
        at(3, made(2, 1, vec![output("daily/n=1", 2)])),
        at(4, checked(3, 2, vec![findings("//:a", true, [Failed, Passed])])),
    ]);
    let shown = |filter: CheckFilter| -> Vec<_> {
        let filter = CheckFilter { limit: 10.min(filter.limit.max(1)), ..filter };
        let rows = f.reader.checks(&filter, &|_| true).unwrap().value.rows;
        rows.into_iter().map(|row| (row.id, row.check, row.partition, row.outcome)).collect()
    };
    let row = |id, check: &str, n: u32, outcome| (id, check.to_owned(), format!("daily/n={n}"), outcome);
    let all = CheckFilter { limit: 10, ..CheckFilter::default() };
    let newest = [
        row(8, "//:a", 1, Passed),
        row(7, "//:a", 0, Failed),
        row(6, "//:b", 1, Error),
        row(5, "//:b", 0, Passed),
    ];
    assert_eq!(shown(all.clone()), newest);
    assert_eq!(shown(CheckFilter { failed: true, ..all.clone() }), newest[1..3]);
    assert_eq!(shown(CheckFilter { before: Some(8), limit: 1, ..all.clone() }), newest[1..2]);
    let of = |of| shown(CheckFilter { of, ..all.clone() }).len();
    assert_eq!(["daily", "dail", "daily/n=1"].map(|name| of(CheckedSet::Dataset(name.into()))), [4, 0, 0]);
    let both = ["daily/n=0", "daily/n=1"].map(str::to_owned);
    assert_eq!([&both[1..], &both].map(|texts| of(CheckedSet::Partitions(texts.to_vec()))), [2, 4]);
    let failed_of = CheckFilter { failed: true, of: CheckedSet::Dataset("daily".into()), ..all.clone() };
    assert_eq!(shown(failed_of), newest[1..3]);
    let of_run = f.reader.checks_of_run(RunId(3)).unwrap().value;
    assert_eq!(of_run.len(), 2);
    let expected = CheckRow {
        id: 7,
        partition: "daily/n=0".to_owned(),
        check: "//:a".to_owned(),
        attempt: attempt(3, 2),
        outcome: Failed,
        blocking: true,
        message: "Failed on day 0".to_owned(),
        metadata: "{\"rows\": 24}".to_owned(),
        at: second(4),
    };
    assert_eq!(of_run[0], expected);
    // What holds now was made by runs 1 and 2; run 3 was refused.
    let warnings = f.reader.warnings(&["daily/n=0", "daily/n=1", "daily/n=2"]).unwrap().value;
    assert_eq!(warnings, [1, 1, 0]);
}
