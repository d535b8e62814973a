//! What the loop and its workers tell each other.
//!
//! The ground floor of the engine: code that sends or takes a message needs to know only this file.

use super::history::Told;
use super::orders::Reached;
use crate::executor::{AttemptName, ExitRecord, News, StartSpec};
use crate::os::EnvValue;
use crate::publish::Output;
use crate::store::{Checkpoint, EventLog, StoreError};
use databuild_core::decide::{AttemptEnd, AttemptReport, AttemptSpec, Input, Refusal, Reply};
use databuild_core::event::{AttemptOutcome, KeptAnswer, Origin, RequestKey};
use databuild_core::ids::{AttemptId, Seq};
use databuild_core::state::State;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;

/// Something for the loop.
pub(super) enum Message {
    /// A request that waits for its answer.
    Command(Box<Command>),
    /// Something that happened.
    Input(Box<Input>),
    /// News from the executor.
    News { connection: u64, news: News },
    /// The executor was looked for.
    Reached(Reached),
    /// Attempts that were leased may be started.
    Prepared(Vec<Prepared>),
    /// A checkpoint was encoded, or could not be.
    Encoded(Option<Checkpoint>),
    /// Something short to do with the log between turns.
    Log(LogWork),
    /// Finish and leave; running jobs go on under the runner, or are stopped.
    Stop { jobs: bool },
}

/// Tells by itself what came of it.
pub(super) type LogWork = Box<dyn FnOnce(&mut dyn EventLog) + Send>;

/// A request with what belongs to it.
pub(super) struct Command {
    pub(super) input: Input,
    /// Who asks, and how.
    pub(super) origin: Origin,
    /// Values of inherited environment variables, to be kept if the input is accepted.
    pub(super) inherited: Option<BTreeMap<String, EnvValue>>,
    /// The request is carried out once, whoever sends it again.
    pub(super) once: Option<Once>,
    pub(super) answer: Answer,
}

/// What is recorded together with what a request comes to.
pub(super) struct Once {
    /// The request's name.
    pub(super) key: RequestKey,
    /// What whoever sends it again is told, from the core's reply and the last event by then.
    pub(super) told: Telling,
}

/// Makes what is told again of the core's reply and the last event by then.
pub(super) type Telling = Box<dyn FnOnce(&Reply, Seq) -> Option<KeptAnswer> + Send>;

/// Gives the answer to the thread that waits for it.
pub(super) type Answer = Box<dyn FnOnce(Result<Reply, CommandError>) + Send>;

/// Why a command was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The core said no.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It could not be recorded.
    #[error("{message}")]
    Store {
        /// Stable name.
        code: &'static str,
        /// For people.
        message: String,
    },
    /// The server is going down.
    #[error("the server is shutting down; ask again")]
    ShuttingDown,
    /// Too many commands wait for their answers.
    #[error("the server has as many commands to carry out as it takes; ask again")]
    Busy,
    /// A bug of ours.
    #[error("{0}; see the server's log")]
    Internal(&'static str),
}

impl CommandError {
    /// Stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            CommandError::Refused(refusal) => refusal.code(),
            CommandError::Store { code, .. } => code,
            CommandError::ShuttingDown => "shutting_down",
            CommandError::Busy => "server_busy",
            CommandError::Internal(_) => "internal",
        }
    }

    /// The core gave another answer than to what was asked.
    pub fn wrong_reply(reply: &Reply) -> CommandError {
        tracing::error!(?reply, "an answer to something else");
        CommandError::Internal("the server answered something else than was asked")
    }
}

impl From<tokio::task::JoinError> for CommandError {
    /// Of work on a thread of its own.
    fn from(error: tokio::task::JoinError) -> CommandError {
        if error.is_panic() {
            CommandError::Internal("the request's work panicked")
        } else {
            CommandError::ShuttingDown
        }
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> CommandError {
        CommandError::Store { code: error.code(), message: error.to_string() }
    }
}

/// Something that needs a look.
pub(super) enum LookOrder {
    /// An attempt was leased.
    Start(Lease),
    /// An attempt has ended that read what others have to be asked about.
    Ended(Box<EndedAttempt>),
}

/// A lease that was decided. It may still be on its way to the disk.
pub(super) struct Lease {
    pub(super) spec: Box<AttemptSpec>,
    /// The turn of the loop that decided it.
    pub(super) turn: u64,
    /// The state after that turn.
    pub(super) state: Arc<State>,
    /// What that turn says of data.
    pub(super) told: Arc<Told>,
}

/// What came of preparing an attempt.
pub(super) struct Prepared {
    pub(super) attempt: AttemptId,
    /// The turn that decided its lease.
    pub(super) turn: u64,
    /// What the runner is to be told, or how the attempt ended before it began.
    pub(super) start: Result<StartSpec, AttemptEnd>,
}

/// An attempt whose process is over.
#[derive(Debug)]
pub(super) struct EndedAttempt {
    pub(super) attempt: AttemptId,
    pub(super) exit: ExitRecord,
    /// The end that follows from the look at its inputs, if that is not the job's own end.
    pub(super) asked: Option<Asked>,
    /// Set when nobody wants its outputs any more.
    pub(super) stop: Arc<AtomicBool>,
}

/// What others said of the inputs of an attempt when it had ended.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// They are not what the attempt was told.
    Moved(AttemptReport),
    /// They said nothing, so nobody knows.
    Nothing(AttemptReport),
}

impl Asked {
    pub(super) fn report(&self) -> &AttemptReport {
        let (Asked::Moved(report) | Asked::Nothing(report)) = self;
        report
    }
}

#[cfg(test)]
impl EndedAttempt {
    /// Nobody was asked about its inputs, and its outputs are wanted.
    pub(super) fn new(attempt: AttemptId, exit: ExitRecord) -> EndedAttempt {
        EndedAttempt { attempt, exit, asked: None, stop: Arc::default() }
    }
}

/// Something to be put in its place, or cleared away.
#[derive(Debug)]
pub(super) enum PublishOrder {
    /// All outputs of an attempt whose intent is durable; none for those that are not files.
    Publish {
        attempt: AttemptId,
        /// By partition.
        outputs: Vec<(String, Option<Output>)>,
        /// A server before this one may have begun.
        again: bool,
    },
    /// Staging of an attempt that is over, which is durable.
    Clear { attempt: AttemptId },
}

pub(super) fn attempt_id(name: &AttemptName) -> Option<AttemptId> {
    name.as_str().parse().ok()
}

/// The end of an attempt that never ran as far as anybody knows.
pub(super) fn lost(message: String) -> AttemptEnd {
    AttemptEnd::without_process(AttemptReport::new(AttemptOutcome::Lost, message))
}
