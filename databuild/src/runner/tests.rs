//! The runner as a real process, with real jobs.

mod checks;
pub(crate) mod harness;
mod jobs;
mod life;
mod memory;
