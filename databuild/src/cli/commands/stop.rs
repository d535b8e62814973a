//! `stop`: the server goes; running jobs go on under the runner, unless asked otherwise.

use crate::api::ShutdownRequest;
use crate::cli::client::Client;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{exit_code, output};
use crate::daemon::{find, owner, DaemonError, Found, StateDir};
use crate::os::Deadline;
use crate::runner;
use clap::Args;
use std::path::Path;
use std::time::Duration;

/// How long the server may take to go, and the runner with its jobs after it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Arguments of `stop`.
#[derive(Debug, Args)]
pub struct StopArgs {
    /// Stop running jobs as well
    #[arg(long)]
    pub jobs: bool,
}

/// Runs it.
///
/// # Errors
/// The server does not go.
pub fn run(global: &GlobalArgs, args: &StopArgs) -> Result<u8, CliError> {
    if let Some(client) = connect::elsewhere(global)? {
        client.order("/api/v1/server/shutdown", &ShutdownRequest { stop_jobs: args.jobs })?;
        output::talk(&format!("told the server at {} to stop", client.url()));
        return Ok(exit_code::OK);
    }
    let info = match connect::running(global)? {
        Some(info) => info,
        // Jobs outlive their server; the way to them is a new one.
        // One that owns the workspace and does not answer has to go before that.
        None if args.jobs && has_runner(global)? => {
            terminate_owner(global)?;
            connect::attach(global)?;
            let Some(info) = connect::running(global)? else { return Ok(exit_code::OK) };
            info
        }
        None => {
            match terminate_owner(global)? {
                Some(pid) => output::talk(&format!("stopped the server (pid {pid}), which did not answer")),
                None => output::talk("no server is running"),
            }
            return Ok(exit_code::OK);
        }
    };
    let client = Client::new(&info);
    stop(&client, &info, args.jobs)?;
    if args.jobs {
        jobs_have_ended(&connect::state_dir(global)?.spool(), info.pid, &Deadline::after(PATIENCE))?;
        output::talk(&format!("stopped the server (pid {}) and its jobs", info.pid));
    } else {
        output::talk(&format!("stopped the server (pid {})", info.pid));
    }
    Ok(exit_code::OK)
}

/// Waits until the runner has ended, and its jobs with it. The server has handed on the order to stop them; whether the runner
/// heard it, only its end tells.
fn jobs_have_ended(spool: &Path, server: u32, deadline: &Deadline) -> Result<(), CliError> {
    let unknown = |why: String| {
        CliError::new(
            "jobs_stay",
            format!("the server (pid {server}) is stopped, but its jobs may still be running: {why}"),
        )
    };
    match runner::wait_exit(spool, deadline) {
        Ok(true) => Ok(()),
        Ok(false) => {
            let pid = runner::pid(spool).map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            let waited = deadline.whole().as_secs();
            Err(unknown(format!("their runner{pid} has not ended within {waited} s"))
                .hint("jobs that declare a longer `grace` may take longer; to kill them now: databuild stop --jobs")
                .hint("a runner that hangs, or that somebody stopped, ends with its jobs by `kill -KILL PID`"))
        }
        Err(error) => Err(unknown(format!("their runner cannot be looked at: {error}"))),
    }
}

/// Whether a runner left its record, and so may have jobs.
fn has_runner(global: &GlobalArgs) -> Result<bool, CliError> {
    let state = StateDir::open(&connect::workspace(global)?)
        .map_err(|error| CliError::new(error.code(), error.to_string()))?;
    Ok(state.is_some_and(|state| state.spool().join("runner.json").exists()))
}

/// Ends a server that owns the workspace and does not answer: one that hangs while it starts, for example.
fn terminate_owner(global: &GlobalArgs) -> Result<Option<u32>, CliError> {
    let state = StateDir::open(&connect::workspace(global)?)
        .map_err(|error| CliError::new(error.code(), error.to_string()))?;
    let Some(state) = state else { return Ok(None) };
    let Some(process) = owner(&state)? else {
        return match find(&state, Client::probe)? {
            Found::OtherHost(info) => {
                Err(DaemonError::OtherHost { info, server_json: state.server_json() }.into())
            }
            _ => Ok(None),
        };
    };
    let gone = process.terminate().and_then(|_| process.wait_exit(&Deadline::after(PATIENCE)));
    match gone {
        Ok(true) => Ok(Some(process.pid)),
        _ => Err(CliError::new(
            "server_stays",
            format!("the server (pid {}) neither answers nor ends", process.pid),
        )
        .hint(format!(
            "look at .databuild/server.log; `kill -KILL {}` ends it, and jobs go on",
            process.pid
        ))),
    }
}

/// Asks the server to stop and waits until it is gone.
///
/// # Errors
/// It does not go.
pub fn stop(client: &Client, info: &crate::daemon::ServerInfo, stop_jobs: bool) -> Result<(), CliError> {
    client.order("/api/v1/server/shutdown", &ShutdownRequest { stop_jobs })?;
    match info.process().wait_exit(&Deadline::after(PATIENCE)) {
        Ok(true) => Ok(()),
        _ => Err(CliError::new(
            "server_stays",
            format!("the server (pid {}) did not stop within {} s", info.pid, PATIENCE.as_secs()),
        )
        .hint("look at .databuild/server.log")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::os::{boot_id, ProcessId};
    use std::process::Command;

    /// Whoever calls it learns what is not known, with an exit code that says so.
    #[test]
    fn jobs_of_a_runner_that_does_not_end_are_not_said_to_be_stopped() {
        let spool = tempfile::tempdir().unwrap();
        let ends = || jobs_have_ended(spool.path(), 7, &Deadline::after(Duration::from_millis(20)));
        ends().unwrap();
        // A runner that somebody has stopped looks like any process that goes on.
        let mut runner = Command::new("sleep").arg("3600").spawn().unwrap();
        let process = ProcessId::of(runner.id()).unwrap().unwrap();
        let record = serde_json::json!({
            "pid": process.pid, "start_time": process.start_time, "boot_id": boot_id().unwrap(), "socket": "/s",
            "version": "0", "protocol": 1,
        });
        std::fs::write(spool.path().join("runner.json"), record.to_string()).unwrap();
        let error = ends().unwrap_err();
        assert_eq!((error.code(), error.exit_code()), ("jobs_stay", 4));
        let said = format!("may still be running: their runner (pid {}) has not ended", process.pid);
        assert!(error.message().contains(&said), "{error}");
        runner.kill().unwrap();
        runner.wait().unwrap();
        ends().unwrap();
    }
}
