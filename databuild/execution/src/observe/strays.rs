//! Processes that observers leave behind in sessions of their own.
//!
//! They are known by the `DATABUILD_REQUEST` in their environment, which names a folder that no two observers under way share.

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::process::{getpid, pidfd_open, pidfd_send_signal, Pid, PidfdFlags, Signal};
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::os::{Environment, PROGRAM_CHANGE};

/// Looks until nothing is found, since what is found may start more; at most as often as this.
const LOOKS: usize = 100;
/// How long one that is killed may take to be gone. Only a disk or a network that hangs takes longer.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Kills all processes whose request is below a folder. `since` is when the first of them began, if that is known, in
/// clock ticks since boot: what is younger and cannot be read is looked at again.
pub fn kill_strays(folder: &Path, since: Option<u64>) {
    let until = Instant::now() + PROGRAM_CHANGE;
    let mut looks = 0;
    while looks < LOOKS {
        let (mut killed, mut unsure) = (false, false);
        for pid in pids() {
            match kin(pid, folder, since) {
                Kin::Stray if kill(pid, folder) => killed = true,
                // One that could not be killed may have turned into another program meanwhile.
                Kin::Stray | Kin::Unsure => unsure = true,
                Kin::Other => {}
            }
        }
        match (killed, unsure && Instant::now() < until) {
            (true, _) => looks += 1,
            (false, true) => std::thread::sleep(Duration::from_millis(1)),
            (false, false) => return,
        }
    }
    tracing::warn!(folder = %folder.display(), "an observer left processes that start others faster than they can be ended");
}

/// Ends what observers of a server that was killed have left, each of which had a folder of its own below `folder`.
pub fn end_left_over(folder: &Path) {
    // Who has none has left nobody; to look at every process there is takes longer than the rest of a start.
    let left: Vec<_> =
        fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    if left.is_empty() {
        return;
    }
    kill_strays(folder, None);
    for own in left {
        if let Err(error) = fs::remove_dir_all(&own) {
            tracing::warn!(%error, folder = %own.display(), "the folder of an observer that was left cannot be removed");
        }
    }
}

fn pids() -> impl Iterator<Item = Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?));
    pids.filter(|pid| *pid != getpid())
}

/// Whose a process is.
#[derive(PartialEq)]
enum Kin {
    /// An observer's that has this folder.
    Stray,
    /// Somebody else's.
    Other,
    /// It is being given another program: for a moment its environment cannot be read.
    Unsure,
}

fn kin(pid: Pid, folder: &Path, since: Option<u64>) -> Kin {
    let environment = Environment::of(pid.as_raw_nonzero().get().unsigned_abs());
    match environment.get("DATABUILD_REQUEST") {
        Some(request) if Path::new(request).starts_with(folder) => return Kin::Stray,
        _ => {}
    }
    match environment {
        // What is older is none of the observer's.
        Environment::Changing { start_time } if since.is_some_and(|since| since <= start_time) => Kin::Unsure,
        _ => Kin::Other,
    }
}

/// Kills a process, if it still is the one that was found, and waits until it is gone.
fn kill(pid: Pid, folder: &Path) -> bool {
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return false };
    if kin(pid, folder, None) != Kin::Stray || pidfd_send_signal(&process, Signal::KILL).is_err() {
        return false;
    }
    tracing::info!(pid = pid.as_raw_nonzero(), "ended a process that an observer left behind");
    let _ = poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&PATIENCE));
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::process::ExitStatusExt as _;
    use std::process::Command;

    #[test]
    fn the_next_server_ends_what_observers_of_a_killed_one_left() {
        let folder = tempfile::tempdir().unwrap();
        let observers = folder.path().join("observers");
        let own = observers.join("7");
        fs::create_dir_all(&own).unwrap();
        let mut left = Command::new("sleep");
        let mut left = left.arg("1000").env("DATABUILD_REQUEST", own.join("request.json")).spawn().unwrap();
        end_left_over(&observers);
        assert_eq!(left.wait().unwrap().signal(), Some(Signal::KILL.as_raw()));
        assert!(observers.exists() && !own.exists());
        end_left_over(&observers);
        end_left_over(&folder.path().join("never"));
    }
}
