//! `want`: create, list, get, cancel, pause, resume, priority.

use super::super::args::{Cli, WantArgs, WantCommand};
use super::super::client::Client;
use super::super::connect;
use super::super::error::CliError;
use super::super::exit_code;
use super::super::output::{self, Table};
use super::super::wants::{create, print, standing};
use crate::api::{Page, PrioritizeWant, WantDetail, WantRow};
use databuild_core::word::Word as _;
use serde::Serialize;

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(cli: &Cli, args: &WantArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    match &args.command {
        WantCommand::Create(args) => print(cli, &create(cli, &client, args)?.0)?,
        WantCommand::List { state, limit } => {
            let mut path = format!("/api/v1/wants?limit={limit}");
            if let Some(state) = state {
                path.push_str(&format!("&state={}", output::encode(state)));
            }
            let page: Page<WantRow> = client.get(&path)?;
            if cli.json {
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
            print(cli, &client.get(&format!("/api/v1/wants/{}", output::segment(id)))?)?
        }
        WantCommand::Cancel { id } => {
            print(cli, &client.delete(&format!("/api/v1/wants/{}", output::segment(id)))?)?
        }
        WantCommand::Pause { id } => print(cli, &act(&client, id, "pause", &serde_json::json!({}))?)?,
        WantCommand::Resume { id } => print(cli, &act(&client, id, "resume", &serde_json::json!({}))?)?,
        WantCommand::Priority { id, class } => {
            let body = PrioritizeWant { class: class.word().to_owned() };
            print(cli, &act(&client, id, "priority", &body)?)?;
        }
    }
    Ok(exit_code::OK)
}

fn act(client: &Client, id: &str, what: &str, body: &impl Serialize) -> Result<WantDetail, CliError> {
    client.post(&format!("/api/v1/wants/{}/{what}", output::segment(id)), body)
}
