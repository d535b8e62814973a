//! Layer `app`: what DataBuild does for those who ask, in the words of [`crate::api`]. Commands and answers alike; whoever serves them,
//! over HTTP or otherwise, only translates.
//!
//! One file for each noun has its commands, its read model and its rows. Beside these are parts that several nouns use.
//!
//! Invariants:
//! - Nothing here knows requests and responses of a protocol.
//! - Nothing here decides what the core decides: commands become inputs of the engine.
//! - An async function never blocks: what reads the history or a disk does so on the threads of its [`Context`].

pub mod arguments;
pub mod blame;
pub(crate) mod checks;
pub(crate) mod contents;
mod context;
mod error;
mod estimate;
pub(crate) mod events;
pub(crate) mod garbage;
pub(crate) mod graphs;
mod held;
mod history;
pub(crate) mod inventory;
pub(crate) mod judgements;
pub(crate) mod keys;
mod lineage;
pub(crate) mod metrics;
pub(crate) mod partitions;
pub(crate) mod plans;
pub(crate) mod pools;
mod progress;
pub(crate) mod runs;
mod scope;
pub(crate) mod server;
pub(crate) mod trials;
mod waits;
pub(crate) mod wants;
pub(crate) mod why;
mod words;

pub use context::Backend;
pub(crate) use context::Context;
pub use error::AppError;
pub use garbage::write_roots;
pub(crate) use words::cursor;
