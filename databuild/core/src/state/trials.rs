//! How trials go on: what events mean for them.

use super::error::FoldError;
use super::lease::leased;
use super::requests::Made;
use super::trial::{read_graph, Arm, Trial, MOST_TRIALS};
use super::{Discovered, Marks, Phase, Run, State};
use crate::event::{ArmId, AttemptLeased, Record, TrialCreated, TrialEnded, TrialMade};
use crate::graph::Registered;
use crate::ids::{Seq, TrialId};
use crate::partition_set::PartitionSet;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

impl State {
    pub(super) fn create_trial(
        &mut self,
        event: &TrialCreated,
        record: &Record,
        seq: Seq,
    ) -> Result<(), FoldError> {
        self.last_trial = self.last_trial.max(event.trial);
        self.advance(event.as_of);
        let mut graphs = Vec::new();
        for graph in &event.graphs {
            let read = read_graph(self.env.graph.as_ref(), graph, &mut self.symbols);
            graphs.push(read.map_err(|problem| FoldError::Graph { seq, problem })?);
        }
        self.requests.add(event.request.as_ref(), Made::Trial(event.trial), record.at);
        let spec = TrialCreated { graphs: Vec::new(), request: None, ..event.clone() };
        let (created_at, by) = (record.at, record.origin.to_string());
        let trial = Trial { spec, created_at, by, graphs, arms: BTreeMap::new(), ended: None };
        self.env.trials.insert(event.trial, Arc::new(trial));
        self.drop_old_trials();
        Ok(())
    }

    fn drop_old_trials(&mut self) {
        let over = self.env.trials.len().saturating_sub(MOST_TRIALS);
        let old: Vec<TrialId> = self
            .env
            .trials
            .values()
            .filter(|trial| !trial.is_live())
            .map(|t| t.spec.trial)
            .take(over)
            .collect();
        self.env.trials.retain(|id, _| !old.contains(id));
    }

    /// The run of an arm comes into being.
    pub(super) fn lease_arm(&mut self, event: &AttemptLeased, arm: ArmId, seq: Seq) -> Result<(), FoldError> {
        let id = event.attempt.run;
        self.last_run = self.last_run.max(id);
        let unknown = FoldError::UnknownTrial { seq, trial: arm.trial };
        let trial = self.env.trials.get(&arm.trial).cloned().ok_or(unknown.clone())?;
        let sample = trial.spec.samples.get(arm.sample as usize).ok_or(unknown.clone())?;
        let (graph, job) = trial.code_of(sample, arm.arm as usize).ok_or(unknown)?;
        let located = graph.graph.locate_set(&event.partition, &self.symbols).map(|(_, set)| set);
        let (set, inputs) = leased(graph.graph.home(job), located, event, seq)?;
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
        self.env.runs.insert(id, Arc::new(run));
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
        let trial = self.env.trials.get_mut(&arm.trial).filter(|trial| trial.is_live());
        if let Some(trial) = trial {
            Arc::make_mut(trial).arms.insert((arm.sample, arm.arm), what);
        }
    }

    pub(super) fn end_trial(&mut self, event: &TrialEnded, at: Timestamp, seq: Seq) -> Result<(), FoldError> {
        let unknown = FoldError::UnknownTrial { seq, trial: event.trial };
        let trial = Arc::make_mut(self.env.trials.get_mut(&event.trial).ok_or(unknown)?);
        trial.graphs.clear();
        trial.arms.clear();
        trial.ended = Some((at, event.clone()));
        self.drop_old_trials();
        Ok(())
    }

    /// Graphs whose code something that is live runs, or may yet.
    pub fn graphs_in_use(&self) -> impl Iterator<Item = &Arc<Registered>> {
        let trials = self.env.trials.values().flat_map(|trial| &trial.graphs);
        self.env.graph.iter().chain(self.env.runs.values().map(|run| &run.graph)).chain(trials)
    }
}
