//! Parts of which examples of events are made. For tests, those of other crates too; nothing else calls them.

use crate::graph::JobDigests;
use crate::ids::{AttemptId, RunId};
use jiff::Timestamp;

/// The attempt `number` of a run.
#[must_use]
pub fn attempt(run: u64, number: u32) -> AttemptId {
    AttemptId { run: RunId(run), number }
}

/// Digests of a job that differ from those of another salt.
#[must_use]
pub fn digests(salt: &str) -> JobDigests {
    let of = |what: &str| format!("{what}{salt}");
    JobDigests { code: of("c"), args: of("a"), template: of("t") }
}

/// The texts as a list.
#[must_use]
pub fn texts<const N: usize>(texts: [&str; N]) -> Vec<String> {
    texts.map(str::to_owned).into()
}

/// The instant that a text means.
#[must_use]
pub fn time(text: &str) -> Timestamp {
    // Examples are written here in the sources, and each is made in some test.
    text.parse().unwrap_or_else(|e| unreachable!("`{text}` in an example: {e}"))
}
