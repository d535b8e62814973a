//! Stat marks: whether a published output was touched, told from its inodes alone.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use databuild_core::digest::mix;

use super::walk::{leads_nowhere, walk_with, Entry, Links, Stat, Type};

/// Starting values; they tell a file from a directory, and the next version from this one.
const FILE: u64 = 0x6461_7461_6631;
const DIR: u64 = 0x6461_7461_6431;
const MATCHES: u64 = 0x6461_7461_6d31;

/// 64 bits over size, modification time and inode number of a file, or of all entries of a directory, or files
/// that match a pattern, with their names. Equal marks mean "not touched since"; unequal ones say nothing about content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatMark(pub u64);

impl StatMark {
    pub(super) fn of_file(stat: Stat) -> Self {
        Self(with_stat(FILE, stat))
    }

    pub(super) fn of_files(files: &[(PathBuf, Stat)]) -> Self {
        Self(files.iter().fold(MATCHES, |seed, (path, stat)| with_stat(with_path(mix(seed, 0), path), *stat)))
    }

    pub(super) fn of_entries(entries: &[Entry]) -> Self {
        Self(entries.iter().fold(DIR, |seed, entry| {
            let mark = with_path(mix(seed, entry.kind as u64), &entry.relative);
            // The size and time of a folder tell only that names came or went, which is seen anyway,
            // and on some file systems the size depends on its past.
            match entry.kind {
                Type::Dir => mix(mark, entry.stat.inode),
                Type::File | Type::Link | Type::Special => with_stat(mark, entry.stat),
            }
        }))
    }
}

fn with_path(seed: u64, path: &Path) -> u64 {
    path.as_os_str().as_bytes().chunks(8).fold(seed, |mark, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(mark, u64::from_le_bytes(word))
    })
}

fn with_stat(seed: u64, stat: Stat) -> u64 {
    mix(mix(mix(seed, stat.size), stat.mtime.cast_unsigned()), stat.inode)
}

/// The mark of these files now, in this order; `None` if any of them is gone.
pub fn files_mark(paths: &[PathBuf]) -> io::Result<Option<StatMark>> {
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        match fs::metadata(path) {
            Ok(meta) => files.push((path.clone(), Stat::of(&meta))),
            Err(error) if leads_nowhere(&error) => return Ok(None),
            Err(error) => return Err(error),
        }
    }
    Ok(Some(StatMark::of_files(&files)))
}

/// The mark of what is at `path` now; `None` if nothing is. A link at `path` is followed, so that the
/// mark always speaks of the data (and an output replaced by a link to another file is changed).
pub fn stat_mark(path: &Path) -> io::Result<Option<StatMark>> {
    let look = || -> io::Result<StatMark> {
        let meta = fs::metadata(path)?;
        Ok(if meta.is_dir() {
            StatMark::of_entries(&walk_with(path, Links::Followed)?)
        } else {
            StatMark::of_file(Stat::of(&meta))
        })
    };
    match look() {
        Ok(mark) => Ok(Some(mark)),
        Err(error) => match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
            _ => Err(error),
        },
    }
}
