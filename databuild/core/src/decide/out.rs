//! A step while it is being made.

use crate::decide::messages::step::Effect;
use crate::event::{Event, Record};
use crate::ids::WantId;
use crate::state::State;
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Events and effects of a step while it is being made.
pub(crate) struct Out<'c> {
    pub(crate) state: &'c mut State,
    pub(crate) now: Timestamp,
    pub(crate) records: Vec<Record>,
    pub(crate) effects: Vec<Effect>,
    pub(crate) looking: &'c mut BTreeSet<WantId>,
}

impl<'c> Out<'c> {
    pub(crate) fn new(state: &'c mut State, now: Timestamp, looking: &'c mut BTreeSet<WantId>) -> Out<'c> {
        Out { state, now, records: Vec::new(), effects: Vec::new(), looking }
    }

    /// Records a fact and folds it.
    pub(crate) fn event(&mut self, event: Event) {
        let record = Record { at: self.now, event };
        self.state.apply(&record).expect("an event decided on a state follows from that state");
        self.records.push(record);
    }
}
