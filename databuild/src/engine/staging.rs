//! Where attempts write their outputs before they are published.
//!
//! ```text
//! <staging>/<attempt>/<file>            the first output
//!                     <index>/<file>    the others
//!                     <index>-<hash>/<file>    those of a batch, by the hash of the partition
//! <staging>/spare-<n>                   an empty folder for the next attempt
//! ```
//!
//! Invariants:
//! - Paths follow from the log alone, so that an intent can be carried out after a power loss.
//! - Outputs are staged on the file system on which they will be published, since publication is a rename.

use super::request::Request;
use crate::publish;
use databuild_core::digest::hash64;
use databuild_core::graph::Job;
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Folders kept for reuse, at most.
const MOST_SPARES: usize = 64;
/// What their names begin with.
const SPARE: &str = "spare-";

/// Folders for reuse.
#[derive(Debug)]
struct Spares {
    free: Vec<PathBuf>,
    /// The number of the next one.
    made: usize,
}

/// The staging folder of a workspace.
#[derive(Debug)]
pub(super) struct Staging {
    root: PathBuf,
    /// Making and removing a folder costs ext4 a search for an inode that was not freed lately, which grows with
    /// what was removed in the last minutes; a rename costs nothing of the kind.
    spares: Mutex<Spares>,
    /// Folders on other file systems, by attempt.
    elsewhere: Mutex<BTreeMap<String, Vec<PathBuf>>>,
}

impl Staging {
    /// The folder at `root`, with what an earlier server left for reuse.
    pub(super) fn new(root: PathBuf) -> Staging {
        let entries = std::fs::read_dir(&root).into_iter().flatten().flatten();
        let spare =
            |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(SPARE));
        let free: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(spare).take(MOST_SPARES).collect();
        let number = |path: &PathBuf| path.file_name()?.to_str()?.strip_prefix(SPARE)?.parse::<usize>().ok();
        // They keep their numbers, so further ones get others.
        let made = free.iter().filter_map(number).max().map_or(0, |last| last + 1);
        Staging { root, spares: Mutex::new(Spares { free, made }), elsewhere: Mutex::default() }
    }

    /// Where an attempt stages its output of that [`slot`], which will be published at `place`.
    pub(super) fn path(&self, attempt: &str, slot: &str, place: &Path) -> PathBuf {
        let name = place.file_name().unwrap_or(std::ffi::OsStr::new("output"));
        if !publish::same_file_system(&self.root, place) {
            let parent = place.parent().unwrap_or(Path::new("/"));
            return parent.join(format!(".databuild-{attempt}-{slot}")).join(name);
        }
        let folder = self.root.join(attempt);
        // A first output must not have the name of another's folder.
        let is_number = name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if slot == "0" && !is_number {
            folder.join(name)
        } else {
            folder.join(slot).join(name)
        }
    }

    /// Takes note of where an attempt stages what is published on other file systems.
    pub(super) fn note(&self, attempt: &str, request: &Request) {
        let folder = self.root.join(attempt);
        let others: Vec<PathBuf> =
            dirs(request).filter(|dir| !dir.starts_with(&folder)).map(Path::to_owned).collect();
        if !others.is_empty() {
            self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).insert(attempt.to_owned(), others);
        }
    }

    /// Gives an attempt that is about to start a folder, if one is spare. Else the runner makes it.
    pub(super) fn prepare(&self, attempt: &str) {
        let spare = self.spares.lock().unwrap_or_else(PoisonError::into_inner).free.pop();
        if let Some(spare) = spare {
            let folder = self.root.join(attempt);
            if folder.exists() || std::fs::rename(&spare, &folder).is_err() {
                let _ = std::fs::remove_dir(&spare);
            }
        }
    }

    /// Clears away what an attempt left. What cannot be removed is left: `gc` comes by later.
    pub(super) fn clear(&self, attempt: &str) {
        let elsewhere = self.elsewhere.lock().unwrap_or_else(PoisonError::into_inner).remove(attempt);
        for dir in elsewhere.into_iter().flatten() {
            let _ = std::fs::remove_dir_all(dir);
        }
        let folder = self.root.join(attempt);
        if !self.spare(&folder) {
            let _ = std::fs::remove_dir_all(&folder);
        }
    }

    /// Keeps an empty folder for the next attempt.
    fn spare(&self, folder: &Path) -> bool {
        let empty = std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_none());
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
pub(super) fn slot(job: &Job, output: usize, partition: &str) -> String {
    match job.batch {
        None => output.to_string(),
        Some(_) => format!("{output}-{:016x}", hash64(partition)),
    }
}

/// The folders of a request's staging paths, to be made before the attempt starts.
pub(super) fn dirs(request: &Request) -> impl Iterator<Item = &Path> {
    request.outputs.iter().filter_map(|output| output.path.as_deref()?.parent())
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
        std::fs::write(root.path().join("r1-1/left.tmp"), "").unwrap();
        staging.clear("r1-1");
        assert_eq!(names(root.path()), [""; 0]);
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
    }
}
