//! Positions of the log that `meta` keeps by name.

use super::super::error::StoreError;
use super::failure::failure;
use databuild_core::ids::Seq;
use rusqlite::{params, Connection, OptionalExtension};

/// The one of that name; 0 if there is none.
pub(in super::super) fn position(connection: &Connection, log: &str, name: &str) -> Result<Seq, StoreError> {
    connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")
        .and_then(|mut statement| statement.query_row([name], |row| row.get::<_, i64>(0)).optional())
        .map(|found| Seq(found.unwrap_or(0) as u64))
        .map_err(|e| failure(log, &e))
}

pub(super) fn set_position(
    connection: &Connection,
    log: &str,
    name: &str,
    seq: Seq,
) -> Result<(), StoreError> {
    connection
        .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")
        .and_then(|mut statement| statement.execute(params![name, seq.0 as i64]))
        .map(drop)
        .map_err(|e| failure(log, &e))
}
