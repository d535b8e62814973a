//! Reading the times of an attempt's output: see [`super::log_times`].
//!
//! The job can write to its attempt's folder, so what is read may be anything. It then tells nothing that is true of the
//! job's output; it is read in bounded time all the same.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::log_times::{most_records, Record, Stream, RECORD};
use super::protocol::ExitRecord;
use super::spool::{read_record, AttemptFiles};
use crate::os::open_left;

/// Records read at once.
const CHUNK: usize = 2_048;
/// Records beyond those that the logs' lengths allow: each part of an attempt may begin with one.
const OF_PARTS: u64 = 4_096;

/// The times of an attempt's output, as many as there were when it was opened.
#[derive(Debug)]
pub struct OutputTimes {
    source: Source,
    count: u64,
}

#[derive(Debug)]
enum Source {
    File(File),
    /// What was in the attempt's end record.
    Record(Vec<[u64; 3]>),
}

/// A piece of a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedPiece {
    /// Where it ends in its log.
    pub end: u64,
    /// When it came, in microseconds since the Unix epoch.
    pub at: u64,
}

impl OutputTimes {
    /// Those of an attempt; none if it has none: it printed nothing, or just now, or is of an older version.
    #[must_use]
    pub fn open(files: &AttemptFiles) -> Option<OutputTimes> {
        let (source, count) = match open_left(&files.times()).ok()? {
            Some(file) => {
                let length = file.metadata().ok()?.len();
                (Source::File(file), length / RECORD as u64)
            }
            None => {
                let exit: ExitRecord = read_record(&files.exit()).ok()??;
                let count = exit.log_times.len() as u64;
                (Source::Record(exit.log_times), count)
            }
        };
        (count > 0).then_some(OutputTimes { source, count })
    }

    /// Passes over records beyond those that logs with so many bytes together can have.
    #[must_use]
    pub fn beside(self, bytes: u64) -> OutputTimes {
        OutputTimes { count: self.count.min(most_records(bytes) + OF_PARTS), ..self }
    }

    /// How long stdout and stderr were when the last piece came; that one may not be in its log yet.
    #[must_use]
    pub fn lengths(&self) -> [u64; 2] {
        self.record(self.count - 1).unwrap_or_default().ends
    }

    /// The pieces of a stream from one place to another, in order. Where they end, times end as well.
    #[must_use]
    pub fn of(&self, stream: Stream, from: u64, to: u64) -> Vec<TimedPiece> {
        let mut pieces = Vec::new();
        let mut done = from;
        let mut next = self.first_beyond(stream, from);
        while next < self.count && done < to {
            let records = self.records(next);
            if records.is_empty() {
                break;
            }
            next += records.len() as u64;
            for record in records {
                let end = record.ends[stream as usize].min(to);
                if end > done {
                    pieces.push(TimedPiece { end, at: record.at });
                    done = end;
                }
            }
        }
        pieces
    }

    /// The first record in which a stream is longer than that.
    fn first_beyond(&self, stream: Stream, length: u64) -> u64 {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.record(middle) {
                Some(record) if record.ends[stream as usize] > length => high = middle,
                _ => low = middle + 1,
            }
        }
        low
    }

    /// Some records from that one on; none if they cannot be read.
    fn records(&self, from: u64) -> Vec<Record> {
        let most = usize::try_from(self.count - from).unwrap_or(CHUNK).min(CHUNK);
        match &self.source {
            Source::File(file) => {
                let mut bytes = vec![0; most * RECORD];
                if file.read_exact_at(&mut bytes, from * RECORD as u64).is_err() {
                    return Vec::new();
                }
                let records = bytes.chunks_exact(RECORD).filter_map(|bytes| bytes.try_into().ok());
                records.map(Record::decode).collect()
            }
            Source::Record(records) => {
                let from = usize::try_from(from).unwrap_or(usize::MAX);
                records.iter().skip(from).take(most).copied().map(Record::from).collect()
            }
        }
    }

    fn record(&self, at: u64) -> Option<Record> {
        match &self.source {
            Source::File(file) => {
                let mut bytes = [0; RECORD];
                file.read_exact_at(&mut bytes, at * RECORD as u64).ok()?;
                Some(Record::decode(&bytes))
            }
            Source::Record(records) => records.get(usize::try_from(at).ok()?).copied().map(Record::from),
        }
    }
}
