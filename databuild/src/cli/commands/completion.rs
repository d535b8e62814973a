//! `completion`: a script for a shell.

use super::super::args::{Cli, CompletionArgs};
use super::super::error::CliError;
use super::super::{exit_code, output};
use clap::CommandFactory as _;

/// Runs it.
///
/// # Errors
/// None.
pub fn run(args: &CompletionArgs) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "databuild", &mut script);
    output::raw(&script);
    Ok(exit_code::OK)
}
