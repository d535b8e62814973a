//! What tells one machine and one folder from another. Processes are told apart in [`crate::os`].

use serde::{Deserialize, Serialize};
use std::fmt;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A folder's identity: it differs between a folder and its copy, and stays
/// when the folder is renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DirId {
    /// Device number (`st_dev`). Network mounts and reboots may change it.
    pub dev: u64,
    /// Inode number (`st_ino`).
    pub ino: u64,
}

impl DirId {
    /// The identity of the folder that `path` leads to now.
    pub fn of(path: &Path) -> io::Result<Self> {
        let meta = std::fs::metadata(path)?;
        Ok(DirId { dev: meta.dev(), ino: meta.ino() })
    }
}

impl fmt::Display for DirId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.dev, self.ino)
    }
}

/// The machine and the boot we run in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    /// Host name (`uname -n`); containers usually have one of their own.
    pub host: String,
    /// The kernel's random id of this boot.
    pub boot_id: String,
}

impl Machine {
    /// This machine.
    pub fn this() -> io::Result<Self> {
        Ok(Machine {
            host: rustix::system::uname().nodename().to_string_lossy().into_owned(),
            boot_id: crate::os::boot_id()?,
        })
    }
}
