//! Which file system a path is on.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

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
    fn paths_that_do_not_exist_yet_are_judged_by_what_is_above_them() {
        let dir = tempfile::tempdir().unwrap();
        assert!(same_file_system(dir.path(), &dir.path().join("a/b/c")));
        assert!(!same_file_system(dir.path(), Path::new("/proc/self/x")));
    }
}
