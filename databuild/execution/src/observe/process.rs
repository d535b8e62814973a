//! Running a program that answers within a time limit, and leaves nothing behind.

use super::shown;
use crate::os::{read_left, restore_open_files, restore_signals, stat, EnvValue};
use databuild_core::observation::MAX_BYTES;
use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::io::ioctl_fionbio;
use rustix::process::{kill_process_group, pidfd_open, Pid, PidfdFlags, Signal};
use std::fs;
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time between asking a program to end and killing it.
const GRACE: Duration = Duration::from_secs(2);
/// Bytes of its stderr that are kept, the last ones.
const STDERR: usize = 4 << 10;
/// Characters of its last line that are told.
const TOLD: usize = 300;

/// What is to be run.
#[derive(Debug)]
pub struct Order<'o> {
    /// Absolute path of the executable.
    pub program: &'o Path,
    /// Its arguments.
    pub args: &'o [String],
    /// Its whole environment, without `DATABUILD_REQUEST` and `DATABUILD_REPORT`.
    pub env: &'o [(String, EnvValue)],
    /// Where it runs.
    pub cwd: &'o Path,
    /// What it is asked.
    pub request: &'o str,
    /// A folder for request and report; made, and removed afterwards.
    pub folder: &'o Path,
    /// How long it may take.
    pub limit: Duration,
    /// Ends it before its time.
    pub stop: &'o Stop,
}

/// Why a program gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// It does not run.
    #[error("it cannot be run: {0}")]
    Start(io::Error),
    /// Its report is no file, or the disk fails.
    #[error("its report cannot be read: {0}")]
    Report(io::Error),
    /// Too slow.
    #[error("it gave no answer within {} and was stopped; make it faster, or raise `timeout` of observe.program", shown(*.0))]
    Timeout(Duration),
    /// It failed.
    #[error("it ended with {how}{}", told(stderr))]
    Failed {
        /// Exit code or signal.
        how: String,
        /// The end of what it printed to stderr.
        stderr: String,
    },
    /// It talks too much.
    #[error("it says more than {MAX_BYTES} bytes; write one short line for each partition")]
    TooLong,
    /// What it left is nothing that can be read.
    #[error("what it left at DATABUILD_REPORT is no file; write lines to a plain file")]
    NoReport,
    /// Nobody waits for it any more.
    #[error("the server is going down")]
    Stopped,
}

fn told(stderr: &str) -> String {
    match stderr.lines().rev().find(|line| !line.trim().is_empty()) {
        None => "; it printed nothing to stderr".to_owned(),
        Some(line) => {
            format!(": {}", line.trim().chars().take(TOLD).flat_map(char::escape_debug).collect::<String>())
        }
    }
}

/// Ends programs under way when it is told to, and for good.
#[derive(Debug)]
pub struct Stop {
    /// Readable once the other end is closed.
    told: OwnedFd,
    teller: Mutex<Option<OwnedFd>>,
}

impl Stop {
    /// Nothing is to end yet.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub fn new() -> io::Result<Stop> {
        let (told, teller) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        Ok(Stop { told, teller: Mutex::new(Some(teller)) })
    }

    /// All ends now.
    pub fn stop(&self) {
        self.teller.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
    }
}

/// Runs a program and returns what it answered: its report, or what it printed if it wrote none.
///
/// # Errors
/// It did not end well and in time.
pub fn run(order: &Order<'_>) -> Result<Vec<u8>, ProcessError> {
    // A server that was killed left what its observers had said; that is nobody's answer now.
    match fs::remove_dir_all(order.folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(ProcessError::Start(error)),
        _ => {}
    }
    fs::create_dir_all(order.folder).map_err(ProcessError::Start)?;
    let mut since = None;
    let answer = run_in_folder(order, &mut since);
    super::kill_strays(order.folder, since);
    if let Err(error) = fs::remove_dir_all(order.folder) {
        tracing::warn!(%error, folder = %order.folder.display(), "an observer's folder cannot be removed");
    }
    answer
}

/// Runs it, and tells when its process began.
fn run_in_folder(order: &Order<'_>, since: &mut Option<u64>) -> Result<Vec<u8>, ProcessError> {
    let (request, report) = (order.folder.join("request.json"), order.folder.join("report.jsonl"));
    fs::write(&request, order.request).map_err(ProcessError::Start)?;
    let mut command = Command::new(order.program);
    command
        .args(order.args)
        .env_clear()
        .envs(order.env.iter().map(|(name, value)| (name, value)))
        .env("DATABUILD_REQUEST", &request)
        .env("DATABUILD_REPORT", &report)
        .current_dir(order.cwd)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let server = rustix::process::getpid();
    // SAFETY: `die_with` makes four system calls and neither allocates nor takes locks.
    unsafe {
        command.pre_exec(move || die_with(server));
    }
    let child = command.spawn().map_err(ProcessError::Start)?;
    *since = stat(child.id()).ok().flatten().map(|stat| stat.start_time);
    let running = Running { group: Pid::from_child(&child), child, reaped: false };
    let (status, stdout, stderr) = running.follow(order)?;
    if !status.success() {
        let how = match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, signal) => format!("signal {}", signal.unwrap_or_default()),
        };
        return Err(ProcessError::Failed { how, stderr: String::from_utf8_lossy(&stderr).into_owned() });
    }
    match read_left(&report, MAX_BYTES as u64 + 1).map_err(ProcessError::Report)? {
        Some(said) if said.len() > MAX_BYTES => Err(ProcessError::TooLong),
        Some(said) if !said.is_empty() => Ok(said),
        _ => Ok(stdout),
    }
}

/// In the forked child: it dies with the server, even if nobody can tell it to.
fn die_with(server: Pid) -> io::Result<()> {
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    restore_open_files()?;
    restore_signals()?;
    // If the server died before that call, the signal will never come.
    if rustix::process::getppid() == Some(server) {
        Ok(())
    } else {
        Err(io::Error::from_raw_os_error(libc::ESRCH))
    }
}

/// A process under way; its group is killed when this goes.
struct Running {
    child: Child,
    group: Pid,
    /// Its number is another's from then on.
    reaped: bool,
}

impl Running {
    /// Reads what it prints until it has ended or must end: its status, stdout, and the end of stderr.
    fn follow(mut self, order: &Order<'_>) -> Result<(ExitStatus, Vec<u8>, Vec<u8>), ProcessError> {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let failed = |error: rustix::io::Errno| ProcessError::Start(error.into());
        let ended = pidfd_open(self.group, PidfdFlags::empty()).map_err(failed)?;
        let mut stdout = self.child.stdout.take();
        let mut stderr = self.child.stderr.take();
        stdout.iter().try_for_each(|pipe| ioctl_fionbio(pipe, true)).map_err(failed)?;
        stderr.iter().try_for_each(|pipe| ioctl_fionbio(pipe, true)).map_err(failed)?;
        let began = Instant::now();
        let mut told_to_end: Option<Instant> = None;
        loop {
            let until = told_to_end.map_or(began + order.limit, |at| at + GRACE);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                if told_to_end.is_some() {
                    return Err(ProcessError::Timeout(order.limit));
                }
                // If it is gone by now, that is seen next.
                let _ = kill_process_group(self.group, Signal::TERM);
                told_to_end = Some(Instant::now());
                continue;
            }
            let mut fds =
                vec![PollFd::new(&ended, PollFlags::IN), PollFd::new(&order.stop.told, PollFlags::IN)];
            fds.extend(stdout.iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
            fds.extend(stderr.iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
            let wait = Timespec::try_from(left).map_err(|_| ProcessError::Timeout(order.limit))?;
            match poll(&mut fds, Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(failed(error)),
            }
            let (ended, stopped) = (!fds[0].revents().is_empty(), !fds[1].revents().is_empty());
            if stopped {
                return Err(ProcessError::Stopped);
            }
            read_some(&mut stdout, &mut out);
            read_some(&mut stderr, &mut err);
            err.drain(..err.len().saturating_sub(STDERR));
            if out.len() > MAX_BYTES {
                return Err(ProcessError::TooLong);
            }
            if ended && told_to_end.is_some() {
                return Err(ProcessError::Timeout(order.limit));
            }
            if ended {
                // Whatever it has started goes with it.
                let _ = kill_process_group(self.group, Signal::KILL);
                let status = self.child.wait().map_err(ProcessError::Start)?;
                self.reaped = true;
                return Ok((status, out, err));
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.reaped {
            let _ = kill_process_group(self.group, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// Takes what is in a pipe, up to a limit; a pipe that is at its end goes.
fn read_some(pipe: &mut Option<impl Read>, to: &mut Vec<u8>) {
    let mut buffer = [0; 64 << 10];
    while let Some(open) = pipe {
        match open.read(&mut buffer) {
            Ok(0) => *pipe = None,
            Ok(read) => to.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
            Err(_) => *pipe = None,
        }
        if to.len() > MAX_BYTES {
            return;
        }
    }
}

#[cfg(test)]
#[path = "process_tests.rs"]
mod tests;
