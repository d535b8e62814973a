//! Requests with a name that are being carried out: of each name there is one.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Requests with a name that are being carried out.
#[derive(Debug, Default)]
pub struct Flights(Mutex<HashSet<String>>);

/// One of them, until it is dropped.
pub(super) struct Flight {
    all: Arc<Flights>,
    key: String,
}

impl Flights {
    fn keys(&self) -> MutexGuard<'_, HashSet<String>> {
        // It is whole at every point where a thread could panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None if one with the key is under way.
    pub(super) fn begin(self: &Arc<Flights>, key: &str) -> Option<Flight> {
        let is_new = self.keys().insert(key.to_owned());
        is_new.then(|| Flight { all: Arc::clone(self), key: key.to_owned() })
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.all.keys().remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_is_carried_out_is_not_begun_once_more() {
        let flights = Arc::new(Flights::default());
        let first = flights.begin("k").unwrap();
        assert!(flights.begin("k").is_none() && flights.begin("other").is_some());
        drop(first);
        assert!(flights.begin("k").is_some());
    }
}
