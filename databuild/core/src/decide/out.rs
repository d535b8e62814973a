//! A step while it is being made.

use crate::decide::messages::step::Effect;
use crate::event::{Actor, Cause, Event, GraphRegistered, Origin, Record};
use crate::graph::CheckedGraph;
use crate::ids::WantId;
use crate::state::State;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Events and effects of a step while it is being made.
pub(crate) struct Out<'c> {
    pub(crate) state: &'c mut State,
    pub(crate) now: Timestamp,
    /// Where the facts come from that are recorded next.
    pub(crate) origin: Origin,
    pub(crate) records: Vec<Record>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) looking: &'c mut BTreeSet<WantId>,
}

impl<'c> Out<'c> {
    pub(crate) fn new(
        state: &'c mut State,
        now: Timestamp,
        origin: Origin,
        looking: &'c mut BTreeSet<WantId>,
    ) -> Out<'c> {
        Out { state, now, origin, records: Vec::new(), effects: Vec::new(), looking }
    }

    /// Records a fact and folds it.
    pub(crate) fn event(&mut self, event: Event) {
        let record = Record { at: self.now, origin: self.origin.clone(), event };
        self.state.apply(&record).expect("an event decided on a state follows from that state");
        self.records.push(record);
    }

    /// Records that a graph is the one to follow, and folds it as it was read.
    pub(crate) fn graph(&mut self, event: GraphRegistered, checked: CheckedGraph) {
        let event = Event::GraphRegistered(event);
        let record = Record { at: self.now, origin: self.origin.clone(), event };
        self.state.apply_read(&record, Some(checked)).expect("a graph that was checked can be folded");
        self.records.push(record);
    }

    /// Records a fact that follows from that alone, whatever is decided in this step.
    pub(crate) fn event_because(&mut self, cause: Option<Cause>, event: Event) {
        let origin = std::mem::replace(&mut self.origin, Origin { actor: Actor::System, cause });
        self.event(event);
        self.origin = origin;
    }
}
