//! What requests say in words, as values; and parts of lists as pages.

use super::error::AppError;
use crate::api::Page;
use crate::store::{Answer, Listed};
use databuild_core::event::{PriorityClass, Refresh};
use databuild_core::word::Word;
use jiff::Timestamp;
use std::fmt::Display;

/// Rows of a list, if the request does not say.
const DEFAULT_LIMIT: usize = 100;
/// Rows of a list, at most.
const MAX_LIMIT: usize = 1000;

/// Where a list goes on: the id of the last row of the page before.
pub fn cursor<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, AppError> {
    let ours = || {
        AppError::new(
            "bad_cursor",
            "the server did not give out this cursor; send the `next` of the page before",
        )
    };
    text.map(|text| text.parse().map_err(|_| ours())).transpose()
}

/// A part of a list of the history, as the API has it; `cursor` writes the number that the list goes on before.
pub(super) fn page<R, T, C: ToString>(
    found: Answer<Listed<R>>,
    row: impl Fn(R) -> T,
    cursor: impl Fn(u64) -> C,
) -> Page<T> {
    let Listed { rows, next } = found.value;
    let next = next.map(|id| cursor(id).to_string());
    Page { data: rows.into_iter().map(row).collect(), next, seq: found.last_seq.0 }
}

/// How many rows a list has at most.
///
/// # Errors
/// None are asked for.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, AppError> {
    limit_of("rows", asked, DEFAULT_LIMIT, MAX_LIMIT)
}

/// How many of something an answer has at most: what was asked for, or else `default`, but no more than `most`.
///
/// # Errors
/// None are asked for.
pub fn limit_of<N: Ord + Default + Display>(
    what: &str,
    asked: Option<N>,
    default: N,
    most: N,
) -> Result<N, AppError> {
    match asked {
        Some(asked) if asked == N::default() => {
            Err(AppError::new("bad_query", format!("`limit` is 0: say how many {what}, at most {most}")))
        }
        asked => Ok(asked.unwrap_or(default).min(most)),
    }
}

pub(super) fn refresh(text: Option<&str>) -> Result<Refresh, AppError> {
    Ok(word("bad_refresh", text)?.unwrap_or(Refresh::Stale))
}

pub(super) fn class(text: Option<&str>) -> Result<PriorityClass, AppError> {
    Ok(word("bad_class", text)?.unwrap_or(PriorityClass::Interactive))
}

/// The value of a word that a client sent, if it did.
pub(super) fn word<W: Word>(code: &'static str, text: Option<&str>) -> Result<Option<W>, AppError> {
    let value = |text| W::of_word(text).ok_or_else(|| AppError::new(code, W::unknown(text)));
    text.map(value).transpose()
}

pub(super) fn instant(text: Option<&str>) -> Result<Option<Timestamp>, AppError> {
    let value = |text: &str| {
        let bad = || {
            AppError::new("bad_time", format!("`{text}` is not an instant; write it as 2026-01-31T08:00:00Z"))
        };
        text.parse().map_err(|_| bad())
    };
    text.map(value).transpose()
}
