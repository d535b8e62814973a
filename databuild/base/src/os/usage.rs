//! What files take of a disk, and this process of the memory.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What some files take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Used {
    /// Bytes of the disk.
    pub bytes: u64,
    /// Files that were looked at.
    pub files: u64,
    /// There are more than were looked at.
    pub more: bool,
}

/// What files and all that is in folders takes, after a look at `most` of them. Links are not followed, and what cannot be read, or
/// goes meanwhile, counts as nothing.
#[must_use]
pub fn used(paths: &[PathBuf], most: u64) -> Used {
    let mut used = Used::default();
    let mut left: Vec<PathBuf> = paths.to_vec();
    while let Some(path) = left.pop() {
        let Ok(found) = path.symlink_metadata() else { continue };
        if used.files == most {
            used.more = true;
            break;
        }
        used.bytes += on_disk(&found);
        if !found.is_dir() {
            used.files += 1;
            continue;
        }
        let entries = std::fs::read_dir(&path).into_iter().flatten();
        // A folder with more than is looked at is not even listed whole.
        let room = usize::try_from(most - used.files + 1).unwrap_or(usize::MAX);
        left.extend(entries.flatten().take(room).map(|entry| entry.path()));
    }
    used
}

fn on_disk(found: &Metadata) -> u64 {
    found.blocks() * 512
}

/// Bytes that are free for this user on the disk of a path; none if nobody knows.
#[must_use]
pub fn free(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

/// Bytes of memory that this process has; none if nobody knows.
#[must_use]
pub fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_folders_are_counted_and_links_are_not_followed() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::create_dir_all(at("a/b")).unwrap();
        std::fs::write(at("a/b/big"), vec![1; 100_000]).unwrap();
        std::fs::write(at("a/small"), "x").unwrap();
        std::os::unix::fs::symlink(folder.path(), at("a/round")).unwrap();
        let found = used(&[at("a"), at("nothing")], 100);
        assert!(found.files == 3 && found.bytes >= 100_000 && !found.more, "{found:?}");
        let some = used(&[at("a")], 1);
        assert!(some.files == 1 && some.more, "{some:?}");
    }

    #[test]
    fn this_process_has_memory_and_its_disk_a_size() {
        assert!(resident().unwrap() > 1 << 20);
        assert!(free(Path::new("/")).is_some());
        assert_eq!(free(Path::new("/no/such/path")), None);
    }
}
