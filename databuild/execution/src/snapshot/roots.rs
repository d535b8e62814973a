//! What each workspace still needs from the shared store.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::digest::{CodeDigest, FileDigest};
use super::error::{Context as _, SnapshotError};
use super::lock::{write_atomically, WorkDir};
use super::store::Store;

const FORMAT: u32 = 1;

/// Names a workspace's roots file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkspaceId(String);

impl WorkspaceId {
    /// The id of the workspace at this path: half of the path's SHA-256 in hex.
    #[must_use]
    pub fn of(workspace: &Path) -> Self {
        let digest = FileDigest::from_bytes(Sha256::digest(workspace.as_os_str().as_encoded_bytes()).into());
        Self(digest.to_string()[..32].to_owned())
    }
}

impl fmt::Display for WorkspaceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Everything a workspace may still run: the code of its current graph and of its queued, running and
/// repeatable runs, and the program its server and runner were started from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots {
    /// Snapshots.
    pub codes: BTreeSet<CodeDigest>,
    /// Copies of DataBuild's executable ([`Store::binary`]).
    pub binaries: BTreeSet<FileDigest>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RootsFile {
    format: u32,
    workspace: String,
    codes: BTreeSet<CodeDigest>,
    binaries: BTreeSet<FileDigest>,
}

impl Store {
    /// Replaces the roots of the workspace at `workspace` (absolute). Only its owner, the process that
    /// holds the workspace's server lock, calls this, and before it relies on the snapshots.
    pub fn write_roots(&self, workspace: &Path, roots: &Roots) -> Result<(), SnapshotError> {
        let Some(text) = workspace.to_str() else {
            return Err(SnapshotError::WorkspacePath { path: workspace.to_owned() });
        };
        let file = RootsFile {
            format: FORMAT,
            workspace: text.to_owned(),
            codes: roots.codes.clone(),
            binaries: roots.binaries.clone(),
        };
        let path = self.roots_path(&WorkspaceId::of(workspace));
        let mut bytes =
            serde_json::to_vec_pretty(&file).map_err(std::io::Error::from).context("write", &path)?;
        bytes.push(b'\n');
        let _lock = self.shared_lock()?;
        write_atomically(&WorkDir::new(self.root())?, &path, &bytes)
    }

    pub(super) fn roots_path(&self, id: &WorkspaceId) -> PathBuf {
        self.root().join("roots").join(format!("{id}.json"))
    }

    /// The union of the roots of all workspaces that still exist, and the files of those that do not.
    /// A file that cannot be understood (a newer version's) is an error: it may name anything.
    pub(super) fn all_roots(&self) -> Result<(Roots, Vec<PathBuf>), SnapshotError> {
        let dir = self.root().join("roots");
        let (mut all, mut orphaned) = (Roots::default(), Vec::new());
        for entry in fs::read_dir(&dir).context("list", &dir)? {
            let path = entry.context("list", &dir)?.path();
            let bytes = fs::read(&path).context("read", &path)?;
            let file =
                parse(&bytes).map_err(|reason| SnapshotError::BadRoots { path: path.clone(), reason })?;
            if Path::new(&file.workspace).is_dir() {
                all.codes.extend(file.codes);
                all.binaries.extend(file.binaries);
            } else {
                orphaned.push(path);
            }
        }
        Ok((all, orphaned))
    }
}

fn parse(bytes: &[u8]) -> Result<RootsFile, String> {
    #[derive(Deserialize)]
    struct Head {
        format: u32,
    }
    let head: Head = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if head.format != FORMAT {
        return Err(format!("format {} is from another version (this one knows {FORMAT})", head.format));
    }
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}
