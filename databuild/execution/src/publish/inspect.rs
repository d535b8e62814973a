//! Looking at what a job wrote: may it be published, and what is its content hash?
//!
//! The hash of a directory is the SHA-256 of `databuild-directory 1\n` and then, for each entry sorted
//! by the bytes of its relative path: one byte of kind (1 directory, 2 file, 3 link), the path's length
//! in bytes (8 bytes, little-endian), the path, and for a file the SHA-256 of its content, for a link
//! the length of its target (likewise) and the target. Modes, owners and times are not in it. In data that others
//! write, a link that leads out of the directory counts as the file or directory that it leads to.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use databuild_core::observation::Look;
use rustix::fs::OFlags;
use sha2::{Digest as _, Sha256};

use super::error::{Context as _, PublishError};
use super::hash::ContentHash;
use super::mark::{body_of_entries, body_of_file, settle, stats_of, StatMark};
use super::walk::{stays_inside, walk_with, Links, Stat, Type};

pub(super) const BUFFER: usize = 256 * 1024;
/// So often data of others is read before it counts as changing all the time.
pub(super) const TRIES: usize = 3;

/// What an output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One file.
    File,
    /// A directory tree.
    Dir,
}

/// An output that may be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inspected {
    /// File or directory.
    pub kind: Kind,
    /// Its data version.
    pub hash: ContentHash,
    /// Of file content.
    pub bytes: u64,
    /// Regular files: 1 for a file.
    pub files: u64,
    /// Belongs to exactly the hashed bytes, of data that was [observed](observe). Of an output it is another one as soon
    /// as that is in its place.
    pub mark: StatMark,
    /// Tells an output in its place from one that somebody has written to since it was hashed; see
    /// [`mark_of_placed`](super::mark_of_placed).
    pub body: u64,
}

/// Reads what a job left at its staging path.
pub fn inspect(staging: &Path) -> Result<Inspected, PublishError> {
    inspect_with(staging, Links::Kept, &AtomicBool::new(false))
}

/// The same; it gives up soon after `stop` is set.
pub fn inspect_until(staging: &Path, stop: &AtomicBool) -> Result<Inspected, PublishError> {
    inspect_with(staging, Links::Kept, stop)
}

fn inspect_with(path: &Path, links: Links, stop: &AtomicBool) -> Result<Inspected, PublishError> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(PublishError::OutputMissing { path: path.to_owned() })
        }
        Err(error) => return Err(PublishError::io("look at", path, error)),
    };
    match Type::of(&meta) {
        Type::File => inspect_file(path, Stat::of(&meta), links, stop),
        Type::Dir => inspect_dir(path, links, stop),
        Type::Link => Err(outside(path)),
        Type::Special => Err(PublishError::SpecialFile { path: path.to_owned() }),
    }
}

/// The same for data that others may write: a link at `path` itself is followed, links inside a directory that lead
/// out of it count as what they lead to, and that nothing is there is no error. What changes while it is read is read
/// again a few times.
pub fn observe(path: &Path) -> Result<Option<Inspected>, PublishError> {
    let mut found = observe_once(path);
    for _ in 1..TRIES {
        if !matches!(found, Err(PublishError::StillChanging { .. })) {
            break;
        }
        found = observe_once(path);
    }
    found
}

fn observe_once(path: &Path) -> Result<Option<Inspected>, PublishError> {
    match fs::canonicalize(path) {
        Ok(real) => match inspect_with(&real, Links::Followed, &AtomicBool::new(false)) {
            Err(PublishError::OutputMissing { .. }) => Ok(None),
            // It was there a moment ago.
            Err(PublishError::Io { source, path, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(PublishError::StillChanging { path })
            }
            result => result.map(Some),
        },
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(PublishError::io("look at", path, error)),
    }
}

/// What a look at data says.
#[must_use]
pub fn look(path: &Path) -> Look {
    match observe(path) {
        Ok(Some(found)) => {
            Look::Present { version: found.hash.to_string(), mark: found.mark.0, bytes: found.bytes }
        }
        Ok(None) => Look::Absent,
        Err(error) => Look::Unknown(error.into()),
    }
}

fn inspect_file(path: &Path, stat: Stat, links: Links, stop: &AtomicBool) -> Result<Inspected, PublishError> {
    if links == Links::Followed {
        settle(path, [stat]);
    }
    // Most outputs are small, and the pages of a big fresh buffer cost more than reading them.
    let buffer = usize::try_from(stat.size).unwrap_or(BUFFER).saturating_add(1).min(BUFFER);
    let sha256 = hash_file(path, stat, false, &mut vec![0; buffer], stop)?;
    Ok(Inspected {
        kind: Kind::File,
        hash: ContentHash::from_sha256(sha256),
        bytes: stat.size,
        files: 1,
        mark: StatMark::of_file(stat),
        body: body_of_file(stat),
    })
}

fn inspect_dir(root: &Path, links: Links, stop: &AtomicBool) -> Result<Inspected, PublishError> {
    let entries = walk_with(root, links).context("list", root)?;
    if links == Links::Followed {
        settle(root, stats_of(&entries));
    }
    let mut hasher = Sha256::new_with_prefix(b"databuild-directory 1\n");
    let mut buffer = vec![0; BUFFER];
    let (mut bytes, mut files) = (0, 0);
    for entry in &entries {
        let path = root.join(&entry.relative);
        hasher.update([entry.kind as u8]);
        update_counted(&mut hasher, entry.relative.as_os_str().as_bytes());
        match entry.kind {
            Type::Dir => {}
            Type::File => {
                hasher.update(hash_file(&path, entry.stat, entry.followed, &mut buffer, stop)?);
                bytes += entry.stat.size;
                files += 1;
            }
            Type::Link => {
                let target = fs::read_link(&path).context("read the link", &path)?;
                if links == Links::Kept && !stays_inside(&entry.relative, &target) {
                    return Err(PublishError::LinkOutside { path, target });
                }
                update_counted(&mut hasher, target.as_os_str().as_bytes());
            }
            Type::Special => return Err(PublishError::SpecialFile { path }),
        }
    }
    Ok(Inspected {
        kind: Kind::Dir,
        hash: ContentHash::from_sha256(hasher.finalize().into()),
        bytes,
        files,
        mark: StatMark::of_entries(&entries),
        body: body_of_entries(&entries),
    })
}

pub(super) fn update_counted(hasher: &mut Sha256, bytes: &[u8]) {
    hasher.update((bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

/// Hashes a file, making sure that nobody touched it since a look at its inode.
pub(super) fn hash_file(
    path: &Path,
    expected: Stat,
    follow: bool,
    buffer: &mut [u8],
    stop: &AtomicBool,
) -> Result<[u8; 32], PublishError> {
    let changing = || PublishError::StillChanging { path: path.to_owned() };
    // Not to hang on a pipe, or to follow a link, that came since the look at the inode.
    let flags = if follow { OFlags::NONBLOCK } else { OFlags::NOFOLLOW | OFlags::NONBLOCK };
    let flags = flags.bits().cast_signed();
    let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(changing()),
        Err(error) => return Err(PublishError::io("read", path, error)),
    };
    let untouched = |file: &File| {
        let now = file.metadata().context("look at", path)?;
        Ok(Stat::of(&now).continues(expected))
    };
    if !untouched(&file)? {
        return Err(changing());
    }
    let mut hasher = Sha256::new();
    let mut size = 0;
    loop {
        if stop.load(Ordering::Relaxed) {
            return Err(PublishError::GivenUp { path: path.to_owned() });
        }
        match file.read(buffer) {
            Ok(0) => break,
            Ok(n) => {
                hasher.update(&buffer[..n]);
                size += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(PublishError::io("read", path, error)),
        }
    }
    if !untouched(&file)? || size != expected.size {
        return Err(changing());
    }
    Ok(hasher.finalize().into())
}

fn outside(path: &Path) -> PublishError {
    match fs::read_link(path) {
        Ok(target) => PublishError::LinkOutside { path: path.to_owned(), target },
        Err(error) => PublishError::io("read the link", path, error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use databuild_core::observation::Blindness;
    use std::os::unix::fs::symlink;
    use std::path::PathBuf;

    struct Place(tempfile::TempDir);

    impl Place {
        /// A folder `data` with a file, and a folder `far` beside it.
        fn new() -> Place {
            let place = Place(tempfile::tempdir().unwrap());
            place.write("data/a", "1");
            place.write("far/b", "2");
            place.write("far/sub/c", "3");
            place
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn write(&self, path: &str, content: &str) {
            fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
            fs::write(self.at(path), content).unwrap();
        }

        fn link(&self, target: impl AsRef<Path>, path: &str) {
            symlink(target, self.at(path)).unwrap();
        }

        fn version(&self, path: &str) -> (String, StatMark) {
            match look(&self.at(path)) {
                Look::Present { version, mark, .. } => (version, StatMark(mark)),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_link_that_leads_out_of_data_of_others_counts_as_what_it_leads_to() {
        let place = Place::new();
        place.write("copy/a", "1");
        place.write("copy/b", "2");
        place.write("copy/far/b", "2");
        place.write("copy/far/sub/c", "3");
        place.link("../far/b", "data/b");
        place.link(place.at("far"), "data/far");
        let (version, mark) = place.version("data");
        assert_eq!(version, place.version("copy").0);
        assert_eq!(super::super::stat_mark(&place.at("data")).unwrap(), Some(mark));
        // What it leads to is looked at, and not only the link.
        place.write("far/sub/c", "changed");
        assert_ne!(super::super::stat_mark(&place.at("data")).unwrap(), Some(mark));
        assert_ne!(place.version("data").0, version);
        assert_eq!(
            inspect(&place.at("data")).unwrap_err().code(),
            "output_link_outside",
            "no output may do that"
        );
    }

    #[test]
    fn links_that_stay_inside_or_lead_to_nothing_or_in_circles_count_as_links() {
        let place = Place::new();
        place.link("a", "data/inside");
        let inside = place.version("data").0;
        assert_eq!(inside, inspect(&place.at("data")).unwrap().hash.to_string(), "as for outputs");
        place.link("../nowhere", "data/nowhere");
        let (version, _) = place.version("data");
        place.write("nowhere", "there");
        assert_ne!(place.version("data").0, version);
        place.link("..", "data/up");
        place.link(place.at("far"), "data/far");
        place.link(place.at("data"), "far/back");
        place.version("data");
    }

    #[test]
    fn only_absence_is_absence() {
        let place = Place::new();
        let blind = |path: &Path| match look(path) {
            Look::Unknown(blind) => blind,
            other => panic!("{other:?}"),
        };
        assert_eq!(look(&place.at("none")), Look::Absent);
        assert_eq!(look(&place.at("data/a/below-a-file")), Look::Absent);
        rustix::fs::mknodat(
            rustix::fs::CWD,
            place.at("data/pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::RWXU,
            0,
        )
        .unwrap();
        for path in ["data/pipe", "data"] {
            let found = blind(&place.at(path));
            assert_eq!(found.kind, Blindness::Foreign, "{path}");
            assert!(found.message.contains("data/pipe is a pipe"), "{}", found.message);
        }
        // Its size is 0 and it is not empty: as if it grew while it is read, each time.
        assert_eq!(blind(Path::new("/proc/self/status")).kind, Blindness::Unstable);
        place.link("loop", "loop");
        assert_eq!(blind(&place.at("loop")).kind, Blindness::Unreadable);
        let long = place.at(&"x".repeat(300));
        assert_eq!(blind(&long).kind, Blindness::Unreadable);
    }
}
