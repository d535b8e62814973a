//! A file whose `flock` is a right. The lock goes when the process does, whatever way it goes.
//!
//! Nothing that somebody put at the path of a lock, such as a pipe or a link, makes a process hang that looks at it.

use super::deadline::Deadline;
use super::left::read_left;
use super::process::ProcessRecord;
use rustix::fs::OFlags;
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
pub struct LockFile {
    file: File,
}

impl LockFile {
    /// Takes the lock for this process alone, if it is free.
    ///
    /// # Errors
    /// The file cannot be opened or locked, or is no regular file.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        loop {
            let file = open(path)?;
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

    /// Takes the lock for this process alone, waiting for it until the deadline; `None` means that the deadline came
    /// first.
    ///
    /// # Errors
    /// As [`LockFile::try_acquire`].
    pub fn acquire(path: &Path, deadline: &Deadline) -> io::Result<Option<Self>> {
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

    /// Waits for the lock without limit and takes it for this process alone.
    ///
    /// # Errors
    /// As [`LockFile::try_acquire`].
    pub fn exclusive(path: &Path) -> io::Result<Self> {
        Self::wait(path, File::lock)
    }

    /// Waits without limit until nobody holds the lock alone, and takes it together with any number of others.
    ///
    /// # Errors
    /// As [`LockFile::try_acquire`].
    pub fn shared(path: &Path) -> io::Result<Self> {
        Self::wait(path, File::lock_shared)
    }

    fn wait(path: &Path, lock: impl Fn(&File) -> io::Result<()>) -> io::Result<Self> {
        loop {
            let file = open(path)?;
            while let Err(error) = lock(&file) {
                if error.kind() != io::ErrorKind::Interrupted {
                    return Err(error);
                }
            }
            if leads_to(path, &file)? {
                return Ok(LockFile { file });
            }
        }
    }

    /// Device and inode of the file, by which the lock can be told from all others, wherever it is moved.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn id(&self) -> io::Result<(u64, u64)> {
        let meta = self.file.metadata()?;
        Ok((meta.dev(), meta.ino()))
    }

    /// Whether `path` still leads to this very lock.
    ///
    /// # Errors
    /// It cannot be looked at.
    pub fn is_at(&self, path: &Path) -> io::Result<bool> {
        leads_to(path, &self.file)
    }

    /// Writes down who holds it, for those who cannot get it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn sign(&self, holder: &ProcessRecord) -> io::Result<()> {
        let text = serde_json::to_vec(holder)?;
        self.file.set_len(0)?;
        self.file.write_all_at(&text, 0)
    }
}

/// The process that wrote last that it holds the lock at `path`; none if no process holds it.
///
/// # Errors
/// The file cannot be read, or is no regular file.
pub fn lock_holder(path: &Path) -> io::Result<Option<ProcessRecord>> {
    let Some(bytes) = read_left(path, 4096)? else { return Ok(None) };
    if LockFile::try_acquire(path)?.is_some() {
        return Ok(None);
    }
    Ok(serde_json::from_slice(&bytes).ok())
}

fn open(path: &Path) -> io::Result<File> {
    // A pipe at that path must not make a process hang that looks.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600).custom_flags(flags);
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::other("it is not a regular file; remove it"))
    }
}

/// Whether `path` leads to this very file.
fn leads_to(path: &Path, file: &File) -> io::Result<bool> {
    let opened = file.metadata()?;
    match path.metadata() {
        Ok(now) => Ok((now.dev(), now.ino()) == (opened.dev(), opened.ino())),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
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
        assert_eq!(lock_holder(&path).expect("io"), None);
        let me = ProcessRecord { pid: 7, start_time: 8, boot_id: "b".to_owned() };
        let held = LockFile::try_acquire(&path).expect("io").expect("free");
        assert_eq!(lock_holder(&path).expect("io"), None, "it has not signed yet");
        held.sign(&ProcessRecord { pid: 1_000_000, ..me.clone() }).expect("signed");
        held.sign(&me).expect("signed");
        assert_eq!(lock_holder(&path).expect("io"), Some(me));
        drop(held);
        let until = Deadline::after(Duration::from_secs(60));
        while lock_holder(&path).expect("io").is_some() && !until.expired() {}
        assert_eq!(lock_holder(&path).expect("io"), None);
    }

    #[test]
    fn a_pipe_in_its_place_is_refused_and_not_waited_for() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("lock");
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, mode, 0).expect("mkfifo");
        assert!(LockFile::try_acquire(&path).is_err());
        assert!(lock_holder(&path).is_err());
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

    #[test]
    fn those_who_share_a_lock_keep_out_who_wants_it_alone() {
        let dir = tempfile::tempdir().expect("temporary folder");
        let path = dir.path().join("lock");
        let shared = [LockFile::shared(&path).expect("io"), LockFile::shared(&path).expect("io")];
        assert!(LockFile::try_acquire(&path).expect("io").is_none());
        drop(shared);
        let alone = LockFile::exclusive(&path).expect("io");
        assert!(alone.is_at(&path).expect("io"));
        std::fs::remove_file(&path).expect("remove");
        assert!(!alone.is_at(&path).expect("io"));
    }
}
