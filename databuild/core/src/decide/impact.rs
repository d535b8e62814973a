//! What another graph would make stale: two plans over all that is there, under the graph of now and
//! under the other one. Nothing is recorded; the other graph is folded into a copy.

use crate::decide::core::Core;
use crate::decide::follow::again;
use crate::decide::messages::input::{Input, Leave, Registration};
use crate::decide::messages::sightings::Sightings;
use crate::event::{Event, GraphRegistered, Origin, Record, Refresh};
use crate::graph::DatasetIx;
use crate::ids::WantId;
use crate::partition_set::PartitionSet;
use crate::planner;
use crate::state::{FoldError, State};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What becomes of a dataset's partitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Impact {
    /// Stale for what the graph itself says of their job.
    pub stale: u64,
    /// Further ones that are stale only if what is upstream comes out changed.
    pub downstream: u64,
    /// Those that are stale now, or behind something that is, and would be under the other graph as well.
    pub already: u64,
    /// Built ones that no dataset of the other graph takes over: it has none of that name, or its keys mean something else.
    pub lost: u64,
}

/// The state as it would be if another graph was registered.
///
/// # Errors
/// The graph cannot be read.
pub fn under(state: &State, graph: GraphRegistered, now: Timestamp) -> Result<State, FoldError> {
    let mut after = state.clone();
    after.advance(now);
    after.apply(&Record { at: now, origin: Origin::default(), event: Event::GraphRegistered(graph) })?;
    Ok(after)
}

/// Partitions of `before` that are there and current and are not in `after`, which has another graph ([`under`]), by
/// dataset; those that are current in neither; and those that it knows nothing of, by their dataset of now. `seen` are data that only the other graph reads.
#[must_use]
pub fn impact(before: &State, after: State, seen: Sightings, now: Timestamp) -> BTreeMap<String, Impact> {
    let mut before = before.clone();
    before.advance(now);
    let mut core = Core::new(0);
    core.state = after;
    // A copy of its own, of which nothing is recorded. What it refuses is not seen.
    let _ = core.decide(Input::Sightings(seen), Origin::default(), now);
    let mut after = core.state;
    let old = stale(&mut before);
    let new = stale(&mut after);
    let mut found = BTreeMap::new();
    for (ix, (certain, downstream)) in new {
        let dataset = after.graph().dataset(ix);
        // Keys that mean something else now have nothing to be held against.
        let known = after.graph().counterpart(ix, before.graph()).and_then(|earlier| old.get(&earlier));
        let fresh = |set: &PartitionSet| match known {
            Some((certain, downstream)) => set.subtract(certain).subtract(downstream).len(),
            None => set.len(),
        };
        let (stale, further) = (fresh(&certain), fresh(&downstream));
        let already = certain.len() + downstream.len() - stale - further;
        let impact = Impact { stale, downstream: further, already, lost: 0 };
        if impact != Impact::default() {
            found.insert(dataset.name.clone(), impact);
        }
    }
    if before.followed().is_some() {
        for (ix, dataset) in before.graph().datasets().filter(|(_, dataset)| dataset.producer.is_some()) {
            let lost = before.dataset(ix).present.len();
            if lost > 0 && before.graph().counterpart(ix, after.graph()).is_none() {
                found.entry(dataset.name.clone()).or_default().lost = lost;
            }
        }
    }
    found
}

/// The same for the graph that new work follows, held against one that was registered earlier: partitions that are stale and
/// would be current under that one, as far as they were not built since.
///
/// # Errors
/// That graph cannot be read.
pub fn impact_since(
    state: &State,
    base: GraphRegistered,
    now: Timestamp,
) -> Result<BTreeMap<String, Impact>, FoldError> {
    let mut after = state.clone();
    after.advance(now);
    Ok(impact(&under(state, base, now)?, after, Sightings::default(), now))
}

/// Partitions that are left to make for a want, by the label of their job.
pub type Left = BTreeMap<String, u64>;

/// What some open wants have left to do, and what they would have if a graph was registered.
#[must_use]
pub fn left_under(
    state: &State,
    wants: &[WantId],
    graph: GraphRegistered,
    now: Timestamp,
) -> BTreeMap<WantId, (Left, Left)> {
    if wants.is_empty() {
        return BTreeMap::new();
    }
    let mut before = state.clone();
    before.advance(now);
    let mut core = Core::new(0);
    core.state = before.clone();
    let leave = Leave::Deployment { instead_of: state.followed().map(|followed| followed.id.clone()) };
    let registration = Box::new(Registration { event: graph, checked: None, leave });
    // A copy of its own, of which nothing is recorded. A graph that is refused changes nothing.
    let _ = core.decide(Input::RegisterGraph(registration), Origin::default(), now);
    let mut left = |id: &WantId| (*id, (left(&mut before, *id), left(&mut core.state, *id)));
    wants.iter().map(&mut left).collect()
}

fn left(state: &mut State, want: WantId) -> Left {
    let Some(want) = state.wants().get(&want).cloned() else { return Left::new() };
    let work = again::all_left(state, &want);
    work.iter().map(|(job, set)| (state.graph().job(*job).label.clone(), set.len())).collect()
}

/// All built partitions that are there.
pub fn built(state: &State) -> Vec<(DatasetIx, PartitionSet)> {
    let Some(registered) = state.followed() else { return Vec::new() };
    let built = registered.graph.datasets().filter(|(_, dataset)| !dataset.external);
    built
        .map(|(ix, dataset)| (ix, state.dataset(ix).present.within(&dataset.bounds(state.symbols()))))
        .filter(|(_, set)| !set.is_empty())
        .collect()
}

/// Of all built partitions that are there: those that a build would make for certain, and those that it
/// would make if upstream data changes.
fn stale(state: &mut State) -> BTreeMap<DatasetIx, (PartitionSet, PartitionSet)> {
    let Some(registered) = state.followed().cloned() else { return BTreeMap::new() };
    let targets = built(state);
    let plan = planner::plan(state, &targets, Refresh::Stale);
    let mut found = BTreeMap::new();
    for entry in &plan.jobs {
        for output in &registered.graph.job(entry.job).outputs {
            let there = &state.dataset(*output).present;
            let sure = entry.certain.union(&entry.joined);
            found.insert(*output, (sure.intersect(there), entry.if_changed.intersect(there)));
        }
    }
    found
}
