//! Trials that people ask for, and give up.

use crate::decide::changes::ends::stop;
use crate::decide::messages::input::TrialRequest;
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::decide::queries::targets::repeated;
use crate::decide::queries::trials::results;
use crate::event::{
    Event, RunCancelRequested, TrialArm, TrialCreated, TrialEnded, TrialOutcome, TrialSample,
};
use crate::graph::{JobIx, Registered};
use crate::ids::{GraphId, TrialId};
use crate::state::{read_graph, Arm};
use std::sync::Arc;

/// Most samples of one trial.
pub const MOST_SAMPLES: usize = 100;

/// A trial comes into being.
pub(crate) fn create(out: &mut Out, request: TrialRequest) -> Result<Reply, Refusal> {
    if let Some(made) = repeated(out.state, request.key.as_ref(), out.now)? {
        return Ok(Reply::Repeated(made));
    }
    let current = out.state.followed().cloned().ok_or(Refusal::NoGraph)?;
    if request.graph != current.id {
        return Err(Refusal::OtherGraph(current.id.short().to_owned()));
    }
    // Read on a copy: what is refused must leave no trace.
    let mut symbols = out.state.symbols().clone();
    let mut known: Vec<Arc<Registered>> = Vec::new();
    for graph in &request.graphs {
        known.push(read_graph(Some(&current), graph, &mut symbols).map_err(Refusal::BadGraph)?);
    }
    let find = |id: &GraphId| -> Result<(&Arc<Registered>, JobIx), Refusal> {
        let unknown = || Refusal::UnknownJob(request.job.clone());
        let graph = known.iter().find(|graph| graph.id == *id).ok_or_else(unknown)?;
        Ok((graph, graph.graph.job_labeled(&request.job).ok_or_else(unknown)?))
    };
    let mut samples = Vec::new();
    for sample in &request.samples {
        let mut arms = Vec::new();
        for (id, given) in &sample.arms {
            let (graph, job) = find(id)?;
            let located = graph.graph.locate_set(&sample.partition, &symbols);
            if located.is_none_or(|(ix, set)| ix != graph.graph.job(job).outputs[0] || set.is_empty()) {
                let dataset = sample.partition.clone();
                return Err(Refusal::NotOfJob { job: request.job.clone(), dataset });
            }
            let params = graph.graph.job(job).values(given);
            let digests = graph.digests_with(job, &params);
            arms.push(TrialArm { graph: id.clone(), params, digests });
        }
        samples.push(TrialSample {
            partition: sample.partition.clone(),
            arms,
            discovered: sample.discovered.clone(),
            expected: sample.expected.clone(),
            changed_inputs: sample.changed_inputs.clone(),
        });
    }
    if samples.is_empty() {
        return Err(Refusal::NoTargets);
    }
    let trial = TrialId(out.state.last_trial().0 + 1);
    let as_of = request.as_of.unwrap_or(out.now).min(out.now);
    out.event(Event::TrialCreated(TrialCreated {
        trial,
        kind: request.kind,
        run: request.run,
        job: request.job,
        graphs: request.graphs,
        samples,
        as_of,
        keep: request.keep,
        request: request.key,
    }));
    Ok(Reply::Trial(trial))
}

/// A trial is given up, with its runs.
pub(crate) fn cancel(out: &mut Out, id: TrialId) -> Result<Reply, Refusal> {
    let trial = out.state.trials().get(&id).cloned().ok_or(Refusal::UnknownTrial(id))?;
    if !trial.is_live() {
        return Err(Refusal::TrialEnded(id));
    }
    let results = results(out.state, &trial);
    out.event(Event::TrialEnded(TrialEnded { trial: id, outcome: TrialOutcome::Canceled, results }));
    for run in trial.arms.values().filter(|arm| matches!(arm, Arm::Live { .. })).map(Arm::run) {
        if out.state.runs().get(&run).is_some_and(|run| !run.cancel_requested) {
            out.event(Event::RunCancelRequested(RunCancelRequested { run }));
            stop(out, run);
        }
    }
    Ok(Reply::Done)
}
