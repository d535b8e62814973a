//! Who answers requests: first the one who says that the log is being replayed, then the whole API.

use crate::server::replaying;
use axum::Router;
use std::sync::{Arc, OnceLock};

/// The routes of a server, which grow once.
#[derive(Clone)]
pub(super) struct Entrance {
    first: Router,
    whole: Arc<OnceLock<Router>>,
}

impl Entrance {
    /// One that waits for the whole API.
    pub(super) fn new() -> Entrance {
        Entrance { first: replaying(), whole: Arc::default() }
    }

    /// One with the whole API.
    #[cfg(test)]
    pub(super) fn open(router: Router) -> Entrance {
        let entrance = Entrance::new();
        entrance.let_in(router);
        entrance
    }

    /// Lets requests in, also those on connections that are open.
    pub(super) fn let_in(&self, router: Router) {
        // There is one API.
        let _ = self.whole.set(router);
    }

    /// Who answers now.
    pub(super) fn router(&self) -> Router {
        self.whole.get().unwrap_or(&self.first).clone()
    }
}
