//! The event log, for reading.

use super::super::error::ApiError;
use super::super::routes::App;
use super::limit;
use crate::api::{EventRow, Page};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::Json;
use databuild_core::ids::Seq;
use serde::Deserialize;

/// Query of [`list`].
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

/// `GET /events`.
///
/// # Errors
/// A bad query.
pub async fn list(
    State(app): State<App>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<EventRow>>, ApiError> {
    let Query(query) = query?;
    let limit = limit(query.limit);
    let found = app.engine.reader().events(Seq(query.after.unwrap_or(0)), limit)?;
    let next =
        (found.value.len() == limit).then(|| found.value.last().map(|(seq, _)| seq.to_string())).flatten();
    let data = found
        .value
        .iter()
        .map(|(seq, record)| EventRow {
            seq: seq.0,
            at: record.at.to_string(),
            kind: record.event.kind().to_owned(),
            text: super::super::describe::describe(&record.event),
        })
        .collect();
    Ok(Json(Page { data, next, seq: found.last_seq.0 }))
}
