//! What tells one process, one boot, one machine and one folder from another.
//! A process id alone is never believed: ids are reused.

use super::Deadline;
use rustix::event::{PollFd, PollFlags};
use rustix::process::{Pid, PidfdFlags};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// A folder's identity: it differs between a folder and its copy, and stays
/// when the folder is renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirId {
    /// Device number (`st_dev`). Network mounts and reboots may change it.
    pub dev: u64,
    /// Inode number (`st_ino`).
    pub ino: u64,
}

impl DirId {
    /// The identity of the folder that `path` leads to now.
    pub fn of(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(DirId { dev: meta.dev(), ino: meta.ino() })
    }
}

impl fmt::Display for DirId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.dev, self.ino)
    }
}

/// The machine and the boot we run in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Host name (`uname -n`); containers usually have one of their own.
    pub host: String,
    /// The kernel's random id of this boot.
    pub boot_id: String,
}

impl Machine {
    /// This machine.
    pub fn this() -> io::Result<Self> {
        Ok(Machine {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot_id: std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned(),
        })
    }
}

/// A process of the current boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProcessId {
    /// Process id.
    pub pid: u32,
    /// Start time in clock ticks since boot: field 22 of `/proc/PID/stat`.
    pub start_time: u64,
}

/// Whether a process is still the one that was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// No process has this id.
    Gone,
    /// It has ended and its parent has not collected it yet.
    Zombie,
    /// Another process has got its id.
    Reused,
}

/// What `/proc/PID/stat` says.
struct Stat {
    dead: bool,
    start_time: u64,
}

fn stat(pid: u32) -> io::Result<Option<Stat>> {
    let bytes = match std::fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) => bytes,
        // ESRCH: the process ended between open and read.
        Err(e)
            if e.kind() == io::ErrorKind::NotFound
                || e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) =>
        {
            return Ok(None)
        }
        Err(e) => return Err(e),
    };
    parse_stat(&bytes)
        .map(Some)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "unreadable /proc/PID/stat"))
}

fn parse_stat(bytes: &[u8]) -> Option<Stat> {
    // The second field is the command name in parentheses; it may itself hold
    // blanks and parentheses, hence the search from the end.
    let end_of_name = bytes.iter().rposition(|&b| b == b')')?;
    let rest = std::str::from_utf8(&bytes[end_of_name + 1..]).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let state = fields.next()?;
    let start_time = fields.nth(18)?.parse().ok()?;
    Some(Stat { dead: matches!(state, "Z" | "X" | "x"), start_time })
}

impl ProcessId {
    /// The calling process.
    pub fn current() -> io::Result<Self> {
        let pid = std::process::id();
        Self::of(pid)?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "/proc does not show this process; is /proc mounted?")
        })
    }

    /// The process that has the id `pid` now, ended or not; `None` if there is
    /// none.
    pub fn of(pid: u32) -> io::Result<Option<Self>> {
        Ok(stat(pid)?.map(|s| ProcessId { pid, start_time: s.start_time }))
    }

    /// Whether this very process still runs.
    pub fn liveness(&self) -> io::Result<Liveness> {
        Ok(match stat(self.pid)? {
            None => Liveness::Gone,
            Some(s) if s.start_time != self.start_time => Liveness::Reused,
            Some(s) if s.dead => Liveness::Zombie,
            Some(_) => Liveness::Alive,
        })
    }

    /// Waits until this process has ended, collected by its parent or not.
    /// `false` means that the deadline came first.
    pub fn wait_exit(&self, deadline: &Deadline) -> io::Result<bool> {
        // Open first, look second: the descriptor then surely means the process
        // whose start time was seen.
        let pidfd = self.pidfd();
        loop {
            if self.liveness()? != Liveness::Alive {
                return Ok(true);
            }
            if deadline.expired() {
                return Ok(false);
            }
            match &pidfd {
                Some(fd) => wait_readable(fd, deadline)?,
                // Kernels without pidfd_open, or a sandbox that refuses it.
                None => deadline.pause(Duration::from_millis(20)),
            }
        }
    }

    /// Tells this very process to end; false if it has ended.
    ///
    /// # Errors
    /// It cannot be told.
    pub fn terminate(&self) -> io::Result<bool> {
        // The descriptor pins the process; only then is its start time compared.
        let Some(fd) = self.pidfd() else { return Ok(false) };
        if self.liveness()? != Liveness::Alive {
            return Ok(false);
        }
        rustix::process::pidfd_send_signal(&fd, rustix::process::Signal::TERM)?;
        Ok(true)
    }

    fn pidfd(&self) -> Option<OwnedFd> {
        let pid = Pid::from_raw(i32::try_from(self.pid).ok()?)?;
        rustix::process::pidfd_open(pid, PidfdFlags::empty()).ok()
    }
}

/// Waits until `fd` is readable or at its end, or the deadline has passed.
pub(super) fn wait_readable(fd: &impl std::os::fd::AsFd, deadline: &Deadline) -> io::Result<()> {
    let timeout = rustix::event::Timespec::try_from(deadline.remaining())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_name_may_hold_blanks_and_parentheses() {
        let line = b"42 (a) Z (b) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20 21\n";
        let stat = parse_stat(line).expect("parses");
        assert_eq!((stat.dead, stat.start_time), (false, 777));
    }

    #[test]
    fn a_zombie_is_dead_although_it_has_a_stat_file() {
        let line = b"42 (x) Z 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 777 20\n";
        assert!(parse_stat(line).expect("parses").dead);
    }

    #[test]
    fn this_process_is_alive_and_another_start_time_is_another_process() {
        let me = ProcessId::current().expect("own identity");
        assert_eq!(me.liveness().expect("liveness"), Liveness::Alive);
        let other = ProcessId { start_time: me.start_time + 1, ..me };
        assert_eq!(other.liveness().expect("liveness"), Liveness::Reused);
    }

    #[test]
    fn waiting_for_a_living_process_ends_at_the_deadline() {
        let me = ProcessId::current().expect("own identity");
        let deadline = Deadline::after(Duration::from_millis(30));
        assert!(!me.wait_exit(&deadline).expect("wait"));
        assert!(deadline.expired());
    }
}
