//! The threads that work out answers, and the queues before them.
//!
//! Threads of our own, and not the runtime's blocking pool: that pool wakes one of its idle threads for each piece of
//! work, so that on a machine with few cores threads take turns for each request. A thread of a lane goes on with the next
//! piece as long as there is one.
//!
//! Invariants:
//! - A piece of work is begun or given up, never both, and is begun at most once.
//! - A lane holds its pieces in the order in which they came.
//! - Work that panics takes neither its thread nor its lane along.

use super::at_once::{AtOnce, THREADS};
use std::collections::VecDeque;
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::oneshot;

/// Threads for answers about one thing, at most: as many as there are cores, since more would take turns for each request.
const MOST_QUICK: usize = 8;
/// Threads for lists and counts.
pub(super) const SLOW: usize = 3;
/// Threads for answers for which external data or the logs of an executor are looked at. Mostly they wait for whoever was
/// asked.
pub(super) const LOOKING: usize = 8;
/// Connections to the log that requests need at once, at most.
pub const MOST_READERS: usize = THREADS + MOST_QUICK + SLOW + LOOKING;
/// How long a request waits until its work is begun.
const PATIENCE: Duration = Duration::from_secs(20);

/// The lanes of all requests.
#[derive(Debug)]
pub struct Lanes {
    /// For look-ups by id, on the threads of requests.
    pub(super) at_once: AtOnce,
    /// For answers about one thing.
    pub(super) quick: Lane,
    /// For lists and counts.
    pub(super) slow: Lane,
    /// For answers for which external data or the logs of an executor are looked at.
    pub(super) looking: Lane,
    /// How long a request waits until its work is begun.
    pub(super) patience: Duration,
}

impl Lanes {
    /// What each lane has to do, by name.
    pub(super) fn loads(&self) -> [(&'static str, Load); 3] {
        [("quick", self.quick.load()), ("slow", self.slow.load()), ("looking", self.looking.load())]
    }

    /// The lanes of a server, with their threads.
    ///
    /// # Errors
    /// The system has no more threads.
    pub fn start() -> std::io::Result<Lanes> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let quick = Lane::start("quick-reads", cores.clamp(2, MOST_QUICK))?;
        let slow = Lane::start("slow-reads", SLOW)?;
        let looking = Lane::start("looks", LOOKING)?;
        Ok(Lanes { at_once: AtOnce::new(THREADS), quick, slow, looking, patience: PATIENCE })
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// The work was not begun in time.
    Busy,
    /// The work panicked.
    Panicked,
}

type Work = Box<dyn FnOnce() + Send>;

/// What a lane has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    /// Its threads.
    pub(super) size: usize,
    /// Those that work.
    pub(super) in_use: usize,
    /// Pieces of work that no thread has begun.
    pub(super) waiting: usize,
}

/// Some threads with one queue. They end when it is dropped and the queue is empty.
#[derive(Debug)]
pub(super) struct Lane(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    threads: usize,
    queue: Mutex<Queue>,
    arrived: Condvar,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Work>,
    idle: usize,
    closed: bool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} waiting, {} idle", self.waiting.len(), self.idle)
    }
}

impl Lane {
    /// A lane with so many threads.
    ///
    /// # Errors
    /// The system has no more threads.
    pub(super) fn start(name: &str, threads: usize) -> std::io::Result<Lane> {
        let shared = Arc::new(Shared { threads, queue: Mutex::default(), arrived: Condvar::new() });
        let lane = Lane(Arc::clone(&shared));
        for _ in 0..threads {
            let shared = Arc::clone(&shared);
            std::thread::Builder::new().name(name.to_owned()).spawn(move || work_through(&shared))?;
        }
        Ok(lane)
    }

    /// How much it has to do.
    pub(super) fn load(&self) -> Load {
        let queue = self.0.queue();
        Load { size: self.0.threads, in_use: self.0.threads - queue.idle, waiting: queue.waiting.len() }
    }

    /// The answer of work that a thread of this lane does. It is not begun any more once `patience` has passed or the
    /// caller has left.
    ///
    /// # Errors
    /// See [`NoAnswer`].
    pub(super) async fn answer<T: Send + 'static>(
        &self,
        patience: Duration,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NoAnswer> {
        let (tell, mut answer) = oneshot::channel();
        let claim = Claim::default();
        let claimed = claim.clone();
        self.push(Box::new(move || {
            if claimed.take() {
                // Nobody listens any more if the caller left meanwhile.
                let _ = tell.send(work());
            }
        }));
        // Dropped with this future, it keeps the work from being begun.
        let waiting = Waiting(claim);
        let answer = match tokio::time::timeout(patience, &mut answer).await {
            Ok(answer) => answer,
            Err(_) if waiting.0.take() => return Err(NoAnswer::Busy),
            Err(_) => answer.await,
        };
        answer.map_err(|_| NoAnswer::Panicked)
    }

    fn push(&self, work: Work) {
        let mut queue = self.0.queue();
        queue.waiting.push_back(work);
        if queue.idle > 0 {
            self.0.arrived.notify_one();
        }
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.0.queue().closed = true;
        self.0.arrived.notify_all();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // The queue is whole at every point where a thread could panic.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn work_through(shared: &Shared) {
    let mut queue = shared.queue();
    loop {
        if let Some(work) = queue.waiting.pop_front() {
            drop(queue);
            // What the work held is dropped; its caller gets no answer and says so.
            let _ = catch_unwind(AssertUnwindSafe(work));
            queue = shared.queue();
        } else if queue.closed {
            return;
        } else {
            queue.idle += 1;
            queue = shared.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.idle -= 1;
        }
    }
}

/// Who may decide about a piece of work: the first who takes it.
#[derive(Debug, Clone, Default)]
struct Claim(Arc<AtomicBool>);

impl Claim {
    /// Whether nobody had taken it before.
    fn take(&self) -> bool {
        !self.0.swap(true, Ordering::AcqRel)
    }
}

/// Takes the claim when its caller leaves.
struct Waiting(Claim);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.take();
    }
}
