//! What a file or directory consists of, from its inodes alone.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// The parts of an inode that tell whether a file was touched. The device is not among them: its
/// number changes with the order of mounting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) size: u64,
    /// Nanoseconds since 1970.
    pub(super) mtime: i64,
    pub(super) inode: u64,
}

impl Stat {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self { size: meta.len(), mtime: nanoseconds(meta.mtime(), meta.mtime_nsec()), inode: meta.ino() }
    }
}

pub(super) fn nanoseconds(seconds: i64, nanos: i64) -> i64 {
    seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)
}

/// Kinds of directory entries; the numbers enter hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Dir = 1,
    File = 2,
    Link = 3,
    Special = 4,
}

impl Type {
    pub(super) fn of(meta: &Metadata) -> Self {
        let kind = meta.file_type();
        if kind.is_file() {
            Self::File
        } else if kind.is_dir() {
            Self::Dir
        } else if kind.is_symlink() {
            Self::Link
        } else {
            Self::Special
        }
    }
}

/// One entry of a directory tree.
#[derive(Debug)]
pub(super) struct Entry {
    /// Below the tree's root.
    pub(super) relative: PathBuf,
    pub(super) kind: Type,
    pub(super) stat: Stat,
}

/// All entries below `root`, sorted by the bytes of their relative paths. Links are not followed.
pub(super) fn walk(root: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut pending = vec![PathBuf::new()];
    while let Some(dir) = pending.pop() {
        for item in fs::read_dir(root.join(&dir))? {
            let item = item?;
            let meta = item.metadata()?;
            let relative = dir.join(item.file_name());
            let kind = Type::of(&meta);
            if kind == Type::Dir {
                pending.push(relative.clone());
            }
            entries.push(Entry { relative, kind, stat: Stat::of(&meta) });
        }
    }
    entries.sort_unstable_by(|a, b| a.relative.as_os_str().as_bytes().cmp(b.relative.as_os_str().as_bytes()));
    Ok(entries)
}
