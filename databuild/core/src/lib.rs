//! Pure core of DataBuild: what there is, what is wanted, what is to be done next.
//!
//! Invariant: no I/O, no clock, no threads, no randomness. Time comes in as an argument, decisions go
//! out as data. Read [`decide`] first: it is the door; then [`state`], [`planner`] and [`graph`].

// The vocabulary.
pub mod amounts;
pub mod base64;
pub mod data_check;
pub mod digest;
pub mod event;
pub mod ids;
pub mod line_field;
pub mod observation;
pub mod priority;
pub mod report;
pub mod template;
pub mod text;
pub mod word;

// When schedules want something.
pub mod schedule;

// The graph, what became of it, and what to do.
pub mod decide;
pub mod graph;
pub mod planner;
pub mod retention;
pub mod state;

// Set algebra.
pub mod key_error;
pub mod keys;
pub mod mapping;
pub mod named_keys;
pub mod partition_set;
pub mod range_set;
pub mod reference;
pub mod symbols;
pub mod time;
