//! What can go wrong on either side of the runner's socket.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// An error of the runner or of its client. [`RunnerError::code`] is stable.
#[derive(Debug, Error)]
pub enum RunnerError {
    /// A Unix socket's path does not fit into the kernel's address.
    #[error(
        "the runner's socket path {path} has {length} bytes, Unix sockets allow {limit}; \
         set XDG_RUNTIME_DIR to a shorter folder",
        path = path.display()
    )]
    SocketPathTooLong {
        /// The path asked for.
        path: PathBuf,
        /// Its length in bytes.
        length: usize,
        /// The longest length allowed.
        limit: usize,
    },

    /// A path that must be absolute is not.
    #[error("the runner needs an absolute path, got {}", .0.display())]
    RelativePath(PathBuf),

    /// The runtime folder belongs to somebody else or is open to others.
    #[error("the runner's folder {path} is not safe to use: {why}; remove it or set XDG_RUNTIME_DIR", path = path.display())]
    UnsafeFolder {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },

    /// The state folder around the spool was moved or removed.
    #[error("the folder of {} is not there any more", .0.display())]
    FolderGone(PathBuf),

    /// Another runner holds the spool.
    #[error("another runner already owns the spool {}", .0.display())]
    SpoolInUse(PathBuf),

    /// A runner holds the spool's lock, but does not answer on its socket.
    #[error(
        "a runner (pid {pid}) owns the spool {spool} but does not answer on {socket}: {why}; \
         if it is stuck, end that process and try again",
        pid = pid.map_or_else(|| "unknown".to_owned(), |pid| pid.to_string()),
        spool = spool.display(),
        socket = socket.display()
    )]
    Unreachable {
        /// The runner's process id, if it lives as its record says; else somebody else holds the spool's lock.
        pid: Option<u32>,
        /// The spool folder.
        spool: PathBuf,
        /// The socket tried.
        socket: PathBuf,
        /// The last failure seen.
        why: String,
    },

    /// A newly started runner ended or said no before it was ready.
    #[error("the runner did not start: {why}{}", log_note(.log))]
    DidNotStart {
        /// What it said, or how it ended.
        why: String,
        /// The end of its log; may be empty.
        log: String,
    },

    /// The two sides speak different versions of the protocol.
    #[error(
        "the running runner speaks protocol {theirs}, this program speaks {ours}; end it by `databuild stop --jobs`"
    )]
    ProtocolMismatch {
        /// This program's version.
        ours: u32,
        /// The runner's version.
        theirs: u32,
    },

    /// The other side sent something that is not the protocol.
    #[error("the runner's connection carried something unexpected: {0}")]
    Malformed(String),

    /// The connection to the runner is gone.
    #[error("the runner is gone: {0}")]
    Disconnected(String),

    /// A name that cannot be an attempt's.
    #[error("{0:?} is not an attempt name: 1 to 100 characters of a-z, 0-9 and '-' are allowed")]
    BadAttemptName(String),

    /// A system call on something failed.
    #[error("{what} failed for {path}: {source}", path = path.display())]
    Io {
        /// What was being done.
        what: &'static str,
        /// To which file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },

    /// A system call on the process itself failed.
    #[error("{what} failed: {source}")]
    System {
        /// What was being done.
        what: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl RunnerError {
    /// The stable code of this error, for `--json` and the HTTP API.
    pub fn code(&self) -> &'static str {
        match self {
            Self::SocketPathTooLong { .. } => "runner_socket_path_too_long",
            Self::RelativePath(_) => "runner_relative_path",
            Self::UnsafeFolder { .. } => "runner_unsafe_folder",
            Self::FolderGone(_) => "runner_folder_gone",
            Self::SpoolInUse(_) => "runner_spool_in_use",
            Self::Unreachable { .. } => "runner_unreachable",
            Self::DidNotStart { .. } => "runner_did_not_start",
            Self::ProtocolMismatch { .. } => "runner_protocol_mismatch",
            Self::Malformed(_) => "runner_malformed",
            Self::Disconnected(_) => "runner_disconnected",
            Self::BadAttemptName(_) => "runner_bad_attempt_name",
            Self::Io { .. } => "runner_io",
            Self::System { .. } => "runner_system",
        }
    }

    pub(super) fn io(what: &'static str, path: impl Into<PathBuf>, source: impl Into<io::Error>) -> Self {
        Self::Io { what, path: path.into(), source: source.into() }
    }

    pub(super) fn system(what: &'static str, source: impl Into<io::Error>) -> Self {
        Self::System { what, source: source.into() }
    }
}

fn log_note(log: &str) -> String {
    if log.trim().is_empty() {
        String::new()
    } else {
        format!("\nthe end of its log:\n{}", log.trim_end())
    }
}
