//! Whether a snapshot is still what was taken.
//!
//! Programs run as the user who owns the store, so a job can write to its own code, and by hard links to that of
//! other jobs and workspaces. Nothing prevents that. But every stored file is sealed, and the server looks at the
//! seals before and afterwards. So nothing that was made by other code than its digest says is believed.

use std::fs;
use std::path::{Path, PathBuf};

use super::copy::is_sealed;
use super::digest::CodeDigest;
use super::error::{Context as _, SnapshotError};
use super::lock::WorkDir;
use super::manifest::{CodeManifest, Entry};
use super::materialize::open_regular;
use super::store::{SnapshotRef, Store};

impl Store {
    /// The snapshot of this code, if it has been taken and is as it was then. Reads no file but the manifest: some
    /// microseconds a file.
    ///
    /// # Errors
    /// `code_store_damaged` if something was changed in it. It is removed then, so that it is taken anew.
    pub fn intact(&self, digest: &CodeDigest) -> Result<Option<SnapshotRef>, SnapshotError> {
        let Some(found) = self.find(digest)? else { return Ok(None) };
        match changed_in(&self.path_of(digest), digest)? {
            None => Ok(Some(found)),
            Some(path) => {
                self.discard(digest)?;
                Err(SnapshotError::Damaged { path })
            }
        }
    }

    /// Takes a snapshot out of sight in one step, then removes it.
    fn discard(&self, digest: &CodeDigest) -> Result<(), SnapshotError> {
        let _lock = self.shared_lock()?;
        let work = WorkDir::new(self.root())?;
        let path = self.path_of(digest);
        match fs::rename(&path, work.path().join("snapshot")) {
            // Somebody else saw it, too.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            moved => moved.context("remove", &path),
        }
    }
}

/// The first thing in a snapshot that is not as its manifest says.
fn changed_in(dir: &Path, digest: &CodeDigest) -> Result<Option<PathBuf>, SnapshotError> {
    let text = dir.join("manifest");
    let manifest = match open_regular(&text) {
        Ok(Some(mut file)) => {
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut file, &mut bytes).context("read", &text)?;
            CodeManifest::parse(&bytes).ok()
        }
        Ok(None) => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => return Err(SnapshotError::io("read", &text, error)),
    };
    let Some(manifest) = manifest.filter(|manifest| manifest.digest() == *digest) else {
        return Ok(Some(text));
    };
    for entry in manifest.entries() {
        let path = dir.join("runfiles").join(entry.path());
        let same = match entry {
            Entry::File { size, .. } => is_sealed(&path, *size).context("look at", &path)?,
            Entry::Link { target, .. } => fs::read_link(&path).is_ok_and(|found| found == Path::new(target)),
            Entry::Empty { .. } => {
                path.symlink_metadata().is_ok_and(|meta| meta.is_file() && meta.len() == 0)
            }
        };
        if !same {
            return Ok(Some(path));
        }
    }
    Ok(None)
}
