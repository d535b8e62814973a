//! Finds or starts the workspace's server, and settles which graph a command works with.
//!
//! Invariant: only `deploy` and the commands that go by [`connect_with_graph`] or [`connect_privately`] register a graph.

use super::client::Client;
use super::error::CliError;
use super::lost::ask_again;
use super::shared_args::GlobalArgs;
use super::{graph, output, paths};
use crate::api::ShutdownRequest;
use crate::config::{Flags, Place, Settings};
use crate::daemon::{
    connect_or_start, environment, find, Constraints, Found, How, ServerInfo, StartOptions, StateDir, Token,
    Workspace,
};
use crate::os::Deadline;
use crate::runner;
use crate::serve::{store_root, PRIVATE_CLIENT, PROTOCOL};
use crate::snapshot;
use databuild_core::text::shown;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::time::Duration;

/// Pause between two looks at a server that is starting.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long finding or starting a server may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a runner is waited for at a time.
const LONG: Duration = Duration::from_secs(3600);

/// The workspace of this command, and its settings.
pub fn configured(global: &GlobalArgs, flags: Flags) -> Result<(Workspace, Settings), CliError> {
    let found = match &global.workspace {
        Some(path) => Workspace::at(path),
        None => Workspace::discover(),
    };
    let workspace = found.map_err(|error| CliError::new(error.code(), error.to_string()))?;
    let called_from =
        paths::called_from().map_err(|error| CliError::new("settings_unreadable", error.to_string()))?;
    let place =
        Place { workspace: workspace.path(), called_from: &called_from, file: global.config.as_deref() };
    let state_dir = global.state_dir.iter().map(|path| path.display().to_string()).collect();
    let flags = flags.with("state_dir", "--state-dir", state_dir);
    let settings = Settings::load(place, |name| std::env::var_os(name), &flags)
        .map_err(|error| CliError::new(error.code(), error.to_string()))?;
    Ok((workspace.with_state_dir(&settings.state_dir), settings))
}

/// The workspace of this command.
pub fn workspace(global: &GlobalArgs) -> Result<Workspace, CliError> {
    configured(global, Flags::default()).map(|(workspace, _)| workspace)
}

/// Its state folder.
pub fn state_dir(global: &GlobalArgs) -> Result<StateDir, CliError> {
    state_dir_of(&workspace(global)?)
}

/// The state folder of a workspace.
pub fn state_dir_of(workspace: &Workspace) -> Result<StateDir, CliError> {
    StateDir::create(workspace).map_err(|error| CliError::new(error.code(), error.to_string()))
}

/// Arguments by which a server has the settings of this command, whose files it reads anew. It inherits the variables.
fn serve_args(state: &StateDir, settings: &Settings) -> Vec<OsString> {
    let mut args: Vec<OsString> = ["serve", "--workspace"].map(OsString::from).to_vec();
    args.push(state.workspace().path().into());
    if let Some(file) = settings.named_file() {
        args.extend(["--config".into(), file.into()]);
    }
    if !state.workspace().has_usual_state_dir() {
        args.extend(["--state-dir".into(), state.path().into()]);
    }
    args
}

/// The user's code store.
pub fn store() -> Result<snapshot::Store, CliError> {
    let root = store_root().map_err(|message| CliError::new("no_cache_folder", message))?;
    snapshot::Store::open(root).map_err(|error| CliError::new(error.code(), error.to_string()))
}

/// The server that runs, if one does.
pub fn running(global: &GlobalArgs) -> Result<Option<ServerInfo>, CliError> {
    let workspace = workspace(global)?;
    let state = StateDir::open(&workspace).map_err(|error| CliError::new(error.code(), error.to_string()))?;
    let Some(state) = state else { return Ok(None) };
    match find(&state, Client::probe)? {
        Found::Running(info) => Ok(Some(*info)),
        _ => Ok(None),
    }
}

/// The variable that has the token of a server elsewhere.
const TOKEN_VARIABLE: &str = "DATABUILD_SERVER_TOKEN";

/// A client of the server elsewhere that this command is to ask, if it is. It follows the graph that was registered there.
pub fn elsewhere(global: &GlobalArgs) -> Result<Option<Client>, CliError> {
    let Some(url) = global.server_url.as_ref().filter(|url| !url.is_empty()) else { return Ok(None) };
    let no_token = |why: String| {
        CliError::new("no_token", why)
            .hint(format!("name a file with the token by --token-file, or set {TOKEN_VARIABLE}"))
    };
    let text = match global.token_file.as_ref().filter(|path| !path.as_os_str().is_empty()) {
        Some(path) => std::fs::read_to_string(path)
            .map_err(|error| no_token(format!("the token in {} cannot be read: {error}", path.display())))?,
        None => std::env::var(TOKEN_VARIABLE)
            .map_err(|_| no_token(format!("there is no token for the server at {}", shown(url))))?,
    };
    let token = Token::parse(&text).ok_or_else(|| no_token("what is given as token is none".to_owned()))?;
    Client::elsewhere(url, &token).map(Some)
}

/// Refuses what only the machine of a server can do.
pub fn refuse_elsewhere(global: &GlobalArgs, what: &str) -> Result<(), CliError> {
    match &global.server_url {
        Some(url) if !url.is_empty() => {
            let message = format!("{what} is about this machine, and --server-url names another server");
            Err(CliError::new("usage", message).hint("leave out --server-url, or unset DATABUILD_SERVER_URL"))
        }
        _ => Ok(()),
    }
}

/// A client of the workspace's server, started if there was none, or of the one elsewhere that the command is to ask. The command works
/// with the graph that was registered last, and says so if another one was built with this program.
pub fn connect(global: &GlobalArgs) -> Result<Client, CliError> {
    if let Some(client) = elsewhere(global)? {
        return Ok(client);
    }
    // A server that is killed meanwhile is followed by another one. What was sent to it is in its log, or is sent again.
    ask_again(|| {
        let client = Client::new(&start(global, &store()?)?);
        graph::find()?.map_or(Ok(()), |built| graph::compare(&client, &built))?;
        Ok(client)
    })
}

/// The same for a command that works with the graph that was built with this program: see [`graph::bring`].
pub fn connect_with_graph(global: &GlobalArgs) -> Result<Client, CliError> {
    if let Some(client) = elsewhere(global)? {
        return Ok(client);
    }
    ask_again(|| {
        let (client, store) = with_store(global)?;
        graph::find()?.map_or(Ok(()), |built| graph::bring(&client, &store, &built))?;
        Ok(client)
    })
}

/// A client of the workspace's server, started if there was none, and the store for code that the server runs.
pub fn with_store(global: &GlobalArgs) -> Result<(Client, snapshot::Store), CliError> {
    let store = store()?;
    let info = start(global, &store)?;
    Ok((Client::new(&info), store_of(&info, store)?))
}

/// The code store of a server, which may have been started with another `XDG_CACHE_HOME` or `HOME` than this command.
fn store_of(info: &ServerInfo, own: snapshot::Store) -> Result<snapshot::Store, CliError> {
    let Some(root) = info.code_store.as_ref().filter(|root| *root != own.root()) else { return Ok(own) };
    snapshot::Store::open(root).map_err(|error| {
        CliError::new(
            "code_store_differs",
            format!(
                "the server (pid {}) has its code store at {}, and this command would have it at {}: {error}",
                info.pid,
                root.display(),
                own.root().display()
            ),
        )
        .hint("set XDG_CACHE_HOME as for the server, or start it anew: databuild stop")
    })
}

/// The same as [`connect`] for a command that says itself which graphs it is about, or that was told already.
pub fn attach(global: &GlobalArgs) -> Result<Client, CliError> {
    if let Some(client) = elsewhere(global)? {
        return Ok(client);
    }
    Ok(Client::new(&start(global, &store()?)?))
}

/// A server that is this process's child and goes with it: for machines that are thrown away or that
/// clean up after a command, such as CI's.
pub struct PrivateServer {
    client: Client,
    info: ServerInfo,
    /// Of its runner.
    spool: PathBuf,
    process: OwnChild,
}

impl PrivateServer {
    /// A client of it.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Stops it and its jobs, which have the grace that they declare, and waits until all are gone.
    pub fn stop(mut self) -> Result<(), CliError> {
        // Waiting for the process would close it, by which the runner sees that nobody waits for the jobs any more.
        let lifeline = self.process.0.stdin.take();
        let told = self.client.order("/api/v1/server/shutdown", &ShutdownRequest { stop_jobs: true });
        if told.is_err() {
            // It does not listen; the runner has the pipe.
            drop(self.process.0.kill());
            drop(lifeline);
            self.wait()?;
            return told;
        }
        self.wait()
    }

    fn wait(&mut self) -> Result<(), CliError> {
        let gone = self.process.0.wait().and_then(|_| {
            // A runner knows how long its jobs may take; whoever does not want to wait presses Ctrl-C again.
            while !runner::wait_exit(&self.spool, &Deadline::after(LONG))? {}
            Ok(())
        });
        gone.map_err(|error| CliError::new("server_stays", format!("pid {}: {error}", self.info.pid)))
    }
}

/// A child that does not outlive its handle.
struct OwnChild(std::process::Child);

impl Drop for OwnChild {
    fn drop(&mut self) {
        // After an orderly stop it is gone and waited for, and these do nothing.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a server of one's own; refuses if the workspace has one.
pub fn connect_privately(global: &GlobalArgs) -> Result<PrivateServer, CliError> {
    refuse_elsewhere(global, "--no-daemon")?;
    if let Some(info) = running(global)? {
        return Err(CliError::new(
            "server_running",
            format!("a server is running in this workspace (pid {})", info.pid),
        )
        .hint("leave out --no-daemon to use it, or stop it first: databuild stop"));
    }
    let (workspace, settings) = configured(global, Flags::default())?;
    let state = state_dir_of(&workspace)?;
    let store = store()?;
    let log = std::fs::File::create(state.server_log()).map_err(|error| {
        CliError::new("state_unwritable", format!("{}: {error}", state.server_log().display()))
    })?;
    let mut command = std::process::Command::new(program(&store)?);
    command
        .args(serve_args(&state, &settings))
        .args(["--foreground", "--private", "--idle-timeout", "0"])
        .env_clear()
        .envs(environment::allowed(std::env::vars_os()))
        .current_dir(state.workspace().path())
        // However this process ends, the pipe ends with it, and the server goes with its runner and its jobs.
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .stderr(log)
        // Ctrl-C is for the watching command, which then stops the server in order.
        .process_group(0);
    let mut process = command
        .spawn()
        .map(OwnChild)
        .map_err(|error| CliError::new("server_not_started", error.to_string()))?;
    let deadline = Deadline::after(PATIENCE);
    let info = loop {
        match running(global)? {
            Some(info) if info.pid == process.0.id() => break info,
            _ if deadline.expired() || !matches!(process.0.try_wait(), Ok(None)) => {
                return Err(CliError::new(
                    "server_not_started",
                    format!("the server did not start:\n{}", state.log_tail(20)),
                ));
            }
            _ => std::thread::sleep(LOOK_AGAIN),
        }
    };
    let client = Client::new(&info).called(PRIVATE_CLIENT);
    if let Some(built) = graph::find()? {
        graph::bring(&client, &store, &built)?;
    }
    Ok(PrivateServer { client, info, spool: state.spool(), process })
}

/// The program to serve with. Bazel replaces and removes what it built; a server must not run from there.
pub fn program(store: &snapshot::Store) -> Result<PathBuf, CliError> {
    let path = std::env::current_exe().map_err(|error| CliError::new("no_program", error.to_string()))?;
    store.binary(&path).map_err(|error| CliError::new(error.code(), error.to_string()))
}

fn start(global: &GlobalArgs, store: &snapshot::Store) -> Result<ServerInfo, CliError> {
    let (workspace, settings) = configured(global, Flags::default())?;
    let state = &state_dir_of(&workspace)?;
    let program = program(store)?;
    let constraints = Constraints {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        protocol: PROTOCOL,
        binary_sha256: store.binary_digest(&program).map(|digest| digest.to_string()),
    };
    let started = connect_or_start(&StartOptions {
        state,
        program: &program,
        args: &serve_args(state, &settings),
        env: std::env::vars_os().collect(),
        constraints: &constraints,
        deadline: Deadline::after(PATIENCE),
        probe: &Client::probe,
        ask_shutdown: &Client::ask_shutdown,
    })?;
    if started.how != How::AlreadyRunning {
        output::talk(&format!("{} (pid {}, http://{})", started.how, started.info.pid, started.info.address));
    }
    Ok(started.info)
}
