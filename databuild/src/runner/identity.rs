//! Telling a process from another one that was given the same number.
//!
//! A process is named by its number, its start time (field 22 of
//! `/proc/PID/stat`), and the boot it belongs to. A zombie keeps its stat file
//! and counts as dead.

use std::fs;
use std::io;

use rustix::process::{
    getpid, pidfd_open, pidfd_send_signal, test_kill_process_group, Pid, PidfdFlags, Signal,
};
use serde::{Deserialize, Serialize};

/// One process of one boot, even if its number is used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process number.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
    /// The kernel's id of the boot.
    pub boot_id: String,
}

/// What `/proc/PID/stat` says, as far as the runner cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStat {
    /// The state letter: `R`, `S`, `Z`, …
    pub state: u8,
    /// The parent's process number.
    pub parent: u32,
    /// The process group.
    pub group: u32,
    /// Its threads that are not gone.
    pub threads: u64,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
}

impl ProcessStat {
    /// Whether the process still runs: neither zombie nor dead.
    pub fn is_alive(&self) -> bool {
        // The first thread may be over while others still hold memory and files.
        !matches!(self.state, b'Z' | b'X' | b'x') || self.threads > 1
    }
}

impl ProcessIdentity {
    /// The calling process.
    pub fn current() -> io::Result<Self> {
        let pid = getpid().as_raw_nonzero().get().unsigned_abs();
        let stat = stat(pid)?.ok_or_else(|| io::Error::other("/proc has no entry for us"))?;
        Ok(Self { pid, start_time: stat.start_time, boot_id: boot_id()? })
    }

    /// Whether this very process is alive now; `boot_id` is the current boot.
    pub fn is_alive(&self, boot_id: &str) -> bool {
        self.boot_id == boot_id
            && matches!(stat(self.pid), Ok(Some(now))
                if now.is_alive() && now.start_time == self.start_time)
    }
}

/// The kernel's id of the current boot.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Reads `/proc/PID/stat`; `None` when there is no such process.
pub fn stat(pid: u32) -> io::Result<Option<ProcessStat>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) if is_being_reaped(&bytes) => Ok(None),
        Ok(bytes) => parse_stat(&bytes)
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is not readable as a stat"))),
        // ESRCH: the process went away between open and read.
        Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Whether a stat line is of a process whose parent just takes its status: it belongs to no group any more, and the kernel
/// writes -1 for that.
fn is_being_reaped(bytes: &[u8]) -> bool {
    let after_name = bytes.iter().rposition(|&byte| byte == b')').map_or(0, |at| at + 1);
    let mut fields = bytes[after_name..].split(u8::is_ascii_whitespace).filter(|field| !field.is_empty());
    fields.nth(2) == Some(b"-1")
}

/// Parses a stat line. The name in parentheses may hold anything, even
/// parentheses and newlines, so fields are counted from the last `)`.
/// Neither allocates nor panics: it also runs between clone and exec.
pub(super) fn parse_stat(bytes: &[u8]) -> Option<ProcessStat> {
    let after_name = bytes.iter().rposition(|&byte| byte == b')')? + 1;
    let mut fields =
        bytes.get(after_name..)?.split(|byte| byte.is_ascii_whitespace()).filter(|field| !field.is_empty());
    let state = *fields.next()?.first()?;
    let parent = number(fields.next()?)?;
    let group = number(fields.next()?)?;
    // Fields so far: 3 (state), 4 (parent), 5 (group); the number of threads is 20, the start time 22.
    let threads = number(fields.nth(14)?)?;
    let start_time = number(fields.nth(1)?)?;
    Some(ProcessStat {
        state,
        parent: u32::try_from(parent).ok()?,
        group: u32::try_from(group).ok()?,
        threads,
        start_time,
    })
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |sum, &digit| {
        digit.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))).flatten()
    })
}

/// Process numbers are positive and fit the kernel's type.
pub(super) fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Whether any process, zombies included, is in the group.
pub(super) fn group_exists(group: Pid) -> bool {
    // EPERM means that members exist which are not ours to signal.
    !matches!(test_kill_process_group(group), Err(rustix::io::Errno::SRCH))
}

/// Kills the process if it still is the one that started at `start_time`.
/// Returns whether a signal was sent.
pub(super) fn kill_if_same(pid: u32, start_time: u64) -> bool {
    let Some(raw) = to_pid(pid) else { return false };
    // The descriptor pins the process; only then is its start time compared.
    let Ok(fd) = pidfd_open(raw, PidfdFlags::empty()) else {
        return false;
    };
    match stat(pid) {
        Ok(Some(now)) if now.is_alive() && now.start_time == start_time => {
            pidfd_send_signal(&fd, Signal::KILL).is_ok()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_skipped() {
        let line = b"42 (a) b (c)) S 7 42 42 0 -1 1 2 3 4 5 6 7 8 9 10 11 1 0 987654 13\n";
        assert_eq!(
            parse_stat(line),
            Some(ProcessStat { state: b'S', parent: 7, group: 42, threads: 1, start_time: 987_654 })
        );
    }

    #[test]
    fn a_process_that_is_being_reaped_is_gone() {
        let line = |group| format!("42 (a) b) X 0 {group} -1 0 -1 4 0 0 0 0 0 0 0 0 20 0 0 0 987654 0\n");
        assert!(is_being_reaped(line("-1").as_bytes()));
        assert!(!is_being_reaped(line("42").as_bytes()));
        assert!(!is_being_reaped(b"") && !is_being_reaped(b"42 (x) S"));
    }

    #[test]
    fn torn_stats_are_refused() {
        for line in [&b""[..], b"42 (x", b"42 (x)", b"42 (x) S 1", b"42 (x) S a 1 1"] {
            assert_eq!(parse_stat(line), None);
        }
    }

    #[test]
    fn we_are_alive_in_this_boot_only() {
        let me = ProcessIdentity::current().unwrap();
        assert!(me.is_alive(&me.boot_id));
        assert!(!me.is_alive("another boot"));
        let reused = ProcessIdentity { start_time: me.start_time + 1, ..me.clone() };
        assert!(!reused.is_alive(&me.boot_id));
    }

    #[test]
    fn a_zombie_is_dead() {
        let mut child = std::process::Command::new("/bin/true").spawn().unwrap();
        // The end of its own pidfd says it has ended; nobody has waited yet.
        let fd = pidfd_open(to_pid(child.id()).unwrap(), PidfdFlags::empty()).unwrap();
        let mut fds = [rustix::event::PollFd::new(&fd, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut fds, None).unwrap();
        let seen = stat(child.id()).unwrap().unwrap();
        assert_eq!(seen.state, b'Z');
        assert!(!seen.is_alive());
        assert!(!kill_if_same(child.id(), seen.start_time));
        child.wait().unwrap();
        assert_eq!(stat(child.id()).unwrap(), None);
    }
}
