//! Taking a published output away: a partition that turned out empty has no file.

use super::error::PublishError;
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// Removes what is at `path`, if anything is. A directory disappears at once, by a rename, before its
/// entries are removed. Folders that lost a name are added to `changed_dirs`, for [`super::sync_dirs`].
///
/// # Errors
/// It cannot be removed.
pub fn withdraw(path: &Path, changed_dirs: &mut BTreeSet<PathBuf>) -> Result<(), PublishError> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(PublishError::io("look at", path, error)),
    };
    let removed = if meta.is_dir() {
        let mut aside = path.as_os_str().to_owned();
        aside.push(".databuild-withdrawn");
        let aside = PathBuf::from(aside);
        // One that a crash left would be in the way.
        let _ = fs::remove_dir_all(&aside);
        fs::rename(path, &aside).and_then(|()| fs::remove_dir_all(&aside))
    } else {
        fs::remove_file(path)
    };
    removed.map_err(|error| PublishError::io("remove", path, error))?;
    changed_dirs.extend(path.parent().map(Path::to_owned));
    Ok(())
}

/// Whether what is written below the folder `staging` can be renamed to `path`: both are, or will be, on
/// one file system. Looks at the nearest folders that exist.
#[must_use]
pub fn same_file_system(staging: &Path, path: &Path) -> bool {
    let device = |path: &Path| path.ancestors().find_map(|at| fs::metadata(at).ok()).map(|meta| meta.dev());
    device(staging) == path.parent().and_then(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_directories_go_and_absence_is_fine() {
        let dir = tempfile::tempdir().unwrap();
        let (file, folder) = (dir.path().join("f"), dir.path().join("d"));
        fs::write(&file, "x").unwrap();
        fs::create_dir_all(folder.join("sub")).unwrap();
        let mut dirs = BTreeSet::new();
        for path in [&file, &folder, &dir.path().join("never")] {
            withdraw(path, &mut dirs).unwrap();
            assert!(!path.exists());
        }
        assert_eq!(dirs, BTreeSet::from([dir.path().to_owned()]));
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn paths_that_do_not_exist_yet_are_judged_by_what_is_above_them() {
        let dir = tempfile::tempdir().unwrap();
        assert!(same_file_system(dir.path(), &dir.path().join("a/b/c")));
        assert!(!same_file_system(dir.path(), Path::new("/proc/self/x")));
    }
}
