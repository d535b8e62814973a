//! The runner as a real process, with real jobs.

mod checks;
pub mod harness;
mod jobs;
mod life;
mod memory;
