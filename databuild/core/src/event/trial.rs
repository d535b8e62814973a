//! What is said of trials: work that is repeated to compare what comes of it.

use super::output::{DataVersion, OutputRecord, PartitionText, SetText};
use crate::graph::{JobDigests, Params};
use crate::ids::{AttemptId, GraphId, RunId, TrialId};
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
}

words! {
    /// What a trial is to find out.
    pub enum TrialKind: "kind of a trial" {
        /// Whether the job of today makes the same as that which made it.
        Compare = 1 => "compare",
        /// Whether the job of today makes the same twice.
        Verify = 2 => "verify",
        /// Whether a run comes out as it did.
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

words! {
    /// What a trial found.
    pub enum TrialOutcome: "outcome of a trial" {
        /// All outputs have the same bytes.
        Equal = 1 => "equal",
        /// Some output has other bytes.
        Differs = 2 => "differs",
        /// Nothing differs, and of some output it cannot be told: a run failed, or its inputs changed.
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
        /// The same bytes.
        Equal = 1 => "equal",
        /// Other bytes.
        Differs = 2 => "differs",
        /// Nothing to compare: it is no file, or only one of the runs makes it.
        Incomparable = 3 => "incomparable",
        /// Other bytes, or not to be trusted, since the inputs are not the same.
        InputsChanged = 4 => "inputs_changed",
        /// A run failed.
        Failed = 5 => "failed",
    }
}
