//! What readers see of the loop: the state after some committed event.

use super::metrics::Metrics;
use arc_swap::ArcSwap;
use databuild_core::decide::{Capacity, Core};
use databuild_core::state::State;
use jiff::Timestamp;
use std::sync::Arc;
use tokio::sync::watch;

/// The state after some committed event, shared by all readers.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The state.
    pub state: Arc<State>,
    /// How many attempts may run at once.
    pub slots: usize,
    /// Bytes of memory that runs may take together.
    pub memory: Option<u64>,
    /// There is no runner, and nothing begins.
    pub held: bool,
    /// What has happened since cannot be recorded, and is tried again every second.
    pub unrecorded: Option<Arc<Unrecorded>>,
}

/// Why the log takes no events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unrecorded {
    /// Stable name of the error.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// When that began.
    pub since: Timestamp,
}

impl Snapshot {
    pub(super) fn of(core: &Core) -> Snapshot {
        Snapshot {
            state: Arc::new(core.state.clone()),
            slots: core.slots,
            memory: core.memory,
            held: core.held,
            unrecorded: None,
        }
    }

    /// Whether it shows what the loop knows beside the events.
    pub(super) fn is_of(&self, core: &Core) -> bool {
        (self.slots, self.memory, self.held) == (core.slots, core.memory, core.held)
    }

    /// What the machine has for runs.
    #[must_use]
    pub fn capacity(&self) -> Capacity {
        Capacity { slots: self.slots, memory: self.memory }
    }
}

/// What loop and readers share.
pub(super) struct Shared {
    pub(super) snapshot: ArcSwap<Snapshot>,
    pub(super) seq: watch::Sender<u64>,
    pub(super) metrics: Arc<Metrics>,
}

impl Shared {
    /// Tells readers that the log takes no events, since when it does not.
    pub(super) fn cannot_record(&self, code: &'static str, message: &str) {
        let told = self.snapshot.load_full();
        let since = told.unrecorded.as_ref().map_or_else(crate::os::now, |before| before.since);
        let now = Arc::new(Unrecorded { code, message: message.to_owned(), since });
        if told.unrecorded.as_ref() != Some(&now) {
            self.publish(Snapshot { unrecorded: Some(now), ..Snapshot::clone(&told) });
        }
    }

    pub(super) fn publish(&self, snapshot: Snapshot) {
        let seq = snapshot.state.seq().0;
        self.snapshot.store(Arc::new(snapshot));
        self.seq.send_replace(seq);
    }
}
