//! Wants as several commands name and show them.

use super::client::Client;
use super::console::how_far;
use super::error::CliError;
use super::output;
use super::shared_args::GlobalArgs;
use super::url;
use crate::api::{Cancel, Canceled, WantDetail, WantRow};

/// Where wants are created.
pub const WANTS: &str = "/api/v1/wants";

/// Who asked for a want, and by which program.
fn asked_by(want: &WantRow) -> String {
    match want.source.as_str() {
        "" => want.by.clone(),
        program if program == want.by => want.by.clone(),
        program => format!("{} ({program})", want.by),
    }
}

/// Prints a want.
///
/// # Errors
/// A bug: it cannot be JSON.
pub fn print(global: &GlobalArgs, detail: &WantDetail) -> Result<(), CliError> {
    if global.json {
        return output::json(detail);
    }
    let want = &detail.want;
    let targets = output::shortened(&want.targets.join(" "));
    output::line(&format!("{} {}  {targets}", want.id, standing(want)));
    output::line(&format!("  {}, --refresh {}, by {}", want.class, want.refresh, asked_by(want)));
    if !want.comment.is_empty() {
        output::line(&format!("  for: {}", want.comment));
    }
    if let Some(archive) = &detail.archive {
        output::line(&format!("  archived in {archive}"));
    }
    if let Some(progress) = &detail.progress {
        output::line(&format!("  {}", how_far(progress)));
        for job in &progress.jobs {
            let (remaining, running) = (output::number(job.remaining), output::number(job.running));
            output::line(&format!("  {}  {remaining} to do, {running} running", job.job));
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

/// Cancels a want, and prints what came of it.
///
/// # Errors
/// There is no such want.
pub fn cancel(global: &GlobalArgs, client: &Client, id: &str) -> Result<(), CliError> {
    let done: Canceled<WantDetail> = client.delete(&format!("{WANTS}/{}", url::segment(id)))?;
    let want = &done.of.want;
    match done.outcome {
        _ if global.json => output::json(&done),
        Cancel::Canceled => print(global, &done.of),
        _ => {
            output::line(&format!("{} is over already: {}", want.id, want.state));
            Ok(())
        }
    }
}

/// The state of a want, in words.
pub fn standing(want: &WantRow) -> String {
    let mut text = want.state.clone();
    for (is, word) in [(want.paused, ", paused"), (want.late, ", late")] {
        if is {
            text.push_str(word);
        }
    }
    text
}
