//! Runs, in lists.

use super::columns::{run, run_row};
use super::newest::{newest, Part, Walk};
use crate::history::{Listed, RunFilter};
use crate::rows::RunRow;
use databuild_core::state::Named;
use databuild_core::word::Word as _;
use rusqlite::{Connection, Row};

/// Along which indexes these runs are found.
fn walks(filter: &RunFilter) -> Vec<Walk> {
    let one = |condition, key: &str| Walk::of_runs(condition, [key.to_owned().into()]);
    let all_of = |dataset: &String| {
        [0, 1].map(|batch| {
            let keys = [dataset.clone().into(), batch.into()];
            Walk::of_runs("dataset = ?2 AND (partitions > 1) = ?3", keys)
        })
    };
    match (&filter.of, filter.state) {
        (Some(Named::Partitions { texts, datasets }), _) => {
            let alone = texts.iter().map(|text| one("partition = ?2", text));
            let batches = datasets.iter().map(|name| one("dataset = ?2 AND (partitions > 1) = 1", name));
            alone.chain(batches).collect()
        }
        (Some(Named::Datasets(names)), _) => names.iter().flat_map(all_of).collect(),
        // Few runs are live.
        (_, Some(state)) if filter.jobs.is_empty() || !state.is_over() => {
            vec![one("state = ?2", state.word())]
        }
        _ if !filter.jobs.is_empty() => filter.jobs.iter().map(|job| one("job = ?2", job)).collect(),
        _ => vec![Walk::of_runs("true", [])],
    }
}

/// Whether a row that was found is one of these, so far as the columns tell.
fn has(filter: &RunFilter, row: &Row<'_>) -> rusqlite::Result<bool> {
    let text = |column: usize| row.get_ref(column)?.as_str().map_err(rusqlite::Error::from);
    if let Some(state) = filter.state {
        if text(run::STATE)? != state.word() {
            return Ok(false);
        }
    }
    if !filter.jobs.is_empty() {
        let job = text(run::JOB)?;
        if !filter.jobs.iter().any(|asked| asked == job) {
            return Ok(false);
        }
    }
    if let Some(Named::Beginnings(beginnings)) = &filter.of {
        let partition = text(run::PARTITION)?;
        return Ok(beginnings.iter().any(|begin| partition.starts_with(begin)));
    }
    Ok(true)
}

/// See [`crate::History::runs`].
pub(super) fn list(
    connection: &Connection,
    filter: &RunFilter,
    fit: &dyn Fn(&str) -> bool,
) -> rusqlite::Result<Listed<RunRow>> {
    let (before, oldest_first) = (filter.before.map(|run| run.0), filter.oldest_first);
    let part = Part { before, oldest_first, limit: filter.limit };
    newest(connection, &walks(filter), part, |row| {
        if !has(filter, row)? || !fit(row.get_ref(run::PARTITION)?.as_str()?) {
            return Ok(None);
        }
        run_row(row).map(Some)
    })
}
