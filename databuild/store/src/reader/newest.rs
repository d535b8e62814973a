//! Lists, newest first, at a cost that has a bound.
//!
//! Duty: to find rows by walking along indexes from the newest one on. A walk that cannot tell by its index whether a row is
//! asked for looks at the row; an answer looks at [`MOST_LOOKED`] rows at most and says where the list goes on. So no
//! question costs more because the history is longer, and who asks for what is rare asks several times.

use super::columns::{first, select};
use crate::history::{Listed, MAX_ROWS};
use rusqlite::types::Value;
use rusqlite::{params_from_iter, Connection, Row};
use std::collections::BTreeMap;

/// Rows that one answer looks at, at most: some ten milliseconds.
pub const MOST_LOOKED: usize = 5_000;

/// Rows that are together in an index, ordered by `id`.
pub(super) struct Walk {
    sql: String,
    keys: Vec<Value>,
}

impl Walk {
    /// Those of wants that fulfil `condition`, in which `keys` are `?2` and so on.
    pub(super) fn of_wants(condition: &str, keys: impl IntoIterator<Item = Value>) -> Walk {
        Walk::of(select!(wants ""), condition, keys)
    }

    /// The same of runs.
    pub(super) fn of_runs(condition: &str, keys: impl IntoIterator<Item = Value>) -> Walk {
        Walk::of(select!(runs ""), condition, keys)
    }

    /// The same of checks.
    pub(super) fn of_checks(condition: &str, keys: impl IntoIterator<Item = Value>) -> Walk {
        Walk::of(select!(checks ""), condition, keys)
    }

    fn of(rows: &str, condition: &str, keys: impl IntoIterator<Item = Value>) -> Walk {
        let sql = format!("{rows}WHERE {condition} AND id < ?1 ORDER BY id DESC");
        Walk { sql, keys: keys.into_iter().collect() }
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// What is before this number; all without it.
    pub before: Option<u64>,
    /// At most so many rows.
    pub limit: usize,
}

/// The newest rows of some walks that `pick` takes.
pub(super) fn newest<T>(
    connection: &Connection,
    walks: &[Walk],
    part: Part,
    pick: impl Fn(&Row<'_>) -> rusqlite::Result<Option<T>>,
) -> rusqlite::Result<Listed<T>> {
    let limit = part.limit.min(MAX_ROWS);
    let before = part.before.and_then(|id| i64::try_from(id).ok()).unwrap_or(i64::MAX);
    if limit == 0 {
        return Ok(Listed { rows: Vec::new(), next: None });
    }
    let most_looked = (MOST_LOOKED / walks.len().max(1)).max(1);
    let mut found = BTreeMap::new();
    // Some walk has not looked at what is before this number.
    let mut looked_until = 0;
    for walk in walks {
        let mut statement = connection.prepare_cached(&walk.sql)?;
        let values = std::iter::once(Value::from(before)).chain(walk.keys.iter().cloned());
        let mut rows = statement.query(params_from_iter(values))?;
        let (mut looked, mut picked, mut last) = (0, 0, 0);
        while let Some(row) = rows.next()? {
            if looked == most_looked || picked == limit {
                looked_until = looked_until.max(last);
                break;
            }
            last = first(row)?;
            looked += 1;
            if let Some(value) = pick(row)? {
                picked += 1;
                found.insert(last, value);
            }
        }
    }
    let mut rows: Vec<(u64, T)> = found.into_iter().rev().filter(|(id, _)| *id >= looked_until).collect();
    let next = if rows.len() > limit {
        rows.truncate(limit);
        rows.last().map(|(id, _)| *id)
    } else {
        Some(looked_until).filter(|id| *id > 0)
    };
    Ok(Listed { rows: rows.into_iter().map(|(_, value)| value).collect(), next })
}
