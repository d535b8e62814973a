//! The state as plain data, to be written down and taken up again.
//!
//! Duty: [`State::dump`] leaves nothing out and [`State::restore`] believes nothing: whatever does not
//! fit this program's reading of the graphs is an error, upon which the caller folds the log instead.
//!
//! Invariants:
//! - `State::restore(state.dump())` is `state`: it dumps the same and takes every later event the same.
//! - Datasets and jobs go by name, so that a program that orders them otherwise still reads a dump.
//! - Static keys keep their numbers; graphs go by digest, as their contents are kept beside the events.
//!
//! [`State::dump`]: super::State::dump
//! [`State::restore`]: super::State::restore

mod columns;
mod dump;
mod restore;

#[cfg(test)]
mod tests;

pub use columns::{EntryColumns, Misfit, SetColumns};
pub use dump::{DatasetDump, GraphDump, KeySpaceDump, RunDump, StateDump, TrialDump, WantDump, WorkDump};
pub use restore::RestoreError;
