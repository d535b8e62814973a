//! Trials: work that is repeated to compare what comes of it, and of which nothing is published.
//!
//! Each arm of a trial is a run like any other at the executor: it takes places, has attempts and logs. But no want
//! waits for it, it holds no partition, and what it makes changes nothing of what is known of data.
//!
//! Invariant: a trial that is over has no arms and no graphs; only what it found is kept.

use crate::event::{ArmId, OutputRecord, TrialCreated, TrialEnded, TrialGraph, TrialSample};
use crate::graph::{Graph, JobIx, Registered};
use crate::ids::RunId;
use crate::symbols::Symbols;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Trials that are kept; of those that are over the oldest make room.
pub const MOST_TRIALS: usize = 100;

/// A trial.
#[derive(Debug, Clone)]
pub struct Trial {
    /// What it is; without the graphs.
    pub spec: TrialCreated,
    /// When it was created.
    pub created_at: Timestamp,
    /// Who wanted it.
    pub by: String,
    /// Graphs whose code it runs.
    pub graphs: Vec<Arc<Registered>>,
    /// What became of its arms so far, by sample and arm.
    pub arms: BTreeMap<(u32, u32), Arm>,
    /// What it found, and when; none while it is under way.
    pub ended: Option<(Timestamp, TrialEnded)>,
}

/// What became of an arm that has begun.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Arm {
    /// Its run is live.
    Live {
        /// The run.
        run: RunId,
    },
    /// It made its outputs.
    Made {
        /// The run.
        run: RunId,
        /// They.
        outputs: Vec<OutputRecord>,
        /// For each partition, the digest of the inputs that it read.
        inputs: Vec<u64>,
    },
    /// It did not.
    Failed {
        /// The run.
        run: RunId,
        /// Why.
        message: String,
    },
}

impl Arm {
    /// Its run.
    #[must_use]
    pub fn run(&self) -> RunId {
        match self {
            Arm::Live { run } | Arm::Made { run, .. } | Arm::Failed { run, .. } => *run,
        }
    }
}

impl Trial {
    /// Whether it is under way.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.ended.is_none()
    }

    /// The graph and the job of an arm.
    #[must_use]
    pub fn code_of(&self, sample: &TrialSample, arm: usize) -> Option<(&Arc<Registered>, JobIx)> {
        let id = &sample.arms.get(arm)?.graph;
        let graph = self.graphs.iter().find(|graph| graph.id == *id)?;
        Some((graph, graph.graph.job_labeled(&self.spec.job)?))
    }

    /// The first arm that has not begun and is needed: of a sample with an arm that failed nothing more is.
    #[must_use]
    pub fn next_arm(&self) -> Option<ArmId> {
        if !self.is_live() {
            return None;
        }
        let trial = self.spec.trial;
        self.spec.samples.iter().zip(0u32..).find_map(|(entry, sample)| {
            let began = |arm: u32| self.arms.get(&(sample, arm));
            let count = u32::try_from(entry.arms.len()).unwrap_or(u32::MAX);
            if (0..count).any(|arm| matches!(began(arm), Some(Arm::Failed { .. }))) {
                return None;
            }
            let arm = (0..count).find(|arm| began(*arm).is_none())?;
            Some(ArmId { trial, sample, arm })
        })
    }
}

/// A graph of a trial: the current one if it is that.
pub(crate) fn read_graph(
    current: Option<&Arc<Registered>>,
    graph: &TrialGraph,
    symbols: &mut Symbols,
) -> Result<Arc<Registered>, String> {
    let TrialGraph { graph: id, content, inherited } = graph;
    if let Some(current) = current.filter(|now| now.id == *id && now.inherited == *inherited) {
        return Ok(Arc::clone(current));
    }
    let parsed = Graph::parse(content, symbols);
    let graph = parsed.map_err(|problems| problems.first().map(ToString::to_string).unwrap_or_default())?;
    Ok(Arc::new(Registered::new(id.clone(), graph, inherited.clone())))
}
