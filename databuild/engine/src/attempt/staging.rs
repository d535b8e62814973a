//! Where attempts write their outputs before they are published.
//!
//! ```text
//! <staging>/<attempt>/<file>            the first output
//!                     <index>/<file>    the others
//!                     <index>-<hash>/<file>    those of a batch, by the hash of the partition
//!           .databuild-elsewhere        its folders on other file systems
//! <staging>/spare-<n>                   an empty folder for the next attempt
//! <staging>/kept-<attempt>              what could not be put back
//! <folder of the output>/.databuild-<attempt>-<index>/<file>    on another file system
//! ```
//!
//! While an attempt's outputs are published, their staging paths get what they replace. That goes with the folder, once
//! it is on disk what came of the publication.
//!
//! Invariants:
//! - Paths follow from the log alone, so that an intent can be carried out after a power loss.
//! - Outputs are staged on the file system on which they will be published, since publication is a rename.

use super::request::Request;
use crate::daemon::NO_PACKAGE;
use crate::publish::{self, PublishError, Swept};
use databuild_core::digest::hash64;
use databuild_core::graph::Job;
use databuild_core::ids::AttemptId;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Folders kept for reuse, at most.
const MOST_SPARES: usize = 512;
/// What their names begin with.
const SPARE: &str = "spare-";
/// What names that are DataBuild's own begin with, in folders where jobs or users have theirs.
const OWN: &str = ".databuild-";
/// The file in an attempt's folder that names its folders on other file systems.
const ELSEWHERE: &str = ".databuild-elsewhere";

/// Folders for reuse.
#[derive(Debug)]
struct Spares {
    free: Vec<PathBuf>,
    /// The number of the next one.
    made: usize,
}

/// The staging folder of a workspace.
#[derive(Debug)]
pub(crate) struct Staging {
    root: PathBuf,
    /// Making and removing a folder costs ext4 a search for an inode that was not freed lately, which grows with
    /// what was removed in the last minutes; a rename costs nothing of the kind.
    spares: Mutex<Spares>,
}

impl Staging {
    /// The folder at `root`, with what an earlier server left for reuse.
    pub(crate) fn new(root: PathBuf) -> Staging {
        let roots = std::iter::once(root.as_path()).chain(earlier(&root));
        let entries = roots.flat_map(|root| std::fs::read_dir(root).into_iter().flatten().flatten());
        let spare =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SPARE));
        let free: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(spare).take(MOST_SPARES).collect();
        let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix(SPARE)?.parse::<usize>().ok();
        // They keep their numbers, so further ones get others.
        let made = free.iter().filter_map(number).max().map_or(0, |last| last + 1);
        Staging { root, spares: Mutex::new(Spares { free, made }) }
    }

    /// Where an attempt stages its output of that [`slot`], which will be published at `place`.
    pub(crate) fn path(&self, attempt: &str, slot: &str, place: &Path) -> PathBuf {
        let name = place.file_name().unwrap_or(std::ffi::OsStr::new("output"));
        if !publish::same_file_system(&self.root, place) {
            let parent = place.parent().unwrap_or(Path::new("/"));
            return parent.join(format!("{OWN}{attempt}-{slot}")).join(name);
        }
        let folder = folder(&self.root, attempt);
        // A first output must not have the name of another's folder, or of what is not an output.
        let taken =
            name.as_bytes().iter().all(u8::is_ascii_digit) || name.as_bytes().starts_with(OWN.as_bytes());
        if slot == "0" && !taken {
            folder.join(name)
        } else {
            folder.join(slot).join(name)
        }
    }

    /// Takes note of where an attempt stages what is published on other file systems, so that it is found and
    /// cleared also by a later server.
    pub(crate) fn note(&self, attempt: &str, request: &Request) -> io::Result<()> {
        let folder = folder(&self.root, attempt);
        let others: Vec<&[u8]> = dirs(request)
            .filter(|dir| !dir.starts_with(&folder))
            .map(|dir| dir.as_os_str().as_bytes())
            .collect();
        let file = folder.join(ELSEWHERE);
        if others.is_empty() || file.exists() {
            return Ok(());
        }
        std::fs::create_dir_all(&folder)?;
        std::fs::write(file, others.join(&0))
    }

    /// Gives an attempt that is about to start a folder, if one is spare. Else the runner makes it.
    pub(crate) fn prepare(&self, attempt: &str) {
        let spare = self.spares.lock().unwrap_or_else(PoisonError::into_inner).free.pop();
        if let Some(spare) = spare {
            let folder = folder(&self.root, attempt);
            if folder.exists() || std::fs::rename(&spare, &folder).is_err() {
                let _ = std::fs::remove_dir(&spare);
            }
        }
    }

    /// Attempts that left something here and are not among the `live` ones.
    pub(crate) fn left(&self, live: &BTreeSet<AttemptId>) -> Vec<AttemptId> {
        attempts(&self.root).into_iter().filter(|attempt| !live.contains(attempt)).collect()
    }

    /// Clears away what an attempt left. What cannot be removed is left: `gc` comes by later.
    pub(crate) fn clear(&self, attempt: &str) {
        let folder = folder(&self.root, attempt);
        let cleared = clear_elsewhere(&folder, attempt).and_then(|()| {
            if self.spare(&folder) {
                Ok(())
            } else {
                publish::remove(&folder)
            }
        });
        if let Err(error) = cleared {
            tracing::warn!(%error, code = error.code(), attempt, "staging cannot be cleared; `databuild gc` tries again");
        }
    }

    /// Keeps what an attempt left, out of reach of everybody but people. Returns where.
    pub(crate) fn keep(&self, attempt: &str) -> io::Result<PathBuf> {
        let kept = self.root.join(format!("kept-{attempt}"));
        std::fs::rename(folder(&self.root, attempt), &kept).map(|()| kept)
    }

    /// Keeps a folder for the next attempt, empty. A file in it is what an output replaced.
    fn spare(&self, folder: &Path) -> bool {
        let removed = |entry: io::Result<std::fs::DirEntry>| {
            entry.is_ok_and(|entry| {
                entry.file_type().is_ok_and(|kind| !kind.is_dir())
                    && std::fs::remove_file(entry.path()).is_ok()
            })
        };
        let empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.all(removed));
        let usable = std::fs::metadata(folder).is_ok_and(|meta| meta.mode() & 0o700 == 0o700);
        let mut spares = self.spares.lock().unwrap_or_else(PoisonError::into_inner);
        if !empty || !usable || spares.free.len() >= MOST_SPARES {
            return false;
        }
        let spare = self.root.join(format!("{SPARE}{}", spares.made));
        let kept = std::fs::rename(folder, &spare).is_ok();
        if kept {
            spares.made += 1;
            spares.free.push(spare);
        }
        kept
    }
}

/// The name of the place of an output in its attempt's folder. It follows from the partition alone, not
/// from what else the attempt makes: a batch gets smaller.
pub(crate) fn slot(job: &Job, output: usize, partition: &str) -> String {
    match job.batch {
        None => output.to_string(),
        Some(_) => format!("{output}-{:016x}", hash64(partition)),
    }
}

/// The folders of a request's staging paths, to be made before the attempt starts.
pub(crate) fn dirs(request: &Request) -> impl Iterator<Item = &Path> {
    request.outputs.iter().filter_map(|output| output.path.as_deref()?.parent())
}

/// Removes what attempts left in the staging folder at `root`, and returns how many did; with `dry_run` only counts.
/// `live` is asked after the folder was looked at, so that no attempt is missed that began meanwhile.
pub fn sweep_staging(root: &Path, live: impl FnOnce() -> BTreeSet<AttemptId>, dry_run: bool) -> Swept {
    let attempts = attempts(root);
    let live = live();
    let mut swept = Swept::default();
    for attempt in attempts.into_iter().filter(|attempt| !live.contains(attempt)) {
        let name = attempt.to_string();
        let folder = folder(root, &name);
        let remove = || clear_elsewhere(&folder, &name).and_then(|()| publish::remove(&folder));
        swept.add(if dry_run { Ok(()) } else { remove() });
    }
    swept
}

/// Attempts that have a folder in the staging folder.
fn attempts(root: &Path) -> Vec<AttemptId> {
    let roots = std::iter::once(root).chain(earlier(root));
    let entries = roots.flat_map(|root| std::fs::read_dir(root).into_iter().flatten().flatten());
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The staging folder of version 0.1.0, whose attempts may still be under way.
fn earlier(root: &Path) -> Option<&Path> {
    root.parent().filter(|_| root.ends_with(NO_PACKAGE))
}

/// The folder of an attempt.
fn folder(root: &Path, attempt: &str) -> PathBuf {
    let before = earlier(root).map(|root| root.join(attempt)).filter(|folder| folder.exists());
    before.unwrap_or_else(|| root.join(attempt))
}

/// Removes an attempt's folders on other file systems.
fn clear_elsewhere(folder: &Path, attempt: &str) -> Result<(), PublishError> {
    let Ok(noted) = std::fs::read(folder.join(ELSEWHERE)) else { return Ok(()) };
    let own = format!("{OWN}{attempt}-");
    for path in noted.split(|byte| *byte == 0) {
        let path = Path::new(OsStr::from_bytes(path));
        // The job could write to that file.
        if path.file_name().is_some_and(|name| name.as_bytes().starts_with(own.as_bytes())) {
            publish::remove(path)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(root: &Path) -> Vec<String> {
        let entries = std::fs::read_dir(root).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_empty_folder_serves_the_next_attempt_also_after_a_restart() {
        let root = tempfile::tempdir().unwrap();
        let staging = Staging::new(root.path().to_owned());
        staging.prepare("r1-1");
        assert_eq!(names(root.path()), [""; 0]);
        std::fs::create_dir(root.path().join("r1-1")).unwrap();
        staging.clear("r1-1");
        assert_eq!(names(root.path()), ["spare-0"]);
        let staging = Staging::new(root.path().to_owned());
        staging.prepare("r2-1");
        assert_eq!(names(root.path()), ["r2-1"]);
    }

    #[test]
    fn what_an_attempt_left_never_meets_the_next_one() {
        let root = tempfile::tempdir().unwrap();
        let staging = Staging::new(root.path().to_owned());
        std::fs::create_dir(root.path().join("r1-1")).unwrap();
        std::fs::create_dir(root.path().join("r1-1/left.tmp")).unwrap();
        staging.clear("r1-1");
        assert_eq!(names(root.path()), [""; 0]);
    }

    #[test]
    fn what_was_replaced_goes_with_the_folder_and_gc_takes_what_was_left() {
        let root = tempfile::tempdir().unwrap();
        let staging = Staging::new(root.path().to_owned());
        std::fs::create_dir(root.path().join("r1-1")).unwrap();
        std::fs::write(root.path().join("r1-1/old.csv"), "old").unwrap();
        staging.clear("r1-1");
        assert_eq!(names(root.path()), ["spare-0"]);
        assert_eq!(names(&root.path().join("spare-0")), [""; 0]);

        for name in ["r2-1", "r3-1", "kept-r4-1"] {
            std::fs::create_dir_all(root.path().join(name).join("1/sub")).unwrap();
        }
        let live: BTreeSet<AttemptId> = ["r3-1".parse().unwrap()].into();
        assert_eq!(staging.left(&live), ["r2-1".parse::<AttemptId>().unwrap()]);
        let one = Swept { removed: 1, failed: Vec::new() };
        assert_eq!(sweep_staging(root.path(), || live.clone(), true), one);
        assert_eq!(sweep_staging(root.path(), || live.clone(), false), one);
        assert_eq!(names(root.path()), ["kept-r4-1", "r3-1", "spare-0"]);
        assert_eq!(staging.keep("r3-1").unwrap(), root.path().join("kept-r3-1"));
    }

    #[test]
    fn an_attempt_that_begins_while_gc_looks_keeps_its_folder() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir(root.path().join("r1-1")).unwrap();
        let begin = || {
            std::fs::create_dir(root.path().join("r2-1")).unwrap();
            BTreeSet::new()
        };
        assert_eq!(sweep_staging(root.path(), begin, false).removed, 1);
        assert_eq!(names(root.path()), ["r2-1"]);
    }

    #[test]
    fn folders_on_other_file_systems_are_found_by_a_later_server_and_no_others_are_touched() {
        let root = tempfile::tempdir().unwrap();
        let far = tempfile::tempdir().unwrap();
        let folders = [".databuild-r1-1-0", ".databuild-r1-10-0", "mine"].map(|name| far.path().join(name));
        let outputs: Vec<_> = folders
            .iter()
            .map(|folder| {
                std::fs::create_dir(folder).unwrap();
                serde_json::json!({
                    "dataset": "d", "partition": "d", "keys": {}, "path": folder.join("f"), "final_path": "/f",
                })
            })
            .collect();
        let request: Request = serde_json::from_value(serde_json::json!({
            "format": 1, "run": "r1", "attempt": 1, "job": "//:j", "as_of": "2010-02-01T00:00:00Z",
            "inputs": {}, "wants": [], "outputs": outputs,
        }))
        .unwrap();
        Staging::new(root.path().to_owned()).note("r1-1", &request).unwrap();
        Staging::new(root.path().to_owned()).clear("r1-1");
        assert_eq!(names(far.path()), [".databuild-r1-10-0", "mine"]);
    }

    #[test]
    fn attempts_that_version_0_1_0_began_go_on_where_they_are() {
        let staging_folder = tempfile::tempdir().unwrap();
        let root = staging_folder.path().join(NO_PACKAGE);
        for folder in ["r1-1", "spare-7", NO_PACKAGE] {
            std::fs::create_dir(staging_folder.path().join(folder)).unwrap();
        }
        let staging = Staging::new(root.clone());
        let place = staging_folder.path().join("out/f");
        assert_eq!(staging.path("r1-1", "0", &place), staging_folder.path().join("r1-1/f"));
        assert_eq!(staging.path("r2-1", "0", &place), root.join("r2-1/f"));
        assert_eq!(staging.left(&BTreeSet::new()), ["r1-1".parse::<AttemptId>().unwrap()]);
        staging.prepare("r2-1");
        staging.clear("r1-1");
        assert_eq!(names(staging_folder.path()), [NO_PACKAGE]);
        assert_eq!(names(&root), ["r2-1", "spare-8"]);
    }

    #[test]
    fn outputs_of_one_attempt_have_places_of_their_own() {
        let root = tempfile::tempdir().unwrap();
        let staging = Staging::new(root.path().to_owned());
        let at = |slot, name: &str| staging.path("r1-1", slot, &root.path().join("out").join(name));
        let folder = root.path().join("r1-1");
        assert_eq!(at("0", "a.csv"), folder.join("a.csv"));
        assert_eq!(at("1", "a.csv"), folder.join("1/a.csv"));
        assert_eq!(at("0-5f", "a.csv"), folder.join("0-5f/a.csv"));
        assert_eq!(at("0", "1"), folder.join("0/1"));
        assert_eq!(at("0", ".databuild-elsewhere"), folder.join("0/.databuild-elsewhere"));
    }

    #[test]
    fn what_cannot_be_removed_is_told() {
        let mut swept = Swept::default();
        swept.add(publish::remove(Path::new("/nothing/there")));
        swept.add(publish::remove(Path::new("/proc/version")));
        assert_eq!((swept.removed, swept.failed.len()), (1, 1));
        assert!(swept.failed[0].contains("/proc/version"), "{swept:?}");
    }
}
