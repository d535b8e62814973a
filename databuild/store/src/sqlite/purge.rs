//! Frees the space of archived events and rows, in pieces so small that no other work waits long.
//!
//! Where the log is cut is one number in `meta`. All that is removed here is beyond use once that number is
//! durable, so each piece can come at any time, any number of times.

use super::super::error::StoreError;
use super::archives::remove;
use super::failure::failure;
use super::log::SqliteLog;
use super::position::{position, set_position};
use super::schema::PURGED;
use super::stage::{Rows, Stage};

/// Events or rows removed in one transaction: some ten milliseconds at most.
const PIECE: usize = 2000;
/// Pages given back to the file system in one transaction.
const PAGES: usize = 1000;
/// `auto_vacuum` of a file that can get smaller; logs of early programs cannot.
const INCREMENTAL: i64 = 2;

impl SqliteLog {
    /// See [`super::super::EventLog::purge`].
    pub(super) fn purge_piece(&mut self) -> Result<bool, StoreError> {
        // After an error, the next piece begins anew.
        let next = match std::mem::replace(&mut self.stage, Stage::Events) {
            Stage::Done => Stage::Done,
            Stage::Events => match self.purge_events()? {
                true => Stage::Events,
                false => Stage::Rows(Box::new(self.rows_to_purge()?)),
            },
            Stage::Rows(mut rows) => match self.purge_rows(&mut rows)? {
                true => Stage::Rows(rows),
                false => Stage::Contents,
            },
            Stage::Contents => {
                self.purge_contents()?;
                Stage::Pages
            }
            Stage::Pages => match self.shrink()? {
                true => Stage::Pages,
                false => {
                    self.purged()?;
                    Stage::Done
                }
            },
        };
        self.stage = next;
        Ok(!matches!(self.stage, Stage::Done))
    }

    fn purge_events(&mut self) -> Result<bool, StoreError> {
        let archived = self.archived.0 as i64;
        let first: i64 = self
            .connection
            .query_row("SELECT ifnull(min(seq), 0) FROM events", [], |row| row.get(0))
            .map_err(|e| failure(&self.log, &e))?;
        if first > archived {
            return Ok(false);
        }
        let last = archived.min(first + PIECE as i64);
        self.write(|connection, log| {
            connection
                .prepare_cached("DELETE FROM events WHERE seq <= ?1")
                .and_then(|mut statement| statement.execute([last]))
                .map_err(|e| failure(log, &e))
        })?;
        Ok(true)
    }

    fn rows_to_purge(&self) -> Result<Rows, StoreError> {
        let purged = position(&self.connection, &self.log, PURGED)?;
        let counted = self.archives.counted(self.archived)?;
        let files = counted.into_iter().filter(|file| file.last > purged).collect();
        Ok(Rows::of(files))
    }

    fn purge_rows(&mut self, rows: &mut Rows) -> Result<bool, StoreError> {
        let Some(keys) = rows.next(PIECE)? else { return Ok(false) };
        let table = rows.table();
        self.write(|connection, log| remove(connection, table, &keys).map_err(|e| failure(log, &e)))?;
        Ok(true)
    }

    /// Contents that no graph of the log names any more. They are some hundreds, so this is one piece.
    fn purge_contents(&mut self) -> Result<(), StoreError> {
        self.write(|connection, log| {
            connection
                .execute(
                    "DELETE FROM blobs WHERE digest NOT IN (SELECT id FROM graphs)
                     AND digest NOT IN (SELECT id FROM trial_graphs)
                     AND digest NOT IN (SELECT value FROM graphs, json_each(graphs.sources))
                     AND digest NOT IN (
                         SELECT piece.value
                         FROM graphs, json_each(graphs.sources) AS source, blobs AS list,
                             json_each(CASE WHEN substr(list.bytes, 1, 1) = x'5b' THEN CAST(list.bytes AS TEXT) ELSE '[]' END)
                             AS piece
                         WHERE list.digest = source.value)",
                    [],
                )
                .map(drop)
                .map_err(|e| failure(log, &e))
        })
    }

    /// Gives free pages back; false once there are none.
    fn shrink(&mut self) -> Result<bool, StoreError> {
        let number = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let give_back = || {
            if number("auto_vacuum")? != INCREMENTAL || number("freelist_count")? == 0 {
                return Ok(false);
            }
            // Each step of the statement gives one page back.
            let mut statement = self.connection.prepare(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(true)
        };
        give_back().map_err(|e| failure(&self.log, &e))
    }

    fn purged(&mut self) -> Result<(), StoreError> {
        let archived = self.archived;
        self.write(|connection, log| set_position(connection, log, PURGED, archived))?;
        // What is copied into the main file now makes it shorter; whoever reads just now puts that off.
        let copied = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        copied.map_err(|e| failure(&self.log, &e))
    }
}
