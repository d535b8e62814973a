//! One file for each noun of the API.

pub mod checks;
pub mod contents;
pub mod errors;
pub mod events;
pub mod graphs;
pub mod inventory;
pub mod judgements;
pub mod keys;
pub mod metrics;
pub mod partitions;
pub mod plans;
pub mod pools;
pub mod runs;
pub mod server;
pub mod trials;
pub mod wants;

use super::error::ApiError;
use crate::api::Page;
use crate::store::{Answer, Listed};
use databuild_core::event::{PriorityClass, Refresh};
use databuild_core::word::Word;
use jiff::Timestamp;

/// Rows of a list, if the request does not say.
const DEFAULT_LIMIT: usize = 100;
/// Rows of a list, at most.
const MAX_LIMIT: usize = 1000;

/// A cursor is the id of the last row of the page before.
fn cursor<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, ApiError> {
    text.map(|text| {
        text.parse()
            .map_err(|_| ApiError::new("bad_cursor", "the cursor is not one of ours; take it from `next`"))
    })
    .transpose()
}

/// A part of a list of the history, as the API has it; `cursor` writes the number that the list goes on before.
fn page<R, T, C: ToString>(
    found: Answer<Listed<R>>,
    row: impl Fn(R) -> T,
    cursor: impl Fn(u64) -> C,
) -> Page<T> {
    let Listed { rows, next } = found.value;
    let next = next.map(|id| cursor(id).to_string());
    Page { data: rows.into_iter().map(row).collect(), next, seq: found.last_seq.0 }
}

fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
}

fn refresh(text: Option<&str>) -> Result<Refresh, ApiError> {
    Ok(word("bad_refresh", text)?.unwrap_or(Refresh::Stale))
}

fn class(text: Option<&str>) -> Result<PriorityClass, ApiError> {
    Ok(word("bad_class", text)?.unwrap_or(PriorityClass::Interactive))
}

/// The value of a word that a client sent, if it did.
fn word<W: Word>(code: &'static str, text: Option<&str>) -> Result<Option<W>, ApiError> {
    let value = |text| W::of_word(text).ok_or_else(|| ApiError::new(code, W::unknown(text)));
    text.map(value).transpose()
}

fn instant(text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    text.map(|text| {
        text.parse().map_err(|_| {
            ApiError::new("bad_time", format!("`{text}` is no instant such as 2026-01-31T08:00:00Z"))
        })
    })
    .transpose()
}
