//! The HTTP server: routes over the commands of [`crate::app`], and what guards them.
//!
//! A handler reads path, query and body, calls a command, and wraps its answer in JSON with a status.
//!
//! Invariants:
//! - A handler never waits for the orchestrator except to get the answer to a command.
//! - Every answer with a status of 400 or more has an [`crate::api::ErrorBody`].
//! - Nothing but `/health` and `/ready` answers without the token.

mod app;
mod caller;
mod error;
mod extract;
mod guard;
mod handlers;
mod keyed;
mod lanes;
mod log_lines;
mod logs;
mod middleware;
mod reading;
mod routes;

pub use app::App;
pub use error::{shutting_down, too_many_waiting};
pub use guard::{Guard, Trusted};
pub use lanes::{Lanes, MOST_READERS};
pub use routes::router;

#[cfg(test)]
mod fuzz;
