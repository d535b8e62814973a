//! The HTTP API's words: what server and clients say to each other, as plain data.
//!
//! Field names are stable within `/api/v1`. Every answer that reflects the event log carries `seq`, the
//! last event it knows of. Lists are `{"data": […], "next": cursor or null, "seq": n}`.

mod checks;
mod contents;
mod datasets;
mod error;
mod errors;
mod events;
mod graphs;
mod inventory;
mod judgements;
mod keys;
mod now;
mod partitions;
mod plans;
mod pools;
mod runs;
mod server;
mod sessions;
mod tokens;
mod trials;
mod wants;
mod work;

/// Header of a request: the name of the person who asks, in UTF-8.
pub const ACTOR_HEADER: &str = "x-databuild-actor";
/// Header of a request: the program that asks.
pub const CLIENT_HEADER: &str = "x-databuild-client";
/// Header of a request to `/mcp`: what the assistant may do, `read`, `want` or `operate`.
pub const ALLOW_HEADER: &str = "x-databuild-allow";

pub use checks::*;
pub use contents::*;
pub use datasets::*;
pub use error::*;
pub use errors::*;
pub use events::*;
pub use graphs::*;
pub use inventory::*;
pub use judgements::*;
pub use keys::*;
pub use now::*;
pub use partitions::*;
pub use plans::*;
pub use pools::*;
pub use runs::*;
pub use server::*;
pub use sessions::*;
pub use tokens::*;
pub use trials::*;
pub use wants::*;
pub use work::*;

use serde::{Deserialize, Serialize};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Pass it as `cursor` to get the next page; absent on the last.
    pub next: Option<String>,
    /// The last event that the rows reflect.
    pub seq: u64,
}
