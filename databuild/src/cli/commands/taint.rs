//! `taint` and `untaint`: declare data bad, and take that back.

use super::super::args::{Cli, TaintArgs, UntaintArgs};
use super::super::connect;
use super::super::error::CliError;
use super::super::{exit_code, output};
use crate::api::{TaintReply, TaintRequest};

/// Runs `taint`.
///
/// # Errors
/// Nothing of that is there.
pub fn run(cli: &Cli, args: &TaintArgs) -> Result<u8, CliError> {
    send(cli, "/api/v1/taint", "tainted", "are stale with it", &args.targets, &args.reason)
}

/// Runs `untaint`.
///
/// # Errors
/// Nothing of that is tainted.
pub fn run_untaint(cli: &Cli, args: &UntaintArgs) -> Result<u8, CliError> {
    send(cli, "/api/v1/untaint", "not tainted any more", "neither", &args.targets, &args.reason)
}

fn send(
    cli: &Cli,
    path: &str,
    done: &str,
    follow: &str,
    targets: &[String],
    reason: &str,
) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let body = TaintRequest { targets: targets.to_vec(), reason: reason.to_owned(), by: Some(user()) };
    let reply: TaintReply = client.post(path, &body)?;
    if cli.json {
        output::json(&reply)?;
        return Ok(exit_code::OK);
    }
    let count = output::count(reply.partitions, "partition");
    output::line(&match reply.followers {
        0 => format!("{count} {done}"),
        followers => format!("{count} {done}; {followers} made from that {follow}"),
    });
    Ok(exit_code::OK)
}

/// Who asks, as the log will say.
pub(super) fn user() -> String {
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    name("USER").or_else(|| name("LOGNAME")).unwrap_or_else(|| "cli".to_owned())
}
