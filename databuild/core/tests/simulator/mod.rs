//! A seed-driven simulation: the core, a log in memory, a fake executor, files and a clock, with a crash
//! possible between any two steps.

mod check;
mod drive;
mod oracle;
mod plans;
mod scene;
mod world;

pub use drive::{compare_plans, simulate};

// One test program simulates, the other compares plans.
#[allow(dead_code)]
const BOTH: [fn(u64, usize); 2] = [simulate, compare_plans];
