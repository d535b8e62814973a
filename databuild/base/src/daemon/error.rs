//! What can go wrong when finding, starting or being the server.

use super::info::ServerInfo;
use super::state_dir::StateDirError;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// A failure of the server's life cycle.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state folder cannot be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The server of this workspace runs on another machine.
    #[error(
        "the server of this workspace runs on host {:?}, or in another container there (process {}), and cannot be seen \
         from here; stop it there, or, if that machine is gone for good, remove {} and try again",
        .info.host, .info.pid, .server_json.display()
    )]
    OtherHost {
        /// What the other machine wrote.
        info: Box<ServerInfo>,
        /// The file that says so.
        server_json: PathBuf,
    },
    /// The server ended instead of becoming ready.
    #[error("the server did not start: {message}{}", shown_tail(.log, .tail))]
    StartFailed {
        /// What it said, or how it ended.
        message: String,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
    /// The server was neither ready nor gone in time.
    #[error(
        "the server was not ready after {} s; it may still be starting{}",
        .waited.as_secs(), shown_tail(.log, .tail)
    )]
    StartTimeout {
        /// The time given.
        waited: Duration,
        /// Its log.
        log: PathBuf,
        /// The end of its log.
        tail: String,
    },
    /// Another client holds the right to start.
    #[error(
        "another command has been starting the server for {} s and holds {}; try again, or end \
         that command",
        .waited.as_secs(), .lock.display()
    )]
    StartLockTimeout {
        /// The time given.
        waited: Duration,
        /// The lock.
        lock: PathBuf,
    },
    /// The server's process runs but does not answer.
    #[error(
        "the server (process {}) runs but does not answer: {error}; if it stays so, end it \
         with `kill -KILL {}` and try again; its jobs go on",
        .info.pid, .info.pid
    )]
    NotAnswering {
        /// The server.
        info: Box<ServerInfo>,
        /// What the last try met.
        error: String,
    },
    /// The server was asked to go and is still there.
    #[error(
        "the server (process {}) was asked to stop ({reason}) and still runs after {} s{}",
        .info.pid, .waited.as_secs(),
        .asked.as_ref().map(|e| format!("; asking it gave: {e}")).unwrap_or_default()
    )]
    HandOverTimeout {
        /// The server.
        info: Box<ServerInfo>,
        /// Why it was asked.
        reason: String,
        /// What asking met, if it failed.
        asked: Option<String>,
        /// The time given.
        waited: Duration,
    },
    /// Another server owns the state folder.
    #[error(
        "another server{} owns {}; use that server, or stop it first",
        .holder.map(|pid| format!(" (process {pid})")).unwrap_or_default(),
        .lock.display()
    )]
    LockHeld {
        /// The process named in `server.json`, if there is one.
        holder: Option<u32>,
        /// The lock.
        lock: PathBuf,
    },
    /// The system refused something.
    #[error("cannot {action} {}: {source}", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl DaemonError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            DaemonError::StateDir(e) => e.code(),
            DaemonError::OtherHost { .. } => "server_on_other_host",
            DaemonError::StartFailed { .. } => "server_start_failed",
            DaemonError::StartTimeout { .. } => "server_start_timeout",
            DaemonError::StartLockTimeout { .. } => "server_start_lock_timeout",
            DaemonError::NotAnswering { .. } => "server_not_answering",
            DaemonError::HandOverTimeout { .. } => "server_hand_over_timeout",
            DaemonError::LockHeld { .. } => "server_lock_held",
            DaemonError::Io { .. } => "daemon_io",
        }
    }

    /// For `map_err`.
    pub(super) fn io(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| DaemonError::Io { action, path, source }
    }
}

fn shown_tail(log: &std::path::Path, tail: &str) -> String {
    if tail.is_empty() {
        format!("; its log {} is empty", log.display())
    } else {
        format!("; its log {} ends with:\n{tail}", log.display())
    }
}
