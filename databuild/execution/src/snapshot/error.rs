//! What can go wrong with the store, in the user's words.

use std::io;
use std::path::{Path, PathBuf};

/// A failed operation on the code store. Nothing half-made is left at a final path.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file on disk is not what the build recorded: it was edited between build and snapshot.
    #[error("`{runfile}` changed since the build ({}): build again", file.display())]
    ChangedSinceBuild {
        /// Runfiles path as the manifest names it.
        runfile: String,
        /// The file that was read.
        file: PathBuf,
    },
    /// A file of the manifest is not on disk.
    #[error("`{runfile}` is not there ({}): build again", file.display())]
    MissingRunfile {
        /// Runfiles path as the manifest names it.
        runfile: String,
        /// Where it was expected.
        file: PathBuf,
    },
    /// A manifest entry that should be a regular file is a folder, device or pipe.
    #[error("`{runfile}` is not a regular file ({}): a job's code can only consist of files", file.display())]
    NotAFile {
        /// Runfiles path as the manifest names it.
        runfile: String,
        /// What was found.
        file: PathBuf,
    },
    /// No room (disk, quota or file size limit).
    #[error("no room left to write {}: {source}; free some space (`gc` removes old code snapshots) and try again", path.display())]
    DiskFull {
        /// What was being written.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Something in the store is not as it was stored. It has been removed, or the snapshot that has it.
    #[error("{} in the code store was changed after it was stored, and has been removed; nothing may write to the runfiles of a job; run the command again", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// A workspace's list of needed snapshots cannot be understood, so nothing may be collected.
    #[error("cannot read {}: {reason}; nothing was collected (remove the file if its workspace no longer exists)", path.display())]
    BadRoots {
        /// The roots file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A workspace whose path cannot be written in the roots file.
    #[error("the workspace path {} is not valid UTF-8: move the workspace to a path that is", path.display())]
    WorkspacePath {
        /// The path.
        path: PathBuf,
    },
    /// Any other system error.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// A verb, for the message.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl SnapshotError {
    /// Stable name of the kind of error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ChangedSinceBuild { .. } => "changed_since_build",
            Self::MissingRunfile { .. } => "missing_runfile",
            Self::NotAFile { .. } => "runfile_not_a_file",
            Self::DiskFull { .. } => "disk_full",
            Self::Damaged { .. } => "code_store_damaged",
            Self::BadRoots { .. } => "bad_roots",
            Self::WorkspacePath { .. } => "workspace_path_not_utf8",
            Self::Io { .. } => "code_store_io",
        }
    }

    /// Names the path in a system error and tells a full disk from the rest.
    pub(super) fn io(action: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        let (path, source) = (path.to_owned(), source.into());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::DiskFull { path, source }
            }
            _ => Self::Io { action, path, source },
        }
    }
}

/// Gives [`io::Result`]s the context an error message needs.
pub(super) trait Context<T> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, SnapshotError>;
}

impl<T, E: Into<io::Error>> Context<T> for Result<T, E> {
    fn context(self, action: &'static str, path: &Path) -> Result<T, SnapshotError> {
        self.map_err(|source| SnapshotError::io(action, path, source))
    }
}
