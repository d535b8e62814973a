//! Sums of events: they show that an event is as it was written, and that it follows the event which it followed then.
//!
//! The sum of an event covers its position, its payload and the sum of the event before it. So the last sum stands for the
//! whole log: nobody can change, take out, swap or put in an event without changing all sums after it.
//!
//! Logs of formats 1 and 2 have sums without the sum before. `meta` says from which event on sums are chained. It also keeps the sum of
//! each event at which the log was cut off, since the event itself is only in the archive then.

use super::super::error::StoreError;
use super::failure::failure;
use super::position::position;
use databuild_core::ids::Seq;
use rusqlite::{params, Connection, OptionalExtension};
use sha2::{Digest, Sha256};

/// Name in `meta` of the first event whose sum is chained; absent = none is.
pub(super) const CHAINED_FROM: &str = "chained_from";

/// SQL: chains the sums of all events that are yet to come. A log whose sums are chained keeps its chain.
pub(super) const BEGIN_CHAIN: &str = "
INSERT OR IGNORE INTO meta (name, value) SELECT 'chained_from', ifnull(max(seq), 0) + 1 FROM events;";

/// SQL: the sum of the event before the one of a row of `events`; null if the log does not know it.
pub(super) const SUM_BEFORE: &str = "ifnull(
    (SELECT prior.sum FROM events AS prior WHERE prior.seq = events.seq - 1),
    (SELECT value FROM meta WHERE name = 'sum_of_event_' || (events.seq - 1)))";

/// SQL: copies what is known of the chain into the archive of the events after ?1 of the attached `log`.
pub(super) const COPY_CHAIN: &str = "
INSERT INTO meta (name, value)
SELECT name, value FROM log.meta WHERE name IN ('chained_from', 'sum_of_event_' || ?1)";

/// What the sums of a log are held against.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sums {
    /// See [`CHAINED_FROM`].
    chained_from: Option<Seq>,
}

impl Sums {
    /// Those of the log behind this connection.
    pub(super) fn of(connection: &Connection, log: &str) -> Result<Sums, StoreError> {
        let from = position(connection, log, CHAINED_FROM)?;
        Ok(Sums { chained_from: (from > Seq(0)).then_some(from) })
    }

    /// Compares the sum of an event with what it should be; `before` is the sum of the event before it.
    pub(super) fn check(
        self,
        log: &str,
        seq: Seq,
        payload: &[u8],
        stored: i64,
        before: Option<i64>,
    ) -> Result<(), StoreError> {
        if self.chained_from.is_none_or(|from| seq < from) {
            return match sum_alone(seq, payload) == stored {
                true => Ok(()),
                false => Err(StoreError::corrupt(log, format!("event {seq} is not as it was written"))),
            };
        }
        let before = match before {
            Some(before) => before,
            None if seq == Seq(1) => 0,
            None => {
                let reason = format!("event {} is missing, which event {seq} follows", seq.0 - 1);
                return Err(StoreError::corrupt(log, reason));
            }
        };
        if sum(before, seq, payload) != stored {
            let reason = format!("event {seq} is not as it was written, or the event before it is not");
            return Err(StoreError::corrupt(log, reason));
        }
        Ok(())
    }
}

/// The sum of an event; `before` is the sum of the event before it, 0 for the first event.
pub(super) fn sum(before: i64, seq: Seq, payload: &[u8]) -> i64 {
    let mut hasher = Sha256::new_with_prefix(before.to_le_bytes());
    hasher.update(seq.0.to_le_bytes());
    hasher.update(payload);
    first_bytes(hasher)
}

/// The sum of an event that was written before sums were chained.
fn sum_alone(seq: Seq, payload: &[u8]) -> i64 {
    let mut hasher = Sha256::new_with_prefix(seq.0.to_le_bytes());
    hasher.update(payload);
    first_bytes(hasher)
}

fn first_bytes(hasher: Sha256) -> i64 {
    let digest = hasher.finalize();
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    i64::from_le_bytes(first)
}

/// The sum of an event that is in this log, or at which the log was cut off.
pub(super) fn sum_of(connection: &Connection, log: &str, seq: Seq) -> Result<Option<i64>, StoreError> {
    connection
        .prepare_cached(
            "SELECT sum FROM events WHERE seq = ?1
             UNION ALL SELECT value FROM meta WHERE name = 'sum_of_event_' || ?1",
        )
        .and_then(|mut statement| statement.query_row([seq.0 as i64], |row| row.get(0)).optional())
        .map_err(|error| failure(log, &error))
}

/// Keeps the sum of an event that is about to leave the log.
pub(super) fn keep_sum(connection: &Connection, log: &str, seq: Seq) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO meta (name, value) SELECT 'sum_of_event_' || seq, sum FROM events WHERE seq = ?1",
        )
        .and_then(|mut statement| statement.execute(params![seq.0 as i64]))
        .map(drop)
        .map_err(|error| failure(log, &error))
}

/// Makes the sums of a log those of formats 1 and 2.
#[cfg(test)]
pub(super) fn unchain(connection: &Connection) {
    let rows: Vec<(i64, Vec<u8>)> = connection
        .prepare("SELECT seq, payload FROM events")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (seq, payload) in rows {
        let sum = sum_alone(Seq(seq as u64), &payload);
        connection.execute("UPDATE events SET sum = ?2 WHERE seq = ?1", [seq, sum]).unwrap();
    }
    connection.execute("DELETE FROM meta WHERE name = ?1", [CHAINED_FROM]).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
}
