//! `serve` and `runner`: the long-lived processes.

use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::shared_args::GlobalArgs;
use crate::daemon::ReadyPipe;
use crate::os::Stderr;
use crate::runner;
use crate::serve::{serve, ServeOptions};
use clap::Args;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Stay in the foreground and log to the terminal
    #[arg(long)]
    pub foreground: bool,
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// End after so many seconds without use; 0 for never
    #[arg(long, value_name = "SECONDS", default_value_t = 3 * 3600)]
    pub idle_timeout: u64,
    /// Attempts that may run at once (default: the cores)
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Stop, with the jobs, when standard input ends: whoever holds it has ended (used by `build --no-daemon`)
    #[arg(long, hide = true)]
    pub private: bool,
    /// Let pages of this origin call the API (can be repeated)
    #[arg(long, value_name = "ORIGIN", default_value = "http://localhost:3000")]
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
    run_from_store()?;
    // First of all, before there are threads.
    let ready = ReadyPipe::take();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(|| Stderr)
        .log_internal_errors(false)
        .with_ansi(false)
        .with_filter(what_is_logged());
    tracing_subscriber::registry().with(lines).init();
    let state = match connect::state_dir(global) {
        Ok(state) => state,
        Err(error) => {
            if let Some(ready) = ready {
                ready.failed(&error.to_string());
            }
            return Err(error);
        }
    };
    let options = ServeOptions {
        port: args.port,
        idle_timeout: (args.idle_timeout > 0).then(|| Duration::from_secs(args.idle_timeout)),
        slots: args.jobs.map_or_else(cores, |jobs| jobs as usize),
        allowed_origins: args.allow_origin.clone(),
        private: args.private,
    };
    serve(&state, &options, ready)
        .map(|()| exit_code::OK)
        .map_err(|error| CliError::new(error.code(), error.to_string()))
}

/// What `DATABUILD_LOG` says, such as `databuild_execution::runner=debug,info`.
fn what_is_logged() -> Targets {
    let said = std::env::var("DATABUILD_LOG").ok().and_then(|said| said.parse().ok());
    said.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO))
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
