//! Is there a server for this state folder?

use super::error::DaemonError;
use super::identity::{DirId, Machine};
use super::info::{ReadInfo, ServerInfo};
use super::state_dir::StateDir;
use crate::os::{lock_holder, Liveness, LockFile, ProcessId};
use std::fmt;

/// What the look at `server.json` found.
#[derive(Debug)]
pub enum Found {
    /// A server that runs and answers.
    Running(Box<ServerInfo>),
    /// A server that runs and does not answer: starting, stopping or stuck.
    NotAnswering {
        /// The server.
        info: Box<ServerInfo>,
        /// What the probe met.
        error: String,
    },
    /// A server that runs for this very state folder, which has been moved
    /// since: its paths lead nowhere.
    Moved(Box<ServerInfo>),
    /// A server that another machine started and that cannot be looked at from
    /// here. It must not be replaced.
    OtherHost(Box<ServerInfo>),
    /// No server.
    None(NotRunning),
}

/// Why there is no server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotRunning {
    /// No `server.json`.
    Absent,
    /// A `server.json` that no server wrote.
    Malformed(String),
    /// It was written before the machine was started last.
    OtherBoot,
    /// It came here with a copy of the folder; the original's server, if any,
    /// is not ours.
    CopiedState,
    /// Its process is gone.
    StalePid,
    /// Its process id belongs to another process now.
    ReusedPid,
    /// Its process has ended and waits to be collected.
    Zombie,
}

impl fmt::Display for NotRunning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NotRunning::Absent => "no server was running",
            NotRunning::Malformed(why) => {
                return write!(f, "server.json was unreadable: {why}");
            }
            NotRunning::OtherBoot => "the last server ended with the machine's restart",
            NotRunning::CopiedState => "the state folder is a copy and had no server of its own",
            NotRunning::StalePid | NotRunning::ReusedPid | NotRunning::Zombie => {
                "the last server ended without saying so"
            }
        })
    }
}

/// Looks for the server of `state`. `probe` asks the server described by its
/// argument, with its token, whether it is well; its error is text for the
/// user. It is called only for a living process.
pub fn find(
    state: &StateDir,
    probe: impl Fn(&ServerInfo) -> Result<(), String>,
) -> Result<Found, DaemonError> {
    let read_error = |e| DaemonError::io("read", state.server_json())(e);
    let info = match ServerInfo::read_raw(state).map_err(read_error)? {
        ReadInfo::Info(info) => info,
        ReadInfo::Absent => return Ok(Found::None(NotRunning::Absent)),
        ReadInfo::Malformed(why) => return Ok(Found::None(NotRunning::Malformed(why))),
    };
    let here = Machine::this().map_err(DaemonError::io("read", "/proc"))?;
    let id = state.current_id().map_err(DaemonError::io("look at", state.path()))?;
    match origin(&info, id, &here) {
        Origin::ThisBoot => {}
        Origin::OtherBoot => return Ok(Found::None(NotRunning::OtherBoot)),
        Origin::Copied => return Ok(Found::None(NotRunning::CopiedState)),
        Origin::OtherHost => return Ok(Found::OtherHost(info)),
    }
    let proc_error = DaemonError::io("read", format!("/proc/{}/stat", info.pid));
    let dead = match info.process().liveness().map_err(proc_error)? {
        Liveness::Alive => None,
        Liveness::Gone => Some(NotRunning::StalePid),
        Liveness::Reused => Some(NotRunning::ReusedPid),
        Liveness::Zombie => Some(NotRunning::Zombie),
    };
    if let Some(reason) = dead {
        // The same kernel, but in another container, or in another namespace of processes: those cannot be seen from here,
        // but their lock can. It is that server's, or, if the host has another name, anybody's there.
        let holder =
            lock_holder(&state.server_lock()).map_err(DaemonError::io("read", state.server_lock()))?;
        let unseen = reason != NotRunning::Zombie && holder.is_some_and(|holder| holder == info.record());
        if unseen || (info.host != here.host && is_locked(state)?) {
            return Ok(Found::OtherHost(info));
        }
        return Ok(Found::None(reason));
    }
    if has_moved(&info, state) {
        return Ok(Found::Moved(info));
    }
    Ok(match probe(&info) {
        Ok(()) => Found::Running(info),
        Err(error) => Found::NotAnswering { info, error },
    })
}

/// The process that owns the state folder, whether or not it has published itself; none if none does, or if it is another
/// machine's.
///
/// # Errors
/// The lock or `/proc` cannot be read.
pub fn owner(state: &StateDir) -> Result<Option<ProcessId>, DaemonError> {
    let holder = lock_holder(&state.server_lock()).map_err(DaemonError::io("read", state.server_lock()))?;
    let here = Machine::this().map_err(DaemonError::io("read", "/proc"))?;
    let Some(process) = holder.and_then(|holder| holder.in_boot(&here.boot_id)) else { return Ok(None) };
    let alive = process.liveness().map_err(DaemonError::io("read", format!("/proc/{}/stat", process.pid)))?;
    Ok((alive == Liveness::Alive).then_some(process))
}

/// Where a `server.json` comes from, as far as the file itself tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    ThisBoot,
    OtherBoot,
    Copied,
    OtherHost,
}

/// Judges a `server.json` found in the folder `id` on the machine `here`.
pub(super) fn origin(info: &ServerInfo, id: DirId, here: &Machine) -> Origin {
    if info.boot_id == here.boot_id {
        return if info.state_dir == id { Origin::ThisBoot } else { Origin::Copied };
    }
    if info.host == here.host {
        return Origin::OtherBoot;
    }
    // Another machine numbers its devices otherwise, but a folder shared over
    // the network has the same inode number on both.
    if info.state_dir.ino == id.ino {
        Origin::OtherHost
    } else {
        Origin::Copied
    }
}

/// Whether the workspace lies elsewhere than the server believes. A second path
/// to the same folder (a bind mount) is no move.
fn has_moved(info: &ServerInfo, state: &StateDir) -> bool {
    let here = state.workspace().path();
    info.workspace != here && DirId::of(&info.workspace).ok() != DirId::of(here).ok()
}

fn is_locked(state: &StateDir) -> Result<bool, DaemonError> {
    LockFile::try_acquire(&state.server_lock())
        .map(|lock| lock.is_none())
        .map_err(DaemonError::io("lock", state.server_lock()))
}
