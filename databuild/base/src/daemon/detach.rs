//! Starting a process that has nothing in common with the terminal, and the
//! pipe by which it says that it is ready.
//!
//! The detaching happens between fork and exec, with system calls only, because
//! the caller may have threads. The child is the grandchild of the caller: it
//! leads no session, so it never gets a terminal, and when it ends it is
//! collected by init and never stays behind as a zombie of a long `build`.

use super::environment::{self, READY_FD_ENV};
use crate::os::{wait_readable, Deadline};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

/// At most this much of the server's message is read.
const MAX_MESSAGE: u64 = 16 * 1024;

/// What to start.
pub(super) struct Launch<'a> {
    pub(super) program: &'a Path,
    pub(super) args: &'a [OsString],
    pub(super) env: &'a [(OsString, OsString)],
    pub(super) cwd: &'a Path,
    pub(super) log: File,
}

/// The client's end of the ready pipe.
pub(super) struct ReadyReader(OwnedFd);

/// What came out of the ready pipe.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// `R`: the server answers requests.
    Ready,
    /// `E message`: it cannot start, for this reason.
    Failed(String),
    /// Nothing: it has ended.
    Ended,
    /// Nothing yet.
    TimedOut,
}

/// Starts the process and returns once it has been executed.
pub(super) fn launch(what: Launch<'_>) -> io::Result<ReadyReader> {
    let (reader, writer) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let ready_fd = writer.as_raw_fd();
    let mut command = Command::new(what.program);
    command
        .args(what.args)
        .env_clear()
        .envs(environment::allowed(what.env.iter().cloned()))
        .env(READY_FD_ENV, ready_fd.to_string())
        .current_dir(what.cwd)
        .stdin(Stdio::null())
        .stdout(what.log.try_clone()?)
        .stderr(what.log);
    // SAFETY: `detach` only makes system calls that are allowed between fork
    // and exec, and neither allocates nor takes locks.
    unsafe {
        command.pre_exec(move || detach(ready_fd));
    }
    // The child waited for here is the one in the middle, which ends at once;
    // `spawn` itself returns after the grandchild's exec, with its error if any.
    command.spawn()?.wait()?;
    drop(writer);
    Ok(ReadyReader(reader))
}

/// Runs in the forked child. Only what the `exec` that follows keeps matters.
fn detach(ready_fd: RawFd) -> io::Result<()> {
    // SAFETY: plain system calls on values of our own. `fork` is called in a
    // process with a single thread, and its child goes on to `exec`; `_exit`
    // runs no handlers.
    unsafe {
        if libc::setsid() == -1 {
            return Err(io::Error::last_os_error());
        }
        match libc::fork() {
            -1 => return Err(io::Error::last_os_error()),
            0 => {}
            _ => libc::_exit(0),
        }
        libc::umask(0o077);
        reset_signals()?;
        close_on_exec_from(3)?;
        if libc::fcntl(ready_fd, libc::F_SETFD, 0) == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Undoes what the shell set: `cmd &` ignores SIGINT, `nohup` SIGHUP, others
/// block signals. SIGHUP is then ignored on purpose: no terminal's end is ours.
///
/// # Safety
/// To be called between fork and exec only.
unsafe fn reset_signals() -> io::Result<()> {
    // SAFETY: the structures are plain data for which zero is a valid value,
    // and live for the calls.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = libc::SIG_DFL;
        for signal in 1..=libc::SIGRTMAX() {
            // Refused for SIGKILL, SIGSTOP and the two of the C library.
            libc::sigaction(signal, &action, std::ptr::null_mut());
        }
        action.sa_sigaction = libc::SIG_IGN;
        if libc::sigaction(libc::SIGHUP, &action, std::ptr::null_mut()) == -1 {
            return Err(io::Error::last_os_error());
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut none);
        if libc::sigprocmask(libc::SIG_SETMASK, &none, std::ptr::null_mut()) == -1 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Marks every descriptor from `first` on to be closed by exec. Not closed at
/// once, because one of them is how `Command` reports a failed exec.
///
/// # Safety
/// To be called between fork and exec only.
unsafe fn close_on_exec_from(first: libc::c_uint) -> io::Result<()> {
    // SAFETY: system calls on numbers.
    unsafe {
        let done = libc::syscall(libc::SYS_close_range, first, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC);
        if done == 0 {
            return Ok(());
        }
        // Kernels before 5.11.
        let mut limit: libc::rlimit = std::mem::zeroed();
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == -1 {
            return Err(io::Error::last_os_error());
        }
        let end = RawFd::try_from(limit.rlim_cur).unwrap_or(1 << 20).min(1 << 20);
        for fd in first as RawFd..end {
            libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
    Ok(())
}

impl ReadyReader {
    /// Waits for the server's word.
    pub(super) fn wait(self, deadline: &Deadline) -> io::Result<Readiness> {
        rustix::io::ioctl_fionbio(&self.0, true)?;
        let mut pipe = File::from(self.0);
        let mut text = Vec::new();
        loop {
            match (&mut pipe).take(MAX_MESSAGE).read_to_end(&mut text) {
                // The server closes the pipe after its word.
                Ok(_) => return Ok(interpret(&text)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Err(e),
            }
            if text.contains(&b'\n') {
                return Ok(interpret(&text));
            }
            if deadline.expired() {
                return Ok(Readiness::TimedOut);
            }
            wait_readable(&pipe, deadline)?;
        }
    }
}

fn interpret(text: &[u8]) -> Readiness {
    let text = String::from_utf8_lossy(text);
    let line = text.lines().next().unwrap_or_default();
    match line.strip_prefix('E') {
        Some(message) => Readiness::Failed(message.trim().to_owned()),
        None if line == "R" => Readiness::Ready,
        None => Readiness::Ended,
    }
}

/// The server's end of the ready pipe. Dropping it unsaid tells the client that
/// the server has ended.
#[derive(Debug)]
pub struct ReadyPipe(File);

impl ReadyPipe {
    /// Takes the pipe that the client left, if the process was started by one.
    /// To be called once, first thing in `main`, before there are threads: it
    /// takes the variable out of the environment, so that no child process sees
    /// it.
    pub fn take() -> Option<Self> {
        let number = std::env::var(READY_FD_ENV).ok();
        std::env::remove_var(READY_FD_ENV);
        let fd: RawFd = number?.parse().ok().filter(|fd| *fd > 2)?;
        let kind = std::fs::read_link(format!("/proc/self/fd/{fd}")).ok()?;
        if !kind.to_string_lossy().starts_with("pipe:") {
            return None;
        }
        // SAFETY: the descriptor is open, and it is ours alone: the client made
        // it for this process, nothing has run before this, and the variable
        // that names it is gone now.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };
        rustix::io::fcntl_setfd(&fd, rustix::io::FdFlags::CLOEXEC).ok()?;
        Some(ReadyPipe(File::from(fd)))
    }

    /// Says that the server answers requests. A client that has gone away does
    /// not matter.
    pub fn ready(mut self) {
        let _ = self.0.write_all(b"R\n");
    }

    /// Says why the server cannot start.
    pub fn failed(mut self, message: &str) {
        let line = message.split_whitespace().collect::<Vec<_>>().join(" ");
        let _ = self.0.write_all(format!("E {line}\n").as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_the_ready_pipe() {
        for (text, expected) in [
            ("R\n", Readiness::Ready),
            ("E no room\n", Readiness::Failed("no room".to_owned())),
            ("E no room", Readiness::Failed("no room".to_owned())),
            ("", Readiness::Ended),
            ("Rubbish\n", Readiness::Ended),
        ] {
            assert_eq!(interpret(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn waiting_for_a_silent_server_ends_at_the_deadline() {
        let (reader, _writer) = rustix::pipe::pipe().expect("pipe");
        let deadline = Deadline::after(std::time::Duration::from_millis(20));
        let readiness = ReadyReader(reader).wait(&deadline).expect("wait");
        assert_eq!(readiness, Readiness::TimedOut);
    }

    #[test]
    fn a_word_counts_although_the_pipe_stays_open() {
        let (reader, writer) = rustix::pipe::pipe().expect("pipe");
        rustix::io::write(&writer, b"R\n").expect("write");
        let deadline = Deadline::after(std::time::Duration::from_secs(60));
        let readiness = ReadyReader(reader).wait(&deadline).expect("wait");
        assert_eq!(readiness, Readiness::Ready);
        assert!(!deadline.expired());
    }
}
