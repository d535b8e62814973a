//! `gc`: removes what nothing needs any more.

use super::super::args::{Cli, GcArgs};
use super::super::connect;
use super::super::error::CliError;
use super::super::{exit_code, output};
use crate::api::{GcReply, GcRequest};

/// Runs it.
///
/// # Errors
/// The store cannot be swept.
pub fn run(cli: &Cli, args: &GcArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let request = GcRequest { dry_run: args.dry_run, keep_days: Some(args.keep_days) };
    let reply: GcReply = client.post("/api/v1/gc", &request)?;
    if cli.json {
        output::json(&reply)?;
        return Ok(exit_code::OK);
    }
    let verb = if reply.dry_run { "would remove" } else { "removed" };
    output::line(&format!(
        "{verb} {} code snapshots, {} files ({} KiB) and {} attempts' folders",
        reply.snapshots_removed,
        reply.files_removed,
        reply.bytes_freed / 1024,
        reply.attempts_removed
    ));
    Ok(exit_code::OK)
}
