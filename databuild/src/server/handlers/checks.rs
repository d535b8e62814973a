//! What checks found.

use super::super::app::App;
use super::super::error::ApiError;
use super::{cursor, limit};
use crate::api::{CheckRow, Page};
use crate::store::{CheckFilter, Reader, StoreError, MAX_ROWS};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::Json;
use databuild_core::word::Word as _;
use serde::Deserialize;

/// Query of [`list`].
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    #[serde(rename = "ref")]
    reference: Option<String>,
    #[serde(default)]
    failed: bool,
    limit: Option<usize>,
    cursor: Option<String>,
}

/// `GET /checks`: the newest finding of each check for each partition, newest first.
///
/// # Errors
/// A bad query, or a reference that cannot be resolved.
pub async fn list(
    State(app): State<App>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<CheckRow>>, ApiError> {
    let Query(ListQuery { reference, failed, limit: asked, cursor: before }) = query?;
    let before = cursor(before.as_deref())?;
    let limit = limit(asked);
    let Some(reference) = reference else {
        let filter = CheckFilter { dataset: None, failed, before, limit };
        let list = app.slow(move |_, reader| Ok(page(reader, filter, |_| true)?));
        return Ok(Json(list.await?));
    };
    let state = super::partitions::state_now(&app)?;
    let (ix, set) = state.resolve_readable(&reference)?;
    let list = app.slow(move |_, reader| {
        let graph = state.graph();
        let filter = CheckFilter { dataset: Some(graph.dataset(ix).name.clone()), failed, before, limit };
        let wanted = |partition: &str| {
            let found = graph.locate(partition, &state.symbols);
            found.is_some_and(|(of, key)| of == ix && set.contains(&key))
        };
        Ok(page(reader, filter, wanted)?)
    });
    Ok(Json(list.await?))
}

/// Rows for wanted partitions, as many as the filter says.
fn page(
    reader: &Reader,
    mut filter: CheckFilter,
    wanted: impl Fn(&str) -> bool,
) -> Result<Page<CheckRow>, StoreError> {
    let limit = std::mem::replace(&mut filter.limit, MAX_ROWS);
    let mut data = Vec::new();
    loop {
        let found = reader.checks(&filter)?;
        let more = found.value.len() == MAX_ROWS;
        for finding in found.value {
            filter.before = Some(finding.id);
            if wanted(&finding.partition) {
                data.push(row(finding));
            }
            if data.len() == limit {
                let next = filter.before.map(|id| id.to_string());
                return Ok(Page { data, next, seq: found.last_seq.0 });
            }
        }
        if !more {
            return Ok(Page { data, next: None, seq: found.last_seq.0 });
        }
    }
}

/// A finding as the API tells it.
pub(super) fn row(finding: crate::store::CheckRow) -> CheckRow {
    CheckRow {
        partition: finding.partition,
        check: finding.check,
        outcome: finding.outcome.word().to_owned(),
        blocking: finding.blocking,
        message: finding.message,
        metadata: serde_json::from_str(&finding.metadata).unwrap_or_else(|_| serde_json::json!({})),
        run: finding.attempt.run.to_string(),
        attempt: finding.attempt.number,
        at: finding.at.to_string(),
    }
}
