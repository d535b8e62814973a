//! Processes that observers leave behind in sessions of their own.
//!
//! They are known by the `DATABUILD_REQUEST` in their environment, which names a folder that no two observers under way share.

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::process::{getpid, pidfd_open, pidfd_send_signal, Pid, PidfdFlags, Signal};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Looks until nothing is found, since what is found may start more; at most as often as this.
const LOOKS: usize = 100;
/// How long one that is killed may take to be gone. Only a disk or a network that hangs takes longer.
const PATIENCE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// How long a process may take from one program to the next one before it is left alone.
const CHANGE: Duration = Duration::from_millis(500);

/// Kills all processes whose request is below a folder. `since` is when the first of them began, if that is known, in
/// clock ticks since boot: what is younger and cannot be read is looked at again.
pub fn kill_strays(folder: &Path, since: Option<u64>) {
    let until = Instant::now() + CHANGE;
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
    /// It is being given another program (`execve`): for a moment nothing can be read of its environment.
    Unsure,
}

fn kin(pid: Pid, folder: &Path, since: Option<u64>) -> Kin {
    let of = |file: &str| format!("/proc/{}/{file}", pid.as_raw_nonzero());
    let environ = fs::read(of("environ")).unwrap_or_default();
    if !environ.ends_with(&[0]) {
        // Of other users nothing can be read; and of what is being given another program nothing, or only the beginning.
        let stat = fs::read_to_string(of("stat")).unwrap_or_default();
        let is_unsure = since.is_some_and(|since| has_environment(&stat, since));
        return if is_unsure { Kin::Unsure } else { Kin::Other };
    }
    let request =
        environ.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(b"DATABUILD_REQUEST="));
    match request.is_some_and(|request| Path::new(OsStr::from_bytes(request)).starts_with(folder)) {
        true => Kin::Stray,
        false => Kin::Other,
    }
}

/// Whether a process that began since then has, or is about to have, an environment, by its line of `/proc/PID/stat`.
/// Threads of the kernel and what has ended never have one.
fn has_environment(stat: &str, since: u64) -> bool {
    const KERNEL_THREAD: u64 = 0x0020_0000;
    let Some((_, rest)) = stat.rsplit_once(')') else { return false };
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    // Counted from the state, which is field 3: flags are field 9, the start is field 22, begin and end of the environment
    // are fields 50 and 51.
    let (Some(state), Some(flags), Some(start), Some(begin), Some(end)) =
        (fields.first(), fields.get(6), fields.get(19), fields.get(47), fields.get(48))
    else {
        return false;
    };
    if start.parse().is_ok_and(|start: u64| start < since) {
        return false;
    }
    let is_of_kernel = flags.parse().is_ok_and(|flags: u64| flags & KERNEL_THREAD != 0);
    let is_empty = begin == end && *begin != "0";
    !is_empty && !is_of_kernel && !matches!(*state, "Z" | "X" | "x")
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

    #[test]
    fn who_is_between_programs_is_about_to_have_an_environment() {
        let line = |state: &str, flags: u64, begin: u64, end: u64| {
            let (before, after) = ("0 ".repeat(12), "0 ".repeat(27));
            format!("7 (a b) c) {state} 1 1 1 0 -1 {flags} {before}500 {after}{begin} {end} 0\n")
        };
        let user = 0x0040_0000;
        for (stat, has) in [
            (line("R", user, 0, 0), true),
            (line("S", user, 140_000, 140_009), true),
            (line("S", user, 140_000, 140_000), false),
            (line("S", user | 0x0020_0000, 0, 0), false),
            (line("Z", user, 0, 0), false),
            (String::new(), false),
            ("7 (x) R 1".to_owned(), false),
        ] {
            assert_eq!(has_environment(&stat, 500), has, "{stat}");
            assert!(!has_environment(&stat, 501), "it is older: {stat}");
        }
    }
}
