//! When output came: a file beside an attempt's two logs that says how long they were at which time.
//!
//! `log.times` is a sequence of records of 24 bytes, three little-endian numbers of 64 bits each: the time in microseconds
//! since the Unix epoch, the length of stdout, and the length of stderr. What lies between the lengths of two records came
//! at the time of the second one. So the logs themselves stay what the job wrote, the order of the two streams is that of
//! the records, and either stream is found in it by halving, since no length ever becomes smaller.
//!
//! Making a file may take longer than a short job. So the first records are held in memory, and written when they are many
//! ([`MOST_HELD`]) or the job goes on for a while ([`HELD_FOR`]). Those of a job that is over before are in the attempt's
//! end record (`log_times`).
//!
//! Invariants:
//!
//! - *Times come first.* Once there is the file, a record is in it before the bytes that it tells of, so what can be read in a
//!   log has a time. A crash or a full disk may leave a record of bytes that never came.
//! - *It is not longer than the logs*, except for its first 64 KiB ([`most_records`]). Output in smaller pieces than a record shares
//!   the time of the piece before it when that room is used up. So does what comes in one millisecond on one stream.
//! - *Nothing depends on it.* Without it, as in attempts of older versions, only the times are unknown.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::time::{Duration, Instant};

use super::protocol::{AttemptName, LogSize};
use super::spool::{Spool, TIMES};

/// Bytes of a record.
pub(super) const RECORD: usize = 24;
/// Records that are held at most: together they leave room for much else in an end record of less than a page.
const MOST_HELD: usize = 32;
/// How long records are held at most, and whoever follows the job's lines does not see them.
const HELD_FOR: Duration = Duration::from_millis(100);
/// Bytes that the file may have however short the logs are.
const ROOM: u64 = 64 << 10;
/// Microseconds within which the output of a stream has one time.
pub(super) const SAME: u64 = 1_000;

/// What a job prints to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

impl Stream {
    /// Both, in the order in which pairs have them.
    pub const BOTH: [Stream; 2] = [Stream::Stdout, Stream::Stderr];

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// How many records there may be beside logs that have so many bytes together.
pub(super) fn most_records(bytes: u64) -> u64 {
    bytes.saturating_add(ROOM) / RECORD as u64
}

/// At a time, the logs were so long.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Record {
    /// Microseconds since the Unix epoch.
    pub(super) at: u64,
    /// Of stdout and stderr.
    pub(super) ends: [u64; 2],
}

impl From<[u64; 3]> for Record {
    fn from([at, stdout, stderr]: [u64; 3]) -> Record {
        Record { at, ends: [stdout, stderr] }
    }
}

impl Record {
    fn encode(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        for (place, number) in bytes.chunks_exact_mut(8).zip([self.at, self.ends[0], self.ends[1]]) {
            place.copy_from_slice(&number.to_le_bytes());
        }
        bytes
    }

    pub(super) fn decode(bytes: &[u8; RECORD]) -> Record {
        let number = |at: usize| {
            let mut number = [0; 8];
            number.copy_from_slice(&bytes[at..at + 8]);
            u64::from_le_bytes(number)
        };
        Record::from([number(0), number(8), number(16)])
    }
}

/// All records, as far as the next one depends on them.
#[derive(Debug, Clone, Copy, Default)]
struct Series {
    count: u64,
    last: Record,
    /// What the last one told of, if it was one stream alone.
    only: Option<Stream>,
}

impl Series {
    /// The next piece of a stream, which ends there. Whether it has a record of its own, or else has changed the last one.
    fn add(&mut self, stream: Stream, end: u64, at: u64) -> bool {
        let mut ends = self.last.ends;
        // A log that could not be written is shorter than it was to be.
        ends[stream as usize] = ends[stream as usize].max(end);
        let is_same = self.only == Some(stream) && at / SAME == self.last.at / SAME;
        let is_full = self.count >= most_records(ends[0].saturating_add(ends[1]));
        // What a part before has written cannot be changed any more.
        if self.last.at > 0 && (is_same || is_full) {
            self.last.ends = ends;
            self.only = self.only.filter(|only| *only == stream);
            return false;
        }
        *self = Series { count: self.count + 1, last: Record { at, ends }, only: Some(stream) };
        true
    }
}

/// Notes the times of an attempt's output.
#[derive(Debug)]
pub(super) struct LogTimes {
    series: Series,
    store: Store,
    /// When records that are held go to the file.
    due: Option<Instant>,
}

#[derive(Debug)]
enum Store {
    /// All records; nothing is written.
    Held(Vec<Record>),
    /// A part before has begun the file.
    Closed,
    Open(File),
    /// The file cannot be opened; the job may have put something else in its place.
    GivenUp,
}

impl LogTimes {
    /// After the attempt's parts before, which left logs of this size and held these records.
    pub(super) fn after(before: [LogSize; 2], held: &[[u64; 3]]) -> LogTimes {
        let held: Vec<Record> = held.iter().copied().map(Record::from).collect();
        let ends = before.map(|size| size.bytes);
        let last = Record { at: 0, ends };
        let series = Series { count: held.len() as u64, last, only: None };
        let store = if held.is_empty() && ends != [0, 0] { Store::Closed } else { Store::Held(held) };
        LogTimes { series, store, due: None }
    }

    /// Notes pieces of a stream that are about to be written, each by where it ends and when it came.
    pub(super) fn note(
        &mut self,
        spool: &Spool,
        attempt: &AttemptName,
        stream: Stream,
        pieces: impl IntoIterator<Item = (u64, u64)>,
    ) {
        if let Store::Held(records) = &mut self.store {
            for (end, at) in pieces {
                if !self.series.add(stream, end, at) {
                    records.pop();
                }
                records.push(self.series.last);
            }
            if records.len() > MOST_HELD {
                self.write_held(spool, attempt);
            } else {
                self.due.get_or_insert_with(|| Instant::now() + HELD_FOR);
            }
            return;
        }
        if matches!(self.store, Store::Closed) {
            self.reopen(spool, attempt);
        }
        let Store::Open(file) = &self.store else { return };
        let mut series = self.series;
        let mut first = series.count;
        let mut bytes = Vec::new();
        for (end, at) in pieces {
            let is_new = series.add(stream, end, at);
            if !is_new && bytes.is_empty() {
                first = series.count - 1;
            } else if !is_new {
                bytes.truncate(bytes.len() - RECORD);
            }
            bytes.extend(series.last.encode());
        }
        // On a full disk these pieces have no time; the next ones are written in the same place.
        if file.write_all_at(&bytes, first * RECORD as u64).is_ok() {
            self.series = series;
        }
    }

    /// When [`LogTimes::on_time`] has something to do.
    pub(super) fn next_time(&self) -> Option<Instant> {
        self.due
    }

    /// Writes what was held for long enough.
    pub(super) fn on_time(&mut self, now: Instant, spool: &Spool, attempt: &AttemptName) {
        if self.due.is_some_and(|due| due <= now) {
            self.write_held(spool, attempt);
        }
    }

    /// The records, if none is in the file.
    pub(super) fn held(&self) -> Vec<[u64; 3]> {
        match &self.store {
            Store::Held(records) if records.len() <= MOST_HELD => {
                records.iter().map(|record| [record.at, record.ends[0], record.ends[1]]).collect()
            }
            _ => Vec::new(),
        }
    }

    /// From now on all goes to the file. If that cannot be written, the next piece tries again.
    fn write_held(&mut self, spool: &Spool, attempt: &AttemptName) {
        self.due = None;
        let Store::Held(records) = &self.store else { return };
        let Ok(file) = spool.open_log(attempt, TIMES).map(File::from) else {
            self.store = Store::GivenUp;
            return;
        };
        let bytes: Vec<u8> = records.iter().flat_map(Record::encode).collect();
        if file.write_all_at(&bytes, 0).is_ok() {
            self.store = Store::Open(file);
        }
    }

    /// Goes on behind what a part before has written.
    fn reopen(&mut self, spool: &Spool, attempt: &AttemptName) {
        let opened = spool.open_new(attempt, TIMES).map(File::from).and_then(|file| {
            let length = file.metadata()?.len();
            Ok((file, length / RECORD as u64))
        });
        self.store = match opened {
            Ok((file, count)) => {
                self.series.count = count;
                Store::Open(file)
            }
            Err(_) => Store::GivenUp,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The records that come of these pieces.
    fn records(pieces: &[(Stream, u64, u64)]) -> Vec<Record> {
        let (mut series, mut records) = (Series::default(), Vec::new());
        for (stream, end, at) in pieces {
            if !series.add(*stream, *end, *at) {
                records.pop();
            }
            records.push(series.last);
        }
        assert_eq!(records.len() as u64, series.count);
        records
    }

    #[test]
    fn what_a_stream_prints_in_a_millisecond_has_one_time() {
        use Stream::{Stderr, Stdout};
        let pieces = [
            (Stdout, 5, 7_000),
            (Stdout, 9, 7_999),
            (Stderr, 3, 7_999),
            (Stdout, 10, 7_999),
            (Stdout, 11, 8_000),
            (Stdout, 11, 8_001),
        ];
        let expected = [(7_000, [9, 0]), (7_999, [9, 3]), (7_999, [10, 3]), (8_000, [11, 3])];
        assert_eq!(records(&pieces), expected.map(|(at, ends)| Record { at, ends }));
    }

    #[test]
    fn times_take_no_more_room_than_the_logs() {
        // One byte at a time, on the streams in turn.
        let pieces: Vec<_> = (0..40_000_u64)
            .map(|number| (Stream::BOTH[(number % 2) as usize], number / 2 + 1, number * SAME))
            .collect();
        let records = records(&pieces);
        assert_eq!(records.len() as u64, most_records(40_000));
        assert_eq!(records.last().unwrap().ends, [20_000, 20_000]);
        // Whoever writes whole lines again has a time for each.
        let mut series = Series { count: records.len() as u64, last: *records.last().unwrap(), only: None };
        let lines = (1..=100)
            .filter(|line| series.add(Stream::Stdout, 20_000 + 80 * line, (1 << 40) | (line * SAME)));
        assert!(lines.count() > 98);
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let record = Record { at: 1, ends: [u64::MAX, 0x0102_0304_0506_0708] };
        assert_eq!(Record::decode(&record.encode()), record);
        assert_eq!(record.encode()[16..], [8, 7, 6, 5, 4, 3, 2, 1]);
    }

    #[test]
    fn what_cannot_be_written_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let mut spool = Spool::open(&folder.path().join("spool")).unwrap();
        let attempt = AttemptName::new("r1-1").unwrap();
        spool.create(&attempt, "{}").unwrap();
        // A job that puts a pipe there.
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        let path = spool.path().join("r1-1").join(TIMES);
        rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        let mut times = LogTimes::after([LogSize::default(); 2], &[]);
        for number in 1..=100 {
            assert_eq!(times.held().len(), if number <= 33 { number as usize - 1 } else { 0 });
            times.note(&spool, &attempt, Stream::Stdout, [(number, number * SAME)]);
        }
        assert_eq!(times.next_time(), None);
        // And after it.
        let mut times = LogTimes::after([LogSize { bytes: 100, dropped: 0 }, LogSize::default()], &[]);
        times.note(&spool, &attempt, Stream::Stdout, [(101, SAME)]);
        assert!(matches!(times.store, Store::GivenUp));
    }
}
