//! `runs`: a list, one with its attempts, or two side by side.

use super::runs_compare;
use crate::api::{Page, RunDetail, RunRow};
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::cli::url;
use clap::{Args, Subcommand};
use databuild_core::text::shown;

/// Arguments of `runs`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArgs {
    /// What to do (default: list, or show one)
    #[command(subcommand)]
    pub command: Option<RunsCommand>,
    /// Show this run, such as r12
    pub id: Option<String>,
    /// Only runs of this job
    #[arg(long, value_name = "JOB")]
    pub job: Option<String>,
    /// Only runs in this state: leased, running, retry_wait, suspended, completed, failed, canceled
    #[arg(long)]
    pub state: Option<String>,
    /// Only runs that make any of these partitions
    #[arg(long, value_name = "REF")]
    pub partition: Option<String>,
    /// Show at most so many rows; 0 shows all
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
}

/// What else to do with runs.
#[derive(Debug, Subcommand)]
pub enum RunsCommand {
    /// Show what differs between two runs, or between a run and what its job would do now
    Compare {
        /// A run, such as r12; or a partition, which stands for the run that made what it holds
        a: String,
        /// The same of what it is compared with (default: what the job of the first would do now)
        b: Option<String>,
    },
}

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(global: &GlobalArgs, args: &RunsArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    if let Some(RunsCommand::Compare { a, b }) = &args.command {
        return runs_compare::run(global, &client, a, b.as_deref());
    }
    if let Some(id) = &args.id {
        let run: RunDetail = client.get(&format!("/api/v1/runs/{}", url::segment(id)))?;
        if global.json {
            output::json(&run)?;
        } else {
            detail(&run);
        }
        return Ok(exit_code::OK);
    }
    let mut path = "/api/v1/runs?".to_owned();
    for (name, value) in [("job", &args.job), ("state", &args.state), ("partition", &args.partition)] {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", url::query_value(value)));
        }
    }
    let page: Page<RunRow> = client.list(&path, args.limit)?;
    if global.json {
        output::json(&page)?;
        return Ok(exit_code::OK);
    }
    let mut table = Table::new(&["RUN", "STATE", "TRIES", "CREATED", "JOB", "PARTITION", "MESSAGE"]);
    for run in page.data {
        table.row(vec![
            run.id,
            run.state,
            run.attempt_count.to_string(),
            output::time(&run.created_at),
            run.job,
            run.partition,
            match run.trial {
                Some(trial) if run.message.is_empty() => format!("of {trial}"),
                Some(trial) => format!("of {trial}; {}", run.message),
                None => run.message,
            },
        ]);
    }
    table.print();
    Ok(exit_code::OK)
}

fn detail(run: &RunDetail) {
    let row = &run.run;
    output::line(&format!("{} {}  {}", row.id, row.state, row.partition));
    output::line(&format!("  job {}, graph {}", row.job, run.graph.get(..8).unwrap_or_default()));
    if let Some(trial) = &row.trial {
        output::line(&format!("  part of trial {trial}; its outputs are not published"));
    }
    if let Some(archive) = &run.archive {
        output::line(&format!("  archived in {archive}"));
    }
    for (name, value) in &run.params {
        output::line(&format!("  {name}={value}"));
    }
    if !row.message.is_empty() {
        output::line(&format!("  {}", row.message));
    }
    for attempt in &run.attempts {
        let outcome = attempt.outcome.as_deref().unwrap_or(&attempt.state);
        let pid = attempt.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
        let took = attempt.wall_ms.map(|ms| format!(", {}", output::duration(ms))).unwrap_or_default();
        let message =
            if attempt.message.is_empty() { String::new() } else { format!(": {}", attempt.message) };
        output::line(&format!(
            "  attempt {} {outcome}{pid}{took}, cpu {}, {} MiB{message}",
            attempt.number,
            output::duration(attempt.cpu_ms),
            attempt.max_rss_kb / 1024
        ));
        match &attempt.output {
            Some(bytes) if attempt.output_base64 => output::line(&format!("    returned base64 {bytes}")),
            Some(text) => output::line(&format!("    returned {}", shown(text))),
            None => {}
        }
    }
    if !run.checks.is_empty() {
        super::checks::table(&run.checks, true);
    }
}
