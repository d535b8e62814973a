//! `gc`: removes what nothing needs any more.

use crate::api::{Archived, GcReply, GcRequest, HeldBy};
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{exit_code, output};
use clap::Args;
use databuild_core::amounts::seconds_of;

/// Arguments of `gc`.
#[derive(Debug, Args)]
pub struct GcArgs {
    /// Only count
    #[arg(long)]
    pub dry_run: bool,
    /// Keep logs of attempts younger than this (default: the setting `keep_logs`, 30 days)
    #[arg(long, value_name = "DAYS")]
    pub keep_days: Option<u32>,
    /// Also move events older than this (such as 90d) from the log to an archive
    #[arg(long, value_name = "TIME", value_parser = seconds_of)]
    pub events_older_than: Option<u64>,
}

/// Runs it.
///
/// # Errors
/// The store cannot be swept.
pub fn run(global: &GlobalArgs, args: &GcArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let request = GcRequest {
        dry_run: args.dry_run,
        keep_days: args.keep_days,
        events_older_than_seconds: args.events_older_than,
    };
    let reply: GcReply = client.post("/api/v1/gc", &request)?;
    for reason in &reply.not_removed {
        output::talk(&format!("an attempt's folder stays: {reason}"));
    }
    if global.json {
        output::json(&reply)?;
        return Ok(exit_code::OK);
    }
    let verb = if reply.dry_run { "would remove" } else { "removed" };
    output::line(&format!(
        "{verb} {}, {} ({} KiB) and {}",
        output::count(reply.snapshots_removed, "code snapshot"),
        output::count(reply.files_removed, "file"),
        reply.bytes_freed / 1024,
        output::count(reply.attempts_removed, "attempt folder")
    ));
    let events = output::count(reply.events_checked, "event");
    output::line(&format!("checked the event log: {events}, none damaged"));
    if let Some(archived) = &reply.archived {
        output::line(&archived_text(archived, reply.dry_run));
    }
    Ok(exit_code::OK)
}

fn archived_text(archived: &Archived, dry_run: bool) -> String {
    let Archived { events, first, last, bytes, file, file_bytes, log_bytes_before, log_bytes_after, held_by } =
        archived;
    let kib = |bytes: &u64| bytes / 1024;
    let rest = match held_by {
        Some(HeldBy { id, seq }) => {
            format!("; {id} is not over, so events from {seq} on stay")
        }
        None => String::new(),
    };
    if *events == 0 {
        return match held_by {
            Some(_) => format!("no event can be archived{rest}"),
            None => "no event is old enough to be archived".to_owned(),
        };
    }
    let what = format!("{events} events ({first} to {last}, {} KiB)", kib(bytes));
    if dry_run {
        return format!("would archive {what}{rest}");
    }
    format!(
        "archived {what} in {} ({} KiB); the log has {} KiB now and had {} KiB{rest}",
        file.as_deref().unwrap_or_default(),
        kib(file_bytes),
        kib(log_bytes_after),
        kib(log_bytes_before),
    )
}
