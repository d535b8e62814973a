use super::super::history_contract::{history_contract, lease, want, Subject};
use super::super::log::{Batch, EventLog};
use super::super::sqlite::{Archiver, Cut, SqliteLog};
use super::super::testing::{at, attempt, example_records};
use super::*;
use databuild_core::event::{Materialized, OutputRecord};
use tempfile::TempDir;

struct Fixture {
    reader: Reader,
    log: SqliteLog,
    folder: TempDir,
}

impl Subject for Fixture {
    type Log = SqliteLog;

    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("events.db");
        let log = SqliteLog::open(&path).unwrap();
        Fixture { reader: Reader::new(&path, 2), log, folder }
    }

    fn log(&mut self) -> &mut SqliteLog {
        &mut self.log
    }

    fn history(&self) -> &dyn History {
        &self.reader
    }

    fn archive(&mut self, until: Seq) {
        let archiver = Archiver::new(&self.folder.path().join("events.db"));
        archiver.write(&Cut { until, ..Cut::default() }).unwrap();
    }
}

history_contract!(Fixture);

fn fixture(records: Vec<Record>) -> Fixture {
    let mut fixture = Fixture::new();
    fixture.log.append(&Batch { records, blobs: vec![] }).unwrap();
    fixture
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
fn whether_a_run_published_something_is_answered_however_long_that_takes() {
    let output = |n: u64| OutputRecord {
        partition: format!("daily/n={n}"),
        version: format!("sha256:{n}"),
        empty: false,
        mark: n,
        bytes: 1,
        metadata: "{}".into(),
    };
    let outputs = (0..40_000).map(output).collect();
    let made = Materialized { attempt: attempt(1, 1), outputs, goes_on: false };
    let mut f = fixture(vec![at(0, Event::Materialized(made))]);
    f.reader.longest = Duration::ZERO;
    let scan = "SELECT count(*) FROM materializations WHERE version = 'none' AND run IS NOT NULL";
    let error = f.reader.answer(|connection| connection.query_row(scan, [], |row| row.get::<_, i64>(0)));
    assert_eq!(error.unwrap_err().code(), "query_too_slow");
    assert_eq!(f.reader.published_as("sha256:17").unwrap().value.as_deref(), Some("daily/n=17"));
    assert_eq!(f.reader.published_as("sha256:none").unwrap().value, None);
}

#[test]
fn a_reader_cannot_write() {
    let f = fixture(example_records());
    let error = f.reader.answer(|connection| connection.execute("DELETE FROM runs", [])).unwrap_err();
    assert_eq!(error.code(), "state_unwritable");
    assert_eq!(f.reader.run(RunId(12)).unwrap().value.unwrap().run.id, RunId(12));
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
