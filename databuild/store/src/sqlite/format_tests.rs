//! Logs of each format that there ever was are read: `fixtures/format-N.sql` is one with an example of each event, as a
//! program of that time wrote it.
//!
//! `UPDATE=1 cargo test -p databuild format_tests` writes that of the present format anew. Those of earlier formats never
//! change.

use super::super::log::{Batch, EventLog as _};
use super::super::testing::{at, example_records};
use super::log::SqliteLog;
use super::schema::FORMAT;
use databuild_core::event::{
    AttemptEnded, Event, FilesVanished, KeysAdded, PlanCreated, Record, TrialCreated, WantEnded,
};
use databuild_core::ids::Seq;
use rusqlite::types::ValueRef;
use rusqlite::Connection;
use std::path::Path;

const FIXTURES: [(i64, &str); 4] = [
    (1, include_str!("fixtures/format-1.sql")),
    (2, include_str!("fixtures/format-2.sql")),
    (3, include_str!("fixtures/format-3.sql")),
    (4, include_str!("fixtures/format-4.sql")),
];

/// All that a log consists of, without the lists that are made of it.
fn dump(path: &Path) -> String {
    let connection = Connection::open(path).unwrap();
    let number =
        |pragma: &str| connection.pragma_query_value(None, pragma, |row| row.get::<_, i64>(0)).unwrap();
    let mut text = String::new();
    for pragma in ["application_id", "user_version"] {
        text += &format!("PRAGMA {pragma} = {};\n", number(pragma));
    }
    for table in ["events", "blobs", "checkpoints", "meta"] {
        let sql = "SELECT sql FROM sqlite_master WHERE name = ?1";
        let sql: String = connection.query_row(sql, [table], |row| row.get(0)).unwrap();
        text += &format!("{sql};\n");
    }
    for table in ["blobs", "events", "meta"] {
        let mut select = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = select.column_count();
        let mut rows = select.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let cells: Vec<String> = (0..columns).map(|at| literal(row.get_ref(at).unwrap())).collect();
            if cells[0] != "'projections'" {
                text += &format!("INSERT INTO {table} VALUES ({});\n", cells.join(", "));
            }
        }
    }
    text
}

fn literal(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Text(text) => format!("'{}'", String::from_utf8_lossy(text)),
        ValueRef::Blob(bytes) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("X'{hex}'")
        }
        other => panic!("a log has no such value: {other:?}"),
    }
}

#[test]
fn the_fixture_of_this_format_is_what_this_program_writes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let mut log = SqliteLog::open(&path).unwrap();
    log.append(&Batch { records: example_records(), blobs: Vec::new() }).unwrap();
    drop(log);
    let written = dump(&path);
    if std::env::var_os("UPDATE").is_some() {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").expect("updating needs Cargo");
        let file = format!("src/sqlite/fixtures/format-{FORMAT}.sql");
        std::fs::write(Path::new(&manifest).join(file), written).unwrap();
        return;
    }
    let (format, fixture) = FIXTURES[FIXTURES.len() - 1];
    assert_eq!(format, FORMAT, "a new format needs a fixture");
    // Not `assert_eq!`: nobody reads that.
    assert!(
        written == fixture,
        "events are stored in another way than fixtures/format-{FORMAT}.sql says; if that format is in use already, \
         raise FORMAT, else run `UPDATE=1 cargo test -p databuild format_tests`"
    );
}

#[test]
fn logs_of_all_formats_are_read_and_go_on() {
    for (format, fixture) in FIXTURES {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        Connection::open(&path).unwrap().execute_batch(fixture).unwrap();
        let mut log = SqliteLog::open(&path).unwrap();
        let found: Vec<Record> =
            log.read(Seq(0), usize::MAX).unwrap().into_iter().map(|(_, record)| record).collect();
        let now = example_records();
        assert!(found.len() <= now.len(), "format {format}");
        for (old, new) in found.iter().zip(&now) {
            assert_eq!(old.at, new.at);
            // What came later is not in earlier logs; what an event gained is left out in them.
            let example =
                now.iter().map(|record| &record.event).find(|e| e.kind() == old.event.kind()).unwrap();
            assert_eq!(without_news(&old.event, format), without_news(example, format), "format {format}");
            if format < 4 {
                assert_eq!(
                    old.origin.to_string(),
                    said_then(&old.event),
                    "format {format}: {}",
                    old.event.kind()
                );
            } else {
                assert_eq!(old.origin, new.origin);
            }
        }
        let more = at(99, Event::FilesVanished(FilesVanished { partitions: Vec::new() }));
        log.append(&Batch { records: vec![more], blobs: Vec::new() }).unwrap();
        drop(log);
        let log = SqliteLog::open(&path).unwrap();
        assert_eq!(log.last(), Seq(found.len() as u64 + 1), "format {format}");
        let raised: i64 = Connection::open(&path)
            .unwrap()
            .pragma_query_value(None, "user_version", |row| row.get(0))
            .unwrap();
        assert_eq!(raised, FORMAT);
    }
}

/// An event without what it gained after that format.
fn without_news(event: &Event, format: i64) -> Event {
    match event.clone() {
        Event::WantCreated(mut want) if format < 2 => {
            want.request = None;
            (want.asked, want.written) = (Vec::new(), Vec::new());
            Event::WantCreated(want)
        }
        Event::WantCreated(mut want) if format < 4 => {
            want.written = Vec::new();
            Event::WantCreated(want)
        }
        Event::PlanCreated(plan) if format < 4 => Event::PlanCreated(PlanCreated { request: None, ..plan }),
        Event::TrialCreated(trial) if format < 4 => {
            Event::TrialCreated(TrialCreated { request: None, ..trial })
        }
        Event::KeysAdded(keys) if format < 4 => Event::KeysAdded(KeysAdded { back: Vec::new(), ..keys }),
        Event::WantReplanned(mut want) if format < 2 => {
            (want.successors, want.whole) = (Vec::new(), false);
            Event::WantReplanned(want)
        }
        Event::WantEnded(ended) if format < 4 => Event::WantEnded(WantEnded { counts: None, ..ended }),
        Event::AttemptEnded(ended) if format < 4 => {
            Event::AttemptEnded(AttemptEnded { returned: Vec::new(), ..ended })
        }
        other => other,
    }
}

/// Whom an event of the examples of that time names.
fn said_then(event: &Event) -> &'static str {
    match event {
        Event::WantCreated(_) => "r11",
        Event::KeysAdded(_) => "r12",
        Event::Tainted(_)
        | Event::Untainted(_)
        | Event::CodeAccepted(_)
        | Event::Adopted(_)
        | Event::KeysRetired(_)
        | Event::PoolResized(_)
        | Event::TrialCreated(_) => "ada",
        _ => "databuild",
    }
}
