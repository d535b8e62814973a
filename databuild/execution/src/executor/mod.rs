//! Who runs attempts: the duties of an executor, whatever it is made of.
//!
//! The engine above decides what is to run and judges what came of it. It knows no process, folder or socket: those are
//! the executor's. [`Local`] is the runner on this machine ([`crate::runner`]); a cluster would be another one. Each has
//! to pass the same suite (`contract`).
//!
//! What an executor has to do:
//!
//! 1. *The token comes before the submission.* An [`AttemptName`] is durable in the log before anybody hears of it, and is
//!    never used again for something else. Whatever id of its own the executor gives is a hint for people. So there is
//!    always a name to ask for, however a submission ended.
//! 2. *"Was it submitted?" has three answers*: it was, it was not, and nobody knows. A submission that fails says nothing
//!    ([`Unreachable`]); [`Executor::find`] tells later, and until it does, the attempt is not submitted again.
//! 3. *One token, one run.* What has begun is refused a second time ([`News::Refused`]), also by an executor that was
//!    restarted in between. The refusal says nothing of the first submission.
//! 4. *The end is the job's own record* ([`ExitRecord`]), written where the job ran and kept until it is forgotten. The
//!    executor's state only explains why there is none.
//! 5. *Unknown is no verdict.* What cannot be reached may go on ([`Standing::Unknown`]), and is asked about again. When an
//!    executor says that an attempt is lost or never began, it has made sure that nothing of it runs or begins later.
//! 6. *Canceling is a request*: the job is told to end, has its grace, and is killed then. The end is told like any other.
//! 7. *Time limits and memory* are held by the executor, with the precision that [`Capabilities`] says.
//! 8. *Many at a time.* All questions and orders are about many attempts, so that a cluster is asked once.
//!
//! News come by a callback ([`NewsSink`]) and not by asking: local jobs last a millisecond, and a place would be empty for
//! as long as it takes until somebody asks. An executor that can only ask does so in its own time, for all attempts at
//! once, and tells what has changed by the same callback.
//!
//! All calls but [`Executor::capabilities`] may take as long as the executor does. The engine makes them on threads that
//! nobody waits for.

pub mod fake;
mod kept;
mod local;
mod weave;

#[cfg(test)]
mod contract;

pub use crate::runner::{
    AttemptName, CheckExit, CheckSpec, ExitRecord, LogSize, MemoryLimits, Outcome, ResourceUse, StartSpec,
    Stream, TimedPiece, STOPPED,
};
pub use kept::Kept;
pub use local::{Connect, Local};
pub use weave::{LogPart, Piece, Weave, Woven};

use crate::publish::Swept;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Takes what an executor tells. Called by one thread at a time, in order; it must not wait for anything.
pub type NewsSink = Box<dyn Fn(News) + Send>;

/// What an executor tells by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The attempt has begun.
    Started {
        /// Which.
        attempt: AttemptName,
        /// A number by which people find it where it runs. Nothing follows from it.
        process: u32,
    },
    /// The attempt is over, and nothing of it runs any more.
    Ended {
        /// Which.
        attempt: AttemptName,
        /// How.
        exit: Box<ExitRecord>,
    },
    /// This submission was not accepted.
    Refused {
        /// Which.
        attempt: AttemptName,
        /// Stable name of the reason.
        code: String,
        /// In words.
        message: String,
    },
    /// The executor is out of sight; nothing follows on this connection.
    Gone {
        /// Why, as far as known.
        reason: String,
    },
}

/// Where an attempt is, as far as the executor can tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Accepted; it waits for a place.
    Queued,
    /// It runs.
    Running {
        /// As in [`News::Started`].
        process: u32,
    },
    /// It is over; this is its own record.
    Ended(Box<ExitRecord>),
    /// It has begun, nothing of it runs any more, and nobody knows how it ended.
    Lost,
    /// Nothing of it ever ran, and nothing will unless it is submitted.
    NeverBegan,
    /// It cannot be seen now. It may run.
    Unknown,
}

/// What an executor has when somebody gets in touch with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holdings {
    /// All that is queued, runs, or has ended and was not forgotten.
    pub attempts: Vec<(AttemptName, Standing)>,
    /// It takes nothing new, and tells when it has gone.
    pub leaving: bool,
}

/// Why an executor could not be spoken to. What it was given may go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Unreachable {
    /// Stable name.
    pub code: &'static str,
    /// For people.
    pub message: String,
}

/// What an executor can do, as it said when it was reached last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Who holds attempts to the memory that their jobs declare.
    pub memory: MemoryLimits,
    /// It runs checks of what a job made. One that does not would run the job and leave them out.
    pub checks: bool,
    /// Bytes that the requests of an attempt and of its checks may have together.
    pub most_request_bytes: usize,
    /// Who it is, for people; none while nobody is in sight, or if there is no process to name.
    pub who: Option<Who>,
}

/// The process that an executor is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Who {
    /// Its number.
    pub process: u32,
    /// Its program's version.
    pub version: String,
    /// Of what it and the server say to each other.
    pub protocol: u32,
}

/// A text that an attempt was given or has written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Text {
    /// What the job was asked.
    Request,
    /// What the job reports.
    Report,
    /// What a check was asked, by its place.
    CheckRequest(usize),
    /// What a check reports, by its place.
    CheckReport(usize),
}

/// Where a part of a log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFrom {
    /// So many bytes after its begin.
    Begin(u64),
    /// So many bytes before its end as it is now.
    End(u64),
}

/// Runs attempts. The duties stand [above](self).
pub trait Executor: Send + Sync {
    /// Gets in touch, starting whatever is needed, and gives what the executor has. News go to `news` from then on until
    /// [`News::Gone`]; an earlier connection of any server ends.
    ///
    /// # Errors
    /// It cannot be reached.
    fn connect(&self, news: NewsSink) -> Result<Holdings, Unreachable>;

    /// What it can do. Answers at once.
    fn capabilities(&self) -> Arc<Capabilities>;

    /// Hands attempts over, to begin in this order as there is room. What comes of each is news: it starts and ends, ends
    /// alone, or is refused.
    ///
    /// # Errors
    /// Nobody knows which of them were taken; [`Executor::find`] tells.
    fn submit(&self, attempts: &[StartSpec]) -> Result<(), Unreachable>;

    /// Where each of these attempts is; also the way to poll. It settles what it can: see the fifth duty.
    fn find(&self, attempts: &[AttemptName]) -> Vec<Standing>;

    /// Asks an attempt to end, wherever it is. Its record has the reason.
    ///
    /// # Errors
    /// It may not have been told.
    fn cancel(&self, attempt: &AttemptName, reason: &str) -> Result<(), Unreachable>;

    /// Ends an attempt that waits for a place, for this reason; one that has begun goes on. Where an executor cannot tell
    /// them apart it does nothing.
    ///
    /// # Errors
    /// It may not have been told.
    fn withdraw(&self, attempt: &AttemptName, reason: &str) -> Result<(), Unreachable>;

    /// Says that the ends of these attempts are durably recorded. Only what people may still read of them is kept, until
    /// it is [swept](Executor::sweep).
    ///
    /// # Errors
    /// It may not have been told.
    fn forget(&self, attempts: &[AttemptName]) -> Result<(), Unreachable>;

    /// Sets how many attempts run at once; 0 holds the queue.
    ///
    /// # Errors
    /// It may not have been told.
    fn set_slots(&self, slots: usize) -> Result<(), Unreachable>;

    /// Ends all attempts, those that wait among them, and the executor itself. The reason that their ends have is
    /// [`STOPPED`].
    ///
    /// # Errors
    /// It may not have been told.
    fn stop(&self) -> Result<(), Unreachable>;

    /// A text of an attempt with its first `most` bytes; none if there is none.
    ///
    /// # Errors
    /// It cannot be read, or something else is in its place.
    fn read(&self, attempt: &AttemptName, text: Text, most: u64) -> io::Result<Option<Vec<u8>>>;

    /// Where processes of the attempt find the job's report.
    fn report_path(&self, attempt: &AttemptName) -> PathBuf;

    /// What an attempt has printed, also while it runs: at most `most` bytes. None if nothing is kept of it: it has not
    /// begun, had nothing to say, or was swept.
    ///
    /// # Errors
    /// It cannot be read, or something else is in its place.
    fn log(
        &self,
        attempt: &AttemptName,
        stream: Stream,
        from: LogFrom,
        most: u64,
    ) -> io::Result<Option<LogPart>>;

    /// The same of both streams, in the order in which it came, to a millisecond where the machine is not busier than that.
    ///
    /// # Errors
    /// As [`Executor::log`].
    fn woven(&self, attempt: &AttemptName, asked: &Weave) -> io::Result<Option<Woven>>;

    /// Removes what is kept of attempts that are `over` and were not touched for `age`; with `dry_run` it only counts.
    fn sweep(&self, over: &dyn Fn(&AttemptName) -> bool, age: Duration, dry_run: bool) -> Swept;
}
