//! The store's lock and its folder for work in progress.

use std::fs;
use std::path::{Path, PathBuf};

use super::error::{Context as _, SnapshotError};
use crate::os::{write_new, LockFile};

/// Waits until no collector works. Any number of writers may hold the lock.
pub(super) fn shared(root: &Path) -> Result<LockFile, SnapshotError> {
    let path = root.join("lock");
    LockFile::shared(&path).context("lock", &path)
}

/// Waits until no writer and no other collector works.
pub(super) fn exclusive(root: &Path) -> Result<LockFile, SnapshotError> {
    let path = root.join("lock");
    LockFile::exclusive(&path).context("lock", &path)
}

/// A folder of our own in `tmp/`, removed with all it holds.
#[derive(Debug)]
pub(super) struct WorkDir(PathBuf);

impl WorkDir {
    /// The caller holds the shared lock for as long as this lives: the collector takes whatever it
    /// finds in `tmp/` for the rest of a crash.
    pub(super) fn new(root: &Path) -> Result<Self, SnapshotError> {
        let path = root.join("tmp").join(unique());
        fs::create_dir(&path).context("create", &path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for WorkDir {
    fn drop(&mut self) {
        // What cannot be removed now, the next collection removes.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A name nobody else uses, also not in another container that shares the store.
pub(super) fn unique() -> String {
    let mut bytes = [0; 8];
    if rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) != Ok(bytes.len()) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        bytes = (now.as_nanos() as u64).to_ne_bytes();
    }
    format!("{}-{:016x}", std::process::id(), u64::from_ne_bytes(bytes))
}

/// Writes a file so that it is seen whole or not at all, also after a power loss.
pub(super) fn write_atomically(work: &WorkDir, path: &Path, bytes: &[u8]) -> Result<(), SnapshotError> {
    let tmp = work.path().join(unique());
    write_new(&tmp, bytes).context("write", &tmp)?;
    fs::rename(&tmp, path).context("write", path)
}
