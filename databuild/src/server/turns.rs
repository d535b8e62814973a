//! How many requests are worked on at once, and how long others wait.

use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Requests about one thing that are answered at once.
const QUICK: usize = 4;
/// Requests for lists, counts and plans that are answered at once.
pub(super) const SLOW: usize = 3;
/// Connections to the log that requests need at once, at most.
pub const MOST_READERS: usize = QUICK + SLOW;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(20);

/// The turns of requests.
#[derive(Debug)]
pub struct Turns {
    /// For answers about one thing.
    pub(super) quick: Arc<Semaphore>,
    /// For lists, counts and plans.
    pub(super) slow: Arc<Semaphore>,
    /// How long a request waits for its turn.
    pub(super) patience: Duration,
}

impl Default for Turns {
    fn default() -> Turns {
        let turns = |most| Arc::new(Semaphore::new(most));
        Turns { quick: turns(QUICK), slow: turns(SLOW), patience: PATIENCE }
    }
}
