//! Stat marks: whether data was touched, told from its inodes alone.
//!
//! Everybody can put back the time at which a file was modified (`cp -p`, `tar -x`, `rsync -t` do), so a mark also has
//! the time at which the inode changed, which nobody can set. That one moves with every rename, link, `chmod` and
//! `chown`, too: a mark is taken when all of these are done. One that moved for nothing costs a read.
//!
//! File systems count time in ticks, and a file that changes twice within a tick shows it once. So whoever takes a
//! mark first waits until the tick of the last change is over ([`settle`]) and reads after that.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use databuild_core::digest::mix;
use rustix::time::{clock_gettime, ClockId};

use super::walk::{leads_nowhere, nanoseconds, walk_with, Entry, Links, Stat, Type};

/// Starting values; they tell a file from a directory, and one version from the next.
struct Seeds {
    file: u64,
    dir: u64,
    matches: u64,
}

/// Of marks.
const SEEDS: Seeds = Seeds { file: 0x6461_7461_6632, dir: 0x6461_7461_6432, matches: 0x6461_7461_6d32 };
/// Of [`Imprint::body`], which was all of a mark in version 0.1.0.
const BODY_SEEDS: Seeds = Seeds { file: 0x6461_7461_6631, dir: 0x6461_7461_6431, matches: 0x6461_7461_6d31 };

/// A clock that is further behind than this is another machine's, and says nothing of the ticks here.
const FURTHEST: i64 = 2_000_000_000;

/// 64 bits over size, times of modification and of change, and inode number of a file, or of all entries of a
/// directory, or files that match a pattern, with their names. Equal marks mean "not touched since"; unequal ones say
/// nothing about content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StatMark(pub u64);

impl StatMark {
    pub(super) fn of_file(stat: Stat) -> Self {
        Self(with_all(SEEDS.file, stat))
    }

    pub(super) fn of_files(files: &[(PathBuf, Stat)]) -> Self {
        Self(over_files(SEEDS.matches, files, with_all))
    }

    pub(super) fn of_entries(entries: &[Entry]) -> Self {
        Self(over_entries(SEEDS.dir, entries, with_all))
    }
}

/// [`Imprint::body`] of a file.
pub(super) fn body_of_file(stat: Stat) -> u64 {
    with_body(BODY_SEEDS.file, stat)
}

/// The same of a folder.
pub(super) fn body_of_entries(entries: &[Entry]) -> u64 {
    over_entries(BODY_SEEDS.dir, entries, with_body)
}

/// What inodes say of data when somebody begins to read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imprint {
    /// Equal as long as nobody touches it.
    pub mark: StatMark,
    /// The same without the time of change: links that come and go, modes and owners leave it as it is.
    pub body: u64,
    /// The latest time of change, in nanoseconds since 1970.
    pub changed_at: i64,
}

/// What became of data since its imprint was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// Nobody touched it.
    Untouched,
    /// All that moved is the time of change, and only of files that have several names. So links to them may have been
    /// made or removed, and whether that is all, only their content can tell.
    Linked,
    /// Only the time of change moved, and no link explains it: somebody may have written to it and put the time of
    /// modification back.
    Touched,
    /// It is something else, or gone.
    Changed,
}

/// The inodes of some data.
enum Inodes {
    File(Stat),
    Dir(Vec<Entry>),
    Files(Vec<(PathBuf, Stat)>),
}

impl Inodes {
    /// Of what is at `path`, which is followed if it is a link, so that they always speak of the data (and an output
    /// replaced by a link to another file is changed); `None` if nothing is there.
    fn at(path: &Path) -> io::Result<Option<Inodes>> {
        let look = || -> io::Result<Inodes> {
            let meta = fs::metadata(path)?;
            Ok(if meta.is_dir() {
                Inodes::Dir(walk_with(path, Links::Followed)?)
            } else {
                Inodes::File(Stat::of(&meta))
            })
        };
        match look() {
            Ok(inodes) => Ok(Some(inodes)),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Of these files, in this order; `None` if any of them is gone.
    fn of(paths: &[PathBuf]) -> io::Result<Option<Inodes>> {
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            match fs::metadata(path) {
                Ok(meta) => files.push((path.clone(), Stat::of(&meta))),
                Err(error) if leads_nowhere(&error) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(Some(Inodes::Files(files)))
    }

    /// Those that marks are made of.
    fn stats(&self) -> Vec<Stat> {
        match self {
            Inodes::File(stat) => vec![*stat],
            Inodes::Dir(entries) => stats_of(entries).collect(),
            Inodes::Files(files) => files.iter().map(|(_, stat)| *stat).collect(),
        }
    }

    fn over(&self, seeds: &Seeds, with: fn(u64, Stat) -> u64) -> u64 {
        match self {
            Inodes::File(stat) => with(seeds.file, *stat),
            Inodes::Dir(entries) => over_entries(seeds.dir, entries, with),
            Inodes::Files(files) => over_files(seeds.matches, files, with),
        }
    }

    fn mark(&self) -> StatMark {
        StatMark(self.over(&SEEDS, with_all))
    }

    fn imprint(&self) -> Imprint {
        Imprint {
            mark: self.mark(),
            body: self.over(&BODY_SEEDS, with_body),
            changed_at: newest(self.stats()),
        }
    }

    fn since(&self, then: &Imprint) -> Since {
        let now = self.imprint();
        if now.mark == then.mark {
            return Since::Untouched;
        }
        if now.body != then.body {
            return Since::Changed;
        }
        let mut touched = self.stats().into_iter().filter(|stat| stat.ctime > then.changed_at).peekable();
        // None is touched if somebody set the clock back.
        if touched.peek().is_some() && touched.all(|stat| stat.links > 1) {
            Since::Linked
        } else {
            Since::Touched
        }
    }
}

fn over_files(seed: u64, files: &[(PathBuf, Stat)], with: fn(u64, Stat) -> u64) -> u64 {
    files.iter().fold(seed, |seed, (path, stat)| with(with_path(mix(seed, 0), path), *stat))
}

fn over_entries(seed: u64, entries: &[Entry], with: fn(u64, Stat) -> u64) -> u64 {
    entries.iter().fold(seed, |seed, entry| {
        let mark = with_path(mix(seed, entry.kind as u64), &entry.relative);
        match entry.kind {
            Type::Dir => mix(mark, entry.stat.inode),
            Type::File | Type::Link | Type::Special => with(mark, entry.stat),
        }
    })
}

/// All but those of folders: the size and times of a folder tell only that names came or went, which is seen anyway,
/// and on some file systems the size depends on its past.
pub(super) fn stats_of(entries: &[Entry]) -> impl Iterator<Item = Stat> + '_ {
    entries.iter().filter(|entry| entry.kind != Type::Dir).map(|entry| entry.stat)
}

fn with_path(seed: u64, path: &Path) -> u64 {
    path.as_os_str().as_bytes().chunks(8).fold(seed, |mark, chunk| {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        mix(mark, u64::from_le_bytes(word))
    })
}

fn with_body(seed: u64, stat: Stat) -> u64 {
    mix(mix(mix(seed, stat.size), stat.mtime.cast_unsigned()), stat.inode)
}

fn with_all(seed: u64, stat: Stat) -> u64 {
    mix(with_body(seed, stat), stat.ctime.cast_unsigned())
}

/// The latest time of change.
fn newest(stats: impl IntoIterator<Item = Stat>) -> i64 {
    stats.into_iter().map(|stat| stat.ctime).max().unwrap_or(i64::MIN)
}

/// Waits until whatever is changed from now on at `path` gets a later time of change than all of these files, which were
/// looked at. That is a matter of milliseconds, and only for what was changed just now; of a second where file systems
/// count in seconds. Where a change of a file after a look always gets a later time than it had, nobody waits for a file
/// alone; of several, one may get the time of another.
pub(super) fn settle(path: &Path, files: impl IntoIterator<Item = Stat>) {
    let (mut changed_at, mut count) = (i64::MIN, 0u64);
    for file in files {
        changed_at = changed_at.max(file.ctime);
        count += 1;
    }
    // Nobody waits a second for nothing: the chance that a finer clock shows a whole second is one in a million.
    let whole_second = changed_at % 1_000_000_000 == 0;
    if is_over(changed_at) || count == 1 && !whole_second && tells_changes_apart(path) {
        return;
    }
    let tick = if whole_second { 1_000_000_000 } else { 1 };
    let over = changed_at.saturating_add(tick);
    loop {
        let left = over.saturating_sub(kernel_time());
        if left <= 0 || left > FURTHEST {
            return;
        }
        std::thread::sleep(Duration::from_nanos(left.cast_unsigned()).max(Duration::from_micros(500)));
    }
}

/// What the kernel writes into inodes.
fn kernel_time() -> i64 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    nanoseconds(now.tv_sec, now.tv_nsec)
}

/// Whether a time of change is so long ago that no tick has it any more.
fn is_over(changed_at: i64) -> bool {
    kernel_time().saturating_sub(changed_at) > 1_000_000_000
}

/// Whether inodes there have multigrain timestamps: from Linux 6.13 on, some file systems give an inode whose times
/// somebody has looked at a later time with its next change, however soon that comes.
fn tells_changes_apart(path: &Path) -> bool {
    static KERNEL: LazyLock<bool> = LazyLock::new(|| {
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
        is_multigrain(&release)
    });
    // ext4, xfs, btrfs, tmpfs; the kernel compares the magic numbers in 32 bits.
    const MULTIGRAIN: [u32; 4] = [0xEF53, 0x5846_5342, 0x9123_683E, 0x0102_1994];
    *KERNEL && rustix::fs::statfs(path).is_ok_and(|fs| MULTIGRAIN.contains(&(fs.f_type as u32)))
}

/// Whether a kernel of this release has multigrain timestamps.
fn is_multigrain(release: &str) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map_while(|number| number.parse().ok());
    let version: (u32, u32) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    version >= (6, 13)
}

/// The imprint of what is at `path` now; `None` if nothing is. A link at `path` is followed.
pub fn imprint(path: &Path) -> io::Result<Option<Imprint>> {
    let inodes = Inodes::at(path)?;
    inodes.iter().for_each(|inodes| settle(path, inodes.stats()));
    Ok(inodes.map(|inodes| inodes.imprint()))
}

/// The imprint of these files below `base` now, in this order.
pub(super) fn imprint_of_files(base: &Path, files: Vec<(PathBuf, Stat)>) -> Imprint {
    let inodes = Inodes::Files(files);
    settle(base, inodes.stats());
    inodes.imprint()
}

/// Whether the data at `path` is as it was. Data that cannot be looked at counts as changed.
#[must_use]
pub fn since(path: &Path, then: &Imprint) -> Since {
    told(Inodes::at(path), |inodes| inodes.since(then))
}

/// What became of these files, which are in the same order as when their imprint was taken.
#[must_use]
pub fn files_since(paths: &[PathBuf], then: &Imprint) -> Since {
    told(Inodes::of(paths), |inodes| inodes.since(then))
}

/// The same for data of which no more than [`Imprint::body`] is known.
#[must_use]
pub fn body_since(path: &Path, body: u64) -> Since {
    told(Inodes::at(path), |inodes| same_body(inodes, body))
}

/// The same for files.
#[must_use]
pub fn files_body_since(paths: &[PathBuf], body: u64) -> Since {
    told(Inodes::of(paths), |inodes| same_body(inodes, body))
}

fn same_body(inodes: &Inodes, body: u64) -> Since {
    if inodes.imprint().body == body {
        Since::Untouched
    } else {
        Since::Changed
    }
}

fn told(inodes: io::Result<Option<Inodes>>, since: impl FnOnce(&Inodes) -> Since) -> Since {
    inodes.ok().flatten().map_or(Since::Changed, |inodes| since(&inodes))
}

/// The mark of what is at `path` now; `None` if nothing is. A link at `path` is followed.
pub fn stat_mark(path: &Path) -> io::Result<Option<StatMark>> {
    Ok(imprint(path)?.map(|imprint| imprint.mark))
}

/// The mark of an output in its place, if that is what had `body` when it was read; none if somebody has written to it
/// since, or if it is not there. A rename moves the time of change alone.
#[must_use]
pub fn mark_of_placed(place: &Path, body: u64) -> Option<StatMark> {
    imprint(place).ok().flatten().filter(|imprint| imprint.body == body).map(|imprint| imprint.mark)
}

/// A mark to hold against one that was taken before; nothing is to be held against this one.
pub(super) fn mark_now(path: &Path) -> io::Result<Option<StatMark>> {
    Ok(Inodes::at(path)?.map(|inodes| inodes.mark()))
}

#[cfg(test)]
mod tests {
    use super::super::{
        check_files, look_matching, matching, observe, version_of_files, FileState, Kind, Matching,
    };
    use super::*;
    use databuild_core::observation::Look;
    use std::fs::File;
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};

    /// Writes as many other bytes to the same file, and puts the time of modification back.
    fn write_unseen(path: &Path, content: &str) {
        let before = fs::metadata(path).unwrap();
        assert_eq!(before.len(), content.len() as u64);
        fs::write(path, content).unwrap();
        File::options().write(true).open(path).unwrap().set_modified(before.modified().unwrap()).unwrap();
        let after = fs::metadata(path).unwrap();
        assert_eq!((after.ino(), after.mtime_nsec()), (before.ino(), before.mtime_nsec()));
    }

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("d")).unwrap();
        files.iter().for_each(|file| fs::write(folder.path().join(file), "old").unwrap());
        folder
    }

    #[test]
    fn a_change_that_keeps_size_time_of_modification_and_inode_is_seen() {
        let folder = folder(&["f", "d/a", "d/b"]);
        let at = |path: &str| folder.path().join(path);
        for (whole, changed) in [("f", "f"), ("d", "d/b")] {
            let seen = observe(&at(whole)).unwrap().unwrap();
            let then = imprint(&at(whole)).unwrap().unwrap();
            assert_eq!(then.mark, seen.mark);
            assert_eq!(since(&at(whole), &then), Since::Untouched);
            write_unseen(&at(changed), "new");
            assert_eq!(check_files(&[(at(whole), seen.mark)], 1), [FileState::Changed], "{whole}");
            assert_ne!(stat_mark(&at(whole)).unwrap(), Some(seen.mark), "{whole}");
            assert_eq!(since(&at(whole), &then), Since::Touched, "{whole}");
            assert_ne!(observe(&at(whole)).unwrap().unwrap().hash, seen.hash, "{whole}");
        }
        let files: Matching = matching(folder.path(), "d/*").unwrap();
        let Look::Present { version, mark, .. } = look_matching(folder.path(), "d/*", None) else { panic!() };
        assert_eq!(files.mark, StatMark(mark));
        assert_eq!(version_of_files(&files.base, &files.paths).unwrap(), version);
        assert_eq!(look_matching(folder.path(), "d/*", Some(files.mark)), Look::Untouched);
        write_unseen(&at("d/a"), "new");
        assert_eq!(files_since(&files.paths, &files.imprint), Since::Touched);
        let now = look_matching(folder.path(), "d/*", Some(files.mark));
        assert!(matches!(now, Look::Present { version: now, .. } if now != version));
    }

    #[test]
    fn two_files_of_one_folder_are_checked_like_one_alone() {
        let folder = folder(&["f", "d/a", "d/b"]);
        let at = |path: &str| folder.path().join(path);
        let items: Vec<_> =
            ["d/a", "d/b"].map(|name| (at(name), stat_mark(&at(name)).unwrap().unwrap())).into();
        assert_eq!(check_files(&items, 1), [FileState::Same, FileState::Same]);
        write_unseen(&at("d/b"), "new");
        assert_eq!(check_files(&items, 1), [FileState::Same, FileState::Changed]);
    }

    #[test]
    fn only_links_explain_a_time_of_change_and_only_of_the_files_that_have_them() {
        let folder = folder(&["f", "d/a", "d/b"]);
        let at = |path: &str| folder.path().join(path);
        let whole = ["f", "d"].map(|path| (at(path), imprint(&at(path)).unwrap().unwrap()));
        let all = || whole.each_ref().map(|(path, then)| since(path, then));
        fs::hard_link(at("f"), at("link of f")).unwrap();
        fs::hard_link(at("d/a"), at("link of a")).unwrap();
        assert_eq!(all(), [Since::Linked, Since::Linked]);
        // While it is linked it can be read, and counts as what it was before.
        let stat = |path: &Path| Stat::of(&fs::metadata(path).unwrap());
        let before = stat(&at("f"));
        fs::remove_file(at("link of f")).unwrap();
        assert!(stat(&at("f")).continues(before));
        assert_eq!(all(), [Since::Touched, Since::Linked], "nothing tells that there was a link");
        write_unseen(&at("d/b"), "new");
        assert_eq!(all(), [Since::Touched, Since::Touched], "the link of another file explains nothing");
        assert!(!stat(&at("f")).continues(Stat { links: 1, ..before }));
        fs::write(at("f"), "newer").unwrap();
        fs::remove_dir_all(at("d")).unwrap();
        assert_eq!(all(), [Since::Changed, Since::Changed]);
    }

    #[test]
    fn what_changes_no_content_changes_no_more_than_the_mark() {
        let folder = folder(&["f"]);
        let path = folder.path().join("f");
        let (then, seen) = (imprint(&path).unwrap().unwrap(), observe(&path).unwrap().unwrap());
        fs::read(&path).unwrap();
        assert_eq!(imprint(&path).unwrap(), Some(then), "reading");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        let now = imprint(&path).unwrap().unwrap();
        assert_ne!(now.mark, then.mark);
        assert_eq!(now.body, then.body);
        assert_eq!(body_since(&path, then.body), Since::Untouched, "as version 0.1.0 saw it");
        let again = observe(&path).unwrap().unwrap();
        assert_eq!((again.hash, again.kind), (seen.hash, Kind::File));
    }

    #[test]
    fn nothing_that_is_changed_after_a_mark_has_the_time_of_the_mark() {
        let folder = folder(&["f"]);
        let path = folder.path().join("f");
        for round in 0..100 {
            fs::write(&path, format!("{round:03}")).unwrap();
            let then = imprint(&path).unwrap().unwrap();
            write_unseen(&path, "new");
            assert_eq!(since(&path, &then), Since::Touched, "{round}");
        }
    }

    #[test]
    fn a_file_that_is_changed_after_others_of_its_folder_gets_a_later_time_than_they_have() {
        let folder = folder(&[]);
        let at = |path: &str| folder.path().join(path);
        for round in 0..100 {
            // The first of them is older, so that the kernel can give it the time that the second one has.
            let names = [format!("d/a{round}"), format!("d/b{round}")];
            fs::write(at(&names[0]), "old").unwrap();
            let tick = kernel_time();
            while kernel_time() == tick {
                std::hint::spin_loop();
            }
            fs::write(at(&names[1]), "old").unwrap();
            let then = imprint(&at("d")).unwrap().unwrap();
            fs::set_permissions(at(&names[0]), fs::Permissions::from_mode(0o700)).unwrap();
            let ctime = Stat::of(&fs::metadata(at(&names[0])).unwrap()).ctime;
            assert!(ctime > then.changed_at, "{round}");
        }
    }

    #[test]
    fn a_time_of_change_is_over_with_its_tick_and_another_machines_clock_is_not_waited_for() {
        // Times in /proc are no times of a disk, so nothing is known of its ticks.
        let place = Path::new("/proc");
        let just_now = kernel_time() | 1;
        let file = |ctime| Stat { size: 1, mtime: 2, ctime, inode: 4, links: 1 };
        settle(place, [file(just_now)]);
        assert!(kernel_time() > just_now);
        // A file system that counts in seconds.
        let second = kernel_time() / 1_000_000_000 * 1_000_000_000;
        settle(place, [file(second)]);
        assert!(kernel_time() >= second + 1_000_000_000);
        let before = std::time::Instant::now();
        settle(place, [file(kernel_time() + 3_600_000_000_000)]);
        settle(place, []);
        assert!(before.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn kernels_with_multigrain_timestamps() {
        for (release, expected) in [
            ("6.18.44-x", true),
            ("6.13", true),
            ("7.0.1", true),
            ("6.12.9-13", false),
            ("5.15.0", false),
            ("", false),
        ] {
            assert_eq!(is_multigrain(release), expected, "{release}");
        }
    }

    #[test]
    fn marks_are_pinned_because_they_are_stored() {
        let stat = Stat { size: 1, mtime: 2, ctime: 3, inode: 4, links: 5 };
        let entry = |kind| Entry { relative: "a".into(), kind, stat, followed: false };
        let files = vec![("a".into(), stat)];
        let marks = [
            Inodes::File(stat),
            Inodes::Dir(vec![entry(Type::Dir), entry(Type::File)]),
            Inodes::Files(files),
        ]
        .map(|inodes| {
            let imprint = inodes.imprint();
            (format!("{:016x}", imprint.mark.0), format!("{:016x}", imprint.body))
        });
        let expected = [
            ("af7374d0b28974ae", "cb97e5b8809f5aa2"),
            ("6526990f0e11e4e5", "0125f611b70de69c"),
            ("d8496bc74c1b35fc", "7fe791ee1eb4bbe1"),
        ];
        assert_eq!(marks, expected.map(|(mark, body)| (mark.to_owned(), body.to_owned())));
    }
}
