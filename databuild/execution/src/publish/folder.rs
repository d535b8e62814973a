//! Folders whose mode keeps their own owner out.

use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{fstat, open, Mode, OFlags};

/// What the owner needs to change what is in a folder, and to move the folder elsewhere.
const OPEN: u32 = 0o700;

/// A folder that was opened to its owner. Follows no link: what is held is the folder itself.
pub(super) struct Opened {
    folder: OwnedFd,
    /// The mode that it had.
    mode: u32,
}

impl Opened {
    /// Opens the folder at `path` to its owner. None if something else is there, if it is open already, or if it is
    /// not ours to open.
    pub(super) fn new(path: &Path) -> Option<Opened> {
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = open(path, flags, Mode::empty()).ok()?;
        let mode = fstat(&folder).ok()?.st_mode & 0o7777;
        let opened = Opened { folder, mode };
        (mode & OPEN != OPEN && opened.set_mode(mode | OPEN)).then_some(opened)
    }

    /// Gives the folder the mode that it had, wherever it is by now.
    pub(super) fn close(self) {
        self.set_mode(self.mode);
    }

    fn set_mode(&self, mode: u32) -> bool {
        // A descriptor of this kind has no mode to set, but its name below /proc leads to the folder itself.
        let path = PathBuf::from(format!("/proc/self/fd/{}", self.folder.as_raw_fd()));
        rustix::fs::chmod(path, Mode::from_raw_mode(mode)).is_ok()
    }
}
