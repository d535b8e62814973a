//! Lists, newest or oldest first, at a cost that has a bound.
//!
//! Duty: to find rows by walking along indexes from the newest one on, or from the oldest. A walk that cannot tell by its index whether a row is
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
    rows: &'static str,
    condition: String,
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

    fn of(rows: &'static str, condition: &str, keys: impl IntoIterator<Item = Value>) -> Walk {
        Walk { rows, condition: condition.to_owned(), keys: keys.into_iter().collect() }
    }

    fn sql(&self, oldest_first: bool) -> String {
        let Walk { rows, condition, .. } = self;
        match oldest_first {
            false => format!("{rows}WHERE {condition} AND id < ?1 ORDER BY id DESC"),
            true => format!("{rows}WHERE {condition} AND id > ?1 ORDER BY id"),
        }
    }
}

/// Which part of a list.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    /// What is before this number in the order of the list; all without it.
    pub before: Option<u64>,
    /// Numbers rise.
    pub oldest_first: bool,
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
    let unbounded = if part.oldest_first { 0 } else { i64::MAX };
    let before = part.before.and_then(|id| i64::try_from(id).ok()).unwrap_or(unbounded);
    // Falls along the list, whichever way it goes; its own inverse.
    let place = |id: u64| if part.oldest_first { u64::MAX - id } else { id };
    if limit == 0 {
        return Ok(Listed { rows: Vec::new(), next: None });
    }
    let most_looked = (MOST_LOOKED / walks.len().max(1)).max(1);
    let mut found = BTreeMap::new();
    // Some walk has not looked at what is before this place.
    let mut looked_until = 0;
    for walk in walks {
        let mut statement = connection.prepare_cached(&walk.sql(part.oldest_first))?;
        let values = std::iter::once(Value::from(before)).chain(walk.keys.iter().cloned());
        let mut rows = statement.query(params_from_iter(values))?;
        let (mut looked, mut picked, mut last) = (0, 0, 0);
        while let Some(row) = rows.next()? {
            if looked == most_looked || picked == limit {
                looked_until = looked_until.max(last);
                break;
            }
            last = place(first(row)?);
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
        Some(looked_until).filter(|place| *place > 0)
    };
    Ok(Listed { rows: rows.into_iter().map(|(_, value)| value).collect(), next: next.map(place) })
}
