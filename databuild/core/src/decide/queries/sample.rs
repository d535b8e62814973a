//! Which partitions of a job a trial repeats: those that tell most, spread evenly.

use crate::decide::messages::refusal::Refusal;
use crate::decide::queries::needed::lacking_inputs;
use crate::decide::queries::targets::resolve_targets;
use crate::graph::JobIx;
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::state::{ProvenanceIx, State, Verdict};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// Partitions of a job that something else than the job of today made, by what made them; only those whose inputs are
/// there. Those that are stale for that, if any are.
///
/// # Errors
/// A reference that leads nowhere, or to what the job does not make.
pub fn made_otherwise(
    state: &State,
    job: JobIx,
    targets: &[String],
    now: Timestamp,
) -> Result<BTreeMap<ProvenanceIx, PartitionSet>, Refusal> {
    let asked = asked(state, job, targets, now)?;
    let today = state.registered().digests_of(job);
    let mut stale: BTreeMap<ProvenanceIx, PartitionSet> = BTreeMap::new();
    let mut kept: BTreeMap<ProvenanceIx, PartitionSet> = BTreeMap::new();
    for output in &state.graph().job(job).outputs {
        let facts = state.dataset(*output);
        // Without what was accepted.
        let mut changed = PartitionSet::empty(asked.shape());
        for (verdict, made) in state.made_otherwise(job, *output) {
            if matches!(verdict, Verdict::CodeChanged | Verdict::ArgsChanged) {
                changed.union_with(&made);
            }
        }
        for (made_by, made) in &facts.made_by {
            let then = state.provenance(*made_by);
            let made = made.intersect(&asked).intersect(&facts.present).subtract(&facts.adopted);
            if made.is_empty() || (&then.code, &then.args) == (&today.code, &today.args) {
                continue;
            }
            for (found, made) in
                [(&mut stale, made.intersect(&changed)), (&mut kept, made.subtract(&changed))]
            {
                if !made.is_empty() {
                    found.entry(*made_by).and_modify(|all| all.union_with(&made)).or_insert(made);
                }
            }
        }
    }
    let mut found = if stale.is_empty() { kept } else { stale };
    found.values_mut().for_each(|set| set.subtract_with(&lacking_inputs(state, job, set)));
    found.retain(|_, set| !set.is_empty());
    Ok(found)
}

/// Partitions of a job that can be made now: those that are there, if any are.
///
/// # Errors
/// As [`made_otherwise`].
pub fn repeatable(
    state: &State,
    job: JobIx,
    targets: &[String],
    now: Timestamp,
) -> Result<PartitionSet, Refusal> {
    let asked = asked(state, job, targets, now)?;
    let can = asked.subtract(&lacking_inputs(state, job, &asked));
    let there = can.intersect(&state.dataset(state.graph().job(job).outputs[0]).present);
    Ok(if there.is_empty() { can } else { there })
}

/// What was named; all that is there of the job's outputs, if nothing was.
fn asked(state: &State, job: JobIx, targets: &[String], now: Timestamp) -> Result<PartitionSet, Refusal> {
    let graph = state.graph();
    let mut asked = PartitionSet::empty(graph.home(job).shape);
    if targets.is_empty() {
        graph.job(job).outputs.iter().for_each(|output| asked.union_with(&state.dataset(*output).present));
    }
    for (ix, set) in resolve_targets(state, targets, now.max(state.as_of()))? {
        if graph.dataset(ix).producer != Some(job) {
            let (job, dataset) = (graph.job(job).label.clone(), graph.dataset(ix).name.clone());
            return Err(Refusal::NotOfJob { job, dataset });
        }
        asked.union_with(&set);
    }
    Ok(asked)
}

/// The job that makes all that is named.
///
/// # Errors
/// A reference that leads nowhere, or nothing or several jobs that make it.
pub fn maker_of(state: &State, targets: &[String], now: Timestamp) -> Result<JobIx, Refusal> {
    let mut found = None;
    for (ix, _) in resolve_targets(state, targets, now.max(state.as_of()))? {
        let dataset = state.graph().dataset(ix);
        let job = dataset.producer.ok_or_else(|| Refusal::NotRepeatable(dataset.name.clone()))?;
        if found.is_some_and(|other| other != job) {
            let label = |job: JobIx| state.graph().job(job).label.clone();
            let job = found.map(label).unwrap_or_default();
            return Err(Refusal::NotOfJob { job, dataset: dataset.name.clone() });
        }
        found = Some(job);
    }
    found.ok_or(Refusal::NoTargets)
}

/// At most `most` partitions of sets, spread evenly over each. A set has its share, and at least one as long as
/// there are enough.
#[must_use]
pub fn spread(sets: &[&PartitionSet], most: usize) -> Vec<(usize, PartitionKey)> {
    let mut left = most as u64;
    let mut total: u64 = sets.iter().map(|set| set.len()).sum();
    let mut picked = Vec::new();
    for (at, set) in sets.iter().enumerate() {
        let others = (sets.len() - at - 1) as u64;
        let share = (set.len() * left).div_ceil(total.max(1)).min(left.saturating_sub(others)).max(1);
        let count = share.min(set.len()).min(left);
        // The middle of each of `count` equal parts.
        let mut wanted = (0..count).map(|part| (2 * part + 1) * set.len() / (2 * count)).peekable();
        for (number, key) in (0u64..).zip(set.iter()) {
            if wanted.next_if_eq(&number).is_some() {
                picked.push((at, key));
            }
        }
        left -= count;
        total -= set.len();
    }
    picked
}
