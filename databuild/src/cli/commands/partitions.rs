//! `partitions`: datasets with their counts, or the partitions of one.

use crate::api::{DatasetSummary, Page, PartitionRow, PartitionState};
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::cli::url;
use clap::Args;
use databuild_core::word::Word as _;

/// Arguments of `partitions`.
#[derive(Debug, Args)]
pub struct PartitionsArgs {
    /// Reference; all datasets are counted if it is left out
    #[arg(value_name = "REF")]
    pub reference: Option<String>,
    /// Only partitions in this state: current, empty, behind, missing, building, stale, failed, left_out
    #[arg(long)]
    pub state: Option<String>,
    /// Show at most so many rows; 0 for all
    #[arg(long, default_value_t = 100)]
    pub limit: usize,
}

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(global: &GlobalArgs, args: &PartitionsArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let Some(reference) = &args.reference else {
        if args.state.is_some() {
            return Err(CliError::new(
                "no_reference",
                "`--state` chooses among the partitions of a dataset: name one",
            ));
        }
        let page: Page<DatasetSummary> = client.list("/api/v1/datasets", 0)?;
        if global.json {
            output::json(&page)?;
        } else {
            datasets(&page.data);
        }
        return Ok(exit_code::OK);
    };
    let mut path = format!("/api/v1/partitions?ref={}", url::query_value(reference));
    if let Some(state) = &args.state {
        path.push_str(&format!("&state={}", url::query_value(state)));
    }
    let page: Page<PartitionRow> = client.list(&path, args.limit)?;
    if global.json {
        output::json(&page)?;
        return Ok(exit_code::OK);
    }
    let any_source = page.data.iter().any(|row| row.source.is_some());
    let any_warning = page.data.iter().any(|row| row.warnings > 0);
    let mut columns = vec!["PARTITION", "STATE", "REASON"];
    columns.extend(any_source.then_some("SOURCE"));
    columns.extend(any_warning.then_some("WARNINGS"));
    let mut table = Table::new(&columns);
    let mut any_behind = false;
    for row in page.data {
        let mut cells = vec![row.partition, row.state.word().to_owned(), row.reason.unwrap_or_default()];
        any_behind |= row.state == PartitionState::Behind;
        cells.extend(any_source.then(|| row.source.unwrap_or_default()));
        cells.extend(any_warning.then(|| row.warnings.to_string()));
        table.row(cells);
    }
    table.print();
    if any_behind {
        output::talk(
            "behind: current, but something upstream is missing, stale or failed; see databuild why",
        );
    }
    if page.next.is_some() {
        output::talk("there are more; say --limit 0 for all");
    }
    Ok(exit_code::OK)
}

/// Prints counts. What nothing is counted in is left out, except the first ones.
pub fn datasets(data: &[DatasetSummary]) {
    type Count = fn(&DatasetSummary) -> u64;
    let columns: [(&str, Count); 7] = [
        ("CURRENT", |dataset| dataset.current),
        ("BEHIND", |dataset| dataset.behind),
        ("STALE", |dataset| dataset.stale),
        ("MISSING", |dataset| dataset.missing),
        ("FAILED", |dataset| dataset.failed),
        ("BUILDING", |dataset| dataset.building),
        ("LEFT_OUT", |dataset| dataset.left_out),
    ];
    let always = ["CURRENT", "STALE", "MISSING"];
    let shown: Vec<_> = columns
        .iter()
        .filter(|(name, count)| always.contains(name) || data.iter().any(|dataset| count(dataset) > 0))
        .collect();
    let any_owner = data.iter().any(|dataset| dataset.owner.is_some());
    let names = shown.iter().map(|(name, _)| *name);
    let head: Vec<&str> =
        ["DATASET", "KEYS"].into_iter().chain(names).chain(any_owner.then_some("OWNER")).collect();
    let mut table = Table::new(&head);
    for dataset in data {
        let name = if dataset.external {
            format!("{} (external)", dataset.dataset)
        } else {
            dataset.dataset.clone()
        };
        let counts = shown.iter().map(|(_, count)| count(dataset).to_string());
        let owner = any_owner.then(|| dataset.owner.clone().unwrap_or_default());
        table.row([name, dataset.total.to_string()].into_iter().chain(counts).chain(owner).collect());
    }
    table.print();
    if data.iter().any(|dataset| dataset.behind > 0) {
        output::talk("BEHIND: current, but something upstream is missing, stale or failed");
    }
    if data.iter().any(|dataset| dataset.left_out > 0) {
        output::talk("LEFT_OUT: never built, since an edge rule says \"skip\"");
    }
}
