//! `explain`: what an error code means, and what to do.

use crate::api::ErrorCode;
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::errors::{all, exit_code_of, find, nearest, page, Entry};
use clap::Args;
use databuild_core::word::Word as _;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The code, such as graph_invalid; without it all codes are listed
    pub code: Option<String>,
    /// Print the page docs/errors.md
    #[arg(long, hide = true)]
    pub markdown: bool,
}

/// Runs it.
///
/// # Errors
/// Nobody ever says this code.
pub fn run(global: &GlobalArgs, args: &ExplainArgs) -> Result<u8, CliError> {
    match &args.code {
        _ if args.markdown => output::raw(page().as_bytes()),
        None if global.json => output::json(&all().iter().map(ErrorCode::from).collect::<Vec<_>>())?,
        None => {
            let mut table = Table::new(&["CODE", "KIND", "MEANING"]);
            for entry in all() {
                table.row(vec![entry.code.to_owned(), entry.kind.word().to_owned(), entry.cause.to_owned()]);
            }
            table.print();
        }
        Some(code) => {
            // As people copy it from a message.
            let code = code.trim_start_matches("error[").trim_end_matches(':').trim_end_matches(']');
            let entry = find(code).ok_or_else(|| unknown(code))?;
            if global.json {
                output::json(&ErrorCode::from(entry))?;
            } else {
                print(entry);
            }
        }
    }
    Ok(exit_code::OK)
}

fn print(entry: &Entry) {
    output::line(&format!("{}: {}", entry.code, entry.cause));
    output::line("");
    output::line(&format!("What to do: {}", entry.cure));
    output::line("");
    let exit = exit_code_of(entry.kind);
    output::line(&match ErrorCode::from(entry).status {
        Some(status) => format!("Kind: {} (exit code {exit}, HTTP status {status})", entry.kind.word()),
        None => format!("Kind: {} (an attempt fails with it)", entry.kind.word()),
    });
}

fn unknown(code: &str) -> CliError {
    let error = CliError::new("unknown_error_code", format!("there is no error code `{code}`"));
    match nearest(code).as_slice() {
        [] => error.hint("`databuild explain` lists all codes"),
        near => error.hint(format!("did you mean {}?", near.join(" or "))),
    }
}
