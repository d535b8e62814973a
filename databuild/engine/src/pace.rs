//! Whether there is time to gather: each flush of the disk serves all that is done together.
//!
//! While the runner has a queue of short jobs, nobody waits for a single one of them, and with jobs of a millisecond
//! flushes are what takes the time. So the loop and its workers then wait a moment for more before they go to the
//! disk. A job that somebody waits for meets no such wait.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long more is waited for.
const GATHER: Duration = Duration::from_millis(4);
/// How long nobody looks for more. Waking up for each message would cost more than what is done with it.
pub(super) const STEP: Duration = Duration::from_micros(500);
/// Most that is taken together.
const MOST: usize = 256;

/// What the loop knows and its workers follow.
#[derive(Debug, Clone, Default)]
pub(super) struct Pace {
    queue: Arc<AtomicBool>,
}

impl Pace {
    /// The loop says whether the runner has a queue.
    pub(super) fn set(&self, queue: bool) {
        self.queue.store(queue, Ordering::Relaxed);
    }

    /// Until when more may be waited for; none if it must not be.
    pub(super) fn until(&self) -> Option<Instant> {
        self.queue.load(Ordering::Relaxed).then(|| Instant::now() + GATHER)
    }

    /// `first` with what else is there, or comes while there is time. At most [`MOST`].
    pub(super) fn gather<T>(&self, first: T, more: &Receiver<T>) -> Vec<T> {
        let mut all = vec![first];
        let until = self.until();
        while all.len() < MOST {
            match more.try_recv() {
                Ok(next) => all.push(next),
                Err(TryRecvError::Disconnected) => break,
                Err(TryRecvError::Empty) => {
                    let left =
                        until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
                    if left.is_zero() {
                        break;
                    }
                    std::thread::sleep(left.min(STEP));
                }
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn what_is_there_is_taken_and_nothing_waited_for() {
        let (send, receive) = channel();
        (2..=300).for_each(|n| send.send(n).unwrap());
        let pace = Pace::default();
        assert_eq!(pace.until(), None);
        assert_eq!(pace.gather(1, &receive), (1..=256).collect::<Vec<_>>());
        let first = receive.recv().unwrap();
        assert_eq!(pace.gather(first, &receive), (257..=300).collect::<Vec<_>>());
    }

    #[test]
    fn with_a_queue_there_is_time_until_nobody_can_bring_more() {
        let (send, receive) = channel();
        let pace = Pace::default();
        pace.clone().set(true);
        assert!(pace.until().is_some_and(|until| until <= Instant::now() + GATHER));
        send.send(2).unwrap();
        drop(send);
        assert_eq!(pace.gather(1, &receive), [1, 2]);
    }
}
