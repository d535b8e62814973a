//! One file for each noun of the API.

pub mod checks;
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
use databuild_core::event::{PriorityClass, Refresh};
use jiff::Timestamp;

/// Rows of a list, if the request does not say.
const DEFAULT_LIMIT: usize = 100;
/// Rows of a list, at most.
const MAX_LIMIT: usize = 1000;

/// A cursor is the id of the last row of the page before.
fn cursor<T: std::str::FromStr>(text: Option<&str>) -> Result<Option<T>, ApiError> {
    text.map(|text| {
        text.parse().map_err(|_| {
            ApiError::invalid("bad_cursor", "the cursor is not one of ours; take it from `next`")
        })
    })
    .transpose()
}

fn limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(DEFAULT_LIMIT).clamp(1, MAX_LIMIT)
}

fn refresh(text: Option<&str>) -> Result<Refresh, ApiError> {
    match text.unwrap_or("stale") {
        "missing" => Ok(Refresh::Missing),
        "stale" => Ok(Refresh::Stale),
        "all" => Ok(Refresh::All),
        other => Err(ApiError::invalid("bad_refresh", format!("`{other}` is not missing, stale or all"))),
    }
}

fn refresh_name(refresh: Refresh) -> &'static str {
    match refresh {
        Refresh::Missing => "missing",
        Refresh::Stale => "stale",
        Refresh::All => "all",
    }
}

fn class(text: Option<&str>) -> Result<PriorityClass, ApiError> {
    match text.unwrap_or("interactive") {
        "interactive" => Ok(PriorityClass::Interactive),
        "backfill" => Ok(PriorityClass::Backfill),
        other => Err(ApiError::invalid("bad_class", format!("`{other}` is not interactive or backfill"))),
    }
}

fn instant(text: Option<&str>) -> Result<Option<Timestamp>, ApiError> {
    text.map(|text| {
        text.parse().map_err(|_| {
            ApiError::invalid("bad_time", format!("`{text}` is no instant such as 2026-01-31T08:00:00Z"))
        })
    })
    .transpose()
}

/// Runs work that takes long or reads files off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        ApiError::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "the request's work panicked; see the server's log",
        )
    })?
}
