//! `checks`: what checks found in what was built.

use crate::api::{CheckRow, Page};
use crate::cli::client::Client;
use crate::cli::error::CliError;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::{word, GlobalArgs};
use crate::cli::url;
use crate::cli::{connect, exit_code};
use clap::Args;
use databuild_core::event::CheckOutcome;
use databuild_core::word::Word as _;

/// Arguments of `checks`.
#[derive(Debug, Args)]
pub struct ChecksArgs {
    /// References (can be repeated); everything, if left out
    #[arg(value_name = "REF")]
    pub targets: Vec<String>,
    /// Only results of this check, by its label
    #[arg(long, value_name = "LABEL")]
    pub check: Option<String>,
    /// Only results that did not pass
    #[arg(long)]
    pub failed: bool,
    /// Only results that came to this
    #[arg(long, value_parser = word::<CheckOutcome>(), conflicts_with = "failed")]
    pub outcome: Option<CheckOutcome>,
    /// Show at most so many rows for each reference; 0 for all
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
}

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(global: &GlobalArgs, args: &ChecksArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let mut rows = Vec::new();
    let mut more = false;
    let mut seq = 0;
    let all: Vec<Option<&str>> = match args.targets.as_slice() {
        [] => vec![None],
        targets => targets.iter().map(|target| Some(target.as_str())).collect(),
    };
    for reference in all {
        let page = list(&client, args, reference)?;
        more |= page.next.is_some();
        seq = page.seq;
        rows.extend(page.data);
    }
    if global.json {
        output::json(&serde_json::json!({"data": rows, "more": more, "seq": seq}))?;
        return Ok(exit_code::OK);
    }
    table(&rows, false);
    if more {
        output::talk("there are more; say --limit 0 for all");
    }
    Ok(exit_code::OK)
}

/// Findings within a reference, as many as are asked for.
fn list(client: &Client, args: &ChecksArgs, reference: Option<&str>) -> Result<Page<CheckRow>, CliError> {
    let mut path = format!("/api/v1/checks?failed={}", args.failed);
    if let Some(check) = &args.check {
        path.push_str(&format!("&check={}", url::query_value(check)));
    }
    if let Some(outcome) = args.outcome {
        path.push_str(&format!("&outcome={}", outcome.word()));
    }
    if let Some(reference) = reference {
        path.push_str(&format!("&ref={}", url::query_value(reference)));
    }
    client.list(&path, args.limit)
}

/// Prints findings; `of_run` leaves out whose they are.
pub fn table(rows: &[CheckRow], of_run: bool) {
    let columns = ["PARTITION", "CHECK", "OUTCOME", "KIND", "MESSAGE", "RUN", "AT"];
    let shown = if of_run { 5 } else { columns.len() };
    let mut table = Table::new(&columns[..shown]);
    for row in rows {
        let kind = if row.blocking { "blocking" } else { "warning" };
        let cells = [
            row.partition.clone(),
            row.check.clone(),
            row.outcome.clone(),
            kind.to_owned(),
            row.message.clone(),
            row.run.clone(),
            output::time(&row.at),
        ];
        table.row(cells.into_iter().take(shown).collect());
    }
    table.print();
}
