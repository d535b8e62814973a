//! What all handlers share.

use super::guard::Guard;
use super::lanes::Lanes;
use super::measures::Requests;
use super::stream::Stream;
use crate::app::Backend;
use crate::store::History;
use std::ops::Deref;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What handlers have at hand. Cheap to clone: each request has its own.
#[derive(Clone)]
pub struct App {
    /// What commands and answers are worked out with.
    pub backend: Backend,
    /// The same for all requests.
    pub shared: Arc<Shared>,
}

impl Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

/// What handlers share.
#[derive(Clone)]
pub struct Shared {
    /// Who asks if a request names nobody: the user that the server runs as. Nobody else can read its token.
    pub owner: Arc<str>,
    /// What requests are held against.
    pub guard: Arc<Guard>,
    /// Last request in milliseconds since the epoch, for idle shutdown.
    pub last_request_ms: Arc<AtomicI64>,
    /// The server goes: it still answers what it was asked, and is not to be asked anything new.
    pub draining: Arc<AtomicBool>,
    /// Asks the server to stop; `true` also stops its jobs.
    pub shutdown: mpsc::UnboundedSender<bool>,
    /// The history, for the lanes' threads.
    pub reader: Arc<dyn History>,
    /// The threads that work out answers.
    pub lanes: Arc<Lanes>,
    /// What is measured of requests.
    pub requests: Requests,
    /// Those who follow the event log, pages that are open among them.
    pub stream: Arc<Stream>,
}

impl App {
    /// Asks the server to stop; with its jobs, if `jobs`. False if it stops already.
    pub fn stop(&self, jobs: bool) -> bool {
        self.draining.store(true, Ordering::Relaxed);
        self.shutdown.send(jobs).is_ok()
    }

    /// Notes that somebody uses the server.
    pub fn touch(&self) {
        self.last_request_ms.store(crate::os::now().as_millisecond(), Ordering::Relaxed);
    }
}
