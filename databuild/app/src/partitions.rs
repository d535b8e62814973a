//! Datasets and partitions: counts of all, rows of some.

use super::context::{Backend, Context};
use super::held;
use super::words::{cursor, limit, order, part, word};
use super::AppError;
use crate::api::{
    DatasetOrder, DatasetSummary, DatasetsQuery, Page, PartitionOrder, PartitionRow, PartitionState,
    PartitionsQuery,
};
use databuild_core::graph::{Dataset, DatasetIx};
use databuild_core::mapping::Edge;
use databuild_core::partition_set::{Order, PartitionKey, PartitionSet};
use databuild_core::state::{Counts, Standing, State, Verdict};
use std::cmp::Reverse;

/// References shown for one group of a plan.
const MOST_REFERENCES: usize = 20;

/// The state as of now, to be settled at will.
///
/// # Errors
/// No graph is registered.
pub fn state_now(backend: &Backend) -> Result<State, AppError> {
    let mut state = State::clone(&backend.engine.snapshot().state);
    if state.followed().is_none() {
        return Err(no_graph());
    }
    state.advance(crate::os::now());
    Ok(state)
}

fn no_graph() -> AppError {
    AppError::new("no_graph", "no graph is registered yet")
}

/// Datasets with their counts.
///
/// # Errors
/// No graph is registered, or a bad query.
pub async fn datasets(
    context: &impl Context,
    query: DatasetsQuery,
) -> Result<Page<DatasetSummary>, AppError> {
    let with: Option<PartitionState> = word("bad_state", query.state.as_deref())?;
    let order: Option<DatasetOrder> = order(query.sort.as_deref())?;
    let counted = context.slow(move |backend, _| {
        let mut state = state_now(backend)?;
        let mut found = seen(backend, &mut state);
        found.retain(|row| {
            query.search.as_ref().is_none_or(|text| row.dataset.contains(text.as_str()))
                && query.external.is_none_or(|external| row.external == external)
                && with.is_none_or(|with| in_state(row, with) > 0)
        });
        found.sort_by_key(|row| Reverse(rank(row, order.unwrap_or(DatasetOrder::Name))));
        part(found.into_iter(), query.limit, query.cursor.as_deref(), state.seq().0)
    });
    counted.await
}

/// All datasets with their counts, by name, for who looks for some or counts them by rules of its own.
///
/// # Errors
/// No graph is registered.
pub async fn all_datasets(context: &impl Context) -> Result<Page<DatasetSummary>, AppError> {
    let counted = context.slow(move |backend, _| {
        let mut state = state_now(backend)?;
        Ok(Page { data: seen(backend, &mut state), next: None, seq: state.seq().0 })
    });
    counted.await
}

/// How many partitions of a dataset are in a state, as far as counts tell.
fn in_state(row: &DatasetSummary, state: PartitionState) -> u64 {
    match state {
        PartitionState::Current | PartitionState::Empty => row.current,
        PartitionState::Behind => row.behind,
        PartitionState::Missing => row.missing,
        PartitionState::Building => row.building,
        PartitionState::Stale => row.stale,
        PartitionState::Failed => row.failed,
        PartitionState::LeftOut => row.left_out,
    }
}

/// What comes first has more of it. Datasets stand by name already.
fn rank(row: &DatasetSummary, order: DatasetOrder) -> u64 {
    match order {
        DatasetOrder::Name => 0,
        DatasetOrder::Total => row.total,
        DatasetOrder::Missing => row.missing,
        DatasetOrder::Stale => row.stale,
        DatasetOrder::Failed => row.failed,
        DatasetOrder::Building => row.building,
    }
}

/// Partitions of a reference, in the order of their keys; without one of all datasets, by name.
///
/// # Errors
/// The reference cannot be resolved, or a bad query.
pub async fn list(context: &impl Context, query: PartitionsQuery) -> Result<Page<PartitionRow>, AppError> {
    let listed = context.slow(move |backend, reader| {
        let mut state = state_now(backend)?;
        let wanted: Option<PartitionState> = word("bad_state", query.state.as_deref())?;
        let order: Option<PartitionOrder> = order(query.sort.as_deref())?;
        let limit = limit(query.limit)?;
        let seq = state.seq().0;
        let (mut data, next) = match query.reference {
            Some(reference) => {
                let skip: usize = cursor(query.cursor.as_deref())?.unwrap_or(0);
                let (ix, set) = state.resolve_readable(&reference)?;
                let rows = if order == Some(PartitionOrder::State) { rows_by_state } else { rows };
                let (data, more) = rows(&mut state, ix, &set, wanted, skip, limit);
                (data, more.then(|| (skip + limit).to_string()))
            }
            None if order == Some(PartitionOrder::State) => {
                let message =
                    "partitions of all datasets are sorted by `key` alone: name those of one by `ref`";
                return Err(AppError::new("bad_sort", message));
            }
            None => rows_of_all(backend, &mut state, wanted, query.cursor.as_deref(), limit)?,
        };
        let there: Vec<&mut PartitionRow> = data
            .iter_mut()
            .filter(|row| !matches!(row.state, PartitionState::Missing | PartitionState::LeftOut))
            .collect();
        let names: Vec<&str> = there.iter().map(|row| row.partition.as_str()).collect();
        let warnings = held::warnings(&state, reader, &names)?;
        there.into_iter().zip(warnings).for_each(|(row, warnings)| row.warnings = warnings);
        Ok(Page { data, next, seq })
    });
    listed.await
}

/// Rows of all datasets, one after the other. A cursor is a dataset and how many of its rows were told: `12@daily`.
fn rows_of_all(
    backend: &Backend,
    state: &mut State,
    wanted: Option<PartitionState>,
    from: Option<&str>,
    limit: usize,
) -> Result<(Vec<PartitionRow>, Option<String>), AppError> {
    let from: Option<Place> = cursor(from)?;
    let graph = state.graph();
    let all = graph.datasets().filter(|(ix, _)| backend.audience.sees_dataset(graph, *ix));
    let mut datasets: Vec<(DatasetIx, String)> =
        all.map(|(ix, dataset)| (ix, dataset.name.clone())).collect();
    datasets.sort_by(|(_, one), (_, other)| one.cmp(other));
    let mut found: Vec<PartitionRow> = Vec::new();
    for (ix, name) in datasets {
        let skip = match &from {
            Some(Place { dataset, .. }) if name < *dataset => continue,
            Some(Place { dataset, skip }) if name == *dataset => *skip,
            _ => 0,
        };
        let left = limit - found.len();
        if left == 0 {
            return Ok((found, Some(Place { skip, dataset: name }.to_string())));
        }
        let (_, set) = state.resolve_readable(&name)?;
        let (rows, more) = rows(state, ix, &set, wanted, skip, left);
        found.extend(rows);
        if more {
            return Ok((found, Some(Place { skip: skip + left, dataset: name }.to_string())));
        }
    }
    Ok((found, None))
}

/// Where a list of all partitions goes on.
struct Place {
    skip: usize,
    dataset: String,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}", self.skip, self.dataset)
    }
}

impl std::str::FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Place, ()> {
        let (skip, dataset) = text.split_once('@').ok_or(())?;
        Ok(Place { skip: skip.parse().map_err(|_| ())?, dataset: dataset.to_owned() })
    }
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

/// A set in parts, each of one state and one reason, the worst first; none of them is empty.
pub(super) fn by_state(
    at: &Standing,
    behind: &PartitionSet,
    set: &PartitionSet,
) -> Vec<(PartitionState, Option<Verdict>, PartitionSet)> {
    let mut rest = set.clone();
    let mut take = |part: &PartitionSet| {
        let own = rest.intersect(part);
        rest.subtract_with(&own);
        own
    };
    // As one partition is called: what is being built comes first, then what is left out, then what failed.
    let building = take(&at.building);
    let left_out = take(&at.left_out);
    let failed = take(&at.failed);
    let mut parts = Vec::new();
    for (state, part) in [(PartitionState::Missing, &at.missing), (PartitionState::Stale, &at.stale)] {
        let part = take(part);
        let reasons =
            at.reasons.iter().map(|(verdict, reason)| (state, Some(*verdict), part.intersect(reason)));
        parts.extend(reasons);
    }
    let reasons = at
        .reasons
        .iter()
        .map(|(verdict, reason)| (PartitionState::Failed, Some(*verdict), failed.intersect(reason)));
    let mut all: Vec<_> = reasons.collect();
    all.extend(parts);
    let behind = take(behind);
    let empty = take(&at.empty);
    all.push((PartitionState::Building, None, building));
    all.push((PartitionState::Behind, None, behind));
    all.push((PartitionState::Empty, None, empty));
    all.push((PartitionState::Current, None, rest));
    all.push((PartitionState::LeftOut, None, left_out));
    all.retain(|(.., part)| !part.is_empty());
    all
}

/// Counts of the datasets that whoever asks may see.
pub fn seen(backend: &Backend, state: &mut State) -> Vec<DatasetSummary> {
    let mut found = summaries(state);
    let Some(registered) = state.followed() else { return found };
    let mut is_seen =
        registered.graph.datasets().map(|(ix, _)| backend.audience.sees_dataset(&registered.graph, ix));
    found.retain(|_| is_seen.next().unwrap_or(false));
    found
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

/// Rows for the partitions of `set` in the wanted state, from the one numbered `skip` on; and whether there are more.
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
    let found: Vec<_> = matching.by_ref().take(limit).collect();
    let more = matching.next().is_some();
    (found.into_iter().map(|found| row(state, ix, found)).collect(), more)
}

/// The same, the worst states first: of each state only the part that is told is put into order.
fn rows_by_state(
    state: &mut State,
    ix: DatasetIx,
    set: &PartitionSet,
    wanted: Option<PartitionState>,
    mut skip: usize,
    limit: usize,
) -> (Vec<PartitionRow>, bool) {
    let at = state.standing(ix, set);
    let behind = state.behind(ix, set);
    let order = Order::of(&state.graph().dataset(ix).spaces, state.symbols());
    let mut found = Vec::new();
    let asked = |state: &PartitionState| wanted.is_none_or(|wanted| *state == wanted);
    for (word, reason, part) in by_state(&at, &behind, set).into_iter().filter(|(word, ..)| asked(word)) {
        let size = usize::try_from(part.len()).unwrap_or(usize::MAX);
        if skip >= size {
            skip -= size;
            continue;
        }
        // One more than is told says whether there are more.
        let keys = order.partitions(&part).skip(skip).take(limit + 1 - found.len());
        found.extend(keys.map(|key| (key, word, reason)));
        skip = 0;
        if found.len() > limit {
            break;
        }
    }
    let more = found.len() > limit;
    found.truncate(limit);
    (found.into_iter().map(|found| row(state, ix, found)).collect(), more)
}

fn row(
    state: &State,
    ix: DatasetIx,
    (key, partition_state, reason): (PartitionKey, PartitionState, Option<Verdict>),
) -> PartitionRow {
    PartitionRow {
        partition: state.partition_text(ix, &key),
        state: partition_state,
        reason: match reason {
            Some(Verdict::Missing) if fails(state, ix, &key) => Some("blocked".to_owned()),
            reason => reason.map(|verdict| verdict.code().to_owned()),
        },
        source: state.dataset(ix).adopted.contains(&key).then(|| "adopted".to_owned()),
        // The history knows of these.
        warnings: 0,
    }
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
