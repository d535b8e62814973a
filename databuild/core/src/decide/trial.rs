//! Trials: work is repeated in runs of which nothing is published, and what comes of them is compared.
//!
//! | an attempt of an arm ends | the arm then |
//! |---|---|
//! | success | has made its outputs |
//! | lost, at most as often as that of any run | is tried again at once |
//! | otherwise | has failed; of its sample nothing more is begun |

use super::attempt::{self, MAX_LOSSES, MAX_MOVES};
use super::limits::Gate;
use super::{AttemptEnd, AttemptReport, Effect, Out, Refusal, Reply};
use crate::event::{
    ArmId, AttemptEnded, AttemptLeased, AttemptOutcome, Event, OutputRecord, RunCancelRequested, TrialArm,
    TrialCreated, TrialEnded, TrialGraph, TrialKind, TrialMade, TrialOutcome, TrialResult, TrialSample,
    TrialVerdict,
};
use crate::graph::{JobIx, Params, Registered};
use crate::ids::{AttemptId, GraphId, RunId, TrialId};
use crate::state::{read_graph, Arm, Run, State, Trial};
use jiff::Timestamp;
use std::sync::Arc;

/// Most samples of one trial.
pub const MOST_SAMPLES: usize = 100;

/// What is to be repeated, worked out by whoever can read the history.
#[derive(Debug, Clone)]
pub struct TrialRequest {
    /// The graph that this was worked out with.
    pub graph: GraphId,
    /// What it is to find out.
    pub kind: TrialKind,
    /// The run that is repeated; only of [`TrialKind::Rerun`].
    pub run: Option<RunId>,
    /// Label of the job.
    pub job: String,
    /// Graphs whose code is to run, each once.
    pub graphs: Vec<TrialGraph>,
    /// What is repeated.
    pub samples: Vec<SampleRequest>,
    /// For which instant key spaces are read; now, if absent.
    pub as_of: Option<Timestamp>,
    /// Where outputs are copied to.
    pub keep: Option<String>,
    /// Who asks.
    pub by: String,
}

/// One of the things to be repeated.
#[derive(Debug, Clone)]
pub struct SampleRequest {
    /// As the job's first output.
    pub partition: String,
    /// Graph and given values of parameters of each run.
    pub arms: Vec<(GraphId, Params)>,
    /// As in the event.
    pub discovered: Vec<String>,
    /// As in the event.
    pub expected: Vec<OutputRecord>,
    /// As in the event.
    pub changed_inputs: Vec<String>,
}

/// A trial comes into being.
pub(super) fn create(out: &mut Out, request: TrialRequest) -> Result<Reply, Refusal> {
    let current = out.state.graph.clone().ok_or(Refusal::NoGraph)?;
    if request.graph != current.id {
        return Err(Refusal::OtherGraph(current.id.short().to_owned()));
    }
    // Read on a copy: what is refused must leave no trace.
    let mut symbols = out.state.symbols.clone();
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
    let trial = TrialId(out.state.last_trial.0 + 1);
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
        by: request.by,
    }));
    Ok(Reply::Trial(trial))
}

/// The next arm of any trial that may begin; none before one that has to wait.
pub(super) fn next_arm<'s>(state: &'s State, gate: &mut Gate<'s>) -> Option<ArmId> {
    let next = state.trials.values().find_map(|trial| Some((trial, trial.next_arm()?)))?;
    let (trial, arm) = next;
    let sample = trial.spec.samples.get(arm.sample as usize)?;
    let (graph, job) = trial.code_of(sample, arm.arm as usize)?;
    (gate.admit(graph.graph.job(job)) > 0).then_some(arm)
}

/// The first attempt of an arm.
pub(super) fn lease(out: &mut Out, arm: ArmId) {
    let Some(trial) = out.state.trials.get(&arm.trial).cloned() else { return };
    let Some(sample) = trial.spec.samples.get(arm.sample as usize) else { return };
    let Some((graph, job)) = trial.code_of(sample, arm.arm as usize) else { return };
    let Some((_, set)) = graph.graph.locate_set(&sample.partition, &out.state.symbols) else { return };
    let as_of = trial.spec.as_of;
    let attempt = AttemptId { run: RunId(out.state.last_run.0 + 1), number: 1 };
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
    super::dispatch::start(out, attempt.run);
}

/// An attempt of an arm is over.
pub(super) fn ended(out: &mut Out, run: &Run, end: AttemptEnd) {
    let attempt = run.attempt_id();
    let fact = |outcome, message: String, retry_at| {
        Event::AttemptEnded(AttemptEnded {
            attempt,
            outcome,
            message,
            exit_code: end.exit_code,
            wall_ms: end.wall_ms,
            cpu_ms: end.cpu_ms,
            max_rss_kb: end.max_rss_kb,
            retry_at,
            done: 0,
        })
    };
    match end.result {
        // Keys that it found are nobody's: nothing of a trial is seen elsewhere.
        Ok(success) if !run.cancel_requested => {
            out.event(fact(AttemptOutcome::Success, String::new(), None));
            out.event(Event::TrialMade(TrialMade { attempt, outputs: success.outputs }));
            out.effects.push(Effect::Forget(attempt));
        }
        Ok(_) => {
            let message = "canceled".to_owned();
            out.event(fact(AttemptOutcome::Canceled, message.clone(), None));
            out.effects.push(Effect::Forget(attempt));
            attempt::end_run(out, run, true, message);
        }
        Err(AttemptReport { outcome, message, .. }) => {
            let unasked = outcome == AttemptOutcome::Canceled && !run.cancel_requested;
            let (outcome, message) = match outcome {
                _ if unasked => (AttemptOutcome::Lost, message),
                AttemptOutcome::MissingInput { .. } => {
                    let message = format!("{message}, and a trial makes nothing that it needs");
                    (AttemptOutcome::Failure { permanent: true }, message)
                }
                outcome => (outcome, message),
            };
            let again = match outcome {
                AttemptOutcome::Lost => run.losses < MAX_LOSSES,
                AttemptOutcome::InputsMoved => run.moves < MAX_MOVES,
                _ => false,
            };
            let again = again && !run.cancel_requested;
            let retry_at = again.then_some(out.now);
            let canceled = run.cancel_requested || outcome == AttemptOutcome::Canceled;
            out.event(fact(outcome, message.clone(), retry_at));
            out.effects.push(Effect::Forget(attempt));
            if retry_at.is_none() {
                attempt::end_run(out, run, canceled, message);
            }
        }
    }
}

/// A trial is given up, with its runs.
pub(super) fn cancel(out: &mut Out, id: TrialId) -> Result<Reply, Refusal> {
    let trial = out.state.trials.get(&id).cloned().ok_or(Refusal::UnknownTrial(id))?;
    if !trial.is_live() {
        return Err(Refusal::TrialEnded(id));
    }
    let results = results(out.state, &trial);
    out.event(Event::TrialEnded(TrialEnded { trial: id, outcome: TrialOutcome::Canceled, results }));
    for run in trial.arms.values().filter(|arm| matches!(arm, Arm::Live { .. })).map(Arm::run) {
        if out.state.runs.get(&run).is_some_and(|run| !run.cancel_requested) {
            out.event(Event::RunCancelRequested(RunCancelRequested { run }));
            attempt::stop(out, run);
        }
    }
    Ok(Reply::Done)
}

/// Ends trials all arms of which are over.
pub(super) fn end_trials(out: &mut Out) {
    let live = |trial: &&Arc<Trial>| trial.is_live();
    let over = |trial: &&Arc<Trial>| {
        trial.next_arm().is_none() && !trial.arms.values().any(|arm| matches!(arm, Arm::Live { .. }))
    };
    let done: Vec<Arc<Trial>> = out.state.trials.values().filter(live).filter(over).cloned().collect();
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

/// What there is to say of each output of a trial, as far as it got.
fn results(state: &State, trial: &Trial) -> Vec<TrialResult> {
    let samples = trial.spec.samples.iter().zip(0u32..);
    samples.flat_map(|(sample, number)| of_sample(state, trial, sample, number)).collect()
}

fn of_sample(state: &State, trial: &Trial, sample: &TrialSample, number: u32) -> Vec<TrialResult> {
    let arms: Vec<Option<&Arm>> =
        (0u32..).take(sample.arms.len()).map(|arm| trial.arms.get(&(number, arm))).collect();
    let runs: Vec<RunId> = arms.iter().flatten().map(|arm| arm.run()).collect();
    let mut made: Vec<&[OutputRecord]> = Vec::new();
    let mut moved = false;
    for (at, arm) in arms.iter().enumerate() {
        let (outputs, inputs) = match arm {
            Some(Arm::Made { outputs, inputs, .. }) => (outputs, inputs),
            Some(Arm::Failed { run, message }) => {
                return vec![failed(sample, runs.clone(), format!("{run} failed: {message}"))];
            }
            Some(Arm::Live { .. }) | None => {
                return vec![failed(sample, runs.clone(), "it did not come to its end".to_owned())];
            }
        };
        if let Some((graph, job)) = trial.code_of(sample, at) {
            let set = graph.graph.locate_set(&sample.partition, &state.symbols);
            let now = set.map(|(_, set)| {
                state.inputs_digests_in(graph, job, &set, &sample.discovered, trial.spec.as_of)
            });
            moved |= now.as_ref() != Some(inputs);
        }
        made.push(outputs);
    }
    if made.len() == 1 {
        made.insert(0, &sample.expected);
    }
    let [first, second] = made.as_slice() else { return Vec::new() };
    // A version that is only the number of its run is none that can be compared.
    let own: Vec<String> = runs.iter().chain(&trial.spec.run).map(|run| format!("run:{run}")).collect();
    let files = |output: &OutputRecord| !own.contains(&output.version);
    let mut results = Vec::new();
    for a in *first {
        let other = second.iter().find(|b| b.partition == a.partition);
        results.push(compare(a, other, &runs, files(a) && other.is_none_or(files), (moved, sample)));
    }
    for b in second.iter().filter(|b| !first.iter().any(|a| a.partition == b.partition)) {
        let mut result = compare(b, None, &runs, false, (moved, sample));
        result.versions.reverse();
        result.bytes.reverse();
        results.push(result);
    }
    results
}

fn failed(sample: &TrialSample, runs: Vec<RunId>, message: String) -> TrialResult {
    TrialResult {
        partition: sample.partition.clone(),
        verdict: TrialVerdict::Failed,
        versions: Default::default(),
        bytes: [0, 0],
        runs,
        message,
    }
}

fn compare(
    a: &OutputRecord,
    b: Option<&OutputRecord>,
    runs: &[RunId],
    comparable: bool,
    (moved, sample): (bool, &TrialSample),
) -> TrialResult {
    let changed = &sample.changed_inputs;
    let same = b.is_some_and(|b| (&a.version, a.empty) == (&b.version, b.empty));
    let (verdict, message) = match b {
        None => (TrialVerdict::Incomparable, "only one of the two makes it".to_owned()),
        Some(_) if !comparable => {
            let message = "it is no file, and the job reports no version of it".to_owned();
            (TrialVerdict::Incomparable, message)
        }
        // Two runs that read different data say nothing of the code, whatever came of them.
        Some(_) if moved && (sample.arms.len() > 1 || !same) => {
            (TrialVerdict::InputsChanged, "its inputs changed meanwhile".to_owned())
        }
        Some(_) if same => (TrialVerdict::Equal, String::new()),
        Some(_) if !changed.is_empty() => {
            let message = format!("its inputs are not those of then: {}", changed.join(", "));
            (TrialVerdict::InputsChanged, message)
        }
        Some(_) => (TrialVerdict::Differs, String::new()),
    };
    TrialResult {
        partition: a.partition.clone(),
        verdict,
        versions: [a.version.clone(), b.map(|b| b.version.clone()).unwrap_or_default()],
        bytes: [a.bytes, b.map_or(0, |b| b.bytes)],
        runs: runs.to_vec(),
        message,
    }
}
