//! Where schedules stand: which ticks are accounted for, who is paused, and when the next tick is due.
//!
//! Invariants:
//! - Ticks up to [`ScheduleState::through`] are accounted for, and no later one is.
//! - What is known of a schedule goes by its name, and stays while no graph has it: a paused one stays paused.
//! - A schedule that is new, came back, or has other times than before has nothing to make up for.

use crate::event::{Event, Record, Skip, TicksSkipped};
use crate::graph::{Graph, Schedule};
use crate::ids::WantId;
use crate::word::Numbered as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where a schedule stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScheduleState {
    /// Ticks up to then are accounted for.
    pub through: Timestamp,
    /// The times that this is about ([`Schedule::when`]); none while no graph has it.
    when: Option<String>,
    /// Since when it is paused.
    pub paused_at: Option<Timestamp>,
    /// Ticks that were fired since it has these times.
    pub fired: u64,
    /// What it made last: the tick, if it was one, and the want.
    pub last_fired: Option<(Option<Timestamp>, WantId)>,
    last_skipped: Option<(Timestamp, Timestamp, u64, i32, String)>,
}

impl ScheduleState {
    /// The ticks that were skipped last.
    #[must_use]
    pub fn last_skipped(&self, schedule: &str) -> Option<TicksSkipped> {
        let (first, last, count, reason, message) = self.last_skipped.clone()?;
        let reason = Skip::of_number(reason)?;
        Some(TicksSkipped { schedule: schedule.to_owned(), first, last, count, reason, message })
    }

    /// The next tick, be it paused or not; none if there is none any more.
    #[must_use]
    pub fn next(&self, schedule: &Schedule) -> Option<Timestamp> {
        match schedule.times.is_some_and(|times| self.fired >= times) {
            true => None,
            false => schedule.timing.next(self.through),
        }
    }
}

/// All schedules that there ever were, and the next ticks of those that the graph has. Clones share them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schedules {
    states: Arc<BTreeMap<Arc<str>, Arc<ScheduleState>>>,
    /// When the next tick of each is to be fired.
    due: Arc<BTreeSet<(Timestamp, Arc<str>)>>,
}

impl Schedules {
    /// Where the schedule of this name stands; none if no graph ever had it.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<ScheduleState>> {
        self.states.get(name)
    }

    /// When the next ticks are to be fired, the first one first.
    pub fn due(&self) -> impl Iterator<Item = (Timestamp, &Arc<str>)> {
        self.due.iter().map(|(at, name)| (*at, name))
    }

    /// All, by name, as plain data.
    pub(super) fn dump(&self) -> BTreeMap<String, ScheduleState> {
        self.states.iter().map(|(name, state)| (name.to_string(), ScheduleState::clone(state))).collect()
    }

    /// As dumped, under the graph that is followed.
    pub(super) fn restore(dump: BTreeMap<String, ScheduleState>, graph: Option<&Graph>) -> Schedules {
        let states = dump.into_iter().map(|(name, state)| (name.into(), Arc::new(state))).collect();
        let mut schedules = Schedules { states: Arc::new(states), due: Arc::default() };
        schedules.index(graph);
        schedules
    }

    /// A graph is followed from `at` on.
    pub(super) fn follow(&mut self, graph: &Graph, at: Timestamp) {
        if graph.schedules().len() == 0 && self.states.is_empty() {
            return;
        }
        let states = Arc::make_mut(&mut self.states);
        for (name, state) in states.iter_mut() {
            let when = graph.schedule(name).map(|schedule| &schedule.when);
            if state.when.as_ref() == when {
                continue;
            }
            let state = Arc::make_mut(state);
            state.when = when.cloned();
            state.fired = 0;
            state.through = state.through.max(at);
        }
        for schedule in
            graph.schedules().filter(|schedule| !states.contains_key(&schedule.name)).collect::<Vec<_>>()
        {
            let state = ScheduleState {
                through: at,
                when: Some(schedule.when.clone()),
                paused_at: None,
                fired: 0,
                last_fired: None,
                last_skipped: None,
            };
            states.insert(Arc::clone(&schedule.name), Arc::new(state));
        }
        self.index(Some(graph));
    }

    /// Folds what is said of a schedule.
    pub(super) fn fold(&mut self, record: &Record, graph: Option<&Graph>) {
        match &record.event {
            Event::ScheduleFired(event) => self.change(&event.schedule, graph, |state| {
                state.last_fired = Some((event.tick, event.want));
                if let Some(tick) = event.tick {
                    state.through = state.through.max(tick);
                    state.fired += 1;
                }
            }),
            Event::TicksSkipped(event) => self.change(&event.schedule, graph, |state| {
                let TicksSkipped { schedule: _, first, last, count, reason, message } = event;
                state.through = state.through.max(*last);
                state.last_skipped = Some((*first, *last, *count, reason.number(), message.clone()));
            }),
            Event::SchedulePaused(event) => self.change(&event.schedule, graph, |state| {
                state.paused_at.get_or_insert(record.at);
            }),
            Event::ScheduleResumed(event) => self.change(&event.schedule, graph, |state| {
                state.paused_at = None;
                // Ticks of the pause were skipped, by an event of their own.
                state.through = state.through.max(record.at);
            }),
            _ => {}
        }
    }

    fn change(&mut self, name: &str, graph: Option<&Graph>, change: impl FnOnce(&mut ScheduleState)) {
        let schedule = graph.and_then(|graph| graph.schedule(name));
        let Some((own, state)) = self.states.get_key_value(name) else { return };
        let (own, before) = (Arc::clone(own), due(schedule, state));
        let state = Arc::make_mut(Arc::make_mut(&mut self.states).get_mut(name).expect("it was found"));
        change(state);
        let now = due(schedule, state);
        if now != before {
            let index = Arc::make_mut(&mut self.due);
            before.map(|at| index.remove(&(at, Arc::clone(&own))));
            now.map(|at| index.insert((at, own)));
        }
    }

    fn index(&mut self, graph: Option<&Graph>) {
        let schedules = graph.into_iter().flat_map(Graph::schedules);
        let due = schedules.filter_map(|schedule| {
            let state = self.states.get(&schedule.name)?;
            Some((due(Some(schedule), state)?, Arc::clone(&schedule.name)))
        });
        self.due = Arc::new(due.collect());
    }
}

/// When the next tick is to be fired; none if it is paused or over.
fn due(schedule: Option<&Schedule>, state: &ScheduleState) -> Option<Timestamp> {
    let schedule = schedule.filter(|_| state.paused_at.is_none())?;
    state.next(schedule).map(|tick| schedule.due(tick))
}
