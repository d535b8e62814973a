//! The runner's socket file: a short path in a folder that is this user's only.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::{geteuid, umask};

use super::error::RunnerError;

/// Bytes of path that fit into `sockaddr_un` with its final NUL.
const MAX_PATH: usize = 107;

/// Refuses paths that no socket can have.
pub(super) fn check_path(path: &Path) -> Result<(), RunnerError> {
    if !path.is_absolute() {
        return Err(RunnerError::RelativePath(path.to_owned()));
    }
    let length = path.as_os_str().len();
    if length > MAX_PATH {
        return Err(RunnerError::SocketPathTooLong { path: path.to_owned(), length, limit: MAX_PATH });
    }
    Ok(())
}

/// Another path to a socket, if its own is too long for one.
struct Short {
    path: PathBuf,
    /// The folder, by whose descriptor the path goes.
    _folder: Option<OwnedFd>,
}

impl Short {
    fn of(path: &Path) -> io::Result<Short> {
        let (true, Some(folder), Some(name)) =
            (path.as_os_str().len() > MAX_PATH, path.parent(), path.file_name())
        else {
            return Ok(Short { path: path.to_owned(), _folder: None });
        };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder, flags, Mode::empty())?;
        let path = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
        Ok(Short { path, _folder: Some(folder) })
    }
}

/// Connects to a socket, however long its path is.
pub(super) fn connect(path: &Path) -> io::Result<UnixStream> {
    UnixStream::connect(&Short::of(path)?.path)
}

/// The listening socket and the file it is known by.
#[derive(Debug)]
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
    inode: (u64, u64),
}

impl Socket {
    /// Binds to `path`, replacing what an earlier runner left. The caller holds
    /// the spool's lock, so no living runner of that spool listens there.
    pub(super) fn bind(path: &Path) -> Result<Self, RunnerError> {
        if let Some(folder) = path.parent() {
            make_safe_folder(folder)?;
        }
        match fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(RunnerError::io("removing the old socket", path, e));
            }
            _ => {}
        }
        let short =
            Short::of(path).map_err(|e| RunnerError::io("opening the socket's folder of", path, e))?;
        let before = umask(Mode::from_raw_mode(0o177));
        let bound = UnixListener::bind(&short.path);
        umask(before);
        let listener = bound.map_err(|e| RunnerError::io("listening", path, e))?;
        listener.set_nonblocking(true).map_err(|e| RunnerError::io("setting up the socket", path, e))?;
        let meta = fs::symlink_metadata(path).map_err(|e| RunnerError::io("reading the socket", path, e))?;
        Ok(Self { listener, path: path.to_owned(), inode: (meta.dev(), meta.ino()) })
    }

    /// The file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The descriptor to wait on.
    pub(super) fn fd(&self) -> impl AsFd + '_ {
        &self.listener
    }

    /// The next connection of this user (or root), if one waits.
    pub(super) fn accept(&self) -> Option<UnixStream> {
        loop {
            let (stream, _) = self.listener.accept().ok()?;
            let ours = rustix::net::sockopt::socket_peercred(&stream)
                .is_ok_and(|peer| peer.uid == geteuid() || peer.uid.is_root());
            if ours && stream.set_nonblocking(true).is_ok() {
                return Some(stream);
            }
        }
    }

    /// Whether the path still leads here; a cleaner of temporary folders may
    /// have taken it away.
    pub(super) fn is_reachable(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|meta| (meta.dev(), meta.ino()) == self.inode)
    }

    /// Stops listening and removes the file if it is this socket's.
    pub(super) fn close(self) {
        if self.is_reachable() {
            // The folder going away at the same time is fine.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the folder with mode 0700, or checks that the one there is private:
/// under `/tmp` anybody could have made it first.
fn make_safe_folder(path: &Path) -> Result<(), RunnerError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| RunnerError::io("making the folder", path, e))?;
    let meta = fs::symlink_metadata(path).map_err(|e| RunnerError::io("reading the folder", path, e))?;
    let why = if !meta.is_dir() {
        "it is not a folder".to_owned()
    } else if meta.uid() != geteuid().as_raw() {
        format!("it belongs to user {}", meta.uid())
    } else if meta.mode() & 0o077 != 0 {
        format!("others can open it (mode {:o})", meta.mode() & 0o777)
    } else {
        return Ok(());
    };
    Err(RunnerError::UnsafeFolder { path: path.to_owned(), why })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn socket_and_folder_are_private() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("run/s");
        let socket = Socket::bind(&path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert!(socket.is_reachable());
        socket.close();
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_open_to_others_is_refused() {
        let tmp = tempfile::tempdir().unwrap();
        let folder = tmp.path().join("run");
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        let error = Socket::bind(&folder.join("s")).unwrap_err();
        assert_eq!(error.code(), "runner_unsafe_folder");
    }

    #[test]
    fn the_path_limit_is_exact() {
        let path = |length: usize| PathBuf::from(format!("/{}", "a".repeat(length - 1)));
        assert!(check_path(&path(107)).is_ok());
        let error = check_path(&path(108)).unwrap_err();
        assert_eq!(error.code(), "runner_socket_path_too_long");
        assert_eq!(check_path(Path::new("s")).unwrap_err().code(), "runner_relative_path");
    }
}
