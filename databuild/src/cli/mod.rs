//! What people type. Parses, talks to the server, prints: data to stdout, messages to stderr.

mod args;
mod client;
mod commands;
mod connect;
mod console;
mod error;
mod follow;
mod graph;
mod help;
mod interrupt;
mod output;
mod paths;
mod steady;
mod tally;
mod upload;
mod wants;

pub mod exit_code;

use crate::errors::{exit_code_of, Kind};
use args::{Cli, Command};
use clap::Parser as _;
use error::CliError;
use std::io::IsTerminal as _;
use std::process::ExitCode;

/// The program.
#[must_use]
pub fn main() -> ExitCode {
    crate::os::settle_signals();
    let cli = match Cli::try_parse().map_err(help::in_groups) {
        Ok(cli) => cli,
        Err(error) => {
            use clap::error::ErrorKind;
            // Help and version are data. Help that nobody asked for goes to stderr.
            if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand || !error.use_stderr() {
                let code = if error.use_stderr() { exit_code_of(Kind::Invalid) } else { exit_code::OK };
                let text = error.render();
                if error.use_stderr() {
                    output::mutter(text.to_string());
                } else if std::io::stdout().is_terminal() {
                    output::raw(text.ansi().to_string().as_bytes());
                } else {
                    output::raw(text.to_string().as_bytes());
                }
                return ExitCode::from(code);
            }
            let json = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
            let error = CliError::from_usage(&error);
            output::error(&error, json);
            return ExitCode::from(error.exit_code());
        }
    };
    let json = cli.json;
    match run(cli) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            output::error(&error, json);
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(cli: Cli) -> Result<u8, CliError> {
    use commands as c;
    match &cli.command {
        Command::Build(args) => c::build::run(&cli, args),
        Command::Invoke(args) => c::invoke::run(&cli, args),
        Command::Plan(args) => c::plan::run(&cli, args),
        Command::Plans(args) => c::plans::run(&cli, args),
        Command::Pools(args) => c::pools::run(&cli, args),
        Command::Apply(args) => c::apply::run(&cli, args),
        Command::Diff(args) => c::diff::run(&cli, args),
        Command::Explain(args) => c::explain::run(&cli, args),
        Command::Why(args) => c::why::run(&cli, args),
        Command::Taint(args) => c::taint::run(&cli, args),
        Command::Untaint(args) => c::taint::run_untaint(&cli, args),
        Command::Accept(args) => c::accept::run(&cli, args),
        Command::Compare(args) => c::trials::compare(&cli, args),
        Command::Verify(args) => c::trials::verify(&cli, args),
        Command::Rerun(args) => c::trials::rerun(&cli, args),
        Command::Trials(args) => c::trials::list(&cli, args),
        Command::Adopt(args) => c::adopt::run(&cli, args),
        Command::Scan(args) => c::scan::run(&cli, args),
        Command::Want(args) => c::want::run(&cli, args),
        Command::Keys(args) => c::keys::run(&cli, args),
        Command::Partitions(args) => c::partitions::run(&cli, args),
        Command::Checks(args) => c::checks::run(&cli, args),
        Command::Runs(args) => c::runs::run(&cli, args),
        Command::Logs(args) => c::logs::run(&cli, args),
        Command::Cancel(args) => c::cancel::run(&cli, args),
        Command::Status => c::status::run(&cli),
        Command::Gc(args) => c::gc::run(&cli, args),
        Command::Serve(args) => c::serve::run(&cli, args),
        Command::Stop(args) => c::stop::run(&cli, args),
        Command::Shim(args) => c::shim::run(&cli, args),
        Command::Completion(args) => c::completion::run(args),
        Command::Runner(args) => c::serve::run_runner(args),
    }
}
