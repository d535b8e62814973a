//! Datasets and partitions: counts of all, rows of some.

use super::context::{Backend, Context};
use super::held;
use super::words::{cursor, limit, word};
use super::AppError;
use crate::api::{DatasetSummary, Page, PartitionRow, PartitionState, PartitionsQuery};
use databuild_core::graph::{Dataset, DatasetIx};
use databuild_core::mapping::Edge;
use databuild_core::partition_set::{Order, PartitionKey, PartitionSet};
use databuild_core::state::{Counts, Standing, State, Verdict};

/// References shown for one group of a plan.
const MOST_REFERENCES: usize = 20;

/// The state as of now, to be settled at will.
///
/// # Errors
/// No graph is registered.
pub fn state_now(backend: &Backend) -> Result<State, AppError> {
    let mut state = State::clone(&backend.engine.snapshot().state);
    if state.followed().is_none() {
        return Err(AppError::new("no_graph", "no graph is registered yet"));
    }
    state.advance(crate::os::now());
    Ok(state)
}

/// Counts of all datasets.
///
/// # Errors
/// No graph is registered.
pub async fn datasets(context: &impl Context) -> Result<Page<DatasetSummary>, AppError> {
    let counted = context.slow(|backend, _| {
        let mut state = state_now(backend)?;
        let seq = state.seq().0;
        Ok(Page { data: summaries(&mut state), next: None, seq })
    });
    counted.await
}

/// Partitions of a reference, in the order of their keys.
///
/// # Errors
/// There is no reference, or it cannot be resolved.
pub async fn list(context: &impl Context, query: PartitionsQuery) -> Result<Page<PartitionRow>, AppError> {
    let listed = context.slow(move |backend, reader| {
        let mut state = state_now(backend)?;
        let reference = query.reference.ok_or_else(|| {
            let message = "name a dataset: ?ref=DATASET; counts of all are at /api/v1/datasets";
            AppError::new("no_reference", message)
        })?;
        let wanted: Option<PartitionState> = word("bad_state", query.state.as_deref())?;
        let skip: usize = cursor(query.cursor.as_deref())?.unwrap_or(0);
        let limit = limit(query.limit)?;
        let (ix, set) = state.resolve_readable(&reference)?;
        let seq = state.seq().0;
        let (mut data, more) = rows(&mut state, ix, &set, wanted, skip, limit);
        let there: Vec<&mut PartitionRow> = data
            .iter_mut()
            .filter(|row| !matches!(row.state, PartitionState::Missing | PartitionState::LeftOut))
            .collect();
        let names: Vec<&str> = there.iter().map(|row| row.partition.as_str()).collect();
        let warnings = held::warnings(&state, reader, &names)?;
        there.into_iter().zip(warnings).for_each(|(row, warnings)| row.warnings = warnings);
        Ok(Page { data, next: more.then(|| (skip + limit).to_string()), seq })
    });
    listed.await
}

/// State and reason of one partition by itself, whatever is upstream.
pub fn state_of(at: &Standing, key: &PartitionKey) -> (PartitionState, Option<Verdict>) {
    let reason = at.reasons.iter().find(|(_, set)| set.contains(key)).map(|(verdict, _)| *verdict);
    let state = if at.building.contains(key) {
        PartitionState::Building
    } else if at.left_out.contains(key) {
        PartitionState::LeftOut
    } else if at.failed.contains(key) {
        PartitionState::Failed
    } else if at.missing.contains(key) {
        PartitionState::Missing
    } else if at.stale.contains(key) {
        PartitionState::Stale
    } else if at.empty.contains(key) {
        PartitionState::Empty
    } else {
        PartitionState::Current
    };
    (state, reason)
}

/// Counts of all datasets, over all keys that exist now.
pub fn summaries(state: &mut State) -> Vec<DatasetSummary> {
    let counts = state.counts();
    let Some(registered) = state.followed() else { return Vec::new() };
    registered.graph.datasets().zip(counts).map(|((_, dataset), counts)| summary(dataset, counts)).collect()
}

fn summary(dataset: &Dataset, counts: Counts) -> DatasetSummary {
    let Counts { total, current, behind, missing, stale, building, failed, left_out } = counts;
    DatasetSummary {
        dataset: dataset.name.clone(),
        external: dataset.external,
        owner: dataset.policy.owner.clone(),
        dims: dataset.dims.clone(),
        total,
        current,
        behind,
        missing,
        stale,
        building,
        failed,
        left_out,
    }
}

/// Rows for the partitions of `set` in the wanted state, from the one numbered `skip` on.
pub fn rows(
    state: &mut State,
    ix: DatasetIx,
    set: &PartitionSet,
    wanted: Option<PartitionState>,
    skip: usize,
    limit: usize,
) -> (Vec<PartitionRow>, bool) {
    let at = state.standing(ix, set);
    let behind = state.behind(ix, set);
    let order = Order::of(&state.graph().dataset(ix).spaces, state.symbols());
    let mut matching = order
        .partitions(set)
        .map(|key| {
            let (state, reason) = state_of(&at, &key);
            let state = if behind.contains(&key) { PartitionState::Behind } else { state };
            (key, state, reason)
        })
        .filter(|(_, state, _)| wanted.is_none_or(|wanted| *state == wanted))
        .skip(skip);
    let rows = matching
        .by_ref()
        .take(limit)
        .map(|(key, partition_state, reason)| PartitionRow {
            partition: state.partition_text(ix, &key),
            state: partition_state,
            reason: match reason {
                Some(Verdict::Missing) if fails(state, ix, &key) => Some("blocked".to_owned()),
                reason => reason.map(|verdict| verdict.code().to_owned()),
            },
            source: state.dataset(ix).adopted.contains(&key).then(|| "adopted".to_owned()),
            // The history knows of these.
            warnings: 0,
        })
        .collect();
    (rows, matching.next().is_some())
}

/// Whether an edge rule says that a partition cannot be made.
fn fails(state: &State, ix: DatasetIx, key: &PartitionKey) -> bool {
    let lack = |job| state.graph().lack(state.extents(), job, key);
    state.graph().dataset(ix).producer.and_then(lack).is_some_and(|lack| lack.rule == Edge::Fail)
}

/// References as an answer shows them: the first ones, and how many more there are.
pub(super) fn shortened(mut texts: Vec<String>) -> Vec<String> {
    if texts.len() > MOST_REFERENCES {
        let more = texts.len() - MOST_REFERENCES;
        texts.truncate(MOST_REFERENCES);
        texts.push(format!("… and {more} more"));
    }
    texts
}
