//! Exit codes that are no errors. Those of errors follow from their kind: [`crate::errors::exit_code_of`]. Stable; scripts
//! rely on them.

/// Done.
pub const OK: u8 = 0;
/// Work failed: a job did, or a want ended without being satisfied.
pub const WORK_FAILED: u8 = 1;
/// Interrupted; what was begun goes on in the server.
pub const INTERRUPTED: u8 = 130;
/// The reader of standard output left before all was said: what shells say of a program that SIGPIPE ended.
pub const READER_LEFT: u8 = 141;
