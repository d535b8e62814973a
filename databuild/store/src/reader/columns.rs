//! From columns to rows.
//!
//! Columns are read by their places: looking each up by its name took a third of the time of a long list. A statement that
//! [`select`] begins has the columns of a row in the order in which its function reads them.

use super::super::rows::{AttemptRow, CheckRow, GraphRow, MaterializationRow, RunRow, TaintRow, WantRow};
use super::super::time::join;
use databuild_core::ids::{AttemptId, GraphId, PlanId, RunId, Seq, TrialId, WantId};
use databuild_core::word::Word;
use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, Type};
use rusqlite::Row;
use serde::de::DeserializeOwned;

/// SQL: the columns of a table's rows, and the rest of the statement.
macro_rules! select {
    (wants $rest:literal) => {
        concat!(
            "SELECT id, state, class, refresh, targets, comment, source, by, as_of, expires_at, due_at, created_at, ",
            "ended_at, causes, plan, paused, params FROM wants ",
            $rest
        )
    };
    (runs $rest:literal) => {
        concat!(
            "SELECT id, job, partition, state, partitions, graph, attempts, created_at, ended_at, message, params, trial ",
            "FROM runs ",
            $rest
        )
    };
    (attempts $rest:literal) => {
        concat!(
            "SELECT run, number, state, outcome, pid, leased_at, started_at, ended_at, exit_code, wall_ms, cpu_ms, ",
            "max_rss_kb, message, inputs, lease_seq, returned FROM attempts ",
            $rest
        )
    };
    (materializations $rest:literal) => {
        concat!(
            "SELECT partition, seq, run, version, empty, bytes, mark, metadata, at FROM materializations ",
            $rest
        )
    };
    (taints $rest:literal) => {
        concat!("SELECT seq, at, partitions, reason, by FROM taints ", $rest)
    };
    (checks $rest:literal) => {
        concat!(
            "SELECT id, partition, outcome, newest, name, run, attempt, blocking, message, metadata, at FROM checks ",
            $rest
        )
    };
    (graphs $rest:literal) => {
        concat!("SELECT id, seq, at, sources, inherited FROM graphs ", $rest)
    };
}
pub(super) use select;

/// Places of columns of runs.
pub(super) mod run {
    pub(in super::super) const JOB: usize = 1;
    pub(in super::super) const PARTITION: usize = 2;
    pub(in super::super) const STATE: usize = 3;
}

/// Places of columns of checks.
pub(super) mod check {
    pub(in super::super) const PARTITION: usize = 1;
    pub(in super::super) const OUTCOME: usize = 2;
    pub(in super::super) const NEWEST: usize = 3;
    pub(in super::super) const NAME: usize = 4;
}

/// How many columns a materialization has.
pub(super) const OF_MATERIALIZATION: usize = 9;

/// Reads the columns of a row one after the other.
pub(super) struct Cells<'row, 'statement> {
    row: &'row Row<'statement>,
    next: usize,
}

impl<'row, 'statement> Cells<'row, 'statement> {
    /// From this column on.
    pub(super) fn from(row: &'row Row<'statement>, first: usize) -> Cells<'row, 'statement> {
        Cells { row, next: first }
    }

    fn place(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    pub(super) fn get<T: FromSql>(&mut self) -> rusqlite::Result<T> {
        let place = self.place();
        self.row.get(place)
    }

    pub(super) fn unsigned(&mut self) -> rusqlite::Result<u64> {
        self.get::<i64>().map(|bits| bits as u64)
    }

    fn optional_unsigned(&mut self) -> rusqlite::Result<Option<u64>> {
        Ok(self.get::<Option<i64>>()?.map(|bits| bits as u64))
    }

    fn time(&mut self) -> rusqlite::Result<Timestamp> {
        let us: i64 = self.get()?;
        join(us, 0).ok_or(rusqlite::Error::IntegralValueOutOfRange(self.next - 1, us))
    }

    fn optional_time(&mut self) -> rusqlite::Result<Option<Timestamp>> {
        let Some(us) = self.get::<Option<i64>>()? else { return Ok(None) };
        join(us, 0).map(Some).ok_or(rusqlite::Error::IntegralValueOutOfRange(self.next - 1, us))
    }

    pub(super) fn word<T: Word>(&mut self) -> rusqlite::Result<T> {
        self.optional_word()?.ok_or_else(|| self.unknown("NULL"))
    }

    fn optional_word<T: Word>(&mut self) -> rusqlite::Result<Option<T>> {
        let place = self.place();
        let Some(text) = self.row.get_ref(place)?.as_str_or_null()? else { return Ok(None) };
        T::of_word(text).map(Some).ok_or_else(|| self.unknown(text))
    }

    pub(super) fn json<T: DeserializeOwned>(&mut self) -> rusqlite::Result<T> {
        let place = self.place();
        let text = self.row.get_ref(place)?.as_str()?;
        serde_json::from_str(text).map_err(|_| self.unknown(text))
    }

    /// The last column has a text that we never store there.
    fn unknown(&self, text: &str) -> rusqlite::Error {
        let place = self.next - 1;
        let column = self.row.as_ref().column_name(place).unwrap_or("a column");
        let what = format!("a history list has `{text}` as {column}");
        rusqlite::Error::FromSqlConversionFailure(place, Type::Text, FromSqlError::Other(what.into()).into())
    }
}

pub(super) fn want_row(row: &Row<'_>) -> rusqlite::Result<WantRow> {
    let mut cells = Cells::from(row, 0);
    Ok(WantRow {
        id: WantId(cells.unsigned()?),
        state: cells.word()?,
        class: cells.word()?,
        refresh: cells.word()?,
        targets: cells.json()?,
        comment: cells.get()?,
        source: cells.get()?,
        by: cells.get()?,
        as_of: cells.time()?,
        expires_at: cells.optional_time()?,
        due_at: cells.optional_time()?,
        created_at: cells.time()?,
        ended_at: cells.optional_time()?,
        causes: cells.json()?,
        plan: cells.optional_unsigned()?.map(PlanId),
        paused: cells.get()?,
        params: cells.json()?,
    })
}

pub(super) fn run_row(row: &Row<'_>) -> rusqlite::Result<RunRow> {
    let mut cells = Cells::from(row, 0);
    Ok(RunRow {
        id: RunId(cells.unsigned()?),
        job: cells.get()?,
        partition: cells.get()?,
        state: cells.word()?,
        partitions: cells.unsigned()?,
        graph: GraphId(cells.get()?),
        attempts: cells.get()?,
        created_at: cells.time()?,
        ended_at: cells.optional_time()?,
        message: cells.get()?,
        params: cells.json()?,
        trial: cells.optional_unsigned()?.map(TrialId),
    })
}

pub(super) fn attempt_row(row: &Row<'_>) -> rusqlite::Result<AttemptRow> {
    let mut cells = Cells::from(row, 0);
    Ok(AttemptRow {
        id: AttemptId { run: RunId(cells.unsigned()?), number: cells.get()? },
        state: cells.word()?,
        outcome: cells.optional_word()?,
        pid: cells.get()?,
        leased_at: cells.time()?,
        started_at: cells.optional_time()?,
        ended_at: cells.optional_time()?,
        exit_code: cells.get()?,
        wall_ms: cells.optional_unsigned()?,
        cpu_ms: cells.optional_unsigned()?,
        max_rss_kb: cells.optional_unsigned()?,
        message: cells.get()?,
        inputs: cells.unsigned()?,
        lease_seq: Seq(cells.unsigned()?),
        returned: cells.get::<Option<Vec<u8>>>()?.unwrap_or_default(),
    })
}

pub(super) fn materialization_row(row: &Row<'_>) -> rusqlite::Result<MaterializationRow> {
    let mut cells = Cells::from(row, 0);
    Ok(MaterializationRow {
        partition: cells.get()?,
        seq: Seq(cells.unsigned()?),
        run: cells.optional_unsigned()?.map(RunId),
        version: cells.get()?,
        empty: cells.get()?,
        bytes: cells.unsigned()?,
        mark: cells.unsigned()?,
        metadata: cells.get()?,
        at: cells.time()?,
    })
}

pub(super) fn taint_row(row: &Row<'_>) -> rusqlite::Result<TaintRow> {
    let mut cells = Cells::from(row, 0);
    Ok(TaintRow {
        seq: Seq(cells.unsigned()?),
        at: cells.time()?,
        partitions: cells.json()?,
        reason: cells.get()?,
        by: cells.get()?,
    })
}

pub(super) fn check_row(row: &Row<'_>) -> rusqlite::Result<CheckRow> {
    let mut cells = Cells::from(row, 0);
    let (id, partition, outcome) = (cells.unsigned()?, cells.get()?, cells.word()?);
    let mut cells = Cells::from(row, check::NEWEST + 1);
    Ok(CheckRow {
        id,
        partition,
        outcome,
        check: cells.get()?,
        attempt: AttemptId { run: RunId(cells.unsigned()?), number: cells.get()? },
        blocking: cells.get()?,
        message: cells.get()?,
        metadata: cells.get()?,
        at: cells.time()?,
    })
}

pub(super) fn graph_row(row: &Row<'_>) -> rusqlite::Result<GraphRow> {
    let mut cells = Cells::from(row, 0);
    Ok(GraphRow {
        id: GraphId(cells.get()?),
        seq: Seq(cells.unsigned()?),
        at: cells.time()?,
        sources: cells.json()?,
        inherited: cells.json()?,
    })
}

/// Of a row that begins with a number.
pub(super) fn first(row: &Row<'_>) -> rusqlite::Result<u64> {
    Cells::from(row, 0).unsigned()
}

/// Of a row that has only a position.
pub(super) fn seqs(row: &Row<'_>) -> rusqlite::Result<Seq> {
    first(row).map(Seq)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The places are those of the columns, of runs and of checks.
    #[test]
    fn columns_are_in_their_places() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        let tables = "CREATE TABLE runs (id, job, partition, state, partitions, graph, attempts, created_at, ended_at,
                          message, params, trial);
                      CREATE TABLE checks (id, partition, outcome, newest, name, run, attempt, blocking, message,
                          metadata, at);
                      CREATE TABLE materializations (partition, seq, run, version, empty, bytes, mark, metadata, at);";
        connection.execute_batch(tables).unwrap();
        let names = |sql: &str| {
            let statement = connection.prepare(sql).unwrap();
            statement.column_names().map(str::to_owned).collect::<Vec<_>>()
        };
        let runs = names(select!(runs ""));
        assert_eq!(
            [&runs[run::JOB], &runs[run::PARTITION], &runs[run::STATE]],
            ["job", "partition", "state"]
        );
        let checks = names(select!(checks ""));
        let places =
            [check::PARTITION, check::OUTCOME, check::NEWEST, check::NAME].map(|place| &checks[place]);
        assert_eq!(places, ["partition", "outcome", "newest", "name"]);
        assert_eq!(names(select!(materializations "")).len(), OF_MATERIALIZATION);
    }
}
