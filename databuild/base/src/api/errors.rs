//! Error codes.

use crate::errors::{status_of, Entry, Kind};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What an error code means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorCode {
    /// The stable code.
    pub code: String,
    /// What kind of trouble it is.
    pub kind: Kind,
    /// The HTTP status that it comes with; none if only attempts fail with it.
    pub status: Option<u16>,
    /// What happened, as Markdown.
    pub cause: String,
    /// What to do, as Markdown.
    pub cure: String,
}

impl From<&Entry> for ErrorCode {
    fn from(entry: &Entry) -> ErrorCode {
        ErrorCode {
            code: entry.code.to_owned(),
            kind: entry.kind,
            status: status_of(entry.kind),
            cause: entry.cause.to_owned(),
            cure: entry.cure.to_owned(),
        }
    }
}
