//! Copies of DataBuild's own executable, so that server and runner never run from Bazel's outputs.

use std::ffi::OsStr;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{symlink, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{renameat_with, RenameFlags, CWD};
use rustix::io::Errno;

use super::copy::{copy_sealed, hash, is_sealed, CopyError};
use super::digest::FileDigest;
use super::error::{Context as _, SnapshotError};
use super::lock::{unique, WorkDir};
use super::materialize::{install, open_regular, touch};
use super::store::Store;
use crate::os::sync;

/// A file changed so recently might change again within its time stamp's resolution, so what was
/// hashed is not remembered yet (git's "racily clean" entries).
const SETTLED: Duration = Duration::from_secs(2);

impl Store {
    /// The store's copy of an executable, made if it is not there, at `bin/<sha256>/<file name>`.
    /// A file seen before is recognized by its identity (device, inode, size, times) without reading, and a copy by
    /// its place: a server that was just installed does not read itself.
    pub fn binary(&self, path: &Path) -> Result<PathBuf, SnapshotError> {
        let _lock = self.shared_lock()?;
        let bin = self.root().join("bin");
        let mut file = open_regular(path).context("read", path)?.ok_or_else(|| not_a_program(path))?;
        let meta = file.metadata().context("read", path)?;
        if self.binary_digest(path).is_some() && is_sealed(path, meta.len()).context("look at", path)? {
            touch(path.parent().unwrap_or(path))?;
            return Ok(path.to_owned());
        }
        let index = bin.join("index").join(identity(&meta));
        if let Ok(target) = fs::read_link(&index) {
            let known = bin.join(target);
            if is_sealed(&known, meta.len()).context("look at", &known)? {
                touch(known.parent().unwrap_or(&known))?;
                return Ok(known);
            }
        }

        let name = path.file_name().unwrap_or(OsStr::new("databuild"));
        let digest = hash(&mut file).context("read", path)?;
        let relative = Path::new(&digest.to_string()).join(name);
        let place = bin.join(&relative);
        if is_sealed(&place, meta.len()).context("look at", &place)? {
            touch(place.parent().unwrap_or(&place))?;
        } else {
            self.add_binary(&mut file, path, &digest, &place)?;
        }
        let age = SystemTime::now().duration_since(changed(&meta)).unwrap_or_default();
        if age >= SETTLED {
            // Only a cache: failing to write it costs a hash next time.
            let tmp = self.root().join("tmp").join(unique());
            if symlink(&relative, &tmp).is_ok() {
                let _ = fs::rename(&tmp, &index);
            }
        }
        Ok(place)
    }

    /// The digest under which [`Store::binary`] keeps the executable at `path`, if `path` is such a
    /// copy: what a server registers in its roots for the program it runs.
    #[must_use]
    pub fn binary_digest(&self, path: &Path) -> Option<FileDigest> {
        let relative = path.strip_prefix(self.root().join("bin")).ok()?;
        relative.iter().next()?.to_str()?.parse().ok()
    }

    fn add_binary(
        &self,
        file: &mut File,
        path: &Path,
        digest: &FileDigest,
        place: &Path,
    ) -> Result<(), SnapshotError> {
        let work = WorkDir::new(self.root())?;
        let tmp = work.path().join(unique());
        let (copied, _) = copy_sealed(file, &tmp).map_err(|error| match error {
            CopyError::Read(error) => SnapshotError::io("read", path, error),
            CopyError::Write(error) => SnapshotError::io("write", &tmp, error),
        })?;
        if copied != *digest {
            return Err(SnapshotError::ChangedSinceBuild {
                runfile: path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
                file: path.to_owned(),
            });
        }
        sync(&tmp).context("flush", &tmp)?;
        let parent = place.parent().unwrap_or(place);
        fs::create_dir_all(parent).context("create", parent)?;
        let size = file.metadata().context("read", path)?.len();
        // Another client may have been faster, and a server may run from its copy already.
        match renameat_with(CWD, &tmp, CWD, place, RenameFlags::NOREPLACE) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST) if is_sealed(place, size).context("look at", place)? => Ok(()),
            // What is there is no sealed copy, or the file system cannot tell.
            Err(_) => install(&tmp, place),
        }
    }
}

fn identity(meta: &Metadata) -> String {
    format!(
        "{}-{}-{}-{}.{:09}-{}.{:09}",
        meta.dev(),
        meta.ino(),
        meta.len(),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec()
    )
}

fn changed(meta: &Metadata) -> SystemTime {
    let seconds = Duration::from_secs(u64::try_from(meta.ctime()).unwrap_or_default());
    SystemTime::UNIX_EPOCH
        + seconds
        + Duration::from_nanos(u64::try_from(meta.ctime_nsec()).unwrap_or_default())
}

fn not_a_program(path: &Path) -> SnapshotError {
    SnapshotError::io("run", path, io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
}
