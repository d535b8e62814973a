//! A file whose exclusive `flock` is a right. The lock goes when the process
//! does, whatever way it goes.

use super::Deadline;
use crate::system::read_left;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// Pause between two tries. `flock` cannot wait with a time limit.
const RETRY: Duration = Duration::from_millis(10);

/// A held lock; dropping it lets go. The descriptor is closed on exec: a job
/// that inherited it would keep the lock after the server's death.
#[derive(Debug)]
pub(super) struct LockFile {
    file: File,
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
                // Whoever put a pipe there must not stop those who look.
                .custom_flags((OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed())
                .open(path)?;
            if !file.metadata()?.is_file() {
                return Err(io::Error::other("it is not a regular file; remove it"));
            }
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(e)) => return Err(e),
            }
            // Between open and lock the folder may have been removed and made
            // anew; a lock on the removed file excludes nobody.
            if leads_to(path, &file)? {
                return Ok(Some(LockFile { file }));
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

impl LockFile {
    /// Writes down who holds it, for those who cannot get it.
    pub(super) fn sign(&self, holder: &Holder) -> io::Result<()> {
        let text = serde_json::to_vec(holder)?;
        self.file.set_len(0)?;
        self.file.write_all_at(&text, 0)
    }
}

/// Who holds a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holder {
    pub(super) pid: u32,
    pub(super) start_time: u64,
    pub(super) boot_id: String,
}

/// Who wrote last that it holds the lock at `path`; none if nobody holds it.
pub(super) fn holder(path: &Path) -> io::Result<Option<Holder>> {
    let Some(bytes) = read_left(path, 4096)? else { return Ok(None) };
    if LockFile::try_acquire(path)?.is_some() {
        return Ok(None);
    }
    Ok(serde_json::from_slice(&bytes).ok())
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
    fn who_holds_it_is_told_while_it_is_held() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("lock");
        assert_eq!(holder(&path).expect("io"), None);
        let me = Holder { pid: 7, start_time: 8, boot_id: "b".to_owned() };
        let held = LockFile::try_acquire(&path).expect("io").expect("free");
        assert_eq!(holder(&path).expect("io"), None, "it has not signed yet");
        held.sign(&Holder { pid: 1_000_000, ..me.clone() }).expect("signed");
        held.sign(&me).expect("signed");
        assert_eq!(holder(&path).expect("io"), Some(me));
        drop(held);
        let until = Deadline::after(Duration::from_secs(60));
        while holder(&path).expect("io").is_some() && !until.expired() {}
        assert_eq!(holder(&path).expect("io"), None);
    }

    #[test]
    fn a_pipe_in_its_place_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("lock");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("mkfifo");
        assert!(LockFile::try_acquire(&path).is_err());
        assert!(holder(&path).is_err());
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
