//! Trials: work that is repeated to compare what comes of it, and of which nothing is published.
//!
//! Each arm of a trial is a run like any other at the executor: it takes places, has attempts and logs. But no want
//! waits for it, it holds no partition, and what it makes changes nothing of what is known of data.
//!
//! Invariant: a trial that is over has no arms and no graphs; only what it found is kept.

use super::fold::FoldError;
use super::{Discovered, Marks, Phase, Run, State};
use crate::event::{
    ArmId, AttemptLeased, OutputRecord, TrialCreated, TrialEnded, TrialGraph, TrialMade, TrialSample,
};
use crate::graph::{Graph, JobIx, Registered};
use crate::ids::{RunId, Seq, TrialId};
use crate::partition_set::PartitionSet;
use crate::symbols::Symbols;
use jiff::Timestamp;
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
    /// Graphs whose code it runs.
    pub graphs: Vec<Arc<Registered>>,
    /// What became of its arms so far, by sample and arm.
    pub arms: BTreeMap<(u32, u32), Arm>,
    /// What it found, and when; none while it is under way.
    pub ended: Option<(Timestamp, TrialEnded)>,
}

/// What became of an arm that has begun.
#[derive(Debug, Clone, PartialEq)]
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

impl State {
    pub(super) fn create_trial(
        &mut self,
        event: &TrialCreated,
        at: Timestamp,
        seq: Seq,
    ) -> Result<(), FoldError> {
        self.last_trial = self.last_trial.max(event.trial);
        self.advance(event.as_of);
        let mut graphs = Vec::new();
        for graph in &event.graphs {
            let read = read_graph(self.graph.as_ref(), graph, &mut self.symbols);
            graphs.push(read.map_err(|problem| FoldError::Graph { seq, problem })?);
        }
        let spec = TrialCreated { graphs: Vec::new(), ..event.clone() };
        let trial = Trial { spec, created_at: at, graphs, arms: BTreeMap::new(), ended: None };
        self.trials.insert(event.trial, Arc::new(trial));
        self.drop_old_trials();
        Ok(())
    }

    fn drop_old_trials(&mut self) {
        let over = self.trials.len().saturating_sub(MOST_TRIALS);
        let old: Vec<TrialId> =
            self.trials.values().filter(|trial| !trial.is_live()).map(|t| t.spec.trial).take(over).collect();
        self.trials.retain(|id, _| !old.contains(id));
    }

    /// The run of an arm comes into being.
    pub(super) fn lease_arm(&mut self, event: &AttemptLeased, arm: ArmId, seq: Seq) -> Result<(), FoldError> {
        let id = event.attempt.run;
        self.last_run = self.last_run.max(id);
        let unknown = FoldError::UnknownTrial { seq, trial: arm.trial };
        let trial = self.trials.get(&arm.trial).cloned().ok_or(unknown.clone())?;
        let sample = trial.spec.samples.get(arm.sample as usize).ok_or(unknown.clone())?;
        let (graph, job) = trial.code_of(sample, arm.arm as usize).ok_or(unknown)?;
        let located = graph.graph.locate_set(&event.partition, &self.symbols).map(|(_, set)| set);
        let (set, inputs) = super::fold::leased(graph.graph.home(job), located, event, seq)?;
        let made_by = self.intern_digests(graph.digests_with(job, &event.params));
        let run = Run {
            id,
            graph: Arc::clone(graph),
            job,
            set,
            partition: event.partition.clone(),
            phase: Phase::Leased,
            attempt: 1,
            failures: 0,
            losses: 0,
            moves: 0,
            inputs,
            as_of: event.as_of,
            params: event.params.clone(),
            made_by,
            cancel_requested: false,
            tainted: Marks::default(),
            spoiled: PartitionSet::empty(graph.graph.home(job).shape),
            discovered: Discovered::from(sample.discovered.as_slice()),
            suspended: None,
            intended: Vec::new(),
            rest_due: None,
            given_up: None,
            trial: Some(arm),
        };
        self.runs.insert(id, Arc::new(run));
        self.note_arm(arm, Arm::Live { run: id });
        Ok(())
    }

    /// What an arm made is remembered, if its trial still wants to know.
    pub(super) fn arm_made(&mut self, event: &TrialMade, seq: Seq) -> Result<(), FoldError> {
        let run = self.take_run(event.attempt.run, seq)?;
        if let Some(arm) = run.trial {
            let (inputs, outputs) = (run.inputs.clone(), event.outputs.clone());
            self.note_arm(arm, Arm::Made { run: run.id, outputs, inputs });
        }
        Ok(())
    }

    pub(super) fn note_arm(&mut self, arm: ArmId, what: Arm) {
        let trial = self.trials.get_mut(&arm.trial).filter(|trial| trial.is_live());
        if let Some(trial) = trial {
            Arc::make_mut(trial).arms.insert((arm.sample, arm.arm), what);
        }
    }

    pub(super) fn end_trial(&mut self, event: &TrialEnded, at: Timestamp, seq: Seq) -> Result<(), FoldError> {
        let unknown = FoldError::UnknownTrial { seq, trial: event.trial };
        let trial = Arc::make_mut(self.trials.get_mut(&event.trial).ok_or(unknown)?);
        trial.graphs.clear();
        trial.arms.clear();
        trial.ended = Some((at, event.clone()));
        self.drop_old_trials();
        Ok(())
    }

    /// Graphs whose code something that is live runs, or may yet.
    pub fn graphs_in_use(&self) -> impl Iterator<Item = &Arc<Registered>> {
        let trials = self.trials.values().flat_map(|trial| &trial.graphs);
        self.graph.iter().chain(self.runs.values().map(|run| &run.graph)).chain(trials)
    }
}
