//! Processes that left their job's process group.
//!
//! The runner is a subreaper: a job's descendant whose parents are gone becomes
//! the runner's child. One that made a session of its own escapes the kill of
//! its group; it is recognized by the `DATABUILD_REQUEST` in its environment and
//! killed when its attempt has ended. One that has emptied its environment too
//! can only be of an attempt that was under way when it began, so it is killed
//! when all of those have ended.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use super::protocol::AttemptName;
use crate::os::{stat, ProcessId, ProcessStat};

/// The attempt a process works for, by its environment.
pub(super) fn attempt_of(pid: u32, spool: &Path) -> Option<AttemptName> {
    let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
    let request =
        environ.split(|&byte| byte == 0).find_map(|entry| entry.strip_prefix(b"DATABUILD_REQUEST="))?;
    let inside = Path::new(OsStr::from_bytes(request)).strip_prefix(spool).ok()?;
    let folder = inside.parent()?.to_str()?;
    AttemptName::new(folder).ok()
}

/// Every process with its stat; those that vanish meanwhile are left out.
pub(super) fn processes() -> impl Iterator<Item = (u32, ProcessStat)> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid).ok()??)))
}

/// The runner's children, from the kernel's list where it keeps one.
fn children(runner: u32) -> Vec<(u32, ProcessStat)> {
    match fs::read_to_string(format!("/proc/{runner}/task/{runner}/children")) {
        Ok(list) => list
            .split_ascii_whitespace()
            .filter_map(|pid| pid.parse().ok())
            .filter_map(|pid| Some((pid, stat(pid).ok()??)))
            .collect(),
        Err(_) => processes().filter(|(_, stat)| stat.parent == runner).collect(),
    }
}

/// Kills orphans whose attempt has ended. `groups` and `live` are the running
/// attempts, the latter with the start times of their processes.
pub(super) fn sweep(runner: u32, spool: &Path, groups: &HashSet<u32>, live: &HashMap<&AttemptName, u64>) {
    for (pid, stat) in children(runner) {
        if !stat.is_alive() || groups.contains(&stat.group) {
            continue;
        }
        let ended = match attempt_of(pid, spool) {
            Some(attempt) => !live.contains_key(&attempt),
            None => live.values().all(|start_time| *start_time > stat.start_time),
        };
        if ended {
            // It may have ended meanwhile.
            let _ = ProcessId { pid, start_time: stat.start_time }.kill();
        }
    }
}
