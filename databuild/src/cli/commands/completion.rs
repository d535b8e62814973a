//! `completion`: a script for a shell.

use crate::cli::error::CliError;
use crate::cli::{exit_code, output};
use clap::Args;

/// Arguments of `completion`.
#[derive(Debug, Args)]
pub struct CompletionArgs {
    /// The shell
    pub shell: clap_complete::Shell,
}

/// Runs it, for the whole command line.
///
/// # Errors
/// None.
pub fn run(args: &CompletionArgs, command: &mut clap::Command) -> Result<u8, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, command, "databuild", &mut script);
    output::raw(&script);
    Ok(exit_code::OK)
}
