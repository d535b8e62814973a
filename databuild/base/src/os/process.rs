//! Telling a process from another one that was given the same number.
//!
//! A process is named by its number, its start time (field 22 of `/proc/PID/stat`), and the boot it belongs to. A number
//! alone is never believed, and a process is signaled only by a descriptor, after its start time was compared. A zombie
//! keeps its stat file and counts as dead.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::io::Errno;
use rustix::process::{pidfd_open, pidfd_send_signal, test_kill_process_group, Pid, PidfdFlags, Signal};
use serde::{Deserialize, Serialize};

use super::deadline::Deadline;

/// A process of the current boot, even if its number is used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessId {
    /// The process number.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
}

/// A process as it is written down, for readers that may belong to another boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessRecord {
    /// The process number.
    pub pid: u32,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
    /// The kernel's id of the boot.
    pub boot_id: String,
}

/// Whether a process is still the one that was meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// It runs.
    Alive,
    /// No process has this number.
    Gone,
    /// It has ended and its parent has not collected it yet.
    Zombie,
    /// Another process has got its number.
    Reused,
}

/// What `/proc/PID/stat` says, as far as anybody here cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProcessStat {
    /// The state letter: `R`, `S`, `Z`, …
    pub state: u8,
    /// The parent's process number.
    pub parent: u32,
    /// The process group.
    pub group: u32,
    /// The kernel's flags (`PF_...`).
    pub flags: u64,
    /// Its threads that are not gone.
    pub threads: u64,
    /// Start time in clock ticks since boot.
    pub start_time: u64,
    /// Where its environment begins in its memory; 0 if it is not set up yet, or not ours to know.
    pub env_start: u64,
    /// Where its environment ends.
    pub env_end: u64,
}

impl ProcessStat {
    /// Whether it has an environment or is about to have one. The kernel's threads and what has ended never have.
    pub fn may_have_environment(&self) -> bool {
        const KERNEL_THREAD: u64 = 0x0020_0000;
        let is_empty = self.env_start == self.env_end && self.env_start != 0;
        let has_ended = matches!(self.state, b'Z' | b'X' | b'x');
        !is_empty && !has_ended && self.flags & KERNEL_THREAD == 0
    }

    /// Whether the process still runs: neither zombie nor dead.
    pub fn is_alive(&self) -> bool {
        // The first thread may be over while others still hold memory and files.
        !matches!(self.state, b'Z' | b'X' | b'x') || self.threads > 1
    }
}

impl ProcessId {
    /// The calling process.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn current() -> io::Result<Self> {
        Self::of(std::process::id())?.ok_or_else(|| {
            io::Error::new(io::ErrorKind::NotFound, "/proc does not show this process; is /proc mounted?")
        })
    }

    /// The process that has this number now, ended or not; `None` if there is none.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn of(pid: u32) -> io::Result<Option<Self>> {
        Ok(stat(pid)?.map(|stat| ProcessId { pid, start_time: stat.start_time }))
    }

    /// Whether this very process still runs.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn liveness(&self) -> io::Result<Liveness> {
        Ok(match stat(self.pid)? {
            None => Liveness::Gone,
            Some(now) if now.start_time != self.start_time => Liveness::Reused,
            Some(now) if !now.is_alive() => Liveness::Zombie,
            Some(_) => Liveness::Alive,
        })
    }

    /// Whether it surely runs. What cannot be seen counts as gone.
    pub fn is_alive(&self) -> bool {
        self.liveness().is_ok_and(|liveness| liveness == Liveness::Alive)
    }

    /// Waits until this process has ended, collected by its parent or not. `false` means that the deadline came first.
    ///
    /// # Errors
    /// `/proc` cannot be read, or the process cannot be waited for.
    pub fn wait_exit(&self, deadline: &Deadline) -> io::Result<bool> {
        // Open first, look second: the descriptor then surely means the process whose start time was seen.
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
        self.signal(Signal::TERM)
    }

    /// Kills this very process; false if it has ended.
    ///
    /// # Errors
    /// It cannot be killed.
    pub fn kill(&self) -> io::Result<bool> {
        self.signal(Signal::KILL)
    }

    fn signal(&self, signal: Signal) -> io::Result<bool> {
        // The descriptor pins the process; only then is its start time compared.
        let Some(fd) = self.pidfd() else { return Ok(false) };
        if self.liveness()? != Liveness::Alive {
            return Ok(false);
        }
        pidfd_send_signal(&fd, signal)?;
        Ok(true)
    }

    fn pidfd(&self) -> Option<OwnedFd> {
        pidfd_open(to_pid(self.pid)?, PidfdFlags::empty()).ok()
    }
}

impl ProcessRecord {
    /// The calling process.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn current() -> io::Result<Self> {
        let ProcessId { pid, start_time } = ProcessId::current()?;
        Ok(Self { pid, start_time, boot_id: boot_id()? })
    }

    /// The process, if it is of the boot with this id; those of other boots are gone.
    #[must_use]
    pub fn in_boot(&self, boot_id: &str) -> Option<ProcessId> {
        (self.boot_id == boot_id).then_some(ProcessId { pid: self.pid, start_time: self.start_time })
    }

    /// Whether this very process surely runs now; `boot_id` is the current boot.
    #[must_use]
    pub fn is_alive(&self, boot_id: &str) -> bool {
        self.in_boot(boot_id).is_some_and(|process| process.is_alive())
    }
}

/// The kernel's id of the current boot.
///
/// # Errors
/// `/proc` cannot be read.
pub fn boot_id() -> io::Result<String> {
    Ok(fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

/// Reads `/proc/PID/stat`; `None` when there is no such process.
///
/// # Errors
/// It cannot be read, or has another form.
pub fn stat(pid: u32) -> io::Result<Option<ProcessStat>> {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) if is_being_reaped(&bytes) => Ok(None),
        Ok(bytes) => parse_stat(&bytes)
            .map(Some)
            .ok_or_else(|| io::Error::other(format!("/proc/{pid}/stat is not readable as a stat"))),
        // ESRCH: the process went away between open and read.
        Err(e) if e.kind() == io::ErrorKind::NotFound || Errno::from_io_error(&e) == Some(Errno::SRCH) => {
            Ok(None)
        }
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
pub fn parse_stat(bytes: &[u8]) -> Option<ProcessStat> {
    let after_name = bytes.iter().rposition(|&byte| byte == b')')? + 1;
    let mut fields =
        bytes.get(after_name..)?.split(|byte| byte.is_ascii_whitespace()).filter(|field| !field.is_empty());
    let state = *fields.next()?.first()?;
    let parent = number(fields.next()?)?;
    let group = number(fields.next()?)?;
    // Fields so far: 3 (state), 4 (parent), 5 (group). Flags are field 9, the number of threads is 20, the start time 22;
    // begin and end of the environment are 50 and 51.
    let flags = number(fields.nth(3)?)?;
    let threads = number(fields.nth(10)?)?;
    let start_time = number(fields.nth(1)?)?;
    let env_start = number(fields.nth(27)?)?;
    let env_end = number(fields.next()?)?;
    Some(ProcessStat {
        state,
        parent: u32::try_from(parent).ok()?,
        group: u32::try_from(group).ok()?,
        flags,
        threads,
        start_time,
        env_start,
        env_end,
    })
}

fn number(digits: &[u8]) -> Option<u64> {
    digits.iter().try_fold(0u64, |sum, &digit| {
        digit.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(u64::from(digit - b'0'))).flatten()
    })
}

/// The number as system calls take it; none if it is no process number.
pub fn to_pid(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Whether any process, zombies included, is in the group.
pub fn group_exists(group: Pid) -> bool {
    // EPERM means that members exist which are not ours to signal.
    !matches!(test_kill_process_group(group), Err(rustix::io::Errno::SRCH))
}

/// Waits until `fd` is readable or at its end, or the deadline has passed.
///
/// # Errors
/// It cannot be waited for.
pub fn wait_readable(fd: &impl AsFd, deadline: &Deadline) -> io::Result<()> {
    let timeout = rustix::event::Timespec::try_from(deadline.remaining())
        .map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut fds = [PollFd::new(fd, PollFlags::IN)];
    match rustix::event::poll(&mut fds, Some(&timeout)) {
        Ok(_) | Err(Errno::INTR) => Ok(()),
        Err(e) => Err(e.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_spaces_is_skipped() {
        let line = "42 (a) b (c)) S 7 42 42 0 -1 64 2 3 4 5 6 7 8 9 -10 11 1 0 987654 13".to_owned()
            + &" 0".repeat(26)
            + " 140000 140009 0\n";
        let stat = parse_stat(line.as_bytes()).unwrap();
        assert_eq!((stat.state, stat.parent, stat.group, stat.flags), (b'S', 7, 42, 64));
        assert_eq!((stat.threads, stat.start_time), (1, 987_654));
        assert_eq!((stat.env_start, stat.env_end), (140_000, 140_009));
    }

    #[test]
    fn who_is_between_programs_is_about_to_have_an_environment() {
        let of = |state, flags, env_start, env_end| {
            ProcessStat { state, parent: 1, group: 1, flags, threads: 1, start_time: 1, env_start, env_end }
                .may_have_environment()
        };
        let user = 0x0040_0000;
        assert!(of(b'R', user, 0, 0));
        assert!(of(b'S', user, 140_000, 140_009));
        assert!(!of(b'S', user, 140_000, 140_000));
        assert!(!of(b'S', user | 0x0020_0000, 0, 0));
        assert!(!of(b'Z', user, 0, 0));
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
        let me = ProcessRecord::current().unwrap();
        assert!(me.is_alive(&me.boot_id));
        assert!(!me.is_alive("another boot"));
        let reused = ProcessRecord { start_time: me.start_time + 1, ..me.clone() };
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
        let ended = ProcessId { pid: child.id(), start_time: seen.start_time };
        assert_eq!(ended.liveness().unwrap(), Liveness::Zombie);
        assert!(!ended.kill().unwrap());
        child.wait().unwrap();
        assert_eq!(stat(child.id()).unwrap(), None);
    }

    #[test]
    fn another_start_time_is_another_process() {
        let me = ProcessId::current().unwrap();
        assert_eq!(me.liveness().unwrap(), Liveness::Alive);
        let other = ProcessId { start_time: me.start_time + 1, ..me };
        assert_eq!(other.liveness().unwrap(), Liveness::Reused);
        assert!(!other.terminate().unwrap());
    }

    #[test]
    fn waiting_for_a_living_process_ends_at_the_deadline() {
        let me = ProcessId::current().unwrap();
        let deadline = Deadline::after(Duration::from_millis(30));
        assert!(!me.wait_exit(&deadline).unwrap());
        assert!(deadline.expired());
    }
}
