//! What all handlers share.

use super::guard::Guard;
use super::lanes::Lanes;
use crate::app::scope::Watched;
use crate::engine::Handle;
use crate::snapshot;
use crate::store::History;
use jiff::Timestamp;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What handlers share.
#[derive(Clone)]
pub struct App {
    /// The engine.
    pub engine: Handle,
    /// What requests are held against.
    pub guard: Arc<Guard>,
    /// Code snapshots, for garbage collection.
    pub snapshots: Arc<snapshot::Store>,
    /// The stored copy of the program that runs, if it runs from one.
    pub binary: Option<snapshot::FileDigest>,
    /// Where attempts stage their outputs.
    pub staging: PathBuf,
    /// Where sockets are.
    pub runtime_dir: PathBuf,
    /// What jobs get as `TMPDIR`.
    pub temporary_dir: Option<String>,
    /// When the server started.
    pub started_at: Timestamp,
    /// Last request in milliseconds since the epoch, for idle shutdown.
    pub last_request_ms: Arc<AtomicI64>,
    /// Asks the server to stop; `true` also stops its jobs.
    pub shutdown: mpsc::UnboundedSender<bool>,
    /// The work of wants that somebody watches.
    pub watched: Arc<Watched>,
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
