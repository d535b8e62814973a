//! Bringing bytes and names to disk, and replacing a file in one step.
//!
//! Many outputs at once are flushed together, which is a matter of its own: [`crate::publish`].

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Waits until what is in the file, or the names that are in the folder, survive a power loss.
///
/// # Errors
/// It cannot be opened or flushed.
pub fn sync(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Makes a file of mode 0600 with these bytes, which survive a power loss.
///
/// # Errors
/// Something is there already, or the file cannot be written.
pub fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Replaces `path` in one step by a file of mode 0600 with these bytes: a reader sees the old file or the new one, also
/// after a power loss. Whatever has that name, such as a pipe or a link, is neither followed nor waited for.
///
/// # Errors
/// The file cannot be written or renamed; then nothing has changed.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    let temporary = path.with_file_name(name);
    // Left by a process that had our id and died in between.
    let _ = std::fs::remove_file(&temporary);
    let replaced = write_new(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    if replaced.is_err() {
        let _ = std::fs::remove_file(&temporary);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_file_is_replaced_whatever_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("record");
        replace_file(&path, b"one").unwrap();
        replace_file(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let other = folder.path().join("other");
        std::fs::write(&other, "kept").unwrap();
        // Left by a process of our number that died.
        let left = folder.path().join(format!("record.{}.tmp", std::process::id()));
        for place in [&path, &left] {
            let _ = std::fs::remove_file(place);
            std::os::unix::fs::symlink(&other, place).unwrap();
        }
        replace_file(&path, b"three").unwrap();
        assert!(path.symlink_metadata().unwrap().is_file());
        assert_eq!(std::fs::read(&other).unwrap(), b"kept");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2, "nothing temporary stays");
    }

    #[test]
    fn what_is_there_is_not_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new");
        write_new(&path, b"one").unwrap();
        assert_eq!(write_new(&path, b"two").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        sync(&path).unwrap();
        sync(folder.path()).unwrap();
        assert!(sync(&folder.path().join("gone")).is_err());
    }
}
