use super::super::contract::{contract, Subject};
use super::super::error::StoreError;
use super::super::log::{Batch, EventLog};
use super::super::testing::{at, example_records, history};
use super::archiver::{Archiver, Cut};
use super::log::SqliteLog;
use super::open::into_main_file;
use super::schema::{FORMAT, PROJECTED_TABLES, PROJECTIONS_VERSION};
use databuild_core::event::{Event, FilesVanished, Record};
use databuild_core::ids::Seq;
use proptest::prelude::*;
use rusqlite::types::Value;
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

pub(super) struct Sqlite {
    pub(super) folder: TempDir,
    pub(super) log: Option<SqliteLog>,
}

impl Sqlite {
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("events.db")
    }

    /// Closed, with every example in it.
    fn with_examples() -> Sqlite {
        let mut subject = Sqlite::new();
        append(subject.log(), &example_records());
        subject.log = None;
        subject
    }

    /// The error of opening, after which each file is what it was.
    fn refusal(&self) -> StoreError {
        let before = files(self.folder.path());
        let error = SqliteLog::open(&self.path()).expect_err("not refused");
        assert_eq!(names(&before), names(&files(self.folder.path())));
        assert!(before == files(self.folder.path()), "a file changed");
        let message = error.to_string();
        assert!(message.contains("events.db"), "{message}");
        error
    }
}

impl Subject for Sqlite {
    type Log = SqliteLog;

    fn new() -> Sqlite {
        let folder = tempfile::tempdir().unwrap();
        let log = Some(SqliteLog::open(&folder.path().join("events.db")).unwrap());
        Sqlite { folder, log }
    }

    fn log(&mut self) -> &mut SqliteLog {
        self.log.as_mut().unwrap()
    }

    fn reopen(&mut self) {
        self.log = None;
        self.log = Some(SqliteLog::open(&self.path()).unwrap());
    }

    fn fill_disk(&mut self) {
        let pages: i64 = pragma(self.log().connection(), "page_count");
        self.log().connection().pragma_update(None, "max_page_count", pages).unwrap_or(());
        assert_eq!(pages, pragma(self.log().connection(), "max_page_count"));
    }

    fn free_disk(&mut self) {
        self.log().connection().pragma_update(None, "max_page_count", 1 << 30).unwrap_or(());
    }

    fn archive(&mut self, until: Seq) {
        Archiver::new(&self.path()).write(&Cut { until, ..Cut::default() }).unwrap();
    }

    fn lose_archives(&mut self) {
        fs::remove_dir_all(self.folder.path().join("archive")).unwrap();
    }

    fn damage_checkpoint(&mut self, seq: Seq) {
        let changed = self
            .log()
            .connection()
            .execute("UPDATE checkpoints SET bytes = x'00' WHERE seq = ?1", [seq.0 as i64])
            .unwrap();
        assert_eq!(changed, 1);
    }
}

contract!(Sqlite);

pub(super) fn pragma(connection: &Connection, name: &str) -> i64 {
    connection.pragma_query_value(None, name, |row| row.get(0)).unwrap()
}

pub(super) fn append(log: &mut SqliteLog, records: &[Record]) -> Seq {
    log.append(&Batch { records: records.to_vec(), blobs: vec![] }).unwrap()
}

/// Name to bytes of each file, but for the index of the write-ahead log, which is memory in a file.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.path()))
        .filter(|(name, path)| !name.ends_with("-shm") && path.is_file())
        .map(|(name, path)| (name, fs::read(path).unwrap()))
        .collect()
}

fn names(files: &BTreeMap<String, Vec<u8>>) -> Vec<&String> {
    files.keys().collect()
}

pub(super) fn tables(log: &SqliteLog) -> BTreeMap<&'static str, Vec<Vec<Value>>> {
    PROJECTED_TABLES
        .into_iter()
        .map(|table| {
            let mut statement =
                log.connection().prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
            let columns = statement.column_count();
            let rows = statement
                .query_map([], |row| (0..columns).map(|i| row.get(i)).collect())
                .unwrap()
                .collect::<Result<_, _>>()
                .unwrap();
            (table, rows)
        })
        .collect()
}

#[test]
fn the_file_says_what_it_is_and_how_it_is_kept() {
    let mut subject = Sqlite::new();
    let connection = subject.log().connection();
    assert_eq!(pragma(connection, "application_id"), 0x4442_454c);
    assert_eq!(pragma(connection, "user_version"), FORMAT);
    assert_eq!(pragma(connection, "synchronous"), 2, "FULL");
    assert_eq!(pragma(connection, "foreign_keys"), 1);
    let mode: String = connection.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
    assert_eq!(mode, "wal");
    assert_eq!(fs::read(subject.path()).unwrap()[68..72], *b"DBEL");
}

#[test]
fn a_log_in_a_folder_with_an_odd_name_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let odd = folder.path().join("a?b#c%41 ü");
    fs::create_dir(&odd).unwrap();
    let path = odd.join("events.db");
    append(&mut SqliteLog::open(&path).unwrap(), &example_records());
    assert_eq!(SqliteLog::open(&path).unwrap().last(), Seq(example_records().len() as u64));
}

#[test]
fn what_is_no_database_is_refused() {
    for bytes in [&b""[..], b"hello", &[0x55; 100_000]] {
        let subject = Sqlite::with_examples();
        fs::write(subject.path(), bytes).unwrap();
        assert_eq!(subject.refusal().code(), "corrupt_log");
    }
}

#[test]
fn another_programs_database_is_refused() {
    let subject = Sqlite::with_examples();
    fs::remove_file(subject.path()).unwrap();
    Connection::open(subject.path()).unwrap().execute_batch("CREATE TABLE t (x)").unwrap();
    let error = subject.refusal();
    assert_eq!(error.code(), "corrupt_log");
    assert!(error.to_string().contains("no event log"), "{error}");
}

#[test]
fn a_folder_in_its_place_is_refused() {
    let subject = Sqlite::with_examples();
    fs::remove_file(subject.path()).unwrap();
    fs::create_dir(subject.path()).unwrap();
    let error = SqliteLog::open(&subject.path()).unwrap_err();
    assert_eq!(error.code(), "corrupt_log");
}

#[test]
fn a_truncated_log_is_refused() {
    let subject = Sqlite::with_examples();
    let bytes = fs::read(subject.path()).unwrap();
    for length in [50, 4096, bytes.len() / 2, bytes.len() - 4096] {
        fs::write(subject.path(), &bytes[..length]).unwrap();
        assert_eq!(subject.refusal().code(), "corrupt_log", "{length} bytes");
    }
}

/// A file beside the log.
fn beside(subject: &Sqlite, suffix: &str) -> PathBuf {
    subject.path().with_file_name(format!("events.db{suffix}"))
}

#[test]
fn a_log_that_lost_acknowledged_events_is_refused_and_says_how_many() {
    let records = example_records();
    for cut in [8, usize::MAX] {
        let mut subject = Sqlite::new();
        append(subject.log(), &records[..1]);
        subject.reopen();
        append(subject.log(), &records[1..5]);
        let main = fs::read(subject.path()).unwrap();
        let wal = fs::read(beside(&subject, "-wal")).unwrap();
        let last = fs::read(beside(&subject, ".last")).unwrap();
        subject.log = None;
        // As it was before it was closed, but for the end of its write-ahead log.
        fs::write(subject.path(), main).unwrap();
        fs::write(beside(&subject, "-wal"), &wal[..wal.len() / cut]).unwrap();
        let error = SqliteLog::open(&subject.path()).unwrap_err();
        assert_eq!(error.code(), "events_missing");
        assert!(error.to_string().starts_with("4 acknowledged events are missing"), "{error}");
        // Of a copy, that is nothing to say: it may have been made in between.
        let copy = tempfile::tempdir().unwrap();
        let path = copy.path().join("events.db");
        fs::copy(subject.path(), &path).unwrap();
        fs::write(copy.path().join("events.db.last"), &last).unwrap();
        assert_eq!(SqliteLog::open(&path).unwrap().last(), Seq(1));
        fs::remove_file(beside(&subject, ".last")).unwrap();
        assert_eq!(SqliteLog::open(&subject.path()).unwrap().last(), Seq(1));
    }
}

/// What power loss may leave: the write-ahead log without what did not wait for the disk.
#[test]
fn what_did_not_wait_for_the_disk_may_be_lost_and_counts_once_more_is_appended() {
    let records = example_records();
    for more in [false, true] {
        let mut subject = Sqlite::new();
        append(subject.log(), &records[..2]);
        let wal = fs::read(beside(&subject, "-wal")).unwrap();
        let main = fs::read(subject.path()).unwrap();
        let batch = Batch { records: records[2..4].to_vec(), blobs: vec![] };
        subject.log().append_unsynced(&batch).unwrap();
        let level = |subject: &mut Sqlite| -> i64 {
            let connection = subject.log().connection();
            connection.pragma_query_value(None, "synchronous", |row| row.get(0)).unwrap()
        };
        assert_eq!(level(&mut subject), 1);
        if more {
            append(subject.log(), &records[4..5]);
            assert_eq!(level(&mut subject), 2);
        }
        subject.log = None;
        fs::write(subject.path(), main).unwrap();
        fs::write(beside(&subject, "-wal"), wal).unwrap();
        match (more, SqliteLog::open(&subject.path())) {
            (false, Ok(log)) => assert_eq!(log.last(), Seq(2)),
            (true, Err(error)) => assert_eq!(error.code(), "events_missing"),
            (_, other) => panic!("{more}: {other:?}"),
        }
    }
}

#[test]
fn another_log_in_the_same_file_is_refused() {
    let subject = Sqlite::with_examples();
    let mut other = Sqlite::new();
    let records = example_records();
    append(other.log(), &vec![records[0].clone(); records.len()]);
    other.log = None;
    fs::write(subject.path(), fs::read(other.path()).unwrap()).unwrap();
    let error = subject.refusal();
    assert_eq!(error.code(), "corrupt_log");
    assert!(error.to_string().contains("is not the one that"), "{error}");
}

#[test]
fn a_log_with_a_broken_page_is_refused() {
    let subject = Sqlite::with_examples();
    let file = fs::OpenOptions::new().write(true).open(subject.path()).unwrap();
    let root: i64 = Connection::open(subject.path())
        .unwrap()
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'events'", [], |r| r.get(0))
        .unwrap();
    file.write_all_at(&[0xff; 64], (root as u64 - 1) * 4096).unwrap();
    assert_eq!(subject.refusal().code(), "corrupt_log");
}

#[test]
fn a_changed_event_is_found_when_it_is_read() {
    let mut subject = Sqlite::new();
    append(subject.log(), &example_records());
    let last = subject.log().last();
    let change = |log: &SqliteLog, seq: Seq| {
        let sql = "UPDATE events SET payload = CAST(payload || x'00' AS BLOB) WHERE seq = ?1";
        assert_eq!(log.connection().execute(sql, [seq.0 as i64]).unwrap(), 1);
    };
    change(subject.log(), Seq(5));
    let error = subject.log().read(Seq(0), 100).unwrap_err();
    assert_eq!(error.code(), "corrupt_log");
    assert!(error.to_string().contains("event 5 is not as it was written"), "{error}");
    assert!(subject.log().read(Seq(5), 100).is_ok());

    // The last event is looked at on opening.
    change(subject.log(), last);
    subject.log = None;
    assert_eq!(subject.refusal().code(), "corrupt_log");
}

#[test]
fn a_missing_event_or_content_is_found_when_it_is_read() {
    let mut subject = Sqlite::new();
    append(subject.log(), &example_records());
    let delete = |log: &SqliteLog, sql: &str| log.connection().execute(sql, []).unwrap();
    delete(subject.log(), "DELETE FROM events WHERE seq = 5");
    let error = subject.log().read(Seq(3), 100).unwrap_err();
    assert!(error.to_string().contains("event 5 is missing"), "{error}");

    delete(subject.log(), "DELETE FROM blobs");
    let error = subject.log().read(Seq(0), 1).unwrap_err();
    assert_eq!(error.code(), "corrupt_log");
    assert!(error.to_string().contains("of event 1 is missing"), "{error}");
}

#[test]
fn a_newer_log_is_refused() {
    let mut subject = Sqlite::with_examples();
    let change = |path: &Path, journal: &str| {
        let connection = Connection::open(path).unwrap();
        connection.pragma_update(None, "journal_mode", journal).unwrap();
        connection.pragma_update(None, "user_version", FORMAT + 1).unwrap();
        // Whatever a later format looks like inside, its number is what is spoken of.
        connection.execute_batch("DROP TABLE meta").unwrap();
    };
    change(&subject.path(), "DELETE");
    let want = |path: &Path| StoreError::NewerLog {
        log: path.display().to_string(),
        found: FORMAT + 1,
        known: FORMAT,
    };
    assert_eq!(subject.refusal(), want(&subject.path()));

    subject = Sqlite::with_examples();
    change(&subject.path(), "WAL");
    assert_eq!(subject.refusal(), want(&subject.path()));
}

#[test]
fn a_log_of_an_older_format_is_read_and_marked_in_its_main_file() {
    let subject = Sqlite::with_examples();
    let header = |path: &Path| {
        let mut bytes = [0; 4];
        fs::File::open(path).unwrap().read_exact_at(&mut bytes, 60).unwrap();
        i64::from(u32::from_be_bytes(bytes))
    };
    let connection = Connection::open(subject.path()).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    // Lists of another version, which are made again.
    connection.execute_batch("UPDATE meta SET value = 0 WHERE name = 'projections'").unwrap();
    into_main_file(&connection).unwrap();
    drop(connection);
    let mut log = SqliteLog::open(&subject.path()).unwrap();
    assert_eq!(log.read(Seq(0), 1000).unwrap().len(), example_records().len());
    into_main_file(log.connection()).unwrap();
    assert_eq!(
        header(&subject.path()),
        1,
        "as long as nothing was added the older program can go on with it"
    );
    log.append(&Batch { records: example_records()[..1].to_vec(), blobs: Vec::new() }).unwrap();
    assert_eq!(header(&subject.path()), FORMAT);
}

/// The files of a crashed newer program, whose change of the number is still in the write-ahead log.
#[test]
fn a_newer_log_is_refused_before_its_write_ahead_log_is_touched() {
    let subject = Sqlite::with_examples();
    let connection = Connection::open(subject.path()).unwrap();
    connection.pragma_update(None, "user_version", FORMAT + 1).unwrap();
    let crashed = Sqlite { folder: tempfile::tempdir().unwrap(), log: None };
    copy_files(subject.folder.path(), crashed.folder.path());
    assert!(fs::metadata(crashed.folder.path().join("events.db-wal")).unwrap().len() > 0);
    assert_eq!(crashed.refusal().code(), "newer_log");
}

#[test]
fn an_event_of_a_later_format_is_refused_by_name() {
    let subject = Sqlite::with_examples();
    let connection = Connection::open(subject.path()).unwrap();
    // A record with field 99 and a right check sum, as a later program would write it.
    let payload = vec![0x9a, 0x06, 0x00];
    let seq = Seq(example_records().len() as u64 + 1);
    let last = super::sums::sum_of(&connection, "", Seq(seq.0 - 1)).unwrap().unwrap();
    let sum = super::sums::sum(last, seq, &payload);
    connection
        .execute(
            "INSERT INTO events (seq, at_us, kind, sum, payload) VALUES (?1, 0, 99, ?2, ?3)",
            rusqlite::params![seq.0 as i64, sum, payload],
        )
        .unwrap();
    drop(connection);
    let error = subject.refusal();
    assert_eq!(error.code(), "newer_format");
    assert!(error.to_string().contains("a record with field 99"), "{error}");
}

#[test]
fn a_write_ahead_log_alone_is_not_thrown_away() {
    let mut subject = Sqlite::new();
    append(subject.log(), &example_records());
    let crashed = Sqlite { folder: tempfile::tempdir().unwrap(), log: None };
    copy_files(subject.folder.path(), crashed.folder.path());
    fs::remove_file(crashed.path()).unwrap();
    assert_eq!(crashed.refusal().code(), "corrupt_log");
}

#[test]
fn what_was_appended_survives_a_crash() {
    let mut subject = Sqlite::new();
    let records = example_records();
    append(subject.log(), &records);
    // What a crash leaves: the files as they are, without a clean close.
    let crashed = Sqlite { folder: tempfile::tempdir().unwrap(), log: None };
    copy_files(subject.folder.path(), crashed.folder.path());
    let log = SqliteLog::open(&crashed.path()).unwrap();
    let found: Vec<_> = log.read(Seq(0), 100).unwrap().into_iter().map(|(_, r)| r).collect();
    assert_eq!(found, records);
    assert_eq!(tables(&log), tables(subject.log()));
}

/// The write-ahead log is copied page by page, so a crash (or a full disk) can leave any part of it in
/// the main file; what counts is both together.
#[test]
fn a_crash_while_the_write_ahead_log_is_copied_loses_nothing() {
    let mut subject = Sqlite::new();
    let before = fs::read(subject.path()).unwrap();
    for _ in 0..40 {
        append(subject.log(), &example_records());
    }
    let last = subject.log().last();
    let wal = fs::read(subject.folder.path().join("events.db-wal")).unwrap();
    subject.log = None;
    let after = fs::read(subject.path()).unwrap();
    let pages = after.len() / 4096;
    assert!(pages > before.len() / 4096 + 3, "the copy makes the file longer");

    for copied in [0, 1, 2, pages / 2, pages - 1, pages] {
        let crashed = Sqlite { folder: tempfile::tempdir().unwrap(), log: None };
        let mut main = after[..copied * 4096].to_vec();
        main.extend(before.get(main.len()..).unwrap_or_default());
        fs::write(crashed.path(), main).unwrap();
        fs::write(crashed.folder.path().join("events.db-wal"), &wal).unwrap();
        let log = SqliteLog::open(&crashed.path()).unwrap();
        assert_eq!(log.last(), last, "{copied} pages copied");
        assert_eq!(log.read(Seq(0), usize::MAX).unwrap().len() as u64, last.0);
    }
}

#[test]
fn a_crash_while_the_log_is_made_leaves_no_log() {
    let folder = tempfile::tempdir().unwrap();
    for leftover in ["events.db.new", "events.db.new-journal", "events.db.new-wal"] {
        fs::write(folder.path().join(leftover), b"half").unwrap();
    }
    drop(SqliteLog::open(&folder.path().join("events.db")).unwrap());
    assert_eq!(names(&files(folder.path())), ["events.db"]);
}

pub(super) fn copy_files(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for (name, bytes) in files(from) {
        fs::write(to.join(name), bytes).unwrap();
    }
}

#[test]
fn a_log_that_is_a_link_is_refused_and_loses_nothing() {
    let subject = Sqlite::with_examples();
    let elsewhere = tempfile::tempdir().unwrap();
    let target = elsewhere.path().join("moved");
    fs::rename(subject.path(), &target).unwrap();
    for target in [&target, Path::new("/nonexistent/x")] {
        std::os::unix::fs::symlink(target, subject.path()).unwrap();
        let error = SqliteLog::open(&subject.path()).expect_err("not refused");
        assert_eq!(error.code(), "state_unwritable");
        assert!(error.to_string().contains("symbolic link"), "{error}");
        fs::remove_file(subject.path()).unwrap();
    }
    fs::rename(&target, subject.path()).unwrap();
    assert_eq!(SqliteLog::open(&subject.path()).unwrap().last(), Seq(example_records().len() as u64));
}

/// Whoever removes one of them takes events away.
#[test]
fn the_files_of_an_open_log_are_there() {
    let mut subject = Sqlite::new();
    assert!(SqliteLog::files(&subject.path()).iter().all(|file| file.exists()));
    append(subject.log(), &example_records());
}

/// That is what the state folder's path is held against.
#[test]
fn a_log_may_have_a_path_of_five_hundred_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let rest = 512 - ".new-journal".len() - folder.path().as_os_str().len() - "/events.db".len();
    let inner = folder.path().join("a".repeat(200)).join("b".repeat(200)).join("c".repeat(rest - 403));
    fs::create_dir_all(&inner).unwrap();
    let path = inner.join("events.db");
    assert_eq!(path.as_os_str().len(), 500);
    let mut log = SqliteLog::open(&path).unwrap();
    append(&mut log, &example_records());
    let longer = inner.join("events.db1");
    assert_eq!(SqliteLog::open(&longer).expect_err("too long").code(), "state_unwritable");
}

/// The loop keeps the last position, so that must never wait.
#[test]
fn a_pipe_beside_the_log_holds_up_nobody() {
    let mut subject = Sqlite::with_examples();
    let last = subject.folder.path().join("events.db.last");
    fs::remove_file(&last).unwrap();
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &last,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    subject.log = Some(SqliteLog::open(&subject.path()).unwrap());
    append(subject.log(), &example_records());
}

#[test]
fn a_folder_that_is_not_there_is_unwritable() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), b"").unwrap();
    for missing in ["none/events.db", "file/events.db"] {
        let error = SqliteLog::open(&folder.path().join(missing)).unwrap_err();
        assert_eq!(error.code(), "state_unwritable", "{error}");
    }
}

#[test]
fn a_foreign_writer_is_noticed_before_anything_is_mixed() {
    let mut subject = Sqlite::new();
    append(subject.log(), &example_records());
    let mut other = SqliteLog::open(&subject.path()).unwrap();
    append(&mut other, &example_records());
    let batch = Batch { records: example_records(), blobs: vec![] };
    for _ in 0..2 {
        let error = subject.log().append(&batch).unwrap_err();
        assert_eq!(error.code(), "log_other_writer");
    }
    assert_eq!(other.last(), Seq(2 * example_records().len() as u64));
    assert_eq!(other.read(other.last(), 10), Ok(vec![]));
}

#[test]
fn a_full_disk_leaves_the_lists_as_they_were() {
    let mut subject = Sqlite::new();
    append(subject.log(), &example_records());
    let before = tables(subject.log());
    subject.fill_disk();
    let mut records = example_records();
    let partitions = vec!["p".repeat(1 << 20)];
    records.push(at(0, Event::FilesVanished(FilesVanished { partitions })));
    let batch = Batch { records, blobs: vec![] };
    assert_eq!(subject.log().append(&batch).unwrap_err().code(), "disk_full");
    assert_eq!(tables(subject.log()), before);
}

#[test]
fn lists_of_another_version_are_made_again_on_opening() {
    let mut subject = Sqlite::new();
    append(subject.log(), &example_records());
    let whole = tables(subject.log());
    subject
        .log()
        .connection()
        .execute_batch(
            "UPDATE meta SET value = 0 WHERE name = 'projections'; DELETE FROM attempts; UPDATE runs SET state = 'old';
             ALTER TABLE wants RENAME COLUMN comment TO remark;",
        )
        .unwrap();
    subject.reopen();
    assert_eq!(tables(subject.log()), whole);
    assert_eq!(
        super::open::projections_version(subject.log().connection(), ""),
        Ok(Some(PROJECTIONS_VERSION))
    );
    assert_eq!(whole["runs"].len(), 1, "the comparison compares something");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn lists_made_again_equal_those_kept_up(
        choices in prop::collection::vec(any::<u32>(), 0..150),
        batch in 1_usize..12,
    ) {
        let mut subject = Sqlite::new();
        let records = history(&choices);
        for records in records.chunks(batch) {
            append(subject.log(), records);
        }
        let kept_up = tables(subject.log());
        subject.log().connection().execute_batch("DELETE FROM attempts; DELETE FROM wants").unwrap();
        subject.log().rebuild_projections().unwrap();
        prop_assert_eq!(&tables(subject.log()), &kept_up);

        // And each run that the history speaks of has its row, with as many attempts as leases.
        let leases = records.iter().filter(|r| matches!(r.event, Event::AttemptLeased(_))).count();
        prop_assert_eq!(kept_up["attempts"].len(), leases);
    }
}
