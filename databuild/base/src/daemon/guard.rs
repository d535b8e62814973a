//! Being the server: the lock, the announcement, and the regular look whether
//! both still hold.

use super::error::DaemonError;
use super::find::{origin, Origin};
use super::identity::{DirId, Machine};
use super::info::{ReadInfo, ServerInfo, LONGEST};
use super::state_dir::{StateDir, SERVER_JSON};
use super::token::Token;
use crate::os::{lock_holder, Deadline, LockFile, ProcessId, ProcessRecord};
use rustix::fs::{AtFlags, Mode, OFlags};
use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

/// How long a new server waits for its predecessor to let go.
pub const PREDECESSOR_WAIT: Duration = Duration::from_secs(10);

/// The right to be the server of a state folder; held for the server's life.
/// Dropping it removes `server.json`, if it is still this server's, and then
/// lets the lock go.
#[derive(Debug)]
pub struct ServerGuard {
    state: StateDir,
    /// The folder itself: it stays the same one when it is moved or replaced.
    dir: OwnedFd,
    me: ProcessId,
    here: Machine,
    published: Option<ServerInfo>,
    /// Files that are open for the server's life.
    watched: Vec<(PathBuf, DirId)>,
    _lock: LockFile,
}

/// What a server announces about itself.
#[derive(Clone, Debug)]
pub struct Publication {
    /// The HTTP address; a loopback one.
    pub address: SocketAddr,
    /// The Unix socket that has the same.
    pub socket: Option<PathBuf>,
    /// The bearer token.
    pub token: Token,
    /// DataBuild's version.
    pub version: String,
    /// SHA-256 of the executable, in hexadecimal.
    pub binary_sha256: String,
    /// Version of the protocol between client and server.
    pub protocol: u32,
    /// Where the server finds the code of jobs.
    pub code_store: PathBuf,
}

/// Whether the server still is the server.
#[derive(Debug)]
pub enum Ownership {
    /// It is.
    Mine,
    /// It is not: it must stop scheduling, end its jobs and exit.
    Lost(LostReason),
    /// The look failed for a reason that says nothing (no free descriptors,
    /// say). Look again later.
    Unknown(io::Error),
}

/// Why a server is not the server any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LostReason {
    /// The state folder was removed.
    #[error("the state folder was removed")]
    StateDirRemoved,
    /// The state folder was moved.
    #[error("the state folder was moved to {}", .to.display())]
    StateDirMoved {
        /// Where it is now.
        to: PathBuf,
    },
    /// A file that the server writes to was removed or replaced, and what it writes is lost.
    #[error("{} was removed or replaced", .path.display())]
    FileGone {
        /// Which.
        path: PathBuf,
    },
    /// `server.json` was removed.
    #[error("server.json was removed")]
    InfoRemoved,
    /// `server.json` is another server's, or nobody's.
    #[error("server.json was overwritten")]
    InfoReplaced,
}

impl ServerGuard {
    /// Becomes the server of `state`. A predecessor that is going down is waited
    /// for until `deadline` (usually [`PREDECESSOR_WAIT`] from now).
    pub fn acquire(state: &StateDir, deadline: &Deadline) -> Result<Self, DaemonError> {
        let here = Machine::this().map_err(DaemonError::io("read", "/proc"))?;
        let me = ProcessId::current().map_err(DaemonError::io("read", "/proc"))?;
        let before =
            match ServerInfo::read_raw(state).map_err(DaemonError::io("read", state.server_json()))? {
                ReadInfo::Info(info) => Some(info),
                ReadInfo::Absent | ReadInfo::Malformed(_) => None,
            };
        if let Some(info) = before {
            // Locks do not reliably reach over a network file system.
            if origin(&info, state.id(), &here) == Origin::OtherHost {
                return Err(DaemonError::OtherHost { info, server_json: state.server_json() });
            }
        }
        let lock = LockFile::acquire(&state.server_lock(), deadline)
            .map_err(DaemonError::io("lock", state.server_lock()))?
            .ok_or_else(|| DaemonError::LockHeld {
                holder: lock_holder(&state.server_lock()).ok().flatten().map(|holder| holder.pid),
                lock: state.server_lock(),
            })?;
        // A server that hangs before it has published itself can be found by this.
        let holder = ProcessRecord { pid: me.pid, start_time: me.start_time, boot_id: here.boot_id.clone() };
        if let Err(error) = lock.sign(&holder) {
            tracing::warn!(%error, "the lock does not say whose it is");
        }
        if let Err(error) = state.take_log(std::io::stderr()) {
            tracing::warn!(%error, "the logs of earlier servers cannot be put away");
        }
        let dir = rustix::fs::open(
            state.path(),
            OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )
        .map_err(|e| DaemonError::io("open", state.path())(e.into()))?;
        Ok(ServerGuard {
            state: state.clone(),
            dir,
            me,
            here,
            published: None,
            watched: Vec::new(),
            _lock: lock,
        })
    }

    /// The state folder this server owns.
    pub fn state(&self) -> &StateDir {
        &self.state
    }

    /// Writes `server.json`. To be called once the server accepts connections;
    /// then tell the ready pipe.
    pub fn publish_info(&mut self, what: Publication) -> Result<ServerInfo, DaemonError> {
        let now = crate::os::now();
        let workspace = self.state.workspace().path().to_owned();
        let info = ServerInfo {
            pid: self.me.pid,
            start_time: self.me.start_time,
            boot_id: self.here.boot_id.clone(),
            host: self.here.host.clone(),
            address: what.address,
            socket: what.socket,
            token: what.token,
            version: what.version,
            binary_sha256: what.binary_sha256,
            protocol: what.protocol,
            workspace_root: workspace.clone(),
            workspace,
            state_dir: self.state.id(),
            started_at_ms: u64::try_from(now.as_millisecond()).unwrap_or_default(),
            started_at: now.to_string(),
            port: what.address.port(),
            code_store: Some(what.code_store),
        };
        info.write(&self.state).map_err(DaemonError::io("write", self.state.server_json()))?;
        self.published = Some(info.clone());
        Ok(info)
    }

    /// Watches files that this server has open and that nobody else may remove or replace.
    pub fn watch(&mut self, files: impl IntoIterator<Item = PathBuf>) {
        self.watched.extend(files.into_iter().filter_map(|path| {
            let id = DirId::of(&path).ok()?;
            Some((path, id))
        }));
    }

    /// Whether this process still is the server. Cheap; to be called every
    /// second or two.
    pub fn still_mine(&self) -> Ownership {
        match self.look() {
            Ok(None) => Ownership::Mine,
            Ok(Some(reason)) => Ownership::Lost(reason),
            Err(error) => Ownership::Unknown(error),
        }
    }

    fn look(&self) -> io::Result<Option<LostReason>> {
        let at_path = match DirId::of(self.state.path()) {
            Ok(id) => Some(id),
            Err(e) if is_absent(&e) => None,
            Err(e) => return Err(e),
        };
        if at_path != Some(self.state.id()) {
            return self.where_it_went().map(Some);
        }
        for (path, id) in &self.watched {
            match DirId::of(path) {
                Ok(now) if now == *id => {}
                Err(e) if !is_absent(&e) => return Err(e),
                _ => return Ok(Some(LostReason::FileGone { path: path.clone() })),
            }
        }
        if self.published.is_none() {
            return Ok(None);
        }
        Ok(match self.announced()? {
            ReadInfo::Absent => Some(LostReason::InfoRemoved),
            ReadInfo::Malformed(_) => Some(LostReason::InfoReplaced),
            ReadInfo::Info(info) if !self.is_mine(&info) => Some(LostReason::InfoReplaced),
            ReadInfo::Info(_) => None,
        })
    }

    /// Our folder is not at its path any more: is it elsewhere, or gone?
    fn where_it_went(&self) -> io::Result<LostReason> {
        if rustix::fs::fstat(&self.dir)?.st_nlink == 0 {
            return Ok(LostReason::StateDirRemoved);
        }
        use std::os::fd::AsRawFd;
        let to = std::fs::read_link(format!("/proc/self/fd/{}", self.dir.as_raw_fd()))?;
        // Some file systems (overlayfs, btrfs) do not count links of folders.
        if DirId::of(&to).ok() == Some(self.state.id()) {
            Ok(LostReason::StateDirMoved { to })
        } else {
            Ok(LostReason::StateDirRemoved)
        }
    }

    fn announced(&self) -> io::Result<ReadInfo> {
        let fd = match rustix::fs::openat(
            &self.dir,
            SERVER_JSON,
            // A pipe is not waited for.
            OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY,
            Mode::empty(),
        ) {
            Ok(fd) => fd,
            Err(rustix::io::Errno::NOENT) => return Ok(ReadInfo::Absent),
            // A symbolic link: not what we wrote.
            Err(rustix::io::Errno::LOOP) => return Ok(ReadInfo::Malformed(String::new())),
            Err(e) => return Err(e.into()),
        };
        let mut bytes = Vec::new();
        let file = File::from(fd);
        if !file.metadata()?.is_file() {
            return Ok(ReadInfo::Malformed(String::new()));
        }
        file.take(LONGEST).read_to_end(&mut bytes)?;
        Ok(ServerInfo::parse(&bytes))
    }

    fn is_mine(&self, info: &ServerInfo) -> bool {
        info.process() == self.me && info.boot_id == self.here.boot_id
    }
}

impl Drop for ServerGuard {
    fn drop(&mut self) {
        // Not in a forked child: the file is its parent's.
        if self.published.is_none() || self.me.pid != std::process::id() {
            return;
        }
        if let Ok(ReadInfo::Info(info)) = self.announced() {
            if self.is_mine(&info) {
                // Nothing depends on it: what stays behind is seen to be stale.
                let _ = rustix::fs::unlinkat(&self.dir, SERVER_JSON, AtFlags::empty());
            }
        }
    }
}

fn is_absent(e: &io::Error) -> bool {
    matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
