//! A job's output: a pipe read by the event loop, kept in a file up to a limit.
//! Of more output than that the beginning and the end are kept, and a line
//! between them says how much is not: a job says why it failed at its end.
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

use std::collections::VecDeque;
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
    /// The file cannot be written any more.
    cut: bool,
    /// The end of what is beyond the limit. It comes into the file at the end of
    /// the stream, and is lost if the runner is killed before.
    tail: Tail,
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
            tail: Tail::of(limit),
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
    fn close(&mut self) {
        self.pipe = None;
    }

    /// Completes the file: nothing more is read.
    pub(super) fn finish(&mut self, spool: &Spool, attempt: &AttemptName) {
        self.close();
        let Tail { bytes, most: _, left_out } = std::mem::replace(&mut self.tail, Tail::of(0));
        self.size.dropped += left_out;
        if self.cut {
            self.size.dropped += bytes.len() as u64;
        } else if !bytes.is_empty() {
            let gap = format!("\n[databuild: {left_out} bytes of output are left out here]\n");
            let gap = if left_out > 0 { gap.into_bytes() } else { Vec::new() };
            let (first, second) = bytes.as_slices();
            let mut left = bytes.len() as u64;
            for (piece, output) in [(&gap[..], 0), (first, first.len()), (second, second.len())] {
                if let Err(e) = self.append(spool, attempt, piece) {
                    self.size.dropped += left;
                    self.mark(spool, attempt, &e);
                    break;
                }
                left -= output as u64;
            }
        }
        self.file = None;
    }

    fn keep(&mut self, spool: &Spool, attempt: &AttemptName, bytes: &[u8]) {
        if self.cut {
            self.size.dropped += bytes.len() as u64;
            return;
        }
        let room = self.limit.saturating_sub(self.tail.most as u64 + self.kept);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let (head, rest) = bytes.split_at(bytes.len().min(room));
        match self.append(spool, attempt, head) {
            Ok(()) => self.kept += head.len() as u64,
            Err(e) => {
                self.size.dropped += bytes.len() as u64;
                self.mark(spool, attempt, &e);
                return;
            }
        }
        self.tail.push(rest);
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

    /// Ends the file with a line that says why; later output is read and dropped.
    fn mark(&mut self, spool: &Spool, attempt: &AttemptName, error: &io::Error) {
        self.cut = true;
        let line = format!("\n[databuild: the log could not be written: {error}; the rest is dropped]\n");
        // A full disk takes no marker either; `dropped` in exit.json still tells.
        let _ = self.append(spool, attempt, line.as_bytes());
        self.file = None;
    }
}

/// The last bytes of a stream.
#[derive(Debug)]
struct Tail {
    bytes: VecDeque<u8>,
    /// So many are kept.
    most: usize,
    /// How many came before them.
    left_out: u64,
}

impl Tail {
    /// That of a log with a limit: a quarter of it, at most 1 MiB, since it is in memory.
    fn of(limit: u64) -> Tail {
        let most = usize::try_from(limit / 4).unwrap_or(usize::MAX).min(1 << 20);
        Tail { bytes: VecDeque::new(), most, left_out: 0 }
    }

    fn push(&mut self, bytes: &[u8]) {
        let (before, last) = bytes.split_at(bytes.len().saturating_sub(self.most));
        let over = (self.bytes.len() + last.len()).saturating_sub(self.most);
        self.bytes.drain(..over);
        self.bytes.extend(last);
        self.left_out += (over + before.len()) as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_is_the_end_of_all_that_came() {
        for most in [0usize, 1, 3, 10] {
            let mut tail = Tail { bytes: VecDeque::new(), most, left_out: 0 };
            let mut all = Vec::new();
            for (number, length) in [0usize, 1, 2, 7, 3, 25, 1].into_iter().enumerate() {
                let bytes: Vec<u8> = (0..length).map(|at| (number * 40 + at) as u8).collect();
                all.extend_from_slice(&bytes);
                tail.push(&bytes);
                let wanted = &all[all.len().saturating_sub(most)..];
                assert_eq!(tail.bytes.iter().copied().collect::<Vec<_>>(), wanted);
                assert_eq!(tail.left_out as usize, all.len() - wanted.len());
            }
        }
    }
}
