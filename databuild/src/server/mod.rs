//! The HTTP server: routes over an engine's handle, and what guards them.
//!
//! Invariants:
//! - A handler never waits for the orchestrator except to get the answer to a command.
//! - Every answer with a status of 400 or more has an [`crate::api::ErrorBody`].
//! - Nothing but `/health` and `/ready` answers without the token.

mod app;
mod caller;
mod error;
mod garbage;
mod guard;
mod lanes;
mod logs;
mod middleware;
mod reading;
mod routes;
mod trials;

pub mod handlers;
mod keyed;

pub use app::App;
pub use error::too_many_waiting;
pub use garbage::write_roots;
pub use guard::{Guard, Trusted};
pub use lanes::{Lanes, MOST_READERS};
pub use routes::router;

#[cfg(test)]
mod fuzz;
