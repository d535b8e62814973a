//! Events of trials, both ways.

use super::judged::{digests, read_digests};
use super::parts::{instant, known, malformed, output, read_instant, read_output, value};
use super::ConvertError;
use databuild_core::event::{
    ArmId, TrialArm, TrialCreated, TrialEnded, TrialGraph, TrialMade, TrialResult, TrialSample,
};
use databuild_core::ids::{AttemptId, GraphId, RunId, TrialId};
use databuild_core::word::Numbered as _;
use databuild_proto::protobuf::MessageField;
use databuild_proto::v1 as stored;
use std::sync::Arc;

pub(super) fn arm_id(arm: ArmId) -> stored::TrialArmId {
    let ArmId { trial, sample, arm } = arm;
    stored::TrialArmId { trial: trial.0, sample, arm, ..Default::default() }
}

pub(super) fn read_arm_id(message: stored::TrialArmId) -> Result<ArmId, ConvertError> {
    known(&message, "an arm's place")?;
    let stored::TrialArmId { trial, sample, arm, special_fields: _ } = message;
    Ok(ArmId { trial: TrialId(trial), sample, arm })
}

pub(super) fn trial_created(event: &TrialCreated) -> stored::TrialCreated {
    let TrialCreated { trial, kind, run, job, graphs, samples, as_of, keep } = event;
    let graph = |graph: &TrialGraph| {
        let TrialGraph { graph, content: _, inherited } = graph;
        stored::TrialGraph { graph: graph.0.clone(), inherited: inherited.clone(), ..Default::default() }
    };
    stored::TrialCreated {
        trial: trial.0,
        kind: kind.number(),
        run: run.map_or(0, |run| run.0),
        job: job.clone(),
        graphs: graphs.iter().map(graph).collect(),
        samples: samples.iter().map(sample).collect(),
        as_of: instant(*as_of),
        keep: keep.clone(),
        ..Default::default()
    }
}

/// `content` finds a graph's content.
pub(super) fn read_trial_created<E: From<ConvertError>>(
    message: stored::TrialCreated,
    content: impl FnMut(&GraphId) -> Result<Arc<str>, E>,
) -> Result<TrialCreated, E> {
    known(&message, "a trial")?;
    let stored::TrialCreated {
        trial,
        kind,
        run,
        job,
        graphs,
        samples,
        as_of,
        keep,
        by: _,
        special_fields: _,
    } = message;
    let mut content = content;
    let mut read = Vec::with_capacity(graphs.len());
    for message in graphs {
        known(&message, "a graph of a trial")?;
        let stored::TrialGraph { graph, inherited, special_fields: _ } = message;
        let graph = GraphId(graph);
        let content = content(&graph)?;
        read.push(TrialGraph { graph, content, inherited });
    }
    Ok(TrialCreated {
        trial: TrialId(trial),
        kind: value(kind)?,
        // Runs are counted from 1.
        run: Some(RunId(run)).filter(|run| run.0 > 0),
        job,
        graphs: read,
        samples: samples.into_iter().map(read_sample).collect::<Result<_, _>>()?,
        as_of: read_instant(as_of)?,
        keep,
    })
}

fn sample(sample: &TrialSample) -> stored::TrialSample {
    let TrialSample { partition, arms, discovered, expected, changed_inputs } = sample;
    let arm = |arm: &TrialArm| {
        let TrialArm { graph, params, digests: of } = arm;
        stored::TrialArm {
            graph: graph.0.clone(),
            params: params.clone(),
            digests: MessageField::some(digests(of)),
            ..Default::default()
        }
    };
    stored::TrialSample {
        partition: partition.clone(),
        arms: arms.iter().map(arm).collect(),
        discovered: discovered.clone(),
        expected: expected.iter().map(output).collect(),
        changed_inputs: changed_inputs.clone(),
        ..Default::default()
    }
}

fn read_sample(message: stored::TrialSample) -> Result<TrialSample, ConvertError> {
    known(&message, "a sample of a trial")?;
    let stored::TrialSample { partition, arms, discovered, expected, changed_inputs, special_fields: _ } =
        message;
    let arm = |message: stored::TrialArm| {
        known(&message, "an arm of a trial")?;
        let stored::TrialArm { graph, params, digests, special_fields: _ } = message;
        let digests = digests.into_option().ok_or_else(|| malformed("has an arm without digests"))?;
        Ok(TrialArm { graph: GraphId(graph), params, digests: read_digests(digests)? })
    };
    Ok(TrialSample {
        partition,
        arms: arms.into_iter().map(arm).collect::<Result<_, ConvertError>>()?,
        discovered,
        expected: expected.into_iter().map(read_output).collect::<Result<_, _>>()?,
        changed_inputs,
    })
}

pub(super) fn trial_made(event: &TrialMade) -> stored::TrialMade {
    let TrialMade { attempt: AttemptId { run, number }, outputs } = event;
    stored::TrialMade {
        run: run.0,
        attempt: *number,
        outputs: outputs.iter().map(output).collect(),
        ..Default::default()
    }
}

pub(super) fn read_trial_made(message: stored::TrialMade) -> Result<TrialMade, ConvertError> {
    known(&message, "what an arm made")?;
    let stored::TrialMade { run, attempt: number, outputs, special_fields: _ } = message;
    let attempt = AttemptId { run: RunId(run), number };
    Ok(TrialMade { attempt, outputs: outputs.into_iter().map(read_output).collect::<Result<_, _>>()? })
}

pub(super) fn trial_ended(event: &TrialEnded) -> stored::TrialEnded {
    let TrialEnded { trial, outcome, results } = event;
    stored::TrialEnded {
        trial: trial.0,
        outcome: outcome.number(),
        results: results.iter().map(result).collect(),
        ..Default::default()
    }
}

pub(super) fn read_trial_ended(message: stored::TrialEnded) -> Result<TrialEnded, ConvertError> {
    known(&message, "a trial's end")?;
    let stored::TrialEnded { trial, outcome, results, special_fields: _ } = message;
    let results = results.into_iter().map(read_result).collect::<Result<_, _>>()?;
    Ok(TrialEnded { trial: TrialId(trial), outcome: value(outcome)?, results })
}

fn result(result: &TrialResult) -> stored::TrialResult {
    let TrialResult { partition, verdict, versions, bytes, runs, message } = result;
    let [first_version, second_version] = versions.clone();
    let [first_bytes, second_bytes] = *bytes;
    stored::TrialResult {
        partition: partition.clone(),
        verdict: verdict.number(),
        first_version,
        second_version,
        first_bytes,
        second_bytes,
        runs: runs.iter().map(|run| run.0).collect(),
        message: message.clone(),
        ..Default::default()
    }
}

fn read_result(message: stored::TrialResult) -> Result<TrialResult, ConvertError> {
    known(&message, "a result of a trial")?;
    let stored::TrialResult {
        partition,
        verdict,
        first_version,
        second_version,
        first_bytes,
        second_bytes,
        runs,
        message,
        special_fields: _,
    } = message;
    Ok(TrialResult {
        partition,
        verdict: value(verdict)?,
        versions: [first_version, second_version],
        bytes: [first_bytes, second_bytes],
        runs: runs.into_iter().map(RunId).collect(),
        message,
    })
}
