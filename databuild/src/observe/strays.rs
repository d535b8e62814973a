//! Processes that observers leave behind in sessions of their own.
//!
//! They are known by the `DATABUILD_REQUEST` in their environment, which names a folder that no two observers under way share.

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::process::{getpid, pidfd_open, pidfd_send_signal, Pid, PidfdFlags, Signal};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Looks until nothing is found, since what is found may start more; at most as often as this.
const LOOKS: usize = 100;
/// How long one that is killed may take to be gone. Only a disk or a network that hangs takes longer.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Kills all processes whose request is below a folder.
pub fn kill_strays(folder: &Path) {
    for _ in 0..LOOKS {
        let mut killed = false;
        for pid in pids().filter(|pid| is_stray(*pid, folder)) {
            killed |= kill(pid, folder);
        }
        if !killed {
            return;
        }
    }
    tracing::warn!(folder = %folder.display(), "an observer left processes that start others faster than they can be ended");
}

fn pids() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| *pid != getpid())
}

fn is_stray(pid: Pid, folder: &Path) -> bool {
    // Of other users and of what has ended, nothing can be read.
    let Ok(environ) = fs::read(format!("/proc/{}/environ", pid.as_raw_nonzero())) else { return false };
    let request =
        environ.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(b"DATABUILD_REQUEST="));
    request.is_some_and(|request| Path::new(OsStr::from_bytes(request)).starts_with(folder))
}

/// Kills a process, if it still is the one that was found, and waits until it is gone.
fn kill(pid: Pid, folder: &Path) -> bool {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    if !is_stray(pid, folder) || pidfd_send_signal(&process, Signal::KILL).is_err() {
        return false;
    }
    tracing::info!(pid = pid.as_raw_nonzero(), "ended a process that an observer left behind");
    let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&PATIENCE));
    true
}
