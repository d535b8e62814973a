//! Layer `app`: what is shown of the engine's state and of the history, for people and programs alike.
//!
//! Duty: to work out answers in the words of [`crate::api`], without requests, responses and threads. Whoever serves them, over
//! HTTP or otherwise, passes a snapshot and a history.
//!
//! Invariant: nothing here changes anything.

pub mod blame;
mod error;
pub(crate) mod estimate;
pub(crate) mod history;
pub(crate) mod lineage;
pub(crate) mod progress;
pub(crate) mod scope;
pub(crate) mod views;
pub(crate) mod waits;
pub(crate) mod why;

pub use error::ShowError;
