//! One file for each verb.

pub mod accept;
pub mod adopt;
pub mod apply;
pub mod build;
pub mod cancel;
pub mod checks;
pub mod completion;
pub mod diff;
pub mod gc;
pub mod invoke;
pub mod keys;
pub mod logs;
pub mod partitions;
pub mod plan;
pub mod plans;
pub mod pools;
pub mod runs;
pub mod scan;
pub mod serve;
pub mod shim;
pub mod status;
pub mod stop;
pub mod taint;
pub mod trials;
pub mod want;
pub mod why;
