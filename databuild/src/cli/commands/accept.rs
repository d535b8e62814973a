//! `accept`: judges a change of a job's code or arguments harmless.

use super::super::args::{AcceptArgs, Cli};
use super::super::connect;
use super::super::error::CliError;
use super::super::{exit_code, output};
use super::taint::user;
use crate::api::{AcceptReply, AcceptRequest, AcceptedChange};

/// Files shown for one change.
const SHOWN: usize = 10;

/// Runs it.
///
/// # Errors
/// Nothing of that is stale because of code or arguments.
pub fn run(cli: &Cli, args: &AcceptArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let request = |dry_run| AcceptRequest {
        targets: args.targets.clone(),
        job: args.job.clone(),
        reason: args.reason.clone().unwrap_or_default(),
        by: Some(user()),
        evidence: args.evidence.clone(),
        dry_run,
    };
    if !cli.json {
        // Shown before it is done, so that what happened can be read off even if the answer is lost.
        let preview: AcceptReply = client.post("/api/v1/accept", &request(true))?;
        preview.changes.iter().for_each(show);
        if args.dry_run {
            return Ok(exit_code::OK);
        }
    }
    let reply: AcceptReply = client.post("/api/v1/accept", &request(args.dry_run))?;
    if cli.json {
        output::json(&reply)?;
    } else {
        output::line(&format!("accepted for {}", output::count(reply.partitions, "partition")));
    }
    Ok(exit_code::OK)
}

fn show(change: &AcceptedChange) {
    output::line(&format!(
        "{}  {}  {}",
        change.job,
        output::count(change.count, "partition"),
        change.partitions.join(" ")
    ));
    let short = |digest: &str| digest.trim_start_matches("sha256:").chars().take(12).collect::<String>();
    for (what, from, to) in
        [("code", &change.from.code, &change.to.code), ("arguments", &change.from.args, &change.to.args)]
    {
        if from != to {
            output::line(&format!("  {what} {} -> {}", short(from), short(to)));
        }
    }
    for file in change.files.iter().take(SHOWN) {
        output::line(&format!("  {} {}", file.change, file.path));
    }
    if change.files.len() > SHOWN {
        output::line(&format!("  and {} more files", change.files.len() - SHOWN));
    }
}
