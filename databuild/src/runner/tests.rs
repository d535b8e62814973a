//! The runner as a real process, with real jobs.

mod harness;
mod jobs;
mod life;
