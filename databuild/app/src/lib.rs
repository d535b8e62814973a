//! Layer `app`: what DataBuild does for those who ask, in the words of [`crate::api`]. Commands and answers alike; whoever serves them,
//! over HTTP or otherwise, only translates.
//!
//! One file for each noun has its commands, its read model and its rows. Beside these are parts that several nouns use.
//!
//! Invariants:
//! - Nothing here knows requests and responses of a protocol.
//! - Nothing here decides what the core decides: commands become inputs of the engine.
//! - An async function never blocks: what reads the history or a disk does so on the threads of its [`Context`].

use databuild_base::{api, config, errors, os};
use databuild_engine as engine;
use databuild_execution::{executor, snapshot};
use databuild_store as store;

pub mod arguments;
pub mod audience;
pub mod blame;
pub mod checks;
pub mod compare;
pub mod contents;
mod context;
pub mod datasets;
pub mod differences;
pub mod disk;
pub mod drawing;
mod error;
pub mod estimate;
pub mod events;
mod filters;
pub mod garbage;
pub mod graphs;
mod held;
mod history;
mod how_far;
pub mod inventory;
pub mod judgements;
pub mod keys;
mod lineage;
pub mod metrics;
pub mod now;
mod once;
pub mod partitions;
pub mod plans;
pub mod pools;
mod progress;
pub mod pull_request;
pub mod queue;
pub mod registrations;
pub mod runs;
pub mod schedules;
mod scope;
pub mod server;
pub mod standings;
pub mod subjects;
pub mod tiles;
pub mod timeline;
pub mod tokens;
pub mod traces;
pub mod trials;
pub mod veil;
pub mod vocabulary;
mod waits;
pub mod want_history;
pub mod wants;
pub mod why;
mod words;

pub use context::{Backend, Context, Place, Setup};
pub use error::AppError;
pub use garbage::write_roots;
pub use once::kept;
pub use words::{bad_rows, cursor, limit_of, one_of, Room};
