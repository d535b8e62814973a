//! What checks found.

use super::columns::check_row;
use super::{before, rows_limit, Answer, Reader, MAX_ROWS};
use crate::store::error::StoreError;
use crate::store::rows::CheckRow;
use databuild_core::ids::RunId;
use rusqlite::{params, Connection, OptionalExtension};

/// Which findings, newest first: of each check of each partition the newest.
#[derive(Debug, Clone, Default)]
pub struct CheckFilter {
    /// Only those of this dataset, or of one whose name begins with it and a `/`.
    pub dataset: Option<String>,
    /// Only those that are not passed.
    pub failed: bool,
    /// Only those before this one: how a list goes on.
    pub before: Option<u64>,
    /// At most so many, up to [`MAX_ROWS`].
    pub limit: usize,
}

pub(super) fn of_run(connection: &Connection, run: RunId, most: i64) -> rusqlite::Result<Vec<CheckRow>> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM checks WHERE run = ?1 ORDER BY id LIMIT ?2")?;
    let rows = statement.query_map([run.0 as i64, most], check_row)?;
    rows.collect()
}

impl Reader {
    /// The newest finding of each check for each partition, newest first.
    pub fn checks(&self, filter: &CheckFilter) -> Result<Answer<Vec<CheckRow>>, StoreError> {
        self.answer(|connection| {
            let mut sql = String::from(
                "SELECT * FROM checks WHERE id < ?1 AND NOT EXISTS (
                     SELECT 1 FROM checks AS newer
                     WHERE newer.partition = checks.partition AND newer.name = checks.name
                         AND newer.id > checks.id)",
            );
            if filter.failed {
                sql.push_str(" AND outcome <> 'passed'");
            }
            if filter.dataset.is_some() {
                // `0` is the character after `/`.
                sql.push_str(" AND (partition = ?2 OR (partition >= ?2 || '/' AND partition < ?2 || '0'))");
            }
            sql.push_str(" ORDER BY id DESC LIMIT ?3");
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(
                params![before(filter.before), filter.dataset, rows_limit(filter.limit)],
                check_row,
            )?;
            rows.collect()
        })
    }

    /// What checks found in what a run made, in the order in which they did.
    pub fn checks_of_run(&self, run: RunId) -> Result<Answer<Vec<CheckRow>>, StoreError> {
        self.answer(|connection| of_run(connection, run, rows_limit(MAX_ROWS)))
    }

    /// For each of these partitions: how many checks did not pass what it holds now. Since it is there, those
    /// only warn.
    pub fn warnings(&self, partitions: &[&str]) -> Result<Answer<Vec<u64>>, StoreError> {
        self.answer(|connection| {
            // A run makes a partition once, so what was found in it by then was found in what it holds.
            let mut statement = connection.prepare_cached(
                "SELECT count(*) FROM checks
                 WHERE partition = ?1 AND outcome <> 'passed' AND run = (
                     SELECT run FROM materializations WHERE partition = ?1 ORDER BY seq DESC LIMIT 1)",
            )?;
            let count = |partition: &&str| -> rusqlite::Result<u64> {
                let count = statement.query_row([partition], |row| row.get::<_, i64>(0)).optional()?;
                Ok(count.unwrap_or_default().unsigned_abs())
            };
            partitions.iter().map(count).collect()
        })
    }
}
