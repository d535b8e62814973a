//! What all handlers share.

use super::flights::Flights;
use super::guard::Guard;
use super::lanes::{Lanes, Load};
use super::measures::Requests;
use super::stream::Stream;
use crate::api::{Idle, ReadLane, ServerStatus};
use crate::app::{server, AppError, Backend};
use crate::store::History;
use jiff::{SignedDuration, Timestamp};
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
    /// Requests with a name that are being carried out.
    pub flights: Arc<Flights>,
}

impl App {
    /// Asks the server to stop; with its jobs, if `jobs`. False if it stops already.
    pub fn stop(&self, jobs: bool) -> bool {
        self.draining.store(true, Ordering::Relaxed);
        self.shutdown.send(jobs).is_ok()
    }

    /// What the server is, has and does, with what only who serves it knows.
    pub(super) async fn status(&self) -> Result<ServerStatus, AppError> {
        let lane = |(name, load): (&str, Load)| {
            let Load { size, in_use, waiting } = load;
            ReadLane { name: name.to_owned(), size, in_use, waiting }
        };
        let reads = self.lanes.loads().map(lane).into();
        let status = server::status(self).await?;
        let used = self.last_request_ms.load(Ordering::Relaxed);
        let used = Timestamp::from_millisecond(used).ok().filter(|at| *at > Timestamp::UNIX_EPOCH);
        let idle = with_end(status.idle, used, self.backend.started_at);
        Ok(ServerStatus { reads, idle, ..status })
    }

    /// Notes that somebody uses the server.
    pub fn touch(&self) {
        self.last_request_ms.store(crate::os::now().as_millisecond(), Ordering::Relaxed);
    }
}

/// When a server ends that nobody uses: at the earliest, as work that ended later counts as use.
fn with_end(idle: Idle, used: Option<Timestamp>, started: Timestamp) -> Idle {
    let after = idle.after_seconds.and_then(|seconds| i64::try_from(seconds).ok());
    let after = after.filter(|_| idle.runs + idle.wants + idle.schedules == 0).map(SignedDuration::from_secs);
    let end = after.and_then(|after| used.unwrap_or(started).checked_add(after).ok());
    Idle { used_at: used.map(|at| at.to_string()), ends_at: end.map(|at| at.to_string()), ..idle }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_ends_after_its_last_use_unless_something_keeps_it_up() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let (started, used) = (at("2026-11-30T10:00:00Z"), at("2026-11-30T11:00:00Z"));
        let ends = |after, runs, used| {
            let idle = Idle { after_seconds: after, runs, ..Idle::default() };
            with_end(idle, used, started).ends_at
        };
        assert_eq!(ends(Some(3600), 0, Some(used)).as_deref(), Some("2026-11-30T12:00:00Z"));
        assert_eq!(ends(Some(3600), 0, None).as_deref(), Some("2026-11-30T11:00:00Z"));
        assert_eq!((ends(Some(3600), 1, Some(used)), ends(None, 0, Some(used))), (None, None));
    }
}
