//! The last event that anybody was told of, kept beside the log.
//!
//! A write-ahead log that is cut, lost or damaged at its end is no damage that SQLite sees: it takes what is left for all
//! there is. So the position of the last acknowledged event, with the event's sum, stands in a file of its own. It is written after each
//! commit and never brought to disk by itself: after a power loss it may be older than the log, and then it says nothing. Nor
//! does it say anything of a copy, which may have been made while the log grew: it names the log by its inode.

use super::super::error::StoreError;
use super::beside::beside;
use super::sums::sum_of;
use crate::os::{create_left, read_left};
use databuild_core::digest::hash64;
use databuild_core::ids::Seq;
use rusqlite::Connection;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// Added to the log's name.
const SUFFIX: &str = ".last";
/// Inode of the log, position, sum of the event, and a digest of these, in hexadecimal: 64 digits and a line end.
const BYTES: usize = 65;

/// See the module's documentation.
#[derive(Debug)]
pub(super) struct Acknowledged {
    path: PathBuf,
    /// The open file, and the inode of the log.
    file: Option<(File, u64)>,
    /// It cannot be written, which was told.
    told: bool,
}

/// Compares a log, which ends with event `last`, with what stands beside it.
///
/// # Errors
/// Acknowledged events are missing, or are not those that are there.
pub(super) fn check(path: &Path, connection: &Connection, log: &str, last: Seq) -> Result<(), StoreError> {
    let beside = beside(path, SUFFIX);
    let said = read_left(&beside, BYTES as u64).ok().flatten();
    let Some(Said { inode, seq, sum }) = said.and_then(|bytes| Said::parse(&bytes)) else { return Ok(()) };
    if inode_of(path).ok() != Some(inode) {
        return Ok(());
    }
    let file = beside.display().to_string();
    if seq > last {
        return Err(StoreError::EventsMissing { log: log.to_owned(), last, acknowledged: seq, file });
    }
    // The sum of an archived event is not always here; that event is checked where it is read.
    if sum_of(connection, log, seq)?.is_some_and(|found| found != sum) {
        return Err(StoreError::corrupt(log, format!("event {seq} is not the one that {file} has")));
    }
    Ok(())
}

impl Acknowledged {
    /// That of the log at this path.
    pub(super) fn of(log: &Path) -> Acknowledged {
        Acknowledged { path: log.to_owned(), file: None, told: false }
    }

    /// Keeps the last event of the log, which is durable, with its sum.
    pub(super) fn keep(&mut self, last: Seq, sum: i64) {
        let Err(error) = self.write(last, sum) else { return };
        if !self.told {
            self.told = true;
            let error = error.to_string();
            tracing::warn!(error, path = %self.path.display(), "the last position of the log cannot be kept");
        }
    }

    fn write(&mut self, seq: Seq, sum: i64) -> std::io::Result<()> {
        let (file, inode) = match &mut self.file {
            Some(open) => open,
            none => none.insert((create_left(&beside(&self.path, SUFFIX))?, inode_of(&self.path)?)),
        };
        file.write_all_at(Said { inode: *inode, seq, sum }.text().as_bytes(), 0)
    }
}

fn inode_of(log: &Path) -> std::io::Result<u64> {
    Ok(std::fs::metadata(log)?.ino())
}

/// What the file says.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Said {
    inode: u64,
    seq: Seq,
    sum: i64,
}

impl Said {
    fn text(self) -> String {
        let all = format!("{:016x}{:016x}{:016x}", self.inode, self.seq.0, self.sum);
        format!("{all}{:016x}\n", hash64(&all))
    }

    /// What [`Said::text`] wrote; none if it was written in part, or by somebody else.
    fn parse(bytes: &[u8]) -> Option<Said> {
        let found = std::str::from_utf8(bytes.get(..BYTES)?).ok()?;
        let number = |at: usize| u64::from_str_radix(found.get(at..at + 16)?, 16).ok();
        let said = Said { inode: number(0)?, seq: Seq(number(16)?), sum: number(32)?.cast_signed() };
        (said.text() == found).then_some(said)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_in_part_says_nothing() {
        for (seq, sum) in [(Seq(0), 0), (Seq(7), -1), (Seq(u64::MAX), i64::MIN)] {
            let said = Said { inode: 12, seq, sum };
            let text = said.text();
            assert_eq!(text.len(), BYTES);
            assert_eq!(Said::parse(text.as_bytes()), Some(said));
            for length in 0..BYTES {
                assert_eq!(Said::parse(&text.as_bytes()[..length]), None);
            }
            let mut other = text.into_bytes();
            other[20] ^= 1;
            assert_eq!(Said::parse(&other), None);
        }
    }
}
