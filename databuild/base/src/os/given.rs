//! Reads whole files that a user or a build hands over: a graph, a manifest, a list of keys.
//!
//! A path may name a pipe, on which a read would wait for ever, or a device or a file that never ends. So only a regular file
//! is read, and only if it is not larger than its reader expects. Links are followed: runfiles are links.

use super::left::not_a_file;
use rustix::fs::OFlags;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// All bytes of a regular file, which are at most `most`.
///
/// # Errors
/// It is something else or larger, and the error says what; or it cannot be read.
pub fn read_given(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(not_a_file(meta.file_type()));
    }
    if meta.len() > most {
        return Err(too_large(most));
    }
    read_at_most(file, most)
}

/// All that somebody writes, which is at most `most` bytes.
///
/// # Errors
/// It is more; or it cannot be read.
pub fn read_at_most(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(too_large(most));
    }
    Ok(bytes)
}

fn too_large(most: u64) -> io::Error {
    io::Error::other(format!("it has more than {} MiB, the most that is read", most >> 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_of_a_bounded_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::os::unix::fs::symlink("file", at("link")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", at("zero")).unwrap();
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), rustix::fs::FileType::Fifo, mode, 0).unwrap();
        // A terabyte without a block.
        std::fs::File::create(at("huge")).unwrap().set_len(1 << 40).unwrap();
        assert_eq!(read_given(&at("file"), 4).unwrap(), b"text");
        assert_eq!(read_given(&at("link"), 4).unwrap(), b"text");
        for (name, most, why) in [
            ("file", 3, "it has more than 0 MiB, the most that is read"),
            ("huge", 64 << 20, "it has more than 64 MiB, the most that is read"),
            ("zero", 9, "it is a device, not a regular file"),
            ("pipe", 9, "it is a pipe, not a regular file"),
            (".", 9, "it is a folder, not a regular file"),
        ] {
            assert_eq!(read_given(&at(name), most).unwrap_err().to_string(), why, "{name}");
        }
        assert_eq!(read_given(&at("none"), 9).unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(read_at_most(&b"text"[..], 4).unwrap(), b"text");
        assert!(read_at_most(io::repeat(0), 1 << 10).is_err());
    }
}
