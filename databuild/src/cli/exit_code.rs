//! Exit codes. Stable; scripts rely on them.

/// Done.
pub const OK: u8 = 0;
/// Work failed: a job did, or a want ended without being satisfied.
pub const WORK_FAILED: u8 = 1;
/// The command line, or a reference on it, makes no sense.
pub const USAGE: u8 = 2;
/// The workspace, its state folder or its graph is not usable as it is, or standard output cannot be written.
pub const CONFIGURATION: u8 = 3;
/// The server cannot be reached or started.
pub const UNREACHABLE: u8 = 4;
/// A bug of ours.
pub const BUG: u8 = 70;
/// Interrupted; what was begun goes on in the server.
pub const INTERRUPTED: u8 = 130;
/// The reader of standard output left before all was said: what shells say of a program that SIGPIPE ended.
pub const READER_LEFT: u8 = 141;
