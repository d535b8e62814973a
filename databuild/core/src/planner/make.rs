//! Plans: a closure of what matters, and walks downstream over it until they come to the same.

use super::closure::{closure_of, FoundInput};
use super::plan::Plan;
use super::unseen::Unseen;
use super::walk::{walk, Asked, Walked};
use crate::event::Refresh;
use crate::graph::{DatasetIx, JobIx};
use crate::partition_set::PartitionSet;
use crate::state::State;

/// Plans the build of `targets` as of [`State::as_of`]. Settles what it looks at, hence `&mut`.
#[must_use]
pub fn plan(state: &mut State, targets: &[(DatasetIx, PartitionSet)], refresh: Refresh) -> Plan {
    plan_despite(state, targets, refresh, &[])
}

/// The same where some external data could not be observed: what rests on that is blocked.
#[must_use]
pub fn plan_despite(
    state: &mut State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    unseen: &[Unseen],
) -> Plan {
    let graph = state.graph();
    let mut forced = Vec::new();
    if refresh == Refresh::All {
        for (ix, set) in targets {
            forced.extend(graph.dataset(*ix).producer.map(|job| (job, set.clone())));
        }
    }
    plan_found(state, targets, refresh, &forced, unseen)
}

/// Plans anew what is left of a want: `targets` as [`plan`] does, and of them the jobs' partitions in
/// `forced` whatever their state.
pub(crate) fn plan_rest(
    state: &mut State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    forced: &[(JobIx, PartitionSet)],
    unseen: &[Unseen],
) -> Plan {
    let refresh = if refresh == Refresh::Missing { Refresh::Missing } else { Refresh::Stale };
    plan_found(state, targets, refresh, forced, unseen)
}

/// Plans with the inputs that runs found. What is gone and cannot be made is not waited for: the job of what was made
/// from it decides again what it needs.
fn plan_found(
    state: &mut State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    forced: &[(JobIx, PartitionSet)],
    unseen: &[Unseen],
) -> Plan {
    let mut lost: Vec<FoundInput> = Vec::new();
    loop {
        let matters = closure_of(state, targets, refresh, forced, &lost);
        let asked = Asked { targets, refresh, forced, matters: &matters, unseen, lost: &lost };
        let (plan, walk) = walk_until_settled(state, &asked);
        let before = lost.len();
        lost.extend(matters.found.into_iter().filter(|found| {
            let there = state.graph().dataset(found.dataset).producer.is_some()
                && state.dataset(found.dataset).present.contains(&found.input);
            let dead = walk.dead[found.dataset.0].contains(&found.input);
            dead && !there && !walk.unknown[found.dataset.0].contains(&found.input)
        }));
        if lost.len() == before {
            return plan;
        }
    }
}

/// Walks until what was found is told alike by two walks in a row.
fn walk_until_settled(state: &mut State, asked: &Asked<'_>) -> (Plan, Walked) {
    let Asked { refresh, matters, .. } = *asked;
    for (ix, set) in matters.jobs.iter().enumerate().filter(|(_, set)| !set.is_empty()) {
        if refresh != Refresh::Missing {
            state.settle(JobIx(ix), set);
        }
    }
    let mut before = Walked::none(state);
    // Each walk carries what was found one step further, and no chain of steps is longer than there are such inputs.
    for _ in 0..=matters.found.len() {
        let (plan, now) = walk(state, asked, &before);
        let same = |a: &[PartitionSet], b: &[PartitionSet]| {
            matters.found.iter().all(|found| {
                a[found.dataset.0].contains(&found.input) == b[found.dataset.0].contains(&found.input)
            })
        };
        if same(&before.changing, &now.changing) && same(&before.unknown, &now.unknown) {
            return (plan, now);
        }
        before = now;
    }
    walk(state, asked, &before)
}
