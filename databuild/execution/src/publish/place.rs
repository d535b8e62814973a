//! Putting the outputs of an attempt in their places: all of them, or none.
//!
//! An output changes places with what it replaces, so the old one waits at the staging path. Nothing is removed
//! here: until somebody clears the staging folder, all outputs can be put back. So what the paths hold tells how far
//! a publication got, and it can be carried on from any point, forward or back:
//!
//! | at the place | at the staging path | aside | |
//! | --- | --- | --- | --- |
//! | old, or nothing | new | | staged |
//! | new | old, or nothing | | in place |
//!
//! Where a file system cannot exchange two paths (NFS, some FUSE), the old output is kept aside, in the folder of the
//! staging path. A file is linked there first, so that its place is never empty; a directory is renamed.
//!
//! | at the place | at the staging path | aside | |
//! | --- | --- | --- | --- |
//! | old, or nothing | new | old | staged, and half-way |
//! | new | new, or nothing | old | in place |
//!
//! An output that is empty has no file: what is at its place is moved to the staging path.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{access, linkat, renameat_with, Access, AtFlags, RenameFlags, CWD};
use rustix::io::Errno;

use super::error::{Context as _, PublishError};
use super::folder::Opened;
use super::hash::ContentHash;
use super::inspect::inspect;
use super::remove::remove;
use super::reserved::Reserved;

/// Renames a path; replaceable to meet file systems that know no flags.
pub type Rename = fn(&Path, &Path, RenameFlags) -> Result<(), Errno>;

/// Tries before giving up when somebody else keeps changing what is at the final path.
const ATTEMPTS: usize = 8;

/// The name of what was replaced, where paths cannot be exchanged.
const ASIDE: &str = ".databuild-replaced";

/// An output to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Where the job wrote it.
    pub staging: PathBuf,
    /// Where it belongs; on the same file system.
    pub place: PathBuf,
    /// What was recorded of it with the intent; none if the partition is empty, so that nothing is to be there.
    pub content: Option<ContentHash>,
    /// [`Inspected::body`](super::Inspected::body) when it was hashed; 0 if nobody knows, as of what an older version began.
    pub body: u64,
}

/// How far an output got.
#[derive(Debug)]
enum At {
    Staged,
    Placed,
    /// Neither, so it cannot be published any more.
    Lost(PublishError),
}

/// The outputs of an attempt on their way.
#[derive(Debug)]
pub struct Publication {
    outputs: Vec<(Output, At)>,
    changed_dirs: BTreeSet<PathBuf>,
    rename: Rename,
}

impl Publication {
    /// Of outputs that nobody has tried to publish before.
    #[must_use]
    pub fn first(outputs: Vec<Output>) -> Publication {
        let outputs = outputs.into_iter().map(|output| (output, At::Staged)).collect();
        Publication { outputs, changed_dirs: BTreeSet::new(), rename: real_rename }
    }

    /// Of outputs that a server before this one may have published, in part or in full. Reads them to find out.
    #[must_use]
    pub fn again(outputs: Vec<Output>) -> Publication {
        let mut publication = Publication::first(outputs);
        for (output, at) in &mut publication.outputs {
            *at = output.look();
        }
        publication
    }

    /// With another way of renaming, for tests of file systems that cannot exchange two paths.
    pub fn with_rename(self, rename: Rename) -> Publication {
        Publication { rename, ..self }
    }

    /// Puts all outputs in their places. Flush [`Publication::changed_dirs`] before recording that.
    ///
    /// # Errors
    /// One of them cannot be put in its place. All others are back where they were, or the error is
    /// [`PublishError::NotPutBack`].
    pub fn forward(&mut self, reserved: &Reserved) -> Result<(), PublishError> {
        self.put_all(reserved).map_err(|cause| self.back_after(cause))
    }

    /// Outputs that are still to be put in their places, by their index.
    pub fn staged(&self) -> impl Iterator<Item = (usize, &Output)> {
        let outputs = self.outputs.iter().enumerate();
        outputs.filter(|(_, (_, at))| matches!(at, At::Staged)).map(|(n, (output, _))| (n, output))
    }

    /// Puts everything back after `cause`, which is what is told unless that fails, too.
    pub fn back_after(&mut self, cause: PublishError) -> PublishError {
        let mut left = None;
        // What went first comes last, and what cannot be put back keeps no other from it.
        for n in (0..self.outputs.len()).rev() {
            match self.put_back(n) {
                Ok(()) => self.outputs[n].1 = At::Staged,
                Err(error) => left = Some((self.outputs[n].0.place.clone(), error)),
            }
        }
        match left {
            None => cause,
            Some((place, error)) => {
                PublishError::NotPutBack { place, cause: Box::new(cause), error: Box::new(error) }
            }
        }
    }

    /// Folders that got or lost a name.
    #[must_use]
    pub fn changed_dirs(&self) -> &BTreeSet<PathBuf> {
        &self.changed_dirs
    }

    fn put_all(&mut self, reserved: &Reserved) -> Result<(), PublishError> {
        reserved.check(self.outputs.iter().map(|(output, _)| &*output.place))?;
        for (_, at) in &mut self.outputs {
            if let At::Lost(_) = at {
                if let At::Lost(error) = std::mem::replace(at, At::Staged) {
                    return Err(error);
                }
            }
        }
        for n in 0..self.outputs.len() {
            if let At::Staged = self.outputs[n].1 {
                self.put(n)?;
                self.outputs[n].1 = At::Placed;
            }
            let Output { place, content, .. } = &self.outputs[n].0;
            let folder = parent(place);
            // An empty partition may never have had a folder.
            if content.is_some() || exists(&folder) {
                self.changed_dirs.insert(folder);
            }
        }
        Ok(())
    }

    fn put(&mut self, n: usize) -> Result<(), PublishError> {
        let Output { staging, place, content, .. } = self.outputs[n].0.clone();
        let mut last = Errno::AGAIN;
        for _ in 0..ATTEMPTS {
            let done = match content {
                Some(_) => self.replace(&staging, &place),
                None => self.take_away(&staging, &place),
            };
            let Err(error) = done else { return Ok(()) };
            match error {
                Errno::NOENT if content.is_none() => {
                    let folder = parent(&staging);
                    fs::create_dir_all(&folder).context("create", &folder)?;
                }
                Errno::NOENT if !exists(&staging) => {
                    return Err(PublishError::OutputMissing { path: staging })
                }
                Errno::NOENT => create_parents(&place, &mut self.changed_dirs)?,
                // Somebody else was there in between.
                Errno::EXIST | Errno::AGAIN => {}
                _ => return Err(failed("publish", &staging, &place, error)),
            }
            last = error;
        }
        Err(failed("publish", &staging, &place, last))
    }

    /// Puts a new output where an old one may be.
    fn replace(&self, staging: &Path, place: &Path) -> Result<(), Errno> {
        match self.rename(staging, place, RenameFlags::NOREPLACE) {
            Err(Errno::EXIST) => match self.rename(staging, place, RenameFlags::EXCHANGE) {
                Err(error) if knows_no_flags(error) => self.replace_in_steps(staging, place),
                done => done,
            },
            Err(error) if knows_no_flags(error) => self.replace_in_steps(staging, place),
            done => done,
        }
    }

    fn replace_in_steps(&self, staging: &Path, place: &Path) -> Result<(), Errno> {
        let aside = aside(staging);
        if exists(place) && !exists(&aside) {
            let dirs = is_dir(staging) || is_dir(place);
            if dirs || linkat(CWD, place, CWD, &aside, AtFlags::empty()).is_err() {
                self.rename(place, &aside, RenameFlags::empty())?;
            }
        }
        self.rename(staging, place, RenameFlags::empty())
    }

    /// Moves what is at the place of an output that is empty.
    fn take_away(&self, staging: &Path, place: &Path) -> Result<(), Errno> {
        if !exists(place) {
            return Ok(());
        }
        self.rename_to_nothing(place, staging)
    }

    fn rename_to_nothing(&self, from: &Path, to: &Path) -> Result<(), Errno> {
        match self.rename(from, to, RenameFlags::NOREPLACE) {
            Err(error) if knows_no_flags(error) && !exists(to) => self.rename(from, to, RenameFlags::empty()),
            done => done,
        }
    }

    /// Makes the place hold what it held before.
    fn put_back(&mut self, n: usize) -> Result<(), PublishError> {
        let (Output { staging, place, content, .. }, at) = &self.outputs[n];
        let aside = aside(staging);
        let done = match (content, at) {
            (None, _) if exists(staging) && !exists(place) => self.rename_to_nothing(staging, place),
            (Some(_), At::Placed) if exists(&aside) => self.put_back_in_steps(staging, place, &aside),
            (Some(_), At::Placed) if exists(staging) && exists(place) => {
                match self.rename(staging, place, RenameFlags::EXCHANGE) {
                    Err(error) if knows_no_flags(error) => self
                        .rename(staging, &aside, RenameFlags::empty())
                        .and_then(|()| self.put_back_in_steps(staging, place, &aside)),
                    done => done,
                }
            }
            (Some(_), At::Placed) if exists(staging) => self.rename_to_nothing(staging, place),
            (Some(_), At::Placed) if exists(place) => self.rename_to_nothing(place, staging),
            (Some(_), At::Staged | At::Lost(_)) if exists(&aside) && !exists(place) => {
                self.rename_to_nothing(&aside, place)
            }
            _ => return Ok(()),
        };
        done.map_err(|error| failed("restore", staging, place, error))?;
        let changed = parent(place);
        self.changed_dirs.insert(changed);
        Ok(())
    }

    fn put_back_in_steps(&self, staging: &Path, place: &Path, aside: &Path) -> Result<(), Errno> {
        if exists(place) && !exists(staging) {
            let dirs = is_dir(place) || is_dir(aside);
            if dirs || linkat(CWD, place, CWD, staging, AtFlags::empty()).is_err() {
                self.rename(place, staging, RenameFlags::empty())?;
            }
        }
        self.rename(aside, place, RenameFlags::empty())
    }

    /// A folder that its owner cannot write to cannot be moved either, for its entry `..` changes. Such ones are opened
    /// for the moment, but for the user's folders above the place.
    fn rename(&self, from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
        match (self.rename)(from, to, flags) {
            Err(Errno::ACCESS) => {
                let ours = self.outputs.iter().filter_map(|(output, _)| output.staging.parent());
                let above = [from, to].map(Path::parent);
                let staging = ours.filter(|folder| above.contains(&Some(folder))).take(1);
                let opened: Vec<Opened> = staging.chain([from, to]).filter_map(Opened::new).collect();
                let done = (self.rename)(from, to, flags);
                opened.into_iter().for_each(Opened::close);
                done
            }
            done => done,
        }
    }
}

impl Output {
    /// How far it got, told by what is there. The place comes first: after an exchange something else is at the staging
    /// path, and after a crash that may be half of what it was.
    fn look(&self) -> At {
        let Some(content) = self.content else {
            return if exists(&self.staging) || !exists(&self.place) { At::Placed } else { At::Staged };
        };
        let is_there = |path| inspect(path).map(|found| found.hash == content);
        if is_there(&self.place).unwrap_or(false) {
            return At::Placed;
        }
        match is_there(&self.staging) {
            Ok(true) => At::Staged,
            Ok(false) | Err(PublishError::OutputMissing { .. }) => {
                At::Lost(PublishError::OutputLost { place: self.place.clone() })
            }
            Err(error) => At::Lost(error),
        }
    }
}

/// Clears the places where a publication keeps what it replaces, so that whatever is there later is just that.
/// To be called before the intent to publish is recorded; for an output that is `empty` the staging path is one of them.
///
/// # Errors
/// Something that the job left there cannot be removed.
pub fn make_ready(staging: &Path, empty: bool) -> Result<(), PublishError> {
    if empty {
        remove(staging)?;
    }
    remove(&aside(staging))
}

fn real_rename(from: &Path, to: &Path, flags: RenameFlags) -> Result<(), Errno> {
    renameat_with(CWD, from, CWD, to, flags)
}

fn knows_no_flags(error: Errno) -> bool {
    matches!(error, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

/// Beside the staging path, and never longer than a name may be.
fn aside(staging: &Path) -> PathBuf {
    let taken = staging.file_name() == Some(OsStr::new(ASIDE));
    staging.with_file_name(if taken { ".databuild-replaced-too" } else { ASIDE })
}

fn exists(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Ok(_) => true,
        Err(error) => !matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory),
    }
}

fn is_dir(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|meta| meta.is_dir())
}

fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// What to say of a rename to or from `place` that failed.
fn failed(action: &'static str, staging: &Path, place: &Path, error: Errno) -> PublishError {
    if error == Errno::XDEV {
        return PublishError::OtherFileSystem { staging: staging.to_owned(), path: place.to_owned() };
    }
    // Most often it is the folder that nobody may write to, and the output itself is as it should be.
    let folder = parent(place);
    match access(&folder, Access::WRITE_OK | Access::EXEC_OK) {
        Err(denied) if denied == error => PublishError::io("write to the folder", &folder, error),
        _ => PublishError::io(action, place, error),
    }
}

/// Creates the folders above `path`; every folder that gets a new entry is noted.
fn create_parents(path: &Path, changed_dirs: &mut BTreeSet<PathBuf>) -> Result<(), PublishError> {
    let dir = parent(path);
    let missing: Vec<PathBuf> =
        dir.ancestors().take_while(|ancestor| fs::metadata(ancestor).is_err()).map(Path::to_owned).collect();
    fs::create_dir_all(&dir).context("create", &dir)?;
    for made in missing {
        // Published data is for others to read, whatever mask this process keeps for its own files.
        fs::set_permissions(&made, fs::Permissions::from_mode(0o755)).context("open", &made)?;
        changed_dirs.insert(parent(&made));
    }
    Ok(())
}
