//! `want`: create, list, get, cancel, pause, resume, priority.

use super::build::BuildArgs;
use crate::api::{Page, PrioritizeWant, WantDetail, WantRow};
use crate::cli::client::Client;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::{word, GlobalArgs};
use crate::cli::steady::post_once;
use crate::cli::url;
use crate::cli::wants::{cancel, print, standing, WANTS};
use clap::{Args, Subcommand};
use databuild_core::event::PriorityClass;
use databuild_core::word::Word as _;
use serde::Serialize;

/// Arguments of `want`.
#[derive(Debug, Args)]
pub struct WantArgs {
    /// What to do
    #[command(subcommand)]
    pub command: WantCommand,
}

/// What to do with wants.
#[derive(Debug, Subcommand)]
pub enum WantCommand {
    /// Ask for partitions and do not wait
    Create(BuildArgs),
    /// List wants, newest first
    List {
        /// Only wants in this state: open, satisfied, failed, canceled, expired
        #[arg(long)]
        state: Option<String>,
        /// Only wants that this program asked for: cli, ui, api, mcp, or as it calls itself; databuild for those of runs
        #[arg(long, value_name = "PROGRAM")]
        source: Option<String>,
        /// Show at most so many rows; 0 shows all
        #[arg(long, default_value_t = 20)]
        limit: usize,
    },
    /// Show one want
    Get {
        /// The want, such as w3
        id: String,
    },
    /// Cancel one want; runs that nobody else wants stop
    Cancel {
        /// The want, such as w3
        id: String,
    },
    /// Begin nothing more for one want; its runs under way go on
    Pause {
        /// The want, such as w3
        id: String,
    },
    /// Go on with a paused want
    Resume {
        /// The want, such as w3
        id: String,
    },
    /// Change the priority of one want
    Priority {
        /// The want, such as w3
        id: String,
        /// The new priority
        #[arg(value_parser = word::<PriorityClass>())]
        class: PriorityClass,
    },
}

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(global: &GlobalArgs, args: &WantArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    match &args.command {
        WantCommand::Create(args) => print(global, &post_once(global, &client, WANTS, &args.request())?.0)?,
        WantCommand::List { state, source, limit } => {
            let mut path = "/api/v1/wants?".to_owned();
            for (name, value) in [("state", state), ("source", source)] {
                if let Some(value) = value {
                    path.push_str(&format!("&{name}={}", url::query_value(value)));
                }
            }
            let page: Page<WantRow> = client.list(&path, *limit)?;
            if global.json {
                output::json(&page)?;
            } else {
                let mut table = Table::new(&["WANT", "STATE", "CREATED", "TARGETS"]);
                for want in page.data {
                    let standing = standing(&want);
                    table.row(vec![
                        want.id,
                        standing,
                        output::time(&want.created_at),
                        want.targets.join(" "),
                    ]);
                }
                table.print();
            }
        }
        WantCommand::Get { id } => {
            print(global, &client.get(&format!("/api/v1/wants/{}", url::segment(id)))?)?
        }
        WantCommand::Cancel { id } => {
            cancel(global, &client, id)?;
        }
        WantCommand::Pause { id } => print(global, &act(&client, id, "pause", &serde_json::json!({}))?)?,
        WantCommand::Resume { id } => print(global, &act(&client, id, "resume", &serde_json::json!({}))?)?,
        WantCommand::Priority { id, class } => {
            let body = PrioritizeWant { class: class.word().to_owned() };
            print(global, &act(&client, id, "priority", &body)?)?;
        }
    }
    Ok(exit_code::OK)
}

fn act(client: &Client, id: &str, what: &str, body: &impl Serialize) -> Result<WantDetail, CliError> {
    client.post(&format!("/api/v1/wants/{}/{what}", url::segment(id)), body)
}
