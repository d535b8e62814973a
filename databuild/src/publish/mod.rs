//! Publication of file and directory outputs: whole or not at all.
//!
//! A job writes to a staging path; the caller then, for a batch of outputs at once:
//! [`inspect`] (hash, refuse what cannot be published) → [`sync`] (bytes on disk) → durably record the
//! intent with the hash → [`publish`] (rename) → [`sync_dirs`] → durably record the materialization.
//! After a crash it calls [`redo`] for every intent without a materialization.
//!
//! Invariants:
//! - A reader that opens the final path gets the old output or the new one, never a mixture, and a
//!   published output is never removed before the new one is in its place.
//! - Nothing is ever written through the final path: a symbolic link there is replaced, not followed.
//!   Links in the folders above it are the user's layout and are followed.
//! - [`ContentHash`] and [`StatMark`] stand in the event log: what they are computed from never changes
//!   without a new name.

mod check;
mod error;
mod flush;
mod hash;
mod inspect;
mod mark;
mod matches;
mod place;
mod walk;
mod withdraw;

pub use check::{check_files, FileState};
pub use error::PublishError;
pub use flush::{sync, sync_dirs};
pub use hash::{BadHash, ContentHash};
pub use inspect::{inspect, look, observe, Inspected, Kind};
pub use mark::{files_mark, stat_mark, StatMark};
pub use matches::{look_matching, matching, Matching, MOST_MATCHES};
pub use place::{publish, redo, Published, Redo};
pub use withdraw::{same_file_system, withdraw};

#[cfg(test)]
mod tests;
