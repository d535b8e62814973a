//! One graph follows another: what was known and what was under way is carried over.
//!
//! Datasets are carried over by name (that of now or, if they were moved, any earlier one), as long as their keys
//! mean the same; work by the dataset it makes. What the new graph has no place for waits under its name or, if it
//! is work, is dropped: whoever registers a graph plans anew what wants still wait for.

use super::error::FoldError;
use super::{Alias, DatasetState, Invocation, JobWork, Phase, Run, State};
use crate::event::GraphRegistered;
use crate::graph::{CheckedGraph, Dataset, DatasetIx, Graph, JobIx, Registered};
use crate::ids::Seq;
use crate::partition_set::{Axis, PartitionSet};
use crate::reference::ReferenceText;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

impl State {
    pub(super) fn register(
        &mut self,
        event: &GraphRegistered,
        checked: Option<CheckedGraph>,
        at: Timestamp,
    ) -> Result<(), FoldError> {
        let graph = match checked.filter(|checked| checked.fits(&self.symbols)) {
            Some(checked) => checked.take_over(&mut self.symbols),
            None => Graph::parse(&event.content, &mut self.symbols).map_err(|problems| FoldError::Graph {
                seq: self.seq,
                problem: problems.first().map(ToString::to_string).unwrap_or_default(),
            })?,
        };
        let registered = Arc::new(Registered::new(event.graph.clone(), graph, event.inherited.clone()));
        let before = self.env.graph.replace(Arc::clone(&registered));
        let graph = &registered.graph;
        self.env.extents = Some(Arc::new(graph.extents(self.env.as_of, &self.symbols)));
        self.env.schedules.follow(graph, at);

        let back = self.carry_datasets(before.as_deref().map(|before| &before.graph));
        for (job, _) in registered.graph.jobs() {
            self.tell_failed(job);
        }

        self.starts
            .retain(|label, _| graph.job_first_labeled(label).is_some_and(|job| job.policy.rate.is_some()));
        self.index_discovered();
        let old_work = std::mem::take(&mut self.env.work);
        self.env.work = graph.jobs().map(|(ix, _)| Arc::new(JobWork::new(graph.home(ix).shape))).collect();
        if let Some(before) = before {
            self.carry_work(&before.graph, &old_work);
            self.suspect_changed_inputs(&before.graph, &back);
        }
        self.refresh_ready();
        Ok(())
    }

    /// Returns datasets that are back after the graph before did not have them: nothing told them of what changed.
    fn carry_datasets(&mut self, before: Option<&Graph>) -> Vec<DatasetIx> {
        let mut back = Vec::new();
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        let mut leaving: Vec<Option<Arc<DatasetState>>> =
            std::mem::take(&mut self.env.datasets).into_iter().map(Some).collect();
        for (ix, dataset) in graph.datasets() {
            let counterpart = before.and_then(|before| Some((before, graph.counterpart(ix, before)?)));
            let old = counterpart.map(|(before, old)| before.dataset(old));
            let is_blank = counterpart
                .is_none_or(|(_, old)| leaving[old.0].as_ref().is_none_or(|state| state.entries.is_empty()));
            let waits = match old {
                _ if is_blank => self.waiting_for(dataset),
                // What was built under a name before anybody said that it was moved is what there is.
                Some(old) if Alias::of(old) != Alias::of(dataset) => self.built_as(dataset),
                _ => None,
            };
            let found = waits.and_then(|key| {
                let state = self.env.retired.remove(&key)?;
                Some((Alias::from(key), state))
            });
            let stays = found.is_none() && old.is_some_and(|old| dataset.is_at_the_place_of(old));
            back.extend(found.is_some().then_some(ix));
            // What it does not take over waits under its own name.
            let known = counterpart
                .filter(|_| is_blank || found.is_none())
                .and_then(|(before, old)| Some((Alias::of(before.dataset(old)), leaving[old.0].take()?)));
            let state = match found.or(known) {
                None => Arc::new(DatasetState::new(dataset.axes(), dataset.shape)),
                Some((alias, mut state)) => {
                    if alias != Alias::of(dataset) {
                        Arc::make_mut(&mut state).rename(alias, dataset);
                    }
                    let observed = state.observed();
                    if !dataset.external && !stays && !observed.is_empty() {
                        // It lies where it was observed, which is not where its job makes it.
                        Arc::make_mut(&mut state).vanish(&observed);
                    }
                    state
                }
            };
            self.env.datasets.push(state);
        }
        let left = before.into_iter().flat_map(Graph::datasets).zip(leaving);
        for ((_, dataset), state) in left {
            self.env.retired.extend(state.map(|state| ((dataset.name.clone(), state.axes.clone()), state)));
        }
        back
    }

    /// What a graph before the last built under the very name of a dataset.
    fn built_as(&self, dataset: &Dataset) -> Option<(String, Vec<Axis>)> {
        let key = (dataset.name.clone(), dataset.axes());
        self.env.retired.get(&key).is_some_and(|state| !state.entries.is_empty()).then_some(key)
    }

    /// What is known of a dataset from graphs before the last: under its own name or an earlier one.
    fn waiting_for(&self, dataset: &Dataset) -> Option<(String, Vec<Axis>)> {
        let of = |name: &str| {
            let all = self.env.retired.range((name.to_owned(), Vec::new())..);
            let all = all.take_while(|((other, _), _)| other == name).map(|(key, _)| key);
            all.filter(|(_, axes)| dataset.has_axes(axes)).cloned().collect::<Vec<_>>()
        };
        let found: Vec<_> = dataset.names().flat_map(of).collect();
        let made = found.iter().find(|key| !self.env.retired[*key].entries.is_empty());
        made.or(found.first()).cloned()
    }

    /// The first dimension whose keys meant something else when earlier data of a dataset was made by the event at `made`,
    /// which therefore is not its data any more: its name, and what the keys were and are, as `day in Europe/Oslo`.
    #[must_use]
    pub fn meant_otherwise(&self, ix: DatasetIx, made: Seq) -> Option<(&str, String, String)> {
        let dataset = self.graph().dataset(ix);
        let now = dataset.axes();
        let has_it = |state: &DatasetState| state.entries.iter().any(|(_, entry)| entry.seq == made);
        let earlier = |name: &str| {
            let all = self.env.retired.range((name.to_owned(), Vec::new())..);
            all.take_while(|((other, _), _)| other == name).find(|(_, state)| has_it(state))
        };
        let ((_, then), _) = dataset.names().find_map(earlier)?;
        let differs = then.iter().zip(&now).position(|(then, now)| then.calendar != now.calendar)?;
        Some((&dataset.dims[differs], then[differs].kind(), now[differs].kind()))
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
        // Two jobs may be one now: what was queued for others by either is not queued by hand alone.
        for (new, old) in (0..old_work.len()).map(JobIx).filter_map(heir) {
            let others = old_work[old.0].todo.subtract(&old_work[old.0].by_hand);
            let bounds = graph.home(new).bounds(&self.symbols);
            self.work_mut(new).by_hand.subtract_with(&others.within(&bounds));
        }
        let symbols = self.symbols.clone();
        for want in self.env.wants.values_mut().map(Arc::make_mut) {
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
        }
        for run in self.env.runs.values().cloned().collect::<Vec<_>>() {
            for job in self.occupied_by(&run) {
                self.work_mut(job).live.union_with(&run.set);
            }
        }
    }

    /// Where a job reads other inputs than before, or what it made is `back`, all it made or is making has to be compared.
    fn suspect_changed_inputs(&mut self, before: &Graph, back: &[DatasetIx]) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        let mut changed = Vec::new();
        for (ix, job) in graph.jobs() {
            let same =
                graph.job_counterpart(ix, before).is_some_and(|old| reads_the_same(before, old, graph, ix));
            if !same || job.outputs.iter().any(|output| back.contains(output)) {
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
            .filter_map(|output| current.graph.dataset(self.successor_of(old, *output)?).producer)
            .collect();
        jobs.sort_unstable();
        jobs.dedup();
        jobs
    }

    /// Whether a run is under way of which the current graph has nothing. It finishes: another branch may be back soon,
    /// and finds what it made.
    #[must_use]
    pub fn is_left_behind(&self, run: &Run) -> bool {
        let graph = &run.graph.graph;
        let mut outputs = graph.job(run.job).outputs.iter();
        !matches!(run.phase, Phase::RetryWait(_))
            && outputs.all(|output| self.successor_of(graph, *output).is_none())
    }

    /// What is known of a dataset that the current graph does not have, and its last name.
    pub(super) fn retired_of(&self, dataset: &Dataset) -> Option<(Alias, &DatasetState)> {
        let key = self.waiting_for(dataset)?;
        let state = self.env.retired.get(&key)?;
        Some((Alias::from(key), state))
    }

    /// What is known of a dataset that the current graph does not have, to be changed.
    pub(super) fn retired_mut(&mut self, dataset: &Dataset) -> &mut DatasetState {
        let key = self.waiting_for(dataset).unwrap_or_else(|| (dataset.name.clone(), dataset.axes()));
        let fresh = || Arc::new(DatasetState::new(dataset.axes(), dataset.shape));
        let (name, last) = (Alias::of(dataset), Alias::from(key.clone()));
        let state = Arc::make_mut(self.env.retired.entry(key).or_insert_with(fresh));
        if name != last {
            state.add_alias(name);
        }
        state
    }

    /// The dataset of the current graph that has the partitions of one of an earlier graph.
    #[must_use]
    pub fn successor_of(&self, before: &Graph, earlier: DatasetIx) -> Option<DatasetIx> {
        before.counterpart(earlier, self.graph())
    }

    /// The same if it lies where the current graph has it and is observed there in the same way, so that what is known
    /// of it holds for who reads it where the other graph has it.
    #[must_use]
    pub fn same_place(&self, of: &Registered, ix: DatasetIx) -> Option<DatasetIx> {
        if of.id == self.registered().id {
            return Some(ix);
        }
        let now = self.successor_of(&of.graph, ix)?;
        of.graph.dataset(ix).is_at_the_place_of(self.graph().dataset(now)).then_some(now)
    }

    /// A reference in the words of a run's own graph, in those of the current one.
    #[must_use]
    pub(crate) fn in_current_words(&self, run: &Run, text: &str) -> String {
        let translated = || {
            let before = &run.graph.graph;
            let mut reference = ReferenceText::parse(text).ok()?;
            let old = before.dataset_named(&reference.dataset)?;
            let now = self.graph().dataset(self.successor_of(before, old)?);
            let old = before.dataset(old);
            for (dim, _) in &mut reference.dims {
                let at = old.dims.iter().position(|name| name == dim)?;
                now.dims[at].clone_into(dim);
            }
            now.name.clone_into(&mut reference.dataset);
            Some(reference.to_string())
        };
        translated().unwrap_or_else(|| text.to_owned())
    }
}

/// The job of `graph` that makes what `old` of `before` made.
fn heir_of(before: &Graph, old: JobIx, graph: &Graph) -> Option<JobIx> {
    graph.dataset(before.counterpart(before.job(old).outputs[0], graph)?).producer
}

/// Whether two jobs read the same partitions for the same outputs.
pub(crate) fn reads_the_same(before: &Graph, old: JobIx, graph: &Graph, new: JobIx) -> bool {
    let (a, b) = (before.job(old), graph.job(new));
    before.home(old).spaces == graph.home(new).spaces
        && a.inputs.len() == b.inputs.len()
        && a.inputs.iter().zip(&b.inputs).all(|(a, b)| {
            let (read_a, read_b) = (before.dataset(a.dataset), graph.dataset(b.dataset));
            a.hash == b.hash
                && a.mapping == b.mapping
                && read_a.hash == read_b.hash
                && read_a.has_axes_of(read_b)
                // What is left out there depends on further rules; comparing is simpler than telling.
                && !before.may_omit(a.dataset)
                && !graph.may_omit(b.dataset)
                && read_a.spaces == read_b.spaces
        })
}
