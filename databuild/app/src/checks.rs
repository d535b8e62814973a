//! What checks found.

use super::context::Context;
use super::partitions::state_now;
use super::words::{cursor, limit, page};
use super::AppError;
use crate::api::{CheckRow, ChecksQuery, Page};
use crate::store::{self, CheckFilter, CheckedSet};
use databuild_core::word::Word as _;

/// Partitions whose findings are looked for one by one, at most.
const SOME: u64 = 100;

/// The newest finding of each check for each partition, newest first.
///
/// # Errors
/// A bad query, or a reference that cannot be resolved.
pub async fn list(context: &impl Context, query: ChecksQuery) -> Result<Page<CheckRow>, AppError> {
    let ChecksQuery { reference, failed, limit: asked, cursor: before } = query;
    let before = cursor(before.as_deref())?;
    let limit = limit(asked)?;
    let list = context.slow(move |backend, reader| {
        let filter = CheckFilter { of: CheckedSet::All, failed, before, limit };
        let Some(reference) = reference else { return Ok(reader.checks(&filter, &|_| true)?) };
        let state = state_now(backend)?;
        let (ix, set) = state.resolve_readable(&reference)?;
        let graph = state.graph();
        let of = if set.len() > SOME {
            CheckedSet::Dataset(graph.dataset(ix).name.clone())
        } else {
            let keys = state.in_order(ix, &set);
            CheckedSet::Partitions(keys.iter().map(|key| state.partition_text(ix, key)).collect())
        };
        let wanted = |partition: &str| {
            let found = graph.locate(partition, state.symbols());
            found.is_some_and(|(of, key)| of == ix && set.contains(&key))
        };
        Ok(reader.checks(&CheckFilter { of, ..filter }, &wanted)?)
    });
    Ok(page(list.await?, row, |id| id))
}

/// A finding as the API tells it.
pub(super) fn row(finding: store::CheckRow) -> CheckRow {
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
