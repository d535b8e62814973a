//! The event log in a SQLite file.
//!
//! Invariants:
//! - A batch is one transaction: events, contents and the rows of the history lists. So the lists always
//!   show exactly the events up to the last one.
//! - History lists are projections, a pure function of the events ([`super::project`]); they hold nothing of
//!   their own and can be dropped and made again ([`SqliteLog::rebuild_projections`]).
//! - Events up to one position are in archives ([`archives`]), all later ones are here. That position moves in one
//!   transaction, once the archive is on disk and was read back; what it has left behind is freed later, in pieces.
//! - A file that is damaged or of a later format is found before anything is written to it.

mod acknowledged;
mod apply;
mod archiver;
mod archives;
mod beside;
mod failure;
mod log;
mod open;
mod position;
mod purge;
pub(super) mod read;
mod schema;
mod stage;
mod sums;
mod survey;

#[cfg(test)]
mod archive_tests;
#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod format_tests;
#[cfg(test)]
mod tests;

pub use archiver::{Archiver, Cut};
pub(super) use archives::Archives;
pub(super) use failure::failure;
pub use log::SqliteLog;
pub(super) use open::open_reader;
pub(super) use position::position;
pub(super) use schema::ARCHIVED;
pub use survey::Survey;
