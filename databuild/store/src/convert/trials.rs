//! Events of trials, both ways.

use super::form::{malformed, read, read_all, store_all, value, Stored};
use super::parts::{attempt, read_instant, read_request_key, request_key, store_instant};
use super::ConvertError;
use databuild_core::event::{
    ArmId, TrialArm, TrialCreated, TrialEnded, TrialGraph, TrialMade, TrialResult, TrialSample,
};
use databuild_core::ids::{AttemptId, GraphId, RunId, TrialId};
use databuild_core::word::Numbered as _;
use databuild_proto::protobuf::MessageField;
use databuild_proto::v1 as stored;

impl Stored for ArmId {
    type Message = stored::TrialArmId;
    const WHAT: &'static str = "an arm's place";

    fn store(&self) -> stored::TrialArmId {
        let ArmId { trial, sample, arm } = *self;
        stored::TrialArmId { trial: trial.0, sample, arm, ..Default::default() }
    }

    fn of_known(message: stored::TrialArmId) -> Result<ArmId, ConvertError> {
        let stored::TrialArmId { trial, sample, arm, special_fields: _ } = message;
        Ok(ArmId { trial: TrialId(trial), sample, arm })
    }
}

impl Stored for TrialCreated {
    type Message = stored::TrialCreated;
    const WHAT: &'static str = "a trial";

    fn store(&self) -> stored::TrialCreated {
        let TrialCreated { trial, kind, run, job, graphs, samples, as_of, keep, request } = self;
        let (request_key, request_digest) = request_key(request.as_ref());
        stored::TrialCreated {
            trial: trial.0,
            kind: kind.number(),
            run: run.map_or(0, |run| run.0),
            job: job.clone(),
            graphs: store_all(graphs),
            samples: store_all(samples),
            as_of: store_instant(*as_of),
            keep: keep.clone(),
            request_key,
            request_digest,
            ..Default::default()
        }
    }

    fn of_known(message: stored::TrialCreated) -> Result<TrialCreated, ConvertError> {
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
            request_key,
            request_digest,
            special_fields: _,
        } = message;
        Ok(TrialCreated {
            trial: TrialId(trial),
            kind: value(kind)?,
            // Runs are counted from 1.
            run: (run != 0).then_some(RunId(run)),
            job,
            graphs: read_all(graphs)?,
            samples: read_all(samples)?,
            as_of: read_instant(as_of)?,
            keep,
            request: read_request_key(request_key, request_digest),
        })
    }
}

impl Stored for TrialGraph {
    type Message = stored::TrialGraph;
    const WHAT: &'static str = "a graph of a trial";

    fn store(&self) -> stored::TrialGraph {
        let TrialGraph { graph, content: _, inherited } = self;
        stored::TrialGraph { graph: graph.0.clone(), inherited: inherited.clone(), ..Default::default() }
    }

    fn of_known(message: stored::TrialGraph) -> Result<TrialGraph, ConvertError> {
        let stored::TrialGraph { graph, inherited, special_fields: _ } = message;
        // The content is added to the whole record.
        Ok(TrialGraph { graph: GraphId(graph), content: "".into(), inherited })
    }
}

impl Stored for TrialSample {
    type Message = stored::TrialSample;
    const WHAT: &'static str = "a sample of a trial";

    fn store(&self) -> stored::TrialSample {
        let TrialSample { partition, arms, discovered, expected, changed_inputs } = self;
        stored::TrialSample {
            partition: partition.clone(),
            arms: store_all(arms),
            discovered: discovered.clone(),
            expected: store_all(expected),
            changed_inputs: changed_inputs.clone(),
            ..Default::default()
        }
    }

    fn of_known(message: stored::TrialSample) -> Result<TrialSample, ConvertError> {
        let stored::TrialSample { partition, arms, discovered, expected, changed_inputs, special_fields: _ } =
            message;
        Ok(TrialSample {
            partition,
            arms: read_all(arms)?,
            discovered,
            expected: read_all(expected)?,
            changed_inputs,
        })
    }
}

impl Stored for TrialArm {
    type Message = stored::TrialArm;
    const WHAT: &'static str = "an arm of a trial";

    fn store(&self) -> stored::TrialArm {
        let TrialArm { graph, params, digests } = self;
        stored::TrialArm {
            graph: graph.0.clone(),
            params: params.clone(),
            digests: MessageField::some(digests.store()),
            ..Default::default()
        }
    }

    fn of_known(message: stored::TrialArm) -> Result<TrialArm, ConvertError> {
        let stored::TrialArm { graph, params, digests, special_fields: _ } = message;
        let digests = digests.into_option().ok_or_else(|| malformed("has an arm without digests"))?;
        Ok(TrialArm { graph: GraphId(graph), params, digests: read(digests)? })
    }
}

impl Stored for TrialMade {
    type Message = stored::TrialMade;
    const WHAT: &'static str = "what an arm made";

    fn store(&self) -> stored::TrialMade {
        let TrialMade { attempt: AttemptId { run, number }, outputs } = self;
        stored::TrialMade { run: run.0, attempt: *number, outputs: store_all(outputs), ..Default::default() }
    }

    fn of_known(message: stored::TrialMade) -> Result<TrialMade, ConvertError> {
        let stored::TrialMade { run, attempt: number, outputs, special_fields: _ } = message;
        Ok(TrialMade { attempt: attempt(run, number), outputs: read_all(outputs)? })
    }
}

impl Stored for TrialEnded {
    type Message = stored::TrialEnded;
    const WHAT: &'static str = "a trial's end";

    fn store(&self) -> stored::TrialEnded {
        let TrialEnded { trial, outcome, results } = self;
        stored::TrialEnded {
            trial: trial.0,
            outcome: outcome.number(),
            results: store_all(results),
            ..Default::default()
        }
    }

    fn of_known(message: stored::TrialEnded) -> Result<TrialEnded, ConvertError> {
        let stored::TrialEnded { trial, outcome, results, special_fields: _ } = message;
        Ok(TrialEnded { trial: TrialId(trial), outcome: value(outcome)?, results: read_all(results)? })
    }
}

impl Stored for TrialResult {
    type Message = stored::TrialResult;
    const WHAT: &'static str = "a result of a trial";

    fn store(&self) -> stored::TrialResult {
        let TrialResult { partition, verdict, versions, bytes, runs, message } = self;
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

    fn of_known(message: stored::TrialResult) -> Result<TrialResult, ConvertError> {
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
}
