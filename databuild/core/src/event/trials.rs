//! What is said of trials: work that is repeated to compare what comes of it.

use super::examples::{attempt, digests, texts, time};
use super::fact::Fact;
use super::origin::Origin;
use super::output::{example_output, made, DataVersion, OutputRecord, PartitionText, SetText};
use super::request::RequestKey;
use crate::amounts::count;
use crate::graph::{JobDigests, Params};
use crate::ids::{AttemptId, GraphId, RunId, TrialId};
use crate::word::Word as _;
use crate::words;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One of the runs of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ArmId {
    /// The trial.
    pub trial: TrialId,
    /// Which of its samples, from 0.
    pub sample: u32,
    /// Which arm of that, from 0.
    pub arm: u32,
}

/// See [`super::Event::TrialCreated`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialCreated {
    /// Its identity.
    pub trial: TrialId,
    /// What it is to find out.
    pub kind: TrialKind,
    /// The run that is repeated; only of [`TrialKind::Rerun`].
    pub run: Option<RunId>,
    /// Label of the job, in all graphs.
    pub job: String,
    /// Graphs whose code runs, each once.
    #[serde(skip)]
    pub graphs: Vec<TrialGraph>,
    /// What is repeated.
    pub samples: Vec<TrialSample>,
    /// The instant for which key spaces are read.
    pub as_of: Timestamp,
    /// The folder to which outputs are copied, for people to look at; none if they are not.
    pub keep: Option<String>,
    /// The key by which the client named its request, if it did. The state keeps it apart.
    #[serde(skip)]
    pub request: Option<RequestKey>,
}

impl Fact for TrialCreated {
    fn text(&self, who: &Origin) -> String {
        let TrialCreated { trial, job, .. } = self;
        let repeated = self.run.map(|run| format!(" of {run}")).unwrap_or_default();
        let runs: usize = self.samples.iter().map(|sample| sample.arms.len()).sum();
        let (kind, runs) = (self.kind.word(), count(runs as u64, "run"));
        format!("{who} started trial {trial} ({kind}{repeated}) with {runs} of {job}")
    }

    fn example() -> TrialCreated {
        TrialCreated {
            trial: TrialId(3),
            kind: TrialKind::Rerun,
            run: Some(RunId(12)),
            job: "//weather:daily".into(),
            graphs: vec![TrialGraph {
                graph: GraphId::of("{\"jobs\": []}"),
                content: "{\"jobs\": []}".into(),
                inherited: [("HOME".to_owned(), "ab".to_owned())].into(),
            }],
            samples: vec![TrialSample {
                partition: "daily/date=2024-01-01".into(),
                arms: vec![TrialArm {
                    graph: GraphId::of("{\"jobs\": []}"),
                    params: [("full".to_owned(), "true".to_owned())].into(),
                    digests: digests("4"),
                }],
                discovered: texts(["raw/city=oslo"]),
                expected: vec![example_output("daily/date=2024-01-01", 9)],
                changed_inputs: texts(["raw/city=rome"]),
            }],
            as_of: time("2024-03-14T01:02:03Z"),
            keep: Some("/tmp/kept".into()),
            request: Some(RequestKey { key: "nightly trial".into(), digest: "7d".into() }),
        }
    }
}

words! {
    /// What a trial is to find out.
    pub enum TrialKind: "kind of a trial" {
        /// Compares the outputs of an older version of a job with those of today's.
        Compare = 1 => "compare",
        /// Runs the job of today twice, and compares the outputs.
        Verify = 2 => "verify",
        /// Repeats a run, and compares the outputs with those that it made.
        Rerun = 3 => "rerun",
    }
}

/// A graph that a trial needs; registered once.
#[derive(Debug, Clone, PartialEq)]
pub struct TrialGraph {
    /// Digest of the content.
    pub graph: GraphId,
    /// The graph file. Stored once per digest, beside the events.
    pub content: Arc<str>,
    /// Digests of inherited environment values, by name.
    pub inherited: BTreeMap<String, String>,
}

/// Work that a trial repeats.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialSample {
    /// What is made, as the job's first output: one partition, or what a run made as a batch.
    pub partition: PartitionText,
    /// The runs: two that are compared with each other, or one that is compared with `expected`.
    pub arms: Vec<TrialArm>,
    /// What it was found to need beside declared inputs.
    pub discovered: SetText,
    /// What the run that is repeated made.
    pub expected: Vec<OutputRecord>,
    /// Inputs that are not those which that run read; the first ones.
    pub changed_inputs: SetText,
}

/// How one run of a trial is made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialArm {
    /// The graph whose code runs.
    pub graph: GraphId,
    /// All parameters of the job with their values.
    pub params: Params,
    /// What a materialization would record of it.
    pub digests: JobDigests,
}

/// See [`super::Event::TrialMade`].
#[derive(Debug, Clone, PartialEq)]
pub struct TrialMade {
    /// Which attempt's outputs.
    pub attempt: AttemptId,
    /// They.
    pub outputs: Vec<OutputRecord>,
}

impl Fact for TrialMade {
    fn text(&self, _: &Origin) -> String {
        format!("{} made {} for a trial, which does not publish it", self.attempt, made(&self.outputs))
    }

    fn example() -> TrialMade {
        TrialMade { attempt: attempt(14, 1), outputs: vec![example_output("daily/date=2024-01-01", 8)] }
    }
}

/// See [`super::Event::TrialEnded`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialEnded {
    /// Which.
    pub trial: TrialId,
    /// What it found.
    pub outcome: TrialOutcome,
    /// By output of each sample.
    pub results: Vec<TrialResult>,
}

impl Fact for TrialEnded {
    fn text(&self, _: &Origin) -> String {
        let how = match self.outcome {
            TrialOutcome::Equal => "all outputs are identical",
            TrialOutcome::Differs => "some outputs differ",
            TrialOutcome::Unknown => "some outputs could not be compared",
            TrialOutcome::Canceled => "it was canceled",
        };
        format!("trial {} ended: {how}", self.trial)
    }

    fn example() -> TrialEnded {
        TrialEnded {
            trial: TrialId(3),
            outcome: TrialOutcome::Differs,
            results: vec![TrialResult {
                partition: "daily/date=2024-01-01".into(),
                verdict: TrialVerdict::InputsChanged,
                versions: ["sha256:1".into(), String::new()],
                bytes: [1, 2],
                runs: vec![RunId(14)],
                message: "its inputs changed meanwhile".into(),
            }],
        }
    }
}

words! {
    /// What a trial found.
    pub enum TrialOutcome: "outcome of a trial" {
        /// All outputs have the same bytes.
        Equal = 1 => "equal",
        /// Some output has other bytes.
        Differs = 2 => "differs",
        /// No output differs, but some could not be compared: a run failed, or its inputs changed.
        Unknown = 3 => "unknown",
        /// Somebody stopped it.
        Canceled = 4 => "canceled",
    }
}

/// What a trial found of one output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialResult {
    /// The partition.
    pub partition: PartitionText,
    /// What there is to say.
    pub verdict: TrialVerdict,
    /// Data versions: what is compared with first. Empty where nothing was made.
    pub versions: [DataVersion; 2],
    /// Sizes of these.
    pub bytes: [u64; 2],
    /// The runs, for their logs.
    pub runs: Vec<RunId>,
    /// For people; empty if there is nothing more to say.
    pub message: String,
}

words! {
    /// What a trial says of one output.
    pub enum TrialVerdict: "verdict of a trial" {
        /// Both have the same bytes.
        Equal = 1 => "equal",
        /// They have different bytes.
        Differs = 2 => "differs",
        /// They cannot be compared: it is no file, or only one of the runs made it.
        Incomparable = 3 => "incomparable",
        /// The inputs were not the same, so the outputs show nothing about the job.
        InputsChanged = 4 => "inputs_changed",
        /// A run failed.
        Failed = 5 => "failed",
    }
}
