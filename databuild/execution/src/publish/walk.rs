//! What a file or directory consists of, from its inodes alone.

use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// The parts of an inode that tell whether a file was touched. The device is not among them: its
/// number changes with the order of mounting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) size: u64,
    /// When the content was last modified, in nanoseconds since 1970. Anybody can set it to anything.
    pub(super) mtime: i64,
    /// When content, names, mode, owner or `mtime` last changed, in nanoseconds since 1970. Only the kernel sets it.
    pub(super) ctime: i64,
    pub(super) inode: u64,
    /// How many names the file has.
    pub(super) links: u64,
}

impl Stat {
    pub(super) fn of(meta: &Metadata) -> Self {
        Self {
            size: meta.len(),
            mtime: nanoseconds(meta.mtime(), meta.mtime_nsec()),
            ctime: nanoseconds(meta.ctime(), meta.ctime_nsec()),
            inode: meta.ino(),
            links: meta.nlink(),
        }
    }

    /// Whether nobody touched the file since `before`, unless it was to give it one more name or take one away: jobs
    /// make hard links to their inputs while others read these.
    pub(super) fn continues(self, before: Stat) -> bool {
        let linked = self.links > 1 || before.links > 1;
        self == before || linked && Stat { ctime: self.ctime, links: self.links, ..before } == self
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
    /// It is a link that counts as the file it leads to.
    pub(super) followed: bool,
}

/// What links that lead out of the tree count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Links {
    /// As links.
    Kept,
    /// As the file or folder they lead to. One that leads to nothing, to a folder that it stands in, or to one that
    /// another link has led to before, counts as a link all the same: no circle is walked, and nothing twice.
    Followed,
}

/// A folder from which a link was followed, and those before it.
struct Jump {
    from: PathBuf,
    before: Option<Rc<Jump>>,
}

/// All entries below `root`, sorted by the bytes of their relative paths. Links are not followed.
pub(super) fn walk(root: &Path) -> io::Result<Vec<Entry>> {
    walk_with(root, Links::Kept)
}

/// The same with a say in what links count as. Those that stay inside the tree are links in any case.
pub(super) fn walk_with(root: &Path, links: Links) -> io::Result<Vec<Entry>> {
    let mut entries = Vec::new();
    let mut outside = Outside::default();
    let mut pending: Vec<(PathBuf, Option<Rc<Jump>>)> = vec![(PathBuf::new(), None)];
    while let Some((dir, jumps)) = pending.pop() {
        let mut items = fs::read_dir(root.join(&dir))?.collect::<io::Result<Vec<_>>>()?;
        if links == Links::Followed {
            // Of several links to one folder always the same is followed.
            items.sort_unstable_by_key(fs::DirEntry::file_name);
        }
        for item in items {
            let meta = item.metadata()?;
            let relative = dir.join(item.file_name());
            let mut entry = Entry { kind: Type::of(&meta), stat: Stat::of(&meta), relative, followed: false };
            let mut below = jumps.clone();
            if entry.kind == Type::Link && links == Links::Followed {
                outside.follow(root, &item.path(), &mut entry, &mut below)?;
            }
            if entry.kind == Type::Dir {
                pending.push((entry.relative.clone(), below));
            }
            entries.push(entry);
        }
    }
    entries.sort_unstable_by(|a, b| a.relative.as_os_str().as_bytes().cmp(b.relative.as_os_str().as_bytes()));
    Ok(entries)
}

/// What lies outside of a tree, as links in it lead there.
#[derive(Default)]
struct Outside {
    /// The tree's root without links; none before there was a link.
    root: Option<PathBuf>,
    /// Folders that links have led to.
    walked: HashSet<PathBuf>,
}

impl Outside {
    /// Replaces the entry of a link that leads outside by the entry of its target.
    fn follow(
        &mut self,
        root: &Path,
        path: &Path,
        entry: &mut Entry,
        jumps: &mut Option<Rc<Jump>>,
    ) -> io::Result<()> {
        let to = match fs::canonicalize(path) {
            Ok(to) => to,
            Err(error) if leads_nowhere(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        let own = match &mut self.root {
            Some(own) => own,
            none => none.insert(fs::canonicalize(root)?),
        };
        // The text alone would be wrong below a link that was followed, and where the way has another link in it.
        if to.starts_with(own) && stays_inside(&entry.relative, &fs::read_link(path)?) {
            return Ok(());
        }
        let meta = match fs::metadata(&to) {
            Ok(meta) => meta,
            Err(error) if leads_nowhere(&error) => return Ok(()),
            Err(error) => return Err(error),
        };
        if meta.is_dir() {
            let from = fs::canonicalize(path.parent().unwrap_or(path))?;
            let mut at = jumps.as_ref();
            let mut circle = from.starts_with(&to);
            while let Some(jump) = at {
                circle |= jump.from.starts_with(&to);
                at = jump.before.as_ref();
            }
            if circle || !self.walked.insert(to) {
                return Ok(());
            }
            *jumps = Some(Rc::new(Jump { from, before: jumps.take() }));
        } else {
            entry.followed = true;
        }
        entry.kind = Type::of(&meta);
        entry.stat = Stat::of(&meta);
        Ok(())
    }
}

/// Whether a link that gives this error, when it is followed, leads to nothing.
pub(super) fn leads_nowhere(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
        || error.raw_os_error() == Some(libc::ELOOP)
}

/// Whether a link at `relative` resolves inside the tree. Told from the text alone, therefore `..` may
/// only stand in front: after a name it would depend on whether that name is itself a link.
pub(super) fn stays_inside(relative: &Path, target: &Path) -> bool {
    let depth = relative.components().count() - 1;
    let parts: Vec<Component<'_>> = target.components().filter(|part| *part != Component::CurDir).collect();
    let ups = parts.iter().take_while(|part| **part == Component::ParentDir).count();
    ups <= depth && parts[ups..].iter().all(|part| matches!(part, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::super::observe;
    use super::*;
    use std::os::unix::fs::symlink;

    /// A place with folders and files by their paths.
    fn place(files: &[&str]) -> tempfile::TempDir {
        let place = tempfile::tempdir().unwrap();
        for file in files {
            let path = place.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "old").unwrap();
        }
        place
    }

    /// Whether the version of `in` is another one after a change of `file`.
    fn sees(place: &Path, file: &str) -> bool {
        let version = || observe(&place.join("in")).unwrap().unwrap().hash;
        let before = version();
        fs::write(place.join(file), "new").unwrap();
        version() != before
    }

    #[test]
    fn what_links_lead_to_is_told_from_where_they_are() {
        // Below a link that is followed, `..` leads on from there.
        let at = place(&["in/f", "releases/v2/f", "releases/shared/f"]);
        symlink(at.path().join("releases/v2"), at.path().join("in/current")).unwrap();
        symlink("../shared", at.path().join("releases/v2/common")).unwrap();
        assert!(sees(at.path(), "releases/shared/f"));
        assert!(sees(at.path(), "releases/v2/f"));
        // A link may pass through another one that leads out.
        let at = place(&["in/d/f", "other/f"]);
        symlink("../..", at.path().join("in/d/up")).unwrap();
        symlink("up/other", at.path().join("in/d/x")).unwrap();
        assert!(sees(at.path(), "other/f"));
        // One that stays inside is a link, and what it leads to is there by itself.
        let at = place(&["in/d/f"]);
        symlink("d/f", at.path().join("in/l")).unwrap();
        let entries = walk_with(&at.path().join("in"), Links::Followed).unwrap();
        assert!(entries.iter().any(|entry| entry.relative == Path::new("l") && entry.kind == Type::Link));
    }

    #[test]
    fn a_folder_is_walked_once_however_many_links_lead_to_it() {
        let at = place(&["in/f"]);
        for level in 0..40 {
            fs::create_dir(at.path().join(format!("d{level}"))).unwrap();
        }
        for level in 0..39 {
            for name in ["a", "b"] {
                let to = format!("../d{}", level + 1);
                symlink(to, at.path().join(format!("d{level}")).join(name)).unwrap();
            }
        }
        symlink(at.path().join("d0"), at.path().join("in/out")).unwrap();
        fs::write(at.path().join("d39/f"), "old").unwrap();
        let entries = walk_with(&at.path().join("in"), Links::Followed).unwrap();
        // `f`, `out`, two links for each level, and the file of the last.
        assert_eq!(entries.len(), 2 + 2 * 39 + 1);
        assert!(sees(at.path(), "d39/f"));
    }
}
