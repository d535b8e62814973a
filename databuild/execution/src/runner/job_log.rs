//! A job's output: two pipes read by the event loop, kept in a file each up to a
//! limit. Of more output than that the beginning and the end are kept, and a line
//! between them says how much is not: a job says why it failed at its end.
//! What a check prints follows that of its job in the same files, after a line
//! that names it, with a limit of its own. When each piece came is noted beside
//! the two ([`super::log_times`]).
//!
//! Why a pipe and not the file itself as the job's descriptor: the limit is
//! exact, whatever the job's speed (`RLIMIT_FSIZE` would also limit its data
//! files, and cutting a file from outside on a timer lets a fast job fill the
//! disk in between); `echo x > /dev/stderr`, common in scripts, would reopen
//! and empty a file; and a job that prints nothing, the common one, costs no
//! file at all. The price, one copy through the runner, is paid by chatty jobs
//! only.
//!
//! A piece's time is when the runner has read it. What was written to both pipes
//! before the runner came to read them is taken in the order stdout, stderr.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::pipe::{pipe_with, PipeFlags};

use super::course::Course;
use super::log_times::{most_records, LogTimes, Stream, SAME};
use super::protocol::{AttemptName, LogSize};
use super::spool::Spool;
use super::time::unix_us;

/// What a part of an attempt prints.
#[derive(Debug)]
pub(super) struct Output {
    logs: [JobLog; 2],
    times: LogTimes,
    /// When the last piece came.
    last: u64,
}

/// Where output goes.
struct Place<'a> {
    spool: &'a Spool,
    attempt: &'a AttemptName,
    times: &'a mut LogTimes,
}

impl Output {
    /// Makes the pipes for the part of the course that is to begin; returns the ends
    /// for the job as well, stdout first.
    pub(super) fn open(limit: u64, course: &Course) -> io::Result<(Self, [OwnedFd; 2])> {
        Self::after(limit, course.logs(), course.log_times(), course.name.as_deref())
    }

    /// `before` is what the files hold already, with the times of it that are in no
    /// file; `check` names the check whose output follows.
    fn after(
        limit: u64,
        before: [LogSize; 2],
        times: &[[u64; 3]],
        check: Option<&str>,
    ) -> io::Result<(Self, [OwnedFd; 2])> {
        let open = |stream: Stream| JobLog::open(stream, limit, before[stream as usize], check);
        let (stdout, out) = open(Stream::Stdout)?;
        let (stderr, err) = open(Stream::Stderr)?;
        Ok((Self { logs: [stdout, stderr], times: LogTimes::after(before, times), last: 0 }, [out, err]))
    }

    /// The descriptors to wait on: those of the streams that have not ended.
    pub(super) fn pipes(&self) -> impl Iterator<Item = (Stream, BorrowedFd<'_>)> {
        self.logs.iter().filter_map(|log| Some((log.stream, log.pipe.as_ref()?.as_fd())))
    }

    /// The sizes so far, stdout first.
    pub(super) fn sizes(&self) -> [LogSize; 2] {
        [self.logs[0].size, self.logs[1].size]
    }

    /// When all of it came, if that is in no file.
    pub(super) fn held_times(&self) -> Vec<[u64; 3]> {
        self.times.held()
    }

    /// When [`Output::on_time`] has something to do.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.times.next_time()
    }

    /// Writes times that are due.
    pub(super) fn on_time(&mut self, now: Instant, spool: &Spool, attempt: &AttemptName) {
        self.times.on_time(now, spool, attempt);
    }

    /// Where a stream's output begins in the file, after the line that names it.
    pub(super) fn begin(&self, stream: Stream) -> u64 {
        self.logs[stream as usize].begin
    }

    /// Moves what is there, at most a buffer's length. To be called only when
    /// the pipe is readable or at its end; it blocks otherwise.
    pub(super) fn pump(&mut self, stream: Stream, spool: &Spool, attempt: &AttemptName, buffer: &mut [u8]) {
        let log = &mut self.logs[stream as usize];
        if let Some(bytes) = log.read(buffer) {
            // The clock may be set back.
            self.last = self.last.max(unix_us());
            log.keep(&mut Place { spool, attempt, times: &mut self.times }, bytes, self.last);
        }
    }

    /// Completes the files: nothing more is read.
    pub(super) fn finish(&mut self, spool: &Spool, attempt: &AttemptName) {
        for log in &mut self.logs {
            log.finish(&mut Place { spool, attempt, times: &mut self.times });
        }
    }
}

/// One output stream of one job.
#[derive(Debug)]
struct JobLog {
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
    fn open(stream: Stream, limit: u64, before: LogSize, check: Option<&str>) -> io::Result<(Self, OwnedFd)> {
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

    /// What has come; none if that is nothing.
    fn read<'a>(&mut self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        match self.pipe.as_mut()?.read(buffer) {
            Ok(0) => self.close(),
            Ok(read) => return buffer.get(..read),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.close(),
        }
        None
    }

    /// Reads no more; a process that still writes gets SIGPIPE.
    fn close(&mut self) {
        self.pipe = None;
    }

    fn finish(&mut self, place: &mut Place<'_>) {
        self.close();
        let Tail { bytes, pieces, most: _, left_out } = std::mem::replace(&mut self.tail, Tail::of(0));
        self.size.dropped += left_out;
        if self.cut {
            self.size.dropped += bytes.len() as u64;
        } else if let (Some((first_at, _)), Some((last_at, _))) = (pieces.front(), pieces.back()) {
            let gap = format!("\n[databuild: {left_out} bytes of output are left out here]\n");
            let gap = if left_out > 0 { gap.into_bytes() } else { Vec::new() };
            let begin = self.size.bytes + gap.len() as u64;
            let ends = pieces.iter().scan(begin, |end, (at, length)| {
                *end += *length as u64;
                Some((*end, *at))
            });
            let gap_end = (left_out > 0).then_some((begin, *first_at));
            place.times.note(place.spool, place.attempt, self.stream, gap_end.into_iter().chain(ends));
            let (first, second) = bytes.as_slices();
            let mut left = bytes.len() as u64;
            for (piece, output) in [(&gap[..], 0), (first, first.len()), (second, second.len())] {
                if let Err(e) = self.write(place, piece) {
                    self.size.dropped += left;
                    self.mark(place, &e, *last_at);
                    break;
                }
                left -= output as u64;
            }
        }
        self.file = None;
    }

    fn keep(&mut self, place: &mut Place<'_>, bytes: &[u8], at: u64) {
        if self.cut {
            self.size.dropped += bytes.len() as u64;
            return;
        }
        let room = self.limit.saturating_sub(self.tail.most as u64 + self.kept);
        let room = usize::try_from(room).unwrap_or(usize::MAX);
        let (head, rest) = bytes.split_at(bytes.len().min(room));
        match self.append(place, head, at) {
            Ok(()) => self.kept += head.len() as u64,
            Err(e) => {
                self.size.dropped += bytes.len() as u64;
                self.mark(place, &e, at);
                return;
            }
        }
        self.tail.push(rest, at);
    }

    /// Writes what came at a time.
    fn append(&mut self, place: &mut Place<'_>, bytes: &[u8], at: u64) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let title = self.title.as_ref().map_or(0, String::len);
        let end = self.size.bytes + (title + bytes.len()) as u64;
        place.times.note(place.spool, place.attempt, self.stream, [(end, at)]);
        self.write(place, bytes)
    }

    /// Writes what has a time.
    fn write(&mut self, place: &Place<'_>, bytes: &[u8]) -> io::Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let name = self.stream.name();
        let file = match &mut self.file {
            Some(file) => file,
            none if self.size.bytes > 0 => {
                none.insert(File::from(place.spool.open_end(place.attempt, name)?))
            }
            none => none.insert(File::from(place.spool.open_log(place.attempt, name)?)),
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
    fn mark(&mut self, place: &mut Place<'_>, error: &io::Error, at: u64) {
        self.cut = true;
        let line = format!("\n[databuild: the log could not be written: {error}; the rest is dropped]\n");
        // A full disk takes no marker either; `dropped` in exit.json still tells.
        let _ = self.append(place, line.as_bytes(), at);
        self.file = None;
    }
}

/// The last bytes of a stream.
#[derive(Debug)]
struct Tail {
    bytes: VecDeque<u8>,
    /// When the bytes came, and how many at a time.
    pieces: VecDeque<(u64, usize)>,
    /// So many are kept.
    most: usize,
    /// How many came before them.
    left_out: u64,
}

impl Tail {
    /// That of a log with a limit: a quarter of it, at most 1 MiB, since it is in memory.
    fn of(limit: u64) -> Tail {
        Tail::with(usize::try_from(limit / 4).unwrap_or(usize::MAX).min(1 << 20))
    }

    fn with(most: usize) -> Tail {
        Tail { bytes: VecDeque::new(), pieces: VecDeque::new(), most, left_out: 0 }
    }

    fn push(&mut self, bytes: &[u8], at: u64) {
        let (before, last) = bytes.split_at(bytes.len().saturating_sub(self.most));
        let over = (self.bytes.len() + last.len()).saturating_sub(self.most);
        self.bytes.drain(..over);
        self.drop_pieces(over);
        self.bytes.extend(last);
        self.left_out += (over + before.len()) as u64;
        let is_full = self.pieces.len() as u64 >= most_records(self.bytes.len() as u64);
        match self.pieces.back_mut() {
            Some((piece, length)) if is_full || *piece / SAME == at / SAME => *length += last.len(),
            _ if last.is_empty() => {}
            _ => self.pieces.push_back((at, last.len())),
        }
    }

    fn drop_pieces(&mut self, mut over: usize) {
        while let Some((_, length)) = self.pieces.front_mut().filter(|_| over > 0) {
            let dropped = over.min(*length);
            over -= dropped;
            *length -= dropped;
            if *length == 0 {
                self.pieces.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{AttemptFiles, OutputTimes};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_tail_is_the_end_of_all_that_came() {
        for most in [0usize, 1, 3, 10] {
            let mut tail = Tail::with(most);
            let (mut all, mut times) = (Vec::new(), Vec::new());
            for (number, length) in [0usize, 1, 2, 7, 3, 25, 1, 0].into_iter().enumerate() {
                let bytes: Vec<u8> = (0..length).map(|at| (number * 40 + at) as u8).collect();
                all.extend_from_slice(&bytes);
                // The second and the third come in one millisecond.
                let at = if number == 2 { SAME } else { number as u64 * SAME };
                times.extend(std::iter::repeat_n(at, length));
                tail.push(&bytes, at);
                let from = all.len().saturating_sub(most);
                assert_eq!(tail.bytes.iter().copied().collect::<Vec<_>>(), all[from..]);
                assert_eq!(tail.left_out as usize, from);
                let timed: Vec<u64> =
                    tail.pieces.iter().flat_map(|(at, length)| std::iter::repeat_n(*at, *length)).collect();
                assert_eq!(timed, times[from..]);
            }
        }
    }

    /// What is kept of output that a job wrote with this limit.
    fn expected(all: &[u8], limit: usize) -> Vec<u8> {
        let left_out = all.len().saturating_sub(limit);
        if left_out == 0 {
            return all.to_vec();
        }
        let (head, tail) = (&all[..limit - limit / 4], &all[all.len() - limit / 4..]);
        let gap = format!("\n[databuild: {left_out} bytes of output are left out here]\n");
        match tail {
            // So little is kept that there is no end.
            [] => head.to_vec(),
            _ => [head, gap.as_bytes(), tail].concat(),
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn whatever_is_printed_in_whatever_order_the_logs_have_its_bytes_and_each_has_a_time(
            writes in prop::collection::vec((prop::bool::ANY, prop::collection::vec(prop::num::u8::ANY, 1..60)), 0..20),
            limit in 0_usize..300,
            checked in prop::bool::ANY,
            is_long in prop::bool::ANY,
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut spool = Spool::open(&folder.path().join("spool")).unwrap();
            let attempt = AttemptName::new("r1-1").unwrap();
            spool.create(&attempt, "{}").unwrap();
            let began = unix_us();
            let (mut files, mut before) = ([Vec::new(), Vec::new()], [LogSize::default(); 2]);
            let mut held = Vec::new();
            for part in [None, Some("//:sane")].into_iter().take(1 + usize::from(checked)) {
                let (mut output, ends) = Output::after(limit as u64, before, &held, part).unwrap();
                let mut printed = [Vec::new(), Vec::new()];
                for (is_err, bytes) in &writes {
                    let stream = Stream::BOTH[usize::from(*is_err)];
                    rustix::io::write(&ends[stream as usize], bytes).unwrap();
                    output.pump(stream, &spool, &attempt, &mut [0; 64]);
                    printed[stream as usize].extend_from_slice(bytes);
                    if is_long {
                        let later = output.next_time().unwrap_or_else(Instant::now);
                        output.on_time(later, &spool, &attempt);
                    }
                }
                drop(ends);
                output.finish(&spool, &attempt);
                (before, held) = (output.sizes(), output.held_times());
                prop_assert!(held.len() <= 32);
                for (file, printed) in files.iter_mut().zip(&printed) {
                    let kept = expected(printed, limit);
                    if let Some(name) = part.filter(|_| !kept.is_empty()) {
                        let gap = if file.is_empty() { "" } else { "\n" };
                        file.extend(format!("{gap}[databuild: check {name}]\n").bytes());
                    }
                    file.extend(kept);
                }
            }
            let left = AttemptFiles::new(spool.path(), &attempt);
            let size = serde_json::json!({"bytes": 0, "dropped": 0});
            let exit = serde_json::json!({
                "code": 0, "timed_out": false, "canceled": false, "started_at": 1, "ended_at": 2, "stdout": size,
                "stderr": size, "rusage": {"user_ms": 0, "sys_ms": 0, "max_rss_kb": 0}, "log_times": held,
            });
            spool.write_exit(&attempt, &serde_json::from_value(exit).unwrap()).unwrap();
            let times = OutputTimes::open(&left);
            for (stream, file) in Stream::BOTH.into_iter().zip(&files) {
                let path = left.dir().join(stream.name());
                prop_assert_eq!(&std::fs::read(path).unwrap_or_default(), file);
                let length = file.len() as u64;
                prop_assert_eq!(before[stream as usize].bytes, length);
                let pieces = times.as_ref().map(|times| times.of(stream, 0, length)).unwrap_or_default();
                prop_assert_eq!(pieces.last().map_or(0, |piece| piece.end), length);
                prop_assert!(pieces.is_sorted_by_key(|piece| piece.at));
                prop_assert!(pieces.iter().all(|piece| (began..=unix_us()).contains(&piece.at)));
                // From the middle of a log it is the same.
                if let Some(times) = &times {
                    let rest = times.of(stream, length / 2, length);
                    prop_assert!(pieces.ends_with(&rest));
                }
            }
        }
    }
}
