//! The runner's own log.

use std::fmt;
use std::io::{self, Write};

/// Writes a line to the log. A log that cannot be written, as on a full disk, must not end the runner and its jobs with it,
/// as `eprintln!` would.
pub(super) fn talk(line: fmt::Arguments<'_>) {
    let _ = writeln!(io::stderr(), "runner: {line}");
}
