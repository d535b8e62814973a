//! What can go wrong with an event log, in words for its user.

use super::convert::ConvertError;
use databuild_core::ids::Seq;

/// A refused or failed operation on an event log. `log` is the file's path, or `(memory)`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// A later program wrote the log. Nothing was changed.
    #[error(
        "event log {log} has format {found}, and this program knows formats up to {known}; \
         use the newer DataBuild that wrote it, or another state folder (the log is unchanged)"
    )]
    NewerLog {
        /// The log.
        log: String,
        /// Its format number.
        found: i64,
        /// The highest format number that this program reads.
        known: i64,
    },
    /// One event says something this program does not know. Nothing was changed.
    #[error(
        "event {seq} of event log {log} has {what}, which this program does not know; \
         use the newer DataBuild that wrote it, or another state folder (the log is unchanged)"
    )]
    NewerFormat {
        /// The log.
        log: String,
        /// Position of the event.
        seq: Seq,
        /// The unknown thing.
        what: String,
    },
    /// The log is no event log, or not as it was written. Nothing was changed.
    #[error(
        "event log {log} is damaged: {reason}; restore it from a backup, or move it away to begin with an empty log: \
         outputs stay, and `databuild adopt` counts them as built (the log is unchanged)"
    )]
    CorruptLog {
        /// The log.
        log: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The same of an archive.
    #[error(
        "archive {archive} of the event log is damaged: {reason}; restore it from a backup (it is unchanged)"
    )]
    CorruptArchive {
        /// The archive.
        archive: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Events that were reported to somebody are no longer in the log. Nothing was changed.
    #[error(
        "{} acknowledged events are missing: event log {log} ends with event {last}, and event {acknowledged} was \
         acknowledged; restore the log together with its -wal, or remove {file} to go on with what is there \
         (the log is unchanged)",
        acknowledged.0 - last.0
    )]
    EventsMissing {
        /// The log.
        log: String,
        /// Its last event.
        last: Seq,
        /// The last event that was reported to somebody.
        acknowledged: Seq,
        /// What says so.
        file: String,
    },
    /// Events were asked for that only an archive has.
    #[error("events up to {until} of event log {log} are archived; ask for what came after event {until}")]
    Archived {
        /// The log.
        log: String,
        /// Position of the last archived event.
        until: Seq,
    },
    /// An archived event is needed, and its archive is not there.
    #[error(
        "event {seq} of event log {log} is archived, and no file in {folder} has it; \
         put the archive back that has it (events-FIRST-LAST.sqlite), then start again"
    )]
    ArchiveMissing {
        /// The log.
        log: String,
        /// The event.
        seq: Seq,
        /// Where archives are.
        folder: String,
    },
    /// The state folder or the log cannot be written.
    #[error("cannot write event log {log}: {reason}; check that its folder exists and may be written")]
    Unwritable {
        /// The log.
        log: String,
        /// What the system said.
        reason: String,
    },
    /// No space is left. The batch is not in the log; the log works on once there is space.
    #[error("no space left for event log {log}; nothing of this step was recorded, free some space")]
    DiskFull {
        /// The log.
        log: String,
    },
    /// The device failed. Whether the batch is in the log shows after a restart; until then the log
    /// takes no more, because a repeated sync can succeed without having written anything.
    #[error("the device failed under event log {log}: {reason}; check the disk, then start again")]
    Io {
        /// The log.
        log: String,
        /// What the system said.
        reason: String,
    },
    /// Somebody else appended to the log, so what this process holds is out of date.
    #[error("another process writes to event log {log}; stop it, then start again")]
    OtherWriter {
        /// The log.
        log: String,
    },
    /// Somebody else held the log's lock for too long.
    #[error("event log {log} is locked by another program; close it, then try again")]
    Busy {
        /// The log.
        log: String,
    },
    /// A query took longer than queries may.
    #[error("the query on event log {log} took too long; ask for less, with a narrower filter")]
    TooSlow {
        /// The log.
        log: String,
    },
    /// The caller broke the rules of [`super::EventLog`]: a bug. Nothing was changed.
    #[error("bug: event log {log} was given {reason}; please report it")]
    Rejected {
        /// The log.
        log: String,
        /// Which rule.
        reason: String,
    },
    /// The database refused a statement of ours: a bug.
    #[error("bug: the database of event log {log} said: {reason}; please report it")]
    Database {
        /// The log.
        log: String,
        /// What it said.
        reason: String,
    },
}

impl StoreError {
    /// Whether the log takes no more until the server starts anew.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        !matches!(self, StoreError::DiskFull { .. } | StoreError::Busy { .. } | StoreError::Unwritable { .. })
    }

    /// The stable name of this kind of error, for APIs and tests.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            StoreError::NewerLog { .. } => "newer_log",
            StoreError::NewerFormat { .. } => "newer_format",
            StoreError::CorruptLog { .. } | StoreError::CorruptArchive { .. } => "corrupt_log",
            StoreError::EventsMissing { .. } => "events_missing",
            StoreError::Archived { .. } => "events_archived",
            StoreError::ArchiveMissing { .. } => "archive_missing",
            StoreError::Unwritable { .. } => "state_unwritable",
            StoreError::DiskFull { .. } => "disk_full",
            StoreError::Io { .. } => "log_io_error",
            StoreError::OtherWriter { .. } => "log_other_writer",
            StoreError::Busy { .. } => "log_busy",
            StoreError::TooSlow { .. } => "query_too_slow",
            StoreError::Rejected { .. } => "log_bad_request",
            StoreError::Database { .. } => "log_database_error",
        }
    }

    /// An unreadable event, with its place.
    pub(super) fn unreadable(log: &str, seq: Seq, error: ConvertError) -> StoreError {
        match error {
            ConvertError::NewerFormat { what } => StoreError::NewerFormat { log: log.to_owned(), seq, what },
            ConvertError::Malformed { reason } => StoreError::corrupt(log, format!("event {seq} {reason}")),
        }
    }

    /// The same error, if it is one of an archive's content.
    pub(super) fn of_archive(self) -> StoreError {
        match self {
            StoreError::CorruptLog { log: archive, reason } => StoreError::CorruptArchive { archive, reason },
            other => other,
        }
    }

    pub(super) fn corrupt(log: &str, reason: impl Into<String>) -> StoreError {
        StoreError::CorruptLog { log: log.to_owned(), reason: reason.into() }
    }

    pub(super) fn rejected(log: &str, reason: impl Into<String>) -> StoreError {
        StoreError::Rejected { log: log.to_owned(), reason: reason.into() }
    }
}
