//! Layer `store`: the build event log, in memory and in SQLite.
//!
//! Duty: to keep facts. This layer orders, encodes and keeps what the orchestrator decided; it decides nothing
//! itself. [`log`] states the duties of every log, [`history`] those of everything that answers questions about a
//! log; [`contract`] and [`history_contract`] test that on both.
//!
//! Invariants:
//! - One writer. Readers never wait for it and it never waits for them.
//! - What [`EventLog::append`] returned `Ok` for survives power loss; what it returned an error for is
//!   not in the log that the caller goes on with.
//! - Current state never depends on an archived event: a checkpoint that needs none is kept.
//! - A log that cannot be read in full is refused and left as it is.

use databuild_base::os;

mod convert;
mod error;
mod history;
mod log;
mod memory;
pub mod pieces;
mod project;
mod reader;
mod rows;
mod sqlite;
mod time;

#[cfg(test)]
mod contract;
#[cfg(test)]
mod history_contract;
#[cfg(test)]
mod testing;

pub use convert::ConvertError;
pub use error::StoreError;
pub use history::{
    Answer, CheckCounts, CheckFilter, CheckedSet, Counts, Durations, Events, Filed, History, Listed,
    Outcomes, RunFilter, RunWithChecks, WantFilter, WantWork, MAX_ROWS,
};
pub use log::{Batch, Blob, Checkpoint, EventLog, FoundCheckpoint, IgnoredCheckpoint};
pub use memory::MemoryLog;
pub use reader::{Reader, LONGEST_QUERY};
pub use rows::{
    AttemptRow, AttemptState, CheckRow, GraphRow, MadeBy, MaterializationRow, PastMaterialization, RunRow,
    RunState, RunWithAttempts, TaintRow, WantRow, WantState,
};
pub use sqlite::{Archiver, Cut, SqliteLog, Survey};

// Fuzz targets hold what they take of memory; see `databuild_fuzz`.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: databuild_fuzz::Counting = databuild_fuzz::Counting;
