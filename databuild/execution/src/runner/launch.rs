//! Finding the living runner of a spool, or starting one.

use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};

use super::error::RunnerError;
use super::event_loop::{FAILED, IN_USE, READY};
use super::recover::is_alive;
use super::socket::{check_path, connect};
use super::spool::{make_private_dir, read_runner_record, try_lock};

/// Between two tries to reach a runner that is there but does not answer yet.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Of its log, this much is shown when a runner does not start.
const LOG_TAIL: u64 = 2000;

/// Where the runner is, or is to be, and who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectOptions {
    /// The spool folder, absolute.
    pub spool: PathBuf,
    /// The runner's socket, absolute.
    pub socket: PathBuf,
    /// The server's name for itself, for the runner's messages.
    pub server: String,
    /// How long finding or starting may take.
    pub timeout: Duration,
    /// Whether a runner that is started gets the standard input of this process, by whose end it knows that it is to end.
    pub private: bool,
}

impl ConnectOptions {
    /// Options with a timeout of 10 seconds.
    pub fn new(spool: impl Into<PathBuf>, socket: impl Into<PathBuf>, server: impl Into<String>) -> Self {
        Self {
            spool: spool.into(),
            socket: socket.into(),
            server: server.into(),
            timeout: Duration::from_secs(10),
            private: false,
        }
    }
}

/// A connection, and the process behind it if it was started here.
pub(super) struct Reached {
    pub(super) stream: UnixStream,
    pub(super) child: Option<Child>,
}

/// Connects to the runner that owns the spool, starting one with `command`, once, if
/// there is none.
pub(super) fn reach(
    options: &ConnectOptions,
    command: &mut Option<impl FnOnce() -> Command>,
    until: Instant,
) -> Result<Reached, RunnerError> {
    check_path(&options.socket)?;
    make_private_dir(&options.spool)?;
    let mut child = None;
    loop {
        let why = match connect(&options.socket) {
            Ok(stream) => return Ok(Reached { stream, child }),
            Err(e) => e.to_string(),
        };
        // The lock, not the socket, tells whether a runner lives: a copy of the spool names the socket of the runner that
        // has the original. The lock is given back at once, for the new runner to take.
        let free = try_lock(&options.spool)?.is_some();
        if free {
            if let Some(command) = command.take() {
                child = start(command(), options, until)?;
                continue;
            }
            // One that was ready and has ended already, as a private one does whose command is gone, will not answer.
            if let Some(status) = child.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                let why = format!("it ended with {status} as soon as it was ready");
                return Err(did_not_start(options, why));
            }
        }
        // One that was started by a server with another runtime folder, or whose folder is gone, says where it listens.
        let record = read_runner_record(&options.spool).ok().flatten().filter(|_| !free);
        if let Some(stream) = record.and_then(|record| connect(&record.socket).ok()) {
            return Ok(Reached { stream, child });
        }
        // Somebody holds the lock, or held it when ours was started: a runner
        // that must answer soon, or one that is about to end.
        if Instant::now() >= until {
            return Err(unreachable(options, why));
        }
        std::thread::sleep(RETRY_PAUSE);
    }
}

fn did_not_start(options: &ConnectOptions, why: String) -> RunnerError {
    RunnerError::DidNotStart { why, log: tail(&log_of(options)).unwrap_or_default() }
}

fn log_of(options: &ConnectOptions) -> PathBuf {
    options.spool.join("runner.log")
}

/// A runner that holds the spool does not answer.
pub(super) fn unreachable(options: &ConnectOptions, why: String) -> RunnerError {
    let record = read_runner_record(&options.spool).ok().flatten();
    RunnerError::Unreachable {
        pid: record.filter(|_| is_alive(&options.spool)).map(|record| record.process.pid),
        spool: options.spool.clone(),
        socket: options.socket.clone(),
        why,
    }
}

/// Starts a runner with an empty environment and waits until it is ready.
/// `None` when another one was faster.
fn start(
    mut command: Command,
    options: &ConnectOptions,
    until: Instant,
) -> Result<Option<Child>, RunnerError> {
    let log_path = log_of(options);
    let log = fresh_log(&log_path).map_err(|e| RunnerError::io("making the runner's log", &log_path, e))?;
    let program = PathBuf::from(command.get_program());
    let mut child = command
        .env_clear()
        .stdin(if options.private { Stdio::inherit() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .map_err(|e| RunnerError::io("starting the runner", program, e))?;
    let said = match child.stdout.take() {
        Some(stdout) => first_words(stdout, until),
        None => Err(io::Error::other("no pipe to it")),
    };
    let why = match said {
        Ok(line) if line.starts_with(READY) => return Ok(Some(child)),
        Ok(line) if line.starts_with(IN_USE) => {
            // It is ending; its status says nothing new.
            let _ = child.wait();
            return Ok(None);
        }
        Ok(line) => line.strip_prefix(FAILED).unwrap_or(&line).to_owned(),
        Err(e) => {
            // It may come up later otherwise, when nobody expects it any more.
            let _ = child.kill();
            e.to_string()
        }
    };
    let why = match child.wait() {
        Ok(status) if why.is_empty() => format!("it ended with {status}"),
        _ => why,
    };
    Err(did_not_start(options, why))
}

/// An empty log. What has its name is removed and not opened: it may be a pipe, or lead elsewhere.
fn fresh_log(path: &Path) -> io::Result<fs::File> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    fs::File::create_new(path)
}

/// Reads until the line the runner says when it knows how its start went; empty
/// if it ended without.
fn first_words(mut stdout: ChildStdout, until: Instant) -> io::Result<String> {
    let mut said = Vec::new();
    let mut chunk = [0u8; 4096];
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec {
            tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
            tv_nsec: i64::from(left.subsec_nanos()),
        };
        match poll(&mut [PollFd::new(&stdout, PollFlags::IN)], Some(&timeout)) {
            Ok(0) => return Err(io::Error::other("it was not ready in time")),
            Ok(_) => {}
            Err(rustix::io::Errno::INTR) => continue,
            Err(e) => return Err(e.into()),
        }
        let read = stdout.read(&mut chunk)?;
        said.extend_from_slice(chunk.get(..read).unwrap_or_default());
        let text = String::from_utf8_lossy(&said);
        let mut lines = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
        if let Some(line) = lines.find(|line| line.starts_with("databuild-runner ")) {
            return Ok(line.trim_end().to_owned());
        }
        if read == 0 {
            return Ok(String::new());
        }
    }
}

fn tail(path: &Path) -> io::Result<String> {
    use std::io::{Seek, SeekFrom};
    let mut file = fs::File::open(path)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(LOG_TAIL)))?;
    let mut bytes = Vec::new();
    file.take(LOG_TAIL).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_made_whatever_has_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let (log, other) = (folder.path().join("log"), folder.path().join("other"));
        fs::write(&other, "kept").unwrap();
        let pipe = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, &log, pipe, rustix::fs::Mode::from_raw_mode(0o600), 0).unwrap();
        fresh_log(&log).unwrap();
        assert!(log.symlink_metadata().unwrap().is_file());
        fs::remove_file(&log).unwrap();
        std::os::unix::fs::symlink(&other, &log).unwrap();
        fresh_log(&log).unwrap();
        assert!(log.symlink_metadata().unwrap().is_file());
        assert_eq!(fs::read_to_string(&other).unwrap(), "kept");
    }
}
