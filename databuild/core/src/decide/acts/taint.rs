//! Data that somebody declares bad, or good after all.

use crate::decide::changes::replan::rests;
use crate::decide::changes::{replan, sight};
use crate::decide::messages::input::Judgement;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::sightings::Sightings;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::decide::queries::targets::{resolve_targets, target_texts};
use crate::event::{Event, SetText, Tainted, Untainted};
use crate::graph::DatasetIx;
use crate::partition_set::PartitionSet;
use crate::state::State;
use std::collections::BTreeMap;

/// Marks what is there of the named partitions; wants that are open rest on what follows from it.
pub(crate) fn taint(out: &mut Out, request: Judgement, sightings: &Sightings) -> Result<Reply, Refusal> {
    if request.reason.trim().is_empty() {
        return Err(Refusal::NoReason);
    }
    let targets = resolve(out, &request)?;
    // What is tainted is what is there now, not what was there at the last look. Of that, a refusal may
    // leave facts: they are true whatever becomes of the request.
    sight::sight(out, sightings);
    let there = |state: &State, (ix, set): (DatasetIx, PartitionSet)| {
        let set = set.intersect(&state.dataset(ix).present);
        (ix, set)
    };
    let there: Vec<_> = targets.into_iter().map(|target| there(out.state, target)).collect();
    let marked = count(&there);
    if marked == 0 {
        return Err(Refusal::NothingToTaint);
    }
    let registered = out.state.registered().clone();
    let rests = rests(out.state);
    let partitions = texts(out.state, &there);
    out.event(Event::Tainted(Tainted { partitions, reason: request.reason }));
    let seq = out.state.seq();
    let follow = |ix| {
        let follows = out.state.dataset(ix).follows.iter();
        follows.filter(|(by, _)| *by == seq).map(|(_, set)| set.len()).sum()
    };
    let followers = by_dataset(out.state, follow);
    replan::replan(out, &registered.graph, rests, &[]);
    Ok(Reply::Judged { partitions: marked, followers })
}

/// Takes it back for what of the named partitions is tainted, or made from tainted data.
pub(crate) fn untaint(out: &mut Out, request: Judgement) -> Result<Reply, Refusal> {
    let targets = resolve(out, &request)?;
    let marked: Vec<_> =
        targets.into_iter().map(|(ix, set)| (ix, set.intersect(&out.state.dataset(ix).unsound()))).collect();
    let cleared = count(&marked);
    if cleared == 0 {
        return Err(Refusal::NothingToUntaint);
    }
    let unsound = |state: &State, ix| state.dataset(ix).unsound().len();
    let datasets = out.state.graph().datasets();
    let before: BTreeMap<DatasetIx, u64> = datasets.map(|(ix, _)| (ix, unsound(out.state, ix))).collect();
    let partitions = texts(out.state, &marked);
    out.event(Event::Untainted(Untainted { partitions, reason: request.reason }));
    let named = |ix| marked.iter().filter(|(named, _)| *named == ix).map(|(_, set)| set.len()).sum::<u64>();
    let follow = |ix| before.get(&ix).map_or(0, |before| before - unsound(out.state, ix) - named(ix));
    let followers = by_dataset(out.state, follow);
    Ok(Reply::Judged { partitions: cleared, followers })
}

/// How many partitions of each dataset are reached, where there are any.
fn by_dataset(state: &State, count: impl Fn(DatasetIx) -> u64) -> BTreeMap<String, u64> {
    let all = state.graph().datasets().map(|(ix, dataset)| (dataset.name.clone(), count(ix)));
    all.filter(|(_, count)| *count > 0).collect()
}

fn resolve(out: &mut Out, request: &Judgement) -> Result<Vec<(DatasetIx, PartitionSet)>, Refusal> {
    if out.state.followed().is_none() {
        return Err(Refusal::NoGraph);
    }
    if request.targets.is_empty() {
        return Err(Refusal::NoTargets);
    }
    resolve_targets(out.state, &request.targets, out.now.max(out.state.as_of()))
}

fn count(sets: &[(DatasetIx, PartitionSet)]) -> u64 {
    sets.iter().map(|(_, set)| set.len()).sum()
}

fn texts(state: &State, sets: &[(DatasetIx, PartitionSet)]) -> SetText {
    target_texts(state, sets)
}
