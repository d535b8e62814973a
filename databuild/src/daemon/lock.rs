//! A file whose exclusive `flock` is a right. The lock goes when the process
//! does, whatever way it goes.

use super::Deadline;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// Pause between two tries. `flock` cannot wait with a time limit.
const RETRY: Duration = Duration::from_millis(10);

/// A held lock; dropping it lets go. The descriptor is closed on exec: a job
/// that inherited it would keep the lock after the server's death.
#[derive(Debug)]
pub(super) struct LockFile {
    _file: File,
}

impl LockFile {
    /// Takes the lock if it is free.
    pub(super) fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = OpenOptions::new()
                .read(true)
                .write(true)
                .create(true)
                .truncate(false)
                .mode(0o600)
                .open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(e),
            }
            // Between open and lock the folder may have been removed and made
            // anew; a lock on the removed file excludes nobody.
            if leads_to(path, &file)? {
                return Ok(Some(LockFile { _file: file }));
            }
        }
    }

    /// Takes the lock, waiting for it; `None` means that the deadline came
    /// first.
    pub(super) fn acquire(path: &Path, deadline: &Deadline) -> io::Result<Option<Self>> {
        loop {
            if let Some(lock) = Self::try_acquire(path)? {
                return Ok(Some(lock));
            }
            if deadline.expired() {
                return Ok(None);
            }
            deadline.pause(RETRY);
        }
    }
}

/// Whether `path` leads to this very file.
fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let opened = file.metadata()?;
    match path.metadata() {
        Ok(now) => Ok((now.dev(), now.ino()) == (opened.dev(), opened.ino())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("lock");
        let held = LockFile::try_acquire(&path).expect("io").expect("free");
        assert!(LockFile::try_acquire(&path).expect("io").is_none());
        let short = Deadline::after(Duration::from_millis(20));
        assert!(LockFile::acquire(&path, &short).expect("io").is_none());
        drop(held);
        // Waiting, because a process that another test is just forking may hold
        // the descriptor until its exec.
        let long = Deadline::after(Duration::from_secs(60));
        assert!(LockFile::acquire(&path, &long).expect("io").is_some());
    }

    #[test]
    fn a_lock_file_that_was_removed_is_not_the_lock() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("lock");
        let file = File::create(&path).expect("create");
        assert!(leads_to(&path, &file).expect("io"));
        std::fs::remove_file(&path).expect("remove");
        assert!(!leads_to(&path, &file).expect("io"));
        File::create(&path).expect("create anew");
        assert!(!leads_to(&path, &file).expect("io"));
    }
}
