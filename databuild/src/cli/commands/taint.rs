//! `taint` and `untaint`: declare data bad, and take that back.

use crate::api::{TaintReply, TaintRequest};
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{exit_code, output};
use clap::Args;

/// Arguments of `taint`.
#[derive(Debug, Args)]
pub struct TaintArgs {
    /// References (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// Reason; kept in the event log, and shown by `why`
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Arguments of `untaint`.
#[derive(Debug, Args)]
pub struct UntaintArgs {
    /// References (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// Reason; kept in the event log
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub reason: String,
}

/// Runs `taint`.
///
/// # Errors
/// Nothing of that is there.
pub fn run(global: &GlobalArgs, args: &TaintArgs) -> Result<u8, CliError> {
    send(global, "/api/v1/taint", false, &args.targets, &args.reason)
}

/// Runs `untaint`.
///
/// # Errors
/// Nothing of that is tainted.
pub fn run_untaint(global: &GlobalArgs, args: &UntaintArgs) -> Result<u8, CliError> {
    send(global, "/api/v1/untaint", true, &args.targets, &args.reason)
}

fn send(
    global: &GlobalArgs,
    path: &str,
    removes: bool,
    targets: &[String],
    reason: &str,
) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let body = TaintRequest { targets: targets.to_vec(), reason: reason.to_owned() };
    let reply: TaintReply = client.post(path, &body)?;
    if global.json {
        output::json(&reply)?;
        return Ok(exit_code::OK);
    }
    output::line(&told(removes, reply.partitions, reply.followers));
    Ok(exit_code::OK)
}

fn told(removes: bool, partitions: u64, followers: u64) -> String {
    let count = output::count(partitions, "partition");
    let it = if partitions == 1 { "it" } else { "them" };
    match (removes, followers) {
        (true, 0) => format!("taint removed from {count}"),
        (true, followers) => format!("taint removed from {count} and from {followers} made from {it}"),
        (false, 0) => format!("{count} tainted"),
        (false, followers) => {
            format!("{count} tainted; {followers} made from {it} {} stale with {it}", output::are(followers))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_is_said_with_what_follows() {
        assert_eq!(told(false, 1, 9), "1 partition tainted; 9 made from it are stale with it");
        assert_eq!(told(false, 2, 1), "2 partitions tainted; 1 made from them is stale with them");
        assert_eq!(told(false, 2, 0), "2 partitions tainted");
        assert_eq!(told(true, 1, 9), "taint removed from 1 partition and from 9 made from it");
        assert_eq!(told(true, 3, 0), "taint removed from 3 partitions");
    }
}
