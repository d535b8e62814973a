//! Look-ups by id on the thread that asks for them.
//!
//! To hand a look-up of some microseconds to another thread and its answer back takes longer than the look-up. So it is made at
//! once, as long as such look-ups are that quick.
//!
//! Invariants:
//! - Of the threads that serve requests, one at least never looks up anything: if the disk holds up all others, it answers.
//! - After a look-up that was not quick, the others go to their lane for a while ([`PAUSE`]).

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// A look-up takes a fraction of it, unless a disk is slow to answer or others have the processors.
const QUICK: Duration = Duration::from_millis(20);
/// How long none is made at once after one that took longer.
const PAUSE: Duration = Duration::from_secs(2);

/// Threads that serve requests.
pub const THREADS: usize = 3;

/// Who may look up something at once.
#[derive(Debug)]
pub(super) struct AtOnce {
    most: usize,
    under_way: AtomicUsize,
    began: Instant,
    /// In milliseconds since it began.
    not_before: AtomicU64,
}

impl AtOnce {
    /// For a server with so many threads for requests.
    pub(super) fn new(threads: usize) -> AtOnce {
        let most = threads.saturating_sub(1);
        AtOnce { most, under_way: AtomicUsize::new(0), began: Instant::now(), not_before: AtomicU64::new(0) }
    }

    /// Lets a look-up begin, if it may.
    pub(super) fn enter(&self) -> Option<Turn<'_>> {
        let begun = Instant::now();
        if self.since(begun) < self.not_before.load(Ordering::Relaxed) {
            return None;
        }
        let turn = Turn { of: self, begun };
        // Given back also if there are too many.
        (self.under_way.fetch_add(1, Ordering::AcqRel) < self.most).then_some(turn)
    }

    fn since(&self, at: Instant) -> u64 {
        u64::try_from(at.duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }
}

/// A look-up that is under way.
pub(super) struct Turn<'a> {
    of: &'a AtOnce,
    begun: Instant,
}

impl Turn<'_> {
    /// What `work` says; none if it panicked.
    pub(super) fn answer<T>(self, work: impl FnOnce() -> T) -> Option<T> {
        // What the work held is dropped.
        catch_unwind(AssertUnwindSafe(work)).ok()
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.of.under_way.fetch_sub(1, Ordering::AcqRel);
        let end = Instant::now();
        if end.duration_since(self.begun) > QUICK {
            self.of.not_before.store(self.of.since(end + PAUSE), Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_thread_is_left_to_others() {
        let at_once = AtOnce::new(3);
        let (first, second) = (at_once.enter(), at_once.enter());
        assert!(first.is_some() && second.is_some() && at_once.enter().is_none());
        drop(first);
        // The test itself may have been held up meanwhile.
        at_once.not_before.store(0, Ordering::Relaxed);
        assert!(at_once.enter().is_some());
        assert!(AtOnce::new(1).enter().is_none());
    }

    #[test]
    fn one_that_panics_has_no_answer_and_ends() {
        let at_once = AtOnce::new(2);
        let turn = at_once.enter().unwrap();
        assert_eq!(turn.answer(|| panic!("as it must")), None::<()>);
        // To tell of a panic may have taken long.
        at_once.not_before.store(0, Ordering::Relaxed);
        assert_eq!(at_once.enter().unwrap().answer(|| 7), Some(7));
    }

    #[test]
    fn after_one_that_took_long_others_wait_elsewhere() {
        let at_once = AtOnce::new(2);
        let mut slow = at_once.enter().unwrap();
        slow.begun -= QUICK + Duration::from_millis(1);
        drop(slow);
        assert!(at_once.enter().is_none(), "the pause has not passed");
        at_once.not_before.store(0, Ordering::Relaxed);
        assert!(at_once.enter().is_some());
    }
}
