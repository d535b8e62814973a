//! What [`super::History`] promises, as tests that every implementation passes.
//!
//! `history_contract!(Subject)` in a test module two levels below this one makes a test of each function here.

use super::history::{
    Answer, CheckCounts, CheckFilter, CheckedSet, Counts, Events, History, Listed, Outcomes, RunFilter,
    WantFilter, WantWork, MAX_ROWS,
};
use super::log::{Batch, Blob, Checkpoint, EventLog};
use super::rows::{
    AttemptRow, AttemptState, CheckRow, GraphRow, MaterializationRow, RunRow, RunState, RunWithAttempts,
    WantRow, WantState,
};
use super::testing::{at, attempt, example_records, findings, graph, holding, output, texts, time};
use databuild_core::event::*;
use databuild_core::ids::{GraphId, PlanId, RunId, Seq, TrialId, WantId};
use databuild_core::state::Named;
use jiff::Timestamp;

/// A log with its history.
pub(super) trait Subject {
    type Log: EventLog;

    /// With an empty log.
    fn new() -> Self;
    fn log(&mut self) -> &mut Self::Log;
    fn history(&self) -> &dyn History;
    /// Makes the archive of what the log has up to `until`; the log is not cut off by that.
    fn archive(&mut self, until: Seq);
}

macro_rules! history_contract {
    ($subject:ty) => {
        history_contract! { $subject:
            the_last_durations_are_of_successes_of_that_job,
            a_run_is_followed_from_its_lease_to_its_result,
            attempts_of_several_runs_come_by_run_and_number,
            a_run_without_result_ends_failed_or_canceled,
            runs_are_filtered_and_paged_newest_first,
            a_run_of_a_batch_is_found_by_each_of_its_partitions,
            what_is_rare_is_found_by_asking_on,
            wants_are_followed_filtered_and_paged,
            a_partitions_history_tells_what_it_held_when,
            what_a_partition_holds_is_told_by_its_event_whatever_its_text_was_used_for_since,
            what_a_partition_held_once_is_told_with_what_it_was_made_from,
            a_graph_is_found_by_its_newest_registration,
            events_are_read_like_from_the_log,
            no_answer_is_longer_than_the_longest,
            of_each_check_of_each_partition_the_newest_finding_counts,
            what_is_over_is_counted_with_what_is_archived,
            what_is_archived_is_still_told,
            the_work_of_a_want_is_what_its_events_say,
            contents_are_told_from_those_that_are_missing,
        }
    };
    ($subject:ty: $($name:ident,)*) => {
        $(
            #[test]
            fn $name() {
                super::super::history_contract::$name::<$subject>();
            }
        )*
    };
}
pub(super) use history_contract;

fn filled<S: Subject>(records: Vec<Record>) -> S {
    let mut subject = S::new();
    subject.log().append(&Batch { records, blobs: vec![] }).unwrap();
    subject
}

fn second(second: i64) -> Timestamp {
    at(second, Event::RunCancelRequested(RunCancelRequested { run: RunId(0) })).at
}

pub(super) fn lease(run: u64, number: u32, job: &str, partition: &str) -> Event {
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
        returned: if number == 1 { b"3 rows".to_vec() } else { Vec::new() },
    })
}

pub(super) fn want(id: u64) -> Event {
    Event::WantCreated(WantCreated {
        want: WantId(id),
        targets: texts(["daily/date=2024-01-01", "a \"quoted\" one"]),
        class: PriorityClass::Backfill,
        refresh: Refresh::Missing,
        as_of: second(-1),
        expires_at: Some(second(100)),
        due_at: None,
        comment: "for the report".into(),
        work: vec![],
        forced: vec![],
        successors: vec![],
        blocked: vec![],
        plan: Some(PlanId(7)),
        parent: None,
        params: [("full".to_owned(), "yes".to_owned())].into(),
        request: None,
        asked: vec![],
        written: vec![],
    })
}

fn run_of(fixture: &impl Subject, id: u64) -> RunWithAttempts {
    fixture.history().run(RunId(id)).unwrap().value.unwrap()
}

pub(super) fn the_last_durations_are_of_successes_of_that_job<S: Subject>() {
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
    let f = filled::<S>((0..).zip(events).map(|(second, event)| at(second, event)).collect());
    let found = f.history().last_durations(&[vec!["//:a"], vec!["//:b"], vec!["//:c"]], 2).unwrap().value;
    let expected = [("//:a", vec![(50.0, 1), (20.0, 1)]), ("//:b", vec![(40.0, 1)]), ("//:c", vec![])];
    assert_eq!(found, expected.map(|(job, ms)| (job.to_owned(), ms)).into());
    let moved = f.history().last_durations(&[vec!["//:a", "//:b"]], 2).unwrap().value;
    assert_eq!(moved, [("//:a".to_owned(), vec![(50.0, 1), (40.0, 1)])].into());
}

pub(super) fn attempts_of_several_runs_come_by_run_and_number<S: Subject>() {
    let failure = AttemptOutcome::Failure { permanent: false };
    let f = filled::<S>(vec![
        at(1, lease(3, 1, "//:a", "x")),
        at(2, lease(1, 1, "//:a", "y")),
        at(3, lease(2, 1, "//:a", "z")),
        at(4, end(1, 1, failure, Some(second(5)))),
        at(5, lease(1, 2, "//:a", "y")),
    ]);
    let of = |runs: &[u64]| {
        let runs: Vec<RunId> = runs.iter().copied().map(RunId).collect();
        let found = f.history().attempts_of(&runs).unwrap();
        assert_eq!(found.last_seq, Seq(5));
        found.value.into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(of(&[3, 1, 9]), [attempt(1, 1), attempt(1, 2), attempt(3, 1)]);
    assert_eq!(of(&[]), []);
}

pub(super) fn a_run_is_followed_from_its_lease_to_its_result<S: Subject>() {
    let failure = AttemptOutcome::Failure { permanent: false };
    let mut f = filled::<S>(vec![at(1, lease(1, 1, "//a:job", "daily/date=1"))]);
    let mut step = |record: Record| {
        f.log().append(&Batch { records: vec![record], blobs: vec![] }).unwrap();
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
        returned: b"3 rows".to_vec(),
    };
    assert_eq!(seen.attempts[0], first);
    assert_eq!(seen.attempts[1].lease_seq, Seq(4));
    assert_eq!(seen.attempts.len(), 2);

    let answer = f.history().attempt(attempt(1, 1)).unwrap();
    assert_eq!(answer, Answer { last_seq: Seq(7), value: Some(first) });
    assert_eq!(f.history().attempt(attempt(1, 3)).unwrap().value, None);
    assert_eq!(f.history().run(RunId(2)).unwrap().value, None);
    let made: Vec<_> = f.history().materializations_of_run(RunId(1)).unwrap().value;
    assert_eq!(
        made.iter().map(|m| m.partition.as_str()).collect::<Vec<_>>(),
        ["daily/date=1", "extra/date=1"]
    );
}

pub(super) fn a_run_without_result_ends_failed_or_canceled<S: Subject>() {
    let ended = |run: u64, canceled| {
        Event::RunEnded(RunEnded { run: RunId(run), canceled, message: format!("run {run}") })
    };
    let f = filled::<S>(vec![
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

pub(super) fn runs_are_filtered_and_paged_newest_first<S: Subject>() {
    let mut records = Vec::new();
    for run in 1..=20 {
        let job = if run % 2 == 0 { "//a:even" } else { "//a:odd" };
        records.push(at(0, lease(run, 1, job, &format!("daily/n={run}"))));
    }
    records.push(at(1, start(4, 1)));
    records.push(at(1, start(5, 1)));
    let f = filled::<S>(records);
    let list = |filter: RunFilter| f.history().runs(&filter, &|_| true).unwrap().value;
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
        oldest_first: false,
        limit: usize::MAX,
    };
    assert_eq!(ids(both), [4]);
    let fives = f.history().runs(&all(), &|text| text.ends_with('5') || text.ends_with('0')).unwrap().value;
    assert_eq!(fives.rows.iter().map(|run| run.id.0).collect::<Vec<_>>(), [20, 15, 10], "three that fit");
    assert_eq!(ids(RunFilter { limit: 0, ..all() }), none);
}

pub(super) fn a_run_of_a_batch_is_found_by_each_of_its_partitions<S: Subject>() {
    let batch = |run, partitions: &str| match lease(run, 1, "//:j", partitions) {
        Event::AttemptLeased(lease) => Event::AttemptLeased(AttemptLeased { inputs: vec![1, 2], ..lease }),
        other => other,
    };
    let f = filled::<S>(vec![
        at(0, batch(1, "daily/n=1..2")),
        at(0, lease(2, 1, "//:j", "daily/n=1")),
        at(0, batch(3, "daily/n=3..4")),
        at(0, batch(4, "daily/n=1..2")),
        at(0, lease(5, 1, "//:j", "daily/n=3")),
    ]);
    let (texts, datasets) = (vec!["daily/n=1".to_owned()], vec!["daily".to_owned()]);
    let filter =
        RunFilter { of: Some(Named::Partitions { texts, datasets }), limit: 10, ..RunFilter::default() };
    let found = f.history().runs(&filter, &|text| text.starts_with("daily/n=1")).unwrap().value;
    assert_eq!(found.rows.iter().map(|run| run.id.0).collect::<Vec<_>>(), [4, 2, 1]);
}

pub(super) fn what_is_rare_is_found_by_asking_on<S: Subject>() {
    let runs = 12_000;
    let f =
        filled::<S>((1..=runs).map(|run| at(0, lease(run, 1, "//:j", &format!("daily/n={run}")))).collect());
    let rare = |text: &str| ["daily/n=7", "daily/n=3"].contains(&text);
    let mut filter = RunFilter { limit: 2, ..RunFilter::default() };
    let mut found = Vec::new();
    loop {
        let Listed { rows, next } = f.history().runs(&filter, &rare).unwrap().value;
        found.extend(rows.iter().map(|run| run.id.0));
        let Some(next) = next else { break };
        filter.before = Some(RunId(next));
    }
    assert_eq!(found, [7, 3]);
    let found = f.history().newest_run(&RunFilter::default(), &rare).unwrap();
    assert_eq!(found.map(|run| run.id), Some(RunId(7)));
}

pub(super) fn wants_are_followed_filtered_and_paged<S: Subject>() {
    let closed = Event::WantEnded(WantEnded {
        want: WantId(2),
        outcome: WantOutcome::Expired,
        causes: texts(["first", "second"]),
        counts: None,
    });
    let asked = Cause::Request { id: "1".into(), client: "cli".into() };
    let origin = Origin { actor: Actor::Person("ada".into()), cause: Some(asked) };
    let second_want = Record { origin, ..at(2, want(2)) };
    let f = filled::<S>(vec![at(1, want(1)), second_want, at(3, want(3)), at(9, closed)]);
    let row = WantRow {
        id: WantId(2),
        state: WantState::Expired,
        class: PriorityClass::Backfill,
        refresh: Refresh::Missing,
        targets: texts(["daily/date=2024-01-01", "a \"quoted\" one"]),
        comment: "for the report".into(),
        source: "cli".into(),
        by: "ada".into(),
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
    assert_eq!(f.history().want(WantId(2)).unwrap(), Answer { last_seq: Seq(4), value: Some(row) });
    assert_eq!(f.history().want(WantId(9)).unwrap().value, None);
    let ids = |filter: WantFilter| -> Vec<u64> {
        f.history().wants(&filter).unwrap().value.rows.iter().map(|want| want.id.0).collect()
    };
    let all = || WantFilter { limit: 10, ..WantFilter::default() };
    assert_eq!(ids(all()), [3, 2, 1]);
    assert_eq!(ids(WantFilter { state: Some(WantState::Open), ..all() }), [3, 1]);
    assert_eq!(ids(WantFilter { before: Some(WantId(3)), limit: 1, ..all() }), [2]);
    let oldest = || WantFilter { oldest_first: true, ..all() };
    assert_eq!(ids(oldest()), [1, 2, 3]);
    assert_eq!(ids(WantFilter { before: Some(WantId(1)), limit: 1, ..oldest() }), [2]);
    let part = f.history().wants(&WantFilter { limit: 2, ..oldest() }).unwrap().value;
    let (last, next) = (part.rows.last().map(|want| want.id.0), part.next);
    assert_eq!((last, next), (Some(2), Some(2)));
    assert_eq!(
        f.history().wants(&WantFilter { before: next.map(WantId), ..oldest() }).unwrap().value.next,
        None
    );
    let runs = |filter: RunFilter| -> Vec<u64> {
        f.history().runs(&filter, &|_| true).unwrap().value.rows.iter().map(|run| run.id.0).collect()
    };
    let newest = runs(RunFilter { limit: 10, ..RunFilter::default() });
    let mut reversed = runs(RunFilter { limit: 10, oldest_first: true, ..RunFilter::default() });
    reversed.reverse();
    assert_eq!(newest, reversed);
}

pub(super) fn a_partitions_history_tells_what_it_held_when<S: Subject>() {
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
    let f = filled::<S>(vec![at(1, seen("v1")), at(2, Event::Materialized(made)), at(3, seen("v3"))]);
    let history = f.history().materializations("raw", 10).unwrap().value;
    assert_eq!(history.iter().map(|m| m.version.as_str()).collect::<Vec<_>>(), ["v3", "v1"]);
    assert_eq!(f.history().materializations("raw", 1).unwrap().value.len(), 1);
    assert_eq!((history[0].run, history[0].mark), (None, u64::MAX));

    let daily = f.history().materializations("daily", 10).unwrap().value;
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
        |seq| f.history().materialization_at(&["raw".to_owned()], Seq(seq)).unwrap().value.map(|m| m.version);
    assert_eq!(held(0), None);
    assert_eq!(held(1).as_deref(), Some("v1"));
    assert_eq!(held(2).as_deref(), Some("v1"));
    assert_eq!(held(u64::MAX).as_deref(), Some("v3"));
    // Under several names the newest counts, whichever it is under.
    let texts = ["daily".to_owned(), "raw".to_owned(), "none".to_owned()];
    let under = |seq| f.history().materialization_at(&texts, Seq(seq)).unwrap().value.map(|m| m.partition);
    assert_eq!(under(1).as_deref(), Some("raw"));
    assert_eq!(under(2).as_deref(), Some("daily"));
    assert_eq!(under(3).as_deref(), Some("raw"));
}

pub(super) fn what_a_partition_holds_is_told_by_its_event_whatever_its_text_was_used_for_since<S: Subject>() {
    let made = |run, mark| {
        let outputs = vec![output("daily", mark)];
        Event::Materialized(Materialized { attempt: attempt(run, 1), outputs, goes_on: false })
    };
    let seen = |version: &str| {
        let (partition, version) = ("daily".to_owned(), version.to_owned());
        Event::Observed(Observed { partitions: vec![SeenPartition { partition, version, mark: 5 }] })
    };
    let events = [made(1, 8), seen("sha256:8"), made(2, 8), made(3, 9)];
    let f = filled::<S>((1..).zip(events).map(|(second, event)| at(second, event)).collect());
    let run = |partition: [&str; 2], seq, version| {
        let row = f.history().held(&holding(&partition, seq, version)).unwrap();
        row.map(|row| (row.run.map(|run| run.0), row.metadata, row.empty))
    };
    let told = |run, metadata: &str, empty| Some((run, metadata.to_owned(), empty));
    assert_eq!(run(["new", "daily"], 1, "sha256:8"), told(Some(1), "{\"rows\": 24}", true));
    assert_eq!(run(["daily", "old"], 2, "sha256:8"), told(None, "{}", false));
    assert_eq!(run(["daily", "old"], 3, "sha256:8"), told(Some(2), "{\"rows\": 24}", true));
    assert_eq!(run(["daily", "old"], 4, "sha256:8"), None, "that event says another version");
    assert_eq!(run(["new", "old"], 4, "sha256:9"), None, "it speaks of another partition");
    assert_eq!(run(["daily", "old"], 99, "sha256:9"), None, "there is no such event");
}

pub(super) fn what_a_partition_held_once_is_told_with_what_it_was_made_from<S: Subject>() {
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
    let f = filled::<S>(events.into_iter().enumerate().map(|(ix, event)| at(ix as i64 + 1, event)).collect());
    let past = f.history().past_materializations(&["daily".to_owned()], 2).unwrap().value;
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
    let lease = f.history().event(by.lease_seq).unwrap().value.unwrap().event;
    assert!(matches!(lease, Event::AttemptLeased(lease) if lease.inputs == [u64::MAX - 4]));
    assert_eq!(f.history().past_materializations(&["none".to_owned()], 2).unwrap().value, []);
}

pub(super) fn a_graph_is_found_by_its_newest_registration<S: Subject>() {
    let other = Event::GraphRegistered(graph("h"));
    let again = || Event::GraphRegistered(graph("g"));
    let f = filled::<S>(vec![at(1, again()), at(2, other), at(3, again())]);
    let row = f.history().graph(&GraphId::of("g")).unwrap().value.unwrap();
    let GraphRegistered { sources, inherited, .. } = graph("g");
    let want = GraphRow { id: GraphId::of("g"), seq: Seq(3), at: second(3), sources, inherited };
    assert_eq!(row, want);
    assert_eq!(f.history().graph(&GraphId::of("x")).unwrap().value, None);
    let content = f.history().content(&GraphId::of("h").0).unwrap();
    assert_eq!(content.as_deref(), Some(&b"h"[..]));
}

pub(super) fn events_are_read_like_from_the_log<S: Subject>() {
    let mut f = filled::<S>(example_records());
    let answer = f.history().events(Some(Seq(2)), 5).unwrap();
    assert_eq!(answer.last_seq, f.log().last());
    assert_eq!(Ok(answer.value.records), f.log().read(Seq(2), 5));
    let none = f.history().events(None, 0).unwrap();
    assert_eq!(
        (none.last_seq, none.value),
        (f.log().last(), Events { archived: Seq(0), records: Vec::new() })
    );
    // However few bytes are asked for, there is one event; and no more than fit, with the one that passes the limit.
    let within =
        |f: &S, bytes| f.history().events_within(Some(Seq(2)), 5, bytes).unwrap().value.records.len();
    assert_eq!((within(&f, 0), within(&f, 1), within(&f, usize::MAX)), (1, 1, 5));
    assert!((0..5_000).map(|bytes| within(&f, bytes)).is_sorted());
}

pub(super) fn no_answer_is_longer_than_the_longest<S: Subject>() {
    let records = (1..=1100).map(|id| at(0, want(id))).collect();
    let f = filled::<S>(records);
    let filter = WantFilter { limit: usize::MAX, ..WantFilter::default() };
    assert_eq!(f.history().wants(&filter).unwrap().value.rows.len(), MAX_ROWS);
    assert_eq!(f.history().events(None, usize::MAX).unwrap().value.records.len(), MAX_ROWS);
}

pub(super) fn of_each_check_of_each_partition_the_newest_finding_counts<S: Subject>() {
    use CheckOutcome::{Error, Failed, Passed};
    let made = |run, number, outputs| {
        Event::Materialized(Materialized { attempt: attempt(run, number), outputs, goes_on: false })
    };
    let checked = |run, number, checks| Event::Checked(Checked { attempt: attempt(run, number), checks });
    let leased = |run, number| at(0, lease(run, number, "//:j", "daily/n=0"));
    let f = filled::<S>(vec![
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
        let rows = f.history().checks(&filter, &|_| true).unwrap().value.rows;
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
    assert_eq!(shown(CheckFilter { check: Some("//:a".into()), ..all.clone() }), newest[..2]);
    assert_eq!(shown(CheckFilter { outcome: Some(Error), ..all.clone() }), newest[2..3]);
    let counts = |passed, failed, error| Outcomes { passed, failed, error };
    let by_check = [("//:a", counts(1, 1, 0)), ("//:b", counts(1, 0, 1))];
    let by_check = by_check.map(|(check, found)| ((check.to_owned(), "daily".to_owned()), found));
    assert_eq!(f.history().check_counts().unwrap().value, CheckCounts::from(by_check));
    let both = ["daily/n=0", "daily/n=1"].map(str::to_owned);
    assert_eq!([&both[1..], &both].map(|texts| of(CheckedSet::Partitions(texts.to_vec()))), [2, 4]);
    let failed_of = CheckFilter { failed: true, of: CheckedSet::Dataset("daily".into()), ..all.clone() };
    assert_eq!(shown(failed_of), newest[1..3]);
    let (run, of_run) = f.history().run_with_checks(RunId(3)).unwrap().value.unwrap();
    assert_eq!(f.history().run(RunId(3)).unwrap().value, Some(run));
    assert_eq!(f.history().run_with_checks(RunId(99)).unwrap().value, None);
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
    let held = [
        holding(&["daily/n=0"], 5, "sha256:1"),
        holding(&["other/n=1", "daily/n=1"], 7, "sha256:2"),
        holding(&["daily/n=2"], 7, "sha256:2"),
        holding(&["daily/n=1"], 7, "sha256:3"),
    ];
    assert_eq!(f.history().warnings(&held).unwrap().value, [1, 1, 0, 0]);
}

pub(super) fn what_is_over_is_counted_with_what_is_archived<S: Subject>() {
    let failure = AttemptOutcome::Failure { permanent: true };
    let ended = |run| RunEnded { run: RunId(run), canceled: run == 2, message: String::new() };
    let made = |run| {
        let outputs = vec![output("daily", run)];
        Event::Materialized(Materialized { attempt: attempt(run, 1), outputs, goes_on: false })
    };
    let closed = |want| {
        Event::WantEnded(WantEnded {
            want: WantId(want),
            outcome: WantOutcome::Failed,
            causes: Vec::new(),
            counts: None,
        })
    };
    let events = [
        want(1),
        want(2),
        lease(1, 1, "//:a", "daily"),
        end(1, 1, failure, None),
        Event::RunEnded(ended(1)),
        closed(1),
        lease(2, 1, "//:a", "daily"),
        Event::RunEnded(ended(2)),
        lease(3, 1, "//:b", "daily"),
        lease(4, 1, "//:a", "daily"),
        made(4),
        lease(5, 1, "//:b", "daily"),
        start(5, 1),
    ];
    let mut f = filled::<S>((0..).zip(events).map(|(second, event)| at(second, event)).collect());
    let run = |job: &str, state| (job.to_owned(), state);
    let expected = Counts {
        wants: [(WantState::Open, 1), (WantState::Failed, 1)].into(),
        runs: [
            (run("//:a", RunState::Failed), 1),
            (run("//:a", RunState::Canceled), 1),
            (run("//:a", RunState::Completed), 1),
            (run("//:b", RunState::Leased), 1),
            (run("//:b", RunState::Running), 1),
        ]
        .into(),
    };
    assert_eq!(f.history().counts().unwrap(), Answer { last_seq: Seq(13), value: expected.clone() });
    archive(&mut f, Seq(8));
    assert_eq!(f.history().counts().unwrap().value, expected);
}

pub(super) fn what_is_archived_is_still_told<S: Subject>() {
    let closed =
        WantEnded { want: WantId(1), outcome: WantOutcome::Expired, causes: Vec::new(), counts: None };
    let events = [
        want(1),
        lease(1, 1, "//:a", "daily"),
        Event::RunEnded(RunEnded { run: RunId(1), canceled: true, message: "asked to".into() }),
        Event::WantEnded(closed),
        Event::KeysAdded(KeysAdded { space: "customers".into(), keys: texts(["acme"]), back: Vec::new() }),
        want(2),
        Event::KeysRetired(KeysRetired { space: "customers".into(), keys: texts(["acme"]) }),
    ];
    let records: Vec<Record> = (0..).zip(events).map(|(second, event)| at(second, event)).collect();
    let mut f = filled::<S>(records.clone());
    let told = |f: &S| {
        let history = f.history();
        let want = history.want(WantId(1)).unwrap().value;
        let want = want.or_else(|| Some(history.archived_want(WantId(1)).unwrap()?.value));
        let run = history.run(RunId(1)).unwrap().value;
        let run = run.or_else(|| Some(history.archived_run(RunId(1)).unwrap()?.value.0));
        let event = history.event(Seq(2)).unwrap().value;
        (want.unwrap(), run.unwrap(), event.unwrap(), history.key_changes(Seq(4)).unwrap().value)
    };
    let before = told(&f);
    assert_eq!(before.2, records[1]);
    assert_eq!(before.3, Some(vec![records[4].event.clone(), records[6].event.clone()]));
    assert_eq!(f.history().key_changes(Seq(5)).unwrap().value, Some(vec![records[6].event.clone()]));
    archive(&mut f, Seq(5));
    assert_eq!(told(&f), before);
    assert_eq!(f.history().event(Seq(8)).unwrap().value, None);
    let later = f.history().events(None, 10).unwrap().value;
    assert_eq!((later.archived, later.records.len()), (Seq(5), 2));
    assert_eq!(f.history().events(Some(Seq(4)), 10).unwrap_err().code(), "events_archived");
    assert_eq!(f.history().work_of_want(WantId(1), None).unwrap().value.said, []);
}

pub(super) fn the_work_of_a_want_is_what_its_events_say<S: Subject>() {
    let replanned = |want, partition: &str| {
        Event::WantReplanned(WantReplanned {
            want: WantId(want),
            work: texts([partition]),
            successors: vec![],
            blocked: vec![],
            whole: true,
        })
    };
    let mut f = filled::<S>(vec![at(1, want(1)), at(2, want(2)), at(3, replanned(1, "daily/n=1"))]);
    let work = |f: &S, known| f.history().work_of_want(WantId(1), known).unwrap().value;
    let first = work(&f, None);
    let said = vec![(Seq(1), vec![]), (Seq(3), texts(["daily/n=1"]))];
    assert_eq!(first, WantWork { said: said.clone(), ended: None, until: Seq(3) });
    let closed = WantEnded { want: WantId(1), outcome: WantOutcome::Satisfied, causes: vec![], counts: None };
    let more =
        vec![at(4, replanned(2, "other")), at(5, replanned(1, "daily/n=2")), at(6, Event::WantEnded(closed))];
    f.log().append(&Batch { records: more, blobs: vec![] }).unwrap();
    let said = [said, vec![(Seq(5), texts(["daily/n=2"]))]].concat();
    let expected = WantWork { said, ended: Some(Seq(6)), until: Seq(6) };
    assert_eq!(work(&f, Some(first)), expected);
    assert_eq!(work(&f, None), expected);
    assert_eq!(f.history().work_of_want(WantId(9), None).unwrap().value.said, []);
}

pub(super) fn contents_are_told_from_those_that_are_missing<S: Subject>() {
    let blobs = ["one", "two"].map(|text| Blob::of(text.into()));
    let [one, two] = blobs.clone().map(|blob| blob.digest);
    let list = Blob::of(serde_json::json!([one, two]).to_string().into_bytes());
    let mut f = filled::<S>(vec![]);
    f.log()
        .append(&Batch { records: vec![], blobs: [&blobs[..], std::slice::from_ref(&list)].concat() })
        .unwrap();
    let none = |n: u32| format!("{n:064}");
    let asked = [none(3), one.clone(), none(1), two, none(2)];
    assert_eq!(f.history().missing(&asked), Ok(vec![none(3), none(1), none(2)]));
    assert_eq!(f.history().missing(&[]), Ok(vec![]));
    assert_eq!(f.history().content(&one), Ok(Some(b"one".to_vec())));
    assert_eq!(f.history().text(&list.digest), Ok(Some(b"onetwo".to_vec())));
    assert_eq!(f.history().text(&none(1)), Ok(None));
}

/// Archives the events up to `until`.
fn archive<S: Subject>(f: &mut S, until: Seq) {
    f.log().save_checkpoint(&Checkpoint { seq: until, format: 1, bytes: vec![1] }).unwrap();
    f.archive(until);
    f.log().cut_off(until).unwrap();
    while f.log().purge().unwrap() {}
}
