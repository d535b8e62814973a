//! The state folder: `.databuild/` at the workspace root, or where the setting `state_dir` says. This type owns the name of
//! everything in it.

use super::identity::DirId;
use super::workspace::Workspace;
use crate::os::{open_left, read_left, replace_file};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::AsFd;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The name of a folder below which Bazel finds no packages, since no component of a package's name may consist of dots
/// alone. Outputs may have BUILD files in them, and `//...` looks into hidden folders, too.
pub const NO_PACKAGE: &str = "...";

/// Bytes of the longest path that a state folder can have: SQLite takes 512 for a file with `-journal` added, and the longest
/// name is that of a log that is being made.
const MAX_PATH: usize = 512 - "/bel.sqlite.new-journal".len();

/// The file with the port that is taken again.
const PORT: &str = "port";

/// Keeps the folder out of Git, and shows that it is a state folder.
const IGNORE: &str = ".gitignore";
/// What that file says.
const IGNORED: &[u8] = b"*\n";

/// How many earlier logs are kept.
const PREVIOUS_LOGS: usize = 3;

/// At most this much of a log's end is read to show it.
const TAIL_BYTES: u64 = 16 * 1024;

/// The state folder of a workspace, checked: a real folder, ours, mode 0700,
/// writable.
#[derive(Clone, Debug)]
pub struct StateDir {
    workspace: Workspace,
    path: PathBuf,
    id: DirId,
}

/// Why the state folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateDirError {
    /// Something else has its name.
    #[error("the state folder {path} is {what}, not a folder; move it away and run the command again")]
    NotAFolder {
        /// The path.
        path: PathBuf,
        /// What was found.
        what: &'static str,
    },
    /// It belongs to another user.
    #[error(
        "the state folder {path} belongs to user {owner}, and this is user {user}; run the \
         command as its owner, or use a copy of the workspace of your own"
    )]
    ForeignOwner {
        /// The path.
        path: PathBuf,
        /// The owner's user id.
        owner: u32,
        /// Our user id.
        user: u32,
    },
    /// SQLite could not open the log in it.
    #[error(
        "the path of the state folder, {path}, has {} bytes, and {MAX_PATH} is the most; move the workspace \
         to a shorter path", .path.as_os_str().len()
    )]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// Somebody named a folder that has other things in it.
    #[error(
        "{path} has files that are none of DataBuild's; give `state_dir` the path of an empty folder, or of one that does \
         not exist"
    )]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// It cannot be created or written.
    #[error("cannot {action} in the state folder: {path}: {source}; make it writable")]
    Unwritable {
        /// The path.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// The system's answer.
        source: io::Error,
    },
}

impl StateDirError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            StateDirError::NotAFolder { .. } => "state_dir_not_a_folder",
            StateDirError::ForeignOwner { .. } => "state_dir_foreign_owner",
            StateDirError::InUse { .. } => "state_dir_in_use",
            StateDirError::TooLong { .. } => "state_dir_path_too_long",
            StateDirError::Unwritable { .. } => "state_dir_unwritable",
        }
    }
}

impl StateDir {
    /// Opens the state folder, creating it and its sub-folders if they are
    /// missing.
    pub fn create(workspace: &Workspace) -> Result<Self, StateDirError> {
        let path = workspace.state_dir().to_owned();
        if path.as_os_str().len() > MAX_PATH {
            return Err(StateDirError::TooLong { path });
        }
        if !workspace.has_usual_state_dir() {
            let above = path.parent().unwrap_or(&path);
            std::fs::create_dir_all(above).map_err(unwritable(above, "create a folder"))?;
            // It is closed to others and emptied by `gc`, so it must be ours.
            let ours = std::fs::read(path.join(IGNORE)).is_ok_and(|text| text == IGNORED);
            let mut others = std::fs::read_dir(&path).into_iter().flatten();
            if !ours && others.next().is_some() {
                return Err(StateDirError::InUse { path });
            }
        }
        make_private_dir(&path)?;
        let state = Self::checked(workspace, path)?;
        let ignore = state.path.join(IGNORE);
        if !ignore.exists() {
            // The bytes are right whichever of two writers comes last.
            std::fs::write(&ignore, IGNORED).map_err(unwritable(&ignore, "write a file"))?;
        }
        for dir in [state.spool(), state.path.join("staging"), state.staging()] {
            make_private_dir(&dir)?;
        }
        Ok(state)
    }

    /// Opens the state folder if there is one.
    pub fn open(workspace: &Workspace) -> Result<Option<Self>, StateDirError> {
        let path = workspace.state_dir().to_owned();
        match path.symlink_metadata() {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => Self::checked(workspace, path).map(Some),
        }
    }

    fn checked(workspace: &Workspace, path: PathBuf) -> Result<Self, StateDirError> {
        let meta = path.symlink_metadata().map_err(unwritable(&path, "look"))?;
        if !meta.is_dir() {
            let what = if meta.is_symlink() { "a symbolic link" } else { "a file" };
            return Err(StateDirError::NotAFolder { path, what });
        }
        let user = rustix::process::geteuid().as_raw();
        if meta.uid() != user {
            let owner = meta.uid();
            return Err(StateDirError::ForeignOwner { path, owner, user });
        }
        if meta.mode() & 0o077 != 0 {
            // A checkout or `cp -r` made it with the umask of the day.
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o700))
                .map_err(unwritable(&path, "close it to others"))?;
        }
        use rustix::fs::Access;
        rustix::fs::access(&path, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK)
            .map_err(|e| unwritable(&path, "write")(e.into()))?;
        let id = DirId { dev: meta.dev(), ino: meta.ino() };
        Ok(StateDir { workspace: workspace.clone(), path, id })
    }

    /// The workspace this is the state of.
    pub fn workspace(&self) -> &Workspace {
        &self.workspace
    }

    /// The folder itself.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder's identity when it was opened.
    pub fn id(&self) -> DirId {
        self.id
    }

    /// The identity of the folder that has this path now.
    pub(super) fn current_id(&self) -> io::Result<DirId> {
        DirId::of(&self.path)
    }

    /// Who the server is and how to reach it.
    pub fn server_json(&self) -> PathBuf {
        self.path.join(SERVER_JSON)
    }

    /// The owner's token, for programs that take one from a file.
    pub fn token(&self) -> PathBuf {
        self.path.join("token")
    }

    /// The port that the last server without one of somebody's choice had; none if there was none.
    pub fn last_port(&self) -> Option<u16> {
        let bytes = read_left(&self.path.join(PORT), 16).ok().flatten()?;
        std::str::from_utf8(&bytes).ok()?.trim().parse().ok().filter(|port| *port > 0)
    }

    /// Remembers the port for the next server.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remember_port(&self, port: u16) -> io::Result<()> {
        replace_file(&self.path.join(PORT), format!("{port}\n").as_bytes())
    }

    /// Held by a client from its look at `server.json` until the server answers.
    pub fn start_lock(&self) -> PathBuf {
        self.path.join("start.lock")
    }

    /// Held by the server for its life.
    pub fn server_lock(&self) -> PathBuf {
        self.path.join("server.lock")
    }

    /// The build event log.
    pub fn database(&self) -> PathBuf {
        self.path.join("bel.sqlite")
    }

    /// Standard output and error of a server in the background.
    pub fn server_log(&self) -> PathBuf {
        self.path.join("server.log")
    }

    /// The log of a server that starts and does not own the state folder yet. It is what is left of one that could not.
    pub fn starting_log(&self) -> PathBuf {
        self.path.join("server.log.starting")
    }

    /// The `n`th log before that one, of this server or of one before it; 1 is the last.
    pub fn previous_log(&self, n: usize) -> PathBuf {
        self.path.join(format!("server.log.{n}"))
    }

    /// One folder for each attempt of a run.
    pub fn spool(&self) -> PathBuf {
        self.path.join("spool")
    }

    /// Outputs that are not published yet; on the file system of the workspace.
    pub fn staging(&self) -> PathBuf {
        self.path.join("staging").join(NO_PACKAGE)
    }

    /// Requests of observers that are running.
    pub fn observers(&self) -> PathBuf {
        self.path.join("observers")
    }

    /// Values of inherited environment variables, for jobs and observers; readable by the owner only.
    pub fn inherited(&self) -> PathBuf {
        self.path.join("inherited.json")
    }

    /// The runtime folder chosen last, see `RuntimeDir`.
    pub(super) fn runtime_dir_record(&self) -> PathBuf {
        self.path.join("runtime_dir")
    }

    /// What is in the folder, by what it is for, but for the log itself.
    pub fn kinds(&self) -> Vec<(&'static str, Vec<PathBuf>)> {
        let mut logs = vec![self.server_log(), self.starting_log()];
        logs.extend((1..=PREVIOUS_LOGS).map(|n| self.previous_log(n)));
        vec![
            ("attempts", vec![self.spool()]),
            ("staging", vec![self.path.join("staging")]),
            ("observers", vec![self.observers()]),
            ("server_logs", logs),
        ]
    }

    /// Opens an empty log for a server that is about to start. Only under `start.lock`. The log of the server that runs, if
    /// this one is refused for it, stays where it is.
    pub(super) fn fresh_log(&self) -> io::Result<File> {
        match std::fs::remove_file(self.starting_log()) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        OpenOptions::new().append(true).create_new(true).mode(0o600).open(self.starting_log())
    }

    /// Makes `log`, if it is that of a starting server, the log of the server: shifts the others by one. Only by the owner
    /// of the state folder.
    pub(super) fn take_log(&self, log: impl AsFd) -> io::Result<()> {
        // Else it talks to a terminal, or to a file of somebody's choice.
        if is_at(&self.starting_log(), log)? {
            self.shift_logs()?;
            std::fs::rename(self.starting_log(), self.server_log())?;
        }
        Ok(())
    }

    /// An empty log for the server whose log is `log`, which becomes the last one before it; none if it talks elsewhere. Only by
    /// the owner of the state folder.
    pub(super) fn next_log(&self, log: impl AsFd) -> io::Result<Option<File>> {
        if !is_at(&self.server_log(), log)? {
            return Ok(None);
        }
        self.shift_logs()?;
        let next = OpenOptions::new().append(true).create_new(true).mode(0o600).open(self.server_log());
        if next.is_err() {
            // There may be no room. It goes on where it is.
            std::fs::rename(self.previous_log(1), self.server_log())?;
        }
        next.map(Some)
    }

    /// Makes room for a log: moves those that there are by one.
    fn shift_logs(&self) -> io::Result<()> {
        let names: Vec<PathBuf> = std::iter::once(self.server_log())
            .chain((1..=PREVIOUS_LOGS).map(|n| self.previous_log(n)))
            .collect();
        for pair in names.windows(2).rev() {
            match std::fs::rename(&pair[0], &pair[1]) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
        Ok(())
    }

    /// The last `lines` lines of the server's log with control characters made
    /// harmless; empty if there is none.
    pub fn log_tail(&self, lines: usize) -> String {
        tail(&self.server_log(), lines)
    }

    /// The log of a server that was just started, with its last lines.
    pub(super) fn log_of_start(&self, lines: usize) -> (PathBuf, String) {
        let starting = self.starting_log();
        let log = if starting.exists() { starting } else { self.server_log() };
        let tail = tail(&log, lines);
        (log, tail)
    }

    /// Whether there is no room for a line of a log.
    pub(super) fn is_full(&self) -> bool {
        rustix::fs::statvfs(&self.path).is_ok_and(|disk| disk.f_bavail == 0)
    }
}

/// Whether the file at a path is the open one.
fn is_at(path: &Path, file: impl AsFd) -> io::Result<bool> {
    let open = rustix::fs::fstat(file)?;
    match path.symlink_metadata() {
        Ok(meta) => Ok((meta.dev(), meta.ino()) == (open.st_dev, open.st_ino)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(e) => Err(e),
    }
}

/// Whether two descriptors are of one file.
pub(super) fn is_one(one: impl AsFd, other: impl AsFd) -> io::Result<bool> {
    let (one, other) = (rustix::fs::fstat(one)?, rustix::fs::fstat(other)?);
    Ok((one.st_dev, one.st_ino) == (other.st_dev, other.st_ino))
}

/// The last `lines` lines of a log.
fn tail(path: &Path, lines: usize) -> String {
    let mut bytes = Vec::new();
    // A log that cannot be read must not hide the error it should explain.
    let _ = open_left(path).and_then(|log| {
        let Some(mut log) = log else { return Ok(()) };
        let len = log.metadata()?.len();
        log.seek(SeekFrom::Start(len.saturating_sub(TAIL_BYTES)))?;
        log.take(TAIL_BYTES).read_to_end(&mut bytes).map(drop)
    });
    let text: String = String::from_utf8_lossy(&bytes)
        .chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { '?' } else { c })
        .collect();
    let all: Vec<&str> = text.lines().collect();
    all[all.len().saturating_sub(lines)..].join("\n")
}

/// The name of the file that describes the server.
pub(super) const SERVER_JSON: &str = "server.json";

/// Creates a folder only its owner can enter; one that is there is left as it
/// is.
fn make_private_dir(path: &Path) -> Result<(), StateDirError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(unwritable(path, "create a folder")(e)),
        _ => Ok(()),
    }
}

fn unwritable(path: &Path, action: &'static str) -> impl Fn(io::Error) -> StateDirError {
    let path = path.to_owned();
    move |source| StateDirError::Unwritable { path: path.clone(), action, source }
}

#[cfg(test)]
mod tests {
    use super::super::workspace::STATE_DIR_NAME;
    use super::*;
    use std::io::Write as _;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().expect("temporary folder");
        let workspace = Workspace::at(dir.path()).expect("workspace");
        (dir, workspace)
    }

    #[test]
    fn it_is_private_and_ignores_itself() {
        let (_keep, workspace) = workspace();
        let state = StateDir::create(&workspace).expect("created");
        let mode = state.path().metadata().expect("metadata").mode() & 0o777;
        assert_eq!(mode, 0o700);
        let ignore = std::fs::read_to_string(state.path().join(".gitignore")).expect("read");
        assert_eq!(ignore, "*\n");
        assert!(state.spool().is_dir() && state.staging().is_dir());
    }

    #[test]
    fn opening_does_not_create() {
        let (_keep, workspace) = workspace();
        assert!(StateDir::open(&workspace).expect("open").is_none());
        let created = StateDir::create(&workspace).expect("created");
        let opened = StateDir::open(&workspace).expect("open").expect("there");
        assert_eq!(created.id(), opened.id());
    }

    #[test]
    fn token_and_port_outlive_the_server() {
        let (_keep, workspace) = workspace();
        let state = StateDir::create(&workspace).expect("created");
        let token = super::super::Token::of_owner(&state).expect("made");
        assert_eq!(super::super::Token::of_owner(&state).expect("read"), token);
        let mode = state.token().metadata().expect("metadata").mode() & 0o777;
        assert_eq!(mode, 0o600);
        assert_eq!(std::fs::read_to_string(state.token()).expect("read"), token.expose().to_owned() + "\n");
        std::fs::write(state.token(), "short").expect("write");
        assert_ne!(super::super::Token::of_owner(&state).expect("made"), token, "it could be guessed");
        assert_eq!(state.last_port(), None);
        state.remember_port(4711).expect("written");
        assert_eq!(state.last_port(), Some(4711));
        std::fs::write(state.path().join(PORT), "99999").expect("write");
        assert_eq!(state.last_port(), None);
    }

    #[test]
    fn it_may_be_elsewhere_but_not_among_other_files() {
        let (keep, workspace) = workspace();
        let elsewhere = workspace.clone().with_state_dir(&keep.path().join("a/b"));
        let state = StateDir::create(&elsewhere).expect("created");
        assert!(state.path().ends_with("a/b") && state.spool().is_dir());
        StateDir::create(&elsewhere).expect("it is ours");
        assert!(StateDir::open(&workspace).expect("open").is_none(), "the usual one is another");
        std::fs::write(keep.path().join("mine"), "").expect("write");
        let error = StateDir::create(&workspace.with_state_dir(keep.path())).expect_err("refused");
        assert_eq!(error.code(), "state_dir_in_use");
        assert!(!keep.path().join("spool").exists());
    }

    #[test]
    fn a_folder_open_to_others_is_closed() {
        let (_keep, workspace) = workspace();
        let path = workspace.path().join(STATE_DIR_NAME);
        std::fs::create_dir(&path).expect("mkdir");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("chmod");
        StateDir::create(&workspace).expect("created");
        assert_eq!(path.metadata().expect("metadata").mode() & 0o777, 0o700);
    }

    #[test]
    fn a_file_or_a_link_in_its_place_is_refused_and_left_alone() {
        for link in [false, true] {
            let (_keep, workspace) = workspace();
            let path = workspace.path().join(STATE_DIR_NAME);
            if link {
                std::os::unix::fs::symlink(workspace.path(), &path).expect("symlink");
            } else {
                std::fs::write(&path, "mine").expect("write");
            }
            for result in [StateDir::create(&workspace).map(|_| ()), StateDir::open(&workspace).map(|_| ())] {
                let error = result.expect_err("refused");
                assert_eq!(error.code(), "state_dir_not_a_folder");
                assert!(error.to_string().contains(".databuild"), "{error}");
            }
            assert_eq!(path.symlink_metadata().expect("there").is_symlink(), link);
        }
    }

    /// Runs `body` as a user whom file modes bind: root passes them all.
    /// Credentials belong to a thread in Linux, so only a new thread gives
    /// them up.
    fn as_ordinary_user<T: Send>(body: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| {
                if rustix::process::geteuid().is_root() {
                    let nobody = rustix::process::Uid::from_raw(65534);
                    rustix::thread::set_thread_res_uid(nobody, nobody, nobody).expect("setuid");
                }
                body()
            });
            thread.join().expect("thread")
        })
    }

    #[test]
    fn an_unwritable_workspace_is_refused_with_path_and_reason() {
        let (_keep, workspace) = workspace();
        std::fs::set_permissions(workspace.path(), std::fs::Permissions::from_mode(0o555)).expect("chmod");
        let error = as_ordinary_user(|| StateDir::create(&workspace)).expect_err("refused");
        assert_eq!(error.code(), "state_dir_unwritable");
        let text = error.to_string();
        assert!(text.contains(".databuild") && text.contains("ermission denied"), "{text}");
    }

    #[test]
    fn an_unwritable_state_folder_is_refused() {
        let (_keep, workspace) = workspace();
        let path = workspace.path().join(STATE_DIR_NAME);
        std::fs::set_permissions(workspace.path(), std::fs::Permissions::from_mode(0o755)).expect("chmod");
        StateDir::create(&workspace).expect("created");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o500)).expect("chmod");
        let error = as_ordinary_user(|| StateDir::create(&workspace)).expect_err("refused");
        // As root the thread is another user than the owner; else the mode bites.
        let expected = if rustix::process::geteuid().is_root() {
            "state_dir_foreign_owner"
        } else {
            "state_dir_unwritable"
        };
        assert_eq!(error.code(), expected);
    }

    #[test]
    fn three_previous_logs_are_kept() {
        let (_keep, workspace) = workspace();
        let state = StateDir::create(&workspace).expect("created");
        for n in 0..6 {
            let mut log = state.fresh_log().expect("log");
            writeln!(log, "server {n}").expect("write");
            state.take_log(&log).expect("taken");
            // One that is refused has a log of its own, and leaves the others alone.
            let mut refused = state.fresh_log().expect("log");
            writeln!(refused, "refused").expect("write");
            assert_eq!(state.log_of_start(1), (state.starting_log(), "refused".to_owned()));
            state.take_log(&log).expect("it is not this one");
        }
        let read = |path: PathBuf| std::fs::read_to_string(path).expect("read");
        assert_eq!(read(state.server_log()), "server 5\n");
        assert_eq!(read(state.previous_log(1)), "server 4\n");
        assert_eq!(read(state.previous_log(3)), "server 2\n");
        assert!(!state.previous_log(4).exists());
    }

    #[test]
    fn the_tail_is_the_end_of_the_log_without_escapes() {
        let (_keep, workspace) = workspace();
        let state = StateDir::create(&workspace).expect("created");
        assert_eq!(state.log_tail(3), "");
        let mut log = state.fresh_log().expect("log");
        state.take_log(&log).expect("taken");
        for n in 0..5000 {
            writeln!(log, "line {n}").expect("write");
        }
        write!(log, "\x1b[31mred\n\u{ff}").expect("write");
        log.write_all(b"\xff\xfe").expect("write");
        let tail = state.log_tail(3);
        assert_eq!(tail.lines().count(), 3);
        assert!(tail.starts_with("line 4999\n?[31mred\n"), "{tail:?}");
    }
}
