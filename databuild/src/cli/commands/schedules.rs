//! `schedules`: what is wanted by itself, and when.

use crate::api::{RunSchedule, ScheduleDetail, ScheduleList, ScheduleRow, SkippedTicks, WantDetail};
use crate::cli::error::CliError;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{connect, exit_code, url};
use clap::{Args, Subcommand};
use databuild_core::amounts::as_declared;

/// Arguments of `schedules`.
#[derive(Debug, Args)]
pub struct SchedulesArgs {
    /// What to do (default: list)
    #[command(subcommand)]
    pub command: Option<SchedulesCommand>,
}

/// What to do with schedules.
#[derive(Debug, Subcommand)]
pub enum SchedulesCommand {
    /// Show one, with its next ticks
    Show {
        /// Its name, such as nightly
        name: String,
        /// How many next ticks
        #[arg(long, default_value_t = 10)]
        ticks: usize,
    },
    /// Fire no tick of it until it is resumed
    Pause {
        /// Its name
        name: String,
    },
    /// Go on with the next tick
    Resume {
        /// Its name
        name: String,
    },
    /// Want now what it wants at its ticks; `databuild want show` follows it
    RunNow {
        /// Its name
        name: String,
    },
}

/// Runs it.
///
/// # Errors
/// There is no such schedule.
pub fn run(global: &GlobalArgs, args: &SchedulesArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let path = |name: &str| format!("/api/v1/schedules/{}", url::segment(name));
    let change = |name: &str, what: &str| -> Result<(), CliError> {
        let now: ScheduleDetail = client.post(&format!("{}/{what}", path(name)), &RunSchedule {})?;
        if global.json {
            return output::json(&now);
        }
        output::talk(&format!("schedule {} is {}{}", now.row.name, now.row.state, next(&now.row)));
        Ok(())
    };
    match &args.command {
        None => {
            let list: ScheduleList = client.list("/api/v1/schedules", 0)?;
            if global.json {
                output::json(&list)?;
            } else {
                print(&list);
            }
        }
        Some(SchedulesCommand::Show { name, ticks }) => {
            let one: ScheduleDetail = client.get(&format!("{}?ticks={ticks}", path(name)))?;
            if global.json {
                output::json(&one)?;
            } else {
                show(&one);
            }
        }
        Some(SchedulesCommand::Pause { name }) => change(name, "pause")?,
        Some(SchedulesCommand::Resume { name }) => change(name, "resume")?,
        Some(SchedulesCommand::RunNow { name }) => {
            let made: WantDetail = client.post(&format!("{}/run", path(name)), &RunSchedule {})?;
            if global.json {
                output::json(&made)?;
            } else {
                let id = &made.want.id;
                output::talk(&format!(
                    "schedule {name} made {id}; `databuild want show {id}` tells how it goes"
                ));
            }
        }
    }
    Ok(exit_code::OK)
}

fn print(list: &ScheduleList) {
    if list.data.is_empty() {
        output::talk("the graph has no schedule; declare one with databuild_schedule, and list it in `schedules` of the graph");
        return;
    }
    let mut table = Table::new(&["SCHEDULE", "STATE", "NEXT", "FIRED", "LAST WANT", "WHEN", "TARGETS"]);
    for row in &list.data {
        table.row(vec![
            row.name.clone(),
            row.state.clone(),
            row.next_due.as_deref().map_or_else(|| "-".to_owned(), output::time),
            row.fired.to_string(),
            row.last_fired.as_ref().map_or_else(|| "-".to_owned(), |fired| fired.want.clone()),
            row.when.clone(),
            row.targets.join(" "),
        ]);
    }
    table.print();
    for row in &list.data {
        if let Some(skipped) = &row.last_skipped {
            output::talk(&format!("{} skipped {}", row.name, skips(skipped)));
        }
    }
}

fn show(one: &ScheduleDetail) {
    let row = &one.row;
    output::line(&format!("{} ({}): {}, {}", row.name, row.label, row.when, row.state));
    output::line(&format!("wants {} ({})", row.targets.join(", "), row.want_class));
    let within = as_declared(row.missed_within_seconds.saturating_mul(1000));
    output::line(&match row.missed.as_str() {
        "none" => "makes up for no tick that was missed".to_owned(),
        "last" => format!("makes up for the last tick that was missed, if that is at most {within} ago"),
        _ => format!("makes up for all ticks that were missed, if they are at most {within} ago"),
    });
    if row.jitter_seconds > 0 {
        output::line(&format!(
            "puts each tick off by up to {}",
            as_declared(row.jitter_seconds.saturating_mul(1000))
        ));
    }
    let of = row.times.map(|times| format!(" of {times}")).unwrap_or_default();
    output::line(&format!("fired {}{of}", output::count(row.fired, "tick")));
    if let Some(fired) = &row.last_fired {
        let tick = fired.tick.as_deref().map_or_else(|| "by hand".to_owned(), output::time);
        output::line(&format!("last: {tick}, {}", fired.want));
    }
    if let Some(skipped) = &row.last_skipped {
        output::line(&format!("last skipped: {}", skips(skipped)));
    }
    if let Some(at) = &row.paused_at {
        output::line(&format!("paused since {}", output::time(at)));
    }
    let (head, ticks) =
        (if row.paused_at.is_some() { "next, if it were resumed" } else { "next" }, &one.ticks);
    if !ticks.is_empty() {
        output::line(&format!("{head}:"));
        ticks.iter().for_each(|tick| output::line(&format!("  {}", output::time(tick))));
    }
}

fn next(row: &ScheduleRow) -> String {
    row.next_due.as_deref().map(|at| format!("; next: {}", output::time(at))).unwrap_or_default()
}

fn skips(skipped: &SkippedTicks) -> String {
    let ticks = match skipped.count {
        1 => format!("the tick of {}", output::time(&skipped.first)),
        count => {
            let (first, last) = (output::time(&skipped.first), output::time(&skipped.last));
            format!("{count} ticks from {first} to {last}")
        }
    };
    let meaning = skipped.meaning.trim_end_matches('.');
    let mut chars = meaning.chars();
    let meaning =
        chars.next().map(|first| first.to_lowercase().to_string() + chars.as_str()).unwrap_or_default();
    match skipped.message.as_str() {
        "" => format!("{ticks}: {meaning}"),
        message => format!("{ticks}: {meaning}: {message}"),
    }
}
