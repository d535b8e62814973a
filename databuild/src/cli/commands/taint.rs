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
    send(cli, "/api/v1/taint", false, &args.targets, &args.reason)
}

/// Runs `untaint`.
///
/// # Errors
/// Nothing of that is tainted.
pub fn run_untaint(cli: &Cli, args: &UntaintArgs) -> Result<u8, CliError> {
    send(cli, "/api/v1/untaint", true, &args.targets, &args.reason)
}

fn send(cli: &Cli, path: &str, removes: bool, targets: &[String], reason: &str) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let body = TaintRequest { targets: targets.to_vec(), reason: reason.to_owned(), by: Some(user()) };
    let reply: TaintReply = client.post(path, &body)?;
    if cli.json {
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

/// Who asks, as the log will say.
pub(super) fn user() -> String {
    let name = |variable| std::env::var(variable).ok().filter(|name| !name.is_empty());
    name("USER").or_else(|| name("LOGNAME")).unwrap_or_else(|| "cli".to_owned())
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
