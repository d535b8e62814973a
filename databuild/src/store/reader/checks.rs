//! What checks found.

use super::columns::check_row;
use super::newest::{newest, Listed, Part, Walk};
use super::{rows_limit, Answer, Reader, MAX_ROWS};
use crate::store::error::StoreError;
use crate::store::rows::CheckRow;
use databuild_core::event::CheckOutcome;
use databuild_core::ids::RunId;
use databuild_core::word::Word as _;
use rusqlite::{Connection, OptionalExtension};

/// Which findings, newest first: of each check of each partition the newest.
#[derive(Debug, Clone, Default)]
pub struct CheckFilter {
    /// Only those of these partitions.
    pub of: CheckedSet,
    /// Only those that are not passed.
    pub failed: bool,
    /// Only those before this one: how a list goes on.
    pub before: Option<u64>,
    /// At most so many, up to [`MAX_ROWS`].
    pub limit: usize,
}

/// The partitions that findings are asked for.
#[derive(Debug, Clone, Default)]
pub enum CheckedSet {
    /// All.
    #[default]
    All,
    /// Those of the dataset of this name.
    Dataset(String),
    /// Those with these texts.
    Partitions(Vec<String>),
}

impl CheckFilter {
    /// Along which indexes these findings are found.
    fn walks(&self) -> Vec<Walk> {
        let one = |condition, key: &str| Walk::of("checks", condition, [key.to_owned().into()]);
        match &self.of {
            CheckedSet::Partitions(texts) => {
                texts.iter().map(|text| one("partition = ?2 AND newest = 1", text)).collect()
            }
            CheckedSet::Dataset(name) if self.failed => {
                vec![one("dataset = ?2 AND newest = 1 AND outcome <> 'passed'", name)]
            }
            CheckedSet::Dataset(name) => vec![one("dataset = ?2 AND newest = 1", name)],
            CheckedSet::All if self.failed => {
                vec![Walk::of("checks", "newest = 1 AND outcome <> 'passed'", [])]
            }
            CheckedSet::All => vec![Walk::of("checks", "true", [])],
        }
    }
}

pub(super) fn of_run(connection: &Connection, run: RunId, most: i64) -> rusqlite::Result<Vec<CheckRow>> {
    let mut statement =
        connection.prepare_cached("SELECT * FROM checks WHERE run = ?1 ORDER BY id LIMIT ?2")?;
    let rows = statement.query_map([run.0 as i64, most], check_row)?;
    rows.collect()
}

impl Reader {
    /// The newest finding of each check for each partition, newest first: of those that the filter lets through, the ones
    /// whose partition, as a text, `fits`.
    pub fn checks(
        &self,
        filter: &CheckFilter,
        fits: &dyn Fn(&str) -> bool,
    ) -> Result<Answer<Listed<CheckRow>>, StoreError> {
        let passed = CheckOutcome::Passed.word();
        let part = Part { before: filter.before, limit: filter.limit };
        self.answer(|connection| {
            newest(connection, &filter.walks(), part, |row| {
                let is_asked_for = row.get::<_, bool>("newest")?
                    && !(filter.failed && row.get_ref("outcome")?.as_str()? == passed)
                    && fits(row.get_ref("partition")?.as_str()?);
                if is_asked_for {
                    check_row(row).map(Some)
                } else {
                    Ok(None)
                }
            })
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
