//! From columns to rows.

use super::super::rows::{AttemptRow, CheckRow, GraphRow, MaterializationRow, RunRow, TaintRow, WantRow};
use super::super::time::join;
use databuild_core::ids::{AttemptId, GraphId, PlanId, RunId, Seq, TrialId, WantId};
use databuild_core::word::Word;
use jiff::Timestamp;
use rusqlite::types::{FromSqlError, Type};
use rusqlite::Row;
use serde::de::DeserializeOwned;

pub(super) fn want_row(row: &Row<'_>) -> rusqlite::Result<WantRow> {
    Ok(WantRow {
        id: WantId(unsigned(row, "id")?),
        state: word(row, "state")?,
        class: word(row, "class")?,
        refresh: word(row, "refresh")?,
        targets: json(row, "targets")?,
        comment: row.get("comment")?,
        source: row.get("source")?,
        by: row.get("by")?,
        as_of: time(row, "as_of")?,
        expires_at: optional_time(row, "expires_at")?,
        due_at: optional_time(row, "due_at")?,
        created_at: time(row, "created_at")?,
        ended_at: optional_time(row, "ended_at")?,
        causes: json(row, "causes")?,
        plan: optional_unsigned(row, "plan")?.map(PlanId),
        paused: row.get("paused")?,
        params: json(row, "params")?,
    })
}

pub(super) fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    Ok(RunRow {
        id: RunId(unsigned(row, "id")?),
        job: row.get("job")?,
        partition: row.get("partition")?,
        partitions: unsigned(row, "partitions")?,
        graph: GraphId(row.get("graph")?),
        state: word(row, "state")?,
        attempts: row.get("attempts")?,
        created_at: time(row, "created_at")?,
        ended_at: optional_time(row, "ended_at")?,
        message: row.get("message")?,
        params: json(row, "params")?,
        trial: optional_unsigned(row, "trial")?.map(TrialId),
    })
}

pub(super) fn attempt_row(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    let outcome = match row.get::<_, Option<String>>("outcome")? {
        None => None,
        Some(_) => Some(word(row, "outcome")?),
    };
    Ok(AttemptRow {
        id: AttemptId { run: RunId(unsigned(row, "run")?), number: row.get("number")? },
        state: word(row, "state")?,
        outcome,
        pid: row.get("pid")?,
        leased_at: time(row, "leased_at")?,
        started_at: optional_time(row, "started_at")?,
        ended_at: optional_time(row, "ended_at")?,
        exit_code: row.get("exit_code")?,
        wall_ms: optional_unsigned(row, "wall_ms")?,
        cpu_ms: optional_unsigned(row, "cpu_ms")?,
        max_rss_kb: optional_unsigned(row, "max_rss_kb")?,
        message: row.get("message")?,
        inputs: unsigned(row, "inputs")?,
        lease_seq: Seq(unsigned(row, "lease_seq")?),
    })
}

pub(super) fn materialization_row(row: &Row<'_>) -> rusqlite::Result<MaterializationRow> {
    Ok(MaterializationRow {
        partition: row.get("partition")?,
        seq: Seq(unsigned(row, "seq")?),
        run: optional_unsigned(row, "run")?.map(RunId),
        version: row.get("version")?,
        empty: row.get("empty")?,
        bytes: unsigned(row, "bytes")?,
        mark: unsigned(row, "mark")?,
        metadata: row.get("metadata")?,
        at: time(row, "at")?,
    })
}

pub(super) fn taint_row(row: &Row<'_>) -> rusqlite::Result<TaintRow> {
    Ok(TaintRow {
        seq: Seq(unsigned(row, "seq")?),
        at: time(row, "at")?,
        partitions: json(row, "partitions")?,
        reason: row.get("reason")?,
        by: row.get("by")?,
    })
}

pub(super) fn check_row(row: &Row<'_>) -> rusqlite::Result<CheckRow> {
    Ok(CheckRow {
        id: unsigned(row, "id")?,
        partition: row.get("partition")?,
        check: row.get("name")?,
        attempt: AttemptId { run: RunId(unsigned(row, "run")?), number: row.get("attempt")? },
        outcome: word(row, "outcome")?,
        blocking: row.get("blocking")?,
        message: row.get("message")?,
        metadata: row.get("metadata")?,
        at: time(row, "at")?,
    })
}

pub(super) fn graph_row(row: &Row<'_>) -> rusqlite::Result<GraphRow> {
    Ok(GraphRow {
        id: GraphId(row.get("id")?),
        seq: Seq(unsigned(row, "seq")?),
        at: time(row, "at")?,
        sources: json(row, "sources")?,
        inherited: json(row, "inherited")?,
    })
}

pub(super) fn unsigned(row: &Row<'_>, column: &str) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|bits| bits as u64)
}

/// Of a row that has only a position.
pub(super) fn seqs(row: &Row<'_>) -> rusqlite::Result<Seq> {
    row.get::<_, i64>(0).map(|seq| Seq(seq as u64))
}

fn optional_unsigned(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(column)?.map(|bits| bits as u64))
}

fn optional_time(row: &Row<'_>, column: &str) -> rusqlite::Result<Option<Timestamp>> {
    let Some(us) = row.get::<_, Option<i64>>(column)? else {
        return Ok(None);
    };
    let index = row.as_ref().column_index(column)?;
    join(us, 0).map(Some).ok_or(rusqlite::Error::IntegralValueOutOfRange(index, us))
}

fn time(row: &Row<'_>, column: &str) -> rusqlite::Result<Timestamp> {
    optional_time(row, column)?.ok_or_else(|| unknown_word(column, "NULL"))
}

pub(super) fn word<T: Word>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    T::of_word(&text).ok_or_else(|| unknown_word(column, &text))
}

pub(super) fn json<T: DeserializeOwned>(row: &Row<'_>, column: &str) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|_| unknown_word(column, &text))
}

/// A text that we never store there.
fn unknown_word(column: &str, text: &str) -> rusqlite::Error {
    let what = format!("a history list has `{text}` as {column}");
    rusqlite::Error::FromSqlConversionFailure(0, Type::Text, FromSqlError::Other(what.into()).into())
}
