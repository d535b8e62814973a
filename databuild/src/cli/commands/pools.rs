//! `pools`: what runs share, who has it, and how much there is of it.

use super::super::args::{Cli, PoolsArgs, PoolsCommand};
use super::super::error::CliError;
use super::super::output::{self, Table};
use super::super::{connect, exit_code};
use crate::api::{PoolList, PoolRow, ResizePool};

/// Runs it.
///
/// # Errors
/// There is no such pool.
pub fn run(cli: &Cli, args: &PoolsArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let resize = |pool: &str, slots: Option<u32>| -> Result<PoolList, CliError> {
        let body = ResizePool { pool: pool.to_owned(), slots, by: Some(super::taint::user()) };
        client.replace("/api/v1/pools", &body)
    };
    let list = match &args.command {
        None => client.get("/api/v1/pools")?,
        Some(PoolsCommand::Set { pool, slots }) => resize(pool, Some(*slots))?,
        Some(PoolsCommand::Reset { pool }) => resize(pool, None)?,
    };
    if cli.json {
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
            String::new(),
        ]);
    }
    table.print();
    for pool in list.data.iter().filter(|pool| !pool.too_small_for.is_empty()) {
        let jobs = pool.too_small_for.join(", ");
        output::line(&format!(
            "pool {} is too small for {jobs}, which waits until it is set larger",
            pool.name
        ));
    }
}

/// The first holders, with what they take.
fn runs(pool: &PoolRow) -> String {
    const FIRST: usize = 5;
    let named = pool.holders.iter().take(FIRST).map(|holder| format!("{} ({})", holder.run, holder.slots));
    let mut text = named.collect::<Vec<_>>().join(", ");
    if pool.holders.len() > FIRST {
        text.push_str(&format!(" and {} more", pool.holders.len() - FIRST));
    }
    text
}
