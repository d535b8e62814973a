//! How much memory this machine lets runs have: what it has itself, or less if a control group says so.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that runs may take together; none if it cannot be found out, and then memory is not counted.
#[must_use]
pub fn memory() -> Option<u64> {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| total(&text))?;
    let groups = fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let limits = limit_files(&groups, Path::new("/sys/fs/cgroup"));
    let limits = limits.iter().filter_map(|file| limit(&fs::read_to_string(file).ok()?));
    Some(limits.fold(machine, u64::min))
}

/// `MemTotal` of `/proc/meminfo`, in bytes.
fn total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// A limit as control groups write it; none for `max`. Version 1 writes a number near 2^63 instead, which is
/// more than any machine has.
fn limit(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

/// Files with limits for a process of these groups: its own group and all above, of both versions.
fn limit_files(groups: &str, root: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else {
            continue;
        };
        let (base, name) = match controllers {
            "" => (root.to_owned(), "memory.max"),
            list if list.split(',').any(|one| one == "memory") => {
                (root.join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        // A container often shows the path of outside; then only the top is there, and it is the own group.
        let inside = Path::new(path.trim_start_matches('/'));
        files.extend(inside.ancestors().map(|above| base.join(above).join(name)));
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machines_memory_is_read_in_bytes() {
        assert_eq!(total("MemTotal:       16318480 kB\nMemFree: 1 kB\n"), Some(16_318_480 * 1024));
        assert_eq!(total("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn a_group_and_all_above_it_limit() {
        let files = limit_files("9:name=x:/\n4:memory:/a/b\n0::/u/s\n", Path::new("/c"));
        let expected = [
            "/c/memory/a/b/memory.limit_in_bytes",
            "/c/memory/a/memory.limit_in_bytes",
            "/c/memory/memory.limit_in_bytes",
            "/c/u/s/memory.max",
            "/c/u/memory.max",
            "/c/memory.max",
        ];
        assert_eq!(files, expected.map(PathBuf::from));
    }

    #[test]
    fn no_limit_is_none() {
        assert_eq!(limit("max\n"), None);
        assert_eq!(limit("1073741824\n"), Some(1 << 30));
    }
}
