//! Opens files that an untrusted process has left: a report, a log, or a record in a folder that it could write to.
//!
//! Where a file should be, a job may leave a pipe, on which an open would wait for ever, a link to a device, or a folder.
//! So only a regular file is opened, links are not followed, and no open waits. Only that nothing is there is no error.

use rustix::fs::OFlags;
use std::fs::{File, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Opens a regular file for reading; none if nothing is there.
///
/// # Errors
/// Something else is there, and the error says what; or it cannot be opened.
pub fn open_left(path: &Path) -> io::Result<Option<File>> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            // A link or a socket cannot be opened in this way; its kind says more than the system's error.
            let found = path.symlink_metadata().ok().filter(|meta| !meta.is_file());
            return Err(found.map_or(error, |meta| not_a_file(meta.file_type())));
        }
    };
    let meta = file.metadata()?;
    if meta.is_file() {
        Ok(Some(file))
    } else {
        Err(not_a_file(meta.file_type()))
    }
}

/// Opens a regular file for writing, of mode 0600 if it is new. What is in it stays.
///
/// # Errors
/// Something else is there, and the error says what; or it cannot be opened.
pub fn create_left(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let mut options = OpenOptions::new();
    let opened = options.write(true).create(true).truncate(false).mode(0o600).custom_flags(flags).open(path);
    let found = match &opened {
        Ok(file) => file.metadata(),
        Err(_) => path.symlink_metadata(),
    };
    match found {
        Ok(meta) if !meta.is_file() => Err(not_a_file(meta.file_type())),
        _ => opened,
    }
}

/// The first bytes of a regular file, at most `limit`; none if nothing is there.
///
/// # Errors
/// As [`open_left`]; or it cannot be read.
pub fn read_left(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_left(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(limit).read_to_end(&mut bytes)?;
    Ok(Some(bytes))
}

pub(super) fn not_a_file(kind: FileType) -> io::Error {
    let what = if kind.is_dir() {
        "a folder"
    } else if kind.is_symlink() {
        "a symbolic link"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    };
    io::Error::other(format!("it is {what}, not a regular file"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_is_opened_and_nothing_else_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        std::fs::write(at("file"), "text").unwrap();
        std::fs::create_dir(at("folder")).unwrap();
        rustix::fs::mknodat(
            rustix::fs::CWD,
            at("pipe"),
            rustix::fs::FileType::Fifo,
            rustix::fs::Mode::from_raw_mode(0o600),
            0,
        )
        .unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (link, to) in
            [("to_file", "file"), ("to_pipe", "pipe"), ("to_zero", "/dev/zero"), ("to_nothing", "x")]
        {
            std::os::unix::fs::symlink(to, at(link)).unwrap();
        }
        assert_eq!(read_left(&at("file"), 3).unwrap().unwrap(), b"tex");
        assert_eq!(read_left(&at("nothing"), 3).unwrap(), None);
        for (name, what) in [
            ("folder", "a folder"),
            ("pipe", "a pipe"),
            ("socket", "a socket"),
            ("to_file", "a symbolic link"),
            ("to_pipe", "a symbolic link"),
            ("to_zero", "a symbolic link"),
            ("to_nothing", "a symbolic link"),
        ] {
            let error = read_left(&at(name), 3).unwrap_err().to_string();
            assert_eq!(error, format!("it is {what}, not a regular file"), "{name}");
        }
        for name in ["folder", "pipe", "socket", "to_file", "to_pipe", "to_zero", "to_nothing"] {
            let error = create_left(&at(name)).unwrap_err().to_string();
            assert!(error.ends_with("not a regular file"), "{name}: {error}");
        }
        create_left(&at("file")).unwrap();
        create_left(&at("new")).unwrap();
        assert_eq!(read_left(&at("file"), 9).unwrap().unwrap(), b"text");
        assert!(read_left(&at("file/below"), 3).is_err(), "a folder that is a file is no absence");
        assert!(open_left(Path::new("/dev/null")).unwrap_err().to_string().contains("a device"));
    }
}
