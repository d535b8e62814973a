//! What people type. Parses, talks to the server, prints: data to stdout, messages to stderr.

mod args;
mod blame;
mod client;
mod commands;
mod connect;
mod console;
mod difference;
mod error;
mod follow;
mod graph;
mod help;
mod interrupt;
mod lost;
mod output;
mod paths;
mod shared_args;
mod steady;
mod tally;
mod upload;
mod url;
mod wants;

pub mod exit_code;

use crate::errors::{exit_code_of, Kind};
use args::{Cli, Command};
use clap::{CommandFactory as _, Parser as _};
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
            let json = std::env::args_os().take_while(|arg| arg != "--").any(|arg| arg == "--json");
            // Help and version are data. Help that nobody asked for goes to stderr; a program gets an error.
            let unasked = error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
            if (unasked && !json) || !error.use_stderr() {
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
            let error = CliError::from_usage(&error);
            output::error(&error, json);
            return ExitCode::from(error.exit_code());
        }
    };
    let json = cli.global.json;
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
        Command::Build(args) => c::build::run(&cli.global, args),
        Command::Invoke(args) => c::invoke::run(&cli.global, args),
        Command::Plan(args) => c::plan::run(&cli.global, args),
        Command::Plans(args) => c::plans::run(&cli.global, args),
        Command::Queue => c::queue::run(&cli.global),
        Command::Schedules(args) => c::schedules::run(&cli.global, args),
        Command::Timeline(args) => c::timeline::run(&cli.global, args),
        Command::Pools(args) => c::pools::run(&cli.global, args),
        Command::Apply(args) => c::apply::run(&cli.global, args),
        Command::Deploy(args) => c::deploy::run(&cli.global, args),
        Command::Diff(args) => c::diff::run(&cli.global, args),
        Command::Events(args) => c::events::run(&cli.global, args),
        Command::Explain(args) => c::explain::run(&cli.global, args),
        Command::Why(args) => c::why::run(&cli.global, args),
        Command::Taint(args) => c::taint::run(&cli.global, args),
        Command::Untaint(args) => c::taint::run_untaint(&cli.global, args),
        Command::Accept(args) => c::accept::run(&cli.global, args),
        Command::Compare(args) => c::trials::compare(&cli.global, args),
        Command::Verify(args) => c::trials::verify(&cli.global, args),
        Command::Rerun(args) => c::trials::rerun(&cli.global, args),
        Command::Trials(args) => c::trials::list(&cli.global, args),
        Command::Adopt(args) => c::adopt::run(&cli.global, args),
        Command::Scan(args) => c::scan::run(&cli.global, args),
        Command::Want(args) => c::want::run(&cli.global, args),
        Command::Keys(args) => c::keys::run(&cli.global, args),
        Command::Partitions(args) => c::partitions::run(&cli.global, args),
        Command::Checks(args) => c::checks::run(&cli.global, args),
        Command::Runs(args) => c::runs::run(&cli.global, args),
        Command::Logs(args) => c::logs::run(&cli.global, args),
        Command::Cancel(args) => c::cancel::run(&cli.global, args),
        Command::Status => c::status::run(&cli.global),
        Command::Graph(args) => c::graph::run(&cli.global, args),
        Command::Gc(args) => c::gc::run(&cli.global, args),
        Command::Config(args) => c::config::run(&cli.global, args),
        Command::Token(args) => c::token::run(&cli.global, args),
        Command::Serve(args) => c::serve::run(&cli.global, args),
        Command::Stop(args) => c::stop::run(&cli.global, args),
        Command::Mcp(args) => c::mcp::run(&cli.global, args),
        Command::Shell(args) => c::shell::run(&cli.global, args),
        Command::Ui(args) => c::ui::run(&cli.global, args),
        Command::Shim(args) => c::shim::run(&cli.global, args),
        Command::Completion(args) => c::completion::run(args, &mut Cli::command()),
        Command::Runner(args) => c::serve::run_runner(args),
    }
}
