//! `plan`: what a build would run, and why.

use super::super::args::{Cli, PlanArgs};
use super::super::connect;
use super::super::error::CliError;
use super::super::exit_code;
use super::super::output::{self, Table};
use crate::api::{PlanRequest, PlanView};

/// References shown in one row.
const SHOWN: usize = 2;

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(cli: &Cli, args: &PlanArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let request = PlanRequest {
        targets: args.targets.clone(),
        refresh: Some(args.refresh.name().to_owned()),
        as_of: args.as_of.clone(),
    };
    let plan: PlanView = client.post("/api/v1/plans", &request)?;
    if cli.json {
        output::json(&plan)?;
        return Ok(exit_code::OK);
    }
    if plan.groups.is_empty() && plan.blocked.is_empty() {
        output::line(&format!("nothing to do: {} partitions are current", plan.current));
        return Ok(exit_code::OK);
    }
    let maybe = match plan.if_changed {
        0 => String::new(),
        n => format!(", {n} more if upstream changes"),
    };
    output::line(&format!("{} runs{maybe}; {} partitions are current", plan.certain, plan.current));
    let mut table = Table::new(&["RUNS", "JOB", "REASON", "PARTITIONS"]);
    for group in plan.groups.iter().chain(&plan.blocked) {
        let mut shown = group.partitions.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(" ");
        if group.partitions.len() > SHOWN {
            shown.push_str(" …");
        }
        table.row(vec![group.count.to_string(), group.job.clone(), group.message.clone(), shown]);
    }
    table.print();
    Ok(if plan.blocked.is_empty() { exit_code::OK } else { exit_code::WORK_FAILED })
}
