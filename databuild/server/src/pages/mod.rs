//! The pages of the web UI: one file for each noun, with its routes beside their handlers.
//!
//! A handler reads the address, asks the same commands that the API asks, and hands their answers to
//! [`databuild_ui::pages`]. The address has all that a page shows; with the parameter `part`, the same address answers some
//! of its parts, which is how a page that is open keeps up.
//!
//! Invariants:
//! - Every answer here is HTML under one content security policy, or a redirect, a file or a stream; errors are pages, too.
//! - A `GET` changes nothing. What a form does is shown first, and needs what only our own pages know ([`form`]).

mod answer;
mod automation;
mod changes;
mod checks;
mod compare;
mod datasets;
mod events;
mod files;
mod form;
mod graph;
mod live;
mod now;
mod plans;
mod queue;
mod routes;
mod run_log;
mod runs;
mod server;
#[cfg(test)]
mod tests;
mod timeline;
mod viewer;
mod wants;

pub(super) use answer::{page_of, sign_in, told, veiled_page};
pub(super) use routes::routes;
