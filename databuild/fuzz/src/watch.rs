//! Tells of an input that takes forever, and ends the test.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// An input may take so long, whatever else the machine does.
const PATIENCE: Duration = Duration::from_secs(120);

type Current = Arc<Mutex<Option<(Instant, Vec<u8>)>>>;

/// Watches one test for as long as it lives.
#[derive(Debug)]
pub(crate) struct Watch {
    current: Current,
}

impl Watch {
    pub(crate) fn new() -> Watch {
        let current = Current::default();
        let weak = Arc::downgrade(&current);
        std::thread::spawn(move || {
            while let Some(current) = weak.upgrade() {
                if let Some((begun, input)) = &*current.lock().unwrap_or_else(PoisonError::into_inner) {
                    if begun.elapsed() > PATIENCE {
                        eprintln!("no end after {PATIENCE:?} for\n{}", super::literal(input));
                        std::process::abort();
                    }
                }
                drop(current);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        Watch { current }
    }

    /// Work on this input begins.
    pub(crate) fn begin(&self, input: &[u8]) {
        *self.lock() = Some((Instant::now(), input.to_vec()));
    }

    /// It is over.
    pub(crate) fn end(&self) {
        *self.lock() = None;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<(Instant, Vec<u8>)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
