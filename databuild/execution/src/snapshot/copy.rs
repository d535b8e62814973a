//! Copying a file into the store while taking its digest.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{Timespec, Timestamps};
use sha2::{Digest as _, Sha256};

use super::digest::FileDigest;

/// Modification time of every file in the store (2000-01-01 UTC; later than 1980, which zip needs).
/// A write through some hard link moves it, so a look at the inode tells a damaged file.
const SEALED: Timespec = Timespec { tv_sec: 946_684_800, tv_nsec: 0 };

const BUFFER: usize = 256 * 1024;

/// Which side of a copy failed.
#[derive(Debug)]
pub(super) enum CopyError {
    Read(io::Error),
    Write(io::Error),
}

/// Copies an open file to the new path `to` and seals it there. The digest is of the bytes written,
/// whatever happens to the source meanwhile. On error `to` may exist in part.
pub(super) fn copy_sealed(from: &mut File, to: &Path) -> Result<(FileDigest, u64), CopyError> {
    let mut out = OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(CopyError::Write)?;
    let mut hasher = Sha256::new();
    let mut size = 0;
    let mut buffer = buffer_for(from).map_err(CopyError::Read)?;
    // A clone shares blocks copy-on-write: nothing that later writes to the source reaches it, and it
    // is the clone that gets hashed.
    if rustix::fs::ioctl_ficlone(&out, &*from).is_ok() {
        each_chunk(&mut out, &mut buffer, |chunk| {
            hasher.update(chunk);
            size += chunk.len() as u64;
            Ok(())
        })?;
    } else {
        from.rewind().map_err(CopyError::Read)?;
        each_chunk(from, &mut buffer, |chunk| {
            hasher.update(chunk);
            size += chunk.len() as u64;
            out.write_all(chunk).map_err(CopyError::Write)
        })?;
    }
    seal(&out).map_err(CopyError::Write)?;
    Ok((FileDigest::from_bytes(hasher.finalize().into()), size))
}

/// SHA-256 of an open file from its start.
pub(super) fn hash(file: &mut File) -> io::Result<FileDigest> {
    let mut hasher = Sha256::new();
    each_chunk(file, &mut buffer_for(file)?, |chunk| {
        hasher.update(chunk);
        Ok(())
    })
    .map_err(|error| match error {
        CopyError::Read(error) | CopyError::Write(error) => error,
    })?;
    Ok(FileDigest::from_bytes(hasher.finalize().into()))
}

/// Most runfiles are small, and a fresh buffer's pages cost more than copying them.
fn buffer_for(file: &File) -> io::Result<Vec<u8>> {
    let size = usize::try_from(file.metadata()?.len()).unwrap_or(BUFFER);
    Ok(vec![0; size.saturating_add(1).min(BUFFER)])
}

fn each_chunk(
    file: &mut File,
    buffer: &mut [u8],
    mut take: impl FnMut(&[u8]) -> Result<(), CopyError>,
) -> Result<(), CopyError> {
    loop {
        match file.read(buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => take(&buffer[..n])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CopyError::Read(error)),
        }
    }
}

fn seal(file: &File) -> io::Result<()> {
    rustix::fs::fchmod(file, rustix::fs::Mode::from_raw_mode(0o555))?;
    rustix::fs::futimens(file, &Timestamps { last_access: SEALED, last_modification: SEALED })?;
    Ok(())
}

/// Whether a sealed file of this size is at `path`.
pub(super) fn is_sealed(path: &Path, size: u64) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(meta) => Ok(meta.is_file()
            && meta.len() == size
            && meta.mtime() == SEALED.tv_sec
            && meta.mtime_nsec() == 0
            && meta.mode() & 0o777 == 0o555),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
