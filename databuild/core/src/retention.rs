//! What of a log's past the present still counts on.
//!
//! The state itself needs no event that a checkpoint has. But live work is better kept whole, and what explains
//! the present is in the history: which data something was made from, which run failed last, which graph had the code.

use crate::event::Event;
use crate::graph::DatasetIx;
use crate::ids::{GraphId, PlanId, RunId, Seq, TrialId, WantId};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::state::{Holding, State};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Something that is not over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Live {
    /// An open want.
    Want(WantId),
    /// A run.
    Run(RunId),
    /// A plan that can be applied.
    Plan(PlanId),
    /// A trial under way.
    Trial(TrialId),
}

impl fmt::Display for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Live::Want(id) => id.fmt(f),
            Live::Run(id) => id.fmt(f),
            Live::Plan(id) => id.fmt(f),
            Live::Trial(id) => id.fmt(f),
        }
    }
}

/// What is live and began with that event, so that the log is kept from there on.
#[must_use]
pub fn begun_live(state: &State, event: &Event) -> Option<Live> {
    match event {
        Event::WantCreated(e) => state.wants().contains_key(&e.want).then_some(Live::Want(e.want)),
        Event::AttemptLeased(e) => {
            state.runs().contains_key(&e.attempt.run).then_some(Live::Run(e.attempt.run))
        }
        Event::PlanCreated(e) => state.plans().contains_key(&e.plan).then_some(Live::Plan(e.plan)),
        Event::TrialCreated(e) => {
            let live = state.trials().get(&e.trial).is_some_and(|trial| trial.ended.is_none());
            live.then_some(Live::Trial(e.trial))
        }
        _ => None,
    }
}

/// What partitions hold by the state, that of datasets which only another graph has included: data whose run and metadata
/// are asked for, whatever the same texts were used for since.
#[derive(Debug)]
pub struct InUse<'s> {
    state: &'s State,
    /// Events of data that no text of today leads to.
    others: BTreeSet<Seq>,
}

impl InUse<'_> {
    /// By a state.
    #[must_use]
    pub fn of(state: &State) -> InUse<'_> {
        InUse { state, others: state.held_under_other_names() }
    }

    /// Whether it is what the event at `seq` said that this partition holds. May be true of a few more.
    #[must_use]
    pub fn has(&self, partition: &str, seq: Seq) -> bool {
        let held = located(self.state, partition)
            .and_then(|(ix, key)| self.state.dataset(ix).entries.get(&key))
            .is_some_and(|entry| entry.seq == seq);
        held || self.others.contains(&seq)
    }
}

/// What present partitions hold of all outputs that are made from a partition, declared or found so. None of one that the graph does
/// not have.
#[must_use]
pub fn made_from(state: &State, partition: &str) -> Vec<Holding> {
    let Some((ix, key)) = located(state, partition) else { return Vec::new() };
    let graph = state.graph();
    let read = graph.side(ix, state.extents());
    let one = PartitionSet::single(graph.dataset(ix).shape, &key);
    let mut found = Vec::new();
    for &(job, input) in &graph.dataset(ix).consumers {
        let job = graph.job(job);
        let home = graph.side(job.outputs[0], state.extents());
        let mapping = &job.inputs[input].mapping;
        for output in &job.outputs {
            let present = mapping.dependents_of(&home, &read, &one, &state.dataset(*output).present);
            found.extend(present.iter().filter_map(|key| state.holding(*output, &key)));
        }
    }
    let by_discovery = state.readers_by_discovery(ix, &one);
    let present = by_discovery.iter().filter(|(reader, key)| state.dataset(*reader).present.contains(key));
    found.extend(present.filter_map(|(reader, key)| state.holding(*reader, key)));
    found
}

/// Those of failed runs, newest first, that say why a partition is failed now.
#[must_use]
pub fn last_failures<'a>(
    state: &State,
    failed: impl IntoIterator<Item = &'a (RunId, String)>,
) -> BTreeSet<RunId> {
    let Some(registered) = state.followed() else { return BTreeSet::new() };
    let mut told: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    let mut found = BTreeSet::new();
    for (run, partition) in failed {
        let Some((ix, set)) = registered.graph.locate_set(partition, state.symbols()) else { continue };
        let told = told.entry(ix).or_insert_with(|| PartitionSet::empty(set.shape()));
        let tells = state.dataset(ix).failed.intersect(&set).subtract(told);
        if !tells.is_empty() {
            told.union_with(&tells);
            found.insert(*run);
        }
    }
    found
}

/// Graphs that new work or a live run follows, or whose code a trial runs or ran.
#[must_use]
pub fn graphs_in_use(state: &State) -> BTreeSet<GraphId> {
    let runs = state.runs().values().map(|run| &run.graph);
    let trials = state.trials().values().flat_map(|trial| &trial.graphs);
    state.followed().into_iter().chain(runs).chain(trials).map(|registered| registered.id.clone()).collect()
}

/// The code that present data counts as made by: label of the job and fingerprint.
#[must_use]
pub fn code_in_use(state: &State) -> BTreeSet<(String, String)> {
    let Some(registered) = state.followed() else { return BTreeSet::new() };
    let graph = &registered.graph;
    let mut found = BTreeSet::new();
    for (ix, dataset) in graph.datasets() {
        let Some(job) = dataset.producer else { continue };
        let makers = state.dataset(ix).counted_as().filter(|(_, set)| !set.is_empty());
        found.extend(
            makers.map(|(maker, _)| (graph.job(job).label.clone(), state.provenance(maker).code.clone())),
        );
    }
    found
}

fn located(state: &State, partition: &str) -> Option<(DatasetIx, PartitionKey)> {
    state.followed()?.graph.locate(partition, state.symbols())
}
