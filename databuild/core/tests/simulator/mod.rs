//! A seed-driven simulation: the core, a log in memory, a fake executor, files and a clock, with a crash
//! possible between any two steps.

// One test program concludes its stories, the other compares plans.
#![allow(dead_code, unused_imports)]

mod check;
mod drive;
mod lineage;
mod makers;
mod oracle;
mod plans;
mod quiet;
mod scene;
mod world;

pub use drive::{compare_plans, simulate};
