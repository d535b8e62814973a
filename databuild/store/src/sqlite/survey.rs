//! All old events and rows of a log, in pieces, for the decision what to archive.
//!
//! Each piece is a read transaction of its own, so that the write-ahead log stays short.

use super::super::error::StoreError;
use super::archives::Archives;
use super::failure::failure;
use super::open::open_reader;
use super::position::position;
use super::read::{blob, records};
use super::schema::ARCHIVED;
use databuild_core::event::Record;
use databuild_core::ids::{GraphId, RunId, Seq};
use databuild_core::state::Holding;
use rusqlite::{params, Connection};
use std::path::Path;

/// Events or rows of a piece.
const PIECE: usize = 2000;

/// A connection of its own to a log that is in use.
#[derive(Debug)]
pub struct Survey {
    connection: Connection,
    log: String,
    archives: Archives,
}

/// Data that other data took the place of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superseded {
    /// The partition.
    pub partition: String,
    /// The event since which it held the data.
    pub since: Seq,
    /// The event since which it holds other data.
    pub until: Seq,
}

impl Survey {
    pub(super) fn open(path: &Path, log: &str) -> Result<Survey, StoreError> {
        Ok(Survey { connection: open_reader(path, log)?, log: log.to_owned(), archives: Archives::of(path) })
    }

    /// See [`super::super::EventLog::archived`].
    pub fn archived(&self) -> Result<Seq, StoreError> {
        position(&self.connection, &self.log, ARCHIVED)
    }

    /// Calls `each` with the events after `after` until it returns false.
    pub fn events(&self, after: Seq, mut each: impl FnMut(Seq, &Record) -> bool) -> Result<(), StoreError> {
        let mut after = after;
        loop {
            let piece = records(&self.connection, &self.log, after, PIECE)?;
            for (seq, record) in &piece {
                if !each(*seq, record) {
                    return Ok(());
                }
                after = *seq;
            }
            if piece.len() < PIECE {
                return Ok(());
            }
        }
    }

    /// Reads the whole log and the archives that are there: the log's pages, and each event with its sum and the contents
    /// that it names. Returns how many events that were. That an archive is not there is no damage.
    pub fn check(&self) -> Result<u64, StoreError> {
        let verdict: String = self
            .connection
            .query_row("PRAGMA quick_check(1)", [], |row| row.get(0))
            .map_err(|e| self.fail(&e))?;
        if verdict != "ok" {
            return Err(StoreError::corrupt(&self.log, verdict.trim()));
        }
        let archived = self.archived()?;
        let mut checked = 0;
        for file in self.archives.counted(archived)? {
            let mut after = Seq(file.first.0.saturating_sub(1));
            while after < file.last {
                let piece = self.archives.records(&self.connection, after, archived, PIECE)?;
                after = piece.last().map_or(file.last, |(seq, _)| *seq);
                checked += piece.len() as u64;
            }
        }
        self.events(archived, |_, _| {
            checked += 1;
            true
        })?;
        Ok(checked)
    }

    /// Bytes that the events after `after` up to `until` have in the log.
    pub fn bytes_of_events(&self, after: Seq, until: Seq) -> Result<u64, StoreError> {
        self.connection
            .query_row(
                "SELECT ifnull(sum(length(payload)), 0) FROM events WHERE seq > ?1 AND seq <= ?2",
                params![after.0 as i64, until.0 as i64],
                |row| row.get::<_, i64>(0),
            )
            .map(i64::unsigned_abs)
            .map_err(|e| self.fail(&e))
    }

    /// Bytes of the log's file, those of pages that are in the write-ahead log only included.
    pub fn bytes(&self) -> Result<u64, StoreError> {
        let number = |name| self.connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
        let bytes = || Ok(number("page_count")? * number("page_size")?);
        bytes().map(i64::unsigned_abs).map_err(|e: rusqlite::Error| self.fail(&e))
    }

    /// Data up to `until` that other data, also up to `until`, took the place of.
    pub fn superseded(&self, until: Seq) -> Result<Vec<Superseded>, StoreError> {
        let mut found = Vec::new();
        let mut last: Option<(String, Seq)> = None;
        loop {
            let piece = self.materializations(until, last.as_ref()).map_err(|e| self.fail(&e))?;
            let more = piece.len() == PIECE;
            for (partition, seq) in piece {
                if let Some((before, since)) = last.take().filter(|(before, _)| *before == partition) {
                    found.push(Superseded { partition: before, since, until: seq });
                }
                last = Some((partition, seq));
            }
            if !more {
                return Ok(found);
            }
        }
    }

    fn materializations(
        &self,
        until: Seq,
        after: Option<&(String, Seq)>,
    ) -> rusqlite::Result<Vec<(String, Seq)>> {
        let (partition, seq) = after.map_or(("", 0), |(partition, seq)| (partition, seq.0 as i64));
        self.connection
            .prepare_cached(
                "SELECT partition, seq FROM materializations WHERE (partition, seq) > (?1, ?2) AND seq <= ?3
                 ORDER BY partition, seq LIMIT ?4",
            )?
            .query_map(params![partition, seq, until.0 as i64, PIECE as i64], |row| {
                Ok((row.get(0)?, Seq(row.get::<_, i64>(1)? as u64)))
            })?
            .collect()
    }

    /// The lease of the attempt that made what a partition holds.
    pub fn lease_of(&self, holding: &Holding) -> Result<Option<Seq>, StoreError> {
        let of = |text: &String| -> rusqlite::Result<Option<i64>> {
            self.connection
                .prepare_cached(
                    "SELECT max(attempts.lease_seq) FROM attempts JOIN materializations AS made
                     ON made.partition = ?1 AND made.seq = ?2
                     WHERE attempts.run = made.run AND attempts.lease_seq < made.seq",
                )?
                .query_row(params![text, holding.entry.seq.0 as i64], |row| row.get(0))
        };
        let mut leases = holding.texts.iter().map(of).filter_map(Result::transpose);
        let first = leases.next().transpose().map_err(|e| self.fail(&e))?;
        Ok(first.map(|seq| Seq(seq as u64)))
    }

    /// Failed runs that were over by `until`, newest first, with their partitions.
    pub fn failed_runs(&self, until: Seq) -> Result<Vec<(RunId, String)>, StoreError> {
        let read = || {
            self.connection
                .prepare_cached(
                    "SELECT id, partition FROM runs WHERE state = 'failed' AND ended_seq <= ?1 ORDER BY id DESC",
                )?
                .query_map([until.0 as i64], |row| Ok((RunId(row.get::<_, i64>(0)? as u64), row.get(1)?)))?
                .collect::<rusqlite::Result<_>>()
        };
        read().map_err(|e| self.fail(&e))
    }

    /// Registered graphs, the one registered last first.
    pub fn graphs(&self) -> Result<Vec<GraphId>, StoreError> {
        let read = || {
            self.connection
                .prepare_cached("SELECT id FROM graphs GROUP BY id ORDER BY max(seq) DESC")?
                .query_map([], |row| Ok(GraphId(row.get(0)?)))?
                .collect::<rusqlite::Result<_>>()
        };
        read().map_err(|e| self.fail(&e))
    }

    /// The content of a graph.
    pub fn graph_content(&self, graph: &GraphId) -> Result<Option<String>, StoreError> {
        let bytes = blob(&self.connection, &self.log, &graph.0)?;
        Ok(bytes.and_then(|bytes| String::from_utf8(bytes).ok()))
    }

    fn fail(&self, error: &rusqlite::Error) -> StoreError {
        failure(&self.log, error)
    }
}
