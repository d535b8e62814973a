//! A schedule: when a graph wants what, by itself.
//!
//! Invariant: it is in no digest. Another one makes nothing stale.

use crate::priority::PriorityClass;
use crate::schedule::Timing;
use crate::time::Zone;
use crate::words;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::Duration;

words! {
    /// What becomes of ticks that nobody fired when they were due, since no server was there.
    pub enum Missed: "value of `missed`" {
        /// All are made up for.
        All => "all",
        /// The last one is made up for.
        Last => "last",
        /// None is made up for.
        None => "none",
    }
}

/// A schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its target.
    pub label: String,
    /// What people call it: `package/name`, or `name` in the root package.
    pub name: Arc<str>,
    /// When its ticks are.
    pub timing: Timing,
    /// The same as people read it; another text is another schedule, which has nothing to make up for.
    pub when: String,
    /// Its zone.
    pub zone: Zone,
    /// References of what is wanted at each tick, read as of the tick.
    pub targets: Vec<String>,
    /// The class of its wants.
    pub class: PriorityClass,
    /// A tick may be fired so much later than it is, always the same for one tick.
    pub jitter: Duration,
    /// What becomes of ticks that were missed.
    pub missed: Missed,
    /// Ticks that were missed longer ago are never made up for.
    pub missed_within: Duration,
    /// It ends after so many ticks were fired.
    pub times: Option<u64>,
}

impl Schedule {
    /// When a tick is to be fired.
    #[must_use]
    pub fn due(&self, tick: Timestamp) -> Timestamp {
        tick.saturating_add(Timing::jitter(&self.name, tick, self.jitter)).unwrap_or(Timestamp::MAX)
    }
}
