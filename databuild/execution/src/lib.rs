//! Code, attempts and outputs: snapshots, the runner, executors, publishing and observers.

use databuild_base::os;

pub mod executor;
pub mod observe;
pub mod publish;
pub mod runner;
pub mod snapshot;

// Fuzz targets hold what they take of memory; see `databuild_fuzz`.
#[cfg(test)]
#[global_allocator]
static ALLOCATOR: databuild_fuzz::Counting = databuild_fuzz::Counting;
