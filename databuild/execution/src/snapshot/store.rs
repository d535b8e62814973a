//! The store's paths and the references it hands out.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::digest::{CodeDigest, FileDigest};
use super::error::{Context as _, SnapshotError};
use super::lock;
use crate::os::LockFile;

/// The system call that makes a hard link; replaceable to meet the limits of other file systems.
pub(super) type Linker = fn(&Path, &Path) -> io::Result<()>;

/// The code store of a user, shared by all his workspaces. Cheap to open; holds no descriptor.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
    pub(super) linker: Linker,
}

/// One snapshot in the store. Valid as long as some workspace's roots name it (or it is young).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotRef {
    digest: CodeDigest,
    dir: PathBuf,
    pub(super) new_files: u64,
    pub(super) new_bytes: u64,
}

impl SnapshotRef {
    /// What names the snapshot.
    #[must_use]
    pub fn digest(&self) -> CodeDigest {
        self.digest
    }

    /// The runfiles tree: a job's `RUNFILES_DIR`.
    #[must_use]
    pub fn runfiles(&self) -> PathBuf {
        self.dir.join("runfiles")
    }

    /// Where a runfile is, e.g. the job's executable, named by its canonical runfiles path.
    #[must_use]
    pub fn file(&self, runfile: &str) -> PathBuf {
        self.runfiles().join(runfile)
    }

    /// Files that this materialization had to copy; 0 for a snapshot that was there.
    #[must_use]
    pub fn new_files(&self) -> u64 {
        self.new_files
    }

    /// Bytes that this materialization had to copy.
    #[must_use]
    pub fn new_bytes(&self) -> u64 {
        self.new_bytes
    }
}

impl Store {
    /// Opens the store, creating what is missing. A new root is readable by its owner only: it holds
    /// the code of all his workspaces.
    pub fn open(root: impl Into<PathBuf>) -> Result<Self, SnapshotError> {
        let root = root.into();
        let mut private = DirBuilder::new();
        private.recursive(true).mode(0o700);
        // Absolute, because snapshots are used from other working directories.
        let root = std::path::absolute(&root).context("find", &root)?;
        for part in ["cas", "snap", "bin/index", "roots", "tmp"] {
            let dir = root.join(part);
            private.create(&dir).context("create the code store's folder", &dir)?;
        }
        Ok(Self { root, linker: |from, to| fs::hard_link(from, to) })
    }

    /// As given to [`Store::open`], made absolute.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a snapshot, whether or not it exists.
    #[must_use]
    pub fn path_of(&self, digest: &CodeDigest) -> PathBuf {
        self.root.join("snap").join(digest.to_string())
    }

    /// The snapshot of this code, if it has been taken (one stat).
    pub fn find(&self, digest: &CodeDigest) -> Result<Option<SnapshotRef>, SnapshotError> {
        let dir = self.path_of(digest);
        Ok(dir.try_exists().context("look at", &dir)?.then(|| self.reference(digest)))
    }

    /// Path of a job's executable in its snapshot, whether or not it exists.
    #[must_use]
    pub fn executable(&self, digest: &CodeDigest, runfile: &str) -> PathBuf {
        self.reference(digest).file(runfile)
    }

    pub(super) fn reference(&self, digest: &CodeDigest) -> SnapshotRef {
        SnapshotRef { digest: *digest, dir: self.path_of(digest), new_files: 0, new_bytes: 0 }
    }

    pub(super) fn cas_path(&self, digest: &FileDigest) -> PathBuf {
        let hex = digest.to_string();
        self.root.join("cas").join(&hex[..2]).join(hex)
    }

    pub(super) fn shared_lock(&self) -> Result<LockFile, SnapshotError> {
        lock::shared(&self.root)
    }
}
