//! Writes archives.
//!
//! An archive is made under another name, brought to disk, read back and only then renamed into place; the
//! log is cut off after that ([`super::super::EventLog::cut_off`]). A crash in between leaves a file that does
//! not count, which the next archive replaces.

use super::super::error::StoreError;
use super::archives::Archives;
use super::failure::failure;
use super::open::{unwritable, uri};
use super::read::records;
use super::schema::{APPLICATION_ID, FORMAT, LOG, PROJECTIONS, PROJECTIONS_VERSION};
use super::sums::COPY_CHAIN;
use super::survey::Survey;
use crate::os::sync;
use databuild_core::ids::{GraphId, RunId, Seq};
use rusqlite::{params, Connection, OpenFlags};
use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Events copied or read back at a time.
const PIECE: u64 = 5000;

/// What is to go, and which rows of the history lists stay although they are of events that go.
///
/// Without any such row, these stay: what each partition held at `until`, the runs that made that, and wants and runs that
/// ended later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut {
    /// The last event that goes.
    pub until: Seq,
    /// Data by partition and event, though other data took its place.
    pub data: BTreeSet<(String, Seq)>,
    /// Runs that are over and made nothing that is there.
    pub runs: BTreeSet<RunId>,
    /// Graphs, with their contents and those of their sources.
    pub graphs: BTreeSet<GraphId>,
}

/// Writes the archives of a log, on any thread, while the log is in use.
#[derive(Debug)]
pub struct Archiver {
    path: PathBuf,
    log: String,
    archives: Archives,
    turn: Mutex<()>,
}

impl Archiver {
    /// That of the log at `path`, which a [`super::SqliteLog`] of this process has open.
    #[must_use]
    pub fn new(path: &Path) -> Archiver {
        Archiver {
            path: path.to_owned(),
            log: path.display().to_string(),
            archives: Archives::of(path),
            turn: Mutex::new(()),
        }
    }

    /// To be held from the survey to the cut, so that one archive is made at a time.
    pub fn turn(&self) -> MutexGuard<'_, ()> {
        // It guards no data.
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the log has.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn survey(&self) -> Result<Survey, StoreError> {
        Survey::open(&self.path, &self.log)
    }

    /// Writes the archive of what the log has up to `cut.until`. Returns its path and its size.
    ///
    /// # Errors
    /// `disk_full` and the like; nothing that counts was changed.
    pub fn write(&self, cut: &Cut) -> Result<(PathBuf, u64), StoreError> {
        let archived = self.survey()?.archived()?;
        let file = self.archives.file(archived.next(), cut.until);
        let folder = self.archives.folder();
        let failed = |e: std::io::Error| unwritable(&file.name(), &e);
        fs::create_dir_all(folder).map_err(failed)?;
        for leftover in self.archives.files()?.into_iter().filter(|file| file.last > archived) {
            fs::remove_file(&leftover.path).map_err(failed)?;
        }
        let fresh = folder.join("archive.new");
        match fs::remove_file(&fresh) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(failed(e)),
            _ => {}
        }
        self.fill(&fresh, archived, cut)?;
        sync(&fresh).map_err(failed)?;
        read_back(&fresh, archived, cut.until)?;
        fs::rename(&fresh, &file.path)
            .and_then(|()| sync(folder))
            // The folder may be new too.
            .and_then(|()| folder.parent().map_or(Ok(()), sync))
            .map_err(failed)?;
        let bytes = fs::metadata(&file.path).map_err(failed)?.len();
        Ok((file.path, bytes))
    }

    fn fill(&self, fresh: &Path, archived: Seq, cut: &Cut) -> Result<(), StoreError> {
        let name = fresh.display().to_string();
        let fail = |e| failure(&name, &e);
        let connection = Connection::open_with_flags(
            uri(fresh, "mode=rwc"),
            OpenFlags::SQLITE_OPEN_READ_WRITE
                | OpenFlags::SQLITE_OPEN_CREATE
                | OpenFlags::SQLITE_OPEN_NO_MUTEX
                | OpenFlags::SQLITE_OPEN_URI,
        )
        .map_err(fail)?;
        // A file that is not whole is thrown away, and a whole one is brought to disk before it counts.
        connection.pragma_update(None, "synchronous", "OFF").map_err(fail)?;
        connection.query_row("PRAGMA journal_mode = OFF", [], |_| Ok(())).map_err(fail)?;
        connection
            .execute_batch(&format!(
                "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {FORMAT};
                 {LOG} {PROJECTIONS}
                 INSERT INTO meta (name, value) VALUES ('projections', {PROJECTIONS_VERSION});
                 {KEPT}"
            ))
            .map_err(fail)?;
        connection.execute("ATTACH ?1 AS log", [uri(&self.path, "mode=ro")]).map_err(fail)?;
        connection.execute(COPY_CHAIN, [archived.0 as i64]).map_err(fail)?;
        let mut copied = archived.0;
        while copied < cut.until.0 {
            let last = cut.until.0.min(copied + PIECE);
            let copy = "INSERT INTO events SELECT * FROM log.events WHERE seq > ?1 AND seq <= ?2";
            connection.execute(copy, params![copied as i64, last as i64]).map_err(fail)?;
            copied = last;
        }
        keep(&connection, cut).map_err(fail)?;
        for statement in MOVE {
            connection.execute(statement, [cut.until.0 as i64]).map_err(fail)?;
        }
        connection.execute(COPY_CONTENTS, [archived.0 as i64, cut.until.0 as i64]).map_err(fail)?;
        connection.execute(COPY_PIECES, []).map_err(fail)?;
        connection.close().map_err(|(_, e)| fail(e))
    }
}

const KEPT: &str = "
CREATE TEMP TABLE kept_data (partition TEXT, seq INTEGER, PRIMARY KEY (partition, seq)) WITHOUT ROWID;
CREATE TEMP TABLE kept_runs (id INTEGER PRIMARY KEY);
CREATE TEMP TABLE kept_graphs (id TEXT PRIMARY KEY) WITHOUT ROWID;
";

/// What moves; each after what it looks at.
const MOVE: [&str; 7] = [
    "INSERT INTO materializations SELECT * FROM log.materializations AS old WHERE seq <= ?1
     AND EXISTS (SELECT 1 FROM log.materializations AS new
         WHERE new.partition = old.partition AND new.seq > old.seq AND new.seq <= ?1)
     AND NOT EXISTS (SELECT 1 FROM temp.kept_data AS kept
         WHERE kept.partition = old.partition AND kept.seq = old.seq)",
    "INSERT INTO wants SELECT * FROM log.wants WHERE ended_seq <= ?1",
    "INSERT INTO runs SELECT * FROM log.runs AS old WHERE ended_seq <= ?1
     AND id NOT IN (SELECT id FROM temp.kept_runs)
     AND NOT EXISTS (SELECT 1 FROM log.materializations AS made WHERE made.run = old.id
         AND NOT EXISTS (SELECT 1 FROM main.materializations AS moved
             WHERE moved.partition = made.partition AND moved.seq = made.seq))",
    "INSERT INTO attempts SELECT * FROM log.attempts WHERE run IN (SELECT id FROM main.runs WHERE ended_seq <= ?1)",
    "INSERT INTO checks SELECT * FROM log.checks WHERE run IN (SELECT id FROM main.runs WHERE ended_seq <= ?1)",
    "INSERT INTO graphs SELECT * FROM log.graphs AS old WHERE seq <= ?1
     AND (id NOT IN (SELECT id FROM temp.kept_graphs)
         OR EXISTS (SELECT 1 FROM log.graphs AS new WHERE new.id = old.id AND new.seq > old.seq AND new.seq <= ?1))",
    "INSERT INTO trial_graphs SELECT * FROM log.trial_graphs WHERE seq <= ?1",
];

/// The contents that the archive's events and rows name: without them the events could not be read.
const COPY_CONTENTS: &str = "
INSERT INTO blobs SELECT digest, bytes FROM log.blobs WHERE digest IN (
    SELECT id FROM log.graphs WHERE seq > ?1 AND seq <= ?2
    UNION SELECT id FROM main.graphs
    UNION SELECT id FROM main.trial_graphs
    UNION SELECT value FROM log.graphs AS g, json_each(g.sources) WHERE g.seq > ?1 AND g.seq <= ?2
    UNION SELECT value FROM main.graphs AS g, json_each(g.sources))";

/// The pieces that the contents list which were just copied ([`super::super::pieces`]).
const COPY_PIECES: &str = "
INSERT INTO blobs SELECT digest, bytes FROM log.blobs WHERE digest IN (
    SELECT piece.value FROM main.blobs AS list,
        json_each(CASE WHEN substr(list.bytes, 1, 1) = x'5b' THEN CAST(list.bytes AS TEXT) ELSE '[]' END) AS piece)
ON CONFLICT DO NOTHING";

fn keep(connection: &Connection, cut: &Cut) -> rusqlite::Result<()> {
    let mut data = connection.prepare("INSERT INTO temp.kept_data VALUES (?1, ?2)")?;
    for (partition, seq) in &cut.data {
        data.execute(params![partition, seq.0 as i64])?;
    }
    let mut runs = connection.prepare("INSERT INTO temp.kept_runs VALUES (?1)")?;
    for run in &cut.runs {
        runs.execute([run.0 as i64])?;
    }
    let mut graphs = connection.prepare("INSERT INTO temp.kept_graphs VALUES (?1)")?;
    for graph in &cut.graphs {
        graphs.execute([&graph.0])?;
    }
    Ok(())
}

/// Reads an archive as if its events were needed.
fn read_back(path: &Path, after: Seq, until: Seq) -> Result<(), StoreError> {
    let name = path.display().to_string();
    let connection = super::open::open_read_only(path, true).map_err(|e| failure(&name, &e))?;
    let mut after = after;
    loop {
        match records(&connection, &name, after, PIECE as usize)?.last() {
            Some((last, _)) => after = *last,
            None if after == until => return Ok(()),
            None => return Err(StoreError::corrupt(&name, format!("event {} is missing", after.next()))),
        }
    }
}
