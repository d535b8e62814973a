//! `plans`: a list of those that are kept, or one of them.

use super::super::args::{Cli, PlansArgs};
use super::super::error::CliError;
use super::super::output::{self, Table};
use super::super::{connect, exit_code};
use crate::api::{Page, PlanSummary, PlanView};

/// Runs it.
///
/// # Errors
/// There is no such plan.
pub fn run(cli: &Cli, args: &PlansArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    if let Some(id) = &args.id {
        let plan: PlanView = client.get(&format!("/api/v1/plans/{}", output::segment(id)))?;
        return super::plan::print(cli, &plan).map(|()| exit_code::OK);
    }
    let page: Page<PlanSummary> = client.get("/api/v1/plans")?;
    if cli.json {
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
