//! What checks found.

use super::super::app::App;
use super::super::error::ApiError;
use super::{cursor, limit, page};
use crate::api::{CheckRow, Page};
use crate::store::{CheckFilter, CheckedSet};
use axum::extract::rejection::QueryRejection;
use axum::extract::Query;
use axum::Json;
use databuild_core::word::Word as _;
use serde::Deserialize;

/// Partitions whose findings are looked for one by one, at most.
const SOME: u64 = 100;

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
    app: App,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Page<CheckRow>>, ApiError> {
    let Query(ListQuery { reference, failed, limit: asked, cursor: before }) = query?;
    let before = cursor(before.as_deref())?;
    let limit = limit(asked);
    let list = app.slow(move |app, reader| {
        let filter = CheckFilter { of: CheckedSet::All, failed, before, limit };
        let Some(reference) = reference else { return Ok(reader.checks(&filter, &|_| true)?) };
        let state = super::partitions::state_now(app)?;
        let (ix, set) = state.resolve_readable(&reference)?;
        let graph = state.graph();
        let of = if set.len() > SOME {
            CheckedSet::Dataset(graph.dataset(ix).name.clone())
        } else {
            let keys = state.in_order(ix, &set);
            CheckedSet::Partitions(keys.iter().map(|key| state.partition_text(ix, key)).collect())
        };
        let wanted = |partition: &str| {
            let found = graph.locate(partition, &state.symbols);
            found.is_some_and(|(of, key)| of == ix && set.contains(&key))
        };
        Ok(reader.checks(&CheckFilter { of, ..filter }, &wanted)?)
    });
    Ok(Json(page(list.await?, row, |id| id)))
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
