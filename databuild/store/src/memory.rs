//! An event log in memory, and its history: for simulations and tests.
//!
//! What is archived stays in it, as archives.
//!
//! It keeps stored bytes, not records, so that a test with it also goes through the conversion that a
//! real log goes through, and finds what does not survive it.

mod history;
mod lists;

use super::convert::encode;
use super::error::StoreError;
use super::log::{
    check_checkpoint, check_cut, checked_blobs, choose_checkpoint, decode_record, Batch, Checkpoint,
    EventLog, FoundCheckpoint, StoredCheckpoint,
};
use databuild_core::digest::sha256_hex;
use databuild_core::event::Record;
use databuild_core::ids::Seq;
use std::cell::Cell;
use std::collections::BTreeMap;

const PLACE: &str = "(memory)";

/// See the module's documentation. A clone is a log of its own: what a crash would leave behind.
#[derive(Debug, Clone, Default)]
pub struct MemoryLog {
    records: Vec<Vec<u8>>,
    blobs: BTreeMap<String, Vec<u8>>,
    /// By position: bytes with their format and digest; at most two.
    checkpoints: BTreeMap<Seq, (u32, Vec<u8>, String)>,
    archived: Seq,
    archives_lost: bool,
    next_failure: Option<StoreError>,
    broken: Option<StoreError>,
}

impl MemoryLog {
    /// An empty log.
    #[must_use]
    pub fn new() -> MemoryLog {
        MemoryLog::default()
    }

    /// Makes the next write fail with `error`, as a disk would: nothing of it is recorded, and after
    /// [`StoreError::Io`] no later write succeeds.
    pub fn fail_next(&mut self, error: StoreError) {
        self.next_failure = Some(error);
    }

    /// Changes a bit of a stored checkpoint, as a bad disk would.
    #[cfg(test)]
    pub(super) fn damage_checkpoint(&mut self, seq: Seq) {
        let (_, bytes, _) = self.checkpoints.get_mut(&seq).unwrap();
        bytes[0] ^= 1;
    }

    /// Forgets archived events, as somebody does who removes the archives.
    #[cfg(test)]
    fn lose_archives(&mut self) {
        self.archives_lost = true;
    }

    fn fail_if_asked(&mut self) -> Result<(), StoreError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        match self.next_failure.take() {
            None => Ok(()),
            Some(error) => {
                if matches!(error, StoreError::Io { .. }) {
                    self.broken = Some(error.clone());
                }
                Err(error)
            }
        }
    }

    /// What [`EventLog::read`] reads, up to the event with which they have so many bytes together as they are kept.
    fn read_within(&self, after: Seq, limit: usize, bytes: usize) -> Result<Vec<(Seq, Record)>, StoreError> {
        if after < self.archived && limit > 0 && self.archives_lost {
            return Err(StoreError::ArchiveMissing {
                log: PLACE.to_owned(),
                seq: after.next(),
                folder: PLACE.to_owned(),
            });
        }
        let skip = usize::try_from(after.0).unwrap_or(usize::MAX);
        let (mut found, mut read) = (Vec::new(), 0);
        for (index, kept) in self.records.iter().enumerate().skip(skip).take(limit) {
            let seq = Seq(index as u64).next();
            let size = Cell::new(kept.len());
            let record = decode_record(PLACE, seq, kept, |digest| {
                let content = self.blob(digest)?;
                size.set(size.get() + content.as_ref().map_or(0, Vec::len));
                Ok(content)
            })?;
            found.push((seq, record));
            read += size.get();
            if read >= bytes {
                break;
            }
        }
        Ok(found)
    }
}

impl EventLog for MemoryLog {
    fn append(&mut self, batch: &Batch) -> Result<Seq, StoreError> {
        let blobs = checked_blobs(PLACE, batch)?;
        self.fail_if_asked()?;
        for (digest, bytes) in blobs {
            self.blobs.entry(digest.to_owned()).or_insert_with(|| bytes.to_owned());
        }
        self.records.extend(batch.records.iter().map(encode));
        Ok(self.last())
    }

    fn read(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Record)>, StoreError> {
        self.read_within(after, limit, usize::MAX)
    }

    fn last(&self) -> Seq {
        Seq(self.records.len() as u64)
    }

    fn blob(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.blobs.get(digest).cloned())
    }

    fn archived(&self) -> Seq {
        self.archived
    }

    fn cut_off(&mut self, until: Seq) -> Result<(), StoreError> {
        check_cut(PLACE, self.archived, until, self.last())?;
        check_checkpoint(PLACE, until, self.checkpoints.keys().next_back().copied())?;
        self.fail_if_asked()?;
        self.archived = until;
        Ok(())
    }

    fn purge(&mut self) -> Result<bool, StoreError> {
        self.fail_if_asked()?;
        Ok(false)
    }

    fn save_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError> {
        let Checkpoint { seq, format, bytes } = checkpoint;
        if *seq > self.last() {
            return Err(StoreError::rejected(PLACE, format!("a checkpoint of missing event {seq}")));
        }
        self.fail_if_asked()?;
        self.checkpoints.insert(*seq, (*format, bytes.clone(), sha256_hex(bytes)));
        while self.checkpoints.len() > 2 {
            self.checkpoints.pop_first();
        }
        Ok(())
    }

    fn latest_checkpoint(&self, format: u32) -> Result<FoundCheckpoint, StoreError> {
        let stored = self.checkpoints.iter().rev().map(|(seq, (format, bytes, sha256))| {
            Ok(StoredCheckpoint {
                checkpoint: Checkpoint { seq: *seq, format: *format, bytes: bytes.clone() },
                digest: sha256_hex(bytes),
                saved: sha256.clone(),
            })
        });
        choose_checkpoint(stored, format, self.last())
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::{contract, Subject};
    use super::super::history::History;
    use super::super::history_contract::{self, history_contract};
    use super::*;

    struct Memory(MemoryLog);

    impl Subject for Memory {
        type Log = MemoryLog;

        fn new() -> Memory {
            Memory(MemoryLog::new())
        }

        fn log(&mut self) -> &mut MemoryLog {
            &mut self.0
        }

        fn reopen(&mut self) {
            self.0 = self.0.clone();
        }

        fn fill_disk(&mut self) {
            self.0.fail_next(StoreError::DiskFull { log: PLACE.to_owned() });
        }

        fn free_disk(&mut self) {}

        fn archive(&mut self, _until: Seq) {}

        fn lose_archives(&mut self) {
            self.0.lose_archives();
        }

        fn damage_checkpoint(&mut self, seq: Seq) {
            self.0.damage_checkpoint(seq);
        }
    }

    contract!(Memory);

    impl history_contract::Subject for Memory {
        type Log = MemoryLog;

        fn new() -> Memory {
            Memory(MemoryLog::new())
        }

        fn log(&mut self) -> &mut MemoryLog {
            &mut self.0
        }

        fn history(&self) -> &dyn History {
            &self.0
        }

        fn archive(&mut self, _until: Seq) {}
    }

    history_contract!(Memory);

    #[test]
    fn after_a_device_error_nothing_more_is_written() {
        let mut log = MemoryLog::new();
        let error = StoreError::Io { log: PLACE.to_owned(), reason: "EIO".to_owned() };
        log.fail_next(error.clone());
        for _ in 0..2 {
            assert_eq!(log.append(&Batch::default()), Err(error.clone()));
        }
    }
}
