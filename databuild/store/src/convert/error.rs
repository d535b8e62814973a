//! Why stored bytes are no record.

/// Bytes that are not a record of a format this program knows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConvertError {
    /// They hold something of a later format.
    #[error("has {what}, which this program does not know")]
    NewerFormat {
        /// The unknown thing.
        what: String,
    },
    /// No program of ours wrote them so.
    #[error("{reason}")]
    Malformed {
        /// What is wrong, as the end of a sentence about the record.
        reason: String,
    },
}
