//! A job's output: a pipe read by the event loop, kept in a file up to a limit.
//! What a check prints follows that of its job in the same file, after a line
//! that names it, with a limit of its own.
//!
//! Why a pipe and not the file itself as the job's descriptor: the limit is
//! exact, whatever the job's speed (`RLIMIT_FSIZE` would also limit its data
//! files, and cutting a file from outside on a timer lets a fast job fill the
//! disk in between); `echo x > /dev/stderr`, common in scripts, would reopen
//! and empty a file; and a job that prints nothing, the common one, costs no
//! file at all. The price, one copy through the runner, is paid by chatty jobs
//! only.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::pipe::{pipe_with, PipeFlags};

use super::protocol::{AttemptName, LogSize};
use super::spool::Spool;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn file_name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// One output stream of one job.
#[derive(Debug)]
pub(super) struct JobLog {
    stream: Stream,
    pipe: Option<File>,
    file: Option<File>,
    limit: u64,
    kept: u64,
    size: LogSize,
    cut: bool,
    /// Written before the first byte.
    title: Option<String>,
    /// Where the output begins in the file.
    begin: u64,
}

impl JobLog {
    /// Makes the pipe; returns the log and the end for the job. `before` is what
    /// the file holds already; `check` names the check whose output follows.
    pub(super) fn open(
        stream: Stream,
        limit: u64,
        before: LogSize,
        check: Option<&str>,
    ) -> io::Result<(Self, OwnedFd)> {
        let gap = if before.bytes > 0 { "\n" } else { "" };
        let (read, write) = pipe_with(PipeFlags::CLOEXEC)?;
        let log = Self {
            stream,
            pipe: Some(File::from(read)),
            file: None,
            limit,
            kept: 0,
            size: before,
            cut: false,
            title: check.map(|name| format!("{gap}[databuild: check {name}]\n")),
            begin: before.bytes,
        };
        Ok((log, write))
    }

    /// The descriptor to wait on; `None` after the end of the stream.
    pub(super) fn pipe(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// The size so far.
    pub(super) fn size(&self) -> LogSize {
        self.size
    }

    /// Where its output begins in the file, after the line that names it.
    pub(super) fn begin(&self) -> u64 {
        self.begin
    }

    /// Moves what is there, at most a buffer's length. To be called only when
    /// the pipe is readable or at its end; it blocks otherwise.
    pub(super) fn pump(&mut self, spool: &Spool, attempt: &AttemptName, buffer: &mut [u8]) {
        let Some(pipe) = &mut self.pipe else { return };
        match pipe.read(buffer) {
            Ok(0) => self.close(),
            Ok(read) => {
                let bytes = buffer.get(..read).unwrap_or_default();
                self.keep(spool, attempt, bytes);
            }
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.close(),
        }
    }

    /// Reads no more; a process that still writes gets SIGPIPE.
    pub(super) fn close(&mut self) {
        self.pipe = None;
        self.file = None;
    }

    fn keep(&mut self, spool: &Spool, attempt: &AttemptName, bytes: &[u8]) {
        let room = usize::try_from(self.limit - self.kept).unwrap_or(usize::MAX);
        let (kept, dropped) = bytes.split_at(bytes.len().min(room));
        let dropped_len = dropped.len() as u64;
        if self.cut {
            self.size.dropped += bytes.len() as u64;
            return;
        }
        match self.append(spool, attempt, kept) {
            Ok(()) => self.kept += kept.len() as u64,
            Err(e) => {
                self.size.dropped += bytes.len() as u64;
                self.mark(spool, attempt, &format!("the log could not be written: {e}"));
                return;
            }
        }
        if dropped_len > 0 {
            self.size.dropped += dropped_len;
            let limit = self.limit;
            self.mark(spool, attempt, &format!("more than {limit} bytes of output"));
        }
    }

    fn append(&mut self, spool: &Spool, attempt: &AttemptName, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let name = self.stream.file_name();
        let file = match &mut self.file {
            Some(file) => file,
            none if self.size.bytes > 0 => none.insert(File::from(spool.open_end(attempt, name)?)),
            none => none.insert(File::from(spool.open_new(attempt, name)?)),
        };
        if let Some(title) = self.title.take() {
            file.write_all(title.as_bytes())?;
            self.size.bytes += title.len() as u64;
            self.begin = self.size.bytes;
        }
        file.write_all(bytes)?;
        self.size.bytes += bytes.len() as u64;
        Ok(())
    }

    /// Ends the file with a line saying why; later output is read and dropped.
    fn mark(&mut self, spool: &Spool, attempt: &AttemptName, why: &str) {
        self.cut = true;
        let line = format!("\n[databuild: {why}; the rest is dropped]\n");
        // A full disk takes no marker either; `dropped` in exit.json still tells.
        let _ = self.append(spool, attempt, line.as_bytes());
        self.file = None;
    }
}
