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
use databuild_core::state::{Counts, Standing, Standings, State, Verdict};
use std::cmp::Reverse;
use std::sync::Arc;

/// References shown for one group of a plan.
const MOST_REFERENCES: usize = 20;

/// The state as of this very instant.
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

/// The state that there is now, with key spaces as of now, and where its datasets stand.
///
/// # Errors
/// No graph is registered.
pub fn standings_now(backend: &Backend) -> Result<Arc<Standings>, AppError> {
    let standings = backend.standings.of(&backend.engine.snapshot().state, crate::os::now());
    standings.state().followed().ok_or_else(no_graph)?;
    Ok(standings)
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
        let standings = standings_now(backend)?;
        let mut found = seen(backend, &standings);
        found.retain(|(dataset, counts)| {
            query.search.as_ref().is_none_or(|text| dataset.name.contains(text.as_str()))
                && query.external.is_none_or(|external| dataset.external == external)
                && with.is_none_or(|with| in_state(counts, with) > 0)
        });
        found.sort_by_key(|(_, counts)| Reverse(rank(counts, order.unwrap_or(DatasetOrder::Name))));
        let seq = standings.state().seq().0;
        part(found.into_iter().map(summary), query.limit, query.cursor.as_deref(), seq)
    });
    counted.await
}

/// All datasets with their counts, by name, for who looks for some or counts them by rules of its own.
///
/// # Errors
/// No graph is registered.
pub async fn all_datasets(context: &impl Context) -> Result<Page<DatasetSummary>, AppError> {
    let counted = context.slow(move |backend, _| {
        let standings = standings_now(backend)?;
        let all = seen(backend, &standings).into_iter().map(summary).collect();
        Ok(Page { data: all, next: None, seq: standings.state().seq().0 })
    });
    counted.await
}

/// How many partitions of a dataset are in a state, as far as counts tell.
fn in_state(counts: &Counts, state: PartitionState) -> u64 {
    match state {
        PartitionState::Current | PartitionState::Empty => counts.current,
        PartitionState::Behind => counts.behind,
        PartitionState::Missing => counts.missing,
        PartitionState::Building => counts.building,
        PartitionState::Stale => counts.stale,
        PartitionState::Failed => counts.failed,
        PartitionState::LeftOut => counts.left_out,
    }
}

/// What comes first has more of it. Datasets stand by name already.
fn rank(counts: &Counts, order: DatasetOrder) -> u64 {
    match order {
        DatasetOrder::Name => 0,
        DatasetOrder::Total => counts.total,
        DatasetOrder::Missing => counts.missing,
        DatasetOrder::Stale => counts.stale,
        DatasetOrder::Failed => counts.failed,
        DatasetOrder::Building => counts.building,
    }
}

/// Partitions of a reference, in the order of their keys; without one of all datasets, by name.
///
/// # Errors
/// The reference cannot be resolved, or a bad query.
pub async fn list(context: &impl Context, query: PartitionsQuery) -> Result<Page<PartitionRow>, AppError> {
    let listed = context.slow(move |backend, reader| {
        let standings = standings_now(backend)?;
        let state = standings.state();
        let wanted: Option<PartitionState> = word("bad_state", query.state.as_deref())?;
        let order: Option<PartitionOrder> = order(query.sort.as_deref())?;
        let limit = limit(query.limit)?;
        let seq = state.seq().0;
        let (mut data, next) = match query.reference {
            Some(reference) => {
                let skip: usize = cursor(query.cursor.as_deref())?.unwrap_or(0);
                let (ix, set) = state.resolve_readable(&reference)?;
                let rows = if order == Some(PartitionOrder::State) { rows_by_state } else { rows };
                let (data, more) = rows(&standings, ix, &set, wanted, skip, limit);
                (data, more.then(|| (skip + limit).to_string()))
            }
            None if order == Some(PartitionOrder::State) => {
                let message =
                    "partitions of all datasets are sorted by `key` alone: name those of one by `ref`";
                return Err(AppError::new("bad_sort", message));
            }
            None => rows_of_all(backend, &standings, wanted, query.cursor.as_deref(), limit)?,
        };
        let there: Vec<&mut PartitionRow> = data
            .iter_mut()
            .filter(|row| !matches!(row.state, PartitionState::Missing | PartitionState::LeftOut))
            .collect();
        let names: Vec<&str> = there.iter().map(|row| row.partition.as_str()).collect();
        let warnings = held::warnings(state, reader, &names)?;
        there.into_iter().zip(warnings).for_each(|(row, warnings)| row.warnings = warnings);
        Ok(Page { data, next, seq })
    });
    listed.await
}

/// Rows of all datasets, one after the other. A cursor is a dataset and how many of its rows were told: `12@daily`.
fn rows_of_all(
    backend: &Backend,
    standings: &Standings,
    wanted: Option<PartitionState>,
    from: Option<&str>,
    limit: usize,
) -> Result<(Vec<PartitionRow>, Option<String>), AppError> {
    let from: Option<Place> = cursor(from)?;
    let state = standings.state();
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
        let (rows, more) = rows(standings, ix, &set, wanted, skip, left);
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

/// The datasets that whoever asks may see, with counts over all keys that exist now.
pub fn seen<'s>(backend: &Backend, standings: &'s Standings) -> Vec<(&'s Dataset, Counts)> {
    let Some(registered) = standings.state().followed() else { return Vec::new() };
    let all = registered.graph.datasets().zip(standings.counts());
    all.filter(|((ix, _), _)| backend.audience.sees_dataset(&registered.graph, *ix))
        .map(|((_, dataset), counts)| (dataset, counts))
        .collect()
}

/// A dataset in a list.
pub(super) fn summary((dataset, counts): (&Dataset, Counts)) -> DatasetSummary {
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
    standings: &Standings,
    ix: DatasetIx,
    set: &PartitionSet,
    wanted: Option<PartitionState>,
    skip: usize,
    limit: usize,
) -> (Vec<PartitionRow>, bool) {
    let state = standings.state();
    let (at, behind) = standings.standing(ix, set);
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
    standings: &Standings,
    ix: DatasetIx,
    set: &PartitionSet,
    wanted: Option<PartitionState>,
    mut skip: usize,
    limit: usize,
) -> (Vec<PartitionRow>, bool) {
    let state = standings.state();
    let (at, behind) = standings.standing(ix, set);
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
