//! What requests and wants name, and what a plan says, as sets and as the texts that events tell.

use crate::decide::messages::refusal::Refusal;
use crate::event::{Blocked, RequestKey, SetText};
use crate::graph::DatasetIx;
use crate::partition_set::PartitionSet;
use crate::planner::{Fault, Plan};
use crate::reference::ReferenceText;
use crate::state::{Made, State, Want};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What an earlier request with this key made, if there was one.
///
/// # Errors
/// That request asked for something else.
pub fn repeated(state: &State, key: Option<&RequestKey>, now: Timestamp) -> Result<Option<Made>, Refusal> {
    let known = key.and_then(|key| Some((key, state.requests().get(&key.key, now)?)));
    match known {
        None => Ok(None),
        Some((key, known)) if *known.digest == *key.digest => Ok(Some(known.made)),
        Some((key, known)) => Err(Refusal::KeyReused { key: key.said().to_owned(), made: known.made }),
    }
}

/// The instant for which a request reads key spaces. Of a later one than now nobody knows yet which data it
/// will find.
pub(crate) fn instant(now: Timestamp, asked: Option<Timestamp>) -> Timestamp {
    asked.unwrap_or(now).min(now)
}

/// What a want keeps of the references that were resolved for it: those that leave out a dimension of their dataset, or all,
/// if they name nothing yet. Their relative keys are written out, for whenever a want is planned again, it means what it
/// meant when it was made.
pub(crate) fn kept_references(
    state: &State,
    texts: &[String],
    targets: &[(DatasetIx, PartitionSet)],
    as_of: Timestamp,
) -> Result<SetText, Refusal> {
    let kept = match targets.iter().all(|(_, set)| set.is_empty()) {
        true => texts.to_vec(),
        false => open_references(state, texts),
    };
    kept.iter().map(|text| Ok(state.in_exact_keys(text, as_of)?)).collect()
}

/// References that have relative keys.
pub(crate) fn relative_references(state: &State, texts: &[String], as_of: Timestamp) -> SetText {
    let is_relative = |text: &&String| state.in_exact_keys(text, as_of).is_ok_and(|exact| exact != **text);
    texts.iter().filter(is_relative).cloned().collect()
}

/// References that leave out a dimension of their dataset.
fn open_references(state: &State, texts: &[String]) -> SetText {
    let leaves_out = |text: &&String| {
        let reference = ReferenceText::parse(text).ok();
        let named = reference.and_then(|reference| {
            let ix = state.graph().dataset_named(&reference.dataset)?;
            Some((state.graph().dataset(ix).dims.len(), reference.dims.len()))
        });
        named.is_some_and(|(all, given)| given < all)
    };
    texts.iter().filter(leaves_out).cloned().collect()
}

/// What a want asks for by now: keys may have come since it was made, and gone.
pub(crate) fn targets_now(state: &State, want: &Want) -> Vec<(DatasetIx, PartitionSet)> {
    let graph = state.graph();
    let mut targets: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for (ix, set) in state.located(&want.targets) {
        targets.insert(ix, set.within(&graph.dataset(ix).bounds(state.symbols())));
    }
    let asked = want.asked.iter().map(|text| graph.in_current_words(text));
    for (ix, set) in asked.filter_map(|text| state.resolve_at(&text, want.as_of).ok()) {
        targets.entry(ix).and_modify(|all| all.union_with(&set)).or_insert(set);
    }
    targets.into_iter().filter(|(_, set)| !set.is_empty()).collect()
}

/// References to sets, one for each dataset named.
pub(crate) fn resolve_targets(
    state: &State,
    texts: &[String],
    as_of: Timestamp,
) -> Result<Vec<(DatasetIx, PartitionSet)>, Refusal> {
    let mut targets: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for text in texts {
        let (ix, set) = state.resolve_at(text, as_of)?;
        match targets.get_mut(&ix) {
            Some(all) => all.union_with(&set),
            None => {
                targets.insert(ix, set);
            }
        }
    }
    Ok(targets.into_iter().collect())
}

pub(crate) fn target_texts(state: &State, targets: &[(DatasetIx, PartitionSet)]) -> SetText {
    targets.iter().flat_map(|(ix, set)| state.set_text(*ix, set)).collect()
}

/// The work of a plan, as events tell it.
pub(crate) struct Work {
    pub(crate) all: SetText,
    pub(crate) forced: SetText,
    pub(crate) successors: SetText,
}

pub(crate) fn work_texts(state: &State, plan: &Plan) -> Work {
    let (mut all, mut forced, mut successors) = Default::default();
    let extend = |texts: &mut SetText, job, set: &PartitionSet| texts.extend(state.work_text(job, set));
    for entry in &plan.jobs {
        let live = &state.work(entry.job).live;
        let behind = entry.certain.union(&entry.if_changed).intersect(live).subtract(&entry.forced);
        extend(&mut all, entry.job, &entry.work());
        extend(&mut forced, entry.job, &entry.forced);
        extend(&mut successors, entry.job, &behind);
    }
    Work { all, forced, successors }
}

/// What nobody can build, and what of `targets` is external and cannot be used, as an event tells it.
pub(crate) fn blocked_of(state: &State, plan: &Plan, targets: &[(DatasetIx, PartitionSet)]) -> Vec<Blocked> {
    let mut blocked = blocked_texts(state, plan);
    for (ix, set, fault) in plan.unusable() {
        let asked = targets.iter().find(|(target, _)| *target == ix).map(|(_, wanted)| wanted.intersect(set));
        if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
            let partitions = state.set_text(ix, &asked);
            let hint = if fault == Fault::Tainted { "; untaint it or bring other data" } else { "" };
            let reason = format!("`{}` is {fault}{hint}", partitions.join(", "));
            blocked.push(Blocked { partitions, reason });
        }
    }
    blocked
}

/// What nobody can build, as an event tells it.
pub(crate) fn blocked_texts(state: &State, plan: &Plan) -> Vec<Blocked> {
    let text = |(job, set, reason): &(_, _, String)| Blocked {
        partitions: state.work_text(*job, set),
        reason: reason.clone(),
    };
    plan.blocked.iter().map(text).collect()
}
