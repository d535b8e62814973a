//! `pools`: what runs share, who has it, and how much there is of it.

use crate::api::{PoolList, PoolRow, ResizePool};
use crate::cli::error::CliError;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{connect, exit_code};
use clap::{Args, Subcommand};
use databuild_core::text::first_of;

/// Arguments of `pools`.
#[derive(Debug, Args)]
pub struct PoolsArgs {
    /// What to do (default: list)
    #[command(subcommand)]
    pub command: Option<PoolsCommand>,
}

/// What to do with pools.
#[derive(Debug, Subcommand)]
pub enum PoolsCommand {
    /// Give a pool another size than it is declared to have
    Set {
        /// Name or label, such as db
        pool: String,
        /// Slots from now on; with 0, no run that takes from the pool begins
        slots: u32,
    },
    /// Give a pool its declared size again
    Reset {
        /// Name or label
        pool: String,
    },
}

/// Runs it.
///
/// # Errors
/// There is no such pool.
pub fn run(global: &GlobalArgs, args: &PoolsArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let resize = |pool: &str, slots: Option<u32>| -> Result<PoolList, CliError> {
        let body = ResizePool { pool: pool.to_owned(), slots };
        client.replace("/api/v1/pools", &body)
    };
    let list = match &args.command {
        None => client.get("/api/v1/pools")?,
        Some(PoolsCommand::Set { pool, slots }) => resize(pool, Some(*slots))?,
        Some(PoolsCommand::Reset { pool }) => resize(pool, None)?,
    };
    if global.json {
        output::json(&list)?;
        return Ok(exit_code::OK);
    }
    print(&list);
    Ok(exit_code::OK)
}

fn print(list: &PoolList) {
    let mut table = Table::new(&["POOL", "USED", "SLOTS", "DECLARED", "RUNS"]);
    for pool in &list.data {
        table.row(vec![
            pool.name.clone(),
            pool.used.to_string(),
            pool.slots.to_string(),
            pool.declared.to_string(),
            runs(pool),
        ]);
    }
    for row in &list.machine {
        let amount = |amount| if row.name == "memory" { output::bytes(amount) } else { amount.to_string() };
        table.row(vec![
            format!("({})", row.name),
            amount(row.used),
            amount(row.size),
            String::new(),
            match row.queued {
                0 => String::new(),
                queued => format!("{} queued at the runner", output::count(queued, "attempt")),
            },
        ]);
    }
    table.print();
    for pool in list.data.iter().filter(|pool| !pool.too_small_for.is_empty()) {
        let jobs = pool.too_small_for.join(", ");
        output::line(&format!(
            "pool {} is too small for {jobs}: runs wait until `databuild pools set` makes it larger",
            pool.name
        ));
    }
}

/// The first holders, with what they take.
fn runs(pool: &PoolRow) -> String {
    const FIRST: usize = 5;
    first_of(pool.holders.iter().map(|holder| format!("{} ({})", holder.run, holder.slots)), FIRST)
}
