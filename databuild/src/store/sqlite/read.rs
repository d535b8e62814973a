//! Reading events and contents over any connection, the writer's or a reader's.

use super::super::error::StoreError;
use super::super::log::decode_record;
use super::failure::failure;
use databuild_core::digest::sha256_hex;
use databuild_core::event::Record;
use databuild_core::ids::Seq;
use rusqlite::{params, Connection, OptionalExtension};
use sha2::{Digest, Sha256};
use std::ops::ControlFlow;

/// Position of the newest event.
pub(in super::super) fn last_seq(connection: &Connection, log: &str) -> Result<Seq, StoreError> {
    connection
        .prepare_cached("SELECT ifnull(max(seq), 0) FROM events")
        .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)))
        .map(|seq| Seq(seq as u64))
        .map_err(|e| failure(log, &e))
}

/// See [`super::super::EventLog::read`].
pub(in super::super) fn records(
    connection: &Connection,
    log: &str,
    after: Seq,
    limit: usize,
) -> Result<Vec<(Seq, Record)>, StoreError> {
    let mut found = Vec::new();
    let fail = |e| failure(log, &e);
    let mut statement = connection
        .prepare_cached("SELECT seq, sum, payload FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2")
        .map_err(fail)?;
    // Positions beyond what SQLite can number are after the last event, like any other such position.
    let after_number = i64::try_from(after.0).unwrap_or(i64::MAX);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query([after_number, limit]).map_err(fail)?;
    let mut previous = after;
    while let Some(row) = rows.next().map_err(fail)? {
        let seq = Seq(row.get::<_, i64>(0).map_err(fail)? as u64);
        if seq != previous.next() {
            return Err(StoreError::corrupt(log, format!("event {} is missing", previous.next())));
        }
        let stored_sum: i64 = row.get(1).map_err(fail)?;
        let payload = row.get_ref(2).map_err(fail)?.as_blob().map_err(|e| fail(e.into()))?;
        if sum(seq, payload) != stored_sum {
            return Err(StoreError::corrupt(log, format!("event {seq} is not as it was written")));
        }
        let record = decode_record(log, seq, payload, |digest| blob(connection, log, digest))?;
        found.push((seq, record));
        previous = seq;
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
    let mut statement = connection
        .prepare_cached(
            "SELECT seq, payload FROM events WHERE seq > ?1 AND kind IN (?2, ?3) ORDER BY seq LIMIT ?4",
        )
        .map_err(fail)?;
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut rows = statement.query(params![after.0 as i64, kinds[0], kinds[1], limit]).map_err(fail)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next().map_err(fail)? {
        let seq = Seq(row.get::<_, i64>(0).map_err(fail)? as u64);
        let payload = row.get_ref(1).map_err(fail)?.as_blob().map_err(|e| fail(e.into()))?;
        found.push((seq, decode_record(log, seq, payload, |digest| blob(connection, log, digest))?));
    }
    Ok(found)
}

/// The newest event of a kind that `fits`; `Break` ends the search.
pub(in super::super) fn newest_of_kind(
    connection: &Connection,
    log: &str,
    kind: u32,
    fits: impl Fn(&Record) -> ControlFlow<(), bool>,
) -> Result<Option<(Seq, Record)>, StoreError> {
    let fail = |e| failure(log, &e);
    let mut statement = connection
        .prepare_cached("SELECT seq, payload FROM events WHERE kind = ?1 ORDER BY seq DESC")
        .map_err(fail)?;
    let mut rows = statement.query([kind]).map_err(fail)?;
    while let Some(row) = rows.next().map_err(fail)? {
        let seq = Seq(row.get::<_, i64>(0).map_err(fail)? as u64);
        let payload = row.get_ref(1).map_err(fail)?.as_blob().map_err(|e| fail(e.into()))?;
        let record = decode_record(log, seq, payload, |digest| blob(connection, log, digest))?;
        match fits(&record) {
            ControlFlow::Break(()) => return Ok(None),
            ControlFlow::Continue(true) => return Ok(Some((seq, record))),
            ControlFlow::Continue(false) => {}
        }
    }
    Ok(None)
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

/// The check sum of an event; over its position too, so that a moved row is found.
pub(super) fn sum(seq: Seq, payload: &[u8]) -> i64 {
    let mut hasher = Sha256::new();
    hasher.update(seq.0.to_le_bytes());
    hasher.update(payload);
    let digest = hasher.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_le_bytes(first)
}
