//! Opening and creating the file.
//!
//! Order matters: everything that can be wrong with an existing file is looked for over connections that
//! cannot write, and only then is it opened for writing (which alone may copy the write-ahead log into
//! the main file). A new file is made under another name and renamed, so that a crash leaves none or a
//! whole one.

use super::super::error::StoreError;
use super::acknowledged;
use super::beside::beside;
use super::failure::failure;
use super::read::{last_seq, records};
use super::schema::{APPLICATION_ID, FORMAT, LOG, PROJECTED_TABLES, PROJECTIONS, PROJECTIONS_VERSION};
use super::sums::BEGIN_CHAIN;
use crate::os::sync;
use databuild_core::ids::Seq;
use percent_encoding::{percent_encode, AsciiSet, NON_ALPHANUMERIC};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::Duration;

/// Files up to this size are checked page by page on opening: some tens of milliseconds at most. Bigger
/// ones are checked where they are read; each event and content has a digest.
const CHECKED_WHOLE_BYTES: u64 = 32 << 20;

/// How long to wait for a lock. Only a foreign program, such as a `sqlite3` shell, can hold one for long.
const BUSY: Duration = Duration::from_secs(5);

/// Statements kept prepared: all of ours.
const STATEMENTS: usize = 64;

/// Pages in the write-ahead log (4 KiB each) at which they are copied into the main file. Copying costs
/// two more syncs, so it should be rare; the file is read again after a crash, so it should be short.
const WAL_PAGES: i64 = 4000;

/// The level of `synchronous` at which a commit waits for the disk.
pub(super) const SYNCED: &str = "FULL";

/// The writer's connection.
pub(super) fn open_writer(path: &Path, log: &str) -> Result<Connection, StoreError> {
    // Whoever opens a log first reads its whole write-ahead log to make the index of it. The index goes with the last
    // connection, so the one that inspects stays until the writer has its own.
    let mut inspector = None;
    match fs::symlink_metadata(path) {
        // SQLite would have the write-ahead log beside the file that it leads to, and everybody else here.
        Ok(meta) if meta.is_symlink() => {
            let reason =
                "it is a symbolic link; put the file that it leads to in its place, with those beside it";
            return Err(StoreError::Unwritable { log: log.to_owned(), reason: reason.to_owned() });
        }
        Err(e) if e.kind() == ErrorKind::NotFound => {
            if wal_bytes(path) > 0 {
                let reason = "its main file is gone, though its write-ahead log is there";
                return Err(StoreError::corrupt(log, reason));
            }
            create(path, log)?;
        }
        Err(e) => return Err(unwritable(log, &e)),
        Ok(_) => {
            inspector = inspect(path, log)?;
            sync_wal(path).map_err(|e| unwritable(log, &e))?;
        }
    }

    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let fail = |e| failure(log, &e);
    let connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    configure(&connection, WAL_PAGES).map_err(fail)?;
    // SQLite opens a file it may not write for reading only, without a word.
    if connection.is_readonly("main").map_err(fail)? {
        let reason = "it may only be read".to_owned();
        return Err(StoreError::Unwritable { log: log.to_owned(), reason });
    }
    connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK").map_err(fail)?;
    drop(inspector);
    Ok(connection)
}

/// Whether an older program wrote a log last.
pub(super) fn has_older_format(connection: &Connection) -> rusqlite::Result<bool> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))? < FORMAT)
}

/// Marks a log of an older format as one of this program's, in a transaction that writes what the older program would not
/// read in full.
pub(super) fn raise_format(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(&format!("{BEGIN_CHAIN} PRAGMA user_version = {FORMAT};"))
}

/// Brings all that was committed into the main file, so that an older program finds the number of a raised format in the
/// header without touching anything.
pub(super) fn into_main_file(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// A connection that can read only. The file must have been opened by a writer of this process before.
pub(in super::super) fn open_reader(path: &Path, log: &str) -> Result<Connection, StoreError> {
    let connection = open_read_only(path, false).map_err(|e| failure(log, &e))?;
    let set = || {
        keep_plans(&connection)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "query_only", true)?;
        connection.pragma_update(None, "cache_size", -1000)?;
        Ok(())
    };
    set().map_err(|e| failure(log, &e))?;
    Ok(connection)
}

/// Keeps prepared statements and their plans. Without the guarantee SQLite parses and plans a statement again each time
/// that another value is bound to its LIMIT, which took half the time of a look-up.
fn keep_plans(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(())
}

fn configure(connection: &Connection, wal_pages: i64) -> rusqlite::Result<()> {
    keep_plans(connection)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", SYNCED)?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "wal_autocheckpoint", wal_pages)?;
    // A checkpoint of the caller's can make the file longer than it need stay.
    connection.pragma_update(None, "journal_size_limit", 2 * wal_pages * 4096)?;
    Ok(())
}

/// Makes an empty log.
fn create(path: &Path, log: &str) -> Result<(), StoreError> {
    let fresh = beside(path, ".new");
    for leftover in [fresh.clone(), beside(&fresh, "-journal"), beside(&fresh, "-wal")] {
        match fs::remove_file(&leftover) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(unwritable(log, &e)),
            _ => {}
        }
    }
    let make = || {
        let connection = Connection::open(&fresh)?;
        configure(&connection, WAL_PAGES)?;
        // Before the first table, else the file could never get smaller.
        connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
        connection.execute_batch(&format!(
            "BEGIN; PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};
             {LOG} {BEGIN_CHAIN} {PROJECTIONS} COMMIT;"
        ))?;
        connection
            .execute("INSERT INTO meta (name, value) VALUES ('projections', ?1)", [PROJECTIONS_VERSION])?;
        // Last, so that all of it is in the main file and not in a write-ahead log beside it.
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.close().map_err(|(_, e)| e)
    };
    make().map_err(|e| failure(log, &e))?;

    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    sync(&fresh)
        .and_then(|()| fs::rename(&fresh, path))
        .and_then(|()| sync(folder))
        .map_err(|e| unwritable(log, &e))
}

/// Refuses an existing file that this program cannot go on with, without changing it. Gives the connection that it read
/// the write-ahead log with, if there is one.
fn inspect(path: &Path, log: &str) -> Result<Option<Connection>, StoreError> {
    let bytes = fs::metadata(path).map_err(|e| unwritable(log, &e))?;
    if !bytes.is_file() {
        return Err(StoreError::corrupt(log, "it is not a file"));
    }
    if bytes.len() == 0 {
        return Err(StoreError::corrupt(log, "it is empty, which no event log is"));
    }

    // "Immutable" reads the main file without locks, journals or anything beside it; right if nothing
    // is beside it. With a write-ahead log only both together are a database: a crash while the one is
    // copied into the other leaves a main file that alone looks damaged.
    let alone = wal_bytes(path) == 0;
    let connection = open_read_only(path, alone).map_err(|e| failure(log, &e))?;
    check_header(&connection, log)?;
    check_contents(&connection, log, bytes.len())?;
    acknowledged::check(path, &connection, log, last_seq(&connection, log)?)?;
    Ok((!alone).then_some(connection))
}

pub(super) fn check_header(connection: &Connection, log: &str) -> Result<(), StoreError> {
    let number = |pragma: &str| -> Result<i64, StoreError> {
        connection.pragma_query_value(None, pragma, |row| row.get(0)).map_err(|e| failure(log, &e))
    };
    if number("application_id")? != APPLICATION_ID {
        return Err(StoreError::corrupt(log, "it is a database, but no event log"));
    }
    match number("user_version")? {
        found if found > FORMAT => Err(StoreError::NewerLog { log: log.to_owned(), found, known: FORMAT }),
        found if found < 1 => Err(StoreError::corrupt(log, format!("its format number is {found}"))),
        _ => Ok(()),
    }
}

fn check_contents(connection: &Connection, log: &str, bytes: u64) -> Result<(), StoreError> {
    let fail = |e| failure(log, &e);
    if bytes <= CHECKED_WHOLE_BYTES {
        let verdict: String =
            connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(fail)?;
        if verdict != "ok" {
            return Err(StoreError::corrupt(log, verdict.trim()));
        }
    }
    let mut statement = connection
        .prepare("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = ?1")
        .map_err(fail)?;
    let mut check = |table: &str| {
        let count: i64 = statement.query_row([table], |row| row.get(0)).map_err(fail)?;
        match count {
            1 => Ok(()),
            _ => Err(StoreError::corrupt(log, format!("its table {table} is missing"))),
        }
    };
    ["events", "blobs", "checkpoints", "meta"].into_iter().try_for_each(&mut check)?;
    // Lists of another version are made again, whichever they were.
    if projections_version(connection, log)? == Some(PROJECTIONS_VERSION) {
        PROJECTED_TABLES.into_iter().try_for_each(check)?;
    }
    let last = last_seq(connection, log)?;
    if last > Seq(0) {
        records(connection, log, Seq(last.0 - 1), 1)?;
    }
    Ok(())
}

/// The version of the history lists in a log; none if there are none that are whole.
pub(super) fn projections_version(connection: &Connection, log: &str) -> Result<Option<i64>, StoreError> {
    connection
        .query_row("SELECT value FROM meta WHERE name = 'projections'", [], |row| row.get(0))
        .optional()
        .map_err(|e| failure(log, &e))
}

pub(super) fn open_read_only(path: &Path, immutable: bool) -> rusqlite::Result<Connection> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri(path, if immutable { "immutable=1" } else { "mode=ro" }), flags)
}

/// Characters that cannot stand in the path of a URI as they are.
const IN_URI: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.');

/// A path as SQLite takes it together with parameters.
pub(super) fn uri(path: &Path, parameters: &str) -> String {
    format!("file:{}?{parameters}", percent_encode(path.as_os_str().as_bytes(), IN_URI))
}

/// A process that was killed may have left commits that did not wait for the disk. Whoever opens the log tells of them.
fn sync_wal(path: &Path) -> std::io::Result<()> {
    match File::open(beside(path, "-wal")) {
        Ok(wal) => wal.sync_data(),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

fn wal_bytes(path: &Path) -> u64 {
    fs::metadata(beside(path, "-wal")).map_or(0, |m| m.len())
}

pub(super) fn unwritable(log: &str, error: &std::io::Error) -> StoreError {
    if error.kind() == ErrorKind::StorageFull {
        return StoreError::DiskFull { log: log.to_owned() };
    }
    StoreError::Unwritable { log: log.to_owned(), reason: error.to_string() }
}
