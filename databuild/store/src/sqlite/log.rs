//! The writer.

use super::super::convert::encode;
use super::super::error::StoreError;
use super::super::log::{
    check_checkpoint, check_cut, checked_blobs, choose_checkpoint, Batch, Checkpoint, EventLog,
    FoundCheckpoint, StoredCheckpoint,
};
use super::super::project::project;
use super::super::time::micros;
use super::acknowledged::Acknowledged;
use super::apply::apply;
use super::archives::{remove, Archives};
use super::beside::beside;
use super::failure::failure;
use super::open::{has_older_format, into_main_file, open_writer, projections_version, raise_format, SYNCED};
use super::position::{position, set_position};
use super::read::{blob, last_seq};
use super::schema::{
    ARCHIVED, FORMAT, MOVING_TABLES, PROJECTED_TABLES, PROJECTIONS, PROJECTIONS_VERSION, PURGED,
};
use super::stage::Stage;
use super::sums::{keep_sum, sum, sum_of};
use base16ct::lower::encode_string;
use databuild_core::digest::sha256_hex;
use databuild_core::event::Record;
use databuild_core::ids::Seq;
use rusqlite::{params, Connection, TransactionBehavior, MAIN_DB};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// Bytes of a checkpoint that are read and digested at a time.
const CHECKPOINT_PIECE: usize = 1 << 20;
/// Events read at a time when history lists are made again.
const REBUILD_STEP: usize = 1000;

/// An event log in a SQLite file; see [`EventLog`] for its duties.
///
/// Dropping it copies the write-ahead log into the main file and removes it, if no reader is open.
#[derive(Debug)]
pub struct SqliteLog {
    pub(super) connection: Connection,
    /// The path, for errors.
    pub(super) log: String,
    last: Seq,
    /// The sum of the last event; 0 if there is none.
    last_sum: i64,
    pub(super) archives: Archives,
    pub(super) archived: Seq,
    pub(super) stage: Stage,
    broken: Option<StoreError>,
    acknowledged: Acknowledged,
    /// Whether commits wait for the disk, as the connection is set now.
    synced: bool,
    /// An older program wrote it last. It can go back to that program until the first event is added: by then all
    /// events were read.
    older: bool,
}

impl SqliteLog {
    /// Opens the log of this path, or makes an empty one in a folder that exists.
    ///
    /// Errors, all before anything was written: `newer_log`, `corrupt_log`, `newer_format`,
    /// `state_unwritable`, `log_busy`; `disk_full` when a log was to be made; `archive_missing` when history lists
    /// were to be made again.
    pub fn open(path: &Path) -> Result<SqliteLog, StoreError> {
        let log = path.display().to_string();
        let connection = open_writer(path, &log)?;
        let last = last_seq(&connection, &log)?;
        let last_sum = sum_of(&connection, &log, last)?.unwrap_or(0);
        let archived = position(&connection, &log, ARCHIVED)?;
        let stage =
            if position(&connection, &log, PURGED)? == archived { Stage::Done } else { Stage::Events };
        let archives = Archives::of(path);
        let acknowledged = Acknowledged::of(path);
        let (broken, synced) = (None, true);
        let older = has_older_format(&connection).map_err(|e| failure(&log, &e))?;
        let mut opened = SqliteLog {
            connection,
            log,
            last,
            last_sum,
            archives,
            archived,
            stage,
            broken,
            acknowledged,
            synced,
            older,
        };
        if projections_version(&opened.connection, &opened.log)? != Some(PROJECTIONS_VERSION) {
            opened.rebuild_projections()?;
        }
        Ok(opened)
    }

    /// The files of a log that is open, which hold what was acknowledged.
    #[must_use]
    pub fn files(path: &Path) -> [PathBuf; 2] {
        [path.to_owned(), beside(path, "-wal")]
    }

    /// The folder of the archives of the log at `path`.
    #[must_use]
    pub fn archives(path: &Path) -> PathBuf {
        Archives::of(path).folder().to_owned()
    }

    /// The newest format of a log that this program writes.
    #[must_use]
    pub fn format() -> u64 {
        FORMAT.unsigned_abs()
    }

    /// Makes the history lists again from the events, archived ones among them, in one transaction. Rows that
    /// went to archives stay there.
    pub fn rebuild_projections(&mut self) -> Result<(), StoreError> {
        let (last, archived, archives) = (self.last, self.archived, self.archives.clone());
        // Every program makes lists of another version again, so the format can stay.
        self.transact(Commit { synced: true, raises: false }, |connection, log| {
            let fail = |e| failure(log, &e);
            for table in PROJECTED_TABLES {
                connection.execute_batch(&format!("DROP TABLE IF EXISTS {table}")).map_err(fail)?;
            }
            connection.execute_batch(PROJECTIONS).map_err(fail)?;
            let mut done = Seq(0);
            while done < last {
                for (seq, record) in archives.records_through(connection, archived, done, REBUILD_STEP)? {
                    apply_all(connection, seq, &record).map_err(fail)?;
                    done = seq;
                }
            }
            for file in archives.counted(archived)? {
                let archive = file.open()?;
                for table in 0..MOVING_TABLES.len() {
                    let mut rows = file.moved(&archive, table, &[], REBUILD_STEP)?;
                    while let Some(last) = rows.last().cloned() {
                        remove(connection, table, &rows).map_err(fail)?;
                        rows = file.moved(&archive, table, &last, REBUILD_STEP)?;
                    }
                }
            }
            connection
                .execute(
                    "INSERT OR REPLACE INTO meta (name, value) VALUES ('projections', ?1)",
                    [PROJECTIONS_VERSION],
                )
                .map_err(fail)?;
            Ok(())
        })
    }

    /// Adds a batch; tells whether there was anything to add.
    fn add(&mut self, batch: &Batch, synced: bool) -> Result<bool, StoreError> {
        let blobs = checked_blobs(&self.log, batch)?;
        if batch.records.is_empty() && blobs.is_empty() {
            return Ok(false);
        }
        let end = (self.last, self.last_sum);
        self.last_sum = self.transact(Commit { synced, raises: true }, |connection, log| {
            insert(connection, end, &batch.records, &blobs).map_err(|e| failure(log, &e))
        })?;
        self.last = Seq(self.last.0 + batch.records.len() as u64);
        Ok(true)
    }

    /// For tests that look below, or break something there.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Runs `work` as one transaction: all of it becomes durable, or none.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&Connection, &str) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.transact(Commit { synced: true, raises: true }, work)
    }

    /// Runs `work` as one transaction.
    fn transact<T>(
        &mut self,
        Commit { synced, raises }: Commit,
        work: impl FnOnce(&Connection, &str) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        let (log, last) = (&self.log, self.last);
        let connection = &mut self.connection;
        let set = &mut self.synced;
        let raises = raises && self.older;
        let attempt = || {
            let fail = |e| failure(log, &e);
            if *set != synced {
                let level = if synced { SYNCED } else { "NORMAL" };
                connection.pragma_update(None, "synchronous", level).map_err(fail)?;
                *set = synced;
            }
            // A transaction that is dropped is rolled back.
            let transaction =
                connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
            if last_seq(&transaction, log)? != last {
                return Err(StoreError::OtherWriter { log: log.clone() });
            }
            if raises {
                raise_format(&transaction).map_err(fail)?;
            }
            let value = work(&transaction, log)?;
            transaction.commit().map_err(fail)?;
            if raises {
                self.older = false;
                into_main_file(connection).map_err(fail)?;
            }
            Ok(value)
        };
        // `work` runs once; the closure is only there to collect the errors of all steps.
        let result = attempt();
        if let Err(error @ (StoreError::Io { .. } | StoreError::OtherWriter { .. })) = &result {
            self.broken = Some(error.clone());
        }
        result
    }
}

/// How a transaction is committed.
struct Commit {
    /// It waits for the disk.
    synced: bool,
    /// It may write what older programs do not read.
    raises: bool,
}

impl EventLog for SqliteLog {
    fn append(&mut self, batch: &Batch) -> Result<Seq, StoreError> {
        if self.add(batch, true)? {
            self.acknowledged.keep(self.last, self.last_sum);
        }
        Ok(self.last)
    }

    fn append_unsynced(&mut self, batch: &Batch) -> Result<Seq, StoreError> {
        self.add(batch, false)?;
        Ok(self.last)
    }

    fn read(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Record)>, StoreError> {
        self.archives.records_through(&self.connection, self.archived, after, limit)
    }

    fn last(&self) -> Seq {
        self.last
    }

    fn blob(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        blob(&self.connection, &self.log, digest)
    }

    fn archived(&self) -> Seq {
        self.archived
    }

    fn cut_off(&mut self, until: Seq) -> Result<(), StoreError> {
        check_cut(&self.log, self.archived, until, self.last)?;
        if until == self.archived {
            return Ok(());
        }
        if !self.archives.files()?.contains(&self.archives.file(self.archived.next(), until)) {
            return Err(self.archives.missing(self.archived.next()));
        }
        self.write(|connection, log| {
            let newest: Option<i64> = connection
                .query_row("SELECT max(seq) FROM checkpoints", [], |row| row.get(0))
                .map_err(|e| failure(log, &e))?;
            check_checkpoint(log, until, newest.map(|seq| Seq(seq as u64)))?;
            keep_sum(connection, log, until)?;
            set_position(connection, log, ARCHIVED, until)
        })?;
        self.archived = until;
        self.stage = Stage::Events;
        Ok(())
    }

    fn purge(&mut self) -> Result<bool, StoreError> {
        self.purge_piece()
    }

    fn save_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let Checkpoint { seq, format, bytes } = checkpoint;
        if *seq > self.last {
            let reason = format!("a checkpoint of missing event {seq}");
            return Err(StoreError::rejected(&self.log, reason));
        }
        self.write(|connection, log| {
            let save = || {
                connection
                    .prepare_cached(
                        "INSERT OR REPLACE INTO checkpoints (seq, format, sha256, bytes)
                         VALUES (?1, ?2, ?3, ?4)",
                    )?
                    .execute(params![seq.0 as i64, format, sha256_hex(bytes), bytes])?;
                connection
                    .prepare_cached(
                        "DELETE FROM checkpoints WHERE seq NOT IN
                         (SELECT seq FROM checkpoints ORDER BY seq DESC LIMIT 2)",
                    )?
                    .execute([])
            };
            save().map(drop).map_err(|e| failure(log, &e))
        })
    }

    fn latest_checkpoint(&self, format: u32) -> Result<FoundCheckpoint, StoreError> {
        let fail = |e| failure(&self.log, &e);
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, format, sha256 FROM checkpoints ORDER BY seq DESC")
            .map_err(fail)?;
        let stored = statement
            .query_map([], |row| {
                let row_id: i64 = row.get(0)?;
                let (bytes, digest) = checkpoint_bytes(&self.connection, row_id)?;
                let checkpoint = Checkpoint { seq: Seq(row_id as u64), format: row.get(1)?, bytes };
                Ok(StoredCheckpoint { checkpoint, digest, saved: row.get(2)? })
            })
            .map_err(fail)?;
        choose_checkpoint(stored.map(|row| row.map_err(fail)), format, self.last)
    }
}

/// The bytes of a checkpoint, and their digest. As a column, SQLite would put them together first, and they would be copied once
/// more. Another thread digests what was read, since a start waits for it.
fn checkpoint_bytes(connection: &Connection, row_id: i64) -> rusqlite::Result<(Vec<u8>, String)> {
    let blob = connection.blob_open(MAIN_DB, "checkpoints", "bytes", row_id, true)?;
    let mut bytes = vec![0; blob.len()];
    let digest = std::thread::scope(|scope| {
        let (pieces, read) = std::sync::mpsc::channel::<&[u8]>();
        let digest = scope.spawn(|| read.into_iter().fold(Sha256::new(), Sha256::chain_update).finalize());
        let mut at = 0;
        for piece in bytes.chunks_mut(CHECKPOINT_PIECE) {
            blob.read_at_exact(piece, at)?;
            at += piece.len();
            // The thread goes on until there is no sender.
            let _ = pieces.send(piece);
        }
        drop(pieces);
        // A thread that panicked digested nothing that could fit.
        Ok::<_, rusqlite::Error>(
            digest.join().map_or_else(|_| String::new(), |digest| encode_string(&digest)),
        )
    })?;
    Ok((bytes, digest))
}

/// Adds records after the last event, whose position and sum are given. Gives the sum of the last one then.
fn insert(
    connection: &Connection,
    (mut last, mut last_sum): (Seq, i64),
    records: &[Record],
    blobs: &[(&str, &[u8])],
) -> rusqlite::Result<i64> {
    for (digest, bytes) in blobs {
        connection
            .prepare_cached("INSERT INTO blobs (digest, bytes) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![digest, bytes])?;
    }
    let mut statement = connection
        .prepare_cached("INSERT INTO events (seq, at_us, kind, sum, payload) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    for record in records {
        let payload = encode(record);
        let at = micros(record.at);
        last = last.next();
        last_sum = sum(last_sum, last, &payload);
        statement.execute(params![last.0 as i64, at, record.event.number(), last_sum, payload])?;
        apply_all(connection, last, record)?;
    }
    Ok(last_sum)
}

fn apply_all(connection: &Connection, seq: Seq, record: &Record) -> rusqlite::Result<()> {
    project(seq, record).iter().try_for_each(|change| apply(connection, change))
}
