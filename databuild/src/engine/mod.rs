//! The rim around the core: the one loop that owns the truth, and what carries out its orders.
//!
//! ```text
//!  HTTP handlers ─┐                                       ┌─> runner (starts, stops)
//!  runner events ─┼─> Message ─> decide ─> append ─> publish snapshot ─> answer ─> effects ─> publisher
//!  examiner ──────┤             (core)    (durable)                                 │
//!  publisher ─────┘                                                                 └─> request, staging
//! ```
//!
//! Invariants:
//! - Only the orchestrator thread writes to the log and holds a [`databuild_core::decide::Core`].
//! - Nothing is answered and no effect is performed before the events that justify it are durable.
//! - Readers get an immutable snapshot of the state after some committed event; they never wait for the loop.
//! - Blocking work on files (hashing, syncing, renaming) happens on threads of its own and comes back as
//!   an input like any other.

mod ask;
mod batch;
mod blanks;
mod checkpoint;
mod checks;
mod collect;
mod compose;
mod environment;
mod examine;
mod examiner;
mod files;
mod handle;
mod history;
mod inherited;
mod inventory;
mod keep;
mod keeper;
mod message;
mod moved;
mod observers;
mod orchestrator;
mod ownership;
mod pace;
mod perform;
mod publisher;
mod replay;
mod request;
mod retention;
mod shared;
mod staging;
mod start;
mod starter;
mod wording;

#[cfg(test)]
pub(crate) mod testing;

pub use handle::{Created, Handle, Planned, Registration};
pub use inventory::{AdoptedFiles, Found, Scanned};
pub use message::CommandError;
pub use perform::ConnectRunner;
pub use replay::ReplayError;
pub use request::{parse_request, InputFile, OutputFile, Request};
pub use retention::{ArchiveRequest, Archived};
pub use shared::Snapshot;
pub use staging::{sweep_staging, Swept};
pub use start::{Engine, EngineConfig, EngineError};
