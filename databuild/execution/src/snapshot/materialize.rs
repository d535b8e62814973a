//! Taking a snapshot: copy what is new into the CAS, verified; link the tree; make it appear.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{symlink, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;
use std::time::SystemTime;

use rustix::io::Errno;

use super::copy::{copy_sealed, is_sealed, CopyError};
use super::digest::{CodeDigest, FileDigest};
use super::error::{Context as _, SnapshotError};
use super::lock::{unique, WorkDir};
use super::manifest::{CodeManifest, Entry};
use super::store::{SnapshotRef, Store};
use crate::os::sync;

/// Up to this many new files, each is flushed by itself; more are flushed by one `syncfs`, which is
/// some 6 times cheaper for 100 small files but also waits for everybody else's unwritten data.
const FLUSH_EACH: usize = 32;

/// Hashing is bound by the processor; more threads than this only compete with the build.
const MAX_THREADS: usize = 8;

/// A distinct content to fetch, and the runfile it is read from.
struct Wanted<'a> {
    runfile: &'a str,
    file: PathBuf,
    digest: FileDigest,
    size: u64,
}

impl Store {
    /// Makes sure that the snapshot of this code exists. `source` says where each runfile is on disk.
    ///
    /// An existing snapshot costs one system call besides the lock and refreshes its age. Otherwise
    /// files whose content is not in the store yet are hashed while they are copied; the first that
    /// differs from the manifest ends it with `changed_since_build`. Threads and processes may do this
    /// at once for the same code; all end with the one snapshot.
    pub fn materialize(
        &self,
        manifest: &CodeManifest,
        source: &dyn Fn(&str) -> PathBuf,
    ) -> Result<SnapshotRef, SnapshotError> {
        let _lock = self.shared_lock()?;
        let digest = manifest.digest();
        if self.touch_snapshot(&digest)? {
            return Ok(self.reference(&digest));
        }
        let work = WorkDir::new(self.root())?;
        let mut reference = self.reference(&digest);
        let wanted = self.missing_contents(manifest, source)?;
        self.fetch(&work, &wanted)?;
        reference.new_files = wanted.len() as u64;
        reference.new_bytes = wanted.iter().map(|item| item.size).sum();

        let tree = work.path().join("snapshot");
        self.build_tree(manifest, &tree, &work)?;
        self.reveal(&tree, &self.path_of(&digest))?;
        Ok(reference)
    }

    fn touch_snapshot(&self, digest: &CodeDigest) -> Result<bool, SnapshotError> {
        touch(&self.path_of(digest))
    }

    fn missing_contents<'a>(
        &self,
        manifest: &'a CodeManifest,
        source: &dyn Fn(&str) -> PathBuf,
    ) -> Result<Vec<Wanted<'a>>, SnapshotError> {
        let mut distinct = BTreeMap::new();
        for entry in manifest.entries() {
            if let Entry::File { path, digest, size, .. } = entry {
                distinct.entry(*digest).or_insert((path.as_str(), *size));
            }
        }
        let mut wanted = Vec::new();
        for (digest, (runfile, size)) in distinct {
            let path = self.cas_path(&digest);
            if !is_sealed(&path, size).context("look at", &path)? {
                wanted.push(Wanted { runfile, file: source(runfile), digest, size });
            }
        }
        // In path order, so that of several changed files the same one is always named.
        wanted.sort_by_key(|item| item.runfile);
        Ok(wanted)
    }

    /// Copies all wanted contents into `work`, flushes them, and only then gives them their names: a
    /// power loss must not leave a CAS entry with missing bytes.
    fn fetch(&self, work: &WorkDir, wanted: &[Wanted<'_>]) -> Result<(), SnapshotError> {
        in_parallel(wanted, |item| {
            let tmp = work.path().join(item.digest.to_string());
            fetch_one(item, &tmp)?;
            if wanted.len() <= FLUSH_EACH {
                sync(&tmp).context("flush", &tmp)?;
            }
            Ok(())
        })?;
        if wanted.len() > FLUSH_EACH {
            let dir = File::open(work.path()).context("open", work.path())?;
            rustix::fs::syncfs(&dir).context("flush", work.path())?;
        }
        for item in wanted {
            let path = self.cas_path(&item.digest);
            install(&work.path().join(item.digest.to_string()), &path)?;
        }
        Ok(())
    }

    fn build_tree(&self, manifest: &CodeManifest, tree: &Path, work: &WorkDir) -> Result<(), SnapshotError> {
        let runfiles = tree.join("runfiles");
        fs::create_dir_all(&runfiles).context("create", &runfiles)?;
        let mut made = HashSet::from([runfiles.clone()]);
        for entry in manifest.entries() {
            let path = runfiles.join(entry.path());
            if let Some(parent) = path.parent() {
                if !made.contains(parent) {
                    fs::create_dir_all(parent).context("create", parent)?;
                    made.insert(parent.to_owned());
                }
            }
            match entry {
                Entry::File { digest, .. } => self.link(digest, &path, work)?,
                Entry::Link { target, .. } => symlink(target, &path).context("create the link", &path)?,
                Entry::Empty { .. } => {
                    OpenOptions::new()
                        .write(true)
                        .create_new(true)
                        .mode(0o444)
                        .open(&path)
                        .context("create", &path)?;
                }
            }
        }
        self.link_repo_mapping(manifest, &runfiles, work)?;
        let copy = tree.join("manifest");
        let write = || {
            let mut file = File::create_new(&copy)?;
            file.write_all(manifest.text().as_bytes())?;
            file.sync_all()
        };
        write().context("write", &copy)
    }

    /// Runfiles libraries look for the names of repositories in `_repo_mapping` at the root of the tree. Bazel
    /// makes that name only for the target that is run, so the job's own mapping, which stands beside
    /// its executable, gets it here.
    fn link_repo_mapping(
        &self,
        manifest: &CodeManifest,
        runfiles: &Path,
        work: &WorkDir,
    ) -> Result<(), SnapshotError> {
        let name = format!("{}.repo_mapping", manifest.executable());
        let path = runfiles.join("_repo_mapping");
        let digest = manifest.entries().iter().find_map(|entry| match entry {
            Entry::File { path, digest, .. } if *path == name => Some(digest),
            _ => None,
        });
        match digest {
            Some(digest) if !path.exists() => self.link(digest, &path, work),
            _ => Ok(()),
        }
    }

    /// Puts a content of the CAS at `path`, by hard link where that is possible.
    fn link(&self, digest: &FileDigest, path: &Path, work: &WorkDir) -> Result<(), SnapshotError> {
        /// More than the writers that can meet at one file.
        const ATTEMPTS: usize = 64;
        let cas = self.cas_path(digest);
        let mut last = Errno::NOENT;
        for _ in 0..ATTEMPTS {
            let Err(error) = (self.linker)(&cas, path) else {
                return Ok(());
            };
            last = match Errno::from_io_error(&error) {
                // Another writer put its equal copy at this name between our finding the inode and
                // linking it, so that the inode had no name left to link.
                Some(Errno::NOENT) => Errno::NOENT,
                // The inode has all the names it can have: a further copy takes its place in the
                // CAS, and the old one lives on in the snapshots.
                Some(Errno::MLINK) => {
                    let tmp = work.path().join(unique());
                    copy_within(&cas, &tmp, digest)?;
                    fs::rename(&tmp, &cas).context("replace", &cas)?;
                    Errno::MLINK
                }
                // Another file system, one without hard links, or protected ones.
                Some(Errno::XDEV | Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS) => {
                    return copy_within(&cas, path, digest);
                }
                _ => return Err(SnapshotError::io("link", path, error)),
            };
        }
        Err(SnapshotError::io("link", path, last))
    }

    /// Makes a finished tree appear under its name. Another process may have been faster, with a tree
    /// that is equal because the name says so.
    fn reveal(&self, tree: &Path, path: &Path) -> Result<(), SnapshotError> {
        match fs::rename(tree, path) {
            Ok(()) => {
                // The server will durably record that this code exists.
                let parent = self.root().join("snap");
                sync(&parent).context("flush", &parent)
            }
            Err(error) if matches!(Errno::from_io_error(&error), Some(Errno::NOTEMPTY | Errno::EXIST)) => {
                Ok(())
            }
            Err(error) => Err(SnapshotError::io("create", path, error)),
        }
    }
}

/// Marks something in the store as just used. Returns whether it exists.
pub(super) fn touch(path: &Path) -> Result<bool, SnapshotError> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let now = rustix::fs::Timespec { tv_sec: now.as_secs() as i64, tv_nsec: i64::from(now.subsec_nanos()) };
    let times = rustix::fs::Timestamps { last_access: now, last_modification: now };
    match rustix::fs::utimensat(rustix::fs::CWD, path, &times, rustix::fs::AtFlags::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::NOENT) => Ok(false),
        Err(error) => Err(SnapshotError::io("look at", path, error)),
    }
}

/// Moves a finished file to its name, creating the folder it goes to.
pub(super) fn install(tmp: &Path, path: &Path) -> Result<(), SnapshotError> {
    let Err(error) = fs::rename(tmp, path) else {
        return Ok(());
    };
    match path.parent() {
        Some(parent) if error.kind() == io::ErrorKind::NotFound => {
            fs::create_dir_all(parent).context("create", parent)?;
            fs::rename(tmp, path).context("create", path)
        }
        _ => Err(SnapshotError::io("create", path, error)),
    }
}

fn fetch_one(item: &Wanted<'_>, tmp: &Path) -> Result<(), SnapshotError> {
    let (runfile, file) = (|| item.runfile.to_owned(), || item.file.clone());
    let mut from = match open_regular(&item.file) {
        Ok(Some(from)) => from,
        Ok(None) => return Err(SnapshotError::NotAFile { runfile: runfile(), file: file() }),
        Err(error) => {
            return Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
                    SnapshotError::MissingRunfile { runfile: runfile(), file: file() }
                }
                _ => SnapshotError::io("read", &item.file, error),
            })
        }
    };
    // One that has grown without end, say, is not copied to learn that.
    let now = from.metadata().context("read", &item.file)?.len();
    if now != item.size {
        return Err(SnapshotError::ChangedSinceBuild { runfile: runfile(), file: file() });
    }
    let (digest, size) = copy_sealed(&mut from, tmp).map_err(|error| match error {
        CopyError::Read(error) => SnapshotError::io("read", &item.file, error),
        CopyError::Write(error) => SnapshotError::io("write", tmp, error),
    })?;
    if (digest, size) != (item.digest, item.size) {
        return Err(SnapshotError::ChangedSinceBuild { runfile: runfile(), file: file() });
    }
    Ok(())
}

/// Opens a file for reading without hanging on a pipe. `None`: not a regular file.
pub(super) fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let file =
        OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32).open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Copies a CAS file, noticing when its bytes are not those its name promises.
fn copy_within(cas: &Path, to: &Path, digest: &FileDigest) -> Result<(), SnapshotError> {
    let mut from = File::open(cas).context("read", cas)?;
    let (found, _) = copy_sealed(&mut from, to).map_err(|error| match error {
        CopyError::Read(error) => SnapshotError::io("read", cas, error),
        CopyError::Write(error) => SnapshotError::io("write", to, error),
    })?;
    if found != *digest {
        fs::remove_file(cas).context("remove the damaged file", cas)?;
        return Err(SnapshotError::Damaged { path: cas.to_owned() });
    }
    sync(to).context("flush", to)
}

/// Runs `work` on every item on several threads; the error returned is that of the first item in
/// order among those that failed.
fn in_parallel<T: Sync>(
    items: &[T],
    work: impl Fn(&T) -> Result<(), SnapshotError> + Sync,
) -> Result<(), SnapshotError> {
    let threads =
        std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS).min(items.len());
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<(usize, SnapshotError)>> = Mutex::new(None);
    let run = || loop {
        let index = next.fetch_add(1, Ordering::Relaxed);
        let Some(item) = items.get(index) else { return };
        if let Err(error) = work(item) {
            // Items are handed out in order, so every earlier one is already being worked on.
            next.store(items.len(), Ordering::Relaxed);
            let mut first = failed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if first.as_ref().is_none_or(|(other, _)| index < *other) {
                *first = Some((index, error));
            }
        }
    };
    if threads <= 1 {
        run();
    } else {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(run);
            }
        });
    }
    match failed.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}
