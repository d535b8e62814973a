//! The store's lock and its folder for work in progress.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

use super::error::{Context as _, SnapshotError};

/// Held as long as it lives; the kernel drops it when its process dies.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "closing the file is what unlocks")] File);

impl Lock {
    /// Waits until no collector works. Any number of writers may hold it.
    pub(super) fn shared(root: &Path) -> Result<Self, SnapshotError> {
        Self::take(root, FlockOperation::LockShared)
    }

    /// Waits until no writer and no other collector works.
    pub(super) fn exclusive(root: &Path) -> Result<Self, SnapshotError> {
        Self::take(root, FlockOperation::LockExclusive)
    }

    fn take(root: &Path, operation: FlockOperation) -> Result<Self, SnapshotError> {
        let path = root.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&path)
            .context("open the code store's lock", &path)?;
        loop {
            match rustix::fs::flock(&file, operation) {
                Ok(()) => return Ok(Self(file)),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(SnapshotError::io("lock", &path, error)),
            }
        }
    }
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
    let write = || -> io::Result<()> {
        let mut file = File::create_new(&tmp)?;
        io::Write::write_all(&mut file, bytes)?;
        file.sync_all()
    };
    write().context("write", &tmp)?;
    fs::rename(&tmp, path).context("write", path)
}
