//! The archives of a log: files beside it with the events that are not in it any more.
//!
//! An archive has the format of a log: events and the contents that they name, and of the history lists those rows that went
//! with them. Its name says which events it has. It counts only once the log says that it is archived so far; until then
//! it is a copy that nothing rests on.

use super::super::error::StoreError;
use super::failure::failure;
use super::open::{check_header, open_read_only, projections_version};
use super::read::{records, records_of_kinds};
use super::schema::{MOVING_TABLES, OLDEST_ARCHIVED, PROJECTIONS_VERSION};
use super::sums::sum_of;
use databuild_core::event::Record;
use databuild_core::ids::Seq;
use rusqlite::types::Value;
use rusqlite::{params_from_iter, Connection};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Name of the folder beside the log.
const FOLDER: &str = "archive";

/// The folder of a log's archives.
#[derive(Debug, Clone)]
pub(in super::super) struct Archives {
    folder: PathBuf,
    /// The log's path, for errors.
    log: String,
}

/// One archive, by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ArchiveFile {
    pub(super) first: Seq,
    pub(super) last: Seq,
    pub(super) path: PathBuf,
}

impl Archives {
    /// Those of the log at `path`.
    pub(in super::super) fn of(path: &Path) -> Archives {
        Archives { folder: path.with_file_name(FOLDER), log: path.display().to_string() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The archive of these events, whether or not it is there.
    pub(super) fn file(&self, first: Seq, last: Seq) -> ArchiveFile {
        ArchiveFile { first, last, path: self.folder.join(format!("events-{first}-{last}.sqlite")) }
    }

    /// All that are there, oldest first.
    pub(super) fn files(&self) -> Result<Vec<ArchiveFile>, StoreError> {
        let unreadable = |e: std::io::Error| StoreError::Unwritable {
            log: self.folder.display().to_string(),
            reason: e.to_string(),
        };
        let entries = match fs::read_dir(&self.folder) {
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries.map_err(unreadable)?,
        };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            found.extend(
                entry.file_name().to_str().and_then(range).map(|(first, last)| self.file(first, last)),
            );
        }
        found.sort_by_key(|file| (file.first, file.last));
        Ok(found)
    }

    /// Those that count: they end where the log is archived, or before.
    pub(super) fn counted(&self, archived: Seq) -> Result<Vec<ArchiveFile>, StoreError> {
        Ok(self.files()?.into_iter().filter(|file| file.last <= archived).collect())
    }

    /// At most `limit` records from the one after `after` on, up to `archived`; some, if `limit` is some.
    pub(super) fn records(
        &self,
        log: &Connection,
        after: Seq,
        archived: Seq,
        limit: usize,
    ) -> Result<Vec<(Seq, Record)>, StoreError> {
        let next = after.next();
        let has = |file: &ArchiveFile| file.first <= next && next <= file.last;
        let Some(file) = self.counted(archived)?.into_iter().find(has) else {
            return Err(self.missing(next));
        };
        let archive = file.open().map_err(StoreError::of_archive)?;
        // Its sums chain its own events; that they are this log's, only the log can tell.
        let expected = sum_of(log, &self.log, file.last)?;
        if expected.is_some_and(|sum| sum_of(&archive, &file.name(), file.last) != Ok(Some(sum))) {
            let reason = format!("its events up to {} are not those that {} had", file.last, self.log);
            return Err(StoreError::corrupt(&file.name(), reason).of_archive());
        }
        let found = records(&archive, &file.name(), after, limit).map_err(StoreError::of_archive)?;
        match found.last() {
            Some(_) => Ok(found),
            None => Err(StoreError::corrupt(&file.name(), format!("event {next} is missing")).of_archive()),
        }
    }

    /// At most `limit` records from the one after `after` on, of the archives up to `archived` and of the log later.
    pub(in super::super) fn records_through(
        &self,
        log: &Connection,
        archived: Seq,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<(Seq, Record)>, StoreError> {
        let mut found = Vec::new();
        let mut after = after;
        while after < archived && found.len() < limit {
            found.extend(self.records(log, after, archived, limit - found.len())?);
            after = found.last().map_or(after, |(seq, _)| *seq);
        }
        if found.len() < limit {
            found.extend(records(log, &self.log, after, limit - found.len())?);
        }
        Ok(found)
    }

    /// Events of some kinds after `after`, of the archives up to `archived`; at most `limit` of each.
    pub(in super::super) fn of_kinds(
        &self,
        archived: Seq,
        after: Seq,
        kinds: [u32; 2],
        limit: usize,
    ) -> Result<Vec<(Seq, Record)>, StoreError> {
        let mut found = Vec::new();
        let mut read = after;
        for file in self.counted(archived)?.into_iter().filter(|file| file.last > after) {
            if file.first > read.next() {
                return Err(self.missing(read.next()));
            }
            found.extend(records_of_kinds(&file.open()?, &file.name(), after, kinds, limit)?);
            read = file.last;
        }
        if read < archived {
            return Err(self.missing(read.next()));
        }
        Ok(found)
    }

    /// What the newest archive that has it says, and which one that is. Archives whose lists are of a version
    /// that this program does not read are passed over.
    pub(in super::super) fn find<T>(
        &self,
        archived: Seq,
        find: impl Fn(&Connection, &str) -> Result<Option<T>, StoreError>,
    ) -> Result<Option<(T, PathBuf)>, StoreError> {
        let files = self.counted(archived)?;
        for file in files.iter().rev() {
            let connection = file.open()?;
            let version = projections_version(&connection, &file.name())?;
            if !version.is_some_and(|version| (OLDEST_ARCHIVED..=PROJECTIONS_VERSION).contains(&version)) {
                continue;
            }
            if let Some(found) = find(&connection, &file.name())? {
                return Ok(Some((found, file.path.clone())));
            }
        }
        // Nothing is said to be nowhere as long as not all was looked at.
        let whole =
            files.iter().fold(Seq(0), |last, file| if file.first <= last.next() { file.last } else { last });
        if whole < archived {
            return Err(self.missing(whole.next()));
        }
        Ok(None)
    }

    /// The error of an event that no archive has.
    pub(super) fn missing(&self, seq: Seq) -> StoreError {
        StoreError::ArchiveMissing { log: self.log.clone(), seq, folder: self.folder.display().to_string() }
    }
}

impl ArchiveFile {
    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// For reading. An archive is never written again, so nothing is beside it and nobody locks it.
    pub(super) fn open(&self) -> Result<Connection, StoreError> {
        let name = self.name();
        let connection = open_read_only(&self.path, true).map_err(|e| failure(&name, &e))?;
        check_header(&connection, &name)?;
        Ok(connection)
    }

    /// At most `limit` keys of rows of [`MOVING_TABLES`]`[table]`, from the one after `after` on, in order.
    pub(super) fn moved(
        &self,
        connection: &Connection,
        table: usize,
        after: &[Value],
        limit: usize,
    ) -> Result<Vec<Vec<Value>>, StoreError> {
        let (table, keys) = MOVING_TABLES[table];
        let columns = keys.join(", ");
        let beyond = match after {
            [] => String::new(),
            _ => format!("WHERE ({columns}) > ({})", vec!["?"; keys.len()].join(", ")),
        };
        let read = || {
            let mut statement = connection.prepare_cached(&format!(
                "SELECT {columns} FROM {table} {beyond} ORDER BY {columns} LIMIT {limit}"
            ))?;
            let rows = statement.query_map(params_from_iter(after), |row| {
                (0..keys.len()).map(|column| row.get(column)).collect()
            })?;
            rows.collect::<rusqlite::Result<_>>()
        };
        read().map_err(|e| failure(&self.name(), &e))
    }
}

/// Removes rows of [`MOVING_TABLES`]`[table]` by their keys; those that are gone already do no harm.
pub(super) fn remove(connection: &Connection, table: usize, rows: &[Vec<Value>]) -> rusqlite::Result<()> {
    let (table, keys) = MOVING_TABLES[table];
    let conditions: Vec<String> = keys.iter().map(|key| format!("{key} = ?")).collect();
    let mut statement =
        connection.prepare_cached(&format!("DELETE FROM {table} WHERE {}", conditions.join(" AND ")))?;
    rows.iter().try_for_each(|key| statement.execute(params_from_iter(key)).map(drop))
}

/// The events of an archive of that name; none if it is no archive's.
fn range(name: &str) -> Option<(Seq, Seq)> {
    let (first, last) = name.strip_prefix("events-")?.strip_suffix(".sqlite")?.split_once('-')?;
    Some((Seq(first.parse().ok()?), Seq(last.parse().ok()?)))
}
