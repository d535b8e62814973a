//! DataBuild's rim: everything that touches the world. The decisions are in `databuild-core`.
//!
//! Layers, each importing only those below it (a test holds that):
//!
//! ```text
//! cli                      what people type
//! serve                    one life of a server process
//! server                   HTTP
//! app                      commands and answers
//! engine                   the loop that owns the truth, and its hands
//! runner snapshot publish observe store daemon   processes, code, outputs, events, life cycle
//! api                      the words of HTTP, as data
//! system                   reading what others left, talking, descriptors
//! databuild_core           decisions
//! ```

pub mod api;
pub mod app;
pub mod cli;
pub mod daemon;
pub mod engine;
pub mod errors;
pub mod executor;
pub mod observe;
pub mod os;
pub mod publish;
pub mod runner;
pub mod serve;
pub mod server;
pub mod snapshot;
pub mod store;

// Fuzz targets hold what they take of memory; see `databuild_fuzz`.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: databuild_fuzz::Counting = databuild_fuzz::Counting;
