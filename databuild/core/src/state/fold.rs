//! Folding one event into the state. Decides nothing: whatever depends on judgement is in the event.

use super::{DatasetState, Entry, JobWork, Phase, ProvenanceIx, Run, State, Want};
use crate::digest::hash64;
use crate::event::{
    AttemptEnded, AttemptLeased, Event, GraphRegistered, Materialized, Observed, OutputRecord, Record, RunEnded,
    SetText, WantCreated, WantEnded,
};
use crate::graph::{DatasetIx, Graph, JobIx, Registered};
use crate::ids::{RunId, Seq, WantId};
use crate::partition_set::{PartitionKey, PartitionSet};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// An event that cannot be folded: the log and this program do not fit each other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    /// A registered graph that this version refuses.
    #[error("event {seq}: the registered graph cannot be read: {problem}")]
    Graph {
        /// Which event.
        seq: Seq,
        /// The first problem.
        problem: String,
    },
    /// An event about a run that the events before do not know.
    #[error("event {seq} speaks of run {run}, which no event before it began")]
    UnknownRun {
        /// Which event.
        seq: Seq,
        /// Which run.
        run: RunId,
    },
    /// The same for a want.
    #[error("event {seq} speaks of want {want}, which no event before it began")]
    UnknownWant {
        /// Which event.
        seq: Seq,
        /// Which want.
        want: WantId,
    },
    /// A lease under a graph that no event before registered.
    #[error("event {seq} speaks of a graph or job that no event before it registered")]
    UnknownGraph {
        /// Which event.
        seq: Seq,
    },
}

/// How much one attempt's duration moves the average.
const AVERAGE_WEIGHT: f64 = 0.2;

impl State {
    /// Folds the next event.
    ///
    /// # Errors
    /// The event does not follow from those before; the state must not be used any more.
    pub fn apply(&mut self, record: &Record) -> Result<(), FoldError> {
        self.seq = self.seq.next();
        let seq = self.seq;
        match &record.event {
            Event::GraphRegistered(event) => self.register(event)?,
            Event::Observed(event) => self.observe(event),
            Event::FilesVanished(event) => {
                for (ix, set) in self.located(&event.partitions) {
                    self.dataset_mut(ix).vanish(&set);
                    self.mark_dependents(ix, &set);
                }
            }
            Event::FilesAltered(event) => {
                for (ix, set) in self.located(&event.partitions) {
                    self.dataset_mut(ix).altered.union_with(&set);
                }
            }
            Event::WantCreated(event) => self.create_want(event, record.at),
            Event::WantEnded(event) => self.end_want(event, seq)?,
            Event::WorkCutOff(event) => {
                for (job, set) in self.located_work(&event.partitions) {
                    self.work_over(job, &set, true, None);
                }
            }
            Event::WorkAbandoned(event) => {
                for (job, set) in self.located_work(&event.partitions) {
                    self.work_over(job, &set, false, Some(event.cause));
                }
            }
            Event::AttemptLeased(event) => self.lease(event, seq)?,
            Event::AttemptStarted(event) => self.run_mut(event.attempt.run, seq)?.phase = Phase::Running,
            Event::AttemptEnded(event) => self.end_attempt(event, seq)?,
            Event::RunCancelRequested(event) => self.run_mut(event.run, seq)?.cancel_requested = true,
            Event::PublishIntended(event) => {
                let run = self.run_mut(event.attempt.run, seq)?;
                run.phase = Phase::Publishing;
                run.intended.clone_from(&event.outputs);
            }
            Event::Materialized(event) => self.materialize(event, seq)?,
            Event::RunEnded(event) => self.end_run(event, seq)?,
        }
        Ok(())
    }

    fn register(&mut self, event: &GraphRegistered) -> Result<(), FoldError> {
        let graph = Graph::parse(&event.content, &mut self.symbols).map_err(|problems| FoldError::Graph {
            seq: self.seq,
            problem: problems.first().map(ToString::to_string).unwrap_or_default(),
        })?;
        let registered = Arc::new(Registered::new(event.graph.clone(), graph, event.inherited.clone()));
        let before = self.graph.replace(Arc::clone(&registered));
        let graph = &registered.graph;
        self.extents = Some(Arc::new(graph.extents(self.as_of)));

        if let Some(before) = &before {
            for ((_, dataset), state) in before.graph.datasets().zip(std::mem::take(&mut self.datasets)) {
                self.retired.insert(dataset.name.clone(), state);
            }
        }
        self.datasets = graph
            .datasets()
            .map(|(_, dataset)| match self.retired.remove(&dataset.name) {
                Some(state) if state.dims == dataset.dims && state.present.shape() == dataset.shape => state,
                Some(state) => {
                    // Other dimensions: the old partitions are not these. They wait under their name.
                    self.retired.insert(dataset.name.clone(), state);
                    Arc::new(DatasetState::new(dataset.dims.clone(), dataset.shape))
                }
                None => Arc::new(DatasetState::new(dataset.dims.clone(), dataset.shape)),
            })
            .collect();

        let old_work = std::mem::take(&mut self.work);
        self.work = graph.jobs().map(|(ix, _)| Arc::new(JobWork::new(graph.home(ix).shape))).collect();
        if let Some(before) = before {
            let same = |old: JobIx| same_job(&before.graph, old, graph);
            for (old, work) in old_work.into_iter().enumerate() {
                if let Some(new) = same(JobIx(old)) {
                    self.work[new.0] = work;
                }
            }
            for want in self.wants.values_mut().map(Arc::make_mut) {
                want.remaining = std::mem::take(&mut want.remaining)
                    .into_iter()
                    .filter_map(|(old, set)| Some((same(old)?, set)))
                    .collect();
            }
            self.suspect_changed_inputs(&before.graph);
        }
        self.refresh_ready();
        Ok(())
    }

    /// Where a job reads other inputs than before, all it made has to be compared.
    fn suspect_changed_inputs(&mut self, before: &Graph) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        for (ix, job) in graph.jobs() {
            let unchanged = before.job_labeled(&job.label).is_some_and(|old| {
                let old = before.job(old);
                old.inputs.len() == job.inputs.len()
                    && old.inputs.iter().zip(&job.inputs).all(|(a, b)| {
                        let (read_a, read_b) = (before.dataset(a.dataset), graph.dataset(b.dataset));
                        a.name == b.name
                            && a.mapping == b.mapping
                            && read_a.name == read_b.name
                            && read_a.spaces == read_b.spaces
                    })
            });
            if !unchanged {
                for output in &graph.job(ix).outputs {
                    let state = self.dataset_mut(*output);
                    state.suspect = state.present.clone();
                }
            }
        }
    }

    fn observe(&mut self, event: &Observed) {
        let mut changed: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
        for seen in &event.partitions {
            let Some((ix, key)) = self.located_one(&seen.partition) else { continue };
            let entry = Entry { version: hash64(&seen.version), inputs: 0, mark: seen.mark };
            let external = self.graph().dataset(ix).external;
            let state = self.dataset_mut(ix);
            let differs = if external {
                state.set(&key, entry, None, false)
            } else {
                // A published file that was touched but holds the same bytes: only its mark moves on.
                state.entries.get(&key).is_some_and(|old| {
                    let differs = old.version != entry.version;
                    state.entries.insert(&key, Entry { mark: entry.mark, ..old });
                    state.altered.remove(&key);
                    differs
                })
            };
            if differs {
                let shape = self.dataset(ix).present.shape();
                changed.entry(ix).or_insert_with(|| PartitionSet::empty(shape)).insert(&key);
            }
        }
        for (ix, set) in changed {
            self.mark_dependents(ix, &set);
        }
    }

    fn create_want(&mut self, event: &WantCreated, at: Timestamp) {
        self.last_want = self.last_want.max(event.want);
        self.advance(event.as_of);
        let mut remaining = BTreeMap::new();
        let mut total = 0;
        for (job, set) in self.located_work(&event.work) {
            total += set.len();
            let work = self.work_mut(job);
            let queued = set.subtract(&work.live);
            work.todo.union_with(&queued);
            remaining.insert(job, set);
        }
        for (job, set) in self.located_work(&event.forced) {
            let work = self.work_mut(job);
            work.forced.union_with(&set);
            // A run under way does not count as the rebuild that was asked for: a successor is queued.
            work.todo.union_with(&set);
        }
        let want = Want {
            id: event.want,
            targets: event.targets.clone(),
            class: event.class,
            refresh: event.refresh,
            created_at: at,
            expires_at: event.expires_at,
            remaining,
            total,
            done: 0,
            unchanged: 0,
            failed: event.blocked.iter().map(|blocked| blocked.partitions.len() as u64).sum(),
            causes: event.blocked.iter().map(|blocked| blocked.reason.clone()).take(10).collect(),
        };
        self.wants.insert(event.want, Arc::new(want));
        self.refresh_ready();
    }

    fn end_want(&mut self, event: &WantEnded, seq: Seq) -> Result<(), FoldError> {
        let want = self.wants.remove(&event.want).ok_or(FoldError::UnknownWant { seq, want: event.want })?;
        for (job, set) in &want.remaining {
            let mut orphaned = set.clone();
            for other in self.wants.values() {
                if let Some(held) = other.remaining.get(job) {
                    orphaned.subtract_with(held);
                }
            }
            let work = self.work_mut(*job);
            work.todo.subtract_with(&orphaned);
            work.forced.subtract_with(&orphaned);
        }
        if !want.is_done() {
            self.refresh_ready();
        }
        Ok(())
    }

    fn lease(&mut self, event: &AttemptLeased, seq: Seq) -> Result<(), FoldError> {
        self.advance(event.as_of);
        let id = event.attempt.run;
        if event.attempt.number > 1 {
            let run = self.run_mut(id, seq)?;
            run.phase = Phase::Leased;
            run.attempt = event.attempt.number;
            run.inputs = event.inputs;
            run.as_of = event.as_of;
            run.intended.clear();
            return Ok(());
        }
        self.last_run = self.last_run.max(id);
        let graph = Arc::clone(self.graph.as_ref().filter(|graph| graph.id == event.graph).ok_or(FoldError::UnknownGraph { seq })?);
        let job = graph.graph.job_labeled(&event.job).ok_or(FoldError::UnknownGraph { seq })?;
        let (_, key) = self.located_one(&event.partition).ok_or(FoldError::UnknownGraph { seq })?;
        let made_by = self.intern(job);
        let run = Run {
            id,
            job,
            key: key.clone(),
            partition: event.partition.clone(),
            phase: Phase::Leased,
            attempt: 1,
            failures: 0,
            losses: 0,
            inputs: event.inputs,
            as_of: event.as_of,
            made_by,
            cancel_requested: false,
            intended: Vec::new(),
            graph,
        };
        for output in run.graph.graph.job(job).outputs.clone() {
            let state = self.dataset_mut(output);
            // The lease compared the inputs; what changes from here on makes it suspect anew.
            if state.suspect.remove(&key) && state.entries.get(&key).is_some_and(|old| old.inputs != event.inputs) {
                state.inputs_changed.insert(&key);
            }
        }
        let work = self.work_mut(job);
        work.todo.remove(&key);
        work.ready.remove(&key);
        work.forced.remove(&key);
        work.live.insert(&key);
        self.runs.insert(id, Arc::new(run));
        Ok(())
    }

    fn end_attempt(&mut self, event: &AttemptEnded, seq: Seq) -> Result<(), FoldError> {
        use crate::event::AttemptOutcome as Outcome;
        if event.wall_ms > 0 || event.outcome == Outcome::Success {
            let ms = event.wall_ms as f64;
            self.attempt_ms += (ms - self.attempt_ms) * if self.attempt_ms == 0.0 { 1.0 } else { AVERAGE_WEIGHT };
        }
        let run = self.run_mut(event.attempt.run, seq)?;
        match event.outcome {
            Outcome::Lost => run.losses += 1,
            Outcome::Failure { .. } | Outcome::Timeout => run.failures += 1,
            Outcome::Success | Outcome::Canceled => {}
        }
        if let Some(at) = event.retry_at {
            run.phase = Phase::RetryWait(at);
        }
        Ok(())
    }

    fn materialize(&mut self, event: &Materialized, seq: Seq) -> Result<(), FoldError> {
        let run = self.take_run(event.attempt.run, seq)?;
        for output in &event.outputs {
            self.materialize_one(&run, output);
        }
        if let Some(job) = self.current_job(&run) {
            let shape = self.graph().home(job).shape;
            self.work_mut(job).live.remove(&run.key);
            self.work_over(job, &PartitionSet::single(shape, &run.key), true, None);
        }
        Ok(())
    }

    fn materialize_one(&mut self, run: &Run, output: &OutputRecord) {
        let Some((ix, key)) = self.located_one(&output.partition) else { return };
        let entry = Entry { version: hash64(&output.version), inputs: run.inputs, mark: output.mark };
        if self.dataset_mut(ix).set(&key, entry, Some(run.made_by), output.empty) {
            let shape = self.dataset(ix).present.shape();
            self.mark_dependents(ix, &PartitionSet::single(shape, &key));
        }
    }

    fn end_run(&mut self, event: &RunEnded, seq: Seq) -> Result<(), FoldError> {
        let run = self.take_run(event.run, seq)?;
        let Some(job) = self.current_job(&run) else { return Ok(()) };
        let shape = self.graph().home(job).shape;
        let set = PartitionSet::single(shape, &run.key);
        self.work_mut(job).live.remove(&run.key);
        if event.canceled {
            // Somebody else may want it: it is queued again for them.
            self.refresh_ready_of(job, &set);
            self.wake_consumers(job, &set);
        } else {
            for output in self.graph().job(job).outputs.clone() {
                self.dataset_mut(output).failed.insert(&run.key);
            }
            self.note_cause(job, &set, format!("{} failed: {}", run.partition, event.message));
            self.work_over(job, &set, false, None);
        }
        Ok(())
    }

    /// Work is over, well or not: wants stop waiting, and what waited for it may be ready.
    fn work_over(&mut self, job: JobIx, set: &PartitionSet, well: bool, cause: Option<RunId>) {
        let unchanged = if well { set.intersect(&self.work(job).todo) } else { PartitionSet::empty(set.shape()) };
        let work = self.work_mut(job);
        // What is to be rebuilt whatever its state stays queued behind the run that just ended.
        let over = set.subtract(&work.forced.intersect(&work.todo));
        work.todo.subtract_with(&over);
        work.ready.subtract_with(&over);
        for want in self.wants.values_mut() {
            let Some(held) = want.remaining.get(&job) else { continue };
            let gone = held.intersect(&over);
            if gone.is_empty() {
                continue;
            }
            let want = Arc::make_mut(want);
            if let Some(held) = want.remaining.get_mut(&job) {
                held.subtract_with(&gone);
            }
            if well {
                want.done += gone.len();
                want.unchanged += gone.intersect(&unchanged).len();
            } else {
                want.failed += gone.len();
            }
            if let (Some(run), true) = (cause, want.causes.is_empty()) {
                want.causes.push(format!("{run} failed"));
            }
        }
        self.refresh_ready_of(job, set);
        self.wake_consumers(job, set);
    }

    fn note_cause(&mut self, job: JobIx, set: &PartitionSet, cause: String) {
        for want in self.wants.values_mut() {
            let holds = want.remaining.get(&job).is_some_and(|held| held.intersects(set));
            if holds && want.causes.len() < 10 {
                Arc::make_mut(want).causes.push(cause.clone());
            }
        }
    }

    /// Looks again at what waits for `set` of `job`.
    fn wake_consumers(&mut self, job: JobIx, set: &PartitionSet) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        for output in &graph.job(job).outputs {
            for (consumer, input) in &graph.dataset(*output).consumers {
                let todo = &self.work(*consumer).todo;
                if todo.is_empty() {
                    continue;
                }
                let home = graph.side(graph.job(*consumer).outputs[0], self.extents());
                let read = graph.side(*output, self.extents());
                let mapping = &graph.job(*consumer).inputs[*input].mapping;
                let waiting = mapping.dependents_of(&home, &read, set).intersect(todo);
                self.refresh_ready_of(*consumer, &waiting);
            }
        }
    }

    /// Decides anew which of `candidates` are ready.
    fn refresh_ready_of(&mut self, job: JobIx, candidates: &PartitionSet) {
        if candidates.is_empty() {
            return;
        }
        let queued = candidates.intersect(&self.work(job).todo).subtract(&self.work(job).live);
        let ready = queued.subtract(&self.waiting(job, &queued));
        let work = self.work_mut(job);
        work.ready.subtract_with(candidates);
        work.ready.union_with(&ready);
    }

    /// Decides anew what is ready, for all jobs.
    fn refresh_ready(&mut self) {
        for ix in (0..self.work.len()).map(JobIx) {
            let todo = self.work(ix).todo.clone();
            if todo.is_empty() && self.work(ix).ready.is_empty() {
                continue;
            }
            let queued = todo.subtract(&self.work(ix).live);
            let ready = queued.subtract(&self.waiting(ix, &queued));
            self.work_mut(ix).ready = ready;
        }
    }

    /// Those of `set` some input of which is not done yet.
    fn waiting(&self, job: JobIx, set: &PartitionSet) -> PartitionSet {
        /// Up to this many partitions are looked at one by one, which can stop early.
        const FEW: u64 = 32;
        let graph = self.graph();
        let home = graph.side(graph.job(job).outputs[0], self.extents());
        let mut waiting = PartitionSet::empty(set.shape());
        for input in &graph.job(job).inputs {
            let Some(producer) = graph.dataset(input.dataset).producer else { continue };
            let work = self.work(producer);
            if work.todo.is_empty() && work.live.is_empty() {
                continue;
            }
            let read = graph.side(input.dataset, self.extents());
            if set.len() <= FEW {
                for key in set.iter() {
                    let needed = input.mapping.inputs_of_one(&home, &read, &key).needed;
                    if needed.intersects(&work.todo) || needed.intersects(&work.live) {
                        waiting.insert(&key);
                    }
                }
            } else {
                waiting.union_with(&input.mapping.dependents_of(&home, &read, &work.pending()).intersect(set));
            }
        }
        waiting
    }

    /// Data of `set` changed: what was or is being made from it has to be compared.
    fn mark_dependents(&mut self, ix: DatasetIx, set: &PartitionSet) {
        let registered = Arc::clone(self.registered());
        let graph = &registered.graph;
        for (consumer, input) in &graph.dataset(ix).consumers {
            let job = graph.job(*consumer);
            let home = graph.side(job.outputs[0], self.extents());
            let read = graph.side(ix, self.extents());
            let dependents = job.inputs[*input].mapping.dependents_of(&home, &read, set);
            for output in &job.outputs {
                let live = dependents.intersect(&self.work(*consumer).live);
                let state = self.dataset_mut(*output);
                let mut suspect = dependents.intersect(&state.present);
                suspect.union_with(&live);
                state.suspect.union_with(&suspect);
            }
        }
    }

    fn intern(&mut self, job: JobIx) -> ProvenanceIx {
        let digests = self.registered().digests_of(job).clone();
        let found = self.provenances.iter().position(|other| *other == digests);
        let ix = found.unwrap_or_else(|| {
            let all = Arc::make_mut(&mut self.provenances);
            all.push(digests);
            all.len() - 1
        });
        ProvenanceIx(u32::try_from(ix).expect("a workspace has fewer than 2^32 versions of its jobs"))
    }

    fn dataset_mut(&mut self, ix: DatasetIx) -> &mut DatasetState {
        Arc::make_mut(&mut self.datasets[ix.0])
    }

    fn work_mut(&mut self, ix: JobIx) -> &mut JobWork {
        Arc::make_mut(&mut self.work[ix.0])
    }

    fn run_mut(&mut self, run: RunId, seq: Seq) -> Result<&mut Run, FoldError> {
        self.runs.get_mut(&run).map(Arc::make_mut).ok_or(FoldError::UnknownRun { seq, run })
    }

    fn take_run(&mut self, run: RunId, seq: Seq) -> Result<Arc<Run>, FoldError> {
        self.runs.remove(&run).ok_or(FoldError::UnknownRun { seq, run })
    }

    /// Partitions of an event that the current graph still has; others are history only.
    fn located(&self, texts: &SetText) -> Vec<(DatasetIx, PartitionSet)> {
        let mut found: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
        for (ix, set) in texts.iter().filter_map(|text| self.resolve_recorded(text)) {
            match found.get_mut(&ix) {
                Some(all) => all.union_with(&set),
                None => {
                    found.insert(ix, set);
                }
            }
        }
        found.into_iter().collect()
    }

    fn located_one(&self, text: &str) -> Option<(DatasetIx, PartitionKey)> {
        let (ix, set) = self.resolve_recorded(text)?;
        Some((ix, set.first()?))
    }

    fn located_work(&self, texts: &SetText) -> Vec<(JobIx, PartitionSet)> {
        let graph = self.graph();
        self.located(texts).into_iter().filter_map(|(ix, set)| Some((graph.dataset(ix).producer?, set))).collect()
    }
}

/// The job of `new` that `old` has become, if its keys still mean the same.
fn same_job(before: &Graph, old: JobIx, new: &Graph) -> Option<JobIx> {
    let ix = new.job_labeled(&before.job(old).label)?;
    let (a, b) = (before.home(old), new.home(ix));
    (a.name == b.name && a.dims == b.dims && a.shape == b.shape).then_some(ix)
}
