//! The duties of an event log.

use super::convert::{decode, ConvertError};
use super::error::StoreError;
use databuild_core::digest::sha256_hex;
use databuild_core::event::{Event, Record};
use databuild_core::ids::{GraphId, Seq};

/// An append-only sequence of facts, with the contents they refer to.
///
/// ```text
///            seq   1   2   3   4   5   6   7   8
///                [ . | . | . | . | . | . | . ]
///                          ^               ^   ^
///      checkpoint at 3 ----+       last() -+   +- the next append begins here
///      read(after = 3) gives 4..=7
/// ```
///
/// What an implementation owes its caller:
///
/// 1. **All or nothing.** After `append` returned `Ok`, every record and blob of the batch is in the
///    log; after any error but `log_io_error` none is, and the log works on. After `log_io_error` it
///    is unknown which (a restart shows), and every later `append` fails with the same.
/// 2. **Durable.** `Ok` of `append` means that power loss undoes neither it nor anything before it. What
///    `append_unsynced` has added survives the end of the process, and power loss only after the next `append`.
/// 3. **Dense order.** Records get consecutive positions in batch order: the first of all is 1.
/// 4. **Faithful.** `read` gives back exactly what was appended, to the nanosecond, including graph
///    contents, which are kept once per digest as blobs.
/// 5. **Honest.** What is read was checked against its digest. Anything amiss is `corrupt_log` or
///    `newer_format`, never a guess and never a repair.
/// 6. **Archived in front.** `cut_off` moves the beginning of the log: events up to there are read from
///    archives, for as long as those are there. Nothing else changes by it, positions least of all. The newest
///    event always stays, and a checkpoint that needs no archived event.
/// 7. **One writer.** The caller holds the lock of the state folder. A log that finds foreign events
///    says `log_other_writer` instead of mixing them with its own.
///
/// A checkpoint is the caller's state after `seq`, folded and encoded by the caller. It only saves time:
/// a log may lose every checkpoint without losing anything, so a damaged one is passed over with a
/// reason.
///
/// Digests are SHA-256 as 64 lower-case hex digits throughout.
pub trait EventLog: Send {
    /// Appends a batch and gives the position of its last record, or [`Self::last`] if it has none.
    ///
    /// Errors: `disk_full`, `log_io_error`, `state_unwritable`, `log_other_writer`, `log_busy`; and
    /// `log_bad_request` if a blob or a graph does not have the digest it is given under.
    fn append(&mut self, batch: &Batch) -> Result<Seq, StoreError>;

    /// As [`Self::append`], but does not wait for the disk. A power loss may take the batch, as a whole, and what was
    /// added after it; so nobody may be told of it before the next `append`.
    fn append_unsynced(&mut self, batch: &Batch) -> Result<Seq, StoreError> {
        self.append(batch)
    }

    /// At most `limit` records from the one after `after` on, in order, be they archived. Fewer than `limit`
    /// only at the log's end.
    ///
    /// Errors: `archive_missing`; `corrupt_log`, `newer_format`.
    fn read(&self, after: Seq, limit: usize) -> Result<Vec<(Seq, Record)>, StoreError>;

    /// Position of the newest record; 0 in an empty log.
    fn last(&self) -> Seq;

    /// The content of this digest, if it was ever appended.
    fn blob(&self, digest: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Events up to here are in archives; 0 if none are.
    fn archived(&self) -> Seq;

    /// Events up to `until` are in archives from now on. What of them is still here is freed by [`Self::purge`].
    ///
    /// Errors: as `append`; `archive_missing` if there is no archive of them; `log_bad_request` if the newest
    /// event is among them, if more were archived already, or if no checkpoint is kept that is of `until` or later.
    fn cut_off(&mut self, until: Seq) -> Result<(), StoreError>;

    /// Frees a bounded piece of the archived events, and tells whether there may be more.
    ///
    /// Errors: as `append`. What is left then can be freed later.
    fn purge(&mut self) -> Result<bool, StoreError>;

    /// Keeps a checkpoint beside the one before it; older ones are dropped.
    ///
    /// Errors: as `append`; `log_bad_request` if it is of a position the log does not have.
    fn save_checkpoint(&mut self, checkpoint: &Checkpoint) -> Result<(), StoreError>;

    /// The newest undamaged checkpoint whose format is `format`, and what was passed over for it.
    fn latest_checkpoint(&self, format: u32) -> Result<FoundCheckpoint, StoreError>;
}

/// What one step of the orchestrator adds to the log.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Batch {
    /// The facts, in order.
    pub records: Vec<Record>,
    /// Contents the facts refer to by digest, besides graph contents, which the facts carry.
    pub blobs: Vec<Blob>,
}

/// A content kept by its digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// SHA-256 of `bytes`.
    pub digest: String,
    /// The content.
    pub bytes: Vec<u8>,
}

impl Blob {
    /// The blob of a content.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Blob {
        Blob { digest: sha256_hex(&bytes), bytes }
    }
}

/// The caller's state after an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last event folded into it.
    pub seq: Seq,
    /// Number of the encoding of `bytes`, the caller's.
    pub format: u32,
    /// The encoded state.
    pub bytes: Vec<u8>,
}

/// The answer to a search for a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FoundCheckpoint {
    /// The best one; without one the caller folds from the first event.
    pub checkpoint: Option<Checkpoint>,
    /// Newer ones that cannot be used, newest first: worth a line in the server's log.
    pub ignored: Vec<IgnoredCheckpoint>,
}

/// A checkpoint that was passed over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoredCheckpoint {
    /// Its position.
    pub seq: Seq,
    /// Why, for people.
    pub reason: String,
}

/// A checkpoint as it was stored, before it is believed.
pub(super) struct StoredCheckpoint {
    pub(super) checkpoint: Checkpoint,
    /// SHA-256 of the bytes.
    pub(super) digest: String,
    /// The same when they were saved.
    pub(super) saved: String,
}

/// The first usable one of `stored`, which is ordered newest first.
pub(super) fn choose_checkpoint(
    stored: impl IntoIterator<Item = Result<StoredCheckpoint, StoreError>>,
    format: u32,
    last: Seq,
) -> Result<FoundCheckpoint, StoreError> {
    let mut found = FoundCheckpoint::default();
    for candidate in stored {
        let StoredCheckpoint { checkpoint, digest, saved } = candidate?;
        let reason = if checkpoint.format != format {
            format!("its format is {}, not {format}", checkpoint.format)
        } else if checkpoint.seq > last {
            format!("the log ends before it, at event {last}")
        } else if digest != saved {
            "its bytes are not as they were saved".to_owned()
        } else {
            found.checkpoint = Some(checkpoint);
            break;
        };
        found.ignored.push(IgnoredCheckpoint { seq: checkpoint.seq, reason });
    }
    Ok(found)
}

/// Whether a log can be cut off there.
pub(super) fn check_cut(log: &str, archived: Seq, until: Seq, last: Seq) -> Result<(), StoreError> {
    if until < archived || (until > archived && until >= last) {
        let reason = format!("a cut at event {until} of {last}, with {archived} archived");
        return Err(StoreError::rejected(log, reason));
    }
    Ok(())
}

/// Whether the newest checkpoint that is kept allows a cut.
pub(super) fn check_checkpoint(log: &str, until: Seq, newest: Option<Seq>) -> Result<(), StoreError> {
    if newest.is_none_or(|seq| seq < until) {
        return Err(StoreError::rejected(log, format!("a cut at event {until} without a checkpoint of it")));
    }
    Ok(())
}

/// All contents of a batch under their digests, graph contents among them, each checked.
pub(super) fn checked_blobs<'a>(log: &str, batch: &'a Batch) -> Result<Vec<(&'a str, &'a [u8])>, StoreError> {
    let graphs = batch.records.iter().flat_map(|record| match &record.event {
        Event::GraphRegistered(e) => vec![(e.graph.0.as_str(), e.content.as_bytes())],
        Event::TrialCreated(e) => {
            e.graphs.iter().map(|graph| (graph.graph.0.as_str(), graph.content.as_bytes())).collect()
        }
        _ => Vec::new(),
    });
    let blobs = batch.blobs.iter().map(|blob| (blob.digest.as_str(), blob.bytes.as_slice()));
    graphs
        .chain(blobs)
        .map(|(digest, bytes)| {
            if sha256_hex(bytes) == digest {
                Ok((digest, bytes))
            } else {
                Err(StoreError::rejected(log, format!("content whose digest is not `{digest}`")))
            }
        })
        .collect()
}

/// The record of stored bytes at `seq`; `blob` finds the content of a digest.
pub(super) fn decode_record(
    log: &str,
    seq: Seq,
    bytes: &[u8],
    blob: impl Fn(&str) -> Result<Option<Vec<u8>>, StoreError>,
) -> Result<Record, StoreError> {
    /// Keeps an error of the log apart from one of the bytes.
    enum Failure {
        Bytes(ConvertError),
        Log(StoreError),
    }
    impl From<ConvertError> for Failure {
        fn from(error: ConvertError) -> Failure {
            Failure::Bytes(error)
        }
    }

    let content = |graph: &GraphId| match blob(&graph.0) {
        Err(error) => Err(Failure::Log(error)),
        Ok(None) => Err(Failure::Log(StoreError::corrupt(
            log,
            format!("the graph {graph} of event {seq} is missing"),
        ))),
        Ok(Some(bytes)) => match String::from_utf8(bytes) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(Failure::Log(StoreError::corrupt(
                log,
                format!("the graph {graph} of event {seq} is not text"),
            ))),
        },
    };
    decode(bytes, content).map_err(|failure| match failure {
        Failure::Bytes(error) => StoreError::unreadable(log, seq, error),
        Failure::Log(error) => error,
    })
}
