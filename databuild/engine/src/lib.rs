//! The rim around the core: the one loop that owns the truth, and what carries out its orders.
//!
//! ```text
//!  HTTP handlers ─┐                                       ┌─> courier ─> executor (starts, stops)
//!  executor news ─┼─> Message ─> decide ─> append ─> publish snapshot ─> answer ─> effects ─> publisher
//!  examiner ──────┤             (core)    (durable)                                 │
//!  publisher ─────┘                                                                 └─> request, staging
//! ```
//!
//! Invariants:
//! - Only the orchestrator thread writes to the log and holds a [`databuild_core::decide::Core`].
//! - Nothing is answered and no effect is performed before the events that justify it are durable.
//! - Readers get an immutable snapshot of the state after some committed event; they never wait for the loop.
//! - The loop waits for its log and for nothing else. Files, whoever is asked about data, and the executor are dealt with
//!   on threads of their own; what came of it is an input like any other.
//! - Nobody here knows how attempts are run: that is the executor's ([`crate::executor`]).

use databuild_base::{daemon, os};
#[cfg(test)]
use databuild_execution::runner;
use databuild_execution::{executor, observe, publish, snapshot};
use databuild_store as store;

mod apart;
mod attempt;
mod courier;
mod handle;
mod history;
mod inventory;
mod looks;
mod message;
mod metrics;
mod orchestrator;
mod orders;
mod outcomes;
mod pace;
mod perform;
mod records;
mod retention;
mod shared;
mod start;
mod starts;
mod trace;

#[cfg(test)]
pub(crate) mod testing;

pub use attempt::request::{parse_request, InputFile, OutputFile, Request};
pub use attempt::staging::sweep_staging;
pub use handle::{Created, Foreseen, Handle, Parts, Planned, Registration};
pub use inventory::{AdoptedFiles, Found, Scanned};
pub use message::CommandError;
pub use metrics::Metrics;
pub use records::replay::ReplayError;
pub use retention::{ArchiveRequest, Archived};
pub use shared::{Snapshot, Unrecorded};
pub use start::{Engine, EngineConfig, EngineError, READING_THREADS};
pub use starts::reproduce::{reproduce, Reproduction};
pub use trace::Trace;
