//! Putting an output in its place by rename, and doing it again after a crash.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{RenameFlags, CWD};
use rustix::io::Errno;

use super::error::{Context as _, PublishError};
use super::flush::sync_dirs;
use super::hash::ContentHash;
use super::inspect::{inspect, observe};

/// Swaps two paths; replaceable to meet file systems that cannot.
type Exchange = fn(&Path, &Path) -> Result<(), Errno>;

/// Tries before giving up when somebody else keeps changing what is at the final path.
const ATTEMPTS: usize = 8;

/// An output in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Folders that got or lost a name: for [`super::sync_dirs`].
    pub changed_dirs: BTreeSet<PathBuf>,
    /// The old output, if it could not be removed; the new one is in place all the same.
    pub leftover: Option<PathBuf>,
}

/// What [`redo`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Redo {
    /// The staged output was whole; it is now in its place.
    Published,
    /// It had been put in its place before the crash.
    AlreadyThere,
    /// Neither: the staged bytes are lost. What was published before is untouched.
    Gone,
}

/// Renames a staged file or directory to its final path, replacing what is there. `staging` must be
/// absolute or relative to the same folder as `path`, on the same file system.
pub fn publish(staging: &Path, path: &Path) -> Result<Published, PublishError> {
    publish_with(exchange, staging, path)
}

/// Completes or gives up a publication that a crash interrupted, and flushes it. `expected` is the hash
/// recorded with the intent. Leaves nothing at the staging path unless the answer is `Gone`.
pub fn redo(staging: &Path, path: &Path, expected: &ContentHash) -> Result<Redo, PublishError> {
    let staged = match inspect(staging) {
        Ok(found) => Some(found.hash),
        // What cannot be read whole is not what was recorded.
        Err(PublishError::Io { action, path, source }) => {
            return Err(PublishError::Io { action, path, source })
        }
        Err(_) => None,
    };
    if staged == Some(*expected) {
        let published = publish(staging, path)?;
        sync_dirs(&published.changed_dirs)?;
        remove_aside(staging)?;
        return Ok(Redo::Published);
    }
    let there = match fs::symlink_metadata(path) {
        Ok(meta) if !meta.is_symlink() => observe(path)?.map(|found| found.hash),
        _ => None,
    };
    if there == Some(*expected) {
        // After an exchange the staging path holds the old output.
        remove(staging).context("remove", staging)?;
        remove_aside(staging)?;
        return Ok(Redo::AlreadyThere);
    }
    Ok(Redo::Gone)
}

pub(super) fn publish_with(
    exchange: Exchange,
    staging: &Path,
    path: &Path,
) -> Result<Published, PublishError> {
    let mut changed_dirs = BTreeSet::from([parent(path)]);
    let mut last = io::Error::from(Errno::AGAIN);
    for _ in 0..ATTEMPTS {
        let Err(error) = fs::rename(staging, path) else {
            // Two names of one inode: rename then does nothing at all.
            let leftover = remove(staging).is_err().then(|| staging.to_owned());
            return Ok(Published { changed_dirs, leftover });
        };
        match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => {
                if fs::symlink_metadata(staging).is_err() {
                    return Err(PublishError::OutputMissing { path: staging.to_owned() });
                }
                create_parents(path, &mut changed_dirs)?;
            }
            // A directory and something that is no empty directory do not replace each other.
            Some(Errno::ISDIR | Errno::NOTDIR | Errno::NOTEMPTY | Errno::EXIST)
                if fs::symlink_metadata(path).is_ok() =>
            {
                match exchange(staging, path) {
                    Ok(()) => return Ok(Published { changed_dirs, leftover: remove_old(staging) }),
                    Err(Errno::NOENT) => {}
                    Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                        let leftover = replace_in_two_steps(staging, path)?;
                        changed_dirs.insert(parent(staging));
                        return Ok(Published { changed_dirs, leftover });
                    }
                    Err(error) => return Err(PublishError::io("replace", path, error)),
                }
            }
            Some(Errno::XDEV) => {
                return Err(PublishError::OtherFileSystem {
                    staging: staging.to_owned(),
                    path: path.to_owned(),
                })
            }
            _ => return Err(PublishError::io("create", path, error)),
        }
        last = error;
    }
    Err(PublishError::io("create", path, last))
}

fn exchange(a: &Path, b: &Path) -> Result<(), Errno> {
    rustix::fs::renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE)
}

/// For file systems without exchange (NFS, some FUSE): between the two renames a reader finds nothing,
/// never a mixture, and after a crash there [`redo`] finishes.
fn replace_in_two_steps(staging: &Path, path: &Path) -> Result<Option<PathBuf>, PublishError> {
    let old = aside(staging);
    remove(&old).context("remove", &old)?;
    fs::rename(path, &old).context("replace", path)?;
    if let Err(error) = fs::rename(staging, path) {
        // Back to what it was; the first error is the one to tell.
        let _ = fs::rename(&old, path);
        return Err(PublishError::io("create", path, error));
    }
    Ok(remove_old(&old))
}

/// The crash may have come between the two steps.
fn remove_aside(staging: &Path) -> Result<(), PublishError> {
    let old = aside(staging);
    remove(&old).context("remove", &old)
}

fn aside(staging: &Path) -> PathBuf {
    let mut name = staging.as_os_str().to_owned();
    name.push(".old");
    name.into()
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Creates the folders above `path`; every folder that gets a new entry is noted.
fn create_parents(path: &Path, changed_dirs: &mut BTreeSet<PathBuf>) -> Result<(), PublishError> {
    let dir = parent(path);
    let missing: Vec<PathBuf> =
        dir.ancestors().take_while(|ancestor| fs::metadata(ancestor).is_err()).map(Path::to_owned).collect();
    fs::create_dir_all(&dir).context("create", &dir)?;
    for made in missing {
        // Published data is for others to read, whatever mask this process keeps for its own files.
        fs::set_permissions(&made, fs::Permissions::from_mode(0o755)).context("open", &made)?;
        changed_dirs.insert(parent(&made));
    }
    Ok(())
}

fn remove_old(old: &Path) -> Option<PathBuf> {
    remove(old).is_err().then(|| old.to_owned())
}

/// Removes whatever is at `path`, following nothing.
fn remove(path: &Path) -> io::Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(meta) if meta.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
