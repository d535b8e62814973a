//! Publication of file and directory outputs: those of an attempt all together, or none.
//!
//! A job writes to a staging path; the caller then, for a batch of attempts at once: [`inspect`] (hash, refuse what
//! cannot be published) → [`make_ready`] → [`sync`] (bytes on disk) → durably record the intent with the hash →
//! [`Publication::first`], [`Publication::forward`] (renames) → [`sync_dirs`] → durably record what came of it →
//! [`remove`] what is left in staging, which is the old outputs. After a crash it does the same from
//! [`Publication::again`] on, for every recorded intent without a recorded result.
//!
//! Invariants:
//! - A reader that opens the final path gets the old output or the new one, never a mixture, and a
//!   published output is never removed before the new one is in its place.
//! - When what came of a publication is recorded, all of its outputs are in place, or all places hold what they held
//!   before. Until then nothing is removed, so a crash at any point leaves both ways open.
//! - Nothing is ever written through the final path: a symbolic link there is replaced, not followed.
//!   Links in the folders above it are the user's layout and are followed, but not into what is [`Reserved`].
//! - No name is longer than that of the output. Nothing but the output is ever in its folder.
//! - [`ContentHash`] and [`StatMark`] stand in the event log: what they are computed from never changes
//!   without a new name.

mod check;
mod error;
mod file_system;
mod flush;
mod folder;
mod hash;
mod inspect;
mod mark;
mod matches;
mod place;
mod remove;
mod reserved;
mod walk;

pub use check::{check_files, FileState};
pub use error::PublishError;
pub use file_system::same_file_system;
pub use flush::{sync, sync_dirs};
pub use hash::{BadHash, ContentHash};
pub use inspect::{inspect, inspect_until, look, observe, Inspected, Kind};
pub use mark::{
    body_since, files_body_since, files_since, imprint, mark_of_placed, since, stat_mark, Imprint, Since,
    StatMark,
};
pub use matches::{look_matching, matching, version_of_files, Matching, MOST_MATCHES};
pub use place::{make_ready, Output, Publication, Rename};
pub use remove::{remove, Swept};
pub use reserved::{resolved, Reserved};

#[cfg(test)]
mod tests;
