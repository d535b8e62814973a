//! `diff`: what differs between two graphs, which files are to blame, what would become stale.
//!
//! Never registers a graph: it is for looking before that, and for CI, where there is no server.

use crate::app::pull_request;
use crate::cli::difference::{compare, Base};
use crate::cli::error::CliError;
use crate::cli::graph::{self, BuiltGraph};
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{connect, exit_code, output, paths};
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArgs {
    /// Graph file, or the id of a graph that was registered (default: the one the server follows)
    #[arg(long, value_name = "FILE|ID")]
    pub base: Option<String>,
    /// Graph file (default: the one this program was built with)
    #[arg(long, value_name = "FILE", value_parser = paths::parser())]
    pub head: Option<PathBuf>,
    /// Write the comment of a pull request
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
    /// Exit with 1 if there are differences
    #[arg(long)]
    pub exit_code: bool,
}

/// Runs it.
///
/// # Errors
/// There is no such graph, or it cannot be read.
pub fn run(global: &GlobalArgs, args: &DiffArgs) -> Result<u8, CliError> {
    let head = graph::named_or_found(args.head.as_deref())?;
    let base = base(global, args.base.as_deref())?;
    let compared = compare(&base, &head)?;
    if global.json {
        output::json(&compared.view)?;
    } else if args.markdown {
        pull_request::lines(&compared.view).iter().for_each(|line| output::line(line));
    } else {
        compared.print();
    }
    Ok(if args.exit_code && !compared.same { exit_code::WORK_FAILED } else { exit_code::OK })
}

fn base(global: &GlobalArgs, text: Option<&str>) -> Result<Base, CliError> {
    if let Some(path) = text.map(|text| paths::given(Path::new(text))).filter(|path| path.is_file()) {
        return BuiltGraph::read(&path).map(Base::File);
    }
    let path = match text {
        None => "/api/v1/graph".to_owned(),
        Some(id) if id.len() >= 4 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            format!("/api/v1/graphs/{}/file", id.to_ascii_lowercase())
        }
        Some(text) => {
            let message = format!("`{text}` is neither a graph file nor the id of a graph");
            return Err(CliError::new("bad_base", message));
        }
    };
    let client = connect::attach(global)?;
    let content = String::from_utf8(client.bytes(&path)?)
        .map_err(|error| CliError::new("bad_answer", error.to_string()))?;
    Ok(Base::Server(client, content))
}
