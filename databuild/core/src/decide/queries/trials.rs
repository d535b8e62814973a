//! What came of a trial, output by output.

use crate::event::{OutputRecord, TrialResult, TrialSample, TrialVerdict};
use crate::ids::RunId;
use crate::state::{Arm, State, Trial};

/// What there is to say of each output of a trial, as far as it got.
pub(crate) fn results(state: &State, trial: &Trial) -> Vec<TrialResult> {
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
            let set = graph.graph.locate_set(&sample.partition, state.symbols());
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
            let message = format!("its inputs have changed since: {}", changed.join(", "));
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
