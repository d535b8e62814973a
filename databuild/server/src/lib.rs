//! The HTTP server: routes over the commands of [`crate::app`], and what guards them.
//!
//! A handler reads path, query and body, calls a command, and wraps its answer in JSON with a status.
//!
//! Invariants:
//! - A handler never waits for the orchestrator except to get the answer to a command.
//! - Every answer with a status of 400 or more has an [`crate::api::ErrorBody`], but for what the protocol of `/mcp` says itself.
//! - Without the token, or a cookie that a link gave, only these answer: `/health` (also as `/healthz` and `/api/health`), `/ready`,
//!   signing in, and the files that pages load.
//! - Nothing is changed for a browser unless a page of our own or of an allowed origin asks: the request says so by its origin, and a
//!   form of ours by what only the page knows.

use databuild_app as app;
use databuild_base::{api, daemon, errors, os};
use databuild_engine as engine;
use databuild_execution::executor;
#[cfg(test)]
use databuild_execution::snapshot;
use databuild_store as store;

mod asker;
mod at_once;
mod caller;
mod document;
mod error;
mod examples;
mod extract;
mod flights;
mod follow;
mod guard;
mod handlers;
mod head;
mod keyed;
mod lanes;
mod log_lines;
mod logs;
mod mcp;
mod measures;
mod middleware;
mod moves;
mod next;
mod pack;
mod pages;
mod passage;
mod reading;
mod requests;
mod routes;
mod sessions;
mod state;
mod stream;
mod tag;
mod veiled;

pub use at_once::THREADS;
pub use error::{shutting_down, too_many_waiting};
pub use flights::Flights;
pub use guard::{Encrypted, Guard, Private, Trusted};
pub use lanes::{Lanes, MOST_READERS};
pub use measures::Requests;
pub use routes::{description, replaying, router};
pub use sessions::Sessions;
pub use state::{App, Shared};
pub use stream::Stream;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod query_tests;
#[cfg(test)]
mod request_tests;

// Fuzz targets hold what they take of memory; see `databuild_fuzz`.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: databuild_fuzz::Counting = databuild_fuzz::Counting;
