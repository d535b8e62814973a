//! `events`: the event log, or one event with all that it says.

use crate::api::{EventActor, EventCause, EventPage, EventRow};
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::cli::url;
use clap::Args;

/// Rows that are asked for at once.
const PAGE: usize = 1000;

/// Arguments of `events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// Show the event of this number, with all that it says
    #[arg(value_name = "NUMBER")]
    pub number: Option<u64>,
    /// Only events of these kinds: names with commas between them
    #[arg(long, value_name = "KINDS")]
    pub kind: Option<String>,
    /// Only what this person brought about; `system` for DataBuild itself
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Only events that speak of this run, or follow from it
    #[arg(long)]
    pub run: Option<String>,
    /// Only events that speak of this want, or follow from it
    #[arg(long)]
    pub want: Option<String>,
    /// Only events that follow from this run, this want, or the request of this id
    #[arg(long, value_name = "ID")]
    pub cause: Option<String>,
    /// Only events that speak of partitions of this dataset
    #[arg(long)]
    pub dataset: Option<String>,
    /// Only events that speak of any of these partitions
    #[arg(long = "ref", value_name = "REF")]
    pub reference: Option<String>,
    /// Only events that speak of this job, or of a run of it
    #[arg(long)]
    pub job: Option<String>,
    /// Show at most so many, the newest ones; 0 shows all
    #[arg(long, default_value_t = 20)]
    pub limit: usize,
}

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(global: &GlobalArgs, args: &EventsArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    if let Some(number) = args.number {
        let event: EventRow = client.get(&format!("/api/v1/events/{number}"))?;
        if global.json {
            output::json(&event)?;
        } else {
            detail(&event);
        }
        return Ok(exit_code::OK);
    }
    let mut path = "/api/v1/events?sort=newest".to_owned();
    let filters = [
        ("kind", &args.kind),
        ("actor", &args.actor),
        ("run", &args.run),
        ("want", &args.want),
        ("cause", &args.cause),
        ("dataset", &args.dataset),
        ("ref", &args.reference),
        ("job", &args.job),
    ];
    for (name, value) in filters {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", url::query_value(value)));
        }
    }
    let wanted = if args.limit == 0 { usize::MAX } else { args.limit };
    let (mut rows, mut before) = (Vec::new(), String::new());
    let last = loop {
        let limit = (wanted - rows.len()).min(PAGE);
        let mut page: EventPage = client.get(&format!("{path}&limit={limit}{before}"))?;
        rows.append(&mut page.data);
        match &page.next {
            // A page may have fewer rows than there are.
            Some(next) if rows.len() < wanted => before = format!("&before={next}"),
            _ => break page,
        }
    };
    if global.json {
        output::json(&EventPage { data: rows, ..last })?;
        return Ok(exit_code::OK);
    }
    let mut table = Table::new(&["EVENT", "AT", "BY", "KIND", "WHAT HAPPENED"]);
    for row in rows {
        table.row(vec![row.seq.to_string(), output::time(&row.at), by(&row.actor), row.kind, row.text]);
    }
    table.print();
    Ok(exit_code::OK)
}

fn by(actor: &EventActor) -> String {
    actor.name.clone().unwrap_or_else(|| actor.kind.clone())
}

fn detail(event: &EventRow) {
    output::line(&format!("{} {}  {}", event.seq, event.kind, output::time(&event.at)));
    output::line(&format!("  {}", event.text));
    let cause = match &event.cause {
        Some(EventCause { kind, id, client: Some(client) }) => format!(", for {kind} {id} of {client}"),
        Some(EventCause { kind, id, client: None }) => format!(", for {kind} {id}"),
        None => String::new(),
    };
    output::line(&format!("  by {}{cause}", by(&event.actor)));
    for (name, value) in event.data.as_object().into_iter().flatten() {
        output::line(&format!("  {name}: {value}"));
    }
}
