//! Talk of long-lived processes: to stderr, which is a log on some disk.
//!
//! A disk that is full, one that fails, and a pipe whose reader has left take no talk. What a process does matters more
//! than what it says of it, so a line that cannot be written is dropped; `eprintln!` would end the process instead.

use std::io::{self, Write};

/// Says a line to stderr if it can.
pub fn say(line: impl std::fmt::Display) {
    let _ = Stderr.write_all(format!("{line}\n").as_bytes());
}

/// Stderr that takes everything, whether or not it can be written.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let _ = io::stderr().flush();
        Ok(())
    }
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
        for stderr in [Stdio::from(full), Stdio::from(gone)] {
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
