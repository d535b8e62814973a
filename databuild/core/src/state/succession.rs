//! One graph follows another: what was known and what was under way is carried over.
//!
//! Datasets are carried over by name, as long as their keys mean the same; work by the dataset it makes.
//! What the new graph has no place for waits under its name or, if it is work, is dropped: whoever
//! registers a graph plans anew what wants still wait for.

use super::fold::FoldError;
use super::{DatasetState, Invocation, JobWork, Run, State};
use crate::event::GraphRegistered;
use crate::graph::{Dataset, DatasetIx, Graph, JobIx, Registered};
use crate::partition_set::PartitionSet;
use std::collections::BTreeMap;
use std::sync::Arc;

impl State {
    pub(super) fn register(&mut self, event: &GraphRegistered) -> Result<(), FoldError> {
        let graph = Graph::parse(&event.content, &mut self.symbols).map_err(|problems| FoldError::Graph {
            seq: self.seq,
            problem: problems.first().map(ToString::to_string).unwrap_or_default(),
        })?;
        let registered = Arc::new(Registered::new(event.graph.clone(), graph, event.inherited.clone()));
        let before = self.graph.replace(Arc::clone(&registered));
        let graph = &registered.graph;
        self.extents = Some(Arc::new(graph.extents(self.as_of, &self.symbols)));

        if let Some(before) = &before {
            for ((_, dataset), state) in before.graph.datasets().zip(std::mem::take(&mut self.datasets)) {
                self.retired.insert((dataset.name.clone(), state.axes.clone()), state);
            }
        }
        self.datasets = graph
            .datasets()
            .map(|(_, dataset)| {
                let axes = dataset.axes();
                self.retired
                    .remove(&(dataset.name.clone(), axes.clone()))
                    .unwrap_or_else(|| Arc::new(DatasetState::new(axes, dataset.shape)))
            })
            .collect();

        self.starts
            .retain(|label, _| graph.job_labeled(label).is_some_and(|job| graph.job(job).rate.is_some()));
        self.index_discovered();
        let old_work = std::mem::take(&mut self.work);
        self.work = graph.jobs().map(|(ix, _)| Arc::new(JobWork::new(graph.home(ix).shape))).collect();
        if let Some(before) = before {
            self.carry_work(&before.graph, &old_work);
            self.suspect_changed_inputs(&before.graph);
        }
        self.refresh_ready();
        Ok(())
    }

    fn carry_work(&mut self, before: &Graph, old_work: &[Arc<JobWork>]) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        let heir = |old: JobIx| Some((heir_of(before, old, graph)?, old));
        for (new, old) in (0..old_work.len()).map(JobIx).filter_map(heir) {
            let bounds = graph.home(new).bounds(&self.symbols);
            let work = self.work_mut(new);
            work.todo.union_with(&old_work[old.0].todo.within(&bounds));
            work.forced.union_with(&old_work[old.0].forced.within(&bounds));
            work.by_hand.union_with(&old_work[old.0].by_hand.within(&bounds));
        }
        let symbols = self.symbols.clone();
        for want in self.wants.values_mut().map(Arc::make_mut) {
            let mut remaining: BTreeMap<JobIx, PartitionSet> = BTreeMap::new();
            for (old, set) in std::mem::take(&mut want.remaining) {
                let Some((new, _)) = heir(old) else { continue };
                let home = graph.home(new);
                let kept = set.within(&home.bounds(&symbols));
                remaining.entry(new).or_insert_with(|| PartitionSet::empty(home.shape)).union_with(&kept);
            }
            want.remaining = remaining;
            // What its job's heir does not make any more is not waited for either.
            let invoked = want.invoked.take();
            want.invoked = invoked.and_then(|by| Some(Invocation { job: heir(by.job)?.0, ..by }));
            want.total =
                want.done + want.failed + want.remaining.values().map(PartitionSet::len).sum::<u64>();
        }
        for run in self.runs.values().cloned().collect::<Vec<_>>() {
            for job in self.occupied_by(&run) {
                self.work_mut(job).live.union_with(&run.set);
            }
        }
    }

    /// Where a job reads other inputs than before, all it made or is making has to be compared.
    fn suspect_changed_inputs(&mut self, before: &Graph) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        let mut changed = Vec::new();
        for (ix, job) in graph.jobs() {
            let same =
                before.job_labeled(&job.label).is_some_and(|old| reads_the_same(before, old, graph, ix));
            if !same {
                changed.push(ix);
                let live = self.work(ix).live.clone();
                for output in &job.outputs {
                    let state = self.dataset_mut(*output);
                    let suspect = state.present.union(&live);
                    state.suspect.union_with(&suspect);
                }
            }
        }
        self.spread_again(&changed);
    }

    /// The job of the current graph that makes what a live run's job made, if its keys still mean the same. What
    /// is only tried is made by none.
    #[must_use]
    pub fn current_job(&self, run: &Run) -> Option<JobIx> {
        if run.trial.is_some() {
            return None;
        }
        let current = self.registered();
        if current.id == run.graph.id {
            return Some(run.job);
        }
        heir_of(&run.graph.graph, run.job, &current.graph)
    }

    /// All jobs of the current graph that make any partition which a live run makes.
    #[must_use]
    pub fn occupied_by(&self, run: &Run) -> Vec<JobIx> {
        if run.trial.is_some() {
            return Vec::new();
        }
        let current = self.registered();
        if current.id == run.graph.id {
            return vec![run.job];
        }
        let old = &run.graph.graph;
        let outputs = old.job(run.job).outputs.iter();
        let mut jobs: Vec<JobIx> = outputs
            .filter_map(|output| current.graph.dataset(self.successor_of(old.dataset(*output))?).producer)
            .collect();
        jobs.sort_unstable();
        jobs.dedup();
        jobs
    }

    /// The dataset of the current graph that has an earlier one's partitions.
    #[must_use]
    pub fn successor_of(&self, earlier: &Dataset) -> Option<DatasetIx> {
        same_dataset(earlier, self.graph())
    }
}

/// The dataset of `graph` of that name, if its keys mean the same.
fn same_dataset(earlier: &Dataset, graph: &Graph) -> Option<DatasetIx> {
    let ix = graph.dataset_named(&earlier.name)?;
    (graph.dataset(ix).axes() == earlier.axes()).then_some(ix)
}

/// The job of `graph` that makes what `old` of `before` made.
fn heir_of(before: &Graph, old: JobIx, graph: &Graph) -> Option<JobIx> {
    graph.dataset(same_dataset(before.home(old), graph)?).producer
}

/// Whether two jobs read the same partitions for the same outputs.
pub(crate) fn reads_the_same(before: &Graph, old: JobIx, graph: &Graph, new: JobIx) -> bool {
    let (a, b) = (before.job(old), graph.job(new));
    before.home(old).spaces == graph.home(new).spaces
        && a.inputs.len() == b.inputs.len()
        && a.inputs.iter().zip(&b.inputs).all(|(a, b)| {
            let (read_a, read_b) = (before.dataset(a.dataset), graph.dataset(b.dataset));
            a.name == b.name
                && a.mapping == b.mapping
                && read_a.name == read_b.name
                && read_a.dims == read_b.dims
                // What is left out there depends on further rules; comparing is simpler than telling.
                && !before.may_omit(a.dataset)
                && !graph.may_omit(b.dataset)
                && read_a.spaces == read_b.spaces
        })
}
