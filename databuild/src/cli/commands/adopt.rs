//! `adopt`: counts files that exist already as built.

use crate::api::{AdoptReply, AdoptRequest};
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{exit_code, output};
use clap::Args;

/// Partitions listed.
const SHOWN: usize = 20;

/// Arguments of `adopt`.
#[derive(Debug, Args)]
pub struct AdoptArgs {
    /// References (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// Only show what would be adopted
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs it. What a run is making, and what cannot be read, is left alone, and is an error.
///
/// # Errors
/// A reference to what is not made of files.
pub fn run(global: &GlobalArgs, args: &AdoptArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let body = AdoptRequest { targets: args.targets.clone(), dry_run: args.dry_run };
    let reply: AdoptReply = client.post("/api/v1/adopt", &body)?;
    if global.json {
        output::json(&reply)?;
    } else {
        let verb = if reply.dry_run { "would adopt" } else { "adopted" };
        output::line(&format!(
            "{verb} {}; {} {} no file, {} recorded already",
            output::count(reply.adopted.count, "partition"),
            reply.missing.count,
            if reply.missing.count == 1 { "has" } else { "have" },
            reply.recorded.count
        ));
        for partition in reply.adopted.partitions.iter().take(SHOWN) {
            output::line(&format!("  {partition}"));
        }
        if reply.adopted.partitions.len() > SHOWN {
            output::line(&format!("  and {} more", reply.adopted.partitions.len() - SHOWN));
        }
        for set in &reply.being_made {
            output::line(&format!("  not adopted, since a run is making it: {set}"));
        }
        super::scan::show_not_observed(&reply.not_observed);
    }
    let all = reply.being_made.is_empty() && reply.not_observed.is_empty();
    Ok(if all { exit_code::OK } else { exit_code::WORK_FAILED })
}
