//! The spool: one folder per attempt, and the lock that says who owns them.
//!
//! ```text
//! <spool>/runner.lock        flock held for a runner's life
//! <spool>/runner.json        who holds it (RunnerRecord)
//! <spool>/<attempt>/request.json
//!                   pid.json        written by the job process before exec
//!                   stdout, stderr  made with the first byte; absent = empty
//!                   log.times       when what is in these two came; absent = exit.json tells, or nobody knows
//!                   report.jsonl    made by the job; absent = no report
//!                   exit.json       ExitRecord
//!                   check-<n>.request.json, check-<n>.pid.json, check-<n>.report.jsonl
//! <spool>/.spare-<n>/        the folder of an attempt that left nothing to keep, for the next one
//! ```
//!
//! `pid.json` and `exit.json` are written with one `write` of less than a page,
//! which a kill cannot tear; a file that does not parse is one whose writer
//! died before the write and counts as absent. So neither needs the two extra
//! system calls of a temporary name and a rename. With many checks `exit.json` may
//! be longer; torn, the attempt counts as lost, as it would a moment earlier. `runner.json`, which others
//! may read at any time, is renamed into place.

use std::ffi::{CString, OsStr};
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{mkdirat, openat, renameat_with, unlinkat, AtFlags, Mode, OFlags, RenameFlags};
use serde::{Deserialize, Serialize};

use super::error::RunnerError;
use super::protocol::{AttemptName, ExitRecord};
use crate::os::{read_left, Deadline, LockFile, ProcessRecord};

pub(super) const LOCK: &str = "runner.lock";
const RECORD: &str = "runner.json";
/// When an attempt's output came, in its folder: see [`super::log_times`].
pub(super) const TIMES: &str = "log.times";
/// The socket, if its own folder is gone.
pub(super) const SOCKET_IN_SPOOL: &str = "runner.sock";
/// Longest record that is read: that of an attempt with very many checks.
const MAX_RECORD: u64 = 64 << 20;

/// Which process of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Job,
    /// From 0.
    Check(usize),
}

impl Part {
    /// One of its files.
    fn file(self, name: &str) -> String {
        match self {
            Part::Job => name.to_owned(),
            Part::Check(at) => format!("check-{at}.{name}"),
        }
    }
}

/// Whether a file of that name is one that a check's part of an attempt has.
fn is_of_check(name: &OsStr) -> bool {
    let part = name.to_str().and_then(|name| name.strip_prefix("check-")?.split_once('.'));
    part.is_some_and(|(at, file)| {
        at.bytes().all(|digit| digit.is_ascii_digit())
            && ["request.json", "pid.json", "report.jsonl"].contains(&file)
    })
}

/// The paths of one attempt's files, for whoever reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptFiles {
    dir: PathBuf,
}

impl AttemptFiles {
    /// The files of `attempt` in `spool`.
    pub fn new(spool: &Path, attempt: &AttemptName) -> Self {
        Self { dir: spool.join(attempt.as_str()) }
    }

    /// The attempt's folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What the job was asked (`DATABUILD_REQUEST`).
    pub fn request(&self) -> PathBuf {
        self.dir.join("request.json")
    }

    /// What the job reports (`DATABUILD_REPORT`); absent if it reported nothing.
    pub fn report(&self) -> PathBuf {
        self.dir.join("report.jsonl")
    }

    /// Standard output; absent while empty.
    pub fn stdout(&self) -> PathBuf {
        self.dir.join("stdout")
    }

    /// Standard error; absent while empty.
    pub fn stderr(&self) -> PathBuf {
        self.dir.join("stderr")
    }

    /// When the output came, see [`super::OutputTimes`]; absent while there is none.
    pub(super) fn times(&self) -> PathBuf {
        self.dir.join(TIMES)
    }

    /// The process record.
    pub fn pid(&self) -> PathBuf {
        self.dir.join("pid.json")
    }

    /// What a check was asked, by its place.
    pub fn check_request(&self, at: usize) -> PathBuf {
        self.of(Part::Check(at), "request.json")
    }

    /// What a check reports, by its place; absent if it reported nothing.
    pub fn check_report(&self, at: usize) -> PathBuf {
        self.of(Part::Check(at), "report.jsonl")
    }

    /// The process records of the parts that began, first to last.
    pub(super) fn pids(&self) -> impl Iterator<Item = PathBuf> + '_ {
        let checks = (0..).map(|at| self.of(Part::Check(at), "pid.json")).take_while(|path| path.exists());
        std::iter::once(self.pid()).chain(checks)
    }

    fn of(&self, part: Part, name: &str) -> PathBuf {
        self.dir.join(part.file(name))
    }

    /// The end's record.
    pub fn exit(&self) -> PathBuf {
        self.dir.join("exit.json")
    }
}

/// The content of `pid.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PidRecord {
    #[serde(flatten)]
    pub(super) process: ProcessRecord,
    pub(super) pgid: u32,
}

/// The content of `runner.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunnerRecord {
    #[serde(flatten)]
    pub(super) process: ProcessRecord,
    pub(super) socket: PathBuf,
    pub(super) version: String,
    pub(super) protocol: u32,
    /// The folder with control groups of its attempts, if they have any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cgroups: Option<PathBuf>,
}

/// Reads a small JSON record; `None` when it is absent or torn.
pub(super) fn read_record<R: serde::de::DeserializeOwned>(path: &Path) -> io::Result<Option<R>> {
    Ok(read_left(path, MAX_RECORD)?.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Reads `runner.json`.
pub(super) fn read_runner_record(spool: &Path) -> io::Result<Option<RunnerRecord>> {
    read_record(&spool.join(RECORD))
}

/// Takes the spool's lock without waiting; `None` when a runner holds it.
pub(super) fn try_lock(spool: &Path) -> Result<Option<LockFile>, RunnerError> {
    let path = spool.join(LOCK);
    LockFile::try_acquire(&path).map_err(|e| RunnerError::io("locking", &path, e))
}

/// [`try_lock`], outlasting those who only look whether the lock is free.
fn lock_soon(spool: &Path) -> Result<Option<LockFile>, RunnerError> {
    let path = spool.join(LOCK);
    let soon = Deadline::after(Duration::from_millis(100));
    LockFile::acquire(&path, &soon).map_err(|e| RunnerError::io("locking", &path, e))
}

/// Makes the spool folder, private to this user.
pub(super) fn make_private_dir(path: &Path) -> Result<(), RunnerError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| RunnerError::io("making the folder", path, e))
}

/// The runner's own view of its spool; holding it is holding the lock.
#[derive(Debug)]
pub(super) struct Spool {
    path: PathBuf,
    dir: OwnedFd,
    lock: LockFile,
    id: (u64, u64),
    spares: Spares,
}

/// Folders for reuse. Making an inode costs ext4 a search for one that was not freed lately, which grows with what
/// was removed on that file system in the last minutes; a rename and a write cost nothing of the kind. With jobs of a
/// millisecond this is most of what the runner does.
#[derive(Debug, Default)]
struct Spares {
    free: Vec<String>,
    made: usize,
}

/// Folders kept for reuse, at most.
const MOST_SPARES: usize = 512;
/// What an attempt's folder may hold.
const FILES: [&str; 7] = ["exit.json", "pid.json", "request.json", "report.jsonl", "stdout", "stderr", TIMES];
/// Those that a folder used again keeps.
const KEPT: [&str; 3] = ["exit.json", "pid.json", "request.json"];
/// Bytes of a kept file that stay: too few for a record. Not 0: ext4 takes a file that was emptied for one that is being
/// replaced, and writes it to disk when it is closed.
const BLANK: u64 = 1;

impl Spool {
    /// Makes the folder if needed and takes its lock.
    pub(super) fn open(path: &Path) -> Result<Self, RunnerError> {
        if !path.is_absolute() {
            return Err(RunnerError::RelativePath(path.to_owned()));
        }
        make_private_dir(path)?;
        let lock = lock_soon(path)?.ok_or_else(|| RunnerError::SpoolInUse(path.to_owned()))?;
        let id = lock.id().map_err(|e| RunnerError::io("reading the runner's lock", path, e))?;
        let dir = rustix::fs::open(path, OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
            .map_err(|e| RunnerError::io("opening the spool", path, e))?;
        let entries = fs::read_dir(path).map_err(|e| RunnerError::io("listing", path, e))?;
        let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
        // Of an earlier runner: they keep their numbers, so further ones get others.
        let free: Vec<String> = names.filter(|name| name.starts_with(".spare-")).take(MOST_SPARES).collect();
        let number = |name: &String| name.strip_prefix(".spare-")?.parse::<usize>().ok();
        let spares = Spares { made: free.iter().filter_map(number).max().map_or(0, |last| last + 1), free };
        Ok(Self { path: path.to_owned(), dir, lock, id, spares })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Device and inode of its lock, by which it can be told from all others, wherever it is moved.
    pub(super) fn id(&self) -> (u64, u64) {
        self.id
    }

    /// Whether the spool's path still leads to the folder this runner owns.
    pub(super) fn is_still_ours(&self) -> bool {
        // A disk that fails says nothing of the folder.
        self.lock.is_at(&self.path.join(LOCK)).unwrap_or(true)
    }

    /// Says who the runner is.
    pub(super) fn write_runner_record(&self, record: &RunnerRecord) -> Result<(), RunnerError> {
        let path = self.path.join(RECORD);
        let text =
            serde_json::to_vec(record).map_err(|e| RunnerError::io("encoding", &path, io::Error::from(e)))?;
        let temporary = self.path.join("runner.json.tmp");
        fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(&temporary)
            .and_then(|mut file| file.write_all(&text))
            .and_then(|()| fs::rename(&temporary, &path))
            .map_err(|e| RunnerError::io("writing", &path, e))
    }

    /// Takes the runner's record away and gives the lock up.
    pub(super) fn close(self) {
        // Both fail only if the folder is gone, which is fine too.
        let _ = fs::remove_file(self.path.join(RECORD));
        drop(self.lock);
    }

    /// Whether the attempt has a folder.
    pub(super) fn holds(&self, attempt: &AttemptName) -> bool {
        rustix::fs::accessat(&self.dir, attempt.as_str(), rustix::fs::Access::EXISTS, AtFlags::empty())
            .is_ok()
    }

    /// Makes the attempt's folder with its request. `AlreadyExists` means that
    /// the attempt was started before.
    pub(super) fn create(&mut self, attempt: &AttemptName, request: &str) -> io::Result<()> {
        match self.spares.free.pop() {
            None => mkdirat(&self.dir, attempt.as_str(), Mode::from_raw_mode(0o700))?,
            Some(spare) => {
                let taken =
                    renameat_with(&self.dir, &spare, &self.dir, attempt.as_str(), RenameFlags::NOREPLACE);
                if let Err(e) = taken {
                    self.spares.free.push(spare);
                    return Err(e.into());
                }
            }
        }
        self.write(attempt, "request.json", request.as_bytes())
    }

    /// Writes the request of a check into its attempt's folder.
    pub(super) fn write_request(&self, attempt: &AttemptName, part: Part, request: &str) -> io::Result<()> {
        self.write(attempt, &part.file("request.json"), request.as_bytes())
    }

    /// Opens the process record for the process to fill.
    pub(super) fn open_pid_record(&self, attempt: &AttemptName, part: Part) -> io::Result<OwnedFd> {
        self.open_new(attempt, &part.file("pid.json"))
    }

    /// Opens a log of the attempt that has nothing yet. What is made here is surely a file, and needs no look.
    pub(super) fn open_log(&self, attempt: &AttemptName, name: &str) -> io::Result<OwnedFd> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        match openat(&self.dir, format!("{attempt}/{name}"), flags, Mode::from_raw_mode(0o600)) {
            Err(rustix::io::Errno::EXIST) => self.open_new(attempt, name),
            opened => Ok(opened?),
        }
    }

    /// Opens one of the attempt's files for writing at its end.
    pub(super) fn open_end(&self, attempt: &AttemptName, name: &str) -> io::Result<OwnedFd> {
        self.open_for_writing(attempt, name, OFlags::APPEND)
    }

    /// Opens one of the attempt's files for writing from its start. It is new, or in a folder used again one of
    /// [`BLANK`] bytes, which whatever is written covers.
    pub(super) fn open_new(&self, attempt: &AttemptName, name: &str) -> io::Result<OwnedFd> {
        self.open_for_writing(attempt, name, OFlags::empty())
    }

    /// The job may have put something else there, such as a pipe, on which the open would wait for ever.
    fn open_for_writing(&self, attempt: &AttemptName, name: &str, more: OFlags) -> io::Result<OwnedFd> {
        let careful = OFlags::CLOEXEC | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
        let flags = OFlags::WRONLY | OFlags::CREATE | careful | more;
        let file = openat(&self.dir, format!("{attempt}/{name}"), flags, Mode::from_raw_mode(0o600))?;
        let kind = rustix::fs::FileType::from_raw_mode(rustix::fs::fstat(&file)?.st_mode);
        if kind == rustix::fs::FileType::RegularFile {
            Ok(file)
        } else {
            Err(io::Error::other(format!("{attempt}/{name} is not a regular file")))
        }
    }

    /// Records the end of the attempt.
    pub(super) fn write_exit(&self, attempt: &AttemptName, exit: &ExitRecord) -> io::Result<()> {
        self.write(attempt, "exit.json", &serde_json::to_vec(exit)?)
    }

    fn write(&self, attempt: &AttemptName, name: &str, bytes: &[u8]) -> io::Result<()> {
        File::from(self.open_new(attempt, name)?).write_all(bytes)
    }

    /// Keeps the folder of an attempt with so many checks that left nothing for the next attempt; false if that
    /// cannot be done.
    ///
    /// The records go first: a folder without them is one of an attempt that never started, whatever name it has.
    pub(super) fn recycle(&mut self, attempt: &AttemptName) -> bool {
        if self.spares.free.len() >= MOST_SPARES || !self.blank(attempt) {
            return false;
        }
        let spare = format!(".spare-{}", self.spares.made);
        let kept =
            renameat_with(&self.dir, attempt.as_str(), &self.dir, &spare, RenameFlags::NOREPLACE).is_ok();
        if kept {
            self.spares.made += 1;
            self.spares.free.push(spare);
        }
        kept
    }

    /// Takes what an attempt's files say from them; false if there is more than such files.
    fn blank(&self, attempt: &AttemptName) -> bool {
        let shortened = |name: &&str| {
            self.open_new(attempt, name).is_ok_and(|file| rustix::fs::ftruncate(file, BLANK).is_ok())
        };
        if !KEPT.iter().all(shortened) {
            return false;
        }
        let Ok(mut entries) = fs::read_dir(self.path.join(attempt.as_str())) else { return false };
        entries.all(|entry| {
            let Ok(name) = entry.map(|entry| entry.file_name()) else { return false };
            // The job may have put files of its own there.
            KEPT.iter().any(|kept| name == *kept)
                || (FILES.iter().any(|file| name == *file) || is_of_check(&name))
                    && unlinkat(&self.dir, Path::new(attempt.as_str()).join(&name), AtFlags::empty()).is_ok()
        })
    }

    /// Removes the attempt's folder.
    pub(super) fn remove(&self, attempt: &AttemptName) -> io::Result<()> {
        for name in FILES {
            match unlinkat(&self.dir, format!("{attempt}/{name}"), AtFlags::empty()) {
                Ok(()) | Err(rustix::io::Errno::NOENT) => {}
                Err(e) => return Err(e.into()),
            }
        }
        match unlinkat(&self.dir, attempt.as_str(), AtFlags::REMOVEDIR) {
            Ok(()) | Err(rustix::io::Errno::NOENT) => Ok(()),
            // The job put files of its own there.
            Err(rustix::io::Errno::NOTEMPTY) => fs::remove_dir_all(self.path.join(attempt.as_str())),
            Err(e) => Err(e.into()),
        }
    }

    /// Request and report paths, as the environment of that part of the attempt has them.
    pub(super) fn job_paths(&self, attempt: &AttemptName, part: Part) -> (PathBuf, PathBuf) {
        let files = AttemptFiles::new(&self.path, attempt);
        (files.of(part, "request.json"), files.of(part, "report.jsonl"))
    }
}

/// Makes a folder and its parents as the job itself would, given its mask.
/// The runner's own mask is 0, see [`super::event_loop`].
pub(super) fn make_job_dir(path: &str, umask: u32) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o777 & !umask).create(path)
}

/// A path or argument for a system call.
pub(super) fn c_string(what: &str, text: impl Into<Vec<u8>>) -> Result<CString, String> {
    CString::new(text).map_err(|_| format!("{what} holds a NUL byte"))
}
