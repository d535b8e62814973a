//! What the state says: pure reading, for decisions and for those who ask.

pub(crate) mod backoff;
pub(crate) mod batches;
pub mod blocker;
pub mod lack;
pub mod limits;
pub(crate) mod needed;
pub mod queue;
pub(crate) mod ready;
pub(crate) mod sample;
pub(crate) mod targets;
pub(crate) mod ticks;
pub(crate) mod trials;
