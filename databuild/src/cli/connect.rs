//! Finds or starts the workspace's server, and registers the graph this program was built with.

use super::args::Cli;
use super::client::Client;
use super::error::{CliError, Kind};
use super::graph;
use crate::daemon::{
    connect_or_start, find, Constraints, Deadline, Found, How, ServerInfo, StartOptions, StateDir, Workspace,
};
use crate::serve::{store_root, PROTOCOL};
use crate::snapshot;
use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

/// How long finding or starting a server may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The workspace of this command.
pub fn workspace(cli: &Cli) -> Result<Workspace, CliError> {
    let found = match &cli.workspace {
        Some(path) => Workspace::at(path),
        None => Workspace::discover(),
    };
    found.map_err(|error| CliError::new(Kind::Configuration, error.code(), error.to_string()))
}

/// Its state folder.
pub fn state_dir(cli: &Cli) -> Result<StateDir, CliError> {
    let workspace = workspace(cli)?;
    StateDir::create(&workspace).map_err(|error| CliError::new(Kind::Configuration, error.code(), error.to_string()))
}

/// The user's code store.
pub fn store() -> Result<snapshot::Store, CliError> {
    let root = store_root().map_err(|message| CliError::new(Kind::Configuration, "no_cache_folder", message))?;
    snapshot::Store::open(root)
        .map_err(|error| CliError::new(Kind::Configuration, error.code(), error.to_string()))
}

/// The server that runs, if one does.
pub fn running(cli: &Cli) -> Result<Option<ServerInfo>, CliError> {
    let workspace = workspace(cli)?;
    let state = StateDir::open(&workspace)
        .map_err(|error| CliError::new(Kind::Configuration, error.code(), error.to_string()))?;
    let Some(state) = state else { return Ok(None) };
    match find(&state, &Client::probe)? {
        Found::Running(info) => Ok(Some(*info)),
        _ => Ok(None),
    }
}

/// A client of the workspace's server, started if there was none, that knows this program's graph.
pub fn connect(cli: &Cli) -> Result<Client, CliError> {
    let state = state_dir(cli)?;
    let store = store()?;
    let info = start(&state, &store)?;
    let client = Client::new(&info)?;
    if let Some(built) = graph::find()? {
        graph::register(&client, &store, &built)?;
    }
    Ok(client)
}

fn start(state: &StateDir, store: &snapshot::Store) -> Result<ServerInfo, CliError> {
    // Bazel replaces and removes what it built; a server must not run from there.
    let program = std::env::current_exe()
        .map_err(|error| CliError::new(Kind::Bug, "no_program", error.to_string()))
        .and_then(|path| {
            store.binary(&path).map_err(|error| CliError::new(Kind::Configuration, error.code(), error.to_string()))
        })?;
    let constraints = Constraints {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL,
        binary_sha256: store.binary_digest(&program).map(|digest| digest.to_string()),
    };
    let args: Vec<OsString> =
        ["serve", "--workspace"].into_iter().map(OsString::from).chain([state.workspace().path().into()]).collect();
    let started = connect_or_start(&StartOptions {
        state,
        program: &PathBuf::from(&program),
        args: &args,
        env: std::env::vars_os().collect(),
        constraints: &constraints,
        deadline: Deadline::after(PATIENCE),
        probe: &Client::probe,
        ask_shutdown: &Client::ask_shutdown,
    })?;
    if started.how != How::AlreadyRunning {
        eprintln!("{} (pid {}, http://{})", started.how, started.info.pid, started.info.address);
    }
    Ok(started.info)
}
