//! What checks found.

use super::columns::{check, check_row, select};
use super::newest::{newest, Part, Walk};
use crate::store::history::{CheckFilter, CheckedSet, Listed};
use crate::store::rows::CheckRow;
use databuild_core::event::CheckOutcome;
use databuild_core::ids::RunId;
use databuild_core::word::Word as _;
use rusqlite::{Connection, OptionalExtension};

/// Along which indexes these findings are found.
fn walks(filter: &CheckFilter) -> Vec<Walk> {
    let one = |condition, key: &str| Walk::of_checks(condition, [key.to_owned().into()]);
    match &filter.of {
        CheckedSet::Partitions(texts) => {
            texts.iter().map(|text| one("partition = ?2 AND newest = 1", text)).collect()
        }
        CheckedSet::Dataset(name) if filter.failed => {
            vec![one("dataset = ?2 AND newest = 1 AND outcome <> 'passed'", name)]
        }
        CheckedSet::Dataset(name) => vec![one("dataset = ?2 AND newest = 1", name)],
        CheckedSet::All if filter.failed => {
            vec![Walk::of_checks("newest = 1 AND outcome <> 'passed'", [])]
        }
        CheckedSet::All => vec![Walk::of_checks("true", [])],
    }
}

/// In the order in which they were found.
pub(super) fn of_run(connection: &Connection, run: RunId, most: i64) -> rusqlite::Result<Vec<CheckRow>> {
    let mut statement = connection.prepare_cached(select!(checks "WHERE run = ?1 ORDER BY id LIMIT ?2"))?;
    let rows = statement.query_map([run.0 as i64, most], check_row)?;
    rows.collect()
}

/// See [`crate::store::History::checks`].
pub(super) fn list(
    connection: &Connection,
    filter: &CheckFilter,
    fits: &dyn Fn(&str) -> bool,
) -> rusqlite::Result<Listed<CheckRow>> {
    let passed = CheckOutcome::Passed.word();
    let part = Part { before: filter.before, limit: filter.limit };
    newest(connection, &walks(filter), part, |row| {
        let is_asked_for = row.get::<_, bool>(check::NEWEST)?
            && !(filter.failed && row.get_ref(check::OUTCOME)?.as_str()? == passed)
            && fits(row.get_ref(check::PARTITION)?.as_str()?);
        if is_asked_for {
            check_row(row).map(Some)
        } else {
            Ok(None)
        }
    })
}

/// See [`crate::store::History::warnings`].
pub(super) fn warnings(connection: &Connection, partitions: &[&str]) -> rusqlite::Result<Vec<u64>> {
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
}
