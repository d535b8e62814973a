//! `completion`: a script for a shell.

use super::super::args::{Cli, CompletionArgs};
use super::super::error::CliError;
use super::super::exit_code;
use clap::CommandFactory as _;

/// Runs it.
///
/// # Errors
/// None.
pub fn run(args: &CompletionArgs) -> Result<u8, CliError> {
    clap_complete::generate(args.shell, &mut Cli::command(), "databuild", &mut std::io::stdout());
    Ok(exit_code::OK)
}
