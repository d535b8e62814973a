//! `explain`: what an error code means, and what to do; what a word means that answers and messages have.

use crate::api::ErrorCode;
use crate::app::vocabulary::{self, Meaning};
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::errors::{all, exit_code_of, find, page, Entry};
use clap::Args;
use databuild_core::text::nearest;
use databuild_core::word::Word as _;
use serde::Serialize;
use std::collections::BTreeSet;

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// An error code such as graph_invalid, or a word such as code_changed; without it all codes are listed
    #[arg(value_name = "CODE|WORD")]
    pub code: Option<String>,
    /// List the words of states, outcomes, reasons and the like
    #[arg(long, conflicts_with = "code")]
    pub words: bool,
    /// Print the page docs/errors.md
    #[arg(long, hide = true)]
    pub markdown: bool,
}

/// What is known of a code or a word.
#[derive(Serialize)]
struct Explained {
    #[serde(flatten)]
    code: Option<ErrorCode>,
    /// Of a word, one for each kind of thing that it is said of.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    meanings: Vec<Meaning>,
}

/// Runs it.
///
/// # Errors
/// Nobody ever says this code or word.
pub fn run(global: &GlobalArgs, args: &ExplainArgs) -> Result<u8, CliError> {
    match &args.code {
        _ if args.markdown => output::raw(page().as_bytes()),
        None if args.words && global.json => output::json(&vocabulary::all())?,
        None if args.words => {
            let mut table = Table::new(&["WORD", "KIND", "MEANING"]);
            for said in vocabulary::all() {
                table.row(vec![said.word.to_owned(), said.kind.to_owned(), said.meaning]);
            }
            table.print();
        }
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
            let entry = find(code);
            let meanings: Vec<_> = vocabulary::all().into_iter().filter(|said| said.word == code).collect();
            if entry.is_none() && meanings.is_empty() {
                return Err(unknown(code));
            }
            if global.json {
                output::json(&Explained { code: entry.map(ErrorCode::from), meanings })?;
            } else {
                entry.into_iter().for_each(print);
                for said in meanings {
                    output::line(&format!("{} ({}): {}", said.word, said.kind, said.meaning));
                }
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
    let error = CliError::new("unknown_error_code", format!("there is no error code or word `{code}`"));
    let words = vocabulary::all();
    let known: BTreeSet<&str> =
        all().iter().map(|entry| entry.code).chain(words.iter().map(|said| said.word)).collect();
    match nearest(code, known.into_iter()).as_slice() {
        [] => error.hint("`databuild explain` lists all codes, `databuild explain --words` all words"),
        near => error.hint(format!("did you mean {}?", near.join(" or "))),
    }
}
