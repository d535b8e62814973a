//! Creating and showing wants, for the commands that do.

use super::args::{BuildArgs, Cli};
use super::client::Client;
use super::error::CliError;
use super::output;
use super::steady::post_once;
use crate::api::{CreateWant, WantDetail, WantRow};
use databuild_core::word::Word as _;

/// The source of wants of the command line.
pub const SOURCE: &str = "cli";
/// Where wants are created.
pub const WANTS: &str = "/api/v1/wants";

/// Creates the want that the arguments ask for. See [`post_once`] for what is returned.
///
/// # Errors
/// As [`post_once`].
pub fn create(
    cli: &Cli,
    client: &Client,
    args: &BuildArgs,
) -> Result<(WantDetail, Option<Client>), CliError> {
    post_once(cli, client, WANTS, &request(args, SOURCE))
}

/// The request that the arguments make.
pub fn request(args: &BuildArgs, source: &str) -> CreateWant {
    CreateWant {
        targets: args.targets.clone(),
        class: Some(args.class.word().to_owned()),
        refresh: Some(args.refresh.word().to_owned()),
        as_of: args.as_of.clone(),
        ttl_seconds: args.ttl,
        sla_seconds: args.sla,
        comment: args.comment.clone(),
        source: Some(source.to_owned()),
        graph: None,
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
