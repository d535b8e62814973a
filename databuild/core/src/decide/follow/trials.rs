//! Trials go on: arms that may begin are leased, and what is over ends.

use crate::decide::follow::start;
use crate::decide::out::Out;
use crate::decide::queries::trials::results;
use crate::event::{ArmId, AttemptLeased, Event, TrialEnded, TrialOutcome, TrialResult, TrialVerdict};
use crate::ids::{AttemptId, RunId};
use crate::state::{Arm, Trial};
use std::sync::Arc;

/// The first attempt of an arm.
pub(crate) fn lease(out: &mut Out, arm: ArmId) {
    let Some(trial) = out.state.trials().get(&arm.trial).cloned() else { return };
    let Some(sample) = trial.spec.samples.get(arm.sample as usize) else { return };
    let Some((graph, job)) = trial.code_of(sample, arm.arm as usize) else { return };
    let Some((_, set)) = graph.graph.locate_set(&sample.partition, out.state.symbols()) else { return };
    let as_of = trial.spec.as_of;
    let attempt = AttemptId { run: RunId(out.state.last_run().0 + 1), number: 1 };
    let event = AttemptLeased {
        attempt,
        job: trial.spec.job.clone(),
        partition: sample.partition.clone(),
        graph: graph.id.clone(),
        as_of,
        inputs: out.state.inputs_digests_in(graph, job, &set, &sample.discovered, as_of),
        params: sample.arms[arm.arm as usize].params.clone(),
        trial: Some(arm),
    };
    out.event(Event::AttemptLeased(event));
    start::start(out, attempt.run);
}

/// Ends trials all arms of which are over.
pub(crate) fn end_trials(out: &mut Out) {
    let live = |trial: &&Arc<Trial>| trial.is_live();
    let over = |trial: &&Arc<Trial>| {
        trial.next_arm().is_none() && !trial.arms.values().any(|arm| matches!(arm, Arm::Live { .. }))
    };
    let done: Vec<Arc<Trial>> = out.state.trials().values().filter(live).filter(over).cloned().collect();
    for trial in done {
        let results = results(out.state, &trial);
        let has = |verdict| results.iter().any(|result: &TrialResult| result.verdict == verdict);
        let outcome = if has(TrialVerdict::Differs) {
            TrialOutcome::Differs
        } else if results.iter().all(|result| result.verdict == TrialVerdict::Equal) {
            TrialOutcome::Equal
        } else {
            TrialOutcome::Unknown
        };
        out.event(Event::TrialEnded(TrialEnded { trial: trial.spec.trial, outcome, results }));
    }
}
