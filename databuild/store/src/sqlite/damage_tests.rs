//! Damage: whatever happens to the files, what is read is what was written, or it is refused.

use super::super::contract::Subject;
use super::super::error::StoreError;
use super::super::log::{Checkpoint, EventLog};
use super::super::testing::{at, example_records};
use super::archiver::{Archiver, Cut};
use super::log::SqliteLog;
use super::sums::{sum_of, unchain};
use super::tests::{append, Sqlite};
use databuild_core::event::{Event, FilesVanished, Record};
use databuild_core::ids::Seq;
use rusqlite::Connection;
use std::fs;
use std::path::Path;

fn vanished(name: &str) -> Record {
    at(7, Event::FilesVanished(FilesVanished { partitions: vec![name.to_owned()] }))
}

/// Six events of one kind and of one size, so that nothing but their sums tells them apart.
fn alike() -> Vec<Record> {
    (0..6).map(|n| vanished(&format!("day={n}"))).collect()
}

fn log_of(records: &[Record]) -> Sqlite {
    let mut subject = Sqlite::new();
    append(subject.log(), records);
    subject
}

fn read(log: &SqliteLog) -> Result<Vec<Record>, StoreError> {
    Ok(log.read(Seq(0), usize::MAX)?.into_iter().map(|(_, record)| record).collect())
}

/// What a change of the table of events leads to, whoever reads them.
fn found_after(records: &[Record], sql: &str) -> StoreError {
    let mut subject = log_of(records);
    subject.log().connection().execute_batch(sql).unwrap();
    let error = subject.log().read(Seq(0), usize::MAX).expect_err(sql);
    assert_eq!(Archiver::new(&subject.path()).survey().unwrap().check(), Err(error.clone()), "{sql}");
    assert_eq!(error.code(), "corrupt_log", "{sql}");
    error
}

#[test]
fn an_event_that_is_changed_taken_out_or_swapped_is_found() {
    let records = alike();
    let last = records.len();
    for n in 1..=last {
        for set in ["kind = kind + 1", "sum = sum + 1", "payload = CAST(payload || x'00' AS BLOB)"] {
            let error = found_after(&records, &format!("UPDATE events SET {set} WHERE seq = {n}"));
            assert!(error.to_string().contains(&format!("event {n} is ")), "{error}");
        }
        if n < last {
            let error = found_after(&records, &format!("DELETE FROM events WHERE seq = {n}"));
            assert!(error.to_string().contains(&format!("event {n} is missing")), "{error}");
            // Those behind it move up, each with its sum.
            let closed = format!(
                "DELETE FROM events WHERE seq = {n}; UPDATE events SET seq = seq - 1 WHERE seq > {n}"
            );
            let error = found_after(&records, &closed);
            assert!(error.to_string().contains(&format!("event {n} is not as")), "{error}");
        }
        for other in n + 1..=last {
            let swap = format!(
                "UPDATE events SET seq = 100 WHERE seq = {n}; UPDATE events SET seq = {n} WHERE seq = {other};
                 UPDATE events SET seq = {other} WHERE seq = 100"
            );
            let error = found_after(&records, &swap);
            assert!(error.to_string().contains(&format!("event {n} is not as")), "{error}");
        }
    }
}

#[test]
fn an_event_of_another_log_is_found_though_it_is_whole() {
    let records = alike();
    for n in 0..records.len() {
        let mut others = records.clone();
        others[n] = vanished("day=x");
        let other = log_of(&others);
        let copy = format!(
            "ATTACH '{}' AS other; DELETE FROM events WHERE seq = {m};
             INSERT INTO events SELECT * FROM other.events WHERE seq = {m}",
            other.path().display(),
            m = n + 1
        );
        if n + 1 < records.len() {
            let error = found_after(&records, &copy);
            assert!(error.to_string().contains(&format!("event {} is not as", n + 2)), "{error}");
            continue;
        }
        // Nothing follows the last one, but its sum stands beside the log.
        let mut subject = log_of(&records);
        subject.log().connection().execute_batch(&copy).unwrap();
        subject.log = None;
        assert_eq!(SqliteLog::open(&subject.path()).unwrap_err().code(), "corrupt_log");
    }
}

#[test]
fn searches_by_kind_compare_sums_too() {
    use super::read::records_of_kinds;
    let records = alike();
    let kind = records[0].event.number();
    for n in 1..=records.len() {
        let mut subject = log_of(&records);
        let connection = subject.log().connection();
        let kinds = || records_of_kinds(connection, "log", Seq(0), [kind, kind], 100);
        assert_eq!(kinds().unwrap().len(), records.len());
        connection
            .execute("UPDATE events SET payload = CAST(payload || x'00' AS BLOB) WHERE seq = ?1", [n as i64])
            .unwrap();
        assert_eq!(kinds().unwrap_err().code(), "corrupt_log");
    }
}

/// Either it is refused, or nothing is missing and nothing is different.
fn refused_or_whole(path: &Path, records: &[Record], what: &str) -> bool {
    let read = SqliteLog::open(path).and_then(|log| read(&log));
    match read {
        Err(error) => {
            assert!(
                ["corrupt_log", "newer_log", "events_missing"].contains(&error.code()),
                "{what}: {error}"
            );
            true
        }
        Ok(read) => {
            assert!(read == records, "{what}: {} events are read, not as they were written", read.len());
            false
        }
    }
}

#[test]
fn a_bit_of_the_main_file_that_flips_is_found_or_changes_no_event() {
    let records = example_records();
    let mut subject = log_of(&records);
    subject.log = None;
    let bytes = fs::read(subject.path()).unwrap();
    let mut refused = 0;
    for at in (0..bytes.len()).step_by(211) {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(subject.path(), &flipped).unwrap();
        refused += u64::from(refused_or_whole(&subject.path(), &records, &format!("byte {at}")));
    }
    assert!(refused > 20, "{refused}");
}

#[test]
fn a_write_ahead_log_that_is_cut_or_flipped_is_found_or_changes_no_event() {
    let records = example_records();
    let mut subject = Sqlite::new();
    for batch in records.chunks(2) {
        append(subject.log(), batch);
    }
    let path = subject.path();
    let beside = |suffix: &str| path.with_file_name(format!("events.db{suffix}"));
    let (main, wal) = (fs::read(subject.path()).unwrap(), fs::read(beside("-wal")).unwrap());
    let last = fs::read(beside(".last")).unwrap();
    subject.log = None;
    let (mut cuts, mut flips) = (0, 0);
    let with = |bytes: &[u8], what: &str| {
        fs::write(subject.path(), &main).unwrap();
        fs::write(beside("-wal"), bytes).unwrap();
        fs::write(beside(".last"), &last).unwrap();
        refused_or_whole(&subject.path(), &records, what)
    };
    for at in (0..wal.len()).step_by(3499) {
        cuts += u64::from(with(&wal[..at], &format!("cut at {at}")));
        let mut flipped = wal.clone();
        flipped[at] ^= 1 << (at % 8);
        flips += u64::from(with(&flipped, &format!("byte {at}")));
    }
    assert!(cuts > 20 && flips > 20, "{cuts} cuts and {flips} flips");
    assert!(!with(&wal, "nothing"));
}

#[test]
fn logs_of_older_formats_are_chained_from_their_next_event_on() {
    let records = alike();
    let old = || {
        let mut subject = log_of(&records[..3]);
        unchain(subject.log().connection());
        fs::remove_file(subject.path().with_file_name("events.db.last")).unwrap();
        subject.reopen();
        subject
    };
    let mut subject = old();
    assert_eq!(read(subject.log()), Ok(records[..3].to_vec()));
    append(subject.log(), &records[3..]);
    subject.reopen();
    assert_eq!(read(subject.log()), Ok(records.clone()));
    let chained = sum_of(subject.log().connection(), "", Seq(6)).unwrap();
    assert_ne!(chained, sum_of(log_of(&records).log().connection(), "", Seq(6)).unwrap());
    for n in 1..=6 {
        let mut subject = old();
        append(subject.log(), &records[3..]);
        let set = "UPDATE events SET payload = CAST(payload || x'00' AS BLOB) WHERE seq = ?1";
        subject.log().connection().execute(set, [n]).unwrap();
        assert_eq!(read(subject.log()).unwrap_err().code(), "corrupt_log", "event {n}");
    }
    // Also once the old ones are in an archive.
    let mut subject = old();
    append(subject.log(), &records[3..]);
    archive(&mut subject, 2);
    archive(&mut subject, 4);
    subject.reopen();
    assert_eq!(read(subject.log()), Ok(records));
}

fn archive(subject: &mut Sqlite, until: u64) {
    let seq = subject.log().last();
    subject.log().save_checkpoint(&Checkpoint { seq, format: 1, bytes: vec![1] }).unwrap();
    Archiver::new(&subject.path()).write(&Cut { until: Seq(until), ..Cut::default() }).unwrap();
    subject.log().cut_off(Seq(until)).unwrap();
    while subject.log().purge().unwrap() {}
}

#[test]
fn an_archive_of_another_log_is_found() {
    let records = alike();
    let mut others = records.clone();
    others[0] = vanished("day=x");
    let archived = |records: &[Record]| {
        let mut subject = log_of(records);
        archive(&mut subject, 2);
        archive(&mut subject, 4);
        subject
    };
    let other = archived(&others);
    // The second archive has the same events, but what they follow is different.
    for name in ["events-1-2.sqlite", "events-3-4.sqlite"] {
        let mut subject = archived(&records);
        assert_eq!(read(subject.log()), Ok(records.clone()));
        let file = |of: &Sqlite| of.folder.path().join("archive").join(name);
        fs::copy(file(&other), file(&subject)).unwrap();
        let error = read(subject.log()).unwrap_err();
        assert_eq!(error.code(), "corrupt_log");
        let message = error.to_string();
        assert!(message.starts_with("archive ") && message.contains(name), "{message}");
        assert_eq!(Archiver::new(&subject.path()).survey().unwrap().check(), Err(error));
    }
    // And the log that follows them goes by the sum at which it was cut.
    let mut subject = archived(&records);
    let check = |subject: &Sqlite| Archiver::new(&subject.path()).survey().unwrap().check();
    assert_eq!(check(&subject), Ok(6));
    fs::remove_file(subject.folder.path().join("archive/events-1-2.sqlite")).unwrap();
    assert_eq!(check(&subject), Ok(4), "what is not there is not damaged");
    subject.log().connection().execute("UPDATE events SET sum = sum + 1 WHERE seq = 5", []).unwrap();
    assert_eq!(subject.log().read(Seq(4), 9).unwrap_err().code(), "corrupt_log");
    let connection = Connection::open(subject.path()).unwrap();
    connection.execute("DELETE FROM meta WHERE name = 'sum_of_event_4'", []).unwrap();
    let error = subject.log().read(Seq(4), 9).unwrap_err();
    assert!(error.to_string().contains("event 4 is missing"), "{error}");
}
