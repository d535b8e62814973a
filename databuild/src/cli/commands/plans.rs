//! `plans`: a list of those that are kept, or one of them.

use crate::api::{Page, PlanSummary, PlanView};
use crate::cli::error::CliError;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::cli::url;
use crate::cli::{connect, exit_code};
use clap::Args;

/// Arguments of `plans`.
#[derive(Debug, Args)]
pub struct PlansArgs {
    /// Show this plan, such as p7
    pub id: Option<String>,
}

/// Runs it.
///
/// # Errors
/// There is no such plan.
pub fn run(global: &GlobalArgs, args: &PlansArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    if let Some(id) = &args.id {
        let plan: PlanView = client.get(&format!("/api/v1/plans/{}", url::segment(id)))?;
        return super::plan::print(global, &plan).map(|()| exit_code::OK);
    }
    let page: Page<PlanSummary> = client.list("/api/v1/plans", 0)?;
    if global.json {
        output::json(&page)?;
        return Ok(exit_code::OK);
    }
    let mut table = Table::new(&["PLAN", "STATE", "CREATED", "EXPIRES", "COUNT", "IF CHANGED", "TARGETS"]);
    for plan in page.data {
        table.row(vec![
            plan.id,
            plan.state,
            output::time(&plan.created_at),
            output::time(&plan.expires_at),
            plan.certain.to_string(),
            plan.if_changed.to_string(),
            plan.targets.join(" "),
        ]);
    }
    table.print();
    Ok(exit_code::OK)
}
