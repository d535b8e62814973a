//! A short folder for Unix sockets, whose paths may have only 107 bytes.
//!
//! The choice is written down in the state folder: a server started from a cron
//! job, which lacks `XDG_RUNTIME_DIR`, must find the sockets of processes whose
//! server had it.

use super::state_dir::StateDir;
use crate::os::replace_file;
use base16ct::lower;
use sha2::{Digest, Sha256};
use std::ffi::OsStr;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The longest path a Unix socket can have on Linux, in bytes.
pub const MAX_SOCKET_PATH: usize = 107;

/// Room left for a socket's name when a place is judged.
const ROOM_FOR_NAME: usize = 32;

/// The folder for the sockets of one state folder: ours, mode 0700.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeDir(PathBuf);

/// Why there is no runtime folder.
#[derive(Debug, thiserror::Error)]
pub enum RuntimeDirError {
    /// Somebody else made it.
    #[error(
        "the runtime folder {} is not a folder of user {user} (owner {owner}); remove it, or set \
         XDG_RUNTIME_DIR to a private folder", .path.display()
    )]
    Foreign {
        /// The path.
        path: PathBuf,
        /// The owner's user id.
        owner: u32,
        /// Our user id.
        user: u32,
    },
    /// A socket's path would be too long.
    #[error("the socket path {} has more than {MAX_SOCKET_PATH} bytes", .path.display())]
    TooLong {
        /// The path.
        path: PathBuf,
    },
    /// The system refused.
    #[error("cannot use the runtime folder {}: {source}", .path.display())]
    Io {
        /// The path.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
}

impl RuntimeDirError {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            RuntimeDirError::Foreign { .. } => "runtime_dir_foreign",
            RuntimeDirError::TooLong { .. } => "socket_path_too_long",
            RuntimeDirError::Io { .. } => "runtime_dir_io",
        }
    }
}

impl RuntimeDir {
    /// The runtime folder of `state`, created if it is missing: the one chosen
    /// last if it is still good, else below `XDG_RUNTIME_DIR` if that is a
    /// private folder with a short path, else below `/tmp/databuild-<uid>`.
    pub fn create(state: &StateDir) -> Result<Self, RuntimeDirError> {
        let xdg = std::env::var_os("XDG_RUNTIME_DIR");
        Self::create_from(state, xdg.as_deref(), Path::new("/tmp"))
    }

    fn create_from(state: &StateDir, xdg: Option<&OsStr>, tmp: &Path) -> Result<Self, RuntimeDirError> {
        let user = rustix::process::geteuid().as_raw();
        let id = short_id(state);
        if let Some(path) = recorded(state, &id).filter(|p| owned_folder(p, user).is_ok()) {
            return Ok(RuntimeDir(path));
        }
        let parent = match xdg.map(Path::new).filter(|p| is_usable(p, user)) {
            Some(xdg) => xdg.join("databuild"),
            None => tmp.join(format!("databuild-{user}")),
        };
        private_folder(&parent, user)?;
        let path = parent.join(id);
        private_folder(&path, user)?;
        // Without the note a later server may choose otherwise: worth an error.
        replace_file(&state.runtime_dir_record(), path.as_os_str().as_bytes())
            .map_err(io_error(&state.runtime_dir_record()))?;
        Ok(RuntimeDir(path))
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Removes the folder if nothing is in it; the caller owns the state folder. A runner that goes on has its socket there.
    /// The folder above stays: other servers may be making theirs in it.
    pub fn remove_if_empty(path: &Path) {
        // What is not empty is refused, which is right.
        let _ = std::fs::remove_dir(path);
    }

    /// The path of the socket `name`.
    pub fn socket(&self, name: &str) -> Result<PathBuf, RuntimeDirError> {
        let path = self.0.join(name);
        if path.as_os_str().len() > MAX_SOCKET_PATH {
            return Err(RuntimeDirError::TooLong { path });
        }
        Ok(path)
    }
}

/// Twelve hexadecimal digits that tell this state folder from all others of this
/// machine, copies and earlier places of it included.
fn short_id(state: &StateDir) -> String {
    let mut hash = Sha256::new();
    hash.update(state.workspace().path().as_os_str().as_bytes());
    hash.update([0]);
    hash.update(state.id().to_string().as_bytes());
    lower::encode_string(&hash.finalize()[..6])
}

/// The folder written down by an earlier server of this very state folder.
fn recorded(state: &StateDir, id: &str) -> Option<PathBuf> {
    let bytes = crate::os::read_left(&state.runtime_dir_record(), 4096).ok()??;
    let path = PathBuf::from(OsStr::from_bytes(&bytes));
    // A copy of the state folder has another id and must not use the
    // original's sockets.
    (path.is_absolute() && path.file_name() == Some(OsStr::new(id))).then_some(path)
}

fn is_usable(xdg: &Path, user: u32) -> bool {
    let longest = "/databuild/".len() + 12 + 1 + ROOM_FOR_NAME;
    xdg.is_absolute()
        && xdg.as_os_str().len() + longest <= MAX_SOCKET_PATH
        && owned_folder(xdg, user).is_ok_and(|mode| mode & 0o022 == 0)
        && rustix::fs::access(xdg, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK).is_ok()
}

/// Makes `path` a folder of mode 0700 that belongs to `user`, or refuses: in
/// `/tmp` anybody could have made it.
fn private_folder(path: &Path, user: u32) -> Result<(), RuntimeDirError> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        Err(e) => return Err(io_error(path)(e)),
    }
    if owned_folder(path, user)? & 0o777 != 0o700 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).map_err(io_error(path))?;
    }
    Ok(())
}

/// The mode of the folder at `path`, not followed, if it belongs to `user`.
fn owned_folder(path: &Path, user: u32) -> Result<u32, RuntimeDirError> {
    let meta = path.symlink_metadata().map_err(io_error(path))?;
    if !meta.is_dir() || meta.uid() != user {
        return Err(RuntimeDirError::Foreign { path: path.to_owned(), owner: meta.uid(), user });
    }
    Ok(meta.mode())
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> RuntimeDirError {
    let path = path.to_owned();
    move |source| RuntimeDirError::Io { path, source }
}

#[cfg(test)]
mod tests {
    use super::super::workspace::Workspace;
    use super::*;

    struct Place {
        dir: tempfile::TempDir,
    }

    impl Place {
        fn new() -> Self {
            // Below /tmp, because a long TMPDIR would make every path too long.
            let dir = tempfile::tempdir_in("/tmp").expect("temporary folder");
            for name in ["ws", "xdg", "tmp"] {
                DirBuilder::new().mode(0o700).create(dir.path().join(name)).expect("mkdir");
            }
            Place { dir }
        }
        fn at(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }
        fn state(&self) -> StateDir {
            let workspace = Workspace::at(&self.at("ws")).expect("workspace");
            StateDir::create(&workspace).expect("state folder")
        }
        fn create(&self, xdg: Option<&str>) -> Result<RuntimeDir, RuntimeDirError> {
            let xdg = xdg.map(|x| self.at(x));
            RuntimeDir::create_from(&self.state(), xdg.as_deref().map(Path::as_os_str), &self.at("tmp"))
        }
    }

    #[test]
    fn it_is_a_private_folder_below_xdg_runtime_dir() {
        let place = Place::new();
        let dir = place.create(Some("xdg")).expect("created");
        assert!(dir.path().starts_with(place.at("xdg/databuild")));
        assert_eq!(dir.path().metadata().expect("metadata").mode() & 0o777, 0o700);
        let socket = dir.socket("runner.sock").expect("short");
        assert!(socket.starts_with(dir.path()));
        assert_eq!(dir.socket(&"x".repeat(100)).expect_err("long").code(), "socket_path_too_long");
    }

    #[test]
    fn an_unusable_xdg_runtime_dir_is_passed_over() {
        let place = Place::new();
        let open = place.at("open");
        std::fs::create_dir(&open).expect("mkdir");
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).expect("chmod");
        let long = format!("xdg/{}", "d".repeat(60));
        DirBuilder::new().mode(0o700).create(place.at(&long)).expect("mkdir");
        for xdg in [None, Some("absent"), Some("open"), Some(long.as_str())] {
            let _ = std::fs::remove_file(place.state().runtime_dir_record());
            let dir = place.create(xdg).expect("created");
            assert!(dir.path().starts_with(place.at("tmp")), "{xdg:?}: {dir:?}");
        }
    }

    #[test]
    fn a_later_server_without_the_variable_finds_the_same_folder() {
        let place = Place::new();
        let first = place.create(Some("xdg")).expect("created");
        assert_eq!(place.create(None).expect("found"), first);
        std::fs::remove_dir(first.path()).expect("rmdir");
        let other = place.create(None).expect("created anew");
        assert!(other.path().starts_with(place.at("tmp")));
    }

    #[test]
    fn it_goes_when_it_is_empty_and_comes_again() {
        let place = Place::new();
        let dir = place.create(None).expect("created");
        let socket = dir.socket("runner.sock").expect("short");
        std::fs::write(&socket, "").expect("write");
        RuntimeDir::remove_if_empty(dir.path());
        assert!(socket.exists());
        std::fs::remove_file(&socket).expect("remove");
        RuntimeDir::remove_if_empty(dir.path());
        assert!(!dir.path().exists());
        assert_eq!(place.create(None).expect("created anew"), dir);
    }

    #[test]
    fn the_record_in_a_copied_state_folder_is_not_used() {
        let place = Place::new();
        let original = place.create(None).expect("created");
        let record = std::fs::read(place.state().runtime_dir_record()).expect("read");
        std::fs::rename(place.at("ws"), place.at("old")).expect("rename");
        std::fs::create_dir(place.at("ws")).expect("mkdir");
        std::fs::write(place.state().runtime_dir_record(), record).expect("write");
        assert_ne!(place.create(None).expect("created"), original);
    }

    #[test]
    fn a_link_in_tmp_is_refused() {
        let place = Place::new();
        let user = rustix::process::geteuid().as_raw();
        let trap = place.at("tmp").join(format!("databuild-{user}"));
        std::os::unix::fs::symlink(place.at("xdg"), trap).expect("symlink");
        let error = place.create(None).expect_err("refused");
        assert_eq!(error.code(), "runtime_dir_foreign");
    }
}
