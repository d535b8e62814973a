//! Reading the history lists while the log is being written.
//!
//! Duty: to answer the questions of HTTP handlers from read-only connections. No answer waits for the
//! writer, holds more than [`MAX_ROWS`] rows, or, but for one rare question of the engine, keeps its read transaction open for
//! more than [`LONGEST_QUERY`]: a reader that holds on to an old state keeps the write-ahead log from being
//! copied, and so from staying short.
//!
//! Invariant: every answer is of one state of the log, the one after its `last_seq`.
//!
//! Lists begin where history begins: rows of wants and runs that are over, and data that other data took the place
//! of, go to archives with their events. What is current stays, and with it all that explains it: the data that
//! each partition holds, the run and the graph that it was made by, the data that it was made from, the last failure,
//! and who tainted it ([`super::Cut`]).

mod archived;
mod checks;
mod columns;
mod counts;
mod newest;
mod past;
mod runs;
mod work;

use super::error::StoreError;
use super::history::{
    Answer, CheckCounts, CheckFilter, Counts, Durations, Events, Filed, History, Listed, RunFilter,
    RunWithChecks, WantFilter, WantWork, MAX_ROWS,
};
use super::rows::{
    AttemptRow, CheckRow, GraphRow, MaterializationRow, PastMaterialization, RunRow, RunWithAttempts,
    TaintRow, WantRow,
};
use super::sqlite::{failure, open_reader, position, read, Archives, ARCHIVED};
use columns::{attempt_row, graph_row, materialization_row, run_row, select, seqs, taint_row, want_row};
use databuild_core::event::{Event, KeysAdded, KeysRetired, Record};
use databuild_core::ids::{AttemptId, GraphId, RunId, Seq, WantId};
use databuild_core::state::Holding;
use databuild_core::word::Word;
use newest::{newest, Part, Walk};
use rusqlite::{params, Connection, OptionalExtension};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A query that takes longer is stopped: `query_too_slow`.
pub const LONGEST_QUERY: Duration = Duration::from_secs(2);

/// The same for a question of the engine that no index answers: a wrong answer would be worse than a late one.
const LONGEST_SCAN: Duration = Duration::from_secs(60);

/// Steps of SQLite's machine between two looks at the clock: some tens of microseconds.
const STEPS_PER_LOOK: i32 = 10_000;

/// A pool of read-only connections; share it between threads.
#[derive(Debug)]
pub struct Reader {
    path: PathBuf,
    log: String,
    archives: Archives,
    most: usize,
    longest: Duration,
    pool: Mutex<Pool>,
    freed: Condvar,
}

#[derive(Debug, Default)]
struct Pool {
    idle: Vec<Lane>,
    open: usize,
}

/// A connection with the time at which its query is stopped.
#[derive(Debug)]
struct Lane {
    connection: Connection,
    /// When the clock below was read as zero.
    start: Instant,
    /// Milliseconds after `start`.
    deadline: Arc<AtomicU64>,
}

impl Reader {
    /// Readers of the log at `path`, which a [`super::SqliteLog`] of this process has open. Connections
    /// are opened when needed, at most `most` of them; further callers wait for their turn.
    #[must_use]
    pub fn new(path: &Path, most: usize) -> Reader {
        Reader {
            path: path.to_owned(),
            log: path.display().to_string(),
            archives: Archives::of(path),
            most: most.max(1),
            longest: LONGEST_QUERY,
            pool: Mutex::default(),
            freed: Condvar::new(),
        }
    }

    fn answer<T>(
        &self,
        ask: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<Answer<T>, StoreError> {
        self.checked_answer(|connection| ask(connection).map_err(|e| failure(&self.log, &e)))
    }

    /// Asks within one read transaction, on a connection that no other thread uses.
    fn checked_answer<T>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<Answer<T>, StoreError> {
        self.answer_within(self.longest, ask)
    }

    /// The same, with another limit of time.
    fn answer_within<T>(
        &self,
        longest: Duration,
        ask: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<Answer<T>, StoreError> {
        let mut turn = Turn { reader: self, lane: Some(self.lane()?) };
        // Set just above, taken only by drop.
        let Some(lane) = &mut turn.lane else { unreachable!("a turn has its lane") };
        let deadline = lane.start.elapsed() + longest;
        lane.deadline.store(deadline.as_millis() as u64, Ordering::Relaxed);
        let transaction = Transaction::begin(&lane.connection).map_err(|e| failure(&self.log, &e))?;
        let last_seq = read::last_seq(transaction.0, &self.log)?;
        let value = ask(transaction.0)?;
        Ok(Answer { last_seq, value })
    }

    fn lane(&self) -> Result<Lane, StoreError> {
        let mut pool = self.pool();
        loop {
            if let Some(lane) = pool.idle.pop() {
                return Ok(lane);
            }
            if pool.open < self.most {
                pool.open += 1;
                break;
            }
            pool = self.freed.wait(pool).unwrap_or_else(PoisonError::into_inner);
        }
        drop(pool);
        open_lane(&self.path, &self.log).inspect_err(|_| {
            self.pool().open -= 1;
            self.freed.notify_one();
        })
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        // The pool is whole at every point where a thread could panic.
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl History for Reader {
    fn wants_that(
        &self,
        filter: &WantFilter,
        fit: &dyn Fn(&WantRow) -> bool,
    ) -> Result<Answer<Listed<WantRow>>, StoreError> {
        let walk = match filter.state {
            None => Walk::of_wants("true", []),
            Some(state) => Walk::of_wants("state = ?2", [state.word().to_owned().into()]),
        };
        let (before, oldest_first) = (filter.before.map(|want| want.0), filter.oldest_first);
        let part = Part { before, oldest_first, limit: filter.limit };
        let of_source = |row: &WantRow| filter.source.as_ref().is_none_or(|source| *source == row.source);
        let asked = |row: &WantRow| of_source(row) && fit(row);
        self.answer(|connection| {
            newest(connection, &[walk], part, |row| Ok(Some(want_row(row)?).filter(asked)))
        })
    }

    fn want(&self, id: WantId) -> Result<Answer<Option<WantRow>>, StoreError> {
        self.answer(|connection| want_of(connection, id))
    }

    fn run(&self, id: RunId) -> Result<Answer<Option<RunWithAttempts>>, StoreError> {
        self.answer(|connection| run_of(connection, id))
    }

    fn attempt(&self, id: AttemptId) -> Result<Answer<Option<AttemptRow>>, StoreError> {
        self.answer(|connection| {
            connection
                .prepare_cached(select!(attempts "WHERE run = ?1 AND number = ?2"))?
                .query_row([id.run.0 as i64, i64::from(id.number)], attempt_row)
                .optional()
        })
    }

    fn attempts_of(&self, runs: &[RunId]) -> Result<Answer<Vec<AttemptRow>>, StoreError> {
        let asked = serde_json::Value::from_iter(runs.iter().map(|run| run.0)).to_string();
        self.answer(|connection| {
            let mut statement = connection
                .prepare_cached(select!(attempts "WHERE run IN (SELECT value FROM json_each(?1))
                 ORDER BY run, number LIMIT ?2"))?;
            let rows = statement.query_map(params![asked, rows_limit(MAX_ROWS)], attempt_row)?;
            rows.collect()
        })
    }

    fn last_durations(&self, jobs: &[Vec<&str>], each: usize) -> Result<Answer<Durations>, StoreError> {
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT newest.id, attempts.wall_ms * 1.0, max(newest.partitions, 1)
                 FROM (SELECT id, partitions FROM runs WHERE job = ?1 ORDER BY id DESC LIMIT ?3) AS newest
                 JOIN attempts ON attempts.run = newest.id
                 WHERE attempts.outcome = 'success' AND attempts.wall_ms IS NOT NULL
                 ORDER BY newest.id DESC LIMIT ?2",
            )?;
            let mut found = BTreeMap::new();
            for labels in jobs.iter().filter(|labels| !labels.is_empty()) {
                let mut all: Vec<(i64, f64, u64)> = Vec::new();
                for label in labels {
                    let rows = statement
                        .query_map(params![label, rows_limit(each), rows_limit(10 * each)], |row| {
                            Ok((row.get(0)?, row.get(1)?, row.get::<_, i64>(2)?.unsigned_abs()))
                        })?;
                    all.extend(rows.collect::<rusqlite::Result<Vec<_>>>()?);
                }
                all.sort_by_key(|(run, ..)| std::cmp::Reverse(*run));
                all.truncate(each);
                found.insert(
                    labels[0].to_owned(),
                    all.into_iter().map(|(_, ms, partitions)| (ms, partitions)).collect(),
                );
            }
            Ok(found)
        })
    }

    fn materializations(
        &self,
        partition: &str,
        limit: usize,
    ) -> Result<Answer<Vec<MaterializationRow>>, StoreError> {
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(
                select!(materializations "WHERE partition = ?1 ORDER BY seq DESC LIMIT ?2"),
            )?;
            let rows = statement.query_map(params![partition, rows_limit(limit)], materialization_row)?;
            rows.collect()
        })
    }

    fn materializations_of_run(&self, run: RunId) -> Result<Answer<Vec<MaterializationRow>>, StoreError> {
        self.answer(|connection| {
            let mut statement = connection.prepare_cached(
                select!(materializations "WHERE run = ?1 ORDER BY partition, seq LIMIT ?2"),
            )?;
            let rows = statement.query_map([run.0 as i64, rows_limit(MAX_ROWS)], materialization_row)?;
            rows.collect()
        })
    }

    fn materialization_at(
        &self,
        texts: &[String],
        seq: Seq,
    ) -> Result<Answer<Option<MaterializationRow>>, StoreError> {
        self.answer(|connection| {
            let mut statement = connection
                .prepare_cached(select!(materializations "WHERE partition = ?1 AND seq <= ?2
                 ORDER BY seq DESC LIMIT 1"))?;
            let seq = i64::try_from(seq.0).unwrap_or(i64::MAX);
            let mut newest: Option<MaterializationRow> = None;
            for text in texts {
                let row = statement.query_row(params![text, seq], materialization_row).optional()?;
                newest = newest.into_iter().chain(row).max_by_key(|row| row.seq);
            }
            Ok(newest)
        })
    }

    fn published_as(&self, version: &str) -> Result<Answer<Option<String>>, StoreError> {
        self.answer_within(LONGEST_SCAN, |connection| {
            let ask = || {
                connection
                    .prepare_cached(
                        "SELECT partition FROM materializations WHERE version = ?1 AND run IS NOT NULL
                         ORDER BY seq DESC LIMIT 1",
                    )?
                    .query_row([version], |row| row.get(0))
                    .optional()
            };
            ask().map_err(|error| failure(&self.log, &error))
        })
    }

    fn graph(&self, id: &GraphId) -> Result<Answer<Option<GraphRow>>, StoreError> {
        self.answer(|connection| {
            connection
                .prepare_cached(select!(graphs "WHERE id = ?1 ORDER BY seq DESC LIMIT 1"))?
                .query_row([&id.0], graph_row)
                .optional()
        })
    }

    fn graph_before(&self, id: &GraphId, seq: Seq) -> Result<Answer<Option<GraphRow>>, StoreError> {
        self.answer(|connection| {
            connection
                .prepare_cached(select!(graphs "WHERE id = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT 1"))?
                .query_row(params![id.0, seq.0 as i64], graph_row)
                .optional()
        })
    }

    fn graph_beginning(&self, id: &str) -> Result<Answer<Option<GraphRow>>, StoreError> {
        self.answer(|connection| {
            connection
                .prepare_cached(
                    // No digit of an id is beyond `f`.
                    select!(graphs "WHERE id >= ?1 AND id < ?1 || 'g' ORDER BY seq DESC LIMIT 1"),
                )?
                .query_row([id], graph_row)
                .optional()
        })
    }

    fn graphs(&self, before: Option<Seq>, limit: usize) -> Result<Answer<Vec<GraphRow>>, StoreError> {
        let before = before.and_then(|before| i64::try_from(before.0).ok()).unwrap_or(i64::MAX);
        self.answer(|connection| {
            let mut statement =
                connection.prepare_cached(select!(graphs "WHERE seq < ?1 ORDER BY seq DESC LIMIT ?2"))?;
            let rows = statement.query_map([before, rows_limit(limit)], graph_row)?;
            rows.collect()
        })
    }

    fn content(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.checked_answer(|connection| read::blob(connection, &self.log, digest))?.value)
    }

    fn missing(&self, digests: &[String]) -> Result<Vec<String>, StoreError> {
        let asked = serde_json::Value::from(digests).to_string();
        let found = self.answer(|connection| {
            let mut statement = connection.prepare_cached(
                "SELECT value FROM json_each(?1) WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE digest = value)",
            )?;
            let missing = statement.query_map([&asked], |row| row.get(0))?;
            missing.collect()
        })?;
        Ok(found.value)
    }

    fn counts(&self) -> Result<Answer<Counts>, StoreError> {
        self.answer(counts::all)
    }

    fn taint(&self, seq: Seq) -> Result<Answer<Option<TaintRow>>, StoreError> {
        self.answer(|connection| {
            connection
                .prepare_cached(select!(taints "WHERE seq = ?1"))?
                .query_row([seq.0 as i64], taint_row)
                .optional()
        })
    }

    fn events_within(
        &self,
        after: Option<Seq>,
        limit: usize,
        bytes: usize,
    ) -> Result<Answer<Events>, StoreError> {
        self.checked_answer(|connection| {
            let archived = position(connection, &self.log, ARCHIVED)?;
            let after = after.unwrap_or(archived);
            if after < archived {
                return Err(StoreError::Archived { log: self.log.clone(), until: archived });
            }
            let records = read::records_within(connection, &self.log, after, limit.min(MAX_ROWS), bytes)?;
            Ok(Events { archived, records })
        })
    }

    fn event(&self, seq: Seq) -> Result<Answer<Option<Record>>, StoreError> {
        let before = Seq(seq.0.saturating_sub(1));
        self.checked_answer(|connection| {
            let archived = position(connection, &self.log, ARCHIVED)?;
            let found = self.archives.records_through(connection, archived, before, 1)?;
            Ok(found.into_iter().find(|(found, _)| *found == seq).map(|(_, record)| record))
        })
    }

    fn key_changes(&self, after: Seq) -> Result<Answer<Option<Vec<Event>>>, StoreError> {
        let (space, keys) = Default::default();
        let added = Event::KeysAdded(KeysAdded { space, keys, back: Vec::new() }).number();
        let (space, keys) = Default::default();
        let retired = Event::KeysRetired(KeysRetired { space, keys }).number();
        self.checked_answer(|connection| {
            let archived = position(connection, &self.log, ARCHIVED)?;
            let (kinds, most) = ([added, retired], MAX_ROWS + 1);
            let mut found = self.archives.of_kinds(archived, after, kinds, most)?;
            let later = || {
                connection
                    .prepare_cached("SELECT seq FROM key_changes WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
                    .query_map([after.max(archived).0 as i64, most as i64], seqs)?
                    .collect::<rusqlite::Result<Vec<_>>>()
            };
            let later = later().map_err(|e| failure(&self.log, &e))?;
            found.extend(read::records_at(connection, &self.log, &later)?);
            let events = found.into_iter().map(|(_, record)| record.event).collect::<Vec<_>>();
            Ok(Some(events).filter(|events| events.len() <= MAX_ROWS))
        })
    }

    fn archived_want(&self, id: WantId) -> Result<Option<Filed<WantRow>>, StoreError> {
        self.filed(|connection| want_of(connection, id))
    }

    fn run_with_checks(&self, id: RunId) -> Result<Answer<Option<RunWithChecks>>, StoreError> {
        self.answer(|connection| run_with_checks_of(connection, id))
    }

    fn archived_run(&self, id: RunId) -> Result<Option<Filed<RunWithChecks>>, StoreError> {
        self.filed(|connection| run_with_checks_of(connection, id))
    }

    fn work_of_want(&self, want: WantId, known: Option<WantWork>) -> Result<Answer<WantWork>, StoreError> {
        self.checked_answer(|connection| work::of_want(connection, &self.log, want, known))
    }

    fn runs(
        &self,
        filter: &RunFilter,
        fit: &dyn Fn(&str) -> bool,
    ) -> Result<Answer<Listed<RunRow>>, StoreError> {
        self.answer(|connection| runs::list(connection, filter, fit))
    }

    fn past_materializations(
        &self,
        texts: &[String],
        limit: usize,
    ) -> Result<Answer<Vec<PastMaterialization>>, StoreError> {
        self.answer(|connection| past::list(connection, texts, limit))
    }

    fn checks(
        &self,
        filter: &CheckFilter,
        fits: &dyn Fn(&str) -> bool,
    ) -> Result<Answer<Listed<CheckRow>>, StoreError> {
        self.answer(|connection| checks::list(connection, filter, fits))
    }

    fn check_counts(&self) -> Result<Answer<CheckCounts>, StoreError> {
        self.answer(checks::counts)
    }

    fn warnings(&self, held: &[Holding]) -> Result<Answer<Vec<u64>>, StoreError> {
        self.answer(|connection| checks::warnings(connection, held))
    }
}

/// A read transaction; dropping it ends it. SQLite's statements for both are prepared once for a connection, which rusqlite's
/// own transactions do each time.
struct Transaction<'a>(&'a Connection);

impl Transaction<'_> {
    fn begin(connection: &Connection) -> rusqlite::Result<Transaction<'_>> {
        connection.prepare_cached("BEGIN")?.execute([])?;
        Ok(Transaction(connection))
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        let end = || self.0.prepare_cached("COMMIT")?.execute([]);
        if end().is_err() && !self.0.is_autocommit() {
            // Some statement is not done yet. A connection that stays in its transaction would keep the write-ahead log from
            // being copied.
            let _ = self.0.execute_batch("ROLLBACK");
        }
    }
}

/// Gives the lane back however the query ends.
struct Turn<'a> {
    reader: &'a Reader,
    lane: Option<Lane>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(lane) = self.lane.take() {
            self.reader.pool().idle.push(lane);
            self.reader.freed.notify_one();
        }
    }
}

fn open_lane(path: &Path, log: &str) -> Result<Lane, StoreError> {
    let mut connection = open_reader(path, log)?;
    let start = Instant::now();
    let deadline = Arc::new(AtomicU64::new(u64::MAX));
    let seen = Arc::clone(&deadline);
    let is_late = move || start.elapsed().as_millis() as u64 > seen.load(Ordering::Relaxed);
    connection.progress_handler(STEPS_PER_LOOK, Some(is_late)).map_err(|error| failure(log, &error))?;
    Ok(Lane { connection, start, deadline })
}

fn rows_limit(limit: usize) -> i64 {
    limit.min(MAX_ROWS) as i64
}

fn want_of(connection: &Connection, id: WantId) -> rusqlite::Result<Option<WantRow>> {
    let mut statement = connection.prepare_cached(select!(wants "WHERE id = ?1"))?;
    statement.query_row([id.0 as i64], want_row).optional()
}

fn run_of(connection: &Connection, id: RunId) -> rusqlite::Result<Option<RunWithAttempts>> {
    let run = connection
        .prepare_cached(select!(runs "WHERE id = ?1"))?
        .query_row([id.0 as i64], run_row)
        .optional()?;
    let Some(run) = run else { return Ok(None) };
    let mut statement =
        connection.prepare_cached(select!(attempts "WHERE run = ?1 ORDER BY number LIMIT ?2"))?;
    let attempts =
        statement.query_map([id.0 as i64, rows_limit(MAX_ROWS)], attempt_row)?.collect::<Result<_, _>>()?;
    Ok(Some(RunWithAttempts { run, attempts }))
}

fn run_with_checks_of(connection: &Connection, id: RunId) -> rusqlite::Result<Option<RunWithChecks>> {
    let Some(run) = run_of(connection, id)? else { return Ok(None) };
    Ok(Some((run, checks::of_run(connection, id, rows_limit(MAX_ROWS))?)))
}

#[cfg(test)]
mod cost_tests;
#[cfg(test)]
mod tests;
