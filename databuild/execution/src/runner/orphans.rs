//! Processes that left their job's process group.
//!
//! The runner is a subreaper: a job's descendant whose parents are gone becomes
//! the runner's child. One that made a session of its own escapes the kill of
//! its group; it is recognized by the `DATABUILD_REQUEST` in its environment and
//! killed when its attempt has ended. One that has emptied its environment too
//! can only be of an attempt that was under way when it began, so it is killed
//! when all of those have ended. One that is just being given another program
//! cannot be told from either, so it is looked at again.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;

use super::protocol::AttemptName;
use crate::os::{stat, Environment, ProcessId, ProcessStat};

/// What a process works for, by its environment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// This attempt of the spool.
    Attempt(AttemptName),
    /// Something else, or it hides.
    Other,
    /// It is being given another program and can be asked again in a moment.
    Unsure,
}

/// The attempt that a process works for.
pub(super) fn origin(pid: u32, spool: &Path) -> Origin {
    let environment = Environment::of(pid);
    let attempt = environment.get("DATABUILD_REQUEST").and_then(|request| {
        let folder = Path::new(request).strip_prefix(spool).ok()?.parent()?.to_str()?;
        AttemptName::new(folder).ok()
    });
    match (attempt, environment) {
        (Some(attempt), _) => Origin::Attempt(attempt),
        (None, Environment::Changing { .. }) => Origin::Unsure,
        (None, _) => Origin::Other,
    }
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
/// attempts, the latter with the start times of their processes. True if it
/// could not be seen of some whose they are, so that they have to be looked at
/// again.
#[must_use]
pub(super) fn sweep(
    runner: u32,
    spool: &Path,
    groups: &HashSet<u32>,
    live: &HashMap<&AttemptName, u64>,
) -> bool {
    let mut unsure = false;
    for (pid, stat) in children(runner) {
        if !stat.is_alive() || groups.contains(&stat.group) {
            continue;
        }
        let origin = origin(pid, spool);
        let ended = match &origin {
            Origin::Attempt(attempt) => !live.contains_key(attempt),
            Origin::Other | Origin::Unsure => live.values().all(|start_time| *start_time > stat.start_time),
        };
        if ended {
            // It may have ended meanwhile.
            let _ = ProcessId { pid, start_time: stat.start_time }.kill();
        } else if origin == Origin::Unsure {
            unsure = true;
        }
    }
    unsure
}
