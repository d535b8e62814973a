//! One file for each page. A page is a function from answers of the API to a [`crate::layout::Page`].

pub mod ask;
pub mod automation;
pub mod change;
pub mod changes;
pub mod checks;
pub mod compare;
pub mod dataset;
pub mod datasets;
pub mod error;
pub mod event;
pub mod events;
pub mod graph;
pub mod now;
pub mod partition;
pub mod partitions;
pub mod plan;
pub mod plans;
pub mod queue;
pub mod run;
pub mod runs;
pub mod server;
pub mod sign_in;
pub mod timeline;
pub mod want;
pub mod wants;
