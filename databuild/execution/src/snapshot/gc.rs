//! Collecting what no workspace needs any more.
//!
//! A snapshot goes if no roots name it and nobody asked for it lately. A CAS file goes if no snapshot
//! is left that links to it, which its inode's link count tells: no manifest is read. Writers hold the
//! shared lock from the first copied file to the finished snapshot, so under the exclusive lock an
//! unlinked CAS file and anything in `tmp/` belong to nobody.

use std::collections::{HashMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::digest::{CodeDigest, FileDigest};
use super::error::{Context as _, SnapshotError};
use super::lock::{exclusive, unique};
use super::store::Store;

/// What a collection did, or with `dry_run` would do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GcReport {
    /// Snapshots removed.
    pub snapshots_removed: u64,
    /// Distinct file contents (and copies of DataBuild's executable) removed.
    pub files_removed: u64,
    /// Bytes of file content freed.
    pub bytes: u64,
    /// Snapshots kept.
    pub kept: u64,
}

/// An inode, and how many of its names would go.
#[derive(Default)]
struct Names {
    going: u64,
    links: u64,
    bytes: u64,
}

#[derive(Default)]
struct Sweep {
    snapshots: Vec<PathBuf>,
    files: Vec<PathBuf>,
    binaries: Vec<PathBuf>,
    inodes: HashMap<u64, Names>,
}

impl Store {
    /// Removes snapshots and executables that are neither in `reachable` nor in the registered roots of
    /// any workspace whose folder exists, and that nobody asked for within `min_age`, which covers the
    /// time between a client's snapshot and the server's roots. Waits for writers, and they for it.
    pub fn collect(
        &self,
        reachable: &HashSet<CodeDigest>,
        min_age: Duration,
        dry_run: bool,
    ) -> Result<GcReport, SnapshotError> {
        let _lock = exclusive(self.root())?;
        let (roots, orphaned) = self.all_roots()?;
        let now = SystemTime::now();
        let young = |meta: &Metadata| {
            meta.modified().is_ok_and(|used| now.duration_since(used).unwrap_or_default() < min_age)
        };

        let mut sweep = Sweep::default();
        let mut report = GcReport::default();
        for (path, meta) in list(&self.root().join("snap"))? {
            let Some(digest) = named_by::<CodeDigest>(&path) else {
                continue;
            };
            if roots.codes.contains(&digest) || reachable.contains(&digest) || young(&meta) {
                report.kept += 1;
            } else {
                count_names(&path, &mut sweep.inodes)?;
                sweep.snapshots.push(path);
            }
        }
        for (folder, _) in list(&self.root().join("cas"))? {
            for (path, meta) in list(&folder)? {
                let going = sweep.inodes.get(&meta.ino()).map_or(0, |names| names.going);
                if meta.nlink() <= going + 1 {
                    sweep.inodes.entry(meta.ino()).or_default().add(&meta);
                    sweep.files.push(path);
                }
            }
        }
        for (path, meta) in list(&self.root().join("bin"))? {
            let Some(digest) = named_by::<FileDigest>(&path) else {
                continue;
            };
            if !roots.binaries.contains(&digest) && !young(&meta) {
                count_names(&path, &mut sweep.inodes)?;
                sweep.binaries.push(path);
            }
        }

        report.snapshots_removed = sweep.snapshots.len() as u64;
        report.files_removed = (sweep.files.len() + sweep.binaries.len()) as u64;
        report.bytes =
            sweep.inodes.values().filter(|names| names.going >= names.links).map(|names| names.bytes).sum();
        if !dry_run {
            self.perform(&sweep, &orphaned)?;
        }
        Ok(report)
    }

    fn perform(&self, sweep: &Sweep, orphaned: &[PathBuf]) -> Result<(), SnapshotError> {
        let tmp = self.root().join("tmp");
        for path in sweep.snapshots.iter().chain(&sweep.binaries) {
            // Out of sight in one step: a snapshot is there whole or not at all.
            let trash = tmp.join(unique());
            fs::rename(path, &trash).context("remove", path)?;
        }
        for path in &sweep.files {
            fs::remove_file(path).context("remove", path)?;
        }
        for path in orphaned {
            fs::remove_file(path).context("remove", path)?;
        }
        for (path, meta) in list(&tmp)?.into_iter().chain(list(&self.root().join("bin/index"))?) {
            let removed = if meta.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.context("remove", &path)?;
        }
        Ok(())
    }
}

impl Names {
    fn add(&mut self, meta: &Metadata) {
        self.going += 1;
        self.links = meta.nlink();
        self.bytes = meta.len();
    }
}

fn named_by<D: std::str::FromStr>(path: &Path) -> Option<D> {
    path.file_name()?.to_str()?.parse().ok()
}

fn count_names(dir: &Path, inodes: &mut HashMap<u64, Names>) -> Result<(), SnapshotError> {
    for (path, meta) in list(dir)? {
        if meta.is_dir() {
            count_names(&path, inodes)?;
        } else if meta.is_file() {
            inodes.entry(meta.ino()).or_default().add(&meta);
        }
    }
    Ok(())
}

fn list(dir: &Path) -> Result<Vec<(PathBuf, Metadata)>, SnapshotError> {
    let read = || -> io::Result<Vec<_>> {
        fs::read_dir(dir)?
            .map(|entry| entry.and_then(|entry| Ok((entry.path(), entry.metadata()?))))
            .collect()
    };
    read().context("list", dir)
}
