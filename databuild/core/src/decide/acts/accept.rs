//! A change of a job's code or arguments that somebody judges harmless.

use crate::decide::acts::invoke::job_called;
use crate::decide::messages::input::AcceptRequest;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::decide::queries::targets::resolve_targets;
use crate::event::{CodeAccepted, Event, TrialKind, TrialOutcome};
use crate::graph::{JobDigests, JobIx};
use crate::ids::TrialId;
use crate::partition_set::PartitionSet;
use crate::state::{State, Verdict};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// What would be accepted of one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Acceptable {
    /// The job.
    pub job: JobIx,
    /// Digests that made some of it, each with what it made.
    pub from: Vec<(JobDigests, PartitionSet)>,
    /// All of it, in the keys of the job's outputs.
    pub set: PartitionSet,
}

/// What a request would accept, by job.
///
/// # Errors
/// A reference or label that leads nowhere; nothing that a change of code or arguments made stale.
pub fn acceptable(
    state: &State,
    request: &AcceptRequest,
    now: Timestamp,
) -> Result<Vec<Acceptable>, Refusal> {
    let registered = state.followed().ok_or(Refusal::NoGraph)?;
    let graph = &registered.graph;
    let only = request.job.as_ref().map(|text| job_called(graph, text)).transpose()?;
    if request.targets.is_empty() && only.is_none() {
        return Err(Refusal::NoTargets);
    }
    let mut asked: BTreeMap<JobIx, PartitionSet> = BTreeMap::new();
    if let (Some(job), true) = (only, request.targets.is_empty()) {
        for output in &graph.job(job).outputs {
            let present = &state.dataset(*output).present;
            asked.entry(job).and_modify(|set| set.union_with(present)).or_insert_with(|| present.clone());
        }
    }
    for (ix, set) in resolve_targets(state, &request.targets, now.max(state.as_of()))? {
        let producer = graph.dataset(ix).producer;
        if only.is_some() && producer != only {
            let label = only.map_or_else(String::new, |job| graph.job(job).label.clone());
            return Err(Refusal::NotOfJob { job: label, dataset: graph.dataset(ix).name.clone() });
        }
        if let Some(job) = producer {
            asked.entry(job).and_modify(|all| all.union_with(&set)).or_insert(set);
        }
    }
    let found: Vec<Acceptable> = asked
        .into_iter()
        .map(|(job, set)| of_job(state, job, &set))
        .filter(|of| !of.set.is_empty())
        .collect();
    if found.is_empty() {
        return Err(Refusal::NothingToAccept);
    }
    if let Ok(trial) = request.evidence.trim().parse() {
        shown_by(state, trial, &found)?;
    }
    Ok(found)
}

/// Whether a trial compared all that is to be accepted, and found it equal. Other evidence is the user's to judge.
fn shown_by(state: &State, id: TrialId, found: &[Acceptable]) -> Result<(), Refusal> {
    let trial = state.trials().get(&id).ok_or(Refusal::UnknownTrial(id))?;
    let lacks = |reason: String| Err(Refusal::NoEvidence { trial: id, reason });
    let spec = &trial.spec;
    if spec.kind != TrialKind::Compare {
        return lacks("it did not compare the code of then with that of today; `compare` does".to_owned());
    }
    match trial.ended.as_ref().map(|(_, ended)| ended.outcome) {
        None => return lacks("it is not over yet".to_owned()),
        Some(TrialOutcome::Equal) => {}
        Some(TrialOutcome::Differs) => return lacks("it found outputs that differ".to_owned()),
        Some(TrialOutcome::Unknown | TrialOutcome::Canceled) => {
            return lacks("it does not say of all outputs that they are equal".to_owned())
        }
    }
    let compared = |from: &JobDigests, to: &JobDigests| {
        spec.samples.iter().any(|sample| match sample.arms.as_slice() {
            [then, now] => {
                (&then.digests.code, &then.digests.args) == (&from.code, &from.args)
                    && (&now.digests.code, &now.digests.args) == (&to.code, &to.args)
            }
            _ => false,
        })
    };
    for of in found {
        let outputs = &state.graph().job(of.job).outputs;
        let label = &state.graph().job(of.job).label;
        if *label != spec.job {
            return lacks(format!("it is about {}, and {label} is to be accepted too", spec.job));
        }
        let to = state.registered().digests_of(of.job);
        let left = |(from, set): &(JobDigests, PartitionSet)| {
            if compared(from, to) {
                return None;
            }
            // What counts as made by code that was compared will do.
            let mut left = set.clone();
            for accepted in outputs.iter().flat_map(|output| &state.dataset(*output).accepted) {
                if compared(state.provenance(accepted.0 .1), to) {
                    left.subtract_with(accepted.1);
                }
            }
            (!left.is_empty()).then_some(left)
        };
        if let Some(set) = of.from.iter().find_map(left) {
            let first = state.work_text(of.job, &set).swap_remove(0);
            return lacks(format!(
                "it did not compare what made {first} with the job of today; compare again"
            ));
        }
    }
    Ok(())
}

fn of_job(state: &State, job: JobIx, asked: &PartitionSet) -> Acceptable {
    let mut from: BTreeMap<JobDigests, PartitionSet> = BTreeMap::new();
    let mut set = PartitionSet::empty(asked.shape());
    for output in &state.graph().job(job).outputs {
        let facts = state.dataset(*output);
        let mut changed = PartitionSet::empty(asked.shape());
        for (verdict, made) in state.made_otherwise(job, *output) {
            if matches!(verdict, Verdict::CodeChanged | Verdict::ArgsChanged) {
                changed.union_with(&made.intersect(asked).intersect(&facts.present));
            }
        }
        for (made_by, made) in facts.made_by.iter().filter(|_| !changed.is_empty()) {
            let made = made.intersect(&changed);
            if !made.is_empty() {
                set.union_with(&made);
                let digests = state.provenance(*made_by).clone();
                from.entry(digests).and_modify(|all| all.union_with(&made)).or_insert(made);
            }
        }
    }
    Acceptable { job, from: from.into_iter().collect(), set }
}

pub(crate) fn accept(out: &mut Out, request: AcceptRequest) -> Result<Reply, Refusal> {
    if request.reason.trim().is_empty() {
        return Err(Refusal::NoReason);
    }
    let found = acceptable(out.state, &request, out.now)?;
    let registered = out.state.registered().clone();
    let partitions = found.iter().map(|of| of.set.len()).sum();
    for of in found {
        let event = CodeAccepted {
            job: registered.graph.job(of.job).label.clone(),
            partitions: out.state.work_text(of.job, &of.set),
            from: of.from.into_iter().map(|(digests, _)| digests).collect(),
            to: registered.digests_of(of.job).clone(),
            reason: request.reason.clone(),
            evidence: request.evidence.clone(),
        };
        out.event(Event::CodeAccepted(event));
    }
    Ok(Reply::Judged { partitions, followers: BTreeMap::new() })
}
