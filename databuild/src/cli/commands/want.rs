//! `want`: create, list, get, cancel, pause, resume, priority.

use super::super::args::{Cli, WantArgs, WantCommand};
use super::super::client::Client;
use super::super::connect;
use super::super::error::CliError;
use super::super::exit_code;
use super::super::output::{self, Table};
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
        WantCommand::Create(args) => print(cli, &super::build::create(cli, &client, args)?.0)?,
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

fn standing(want: &WantRow) -> String {
    let mut text = want.state.clone();
    for (is, word) in [(want.paused, ", paused"), (want.late, ", late")] {
        if is {
            text.push_str(word);
        }
    }
    text
}

/// Prints a want.
///
/// # Errors
/// A bug: it cannot be JSON.
pub fn print(cli: &Cli, detail: &WantDetail) -> Result<(), CliError> {
    if cli.json {
        return output::json(detail);
    }
    let want = &detail.want;
    output::line(&format!("{} {}  {}", want.id, standing(want), want.targets.join(" ")));
    output::line(&format!("  {}, --refresh {}, by {}", want.class, want.refresh, want.source));
    if !want.comment.is_empty() {
        output::line(&format!("  for: {}", want.comment));
    }
    if let Some(archive) = &detail.archive {
        output::line(&format!("  archived in {archive}"));
    }
    if let Some(progress) = &detail.progress {
        output::line(&format!(
            "  {} of {} done, {} running, {} failed",
            progress.done, progress.total, progress.running, progress.failed
        ));
        for job in &progress.jobs {
            output::line(&format!("  {}  {} to do, {} running", job.job, job.remaining, job.running));
        }
    }
    for (name, value) in &detail.params {
        output::line(&format!("  {name}={value}"));
    }
    for cause in &detail.causes {
        output::line(&format!("  {cause}"));
    }
    Ok(())
}
