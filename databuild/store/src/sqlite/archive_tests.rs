//! Archives: nothing is lost at any point, and lists say the same.

use super::super::contract::Subject;
use super::super::history::{Events, History as _};
use super::super::log::{Batch, Blob, Checkpoint, EventLog};
use super::super::pieces;
use super::super::reader::Reader;
use super::super::testing::{at, attempt, example_records, graph, history, holding, output};
use super::archiver::{Archiver, Cut};
use super::archives::Archives;
use super::log::SqliteLog;
use super::schema::MOVING_TABLES;
use super::tests::{append, copy_files, pragma, tables, Sqlite};
use databuild_core::event::*;
use databuild_core::ids::{GraphId, RunId, Seq, WantId};
use proptest::prelude::*;
use rusqlite::types::Value;
use rusqlite::Connection;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

type Tables = BTreeMap<&'static str, Vec<Vec<Value>>>;

fn checkpoint(log: &mut SqliteLog) {
    let seq = log.last();
    log.save_checkpoint(&Checkpoint { seq, format: 1, bytes: vec![1] }).unwrap();
}

/// A history in a log, with a checkpoint of its end.
fn log_of(records: &[Record]) -> Sqlite {
    let mut subject = Sqlite::new();
    for batch in records.chunks(9) {
        append(subject.log(), batch);
    }
    checkpoint(subject.log());
    subject
}

fn records(length: u32) -> Vec<Record> {
    history(&(0..length).map(|n| n.wrapping_mul(2_654_435_761) >> 7).collect::<Vec<_>>())
}

fn write(subject: &Sqlite, cut: &Cut) {
    Archiver::new(&subject.path()).write(cut).unwrap();
}

fn archive(subject: &mut Sqlite, cut: &Cut) {
    write(subject, cut);
    subject.log().cut_off(cut.until).unwrap();
    while subject.log().purge().unwrap() {}
}

fn at_event(until: u64) -> Cut {
    Cut { until: Seq(until), ..Cut::default() }
}

/// A folder as a crash leaves it: the files as they are, without a clean close.
fn crashed(subject: &Sqlite) -> Sqlite {
    let copy = Sqlite { folder: tempfile::tempdir().unwrap(), log: None };
    copy_files(subject.folder.path(), copy.folder.path());
    let archives = subject.folder.path().join("archive");
    if archives.is_dir() {
        copy_files(&archives, &copy.folder.path().join("archive"));
    }
    let log = SqliteLog::open(&copy.path()).unwrap();
    Sqlite { log: Some(log), ..copy }
}

fn column(table: &str, rows: &Tables, column: usize) -> BTreeSet<String> {
    rows[table].iter().map(|row| format!("{:?}", row[column])).collect()
}

/// The rows of each archive's tables, together.
fn moved(subject: &Sqlite) -> Tables {
    let mut found: Tables = BTreeMap::new();
    for file in Archives::of(&subject.path()).files().unwrap() {
        let connection = Connection::open(&file.path).unwrap();
        for table in MOVING_TABLES.map(|(table, _)| table).into_iter().chain(["attempts", "checks"]) {
            let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = statement.column_count();
            let rows = statement
                .query_map([], |row| (0..columns).map(|i| row.get(i)).collect())
                .unwrap()
                .collect::<Result<Vec<Vec<Value>>, _>>()
                .unwrap();
            found.entry(table).or_default().extend(rows);
        }
    }
    found
}

#[test]
fn what_a_partition_holds_is_told_though_its_row_is_archived() {
    let made = |run, mark| {
        let outputs = vec![output("daily", mark)];
        Event::Materialized(Materialized { attempt: attempt(run, 1), outputs, goes_on: false })
    };
    let mut subject = log_of(&[at(1, made(1, 1)), at(2, made(2, 2)), at(3, made(3, 3))]);
    let held = |subject: &Sqlite| {
        let reader = Reader::new(&subject.path(), 1);
        reader.held(&holding(&["old", "daily"], 1, "sha256:1")).unwrap().unwrap()
    };
    let before = held(&subject);
    assert_eq!(before.run, Some(RunId(1)));
    archive(&mut subject, &at_event(2));
    let reader = Reader::new(&subject.path(), 1);
    assert_eq!(reader.materialization_at(&["daily".to_owned()], Seq(1)).unwrap().value, None);
    assert_eq!(held(&subject), before);
}

#[test]
fn a_crash_at_any_point_loses_nothing_and_repeats_nothing() {
    let all = records(600);
    let mut subject = log_of(&all);
    let (cut, last) = (at_event(300), subject.log().last());
    let mut uncut = log_of(&all);
    archive(&mut uncut, &cut);
    let expected = tables(uncut.log());

    let mut points = vec![("before anything", crashed(&subject))];
    fs::create_dir(subject.folder.path().join("archive")).unwrap();
    fs::write(subject.folder.path().join("archive/archive.new"), b"half").unwrap();
    points.push(("while it is written", crashed(&subject)));
    write(&subject, &at_event(200));
    points.push(("after an archive that did not come to count", crashed(&subject)));
    write(&subject, &cut);
    points.push(("before the cut", crashed(&subject)));
    subject.log().cut_off(cut.until).unwrap();
    points.push(("after the cut", crashed(&subject)));
    let mut pieces = 0;
    while subject.log().purge().unwrap() {
        pieces += 1;
        points.push(("while it is freed", crashed(&subject)));
    }
    points.push(("after all", crashed(&subject)));
    assert!(pieces > 5, "each kind of piece has a crash: {pieces}");

    for (point, mut copy) in points {
        assert_eq!(copy.log().last(), last, "{point}");
        let read = copy.log().read(Seq(0), usize::MAX).unwrap();
        assert!(read.into_iter().map(|(_, record)| record).eq(all.iter().cloned()), "{point}");
        // Then it is done, or done again.
        while copy.log().purge().unwrap() {}
        if copy.log().archived() == Seq(0) {
            archive(&mut copy, &cut);
        }
        assert_eq!(copy.log().archived(), cut.until, "{point}");
        assert!(tables(copy.log()) == expected, "{point}");
        let files = Archives::of(&copy.path()).files().unwrap();
        assert_eq!(files.len(), 1, "{point}");
        let events = "SELECT count(*) FROM events WHERE seq <= 300";
        let left: i64 = copy.log().connection().query_row(events, [], |row| row.get(0)).unwrap();
        assert_eq!((left, pragma(copy.log().connection(), "freelist_count")), (0, 0), "{point}");
        append(copy.log(), &all[..1]);
        assert_eq!(copy.log().last(), last.next(), "{point}");
    }
}

#[test]
fn the_log_gets_smaller() {
    let all = records(3000);
    let mut subject = log_of(&all);
    let size = |subject: &Sqlite| fs::metadata(subject.path()).unwrap().len();
    subject.reopen();
    let before = size(&subject);
    archive(&mut subject, &at_event(all.len() as u64 - 1));
    let after = size(&subject);
    assert!(after < before / 3, "{before} bytes, then {after}");
}

/// What stays of the lists, of a history in which each case stands once.
#[test]
fn rows_go_with_what_is_over_and_stay_with_what_is_there() {
    let lease = |run: u64, partition: &str| {
        Event::AttemptLeased(AttemptLeased {
            attempt: super::super::testing::attempt(run, 1),
            job: "//:job".into(),
            partition: partition.into(),
            graph: GraphId::of("g1"),
            as_of: "2024-03-14T00:00:00Z".parse().unwrap(),
            inputs: vec![0],
            params: BTreeMap::new(),
            trial: None,
        })
    };
    let made = |run: u64, partition: &str| {
        let attempt = super::super::testing::attempt(run, 1);
        Event::Materialized(Materialized { attempt, outputs: vec![output(partition, run)], goes_on: false })
    };
    let checked = |run: u64, partition: &str| {
        let result = CheckResult {
            partition: partition.into(),
            outcome: CheckOutcome::Passed,
            message: String::new(),
            metadata: "{}".into(),
        };
        let checks = vec![CheckFindings { check: "//:check".into(), blocking: true, results: vec![result] }];
        Event::Checked(Checked { attempt: super::super::testing::attempt(run, 1), checks })
    };
    let failed = |run| Event::RunEnded(RunEnded { run: RunId(run), canceled: false, message: "no".into() });
    let ended = |want| {
        let outcome = WantOutcome::Satisfied;
        Event::WantEnded(WantEnded { want: WantId(want), outcome, causes: vec![], counts: None })
    };
    let wanted = |want| match example_records()[4].event.clone() {
        Event::WantCreated(created) => Event::WantCreated(WantCreated { want: WantId(want), ..created }),
        other => panic!("{other:?}"),
    };
    let events = vec![
        Event::GraphRegistered(graph("g1")),
        Event::GraphRegistered(graph("g2")),
        Event::GraphRegistered(graph("g3")),
        wanted(1),
        lease(1, "a"),
        made(1, "a"),
        lease(2, "a"),
        made(2, "a"),
        checked(1, "a"),
        checked(2, "a"),
        lease(3, "b"),
        made(3, "b"),
        lease(4, "b"),
        made(4, "b"),
        lease(5, "c"),
        failed(5),
        lease(6, "d"),
        failed(6),
        ended(1),
        wanted(2),
        lease(7, "a"),
        // From here on nothing goes.
        made(7, "a"),
        ended(2),
        lease(8, "b"),
        made(8, "b"),
        Event::GraphRegistered(graph("g2")),
    ];
    let all: Vec<Record> = (0..).zip(events).map(|(second, event)| at(second, event)).collect();
    let mut subject = log_of(&all);
    let whole = tables(subject.log());
    let cut = Cut {
        until: Seq(21),
        data: [("b".to_owned(), Seq(12))].into(),
        runs: [RunId(6)].into(),
        graphs: [GraphId::of("g1"), GraphId::of("g2")].into(),
    };
    archive(&mut subject, &cut);
    let kept = tables(subject.log());
    let numbers = |numbers: &[i64]| -> BTreeSet<String> {
        numbers.iter().map(|number| format!("{:?}", Value::Integer(*number))).collect()
    };
    // 1: replaced. 2 and 4: held at the cut. 3: named. 5: failed long ago. 6: named. 7, 8: later.
    assert_eq!(column("runs", &kept, 0), numbers(&[2, 3, 4, 6, 7, 8]));
    assert_eq!(column("attempts", &kept, 0), numbers(&[2, 3, 4, 6, 7, 8]));
    assert_eq!(column("checks", &kept, 0), numbers(&[2]));
    assert_eq!(column("wants", &kept, 0), numbers(&[2]));
    assert_eq!(column("materializations", &kept, 1), numbers(&[8, 12, 14, 22, 25]));
    assert_eq!(column("graphs", &kept, 0), numbers(&[1, 2, 26]));
    let moved = moved(&subject);
    for (table, rows) in moved {
        let mut together = [rows, kept[table].clone()].concat();
        let mut whole = whole[table].clone();
        let text = |row: &Vec<Value>| format!("{row:?}");
        together.sort_by_key(text);
        whole.sort_by_key(text);
        assert_eq!(together, whole, "{table}");
    }
}

#[test]
fn contents_go_with_the_last_graph_that_names_them() {
    let mut subject = Sqlite::new();
    let sources = ["old", "kept"].map(|text| Blob::of(text.as_bytes().to_vec()));
    let register = |content: &str, sources: &Blob| {
        let mut event = graph(content);
        event.sources = [("//:job".to_owned(), sources.digest.clone())].into();
        at(0, Event::GraphRegistered(event))
    };
    let records = vec![
        register("g1", &sources[0]),
        register("g2", &sources[1]),
        at(1, Event::GraphRegistered(graph("g3"))),
    ];
    subject.log().append(&Batch { records: records.clone(), blobs: sources.to_vec() }).unwrap();
    append(subject.log(), &example_records()[1..3]);
    checkpoint(subject.log());
    let cut = Cut { until: Seq(3), graphs: [GraphId::of("g2")].into(), ..Cut::default() };
    archive(&mut subject, &cut);
    let there = |subject: &mut Sqlite, digest: &str| subject.log().blob(digest).unwrap().is_some();
    assert!(!there(&mut subject, &GraphId::of("g1").0));
    assert!(!there(&mut subject, &sources[0].digest));
    assert!(!there(&mut subject, &GraphId::of("g3").0));
    assert!(there(&mut subject, &GraphId::of("g2").0));
    assert!(there(&mut subject, &sources[1].digest));
    let read: Vec<_> = subject.log().read(Seq(0), 3).unwrap().into_iter().map(|(_, record)| record).collect();
    assert_eq!(read, records, "the archive has them all");
}

/// Pieces go and stay with the lists that name them; the archive has what its events name.
#[test]
fn pieces_of_contents_go_with_the_last_list_that_names_them() {
    let mut subject = Sqlite::new();
    let [old, shared, kept] = ["old piece", "shared piece", "kept piece"].map(|text| Blob::of(text.into()));
    // No graph came to name it.
    let stray = Blob::of("stray piece".into());
    let list = |pieces: [&Blob; 2]| pieces::index(pieces.map(|piece| piece.digest.as_str()));
    let lists = [list([&old, &shared]), list([&shared, &kept])];
    let register = |content: &str, list: &Blob| {
        let mut event = graph(content);
        event.sources = [("//:job".to_owned(), list.digest.clone())].into();
        at(0, Event::GraphRegistered(event))
    };
    let blobs = [&lists[..], &[old.clone(), shared.clone(), kept.clone(), stray.clone()]].concat();
    subject.log().append(&Batch { records: vec![], blobs }).unwrap();
    let records = vec![register("g1", &lists[0]), register("g2", &lists[1])];
    subject.log().append(&Batch { records, blobs: vec![] }).unwrap();
    append(subject.log(), &example_records()[1..3]);
    checkpoint(subject.log());
    let cut = Cut { until: Seq(2), graphs: [GraphId::of("g2")].into(), ..Cut::default() };
    archive(&mut subject, &cut);
    let there = |subject: &mut Sqlite, blob: &Blob| subject.log().blob(&blob.digest).unwrap().is_some();
    for (blob, stays) in [
        (&lists[0], false),
        (&old, false),
        (&stray, false),
        (&lists[1], true),
        (&shared, true),
        (&kept, true),
    ] {
        assert_eq!(there(&mut subject, blob), stays, "{}", String::from_utf8_lossy(&blob.bytes));
    }
    let folder = subject.folder.path().join("archive");
    let file = fs::read_dir(folder).unwrap().next().unwrap().unwrap().path();
    let archive = Connection::open(file).unwrap();
    let count = |blob: &Blob| -> i64 {
        archive
            .query_row("SELECT count(*) FROM blobs WHERE digest = ?1", [&blob.digest], |row| row.get(0))
            .unwrap()
    };
    assert_eq!([&lists[0], &old, &shared].map(count), [1, 1, 1]);
    assert_eq!(count(&stray), 0);
}

#[test]
fn lists_are_made_again_from_archives_and_events() {
    let mut subject = log_of(&records(500));
    archive(&mut subject, &Cut { runs: [RunId(2)].into(), ..at_event(200) });
    archive(&mut subject, &at_event(350));
    let kept_up = tables(subject.log());
    subject.log().connection().execute_batch("UPDATE meta SET value = 0 WHERE name = 'projections'").unwrap();
    subject.reopen();
    assert!(tables(subject.log()) == kept_up);

    subject.log().connection().execute_batch("UPDATE meta SET value = 0 WHERE name = 'projections'").unwrap();
    subject.log = None;
    fs::remove_file(subject.folder.path().join("archive/events-201-350.sqlite")).unwrap();
    let error = SqliteLog::open(&subject.path()).unwrap_err();
    assert_eq!(error.code(), "archive_missing");
    assert!(error.to_string().contains("event 201"), "{error}");
}

#[test]
fn a_damaged_archive_is_found_when_it_is_read() {
    let mut subject = log_of(&records(100));
    archive(&mut subject, &at_event(50));
    let path = subject.folder.path().join("archive/events-1-50.sqlite");
    let damage = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    damage("UPDATE events SET payload = x'00' WHERE seq = 7");
    let error = subject.log().read(Seq(0), 10).unwrap_err();
    assert_eq!(error.code(), "corrupt_log");
    assert!(error.to_string().contains("events-1-50.sqlite"), "{error}");
    damage("DELETE FROM events");
    assert_eq!(subject.log().read(Seq(7), 10).unwrap_err().code(), "corrupt_log");
    fs::write(&path, b"no database").unwrap();
    assert_eq!(subject.log().read(Seq(7), 10).unwrap_err().code(), "corrupt_log");
    assert!(subject.log().read(Seq(50), 10).is_ok());
}

/// A log that is damaged where it is to be copied is not cut off.
#[test]
fn what_cannot_be_read_back_is_not_archived() {
    let mut subject = log_of(&records(100));
    subject.log().connection().execute("UPDATE events SET payload = x'00' WHERE seq = 7", []).unwrap();
    let error = Archiver::new(&subject.path()).write(&at_event(50)).unwrap_err();
    assert_eq!(error.code(), "corrupt_log");
    assert_eq!(subject.log().cut_off(Seq(50)).unwrap_err().code(), "archive_missing");
    assert_eq!(subject.log().archived(), Seq(0));
}

/// As docs/operations.md says: the statements there are [`PUT_BACK`].
#[test]
fn an_archive_can_be_put_back() {
    let all = records(300);
    let mut subject = log_of(&all);
    archive(&mut subject, &at_event(100));
    let before = tables(subject.log());
    archive(&mut subject, &at_event(200));
    subject.log = None;
    let connection = Connection::open(subject.path()).unwrap();
    connection
        .execute(
            "ATTACH ?1 AS archive",
            [subject.folder.path().join("archive/events-101-200.sqlite").to_str()],
        )
        .unwrap();
    connection.execute_batch(PUT_BACK).unwrap();
    drop(connection);
    fs::remove_file(subject.folder.path().join("archive/events-101-200.sqlite")).unwrap();
    subject.log = Some(SqliteLog::open(&subject.path()).unwrap());
    assert_eq!(subject.log().archived(), Seq(100));
    assert!(tables(subject.log()) == before);
    let read = subject.log().read(Seq(0), usize::MAX).unwrap();
    assert!(read.into_iter().map(|(_, record)| record).eq(all));
    archive(&mut subject, &at_event(200));
}

const PUT_BACK: &str = "
BEGIN;
INSERT OR IGNORE INTO events SELECT * FROM archive.events;
INSERT OR IGNORE INTO blobs SELECT * FROM archive.blobs;
UPDATE meta SET value = (SELECT min(seq) - 1 FROM archive.events) WHERE name IN ('archived_until', 'purged_until');
DELETE FROM meta WHERE name = 'projections';
COMMIT;
";

#[test]
fn readers_say_where_history_begins() {
    let mut subject = log_of(&example_records());
    let reader = Reader::new(&subject.path(), 1);
    assert_eq!(reader.events(None, 0).unwrap().value.archived, Seq(0));
    archive(&mut subject, &at_event(5));
    let Events { archived, records } = reader.events(None, 2).unwrap().value;
    assert_eq!((archived, records[0].0), (Seq(5), Seq(6)));
    assert_eq!(reader.events(Some(Seq(5)), 2).unwrap().value.records, records);
    let error = reader.events(Some(Seq(4)), 2).unwrap_err();
    assert_eq!(error.code(), "events_archived");
    assert!(error.to_string().contains("after event 5"), "{error}");
}

#[test]
fn readers_find_one_event_also_in_an_archive() {
    let records = example_records();
    let mut subject = log_of(&records);
    archive(&mut subject, &at_event(3));
    archive(&mut subject, &at_event(5));
    let reader = Reader::new(&subject.path(), 1);
    let found = |seq| reader.event(Seq(seq)).unwrap().value;
    for (seq, record) in (1..).zip(&records) {
        assert_eq!(found(seq).as_ref(), Some(record), "{seq}");
    }
    assert_eq!((found(0), found(records.len() as u64 + 1)), (None, None));
    fs::remove_dir_all(subject.folder.path().join("archive")).unwrap();
    assert_eq!(reader.event(Seq(5)).unwrap_err().code(), "archive_missing");
}

#[test]
fn readers_find_one_want_and_one_run_also_in_an_archive() {
    let records = records(400);
    let mut subject = log_of(&records);
    let reader = Reader::new(&subject.path(), 1);
    let wants: Vec<_> = (0..100)
        .filter_map(|id| reader.want(WantId(id)).unwrap().value)
        .map(|want| (want.id, want))
        .collect();
    let runs: Vec<_> = (0..100)
        .filter_map(|id| reader.run_with_checks(RunId(id)).unwrap().value)
        .map(|found| (found.0.run.id, found))
        .collect();
    archive(&mut subject, &at_event(150));
    archive(&mut subject, &at_event(300));
    let mut seen = BTreeSet::new();
    for (id, want) in wants {
        let filed = reader.archived_want(id).unwrap();
        assert_eq!(reader.want(id).unwrap().value.is_none(), filed.is_some(), "{id}");
        if let Some(filed) = filed {
            assert_eq!(filed.value, want);
            seen.insert(("want", filed.file));
        }
    }
    for (id, run) in runs {
        let filed = reader.archived_run(id).unwrap();
        assert_eq!(reader.run(id).unwrap().value.is_none(), filed.is_some(), "{id}");
        if let Some(filed) = filed {
            assert_eq!(filed.value, run);
            seen.insert(("run", filed.file));
        }
    }
    assert_eq!(seen.len(), 4, "both archives have both: {seen:?}");
    assert_eq!(reader.archived_run(RunId(9999)).unwrap(), None);
    let [first, _] = &Archives::of(&subject.path()).files().unwrap()[..] else { panic!("two archives") };
    fs::remove_file(&first.path).unwrap();
    assert_eq!(reader.archived_run(RunId(9999)).unwrap_err().code(), "archive_missing");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// A log that is archived at random says what one says that never is, of all that it still has.
    #[test]
    fn archiving_changes_nothing_but_where_history_begins(
        choices in prop::collection::vec(any::<u32>(), 20..150),
        cuts in prop::collection::vec((1_usize..30, 1_u64..30), 1..6),
    ) {
        let all = history(&choices);
        let (mut subject, mut whole) = (Sqlite::new(), Sqlite::new());
        let mut rest = all.as_slice();
        for (step, back) in cuts {
            let (now, later) = rest.split_at(step.min(rest.len()));
            rest = later;
            append(subject.log(), now);
            append(whole.log(), now);
            let until = Seq(subject.log().last().0.saturating_sub(back));
            if until > subject.log().archived() {
                checkpoint(subject.log());
                archive(&mut subject, &Cut { until, ..Cut::default() });
                subject.reopen();
            }
        }
        append(subject.log(), rest);
        append(whole.log(), rest);
        let until = subject.log().archived();
        prop_assert_eq!(subject.log().read(Seq(0), usize::MAX), whole.log().read(Seq(0), usize::MAX));
        prop_assert_eq!(subject.log().read(until, 7), whole.log().read(until, 7));

        let (kept, full) = (tables(subject.log()), tables(whole.log()));
        for (table, rows) in &kept {
            prop_assert!(rows.iter().all(|row| full[table].contains(row)), "{}", table);
        }
        // What is live, and what each partition holds with the run that made it, is all there.
        let is = |row: &[Value], column: usize, text: &str| row[column] == Value::Text(text.to_owned());
        for row in full["wants"].iter().filter(|row| is(row, 1, "open")) {
            prop_assert!(kept["wants"].contains(row));
        }
        for row in full["runs"].iter().filter(|row| ["leased", "running", "retry_wait"].iter().any(|state| is(row, 5, state))) {
            prop_assert!(kept["runs"].contains(row));
        }
        let newest: BTreeMap<String, &Vec<Value>> =
            full["materializations"].iter().map(|row| (format!("{:?}", row[0]), row)).collect();
        for row in newest.values() {
            prop_assert!(kept["materializations"].contains(row));
            if let Value::Integer(run) = row[2] {
                prop_assert!(kept["runs"].iter().any(|row| row[0] == Value::Integer(run)));
            }
        }
        subject.log().rebuild_projections().unwrap();
        prop_assert!(tables(subject.log()) == kept);
    }
}
