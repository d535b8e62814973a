//! `stop`: the server goes; running jobs go on under the runner, unless asked otherwise.

use super::super::args::{Cli, StopArgs};
use super::super::client::Client;
use super::super::connect;
use super::super::error::{CliError, Kind};
use super::super::exit_code;
use crate::api::ShutdownRequest;
use crate::daemon::Deadline;
use std::time::Duration;

/// How long the server may take to go.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs it.
///
/// # Errors
/// The server does not go.
pub fn run(cli: &Cli, args: &StopArgs) -> Result<u8, CliError> {
    let Some(info) = connect::running(cli)? else {
        eprintln!("no server is running");
        return Ok(exit_code::OK);
    };
    let client = Client::new(&info)?;
    stop(&client, &info, args.jobs)?;
    eprintln!("stopped the server (pid {})", info.pid);
    Ok(exit_code::OK)
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
            Kind::Unreachable,
            "server_stays",
            format!("the server (pid {}) did not stop within {} s", info.pid, PATIENCE.as_secs()),
        )
        .hint("look at .databuild/server.log")),
    }
}
