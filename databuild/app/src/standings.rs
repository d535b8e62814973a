//! Where all datasets stand now, for all requests together.

use databuild_core::state::{Standings, State};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// What was asked for last. Whoever asks for something later takes over what is still true of it.
#[derive(Default)]
pub struct Latest(Mutex<Option<Arc<Standings>>>);

impl Latest {
    /// Of a state, or of a later one that somebody asked for already.
    pub fn of(&self, given: &Arc<State>, now: Timestamp) -> Arc<Standings> {
        // Who panicked while holding it has changed nothing.
        let mut latest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match &*latest {
            Some(kept) if kept.are_of(given, now) || kept.state().seq() > given.seq() => {
                return Arc::clone(kept)
            }
            Some(kept) => Arc::new(kept.turned_to(given, now)),
            None => Arc::new(Standings::new(given, now)),
        };
        *latest = Some(Arc::clone(&next));
        next
    }
}

#[cfg(test)]
mod tests {
    use super::super::why::tests::{chain, Workspace};
    use super::*;
    use databuild_core::event::Refresh;

    #[test]
    fn what_was_asked_for_is_shared_until_the_state_is_another_one() {
        let mut workspace = Workspace::new(&chain("code"));
        workspace.observe("raw/name=a", "r1");
        let latest = Latest::default();
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let given = Arc::new(workspace.core.state.clone());
        let first = latest.of(&given, now);
        assert!(Arc::ptr_eq(&first, &latest.of(&given, now)));
        workspace.want("text/name=a", Refresh::Stale);
        let later = Arc::new(workspace.core.state.clone());
        let second = latest.of(&later, now);
        assert!(second.are_of(&later, now) && !first.are_of(&later, now));
        // Who has looked at the state a little earlier is told of the later one.
        assert!(Arc::ptr_eq(&second, &latest.of(&given, now)));
        assert_ne!(first.counts(), second.counts());
    }
}
