//! `status`: the server, its graph, what is built.

use crate::api::ServerStatus;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{exit_code, output};

/// Runs it.
///
/// # Errors
/// The server cannot be reached.
pub fn run(global: &GlobalArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let status: ServerStatus = client.get("/api/v1/server")?;
    if global.json {
        output::json(&status)?;
        return Ok(exit_code::OK);
    }
    output::line(&format!(
        "server {} (pid {}), up since {}, {} at once{}",
        status.version,
        status.pid,
        output::time(&status.started_at),
        status.slots,
        memory(&status)
    ));
    output::line(&format!("workspace {}", status.workspace));
    let temporary = status.temporary_dir.as_deref().unwrap_or("/tmp");
    output::line(&format!(
        "code store {}, sockets in {}, temporary files in {temporary}",
        status.code_store, status.runtime_dir
    ));
    match &status.graph {
        None => output::line("no graph is registered yet: run `bazel run //:databuild -- deploy` once"),
        Some(graph) => output::line(&format!(
            "graph {} of {}, registered {}, {}",
            graph.id.get(..8).unwrap_or_default(),
            graph.label,
            output::time(&graph.registered_at),
            output::count(graph.jobs.len() as u64, "job")
        )),
    }
    output::line(&format!(
        "{}, {}, {}",
        output::count(status.open_wants as u64, "open want"),
        output::count(status.live_runs as u64, "live run"),
        output::count(status.seq, "event")
    ));
    if !status.datasets.is_empty() {
        super::partitions::datasets(&status.datasets);
    }
    Ok(exit_code::OK)
}

/// The machine's memory as runs may share it.
fn memory(status: &ServerStatus) -> String {
    match status.memory {
        Some(memory) => format!(
            ", {} of memory ({}: {})",
            output::bytes(memory),
            status.memory_limits,
            status.memory_limits_reason
        ),
        None => String::new(),
    }
}
