//! `deploy`: puts the graph just built in the place of the one that new work follows, once somebody has seen what that changes.

use crate::api::{self, Deployment, DiffView};
use crate::cli::difference::{compare, Base, Compared};
use crate::cli::error::CliError;
use crate::cli::graph::{self, BuiltGraph};
use crate::cli::lost::ask_again;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{connect, exit_code, output, paths};
use clap::Args;
use databuild_core::graph::file::GraphFile;
use serde::Serialize;
use std::io::IsTerminal as _;
use std::path::PathBuf;

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Graph file (default: the one this program was built with)
    #[arg(long, value_name = "FILE", value_parser = paths::parser())]
    pub head: Option<PathBuf>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Deployed<'d> {
    /// New work follows another graph, or other values of variables, than before.
    changed: bool,
    /// Digest of the graph that new work follows now.
    graph: String,
    /// The number of its registration.
    number: Option<u64>,
    /// What it changes; absent if no graph was registered before.
    diff: Option<&'d DiffView>,
}

/// Runs it.
///
/// # Errors
/// The program has no graph, nobody can be asked, or the graph is refused.
pub fn run(global: &GlobalArgs, args: &DeployArgs) -> Result<u8, CliError> {
    connect::refuse_elsewhere(global, "`deploy`")?;
    let built = graph::named_or_found(args.head.as_deref())?;
    let client = connect::attach(global)?;
    let now: api::GraphId = client.get("/api/v1/graph/id")?;
    let compared = match &now.graph {
        None => None,
        Some(id) => {
            let content = client.bytes(&format!("/api/v1/graphs/{id}/file"))?;
            let content =
                String::from_utf8(content).map_err(|error| CliError::new("bad_answer", error.to_string()))?;
            Some(compare(&Base::Server(client, content), &built)?)
        }
    };
    let unchanged = compared.as_ref().is_some_and(|compared| is_followed(compared, &built));
    if !global.json && !unchanged {
        match &compared {
            Some(compared) => compared.print(),
            None => print_first(&built.parse()?),
        }
    }
    if !unchanged && !confirmed(global, args, &built, now.graph.as_deref())? {
        output::talk("nothing was deployed");
        return Ok(exit_code::WORK_FAILED);
    }
    let deployment = Deployment { instead_of: now.graph.clone() };
    let (changed, row) = ask_again(|| {
        // Also if it is followed already: somebody may have emptied the store of code.
        let (client, store) = connect::with_store(global)?;
        let changed = graph::register(&client, &store, &built, &now, Some(deployment.clone()))?;
        Ok((changed, graph::followed(&client)?))
    })?;
    let number = row.map(|row| row.number);
    if global.json {
        let diff = compared.as_ref().map(|compared| &compared.view);
        output::json(&Deployed { changed, graph: built.id().0, number, diff })?;
        return Ok(exit_code::OK);
    }
    let number = number.map(|number| format!(" #{number}")).unwrap_or_default();
    let done = if unchanged { "is deployed already; nothing changes" } else { "is deployed" };
    output::line(&format!("graph{number} ({}) {done}", built.id().short()));
    Ok(exit_code::OK)
}

/// Whether new work follows this very graph, with these values of variables.
fn is_followed(compared: &Compared, built: &BuiltGraph) -> bool {
    let others = compared.view.stale.as_ref().map(|stale| stale.variables.len());
    compared.view.base == built.id().0 && others == Some(0)
}

/// Prints what the first graph of a workspace has.
fn print_first(file: &GraphFile) {
    let (jobs, datasets) = (file.jobs.len() as u64, file.datasets.len() as u64);
    output::line(&format!(
        "the first graph of this workspace: {}, {}",
        output::count(jobs, "job"),
        output::count(datasets, "dataset")
    ));
    for schedule in &file.schedules {
        output::line(&format!("added    schedule {}", schedule.label));
    }
}

/// Whether whoever sits at the terminal wants it, unless they said so already.
fn confirmed(
    global: &GlobalArgs,
    args: &DeployArgs,
    built: &BuiltGraph,
    instead_of: Option<&str>,
) -> Result<bool, CliError> {
    if args.yes {
        return Ok(true);
    }
    if global.json || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        let message = "nothing was deployed: `deploy` asks on a terminal, and without one needs --yes";
        return Err(CliError::new("deploy_unconfirmed", message)
            .hint("if what it would change is right: databuild deploy --yes"));
    }
    let place = instead_of.and_then(|id| id.get(..8)).map(|id| format!(" in the place of {id}"));
    output::mutter(format!("deploy {}{}? [y/N] ", built.id().short(), place.unwrap_or_default()));
    let mut answer = String::new();
    // An input that cannot be read says nothing.
    let read = std::io::stdin().read_line(&mut answer).is_ok();
    Ok(read && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
