//! Asking outside of the workspace which data version something has: a server over HTTP, or a program.
//!
//! Whoever is asked may be gone, slow or wrong. Invariants:
//! - Nothing here takes longer than the time limit it was given (and a grace for programs that do not end).
//! - What is answered is read up to a limit, and comes back as an error unless all of it is understood.
//! - A program leaves no process behind: its whole group is killed when it has ended, and when it must end, and so is what
//!   left the group and still has its environment.

mod http;
mod process;
mod strays;

pub use http::{machine_tls, HttpClient, HttpError};
pub use process::{run, Order, ProcessError, Stop};
pub use strays::end_left_over;
use strays::kill_strays;

use std::time::Duration;

/// What somebody says of one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It is there, with this data version.
    Version(String),
    /// It is not there.
    Absent,
}

/// A time limit, for people.
fn shown(limit: Duration) -> String {
    match limit.as_millis() {
        ms if ms % 1000 == 0 => format!("{} s", ms / 1000),
        ms => format!("{ms} ms"),
    }
}
