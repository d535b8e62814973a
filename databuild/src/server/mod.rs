//! The HTTP server: routes over an engine's handle, and what guards them.
//!
//! Invariants:
//! - A handler never waits for the orchestrator except to get the answer to a command.
//! - Every answer with a status of 400 or more has an [`crate::api::ErrorBody`].
//! - Nothing but `/health` and `/ready` answers without the token.

mod app;
mod describe;
mod error;
mod estimate;
mod garbage;
mod guard;
mod lineage;
mod logs;
mod middleware;
mod progress;
mod reading;
mod routes;
mod scope;
mod trials;
mod turns;
mod views;
mod waits;
mod why;

pub mod blame;
pub mod handlers;
mod history;
mod keyed;

pub use app::App;
pub use error::too_many_waiting;
pub use garbage::write_roots;
pub use guard::{Guard, Trusted};
pub use routes::router;
pub use scope::Watched;
pub use turns::{Turns, MOST_READERS};

#[cfg(test)]
mod fuzz;
