//! A seed-driven simulation: the core, a log in memory, a fake executor, files and a clock, with a crash
//! possible between any two steps.

mod check;
mod drive;
mod oracle;
mod scene;
mod world;

pub use drive::simulate;
