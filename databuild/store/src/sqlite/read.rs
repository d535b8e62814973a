//! Reading events and contents over any connection, the writer's or a reader's.

use super::super::error::StoreError;
use super::super::log::decode_record;
use super::failure::failure;
use super::sums::{Sums, SUM_BEFORE};
use databuild_core::digest::sha256_hex;
use databuild_core::event::Record;
use databuild_core::ids::Seq;
use rusqlite::{params, Connection, OptionalExtension, Row};
use std::cell::Cell;

/// Position of the newest event.
pub(in super::super) fn last_seq(connection: &Connection, log: &str) -> Result<Seq, StoreError> {
    connection
        .prepare_cached("SELECT ifnull(max(seq), 0) FROM events")
        .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)))
        .map(|seq| Seq(seq as u64))
        .map_err(|e| failure(log, &e))
}

/// SQL: the columns that [`Rows::record`] reads. The sum before is looked up only where `condition` holds.
fn columns(condition: &str) -> String {
    format!("seq, kind, sum, payload, CASE WHEN {condition} THEN {SUM_BEFORE} END")
}

/// Reads rows of `events`, and compares each with its sum.
struct Rows<'a> {
    connection: &'a Connection,
    log: &'a str,
    sums: Sums,
}

impl<'a> Rows<'a> {
    fn of(connection: &'a Connection, log: &'a str) -> Result<Rows<'a>, StoreError> {
        Ok(Rows { connection, log, sums: Sums::of(connection, log)? })
    }

    /// The position and the sum of a row.
    fn place(&self, row: &Row<'_>) -> Result<(Seq, i64), StoreError> {
        let read = || Ok((Seq(row.get::<_, i64>(0)? as u64), row.get(2)?));
        read().map_err(|e| failure(self.log, &e))
    }

    /// The record of a row, and its bytes with those of the contents that it names. `before` is the sum of the event before it;
    /// without one the row has it.
    fn record(&self, row: &Row<'_>, before: Option<i64>) -> Result<(Record, usize), StoreError> {
        let fail = |e| failure(self.log, &e);
        let (seq, sum) = self.place(row)?;
        let payload = row.get_ref(3).map_err(fail)?.as_blob().map_err(|e| fail(e.into()))?;
        let before = match before {
            Some(before) => Some(before),
            None => row.get(4).map_err(fail)?,
        };
        self.sums.check(self.log, seq, payload, sum, before)?;
        let size = Cell::new(payload.len());
        let record = decode_record(self.log, seq, payload, |digest| {
            let content = blob(self.connection, self.log, digest)?;
            size.set(size.get() + content.as_ref().map_or(0, Vec::len));
            Ok(content)
        })?;
        // Searches by kind go by the column, which no sum covers.
        if row.get::<_, i64>(1).map_err(fail)? != i64::from(record.event.number()) {
            return Err(StoreError::corrupt(self.log, format!("event {seq} is filed under another kind")));
        }
        Ok((record, size.get()))
    }
}

/// See [`super::super::EventLog::read`].
pub(in super::super) fn records(
    connection: &Connection,
    log: &str,
    after: Seq,
    limit: usize,
) -> Result<Vec<(Seq, Record)>, StoreError> {
    records_within(connection, log, after, limit, usize::MAX)
}

/// The same, up to the one with which they have so many bytes together as they are stored.
pub(in super::super) fn records_within(
    connection: &Connection,
    log: &str,
    after: Seq,
    limit: usize,
    bytes: usize,
) -> Result<Vec<(Seq, Record)>, StoreError> {
    let mut found = Vec::new();
    let mut read = 0;
    let fail = |e| failure(log, &e);
    let reading = Rows::of(connection, log)?;
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT {} FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2",
            columns("seq = ?1 + 1")
        ))
        .map_err(fail)?;
    // Positions beyond what SQLite can number are after the last event, like any other such position.
    let after_number = i64::try_from(after.0).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query([after_number, limit]).map_err(fail)?;
    let mut previous = after;
    let mut before = None;
    while let Some(row) = rows.next().map_err(fail)? {
        let (seq, sum) = reading.place(row)?;
        if seq != previous.next() {
            return Err(StoreError::corrupt(log, format!("event {} is missing", previous.next())));
        }
        let (record, size) = reading.record(row, before)?;
        found.push((seq, record));
        previous = seq;
        before = Some(sum);
        read += size;
        if read >= bytes {
            break;
        }
    }
    Ok(found)
}

/// The events at some positions of the log.
pub(in super::super) fn records_at(
    connection: &Connection,
    log: &str,
    places: &[Seq],
) -> Result<Vec<(Seq, Record)>, StoreError> {
    let mut found = Vec::new();
    for place in places {
        found.extend(records(connection, log, Seq(place.0.saturating_sub(1)), 1)?);
    }
    Ok(found)
}

/// Events of some kinds after `after`, oldest first, at most `limit`.
pub(in super::super) fn records_of_kinds(
    connection: &Connection,
    log: &str,
    after: Seq,
    kinds: [u32; 2],
    limit: usize,
) -> Result<Vec<(Seq, Record)>, StoreError> {
    let fail = |e| failure(log, &e);
    let reading = Rows::of(connection, log)?;
    let mut statement = connection
        .prepare_cached(&format!(
            "SELECT {} FROM events WHERE seq > ?1 AND kind IN (?2, ?3) ORDER BY seq LIMIT ?4",
            columns("true")
        ))
        .map_err(fail)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after.0 as i64, kinds[0], kinds[1], limit]).map_err(fail)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(fail)? {
        found.push((reading.place(row)?.0, reading.record(row, None)?.0));
    }
    Ok(found)
}

/// See [`super::super::EventLog::blob`].
pub(in super::super) fn blob(
    connection: &Connection,
    log: &str,
    digest: &str,
) -> Result<Option<Vec<u8>>, StoreError> {
    let bytes: Option<Vec<u8>> = connection
        .prepare_cached("SELECT bytes FROM blobs WHERE digest = ?1")
        .and_then(|mut statement| statement.query_row([digest], |row| row.get(0)).optional())
        .map_err(|e| failure(log, &e))?;
    match bytes {
        Some(bytes) if sha256_hex(&bytes) != digest => {
            Err(StoreError::corrupt(log, format!("content {digest} is not as it was written")))
        }
        bytes => Ok(bytes),
    }
}
