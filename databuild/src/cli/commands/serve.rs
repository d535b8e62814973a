//! `serve` and `runner`: the long-lived processes.

use crate::cli::commands::config::setting;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::shared_args::GlobalArgs;
use crate::config::{Deploying, Flags, Settings};
use crate::daemon::{ReadyPipe, ServerLog, StateDir};
use crate::runner;
use crate::serve::{serve, Beyond, ServeOptions};
use clap::Args;
use databuild_core::text::shown;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Bytes of a log of a server in the background, after which it is turned over: some 50,000 requests.
const LOG: u64 = 10 << 20;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Stay in the foreground and log to the terminal
    #[arg(long)]
    pub foreground: bool,
    /// Address to listen on (default: 127.0.0.1)
    #[arg(long, value_name = "ADDRESS")]
    pub host: Option<String>,
    /// Port to listen on; 0, the default, takes the last one again, or a free one
    #[arg(long)]
    pub port: Option<String>,
    /// End after so long without use, such as 90s; never for `never` or 0 (default: 3h)
    #[arg(long, value_name = "TIME")]
    pub idle_timeout: Option<String>,
    /// Attempts that may run at once (default: the cores)
    #[arg(long, visible_alias = "jobs", short = 'j', value_name = "N")]
    pub places: Option<String>,
    /// What to log, such as debug or databuild_server=debug,info (default: info)
    #[arg(long, value_name = "FILTER")]
    pub log: Option<String>,
    /// Archive events older than this (default: as the graph says)
    #[arg(long, value_name = "TIME")]
    pub keep_events: Option<String>,
    /// Let `gc` keep logs of attempts younger than this (default: 30d)
    #[arg(long, value_name = "TIME")]
    pub keep_logs: Option<String>,
    /// Send traces to this URL by OTLP over HTTP
    #[arg(long, value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// Stop, with the jobs, when standard input ends: whoever holds it has ended (used by `build --no-daemon`)
    #[arg(long, hide = true)]
    pub private: bool,
    /// Let pages of this origin call the API (can be repeated; default: http://localhost:3000)
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,
}

/// Arguments of `runner`.
#[derive(Debug, Args)]
pub struct RunnerArgs {
    /// Spool folder
    #[arg(long)]
    pub spool: PathBuf,
    /// Socket to listen on
    #[arg(long)]
    pub socket: PathBuf,
    /// End, with the jobs, when standard input ends
    #[arg(long)]
    pub private: bool,
}

/// Serves until told to stop.
///
/// # Errors
/// The server cannot start.
pub fn run(global: &GlobalArgs, args: &ServeArgs) -> Result<u8, CliError> {
    connect::refuse_elsewhere(global, "`serve`")?;
    run_from_store()?;
    // First of all, before there are threads.
    let ready = ReadyPipe::take();
    let (state, settings, logged) = match prepared(global, args) {
        Ok(prepared) => prepared,
        Err(error) => {
            if let Some(ready) = ready {
                ready.failed(&error.to_string());
            }
            return Err(error);
        }
    };
    let log = ServerLog::new(state.clone(), LOG);
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(move || log.clone())
        .log_internal_errors(false)
        .with_ansi(false)
        .with_filter(logged);
    tracing_subscriber::registry().with(lines).init();
    let options = ServeOptions {
        settings: settings.rows().iter().map(setting).collect(),
        host: settings.host,
        port: settings.port,
        idle_timeout: settings.idle_timeout,
        slots: settings.places.map_or_else(cores, |places| places as usize),
        beyond: settings.bind.map(|address| Beyond {
            address,
            hosts: settings.allowed_hosts,
            proxy: settings.proxy,
            tls: settings.tls_certificate.zip(settings.tls_key),
        }),
        allowed_origins: settings.allowed_origins,
        only_deploy: settings.deploy == Deploying::Explicit,
        keep_events: settings.keep_events,
        keep_logs: settings.keep_logs,
        otlp_endpoint: settings.otlp_endpoint,
        private: args.private,
    };
    serve(&state, &options, ready)
        .map(|()| exit_code::OK)
        .map_err(|error| CliError::new(error.code(), error.to_string()))
}

/// The state folder, the settings, and what is logged.
fn prepared(global: &GlobalArgs, args: &ServeArgs) -> Result<(StateDir, Settings, Targets), CliError> {
    let (workspace, settings) = connect::configured(global, args.flags())?;
    let logged: Targets = settings.log.parse().map_err(|error| {
        let source = settings.row("log").map(|row| row.source.to_string()).unwrap_or_default();
        let message = format!("{source}: `log` is `{}`: {error}", shown(&settings.log));
        CliError::new("bad_setting", message).hint("write a level, or such as databuild_server=debug,info")
    })?;
    Ok((connect::state_dir_of(&workspace)?, settings, logged))
}

impl ServeArgs {
    /// The settings among them.
    fn flags(&self) -> Flags {
        let one = |value: &Option<String>| value.iter().cloned().collect();
        Flags::default()
            .with("host", "--host", one(&self.host))
            .with("port", "--port", one(&self.port))
            .with("idle_timeout", "--idle-timeout", one(&self.idle_timeout))
            .with("places", "--places", one(&self.places))
            .with("log", "--log", one(&self.log))
            .with("keep_events", "--keep-events", one(&self.keep_events))
            .with("keep_logs", "--keep-logs", one(&self.keep_logs))
            .with("otlp_endpoint", "--otlp-endpoint", one(&self.otlp_endpoint))
            .with("allowed_origins", "--allow-origin", self.allow_origin.clone())
    }
}

/// Goes on as the stored copy of this program, which no build replaces or removes, and by whose digest
/// clients see that the server is of their own build.
fn run_from_store() -> Result<(), CliError> {
    let stored = connect::program(&connect::store()?)?;
    let bug = |error: std::io::Error| CliError::new("no_program", error.to_string());
    if std::env::current_exe().map_err(bug)? == stored.canonicalize().map_err(bug)? {
        return Ok(());
    }
    Err(bug(Command::new(&stored).args(std::env::args_os().skip(1)).exec()))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Supervises job processes until told to stop.
///
/// # Errors
/// The runner cannot start.
pub fn run_runner(args: &RunnerArgs) -> Result<u8, CliError> {
    let own = runner::RunnerArgs::new(&args.spool, &args.socket);
    runner::main(runner::RunnerArgs { private: args.private, ..own })
        .map(|()| exit_code::OK)
        .map_err(|error| CliError::new(error.code(), error.to_string()))
}
