//! What requests say in words, as values; and parts of lists as pages.

use super::error::AppError;
use crate::api::{Cancel, Page};
use crate::engine::CommandError;
use crate::store::{Answer, Listed};
use databuild_core::base64;
use databuild_core::decide::Refusal;
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
/// None are asked for, or too many.
pub(super) fn limit(asked: Option<usize>) -> Result<usize, AppError> {
    match asked.unwrap_or(DEFAULT_LIMIT) {
        rows @ 1..=MAX_LIMIT => Ok(rows),
        rows => {
            let message = format!("`limit` is {rows}: say how many rows, from 1 to {MAX_LIMIT}");
            Err(AppError::new("invalid_pagination", message))
        }
    }
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

/// A part of a list that is at hand, from the row numbered by the cursor on.
///
/// # Errors
/// The cursor or the limit is bad.
pub(super) fn part<T>(
    rows: impl Iterator<Item = T>,
    asked: Option<usize>,
    from: Option<&str>,
    seq: u64,
) -> Result<Page<T>, AppError> {
    let (from, limit) = (cursor::<usize>(from)?.unwrap_or(0), limit(asked)?);
    let mut rows = rows.skip(from);
    let data = rows.by_ref().take(limit).collect();
    let next = rows.next().map(|_| (from + limit).to_string());
    Ok(Page { data, next, seq })
}

/// What came of canceling something. `was_canceled` looks up whether what is over was.
///
/// # Errors
/// The command failed for another reason than that it is over, or there is no such thing.
pub(super) fn canceled(
    done: Result<(), CommandError>,
    was_canceled: impl FnOnce() -> Result<bool, AppError>,
) -> Result<Cancel, AppError> {
    match done {
        Ok(()) => Ok(Cancel::Canceled),
        Err(CommandError::Refused(
            Refusal::UnknownWant(_) | Refusal::UnknownRun(_) | Refusal::TrialEnded(_),
        )) => Ok(if was_canceled()? { Cancel::AlreadyCanceled } else { Cancel::AlreadyTerminal }),
        Err(error) => Err(error.into()),
    }
}

/// What a job returned, as JSON can have it, if it did: a text, or base64 of what is none.
pub(super) fn returned_text(returned: &[u8]) -> (Option<String>, bool) {
    match std::str::from_utf8(returned) {
        _ if returned.is_empty() => (None, false),
        Ok(text) => (Some(text.to_owned()), false),
        Err(_) => (Some(base64::encode(returned)), true),
    }
}

pub(super) fn refresh(text: Option<&str>) -> Result<Refresh, AppError> {
    Ok(word("bad_refresh", text)?.unwrap_or(Refresh::Stale))
}

pub(super) fn class(text: Option<&str>) -> Result<PriorityClass, AppError> {
    Ok(word("bad_class", text)?.unwrap_or(PriorityClass::Interactive))
}

/// By what a list is sorted.
pub(super) fn order<W: Word>(text: Option<&str>) -> Result<Option<W>, AppError> {
    word("bad_sort", text)
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
