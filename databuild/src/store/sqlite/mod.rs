//! The event log in a SQLite file.
//!
//! Invariants:
//! - A batch is one transaction: events, contents and the rows of the history lists. So the lists always
//!   show exactly the events up to the last one.
//! - History lists are projections, a pure function of the events ([`project`]); they hold nothing of
//!   their own and can be dropped and made again ([`SqliteLog::rebuild_projections`]).
//! - A file that is damaged or of a later format is found before anything is written to it.

mod apply;
mod failure;
mod log;
mod open;
mod project;
pub(super) mod read;
mod schema;

#[cfg(test)]
mod tests;

pub(super) use failure::failure;
pub use log::SqliteLog;
pub(super) use open::open_reader;
