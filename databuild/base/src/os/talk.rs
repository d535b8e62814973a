//! Talk of long-lived processes: to stderr, which is a log on some disk.
//!
//! A disk that is full, one that fails, and a pipe whose reader has left take no talk; a pipe that nobody reads and a
//! terminal that was stopped take none for now. What a process does matters more than what it says of it, so what cannot be
//! written at once is dropped; `eprintln!` would end the process, or wait.

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::FileType;
use std::io::{self, Write};
use std::sync::LazyLock;

/// A pipe that takes anything takes so much without waiting (`PIPE_BUF`).
const AT_ONCE: usize = 4096;

/// Says a line to stderr if it can.
pub fn say(line: impl std::fmt::Display) {
    let _ = Stderr.write_all(format!("{line}\n").as_bytes());
}

/// Stderr that takes everything, whether or not it can be written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if is_file() {
            // A file takes what comes, from several threads at once, too; it may be full.
            let mut rest = bytes;
            while let Ok(written @ 1..) = rustix::io::write(rustix::stdio::stderr(), rest) {
                rest = &rest[written..];
            }
            return Ok(bytes.len());
        }
        // Held, so that no other thread fills what is free.
        let mut stderr = io::stderr().lock();
        for part in bytes.chunks(AT_ONCE) {
            if !takes_something(&stderr) || stderr.write_all(part).is_err() {
                break;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
}

/// Whether stderr is a file, which it is from the beginning or never.
fn is_file() -> bool {
    static IS_FILE: LazyLock<bool> = LazyLock::new(|| {
        let is_file = |stat: rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode).is_file();
        rustix::fs::fstat(rustix::stdio::stderr()).is_ok_and(is_file)
    });
    *IS_FILE
}

/// Whether a write would not wait. What is broken does not wait either.
fn takes_something(stderr: &io::StderrLock<'_>) -> bool {
    let mut asked = [PollFd::new(stderr, PollFlags::OUT)];
    !matches!(poll(&mut asked, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })), Ok(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    const SPEAK: &str = "DATABUILD_TEST_SPEAK";

    /// Run by [`talk_that_cannot_be_written_ends_nobody`] with a stderr that takes nothing.
    #[test]
    fn speaker() {
        if std::env::var_os(SPEAK).is_none() {
            return;
        }
        say("a line");
        tracing_subscriber::fmt().with_writer(|| Stderr).log_internal_errors(false).init();
        tracing::error!("an event");
        std::process::exit(7);
    }

    #[test]
    fn talk_that_cannot_be_written_ends_nobody() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let (reader, gone) = std::io::pipe().unwrap();
        drop(reader);
        // The other end is there, and reads nothing.
        let (_silent, mut filled) = std::io::pipe().unwrap();
        rustix::io::ioctl_fionbio(&filled, true).unwrap();
        while filled.write(&[b'x'; 4096]).is_ok() {}
        rustix::io::ioctl_fionbio(&filled, false).unwrap();
        for stderr in [Stdio::from(full), Stdio::from(gone), Stdio::from(filled)] {
            let module = module_path!().split_once("::").unwrap().1;
            let status = Command::new(std::env::current_exe().unwrap())
                .args([&format!("{module}::speaker"), "--exact", "--nocapture", "--test-threads=1"])
                .env(SPEAK, "1")
                .stdout(Stdio::null())
                .stderr(stderr)
                .status()
                .unwrap();
            assert_eq!(status.code(), Some(7));
        }
    }
}
