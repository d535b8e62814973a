//! `queue`: what runs, what begins next and why, what waits for what.

use crate::api::{LiveRun, NextWork, Queue, Waiting};
use crate::cli::error::CliError;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{connect, exit_code};
use databuild_core::text::first_of;
use databuild_core::word::Word as _;

/// Wants that a row names.
const NAMED: usize = 3;

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(global: &GlobalArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let queue: Queue = client.get("/api/v1/queue")?;
    if global.json {
        output::json(&queue)?;
        return Ok(exit_code::OK);
    }
    let Queue { running, running_total, next, next_total, waiting, waiting_total, .. } = queue;
    output::line(&format!("{} under way", output::count(running_total, "run")));
    if !running.is_empty() {
        under_way(running);
    }
    let partitions = |total| output::count(total, "partition");
    output::line(&format!("{} may begin as soon as there is room", partitions(next_total)));
    if !next.is_empty() {
        upcoming(next);
    }
    output::line(&format!(
        "{} {}",
        partitions(waiting_total),
        if waiting_total == 1 { "waits" } else { "wait" }
    ));
    if !waiting.is_empty() {
        blocked(waiting);
    }
    Ok(exit_code::OK)
}

fn under_way(runs: Vec<LiveRun>) {
    let mut table = Table::new(&["RUN", "PHASE", "SINCE", "JOB", "WANTS", "PARTITION"]);
    for run in runs {
        let since = run.since.as_deref().map(output::time).unwrap_or_default();
        table.row(vec![run.id, run.phase, since, run.job, first_of(run.wants, NAMED), run.partition]);
    }
    table.print();
}

/// Rows in the order in which they begin.
fn upcoming(rows: Vec<NextWork>) {
    let mut table = Table::new(&["TURN", "COUNT", "JOB", "WANT", "FIRST", "LACKS"]);
    for row in rows {
        let first = row.first.into_iter().next().map(|run| run.partition).unwrap_or_default();
        table.row(vec![
            row.turn.word().to_owned(),
            row.partitions.to_string(),
            row.job,
            row.want.unwrap_or_default(),
            first,
            if row.blocker.kind == "ready" { String::new() } else { row.blocker.message },
        ]);
    }
    table.print();
}

fn blocked(rows: Vec<Waiting>) {
    let mut table = Table::new(&["COUNT", "JOB", "WANTS", "KIND", "WAITS FOR"]);
    for row in rows {
        let wants = first_of(row.wants, NAMED);
        table.row(vec![row.partitions.to_string(), row.job, wants, row.blocker.kind, row.blocker.message]);
    }
    table.print();
}
