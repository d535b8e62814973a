//! The HTTP API's words: what server and clients say to each other, as plain data.
//!
//! Field names are stable within `/api/v1`. Every answer that reflects the event log carries `seq`, the
//! last event it knows of. Lists are `{"data": […], "next": cursor or null, "seq": n}`.

mod checks;
mod compare;
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
mod queue;
mod runs;
mod schedules;
mod schema;
mod server;
mod sessions;
mod timeline;
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

/// Bytes of a text that somebody gives for others to read, such as a comment or a reason, at most.
pub const LONGEST_TEXT: usize = 4096;

pub use checks::*;
pub use compare::*;
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
pub use queue::*;
pub use runs::*;
pub use schedules::*;
pub use server::*;
pub use sessions::*;
pub use timeline::*;
pub use tokens::*;
pub use trials::*;
pub use wants::*;
pub use work::*;

use databuild_core::words;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows.
    pub data: Vec<T>,
    /// Pass it as `cursor` to get the next page; absent on the last.
    pub next: Option<String>,
    /// The last event that the rows reflect.
    pub seq: u64,
}

/// An event of a stream, as server-sent events have it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StreamEvent {
    /// What kind of event it is.
    pub event: String,
    /// JSON.
    pub data: String,
    /// Where the stream goes on after it: send it as `Last-Event-ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Query of lists that have no other parameters.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ListQuery {
    /// How many rows at most; 100 by default.
    pub limit: Option<usize>,
    /// `next` of the page before.
    pub cursor: Option<String>,
}

words! {
    /// By what wants, runs and events are sorted: their numbers, which are found by an index.
    pub enum ListOrder: "order of this list" {
        /// What came last stands first.
        Newest => "newest",
        /// What came first stands first.
        Oldest => "oldest",
    }
}

words! {
    /// By what plans are sorted.
    pub enum PlanOrder: "order of plans" {
        /// What was planned last stands first.
        Newest => "newest",
        /// What was planned first stands first.
        Oldest => "oldest",
        /// What cannot be applied any more the soonest stands first.
        Expires => "expires",
    }
}

words! {
    /// What a node of a drawing is.
    pub enum NodeKind: "kind of a node" {
        /// A dataset that a job makes.
        Dataset => "dataset",
        /// A dataset that comes from elsewhere.
        External => "external",
        /// All datasets of a package.
        Package => "package",
    }
}

words! {
    /// What came of a request to cancel something.
    pub enum Cancel: "outcome of a cancel" {
        /// It is canceled now, or is about to end.
        Canceled => "canceled",
        /// It was canceled before.
        AlreadyCanceled => "already_canceled",
        /// It had ended otherwise.
        AlreadyTerminal => "already_terminal",
    }
}

/// The answer to a request that cancels something, however often it is sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Canceled<T> {
    /// What came of it.
    pub outcome: Cancel,
    /// What was canceled, as it is now.
    #[serde(flatten)]
    pub of: T,
}

/// The value of an optional field of a request: null is as good as nothing.
fn or_default<'de, D: Deserializer<'de>, T: Default + Deserialize<'de>>(value: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(value)?.unwrap_or_default())
}
