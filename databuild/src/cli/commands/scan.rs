//! `scan`: looks at all files.

use crate::api::{CountedSet, NotObserved, ScanReply, ScanRequest};
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{exit_code, output};
use clap::Args;
use databuild_core::text::and_more;
use std::io::IsTerminal as _;

/// References shown of each kind.
const SHOWN: usize = 20;

/// Arguments of `scan`.
#[derive(Debug, Args)]
pub struct ScanArgs {
    /// References (can be repeated); everything, if left out
    #[arg(value_name = "REF")]
    pub targets: Vec<String>,
    /// Read the content of each file, whatever its size and time say
    #[arg(long)]
    pub deep: bool,
}

/// Runs it, an answer after the other. With `--json` each answer is a line.
///
/// # Errors
/// A reference that cannot be resolved.
pub fn run(global: &GlobalArgs, args: &ScanArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let terminal = std::io::stderr().is_terminal();
    let mut all = ScanReply::default();
    let mut cursor = None;
    loop {
        let body = ScanRequest { targets: args.targets.clone(), deep: args.deep, cursor, limit: None };
        let reply: ScanReply = client.post("/api/v1/scan", &body)?;
        if global.json {
            output::json_line(&reply)?;
        }
        all.looked += reply.looked;
        gather(&mut all.missing, &reply.missing);
        gather(&mut all.altered, &reply.altered);
        gather(&mut all.changed, &reply.changed);
        all.known += reply.known;
        all.not_observed.extend(reply.not_observed);
        if reply.next.is_none() {
            break;
        }
        if terminal {
            output::mutter(format!("\rlooked at {} of {}", all.looked, reply.total));
        }
        cursor = reply.next;
    }
    if terminal {
        output::mutter("\r\u{1b}[K");
    }
    let code = if all.not_observed.is_empty() { exit_code::OK } else { exit_code::WORK_FAILED };
    if global.json {
        return Ok(code);
    }
    let unseen: u64 = all.not_observed.iter().map(|look| look.partitions.count).sum();
    let known = if all.known > 0 { format!(" ({} known before)", all.known) } else { String::new() };
    let unseen = if unseen > 0 { format!(", {unseen} not observed") } else { String::new() };
    output::line(&format!(
        "looked at {}: {} missing, {} altered{known}, {} external changed{unseen}",
        output::count(all.looked, "partition"),
        all.missing.count,
        all.altered.count,
        all.changed.count
    ));
    for (what, found) in [("missing", &all.missing), ("altered", &all.altered), ("changed", &all.changed)] {
        for partition in found.partitions.iter().take(SHOWN) {
            output::line(&format!("  {what} {partition}"));
        }
        if found.partitions.len() > SHOWN {
            output::line(&format!("  and {} more {what}", found.partitions.len() - SHOWN));
        }
    }
    show_not_observed(&all.not_observed);
    Ok(code)
}

/// A line for each reason, up to some.
pub(super) fn show_not_observed(looks: &[NotObserved]) {
    for look in looks.iter().take(SHOWN) {
        let more = and_more(look.partitions.count.saturating_sub(1) as usize);
        let first = look.partitions.partitions.first().map(String::as_str).unwrap_or_default();
        output::line(&format!("  not observed {first}{more}: {}", look.message));
    }
    if looks.len() > SHOWN {
        output::line(&format!("  and {} more reasons", looks.len() - SHOWN));
    }
}

fn gather(all: &mut CountedSet, more: &CountedSet) {
    all.count += more.count;
    all.partitions.extend(more.partitions.iter().cloned());
}
