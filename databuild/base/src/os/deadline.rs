//! One moment by which a whole operation, with all its waits, has to be over.

use std::time::{Duration, Instant};

/// The moment an operation gives up. It is made once and handed to every step,
/// so that steps share the time instead of each having its own.
#[derive(Clone, Copy, Debug)]
pub struct Deadline {
    at: Instant,
    whole: Duration,
}

impl Deadline {
    /// A deadline `whole` from now.
    pub fn after(whole: Duration) -> Self {
        Deadline { at: Instant::now() + whole, whole }
    }

    /// The time left; zero once the deadline has passed.
    pub fn remaining(&self) -> Duration {
        self.at.saturating_duration_since(Instant::now())
    }

    /// Whether the deadline has passed.
    pub fn expired(&self) -> bool {
        self.remaining().is_zero()
    }

    /// The time given at the start, for messages.
    pub fn whole(&self) -> Duration {
        self.whole
    }

    /// Pauses between two looks at something that cannot be waited for, never
    /// beyond the deadline.
    pub fn pause(&self, at_most: Duration) {
        std::thread::sleep(at_most.min(self.remaining()));
    }
}
