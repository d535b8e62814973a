//! `want`: create, list, get, cancel.

use super::super::args::{Cli, WantArgs, WantCommand};
use super::super::connect;
use super::super::error::CliError;
use super::super::exit_code;
use super::super::output::{self, Table};
use crate::api::{Page, WantDetail, WantRow};

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(cli: &Cli, args: &WantArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    match &args.command {
        WantCommand::Create(args) => print(cli, &super::build::create(&client, args)?)?,
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
            print(cli, &client.get(&format!("/api/v1/wants/{}", output::encode(id)))?)?
        }
        WantCommand::Cancel { id } => {
            print(cli, &client.delete(&format!("/api/v1/wants/{}", output::encode(id)))?)?
        }
    }
    Ok(exit_code::OK)
}

fn standing(want: &WantRow) -> String {
    if want.late {
        format!("{}, late", want.state)
    } else {
        want.state.clone()
    }
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
    if let Some(progress) = &detail.progress {
        output::line(&format!(
            "  {} of {} done, {} running, {} failed",
            progress.done, progress.total, progress.running, progress.failed
        ));
        for job in &progress.jobs {
            output::line(&format!("  {}  {} to do, {} running", job.job, job.remaining, job.running));
        }
    }
    for cause in &detail.causes {
        output::line(&format!("  {cause}"));
    }
    Ok(())
}
