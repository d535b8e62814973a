//! The runner: a small supervisor process that owns job processes, so that a
//! server's crash, restart, or upgrade neither kills nor repeats a running
//! attempt.
//!
//! The runner is the same binary as the server, started as
//! `databuild runner --spool DIR --socket PATH`. The server speaks to it through
//! [`RunnerClient`]; both sides share the words in [`protocol`].
//!
//! Invariants:
//!
//! - *At most once.* An attempt is a folder in the spool, made with `mkdir`. A
//!   second start of the same attempt is refused for as long as the folder or
//!   the runner's memory of it exists.
//! - *An attempt is one.* Its checks run in its place and its folder, and its
//!   end is told when all of it is over ([`course`]).
//! - *No process without a record.* `pid.json` is complete before the job's
//!   first instruction runs, and a check's likewise, so whoever finds the spool later knows what to
//!   look for.
//! - *Nothing outlives its attempt.* A job is a session and process group of
//!   its own; the group is dead before the end is reported. Jobs die with the
//!   runner (parent-death signal); what survives that is killed by whoever
//!   inspects the attempt next ([`inspect`]).
//! - *Memory is held where it can be.* An attempt whose job declares memory is in
//!   a control group of its own ([`cgroup`]), if the runner can make one; others
//!   cost nothing of that.
//! - *The spool survives process crashes, not power loss.* Durability is the
//!   event log's duty; the runner never syncs.
//! - *One thread.* The parent-death signal is tied to the thread that made the
//!   process, and the way jobs are made ([`spawn`]) borrows the whole address
//!   space; both are safe because the runner has one thread.

mod attempt;
mod cgroup;
mod children;
mod client;
mod connection;
mod course;
mod error;
mod event_loop;
mod explain;
mod job_log;
mod launch;
mod log_times;
mod orphans;
pub mod protocol;
mod read_times;
mod recover;
mod signals;
mod socket;
mod spawn;
mod spool;
mod supervisor;
mod time;

pub use client::{EventSink, RunnerClient};
pub use error::RunnerError;
pub use event_loop::{main, RunnerArgs};
pub use launch::ConnectOptions;
pub use log_times::Stream;
pub use protocol::{
    AttemptName, AttemptReport, AttemptState, CheckExit, CheckSpec, ExitRecord, Hello, LogSize, MemoryLimits,
    Outcome, ResourceUse, RunnerEvent, StartSpec, FIRST_WITH_CHECKS, MAX_REQUESTS, PROTOCOL, STOPPED,
};
pub use read_times::{OutputTimes, TimedPiece};
pub use recover::{end_of, inspect, is_alive, pid, wait_exit, Found};
pub use spool::AttemptFiles;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
pub mod tests;
