//! What a server says, and its log, which is turned over when it has grown.
//!
//! The log is standard error, since a panic and what is linked in write there, too. So a crate that turns over a file of its own
//! does not help: here the descriptor itself comes to lead to a new file. In the foreground it leads elsewhere, and stays.

use super::state_dir::{is_one, StateDir};
use crate::os::Stderr;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Arc;

/// Standard error of a server.
#[derive(Debug, Clone)]
pub struct ServerLog {
    state: StateDir,
    /// After so many bytes the log is turned over. What is written at once stays together.
    most: u64,
    written: Arc<AtomicU64>,
}

impl ServerLog {
    /// That of the server that owns this folder, or is about to.
    #[must_use]
    pub fn new(state: StateDir, most: u64) -> ServerLog {
        ServerLog { state, most, written: Arc::default() }
    }

    /// What cannot be turned over now is, when as much has been written again.
    fn turn_over(&self) {
        let (stdout, stderr) = (io::stdout(), io::stderr());
        let both = is_one(&stdout, &stderr).unwrap_or(false);
        if let Ok(Some(log)) = self.state.next_log(&stderr) {
            let _ = rustix::stdio::dup2_stderr(&log);
            if both {
                let _ = rustix::stdio::dup2_stdout(&log);
            }
        }
    }
}

impl Write for ServerLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let length = Stderr.write(bytes)? as u64;
        let before = self.written.fetch_add(length, Ordering::Relaxed);
        // One of those who write at once comes over the limit.
        if before < self.most && before + length >= self.most {
            self.turn_over();
            self.written.store(0, Ordering::Relaxed);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Stderr.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::Workspace;
    use std::os::unix::fs::PermissionsExt as _;
    use std::path::Path;
    use std::process::{Command, Stdio};

    /// Where the server is that [`a_log_is_turned_over_when_it_has_grown`] runs.
    const PLACE: &str = "DATABUILD_TEST_SERVER_LOG";
    /// Bytes of a log there.
    const MOST: u64 = 1_000;
    const LINES: usize = 100;

    fn state(place: &Path) -> StateDir {
        StateDir::create(&Workspace::at(place).unwrap()).unwrap()
    }

    /// A server that says a hundred lines, some of them by other ways to its standard error.
    #[test]
    fn server() {
        let Some(place) = std::env::var_os(PLACE) else { return };
        let state = state(Path::new(&place));
        state.take_log(io::stderr()).unwrap();
        let mut log = ServerLog::new(state, MOST);
        for line in 0..LINES {
            if line % 10 == 9 {
                eprintln!("line {line:010}");
            } else {
                log.write_all(format!("line {line:010}\n").as_bytes()).unwrap();
            }
        }
        std::process::exit(7);
    }

    fn run(place: &Path, log: std::fs::File) {
        let module = module_path!().split_once("::").unwrap().1;
        let status = Command::new(std::env::current_exe().unwrap())
            .args([&format!("{module}::server"), "--exact", "--nocapture", "--test-threads=1"])
            .env(PLACE, place)
            .stdout(Stdio::null())
            .stderr(log)
            .status()
            .unwrap();
        assert_eq!(status.code(), Some(7));
    }

    #[test]
    fn a_log_is_turned_over_when_it_has_grown() {
        let folder = tempfile::tempdir().unwrap();
        let state = state(folder.path());
        run(folder.path(), state.fresh_log().unwrap());
        let logs = [state.previous_log(1), state.server_log()].map(|path| {
            let meta = std::fs::metadata(&path).unwrap();
            assert_eq!(meta.permissions().mode() & 0o777, 0o600);
            // The lines that came by other ways are not counted.
            assert!(meta.len() < MOST * 10 / 9 + 50, "{path:?}: {}", meta.len());
            std::fs::read_to_string(path).unwrap()
        });
        let expected: String = (0..LINES).map(|line| format!("line {line:010}\n")).collect();
        assert_eq!(logs.concat(), expected);
        assert!(!state.starting_log().exists() && !state.previous_log(2).exists());
        // The next server moves both on, and no more than three are kept.
        run(folder.path(), state.fresh_log().unwrap());
        assert_eq!(std::fs::read_to_string(state.previous_log(3)).unwrap(), logs[0]);
        assert!(!state.previous_log(4).exists());
    }

    #[test]
    fn what_talks_elsewhere_stays_there() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("own");
        run(folder.path(), std::fs::File::create(&own).unwrap());
        assert_eq!(std::fs::read_to_string(own).unwrap().lines().count(), LINES);
        assert!(!state(folder.path()).server_log().exists());
    }
}
