//! What all handlers share.

use super::guard::Guard;
use super::lanes::Lanes;
use crate::app::Backend;
use crate::store::History;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What handlers share.
#[derive(Clone)]
pub struct App {
    /// What commands and answers are worked out with.
    pub backend: Backend,
    /// Who asks if a request names nobody: the user that the server runs as. Nobody else can read its token.
    pub owner: Arc<str>,
    /// What requests are held against.
    pub guard: Arc<Guard>,
    /// Last request in milliseconds since the epoch, for idle shutdown.
    pub last_request_ms: Arc<AtomicI64>,
    /// Asks the server to stop; `true` also stops its jobs.
    pub shutdown: mpsc::UnboundedSender<bool>,
    /// The history, for the lanes' threads.
    pub reader: Arc<dyn History>,
    /// The threads that work out answers.
    pub lanes: Arc<Lanes>,
}

impl App {
    /// Notes that somebody uses the server.
    pub fn touch(&self) {
        self.last_request_ms.store(crate::os::now().as_millisecond(), Ordering::Relaxed);
    }
}
