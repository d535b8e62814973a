//! `accept`: judges a change of a job's code or arguments harmless.

use crate::api::{AcceptReply, AcceptRequest, AcceptedChange};
use crate::cli::blame;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{exit_code, output};
use clap::Args;

/// Arguments of `accept`.
#[derive(Debug, Args)]
pub struct AcceptArgs {
    /// References (can be repeated); all that the job made, if only --job is given
    #[arg(value_name = "REF", required_unless_present = "job")]
    pub targets: Vec<String>,
    /// Only partitions that this job makes
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Reason; kept in the event log
    #[arg(long, value_name = "TEXT", required_unless_present = "dry_run")]
    pub reason: Option<String>,
    /// Evidence: a trial such as t3, which is checked, or any text; kept with the reason
    #[arg(long, value_name = "TEXT")]
    pub evidence: Option<String>,
    /// Only show what would be accepted
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs it.
///
/// # Errors
/// Nothing of that is stale because of code or arguments.
pub fn run(global: &GlobalArgs, args: &AcceptArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let request = |dry_run| AcceptRequest {
        targets: args.targets.clone(),
        job: args.job.clone(),
        reason: args.reason.clone().unwrap_or_default(),
        evidence: args.evidence.clone(),
        dry_run,
    };
    if !global.json {
        // Shown before it is done, so that what happened can be read off even if the answer is lost.
        let preview: AcceptReply = client.post("/api/v1/accept", &request(true))?;
        preview.changes.iter().for_each(show);
        if args.dry_run {
            return Ok(exit_code::OK);
        }
    }
    let reply: AcceptReply = client.post("/api/v1/accept", &request(args.dry_run))?;
    if global.json {
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
    blame::lines(&change.files, "  ").iter().for_each(|line| output::line(line));
}
