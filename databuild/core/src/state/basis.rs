//! What an answer about some datasets was worked out from, to see later whether it is still true.
//!
//! Parts of a state are shared until they are written, so whether one may differ is seen by its address. A basis keeps none of them in
//! memory: as long as there is a weak reference, no other part gets its address.

use super::dataset::DatasetState;
use super::work::{JobWork, Run};
use super::State;
use crate::graph::{DatasetIx, JobIx, Registered};
use crate::ids::RunId;
use crate::symbols::Symbols;
use std::collections::BTreeSet;
use std::sync::{Arc, Weak};

/// The graph, the keys, and what is known of some datasets, with the jobs and the runs that make them.
#[derive(Debug)]
pub struct Basis {
    graph: Option<Weak<Registered>>,
    symbols: Symbols,
    datasets: Vec<(DatasetIx, Weak<DatasetState>)>,
    work: Vec<(JobIx, Weak<JobWork>)>,
    runs: Vec<(RunId, Weak<Run>)>,
}

impl Basis {
    /// Whether another state has all of that as it was. It does not say so of a part that was written and is the same again.
    #[must_use]
    pub fn is_in(&self, state: &State) -> bool {
        let same_graph = match (&self.graph, &state.env.graph) {
            (Some(before), Some(now)) => is_of(before, now),
            (before, now) => before.is_none() && now.is_none(),
        };
        same_graph
            && self.symbols.is_shared_with(&state.symbols)
            && self.datasets.iter().all(|(ix, before)| is_of(before, &state.env.datasets[ix.0]))
            && self.work.iter().all(|(ix, before)| is_of(before, &state.env.work[ix.0]))
            && self
                .runs
                .iter()
                .all(|(id, before)| state.env.runs.get(id).is_some_and(|now| is_of(before, now)))
    }
}

fn is_of<T>(before: &Weak<T>, now: &Arc<T>) -> bool {
    std::ptr::eq(before.as_ptr(), Arc::as_ptr(now))
}

impl State {
    /// Of an answer that follows from what is known of `asked`, of what their jobs make and read, and from what runs under way make of
    /// them.
    #[must_use]
    pub(crate) fn basis(&self, asked: &[DatasetIx]) -> Basis {
        let jobs: BTreeSet<JobIx> =
            asked.iter().filter_map(|ix| self.graph().dataset(*ix).producer).collect();
        let mut datasets: BTreeSet<DatasetIx> = asked.iter().copied().collect();
        for job in jobs.iter().map(|job| self.graph().job(*job)) {
            datasets.extend(&job.outputs);
            datasets.extend(job.inputs.iter().map(|input| input.dataset));
        }
        // Only jobs with runs under way are asked for these.
        let is_asked = |run: &Run| self.current_job(run).is_some_and(|job| jobs.contains(&job));
        let any_live = jobs.iter().any(|job| !self.work(*job).live.is_empty());
        let runs: Vec<_> = self.env.runs.iter().filter(|(_, run)| any_live && is_asked(run)).collect();
        let found = runs.iter().flat_map(|(_, run)| run.discovered.iter());
        datasets.extend(found.filter_map(|text| Some(self.located_one(text)?.0)));
        Basis {
            graph: self.env.graph.as_ref().map(Arc::downgrade),
            symbols: self.symbols.clone(),
            datasets: datasets.into_iter().map(|ix| (ix, Arc::downgrade(&self.env.datasets[ix.0]))).collect(),
            work: jobs.into_iter().map(|ix| (ix, Arc::downgrade(&self.env.work[ix.0]))).collect(),
            runs: runs.into_iter().map(|(id, run)| (*id, Arc::downgrade(run))).collect(),
        }
    }
}
