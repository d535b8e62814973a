//! The downstream walk: which partitions of a closure are to be built, and why.
//!
//! Jobs are looked at upstream first. Of each, all partitions that matter end in one of these: built for certain, built if
//! what they read changes, made by a run under way, blocked, or current.

use super::closure::{Closure, FoundInput};
use super::lack::{
    found_reason, left_out_reason, lost_reason, unreadable_reason, unseen_cause, unseen_reason,
};
use super::plan::{JobPlan, Plan, Reason};
use super::unseen::Unseen;
use crate::event::Refresh;
use crate::graph::{DatasetIx, Input, Job, JobIx};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::state::{State, Verdict};
use std::sync::Arc;

/// Looks that failed and are named as the cause of what a dataset's partitions rest on; of more, one is named for all.
const MOST_CAUSES: usize = 20;

/// Partitions that rest on what one look failed at, and that look in words.
type Cause = (PartitionSet, Arc<str>);

/// What is planned.
pub(super) struct Asked<'a> {
    pub(super) targets: &'a [(DatasetIx, PartitionSet)],
    pub(super) refresh: Refresh,
    /// Built whatever its state.
    pub(super) forced: &'a [(JobIx, PartitionSet)],
    pub(super) matters: &'a Closure,
    /// What looks failed at.
    pub(super) unseen: &'a [Unseen],
    /// Found inputs that are gone for good, each with the partition that is built again for want of it.
    pub(super) lost: &'a [FoundInput],
}

/// What a walk came to, by dataset. What was found may stand downstream of what needs it, so that the next walk has to
/// be told.
pub(super) struct Walked {
    /// What is built.
    pub(super) changing: Vec<PartitionSet>,
    /// What nobody knows.
    pub(super) unknown: Vec<PartitionSet>,
    /// The looks to blame for that, of what is built.
    pub(super) causes: Vec<Vec<Cause>>,
    /// What is not there and cannot be built, or is not good.
    pub(super) dead: Vec<PartitionSet>,
}

impl Walked {
    /// Nothing of any dataset.
    pub(super) fn none(state: &State) -> Walked {
        let none: Vec<PartitionSet> =
            state.graph().datasets().map(|(_, dataset)| PartitionSet::empty(dataset.shape)).collect();
        let causes = vec![Vec::new(); none.len()];
        Walked { changing: none.clone(), unknown: none.clone(), causes, dead: none }
    }
}

/// Walks once; `before` is what the last walk came to.
pub(super) fn walk(state: &State, asked: &Asked<'_>, before: &Walked) -> (Plan, Walked) {
    let mut walk = Walk { state, asked, before, now: Walked::none(state), plan: Plan::default() };
    walk.tell_unseen();
    walk.look_at_external();
    walk.block_failing();
    for (ix, job) in state.graph().jobs() {
        let needed = &asked.matters.jobs[ix.0];
        if !needed.is_empty() {
            walk.walk_job(ix, job, needed);
        }
    }
    walk.finish()
}

/// A walk under way.
struct Walk<'a> {
    state: &'a State,
    asked: &'a Asked<'a>,
    before: &'a Walked,
    now: Walked,
    plan: Plan,
}

/// What is known of the partitions of one job.
struct Step<'a> {
    ix: JobIx,
    job: &'a Job,
    /// They.
    needed: &'a PartitionSet,
    /// To be built whatever becomes of their inputs.
    certain: PartitionSet,
    /// Of these: asked for whatever their state.
    forced: PartitionSet,
    /// Something they read is built.
    touched: PartitionSet,
    /// Something they read is built that never held data.
    new_inputs: PartitionSet,
    /// Nobody knows whether they are current.
    uncertain: PartitionSet,
    /// The looks to blame for that.
    causes: Vec<Cause>,
    /// Nobody can build them.
    unbuildable: PartitionSet,
    /// Why they stand in the plan; disjoint.
    reasons: Vec<(Reason, PartitionSet)>,
}

impl<'a> Walk<'a> {
    /// Parts what was not seen into what is external and what was built.
    fn tell_unseen(&mut self) {
        let seen_in = |look: &Unseen| mattering(self.state, self.asked.matters, look.dataset);
        let looks = self.asked.unseen.iter();
        (self.plan.unseen, self.plan.unread) = looks
            .map(|look| Unseen { set: look.set.intersect(&seen_in(look)), ..look.clone() })
            .filter(|look| !look.set.is_empty())
            .partition(|look| self.state.graph().dataset(look.dataset).external);
        for look in &self.plan.unseen {
            self.now.unknown[look.dataset.0].union_with(&look.set);
        }
    }

    /// Finds out which external data cannot be read.
    fn look_at_external(&mut self) {
        for (ix, _) in self.state.graph().datasets().filter(|(_, dataset)| dataset.external) {
            let facts = self.state.dataset(ix);
            let seen = self.asked.matters.datasets[ix.0].subtract(&self.now.unknown[ix.0]);
            let missing = seen.subtract(&facts.present);
            if !missing.is_empty() {
                self.now.dead[ix.0] = missing.clone();
                self.plan.absent.push((ix, missing));
            }
            let bad = seen.intersect(&facts.present).intersect(&facts.unsound());
            if !bad.is_empty() {
                self.now.dead[ix.0].union_with(&bad);
                self.plan.tainted.push((ix, bad));
            }
        }
    }

    /// Blocks what cannot be built because of what it would read.
    fn block_failing(&mut self) {
        for (ix, set, why) in &self.asked.matters.failing {
            for output in &self.state.graph().job(*ix).outputs {
                self.now.dead[output.0].union_with(set);
            }
            self.plan.blocked.push((*ix, set.clone(), unreadable_reason(self.state, *ix, set, *why)));
        }
    }

    fn walk_job(&mut self, ix: JobIx, job: &Job, needed: &PartitionSet) {
        let none = PartitionSet::empty(needed.shape());
        let mut step = Step {
            ix,
            job,
            needed,
            certain: none.clone(),
            forced: none.clone(),
            touched: none.clone(),
            new_inputs: none.clone(),
            uncertain: none.clone(),
            causes: Vec::new(),
            unbuildable: none,
            reasons: Vec::new(),
        };
        self.find_outdated(&mut step);
        self.find_touched(&mut step);
        self.block_unread(&mut step);
        self.block_unknown(&mut step);
        self.block_dead(&mut step);
        self.plan_job(step);
    }

    /// What is to be built whatever its inputs come to.
    fn find_outdated(&self, step: &mut Step<'_>) {
        let Step { ix, needed, .. } = *step;
        for (verdict, set) in self.state.outdated(ix, needed) {
            let set = match self.asked.refresh {
                Refresh::Missing => self.state.absent(ix, &set),
                Refresh::Stale | Refresh::All => set,
            };
            step.build(Reason::Outdated(verdict), &set);
        }
        let mut asks = PartitionSet::empty(needed.shape());
        for found in self.asked.lost.iter().filter(|found| found.job == ix && needed.contains(&found.key)) {
            asks.insert(&found.key);
        }
        step.build(Reason::Outdated(Verdict::InputsChanged), &asks.subtract(&step.certain));
        for (_, set) in self.asked.forced.iter().filter(|(job, _)| *job == ix) {
            step.forced.union_with(&set.intersect(needed));
        }
        step.build(Reason::Forced, &step.forced.subtract(&step.certain));
    }

    /// What reads something that is built.
    fn find_touched(&self, step: &mut Step<'_>) {
        for input in &step.job.inputs {
            let changing = &self.now.changing[input.dataset.0];
            let new = changing.subtract(&self.state.dataset(input.dataset).remembered());
            step.touched.union_with(&self.dependents(step, input, changing));
            step.new_inputs.union_with(&self.dependents(step, input, &new));
        }
        for found in self.found_by(step.ix) {
            let changes = self.before.changing[found.dataset.0].contains(&found.input);
            if changes && step.needed.contains(&found.key) {
                step.touched.insert(&found.key);
            }
        }
        if self.asked.refresh == Refresh::Missing {
            // What is there is good enough, whatever becomes of its inputs.
            step.touched = step.touched.intersect(&step.certain);
        }
        // What never held data is no part of any digest, so that reading it changes that for certain.
        let anew = step.new_inputs.intersect(&step.touched).subtract(&step.certain);
        step.build(Reason::Outdated(Verdict::InputsChanged), &anew);
    }

    /// Blocks what was not seen of the job's own outputs and is not built anew.
    fn block_unread(&mut self, step: &mut Step<'_>) {
        for look in self.plan.unread.iter_mut().filter(|look| step.job.outputs.contains(&look.dataset)) {
            // What is built anyway is known then.
            look.set.subtract_with(&step.certain);
            let lost = look.set.subtract(&step.uncertain);
            if self.asked.refresh != Refresh::Missing && !lost.is_empty() {
                self.plan.blocked.push((step.ix, lost.clone(), unseen_reason(self.state, look)));
                step.uncertain.union_with(&lost);
            }
            step.causes.push((look.set.clone(), unseen_cause(self.state, look)));
            self.now.unknown[look.dataset.0].union_with(&look.set);
        }
    }

    /// Blocks what rests on something that nobody knows.
    fn block_unknown(&mut self, step: &mut Step<'_>) {
        for found in self.found_by(step.ix) {
            // What is built anyway finds anew what it needs.
            let rests = !step.certain.contains(&found.key) && !step.uncertain.contains(&found.key);
            if rests && self.before.unknown[found.dataset.0].contains(&found.input) {
                let lost = PartitionSet::single(step.needed.shape(), &found.key);
                let cause = self.cause_of(self.before, found.dataset, &found.input);
                let reason = found_reason(self.state, &self.plan.unseen, found, &cause);
                self.plan.blocked.push((step.ix, lost.clone(), reason));
                step.causes.push((lost, cause));
                step.uncertain.insert(&found.key);
            }
        }
        // Of these, a run has to read all inputs. What is current does not miss those that are gone.
        let exposed = match self.asked.refresh {
            Refresh::Missing => step.certain.union(&step.touched),
            Refresh::Stale | Refresh::All => step.needed.clone(),
        };
        for input in &step.job.inputs {
            let mut blocked = Vec::new();
            let mut block = |set: &PartitionSet,
                             cause: &dyn Fn() -> Arc<str>,
                             reason: &dyn Fn() -> String| {
                let lost = self.dependents(step, input, set).intersect(&exposed).subtract(&step.uncertain);
                if !lost.is_empty() {
                    step.uncertain.union_with(&lost);
                    step.causes.push((lost.clone(), cause()));
                    blocked.push((step.ix, lost, reason()));
                }
            };
            let looks = self.plan.unseen.iter().chain(&self.plan.unread);
            for look in looks.filter(|look| look.dataset == input.dataset) {
                let cause = || unseen_cause(self.state, look);
                block(&look.set, &cause, &|| format!("input {}", unseen_reason(self.state, look)));
            }
            if !self.state.graph().dataset(input.dataset).external {
                let all = &self.now.unknown[input.dataset.0];
                let rests_on = |set: &PartitionSet, cause: &str| {
                    let input = self.state.set_text(input.dataset, set).join(", ");
                    format!("input `{input}` rests on {cause}")
                };
                for (set, cause) in &self.now.causes[input.dataset.0] {
                    let set = set.intersect(all);
                    block(&set, &|| Arc::clone(cause), &|| rests_on(&set, cause));
                }
                let cause = || self.any_cause();
                block(all, &cause, &|| rests_on(all, &cause()));
            }
            self.plan.blocked.append(&mut blocked);
        }
        step.causes.truncate(MOST_CAUSES);
        for output in &step.job.outputs {
            self.now.unknown[output.0].union_with(&step.uncertain);
            self.now.causes[output.0].clone_from(&step.causes);
        }
        step.unbuildable.union_with(&step.uncertain);
    }

    /// The look to blame for what a walk does not know of one partition.
    fn cause_of(&self, walked: &Walked, ix: DatasetIx, key: &PartitionKey) -> Arc<str> {
        let found = walked.causes[ix.0].iter().find(|(set, _)| set.contains(key));
        found.map_or_else(|| self.any_cause(), |(_, cause)| Arc::clone(cause))
    }

    /// Some look that failed, where too many did to tell which.
    fn any_cause(&self) -> Arc<str> {
        let first = self.plan.unseen.iter().chain(&self.plan.unread).next();
        first.map_or_else(|| "data that could not be observed".into(), |look| unseen_cause(self.state, look))
    }

    /// Blocks what has to be built from something that is not there and cannot be built.
    fn block_dead(&mut self, step: &mut Step<'_>) {
        let to_build = step.certain.union(&step.touched);
        for input in &step.job.inputs {
            let dead = &self.now.dead[input.dataset.0];
            let lost = self.dependents(step, input, dead).intersect(&to_build).subtract(&step.unbuildable);
            if !lost.is_empty() {
                self.plan.blocked.push((step.ix, lost.clone(), lost_reason(self.state, input.dataset, dead)));
                step.unbuildable.union_with(&lost);
            }
        }
    }

    /// Puts what is to be built into the plan, and says what that changes for those who read it.
    fn plan_job(&mut self, step: Step<'_>) {
        let Step { ix, job, needed, mut certain, mut forced, touched, unbuildable, mut reasons, .. } = step;
        certain.subtract_with(&unbuildable);
        forced.subtract_with(&unbuildable);
        // Inputs that are made anew may come out as those that it was made from.
        let inputs_changed = |(reason, _): &&(Reason, _)| *reason == Reason::Outdated(Verdict::InputsChanged);
        let open = reasons
            .iter()
            .find(inputs_changed)
            .map_or_else(|| PartitionSet::empty(needed.shape()), |(_, set)| set.intersect(&touched));
        let open = open.subtract(&forced).subtract(&step.new_inputs);
        certain.subtract_with(&open);
        let if_changed = touched.subtract(&certain).subtract(&unbuildable);
        reasons.iter_mut().for_each(|(_, set)| set.subtract_with(&unbuildable.union(&open)));

        // Not what upstream work may still change: a run under way has read the old data.
        let under_way = joinable(self.state, ix, &certain.subtract(&touched), &forced);
        certain.subtract_with(&under_way);
        reasons.iter_mut().for_each(|(_, set)| set.subtract_with(&under_way));
        reasons.push((Reason::UpstreamBuilt, if_changed.clone()));
        reasons.push((Reason::UnderWay, under_way.clone()));
        reasons.retain(|(_, set)| !set.is_empty());
        reasons.sort_by_key(|(reason, _)| *reason);

        let entry = JobPlan { job: ix, certain, if_changed, joined: under_way, reasons, forced };
        let work = entry.work();
        self.plan.current += needed.len() - work.len() - unbuildable.len();
        for output in &job.outputs {
            self.now.changing[output.0].union_with(&work);
            self.now.dead[output.0].union_with(&unbuildable);
        }
        if !work.is_empty() {
            self.plan.jobs.push(entry);
        }
    }

    fn finish(self) -> (Plan, Walked) {
        let Walk { state, asked, now, mut plan, .. } = self;
        for (ix, set) in asked.targets.iter().filter(|(ix, _)| state.graph().dataset(*ix).external) {
            let facts = state.dataset(*ix);
            let seen = set.subtract(&now.unknown[ix.0]);
            plan.current += seen.intersect(&facts.present).subtract(&facts.unsound()).len();
        }
        plan.unread.retain(|look| !look.set.is_empty());
        let left_out =
            |(ix, set): &(JobIx, PartitionSet)| (*ix, set.clone(), left_out_reason(state, *ix, set));
        plan.skipped = asked.matters.skipped.iter().map(left_out).collect();
        (plan, now)
    }

    /// Partitions of the job that read any of `set` as this input.
    fn dependents(&self, step: &Step<'_>, input: &Input, set: &PartitionSet) -> PartitionSet {
        if set.is_empty() {
            return PartitionSet::empty(step.needed.shape());
        }
        let (graph, extents) = (self.state.graph(), self.state.extents());
        let home = graph.side(step.job.outputs[0], extents);
        let read = graph.side(input.dataset, extents);
        input.mapping.dependents_of(&home, &read, set, step.needed)
    }

    /// What partitions of a job were found to need.
    fn found_by(&self, job: JobIx) -> impl Iterator<Item = &'a FoundInput> {
        self.asked.matters.found.iter().filter(move |found| found.job == job)
    }
}

impl Step<'_> {
    /// Partitions are to be built, for this reason.
    fn build(&mut self, reason: Reason, more: &PartitionSet) {
        if more.is_empty() {
            return;
        }
        self.certain.union_with(more);
        match self.reasons.iter_mut().find(|(other, _)| *other == reason) {
            Some((_, set)) => set.union_with(more),
            None => self.reasons.push((reason, more.clone())),
        }
    }
}

/// Partitions of a dataset that a closure wants, reads or makes.
fn mattering(state: &State, matters: &Closure, ix: DatasetIx) -> PartitionSet {
    match state.graph().dataset(ix).producer {
        Some(job) => matters.datasets[ix.0].union(&matters.jobs[job.0]),
        None => matters.datasets[ix.0].clone(),
    }
}

/// Partitions that a live run makes from the same code and the same inputs as a new one would.
fn joinable(state: &State, job: JobIx, set: &PartitionSet, forced: &PartitionSet) -> PartitionSet {
    let mut joined = PartitionSet::empty(set.shape());
    if state.work(job).live.is_empty() {
        return joined;
    }
    for run in state.runs().values().filter(|run| state.current_job(run) == Some(job)) {
        if run.cancel_requested || state.provenance(run.made_by) != state.registered().digests_of(job) {
            continue;
        }
        let discovered = state.discovered_digest(&run.discovered);
        for (key, inputs) in run.partitions() {
            let asked = set.contains(&key) && !forced.contains(&key);
            let sound = run.tainted.of(&key).is_none();
            if asked && sound && inputs == state.inputs_digest(job, &key).wrapping_add(discovered) {
                joined.insert(&key);
            }
        }
    }
    joined
}
