//! How a story ends: nothing more happens from outside, all is built, and it has to be what a build from scratch
//! would give. Whatever runs find meanwhile, one build of something is enough.

use super::check;
use super::drive::Simulation;
use super::oracle::Oracle;
use crate::support::workspace::{applying, planning, request};
use databuild_core::decide::{Input, Judgement, PoolRequest, Reply, Sighting, Sightings};
use databuild_core::event::{Event, PlanRowKind, Refresh, WantOutcome};
use databuild_core::graph::{Dataset, DatasetIx};
use databuild_core::partition_set::PartitionSet;
use databuild_core::planner;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Simulation {
    /// Until nothing moves: no more failures, no more crashes.
    fn quiesce(&mut self) {
        self.hostile = false;
        if self.slots == 0 {
            self.slots = 2;
            self.step(Input::SetSlots(2));
        }
        for want in self.core.state.wants().keys().copied().collect::<Vec<_>>() {
            self.step(Input::ResumeWant(want));
        }
        for pool in self.core.state.pool_sizes().keys().cloned().collect::<Vec<_>>() {
            self.step(Input::ResizePool(PoolRequest { pool, slots: None }));
        }
        for _ in 0..20_000 {
            if !self.world.looks.is_empty() {
                self.answer_look();
            } else if !self.world.publications.is_empty() {
                self.publish();
            } else if !self.world.processes.is_empty() {
                self.progress();
            } else if let Some(timer) = self.core.next_timer() {
                self.now = self.now.max(timer);
                self.note(format!("{}", self.now));
                self.step(Input::Tick);
            } else if let Some(trial) =
                self.core.state.trials().values().find(|trial| trial.is_live()).map(|trial| trial.spec.trial)
            {
                // Code of then may take more of a pool than there is now. That nothing else holds it up is checked
                // after each step.
                self.note(format!("{trial} waits"));
                self.step(Input::CancelTrial(trial));
            } else {
                break;
            }
        }
        let state = &self.core.state;
        let replay = check::same(&check::fingerprint(state), &check::fingerprint(&self.replayed));
        assert_eq!(replay, Ok(()));
        assert!(
            state.wants().is_empty(),
            "all is quiet, and somebody waits: {:?}",
            state.wants().values().next()
        );
        let live = state.trials().values().find(|trial| trial.is_live());
        assert!(live.is_none(), "all is quiet, and a trial is not over: {live:?}");
        assert!(
            state.runs().is_empty(),
            "all is quiet, and a run is live: {:?}",
            state.runs().values().next()
        );
    }

    pub(super) fn conclude(&mut self) {
        self.note("--- quiet");
        self.scheduled = false;
        self.restart();
        self.quiesce();
        self.supply();
        // Whatever is found meanwhile, by whom and in which order, is followed by those whom it concerns.
        self.build_together();
        self.finds = 0;
        self.supply();
        let since = self.now;
        for name in self.names() {
            self.build_and_compare(&name);
        }
        let all = self.names();
        // Inputs that were found before may be downstream of what found them.
        if self.now == since && !self.discoveries {
            self.nothing_to_do(&all);
        }
        for _ in 0..2 {
            self.disturb();
            self.supply();
            self.apply_and_compare();
        }
        for name in self.names() {
            self.build_and_compare(&name);
        }
    }

    fn names(&self) -> Vec<String> {
        self.core.state.graph().datasets().map(|(_, dataset)| dataset.name.clone()).collect()
    }

    /// All sources are there, and mostly good: else little could be built.
    fn supply(&mut self) {
        for (.., path) in self.paths(true) {
            if !self.world.files.contains_key(&path) {
                let version = format!("s{}", self.world.fresh());
                self.world.write(&path, version);
            }
        }
        if self.rng.percent(70) {
            let external =
                |(ix, dataset): (DatasetIx, &Dataset)| (ix, dataset.external, dataset.name.clone());
            let datasets: Vec<_> = self.core.state.graph().datasets().map(external).collect();
            for (_, _, name) in datasets.into_iter().filter(|(_, external, _)| *external) {
                let judgement = Judgement { targets: vec![name], reason: String::new() };
                self.step(Input::Untaint(judgement));
            }
        }
    }

    /// Several wants at once, the runs of which find keys and inputs.
    fn build_together(&mut self) {
        self.finds = 4;
        let names = self.names();
        for _ in 0..1 + self.rng.below(3) {
            let name = self.rng.pick(&names).clone();
            let seen = self.look(&name, Refresh::Stale);
            self.note(format!("--- build {name} together, {} seen", seen.seen.len()));
            self.step(Input::CreateWant(request(&[&name], Refresh::Stale), seen));
            if self.rng.percent(50) {
                self.progress();
            }
        }
        self.quiesce();
    }

    /// Somebody changes something, and whatever follows from it by itself is over.
    fn disturb(&mut self) {
        for _ in 0..1 + self.rng.below(3) {
            match self.rng.below(10) {
                8 | 9 => self.accept_and_go_back(),
                0 | 1 => self.edit_source(),
                2 => self.touch_output(),
                3 | 4 => self.change_graph(),
                5 => self.invoke(),
                6 => self.judge(),
                _ => self.accept(),
            }
            self.hostile = false;
            self.quiesce();
        }
    }

    /// Somebody changes what does no harm, accepts that, and goes back to what was before.
    fn accept_and_go_back(&mut self) {
        let before = self.scene.clone();
        let Some(next) = self.scene.with_a_harmless_change(&mut self.rng) else { return };
        self.note("a harmless change");
        self.register_scene(next);
        for _ in 0..4 {
            self.accept();
        }
        if self.rng.percent(30) {
            let names = self.names();
            let name = self.rng.pick(&names).clone();
            self.step(Input::CreateWant(request(&[&name], Refresh::Stale), Sightings::default()));
            self.hostile = false;
            self.quiesce();
        }
        self.note("and back");
        self.register_scene(before);
        let mut state = self.core.state.clone();
        let registered = Arc::clone(state.registered());
        for (job, entry) in registered.graph.jobs() {
            let present = state.dataset(entry.outputs[0]).present.clone();
            state.settle(job, &present);
        }
        assert_eq!(self.makers.check(&state), Ok(()));
    }

    /// A plan is carried out at once: what it shows as certain is built, all of it, and nothing that it does not show.
    fn apply_and_compare(&mut self) {
        let name = self.rng.pick(&self.names()).clone();
        let refresh = *self.rng.pick(&[Refresh::Stale, Refresh::Stale, Refresh::Missing, Refresh::All]);
        // What is seen to be gone makes more matter.
        for _ in 0..10 {
            let seen = self.look(&name, refresh);
            self.step(Input::Sightings(seen));
        }
        let seen = self.look(&name, refresh);
        self.note(format!("--- plan {name} {refresh:?} and carry it out"));
        let reply = self.step(Input::CreatePlan(planning(&[&name], refresh), seen));
        let Some(Ok(Reply::Planned { plan, kept: true })) = reply else { return };
        let from = self.log.len();
        let seen = self.look(&name, refresh);
        let reply = self.step(Input::ApplyPlan(applying(plan.plan), seen));
        assert!(matches!(reply, Some(Ok(Reply::Want(_)))), "nothing has changed: {reply:?}");
        self.quiesce();
        let mut built: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
        let state = &self.core.state;
        let graph = state.graph();
        let made = self.log[from..].iter().filter_map(|record| match &record.event {
            Event::Materialized(made) => Some(&made.outputs),
            _ => None,
        });
        for output in made.flatten() {
            let (ix, set) = graph.locate_set(&output.partition, state.symbols()).expect("it is in the graph");
            built.entry(ix).and_modify(|all| all.union_with(&set)).or_insert(set);
        }
        for row in &plan.rows {
            let sets = row.partitions.iter().filter_map(|text| graph.locate_set(text, state.symbols()));
            for (ix, set) in sets {
                let left = built.get(&ix).map_or_else(|| set.clone(), |built| set.subtract(built));
                match row.kind {
                    PlanRowKind::Certain => {
                        let text = left.first().map(|key| state.partition_text(ix, &key));
                        assert_eq!(text, None, "certain ({}), and was not built", row.reason);
                    }
                    PlanRowKind::Blocked | PlanRowKind::LeftOut => {
                        assert_eq!(left, set, "it was built: {row:?}")
                    }
                    PlanRowKind::IfChanged | PlanRowKind::UnderWay => {}
                }
            }
        }
    }

    /// Nothing is left to do for any of these.
    fn nothing_to_do(&self, names: &[String]) {
        for name in names {
            let mut state = self.core.state.clone();
            let target = state.resolve(name).expect("it is in the graph");
            let plan = planner::plan(&mut state, &[target], Refresh::Stale);
            assert!(plan.jobs.is_empty(), "all was built, and there is work for {name}: {:?}", plan.jobs);
        }
    }

    /// After a want for it, a dataset is what a build from scratch gives, and there is nothing to do.
    fn build_and_compare(&mut self, name: &str) {
        let seen = self.look(name, Refresh::Stale);
        self.note(format!("--- build {name}, {} seen", seen.seen.len()));
        let reply = self.step(Input::CreateWant(request(&[name], Refresh::Stale), seen));
        let Some(Ok(Reply::Want(want))) = reply else { panic!("{name}: {reply:?}") };
        let fails = self.log.iter().rev().find_map(|record| match &record.event {
            Event::WantCreated(created) if created.want == want => {
                Some(!created.blocked.is_empty() || created.targets.is_empty())
            }
            _ => None,
        });
        self.quiesce();
        let expected = if fails == Some(true) { WantOutcome::Failed } else { WantOutcome::Satisfied };
        assert_eq!(self.ended[&want], expected, "{want} for {name}");

        let mut state = self.core.state.clone();
        let target = state.resolve(name).expect("it is in the graph");
        let targets = [target];
        let plan = planner::plan(&mut state, &targets, Refresh::Stale);
        assert!(plan.jobs.is_empty(), "{name} was built, and there is work: {:?}", plan.jobs);
        let matters = planner::closure(&state, &targets, Refresh::Stale);
        let graph = Arc::clone(state.registered());
        let mut seen = self.world.look(&state, &targets, Refresh::Stale).seen;
        // What the graph leaves out now, or nobody can build, stays as it is.
        seen.retain(|sighting| {
            let (Sighting::Gone(ix, key) | Sighting::Content { dataset: ix, key, .. }) = sighting;
            graph.graph.dataset(*ix).producer.is_none_or(|job| {
                let blocked = plan.blocked.iter().any(|(other, set, _)| *other == job && set.contains(key));
                matters.jobs[job.0].contains(key) && !blocked
            })
        });
        assert!(seen.is_empty(), "{name} was built, and files are not as known: {seen:?}");
        let mut oracle = Oracle::new(&self.world, &state);
        for (ix, set, _) in &plan.blocked {
            graph.graph.job(*ix).outputs.iter().for_each(|output| oracle.keep(*output, set));
        }
        for (ix, job) in graph.graph.jobs() {
            let blocked = plan.blocked.iter().filter(|(job, ..)| *job == ix);
            let mut keys = matters.jobs[ix.0].clone();
            blocked.for_each(|(_, set, _)| keys.subtract_with(set));
            for (output, key) in job.outputs.iter().flat_map(|ix| keys.iter().map(move |key| (ix, key))) {
                let Some(expected) = oracle.value(*output, &key) else { continue };
                let found = self.world.version(&graph.graph, *output, &key, state.symbols());
                let text = state.partition_text(*output, &key);
                assert_eq!(found, Some(expected), "{text} is not what a build from scratch gives");
            }
        }
    }
}
