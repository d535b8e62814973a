//! The client's way to a server: try, lock, try again, start.

use super::constraints::{Constraints, RestartReason};
use super::detach::{launch, Launch, Readiness};
use super::error::DaemonError;
use super::find::{find, Found, NotRunning};
use super::info::ServerInfo;
use super::state_dir::StateDir;
use crate::os::{Deadline, LockFile};
use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::time::Duration;

/// How many lines of a failed server's log are shown.
const TAIL_LINES: usize = 20;

/// Pause between two looks at a server that is starting or stopping.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// A question to a running server. The error is text for the user.
pub type Ask<'a> = &'a dyn Fn(&ServerInfo) -> Result<(), String>;

/// What [`connect_or_start`] needs to know.
pub struct StartOptions<'a> {
    /// Whose server.
    pub state: &'a StateDir,
    /// The executable of a new server; it must survive `bazel clean`.
    pub program: &'a Path,
    /// Its arguments.
    pub args: &'a [OsString],
    /// The caller's environment; only what [`super::environment`] allows is
    /// handed on.
    pub env: Vec<(OsString, OsString)>,
    /// What the server must be.
    pub constraints: &'a Constraints,
    /// When to give up.
    pub deadline: Deadline,
    /// Asks a server, with its token, whether it is well. It should fail within
    /// a second or two rather than wait for the deadline.
    pub probe: Ask<'a>,
    /// Asks a server to stop and hand over. A connection that ends without an
    /// answer is success: the server may be gone before it answers.
    pub ask_shutdown: Ask<'a>,
}

/// A server that answers.
#[derive(Debug)]
pub struct Started {
    /// The server.
    pub info: ServerInfo,
    /// How it came about.
    pub how: How,
}

/// How a server came about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum How {
    /// It was there.
    AlreadyRunning,
    /// It was started, because there was none for this reason.
    Started(NotRunning),
    /// It was started after another one was asked to go, for this reason.
    Restarted(RestartReason),
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::AlreadyRunning => f.write_str("the server was running"),
            How::Started(reason) => write!(f, "started the server: {reason}"),
            How::Restarted(reason) => write!(f, "restarted the server: {reason}"),
        }
    }
}

/// Finds the server of a state folder, or starts it. Any number of callers at
/// once end with the same server.
pub fn connect_or_start(options: &StartOptions<'_>) -> Result<Started, DaemonError> {
    if let Found::Running(info) = find(options.state, options.probe)? {
        if options.constraints.mismatch(&info).is_none() {
            return Ok(already_running(*info));
        }
    }
    let start_lock = options.state.start_lock();
    // Held to the end of this function, so that whoever gets it next finds a
    // server that answers.
    let _lock = LockFile::acquire(&start_lock, &options.deadline)
        .map_err(DaemonError::io("lock", &start_lock))?
        .ok_or_else(|| DaemonError::StartLockTimeout {
            waited: options.deadline.whole(),
            lock: start_lock.clone(),
        })?;
    let how = loop {
        match find(options.state, options.probe)? {
            Found::Running(info) => match options.constraints.mismatch(&info) {
                None => return Ok(already_running(*info)),
                Some(reason) => {
                    hand_over(options, info, &reason)?;
                    break How::Restarted(reason);
                }
            },
            Found::Moved(info) => {
                let reason = RestartReason::WorkspaceMoved {
                    from: info.workspace.clone(),
                    to: options.state.workspace().path().to_owned(),
                };
                hand_over(options, info, &reason)?;
                break How::Restarted(reason);
            }
            Found::OtherHost(info) => {
                return Err(DaemonError::OtherHost { info, server_json: options.state.server_json() })
            }
            Found::NotAnswering { info, error } => {
                if options.deadline.expired() {
                    return Err(DaemonError::NotAnswering { info, error });
                }
                options.deadline.pause(LOOK_AGAIN);
            }
            Found::None(reason) => break How::Started(reason),
        }
    };
    // One that was killed while it started is followed by another; two in a row are no accident.
    match start(options, how.clone())? {
        Ok(started) => Ok(started),
        Err(_) => start(options, how)?.map_err(|message| start_failed(options.state, message)),
    }
}

fn already_running(info: ServerInfo) -> Started {
    Started { info, how: How::AlreadyRunning }
}

/// Asks a server to go and waits until it has gone. Its running work stays with
/// the runner, a process of its own.
fn hand_over(
    options: &StartOptions<'_>,
    info: Box<ServerInfo>,
    reason: &RestartReason,
) -> Result<(), DaemonError> {
    let asked = (options.ask_shutdown)(&info).err();
    let gone = info
        .process()
        .wait_exit(&options.deadline)
        .map_err(DaemonError::io("wait for", format!("/proc/{}", info.pid)))?;
    if gone {
        return Ok(());
    }
    Err(DaemonError::HandOverTimeout {
        info,
        reason: reason.to_string(),
        asked,
        waited: options.deadline.whole(),
    })
}

/// Starts a server; the caller holds `start.lock` and has seen none. The inner error is that it ended without a word, as one
/// does that is killed.
fn start(options: &StartOptions<'_>, how: How) -> Result<Result<Started, String>, DaemonError> {
    let state = options.state;
    let log = state.fresh_log().map_err(DaemonError::io("open", state.starting_log()))?;
    let ready = launch(Launch {
        program: options.program,
        args: options.args,
        env: &options.env,
        cwd: state.workspace().path(),
        log,
    })
    .map_err(DaemonError::io("start", options.program))?;
    let message = match ready
        .wait(&options.deadline)
        .map_err(DaemonError::io("read the ready pipe of", options.program))?
    {
        Readiness::Ready => return answering(options, how),
        Readiness::Failed(message) => Err(message),
        Readiness::Ended => Ok("it ended before it was ready".to_owned()),
        Readiness::TimedOut => {
            let (log, tail) = state.log_of_start(TAIL_LINES);
            return Err(DaemonError::StartTimeout { waited: options.deadline.whole(), log, tail });
        }
    };
    // A server in the foreground takes no start.lock: it may have been first.
    match find(state, options.probe)? {
        Found::Running(info) if options.constraints.mismatch(&info).is_none() => {
            Ok(Ok(already_running(*info)))
        }
        _ => message.map(Err).map_err(|said| start_failed(state, said)),
    }
}

/// Waits for the first answer of a server that has said it is ready. Whatever it
/// calls itself is accepted: it is the program that the caller wanted. Errors are as of [`start`].
fn answering(options: &StartOptions<'_>, how: How) -> Result<Result<Started, String>, DaemonError> {
    loop {
        match find(options.state, options.probe)? {
            Found::Running(info) => return Ok(Ok(Started { info: *info, how })),
            Found::NotAnswering { info, error } => {
                if options.deadline.expired() {
                    return Err(DaemonError::NotAnswering { info, error });
                }
                options.deadline.pause(LOOK_AGAIN);
            }
            Found::Moved(_) | Found::OtherHost(_) | Found::None(_) => {
                return Ok(Err("it was ready and ended at once".to_owned()))
            }
        }
    }
}

fn start_failed(state: &StateDir, message: String) -> DaemonError {
    let (log, tail) = state.log_of_start(TAIL_LINES);
    let full = if state.is_full() { "; there is no room left on the disk of the state folder" } else { "" };
    DaemonError::StartFailed { message: message + full, log, tail }
}
