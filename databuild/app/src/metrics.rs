//! Prometheus text. Labels are datasets and jobs, never partitions: their number has no bound.

use super::context::Context;
use super::{partitions, AppError};
use databuild_core::state::State;
use databuild_core::word::Word as _;
use std::fmt::Write as _;
use std::sync::Arc;

/// All metrics.
///
/// # Errors
/// The history cannot be read.
pub async fn text(context: &impl Context) -> Result<String, AppError> {
    let snapshot = context.backend().engine.snapshot();
    let state = Arc::clone(&snapshot.state);
    let found = context.slow(move |_, reader| {
        let counts = reader.counts()?.value;
        Ok((counts, partitions::summaries(&mut State::clone(&state))))
    });
    let (counts, datasets) = found.await?;
    let mut text = String::new();
    head(&mut text, "databuild_events_total", "counter", "Events in the build event log.");
    let _ = writeln!(text, "databuild_events_total {}", snapshot.state.seq());
    head(&mut text, "databuild_wants_total", "counter", "Wants by state.");
    for (state, count) in &counts.wants {
        let _ = writeln!(text, "databuild_wants_total{{state=\"{}\"}} {count}", state.word());
    }
    head(&mut text, "databuild_job_runs_total", "counter", "Runs by job and state.");
    for ((job, state), count) in &counts.runs {
        let job = job.replace('\\', "\\\\").replace('"', "\\\"");
        let _ =
            writeln!(text, "databuild_job_runs_total{{job=\"{job}\",state=\"{}\"}} {count}", state.word());
    }
    head(&mut text, "databuild_partitions", "gauge", "Partitions by dataset and state.");
    for dataset in &datasets {
        for (state, count) in [
            ("current", dataset.current),
            ("behind", dataset.behind),
            ("missing", dataset.missing),
            ("stale", dataset.stale),
            ("building", dataset.building),
            ("failed", dataset.failed),
            ("left_out", dataset.left_out),
        ] {
            let name = &dataset.dataset;
            let _ = writeln!(text, "databuild_partitions{{dataset=\"{name}\",state=\"{state}\"}} {count}");
        }
    }
    Ok(text)
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}
