//! Folding one event into the state. Decides nothing: whatever depends on judgement is in the event.

use super::error::FoldError;
use super::lease::leased;
use super::release::{Ending, MAX_CAUSES};
use super::{
    Alias, Arm, DatasetState, Discovered, Entry, Invocation, JobWork, Made, Marks, Phase, Run, SavedPlan,
    State, Want,
};
use crate::digest::{hash64, mix};
use crate::event::{
    AttemptEnded, AttemptLeased, Blocked, Event, Materialized, Observed, OutputRecord, PartitionsFailed,
    PlanCreated, Record, RunEnded, SetText, WantCounts, WantCreated, WantEnded, WantOutcome, WantReplanned,
    WorkAbandoned,
};
use crate::graph::{CheckedGraph, DatasetIx, JobIx};
use crate::ids::{RunId, Seq, WantId};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::reference::ReferenceText;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;

/// How much one attempt's duration moves the average.
const AVERAGE_WEIGHT: f64 = 0.2;
/// Tells the digest of inputs some of which were replaced while they were read.
const REPLACED: u64 = 3;

impl State {
    /// Folds the next event.
    ///
    /// # Errors
    /// The event does not follow from those before; the state must not be used any more.
    pub fn apply(&mut self, record: &Record) -> Result<(), FoldError> {
        self.apply_read(record, None)
    }

    /// The same with the graph that the event brings, if that was read already.
    ///
    /// # Errors
    /// As [`State::apply`].
    pub(crate) fn apply_read(
        &mut self,
        record: &Record,
        checked: Option<CheckedGraph>,
    ) -> Result<(), FoldError> {
        self.seq = self.seq.next();
        let seq = self.seq;
        if comes_from_outside(&record.event) {
            for want in self.env.wants.values_mut().filter(|want| want.rounds > 0) {
                Arc::make_mut(want).rounds = 0;
            }
        }
        match &record.event {
            Event::GraphRegistered(event) => self.register(event, checked, record.at)?,
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
                    self.mark_dependents(ix, &set);
                }
            }
            Event::WantCreated(event) => self.create_want(event, record.at),
            Event::WantReplanned(event) => self.replan_want(event, seq)?,
            Event::WantEnded(event) => self.end_want(event, seq)?,
            Event::WantPaused(event) => self.want_mut(event.want, seq)?.paused = true,
            Event::WantResumed(event) => self.want_mut(event.want, seq)?.paused = false,
            Event::WantReprioritized(event) => self.want_mut(event.want, seq)?.class = event.class,
            Event::WorkCutOff(event) => {
                for (job, set) in self.located_work(&event.partitions) {
                    self.unqueue(job, &set);
                    self.release(job, &set, Ending::Unchanged, |_| true);
                    self.wake_consumers(job, &set);
                }
            }
            Event::WorkAbandoned(event) => self.abandon(event),
            Event::AttemptLeased(event) => {
                self.lease(event, seq)?;
                self.note_start(&event.job, record.at);
            }
            Event::AttemptStarted(event) => self.run_mut(event.attempt.run, seq)?.phase = Phase::Running,
            Event::AttemptEnded(event) => self.end_attempt(event, seq)?,
            Event::RunCancelRequested(event) => self.request_cancel(event.run, seq)?,
            Event::PublishIntended(event) => {
                let run = self.run_mut(event.attempt.run, seq)?;
                // A batch of which some failed publishes the others before it tries again.
                run.rest_due = match run.phase {
                    Phase::RetryWait(at) => Some(at),
                    _ => None,
                };
                run.phase = Phase::Publishing;
                run.intended.clone_from(&event.outputs);
            }
            Event::Materialized(event) => self.materialize(event, seq)?,
            Event::PartitionsFailed(event) => self.fail_some(event, seq)?,
            Event::RunEnded(event) => self.end_run(event, seq)?,
            Event::PlanCreated(plan) => {
                self.last_plan = self.last_plan.max(plan.plan);
                self.advance(plan.as_of);
                self.requests.add(plan.request.as_ref(), Made::Plan(plan.plan), record.at);
                let shown = PlanCreated { request: None, ..plan.clone() };
                let saved = SavedPlan { created_at: record.at, plan: shown };
                self.env.plans.insert(plan.plan, Arc::new(saved));
            }
            Event::PlansDropped(event) => self.env.plans.retain(|id, _| !event.plans.contains(id)),
            Event::Tainted(event) => self.taint(event, seq),
            Event::Untainted(event) => self.untaint(event),
            Event::CodeAccepted(event) => self.accept(event, seq),
            Event::Adopted(event) => self.adopt(event),
            Event::RunSuspended(event) => {
                let run = self.run_mut(event.run, seq)?;
                run.suspended = Some(event.want);
                let mut all: Vec<String> = run.discovered.iter().chain(&event.inputs).cloned().collect();
                all.sort_unstable();
                all.dedup();
                run.discovered = all.into();
            }
            Event::KeysAdded(event) => self.add_keys(event),
            Event::KeysRetired(event) => self.retire_keys(event),
            Event::TrialCreated(event) => self.create_trial(event, record, seq)?,
            Event::TrialMade(event) => self.arm_made(event, seq)?,
            Event::TrialEnded(event) => self.end_trial(event, record.at, seq)?,
            Event::TokenCreated(event) => self.tokens.create(event, record.at),
            Event::TokenRevoked(event) => self.tokens.revoke(&event.name, record.at),
            Event::ScheduleFired(_)
            | Event::TicksSkipped(_)
            | Event::SchedulePaused(_)
            | Event::ScheduleResumed(_) => {
                let graph = self.env.graph.as_ref().map(|registered| &registered.graph);
                self.env.schedules.fold(record, graph);
            }
            Event::RequestAnswered(event) => self.requests.answer(event, seq, record.at),
            Event::PoolResized(event) => {
                match event.slots {
                    Some(slots) => self.pool_sizes.insert(event.pool.clone(), slots),
                    None => self.pool_sizes.remove(&event.pool),
                };
            }
            // What follows of it is in the attempt's end; what was found stands in the history.
            Event::Checked(_) => {}
            // It was nothing that the state has.
            Event::GarbageCollected(_) => {}
        }
        Ok(())
    }

    fn observe(&mut self, event: &Observed) {
        let mut changed: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
        for seen in &event.partitions {
            let Some((ix, key)) = self.located_one(&seen.partition) else { continue };
            let (version, seq) = (hash64(&seen.version), self.seq);
            let external = self.graph().dataset(ix).external;
            let state = self.dataset_mut(ix);
            let old = state.entries.get(&key);
            // A look that finds the version that was there says nothing new of who made it.
            let seq = old.filter(|old| old.version == version).map_or(seq, |old| old.seq);
            let entry = Entry { version, inputs: 0, mark: seen.mark, seq };
            let differs = if external {
                state.set(&key, entry, None, false)
            } else {
                // A published file that was touched but holds the same bytes: only its mark moves on.
                state.entries.get(&key).is_some_and(|old| {
                    state.entries.insert(&key, Entry { mark: entry.mark, ..old });
                    // What was made from the altered file is to be compared.
                    state.altered.remove(&key)
                })
            };
            let shape = self.dataset(ix).present.shape();
            if external && old.is_some_and(|old| old.version != entry.version) {
                self.renew(ix, &PartitionSet::single(shape, &key), &Marks::default());
            }
            if differs {
                changed.entry(ix).or_insert_with(|| PartitionSet::empty(shape)).insert(&key);
            }
        }
        for (ix, set) in changed {
            self.mark_dependents(ix, &set);
        }
    }

    fn create_want(&mut self, event: &WantCreated, at: Timestamp) {
        self.last_want = self.last_want.max(event.want);
        self.requests.add(event.request.as_ref(), Made::Want(event.want), at);
        self.advance(event.as_of);
        let mut remaining = BTreeMap::new();
        let invoked = self.invocation(event);
        let by_hand = invoked.as_ref().map(|invoked| invoked.job);
        for (job, set) in self.located_work(&event.work) {
            let queued = set.subtract(&self.work(job).live);
            self.queue(job, &queued, by_hand == Some(job));
            remaining.insert(job, set);
        }
        for (job, set) in self.located_work(&event.forced) {
            // A run under way does not count as the rebuild that was asked for: a successor is queued.
            self.queue(job, &set, by_hand == Some(job));
            self.work_mut(job).forced.union_with(&set);
        }
        for (job, set) in self.located_work(&event.successors) {
            self.queue(job, &set, false);
        }
        let want = Want {
            id: event.want,
            targets: event.targets.clone(),
            class: event.class,
            refresh: event.refresh,
            as_of: event.as_of,
            created_at: at,
            expires_at: event.expires_at,
            remaining,
            counts: WantCounts { impossible: self.count_blocked(&event.blocked), ..WantCounts::default() },
            causes: event.blocked.iter().map(|blocked| blocked.reason.clone()).take(MAX_CAUSES).collect(),
            plan: event.plan,
            parent: event.parent,
            paused: false,
            invoked,
            asked: event.asked.clone(),
            planned: self.seq,
            rounds: 0,
        };
        self.env.wants.insert(event.want, Arc::new(want));
        self.refresh_ready();
    }

    fn replan_want(&mut self, event: &WantReplanned, seq: Seq) -> Result<(), FoldError> {
        let work: BTreeMap<JobIx, PartitionSet> = self.located_work(&event.work).into_iter().collect();
        let blocked = self.count_blocked(&event.blocked);
        let want =
            self.env.wants.get_mut(&event.want).ok_or(FoldError::UnknownWant { seq, want: event.want })?;
        let want = Arc::make_mut(want);
        if event.whole {
            want.rounds += u32::from(want.is_done());
            want.planned = seq;
        }
        let before = std::mem::replace(&mut want.remaining, work.clone());
        let left: u64 = before
            .iter()
            .map(|(job, set)| work.get(job).map_or_else(|| set.len(), |now| set.subtract(now).len()))
            .sum();
        want.counts.unchanged += left.saturating_sub(blocked);
        want.counts.impossible += blocked;
        let room = MAX_CAUSES.saturating_sub(want.causes.len());
        want.causes.extend(event.blocked.iter().map(|blocked| blocked.reason.clone()).take(room));
        self.drop_orphans(&before);
        let invoked = self.env.wants.get(&event.want).and_then(|want| want.invoked.as_ref()).map(|by| by.job);
        for (job, set) in &work {
            let queued = set.subtract(&self.work(*job).live);
            self.queue(*job, &queued, invoked == Some(*job));
        }
        for (job, set) in self.located_work(&event.successors) {
            self.queue(job, &set, false);
        }
        self.refresh_ready();
        Ok(())
    }

    fn count_blocked(&self, blocked: &[Blocked]) -> u64 {
        let texts: SetText = blocked.iter().flat_map(|blocked| &blocked.partitions).cloned().collect();
        // One partition may be blocked for several reasons, and by several outputs of its job.
        let mut known: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
        for (ix, set) in self.located(&texts) {
            let home = self.graph().dataset(ix).producer.map_or(ix, |job| self.graph().job(job).outputs[0]);
            known.entry(home).and_modify(|all| all.union_with(&set)).or_insert(set);
        }
        // What the graph does not have any more counts once for each text.
        let gone = texts.iter().filter(|text| self.resolve_recorded(text).is_none()).count();
        known.values().map(PartitionSet::len).sum::<u64>() + gone as u64
    }

    /// Takes what no want holds any more from the queue.
    fn drop_orphans(&mut self, dropped: &BTreeMap<JobIx, PartitionSet>) {
        for (job, set) in dropped {
            self.unqueue(*job, &set.subtract(&self.queued_for_others(*job, set)));
        }
    }

    fn end_want(&mut self, event: &WantEnded, seq: Seq) -> Result<(), FoldError> {
        let want =
            self.env.wants.remove(&event.want).ok_or(FoldError::UnknownWant { seq, want: event.want })?;
        let parent = want.parent.and_then(|run| self.env.runs.get_mut(&run));
        if let Some(run) = parent.filter(|run| run.suspended == Some(event.want)) {
            if event.outcome == WantOutcome::Satisfied {
                // It goes on as soon as there is a place.
                Arc::make_mut(run).suspended = None;
            }
        }
        self.drop_orphans(&want.remaining);
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
            let home = run.graph.graph.home(run.job);
            let (set, inputs) = leased(home, Some(run.set.clone()), event, seq)?;
            (run.set, run.inputs) = (set, inputs);
            run.phase = Phase::Leased;
            run.attempt = event.attempt.number;
            run.partition.clone_from(&event.partition);
            run.as_of = event.as_of;
            run.intended.clear();
            run.spoiled = PartitionSet::empty(run.set.shape());
            let run = Arc::clone(&self.env.runs[&id]);
            if run.trial.is_none() {
                self.run_mut(id, seq)?.tainted = self.taint_read_by(&run);
            }
            return Ok(());
        }
        if let Some(arm) = event.trial {
            return self.lease_arm(event, arm, seq);
        }
        self.last_run = self.last_run.max(id);
        let graph = Arc::clone(
            self.env
                .graph
                .as_ref()
                .filter(|graph| graph.id == event.graph)
                .ok_or(FoldError::UnknownGraph { seq })?,
        );
        let job = graph.graph.job_labeled(&event.job).ok_or(FoldError::UnknownGraph { seq })?;
        let located = graph.graph.locate_set(&event.partition, &self.symbols).map(|(_, set)| set);
        let (set, inputs) = leased(graph.graph.home(job), located, event, seq)?;
        let made_by = self.intern_digests(graph.digests_with(job, &event.params));
        let mut run = Run {
            id,
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
            intended: Vec::new(),
            discovered: Discovered::default(),
            suspended: None,
            rest_due: None,
            given_up: None,
            trial: None,
            tainted: Marks::default(),
            spoiled: PartitionSet::empty(graph.graph.home(job).shape),
            graph,
        };
        run.tainted = self.taint_read_by(&run);
        for output in run.graph.graph.job(job).outputs.clone() {
            let state = self.dataset_mut(output);
            // The lease compared the inputs; what changes from here on makes it suspect anew.
            for (key, inputs) in run.partitions() {
                // What it will find that it needs, nobody knows yet.
                if !state.discovered.contains_key(&key) && state.suspect.remove(&key) {
                    match state.entries.get(&key) {
                        Some(old) if old.inputs != inputs => state.inputs_changed.insert(&key),
                        _ => state.inputs_changed.remove(&key),
                    };
                }
            }
        }
        self.unqueue(job, &run.set);
        self.work_mut(job).live.union_with(&run.set);
        self.env.runs.insert(id, Arc::new(run));
        Ok(())
    }

    /// Remembers the start of an attempt if the job's rate needs that.
    fn note_start(&mut self, label: &str, at: Timestamp) {
        let graph = self.graph();
        let job = graph.job_once_labeled(label).map(|job| graph.job(job));
        if let Some((job, rate)) = job.and_then(|job| Some((job.origin().to_owned(), job.policy.rate?))) {
            let starts = Arc::make_mut(self.starts.entry(job).or_default());
            starts.push_back(at);
            let over = starts.len().saturating_sub(rate.count as usize);
            starts.drain(..over);
        }
    }

    fn end_attempt(&mut self, event: &AttemptEnded, seq: Seq) -> Result<(), FoldError> {
        use crate::event::AttemptOutcome as Outcome;
        if event.wall_ms > 0 || event.outcome == Outcome::Success {
            let ms = event.wall_ms as f64;
            self.attempt_ms +=
                (ms - self.attempt_ms) * if self.attempt_ms == 0.0 { 1.0 } else { AVERAGE_WEIGHT };
        }
        let run = self.run_mut(event.attempt.run, seq)?;
        match event.outcome {
            Outcome::Lost => run.losses += 1,
            Outcome::InputsMoved => run.moves += 1,
            Outcome::Failure { .. } | Outcome::Timeout | Outcome::OutOfMemory => run.failures += 1,
            Outcome::Success | Outcome::Canceled | Outcome::MissingInput { .. } => {}
        }
        if let Some(at) = event.retry_at {
            run.phase = Phase::RetryWait(at);
        }
        Ok(())
    }

    fn materialize(&mut self, event: &Materialized, seq: Seq) -> Result<(), FoldError> {
        let run = self.take_run(event.attempt.run, seq)?;
        let inputs: BTreeMap<PartitionKey, u64> = run.partitions().collect();
        let spoiled = self.spoiled_under(&run);
        for output in &event.outputs {
            self.materialize_one(&run, &inputs, &spoiled, output);
        }
        let done =
            if event.goes_on { run.made_whole(&event.outputs, &self.symbols) } else { run.set.clone() };
        let left = self.leave(&run, &done);
        self.finish(&run, &left, Ending::Built);
        if event.goes_on {
            let mut run = run;
            let rest = Arc::make_mut(&mut run);
            rest.narrow(&done, &self.symbols);
            rest.intended.clear();
            if let Some(at) = rest.rest_due.take() {
                rest.phase = Phase::RetryWait(at);
            }
            self.env.runs.insert(run.id, run);
        }
        self.wake(&left);
        Ok(())
    }

    fn fail_some(&mut self, event: &PartitionsFailed, seq: Seq) -> Result<(), FoldError> {
        let mut run = self.take_run(event.attempt.run, seq)?;
        let mut gone = PartitionSet::empty(run.set.shape());
        for text in &event.partitions {
            if let Some((_, set)) = run.graph.graph.locate_set(text, &self.symbols) {
                gone.union_with(&set);
            }
        }
        let left = self.leave(&run, &gone);
        self.fail(&run, &left, &format!("{} failed: {}", event.partitions.join(", "), event.message));
        let rest = Arc::make_mut(&mut run);
        rest.narrow(&gone, &self.symbols);
        rest.given_up.get_or_insert_with(|| event.message.clone());
        self.env.runs.insert(run.id, run);
        self.wake(&left);
        Ok(())
    }

    /// What a run left is failed, and whoever waits for it does so no longer.
    fn fail(&mut self, run: &Run, left: &[(JobIx, PartitionSet)], cause: &str) {
        for (job, set) in left {
            for output in self.graph().job(*job).outputs.clone() {
                self.dataset_mut(output).fail(run.made_by, set);
            }
            self.tell_failed(*job);
        }
        self.note_cause(run, left, cause);
        self.finish(run, left, Ending::Failed);
    }

    fn materialize_one(
        &mut self,
        run: &Run,
        inputs: &BTreeMap<PartitionKey, u64>,
        spoiled: &PartitionSet,
        output: &OutputRecord,
    ) {
        let graph = &run.graph.graph;
        let Ok(reference) = ReferenceText::parse(&output.partition) else { return };
        let Some(made) = graph.dataset_named(&reference.dataset) else { return };
        // Reading keys costs more than all else here, and mostly there is but one.
        let known = if inputs.len() == 1 {
            inputs.first_key_value()
        } else {
            let key = graph.key_of(made, &reference, &self.symbols);
            key.and_then(|key| inputs.get_key_value(&key))
        };
        let Some((key, inputs)) = known else { return };
        let version = hash64(&output.version);
        let entry = Entry { version, inputs: *inputs, mark: output.mark, seq: self.seq };
        let Some(ix) = self.successor_of(graph, made) else {
            // Whoever goes back to the graph that has it finds it.
            let state = self.retired_mut(graph.dataset(made));
            state.set(key, entry, Some(run.made_by), output.empty);
            return state.remember_lineage(key, &run.tainted, spoiled.contains(key), &run.discovered);
        };
        // What is not to be built any more is history only.
        let now = self.graph().dataset(ix);
        if now.external {
            return;
        }
        if run.graph.id != self.registered().id {
            let (name, name_now) = (Alias::of(graph.dataset(made)), Alias::of(now));
            if name != name_now {
                self.dataset_mut(ix).add_alias(name);
            }
        }
        let single = PartitionSet::single(self.dataset(ix).present.shape(), key);
        self.remember_discovered(ix, key, &run.discovered);
        if self.dataset_mut(ix).set(key, entry, Some(run.made_by), output.empty) {
            self.mark_dependents(ix, &single);
            self.unsettle_readers(ix, &single);
        }
        self.renew(ix, &single, &run.tainted);
        if spoiled.contains(key) {
            self.dataset_mut(ix).spoiled.insert(key);
        }
    }

    /// Attempts under way read what is replaced. Nobody can say which of both they have read, and what was there may come
    /// back while they run, so what they make counts as made from neither.
    fn unsettle_readers(&mut self, ix: DatasetIx, set: &PartitionSet) {
        let runs = self.env.runs.values().filter(|run| run.trial.is_none() && run.occupies_slot());
        let readers: Vec<(RunId, PartitionSet)> = runs
            .map(|run| (run.id, self.reads_any(run, ix, set)))
            .filter(|(_, made)| !made.is_empty())
            .collect();
        for (id, made) in readers {
            let Some(run) = self.env.runs.get_mut(&id).map(Arc::make_mut) else { continue };
            let keys = run.set.clone();
            for (key, inputs) in keys.iter().zip(&mut run.inputs) {
                if made.contains(&key) {
                    *inputs = mix(*inputs, REPLACED);
                }
            }
        }
    }

    fn end_run(&mut self, event: &RunEnded, seq: Seq) -> Result<(), FoldError> {
        let run = self.take_run(event.run, seq)?;
        if let Some(arm) = run.trial {
            self.note_arm(arm, Arm::Failed { run: run.id, message: event.message.clone() });
            return Ok(());
        }
        let left = self.leave(&run, &run.set);
        if event.canceled {
            for (job, set) in &left {
                // Somebody came to want it after it was told to stop: it is queued again for them.
                self.requeue(*job, set);
            }
        } else {
            self.fail(&run, &left, &format!("{} failed: {}", run.partition, event.message));
        }
        self.wake(&left);
        Ok(())
    }

    fn request_cancel(&mut self, id: RunId, seq: Seq) -> Result<(), FoldError> {
        self.run_mut(id, seq)?.cancel_requested = true;
        let run = Arc::clone(&self.env.runs[&id]);
        // What is being published is as good as done.
        let unmade = run.unmade(&self.symbols);
        let occupied: Vec<_> = self.occupied_by(&run).into_iter().map(|job| (job, unmade.clone())).collect();
        self.note_cause(&run, &occupied, &format!("{} was canceled", run.partition));
        self.release_served(&run, &occupied, Ending::Canceled);
        Ok(())
    }

    fn abandon(&mut self, event: &WorkAbandoned) {
        for (job, set) in self.located_work(&event.partitions) {
            self.unqueue(job, &set);
            // Whoever waits for a run under way goes on waiting for that.
            let over = set.subtract(&self.work(job).live);
            for want in self.env.wants.values_mut() {
                let holds = want.remaining.get(&job).is_some_and(|held| held.intersects(&over));
                if holds && want.causes.is_empty() {
                    Arc::make_mut(want).causes.push(format!("{} failed", event.cause));
                }
            }
            self.release(job, &over, Ending::Skipped, |_| true);
            self.wake_consumers(job, &set);
        }
    }

    /// What a new want invokes with values of its own.
    fn invocation(&self, event: &WantCreated) -> Option<Invocation> {
        if event.params.is_empty() {
            return None;
        }
        let (job, _) = self.located_work(&event.targets).into_iter().next()?;
        Some(Invocation { job, params: event.params.clone(), after: self.last_run })
    }

    pub(super) fn dataset_mut(&mut self, ix: DatasetIx) -> &mut DatasetState {
        Arc::make_mut(&mut self.env.datasets[ix.0])
    }

    pub(super) fn work_mut(&mut self, ix: JobIx) -> &mut JobWork {
        Arc::make_mut(&mut self.env.work[ix.0])
    }

    fn run_mut(&mut self, run: RunId, seq: Seq) -> Result<&mut Run, FoldError> {
        self.env.runs.get_mut(&run).map(Arc::make_mut).ok_or(FoldError::UnknownRun { seq, run })
    }

    fn want_mut(&mut self, want: WantId, seq: Seq) -> Result<&mut Want, FoldError> {
        self.env.wants.get_mut(&want).map(Arc::make_mut).ok_or(FoldError::UnknownWant { seq, want })
    }

    pub(super) fn take_run(&mut self, run: RunId, seq: Seq) -> Result<Arc<Run>, FoldError> {
        self.env.runs.remove(&run).ok_or(FoldError::UnknownRun { seq, run })
    }

    /// Partitions of an event that the current graph still has; others are history only.
    pub(crate) fn located(&self, texts: &SetText) -> Vec<(DatasetIx, PartitionSet)> {
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

    pub(crate) fn located_one(&self, text: &str) -> Option<(DatasetIx, PartitionKey)> {
        let (ix, set) = self.resolve_recorded(text)?;
        Some((ix, set.first()?))
    }

    pub(super) fn located_work(&self, texts: &SetText) -> Vec<(JobIx, PartitionSet)> {
        let graph = self.graph();
        self.located(texts)
            .into_iter()
            .filter_map(|(ix, set)| Some((graph.dataset(ix).producer?, set)))
            .collect()
    }
}

/// Whether an event may give open wants more to do that no work of their own has caused.
fn comes_from_outside(event: &Event) -> bool {
    matches!(
        event,
        Event::GraphRegistered(_)
            | Event::Observed(_)
            | Event::FilesVanished(_)
            | Event::FilesAltered(_)
            | Event::Tainted(_)
            | Event::Untainted(_)
            | Event::CodeAccepted(_)
            | Event::Adopted(_)
            | Event::KeysAdded(_)
            | Event::KeysRetired(_)
    )
}
