//! No list costs more because the history is longer.

use super::super::history::CheckedSet;
use super::super::log::{Batch, EventLog};
use super::super::rows::{RunState, WantState};
use super::super::sqlite::SqliteLog;
use super::super::testing::{at, attempt, holding, time};
use super::newest::MOST_LOOKED;
use super::*;
use databuild_core::event::*;
use databuild_core::state::Named;
use std::sync::atomic::AtomicUsize;

type Query = fn(&Reader);

/// Every query that a request can ask for, with what finds nothing or has to look longest.
const ASKED: [(&str, Query); 26] = [
    ("wants", |reader| drop(reader.wants(&WantFilter { limit: 10, ..WantFilter::default() }).unwrap())),
    ("open wants", |reader| {
        let state = Some(WantState::Open);
        drop(reader.wants(&WantFilter { state, limit: 10, ..WantFilter::default() }).unwrap());
    }),
    ("expired wants", |reader| {
        let state = Some(WantState::Expired);
        drop(reader.wants(&WantFilter { state, limit: 10, ..WantFilter::default() }).unwrap());
    }),
    ("the work of a want", |reader| drop(reader.work_of_want(WantId(1), None).unwrap())),
    ("runs", |reader| runs(reader, RunFilter::default())),
    ("runs of no job", |reader| {
        runs(reader, RunFilter { jobs: vec!["//:none".into()], ..RunFilter::default() })
    }),
    ("live runs", |reader| {
        runs(reader, RunFilter { state: Some(RunState::Running), ..RunFilter::default() })
    }),
    ("live runs of a job", |reader| {
        let jobs = vec!["//:j".into()];
        runs(reader, RunFilter { state: Some(RunState::Running), jobs, ..RunFilter::default() });
    }),
    ("canceled runs", |reader| {
        runs(reader, RunFilter { state: Some(RunState::Canceled), ..RunFilter::default() })
    }),
    ("runs of a dataset", |reader| of(reader, Named::Datasets(vec!["daily".into()]))),
    ("runs of no dataset", |reader| of(reader, Named::Datasets(vec!["dail".into()]))),
    ("runs of a partition", |reader| {
        let (texts, datasets) = (vec!["daily/n=1".into()], vec!["daily".into()]);
        of(reader, Named::Partitions { texts, datasets });
    }),
    ("durations", |reader| drop(reader.last_durations(&[vec!["//:j"], vec!["//:bad"]], 21).unwrap())),
    ("what a partition held", |reader| drop(reader.materializations("daily/n=1", 100).unwrap())),
    ("what it held once", |reader| {
        drop(reader.past_materializations(&["daily/n=1".into(), "none".into()], 5).unwrap());
    }),
    ("what a run made", |reader| drop(reader.materializations_of_run(RunId(1)).unwrap())),
    ("counts", |reader| drop(reader.counts().unwrap())),
    ("checks", |reader| checks(reader, CheckFilter::default())),
    ("failed checks", |reader| checks(reader, CheckFilter { failed: true, ..CheckFilter::default() })),
    ("failed checks of a dataset", |reader| {
        checks(
            reader,
            CheckFilter { failed: true, of: CheckedSet::Dataset("daily".into()), ..CheckFilter::default() },
        );
    }),
    ("checks of a partition", |reader| {
        let of = CheckedSet::Partitions(vec!["daily/n=1".into()]);
        checks(reader, CheckFilter { of, ..CheckFilter::default() });
    }),
    ("counts of checks", |reader| drop(reader.check_counts().unwrap())),
    ("warnings", |reader| {
        drop(reader.warnings(&[holding(&["none", "daily/n=1"], 2, "sha256:1")]).unwrap());
    }),
    ("what it holds", |reader| {
        drop(reader.held(&holding(&["none", "daily/n=1"], 2, "sha256:1")).unwrap());
    }),
    ("events", |reader| drop(reader.events(None, 100).unwrap())),
    ("changes of keys", |reader| drop(reader.key_changes(Seq(0)).unwrap())),
];

fn runs(reader: &Reader, filter: RunFilter) {
    drop(reader.runs(&RunFilter { limit: 10, ..filter }, &|_| true).unwrap());
}

fn of(reader: &Reader, named: Named) {
    runs(reader, RunFilter { of: Some(named), ..RunFilter::default() });
}

fn checks(reader: &Reader, filter: CheckFilter) {
    drop(reader.checks(&CheckFilter { limit: 10, ..filter }, &|_| true).unwrap());
}

/// What one want had made: runs of one partition each that ended well, were checked and passed, but for every fifth, which
/// failed.
fn append(log: &mut SqliteLog, numbers: std::ops::Range<u64>) {
    let mut records = Vec::new();
    for n in numbers {
        let (attempt, bad) = (attempt(n, 1), n % 5 == 0);
        let partition = format!("daily/n={n}");
        let job = if bad { "//:bad" } else { "//:j" };
        records.push(Event::AttemptLeased(AttemptLeased {
            attempt,
            job: job.into(),
            partition: partition.clone(),
            graph: GraphId::of("g"),
            as_of: time("2024-03-14T00:00:00Z"),
            inputs: vec![n],
            params: BTreeMap::new(),
            trial: None,
        }));
        records.push(Event::AttemptStarted(AttemptStarted { attempt, pid: 1 }));
        records.push(Event::AttemptEnded(AttemptEnded {
            attempt,
            outcome: if bad { AttemptOutcome::Timeout } else { AttemptOutcome::Success },
            message: String::new(),
            exit_code: Some(0),
            wall_ms: 1,
            cpu_ms: 1,
            max_rss_kb: 1,
            retry_at: None,
            done: 0,
            returned: Vec::new(),
        }));
        if bad {
            let message = "too long".into();
            records.push(Event::RunEnded(RunEnded { run: attempt.run, canceled: false, message }));
            continue;
        }
        let result = CheckResult {
            partition: partition.clone(),
            outcome: CheckOutcome::Passed,
            message: String::new(),
            metadata: "{}".into(),
        };
        let checks = vec![CheckFindings { check: "//:sane".into(), blocking: true, results: vec![result] }];
        records.push(Event::Checked(Checked { attempt, checks }));
        let output = OutputRecord {
            partition,
            version: format!("sha256:{n}"),
            empty: false,
            mark: n,
            bytes: 1,
            metadata: "{}".into(),
        };
        records.push(Event::Materialized(Materialized { attempt, outputs: vec![output], goes_on: false }));
    }
    let records = records.into_iter().map(|event| at(0, event)).collect();
    log.append(&Batch { records, blobs: vec![] }).unwrap();
}

/// Steps of SQLite's machine that a query takes.
fn steps(reader: &Reader, ask: fn(&Reader)) -> usize {
    let steps = Arc::new(AtomicUsize::new(0));
    // Statements are prepared by then.
    ask(reader);
    let mut lane = reader.lane().unwrap();
    let counting = Arc::clone(&steps);
    let counted = lane.connection.progress_handler(
        1,
        Some(move || {
            counting.fetch_add(1, Ordering::Relaxed);
            false
        }),
    );
    counted.unwrap();
    reader.pool().idle.push(lane);
    ask(reader);
    steps.load(Ordering::Relaxed)
}

#[test]
fn no_query_takes_more_steps_because_the_history_is_longer() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let mut log = SqliteLog::open(&path).unwrap();
    let reader = Reader::new(&path, 1);
    let short = 1_500;
    append(&mut log, 1..short);
    let before = ASKED.map(|(what, ask)| (what, steps(&reader, ask)));
    append(&mut log, short..4 * short);
    let after = ASKED.map(|(what, ask)| (what, steps(&reader, ask)));
    let grown: Vec<_> =
        before.iter().zip(&after).filter(|(before, after)| after.1 > before.1 + before.1 / 10 + 20).collect();
    assert_eq!(grown, [] as [(&_, &_); 0], "what, and its steps in a short history and in a long one");
}

/// What no index tells is looked for in so many rows, and no more.
#[test]
fn what_is_found_nowhere_is_given_up_for_now() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("events.db");
    let mut log = SqliteLog::open(&path).unwrap();
    let reader = Reader::new(&path, 1);
    append(&mut log, 1..2 * MOST_LOOKED as u64);
    let named = Named::Beginnings(vec!["weekly".into()]);
    let filter = RunFilter { of: Some(named), limit: 10, ..RunFilter::default() };
    let found = reader.runs(&filter, &|_| true).unwrap().value;
    assert_eq!((found.rows.len(), found.next), (0, Some(MOST_LOOKED as u64)));
}
