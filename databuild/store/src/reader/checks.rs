//! What checks found.

use super::columns::{check, check_row, select, Cells};
use super::newest::{newest, Part, Walk};
use crate::history::{CheckCounts, CheckFilter, CheckedSet, Listed};
use crate::rows::CheckRow;
use databuild_core::event::CheckOutcome;
use databuild_core::ids::RunId;
use databuild_core::state::Holding;
use databuild_core::word::Word as _;
use rusqlite::{params, Connection, OptionalExtension, Row};

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

/// See [`crate::History::checks`].
pub(super) fn list(
    connection: &Connection,
    filter: &CheckFilter,
    fits: &dyn Fn(&str) -> bool,
) -> rusqlite::Result<Listed<CheckRow>> {
    let passed = CheckOutcome::Passed.word();
    let part = Part { before: filter.before, oldest_first: false, limit: filter.limit };
    newest(connection, &walks(filter), part, |row| {
        let is_asked_for = row.get::<_, bool>(check::NEWEST)?
            && !(filter.failed && row.get_ref(check::OUTCOME)?.as_str()? == passed)
            && is(row, check::OUTCOME, filter.outcome.map(|outcome| outcome.word()))?
            && is(row, check::NAME, filter.check.as_deref())?
            && fits(row.get_ref(check::PARTITION)?.as_str()?);
        if is_asked_for {
            check_row(row).map(Some)
        } else {
            Ok(None)
        }
    })
}

/// Whether a column has this text, if any is asked for.
fn is(row: &Row<'_>, column: usize, text: Option<&str>) -> rusqlite::Result<bool> {
    Ok(match text {
        Some(text) => row.get_ref(column)?.as_str()? == text,
        None => true,
    })
}

/// See [`crate::History::check_counts`].
pub(super) fn counts(connection: &Connection) -> rusqlite::Result<CheckCounts> {
    let mut statement =
        connection.prepare_cached("SELECT name, dataset, outcome, count FROM check_counts")?;
    let mut rows = statement.query([])?;
    let mut counts = CheckCounts::new();
    while let Some(row) = rows.next()? {
        let mut cells = Cells::from(row, 0);
        let of = (cells.get()?, cells.get()?);
        counts.entry(of).or_default().add(cells.word()?, cells.unsigned()?);
    }
    Ok(counts)
}

/// See [`crate::History::warnings`].
pub(super) fn warnings(connection: &Connection, held: &[Holding]) -> rusqlite::Result<Vec<u64>> {
    let mut made = connection.prepare_cached(
        "SELECT run, version FROM materializations WHERE partition = ?1 AND seq = ?2 AND run IS NOT NULL",
    )?;
    // A run makes a partition once, so what was found in it by then was found in what it holds.
    let mut not_passed = connection.prepare_cached(
        "SELECT count(*) FROM checks WHERE partition = ?1 AND outcome <> 'passed' AND run = ?2",
    )?;
    let mut count = |holding: &Holding| -> rusqlite::Result<u64> {
        let seq = holding.entry.seq;
        for text in &holding.texts {
            let columns = |row: &Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?));
            let row = made.query_row(params![text, seq.0 as i64], columns).optional()?;
            if let Some((run, _)) = row.filter(|(_, version)| holding.is(seq, version)) {
                return not_passed
                    .query_row(params![text, run], |row| Ok(row.get::<_, i64>(0)?.unsigned_abs()));
            }
        }
        Ok(0)
    };
    held.iter().map(&mut count).collect()
}
