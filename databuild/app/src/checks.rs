//! What checks found.

use super::context::Context;
use super::partitions::standings_now;
use super::words::{cursor, limit, one_of, page, part};
use super::{filters, AppError};
use crate::api::{CheckRow, CheckSummary, ChecksQuery, ListQuery, Page};
use crate::store::{self, CheckFilter, CheckedSet, Outcomes};
use databuild_core::event::CheckOutcome;
use databuild_core::word::Word as _;
use std::cmp::Reverse;

/// Partitions whose findings are looked for one by one, at most.
const SOME: u64 = 100;

/// The newest finding of each check for each partition, newest first.
///
/// # Errors
/// A bad query, or a reference that cannot be resolved.
pub async fn list(context: &impl Context, query: ChecksQuery) -> Result<Page<CheckRow>, AppError> {
    let ChecksQuery { reference, check, outcome, failed, limit: asked, cursor: before } = query;
    let outcomes: Vec<&str> = CheckOutcome::ALL.iter().map(|outcome| outcome.word()).collect();
    let outcome = outcome.as_deref().map(|outcome| one_of("outcome", outcome, &outcomes)).transpose()?;
    let outcome = outcome.and_then(CheckOutcome::of_word);
    let before = cursor(before.as_deref())?;
    let limit = limit(asked)?;
    let list = context.slow(move |backend, reader| {
        check.iter().try_for_each(|label| filters::check(backend, reader, label))?;
        let filter = CheckFilter { of: CheckedSet::All, check, failed, outcome, before, limit };
        let Some(reference) = reference else {
            let state = &backend.engine.snapshot().state;
            return Ok(reader.checks(&filter, &|partition| backend.audience.sees_text(state, partition))?);
        };
        let standings = standings_now(backend)?;
        let state = standings.state();
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
    Ok(page(list.await?, |finding| finding.id, row, |id| id))
}

/// All checks, with what they found last in how many partitions: first those that most did not pass, then by label.
///
/// # Errors
/// A bad query.
pub async fn summary(context: &impl Context, query: ListQuery) -> Result<Page<CheckSummary>, AppError> {
    let rows = context.quick(|backend, reader| {
        let found = reader.check_counts()?;
        let (mut counts, seq) = (found.value, found.last_seq.0);
        let snapshot = backend.engine.snapshot();
        let graph = snapshot.state.followed().map(|registered| &registered.graph);
        let mut rows = Vec::new();
        let is_seen = |dataset: &str| backend.audience.sees_text(&snapshot.state, dataset);
        counts.retain(|(_, dataset), _| is_seen(dataset));
        for check in graph.into_iter().flat_map(|graph| graph.checks()) {
            let dataset = graph.map_or("", |graph| &graph.dataset(check.dataset).name);
            if !is_seen(dataset) {
                continue;
            }
            let found = counts.remove(&(check.label.clone(), dataset.to_owned())).unwrap_or_default();
            rows.push(summed(check.label.clone(), dataset.to_owned(), Some(check.blocking), found));
        }
        // What is left was found by checks that are gone, or under other names.
        rows.extend(counts.into_iter().map(|((check, dataset), found)| summed(check, dataset, None, found)));
        rows.sort_by(|a, b| {
            let rank = |row: &CheckSummary| Reverse(row.failed + row.error);
            (rank(a), &a.check, &a.dataset).cmp(&(rank(b), &b.check, &b.dataset))
        });
        Ok((rows, seq))
    });
    let (rows, seq) = rows.await?;
    part(rows.into_iter(), query.limit, query.cursor.as_deref(), seq)
}

fn summed(check: String, dataset: String, blocking: Option<bool>, found: Outcomes) -> CheckSummary {
    let Outcomes { passed, failed, error } = found;
    CheckSummary { check, dataset, blocking, passed, failed, error }
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
