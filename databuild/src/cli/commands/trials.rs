//! `compare`, `verify`, `rerun` and `trials`: work repeated, and what came of it.

use crate::api::{CreateTrial, Page, RerunTrial, SampleTrial, TrialDetail, TrialRow};
use crate::cli::client::Client;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::output::{self, Table};
use crate::cli::paths;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::steady::{post_once, Steady};
use crate::cli::url;
use crate::cli::{exit_code, interrupt};
use clap::Args;
use std::path::PathBuf;

/// How long one request for the end waits on the server.
const POLL_MS: u64 = 1000;
/// Digits of a data version that are shown.
const SHORT: usize = 15;

/// How much a trial repeats.
#[derive(Debug, Args)]
pub struct SampleArgs {
    /// How many partitions, spread evenly; at most 100
    #[arg(long, value_name = "N", default_value_t = 5)]
    pub sample: usize,
    /// Do not wait for the end
    #[arg(long)]
    pub detach: bool,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// The job: its label, or a name that only one has
    pub job: String,
    /// Choose only among these references (can be repeated)
    #[arg(value_name = "REF")]
    pub targets: Vec<String>,
    /// How much
    #[command(flatten)]
    pub sample: SampleArgs,
}

/// Arguments of `verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// References of what one job makes (can be repeated); or the label of a job, such as //:ingest
    #[arg(required = true, value_name = "REF|JOB")]
    pub what: Vec<String>,
    /// How much
    #[command(flatten)]
    pub sample: SampleArgs,
}

/// Arguments of `rerun`.
#[derive(Debug, Args)]
pub struct RerunArgs {
    /// The run, such as r12
    pub run: String,
    /// Use the code, arguments and parameters of that run; publish nothing
    #[arg(long)]
    pub exact: bool,
    /// Copy the outputs to this folder
    #[arg(long, value_name = "FOLDER", value_parser = paths::parser())]
    pub keep: Option<PathBuf>,
    /// Do not wait for the end
    #[arg(long)]
    pub detach: bool,
}

/// Arguments of `trials`.
#[derive(Debug, Args)]
pub struct TrialsArgs {
    /// Show this trial, such as t3
    pub id: Option<String>,
}

/// Runs `compare`.
///
/// # Errors
/// It is refused, or cannot be followed.
pub fn compare(global: &GlobalArgs, args: &CompareArgs) -> Result<u8, CliError> {
    let asked = SampleTrial {
        job: Some(args.job.clone()),
        targets: args.targets.clone(),
        sample: Some(args.sample.sample),
    };
    run(global, &CreateTrial::Compare(asked), args.sample.detach)
}

/// Runs `verify`.
///
/// # Errors
/// As [`compare`].
pub fn verify(global: &GlobalArgs, args: &VerifyArgs) -> Result<u8, CliError> {
    // A label has a colon before any `=`, and no reference has; a name alone is a job's if one has it.
    let is_label = |text: &str| text.starts_with("//") || text.starts_with(':');
    let (job, targets) = match args.what.as_slice() {
        [job, targets @ ..] if is_label(job) => (Some(job.clone()), targets.to_vec()),
        targets => (None, targets.to_vec()),
    };
    let asked = SampleTrial { job, targets, sample: Some(args.sample.sample) };
    run(global, &CreateTrial::Verify(asked), args.sample.detach)
}

/// Runs `rerun`.
///
/// # Errors
/// As [`compare`]; it must be exact.
pub fn rerun(global: &GlobalArgs, args: &RerunArgs) -> Result<u8, CliError> {
    if !args.exact {
        let message =
            "`rerun` only repeats a run exactly as it was, and publishes nothing: give it `--exact`";
        return Err(CliError::new("not_exact", message)
            .hint("to make its partitions anew, `build` them with `--refresh all`, or `invoke` their job"));
    }
    let keep = match &args.keep {
        None => None,
        Some(folder) => {
            let absolute = std::path::absolute(folder)
                .map_err(|error| CliError::new("bad_folder", format!("`{}`: {error}", folder.display())))?;
            Some(absolute.to_string_lossy().into_owned())
        }
    };
    let asked = RerunTrial { run: args.run.clone(), keep };
    run(global, &CreateTrial::Rerun(asked), args.detach)
}

/// Runs `trials`.
///
/// # Errors
/// No such trial.
pub fn list(global: &GlobalArgs, args: &TrialsArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    if let Some(id) = &args.id {
        let trial: TrialDetail = client.get(&format!("/api/v1/trials/{}", url::segment(id)))?;
        print(global, &trial)?;
        return Ok(exit_code::OK);
    }
    let page: Page<TrialRow> = client.list("/api/v1/trials", 0)?;
    if global.json {
        output::json(&page)?;
        return Ok(exit_code::OK);
    }
    let mut table = Table::new(&["TRIAL", "KIND", "STATE", "CREATED", "JOB", "PARTITIONS"]);
    for trial in page.data {
        let count = output::count(trial.partitions.len() as u64, "partition");
        let what = trial.run.unwrap_or(count);
        table.row(vec![trial.id, trial.kind, trial.state, output::time(&trial.created_at), trial.job, what]);
    }
    table.print();
    Ok(exit_code::OK)
}

fn run(global: &GlobalArgs, request: &CreateTrial, detach: bool) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let (trial, later): (TrialDetail, _) = post_once(global, &client, "/api/v1/trials", request)?;
    if detach {
        print(global, &trial)?;
        return Ok(exit_code::OK);
    }
    follow(global, later.as_ref().unwrap_or(&client), trial)
}

/// Waits for a trial's end and shows what it found.
fn follow(global: &GlobalArgs, client: &Client, mut trial: TrialDetail) -> Result<u8, CliError> {
    interrupt::on_ctrl_c()?;
    let id = trial.trial.id.clone();
    let mut server = Steady::new(global, client, &id);
    let mut told = None;
    while trial.trial.state == "running" {
        if interrupt::happened() {
            output::talk(&format!("detached; {id} goes on in the server"));
            output::talk(&format!("  stop it:   databuild cancel {id}"));
            output::talk(&format!("  see it:    databuild trials {id}"));
            return Ok(exit_code::INTERRUPTED);
        }
        let at = (trial.trial.done, trial.trial.runs);
        if told != Some(at) && !global.json {
            output::talk(&format!("{id}: {} of {} runs are over", at.0, at.1));
            told = Some(at);
        }
        trial = server.get(&format!("/api/v1/trials/{id}?wait_ms={POLL_MS}"))?;
    }
    print(global, &trial)?;
    Ok(if trial.trial.state == "equal" { exit_code::OK } else { exit_code::WORK_FAILED })
}

fn print(global: &GlobalArgs, detail: &TrialDetail) -> Result<(), CliError> {
    if global.json {
        return output::json(detail);
    }
    let trial = &detail.trial;
    let what = trial.run.clone().unwrap_or_else(|| trial.job.clone());
    output::line(&format!("{} {} of {what}: {}", trial.id, trial.kind, summary(detail)));
    if trial.state == "running" {
        trial.partitions.iter().for_each(|partition| output::line(&format!("  {partition}")));
    }
    let short = |version: &Option<String>| match version {
        Some(version) => version.chars().take(SHORT).collect(),
        None => "nothing".to_owned(),
    };
    for result in &detail.results {
        let mut line = format!("  {}  {}", result.verdict.replace('_', " "), result.partition);
        if result.then != result.now {
            line.push_str(&format!(
                "  {} ({} bytes) and {} ({} bytes)",
                short(&result.then),
                result.then_bytes,
                short(&result.now),
                result.now_bytes
            ));
        }
        if !result.message.is_empty() {
            line.push_str(&format!("  {}", result.message));
        }
        output::line(&line);
        if result.verdict == "failed" {
            result.runs.last().iter().for_each(|run| output::line(&format!("    see databuild logs {run}")));
        }
    }
    if !detail.changed_inputs.is_empty() {
        output::line(&format!("  inputs that have changed since: {}", detail.changed_inputs.join(", ")));
    }
    if let Some(folder) = detail.keep.as_ref().filter(|_| trial.state != "running") {
        output::line(&format!("  outputs are in {folder}"));
    }
    if (trial.kind.as_str(), trial.state.as_str()) == ("compare", "equal") {
        output::line("all sampled outputs are identical; to keep the existing partitions:");
        output::line(&format!(
            "  databuild accept --job {} --reason TEXT --evidence {}",
            trial.job, trial.id
        ));
    }
    Ok(())
}

fn summary(detail: &TrialDetail) -> String {
    let trial = &detail.trial;
    let outputs = output::count(detail.results.len() as u64, "output");
    let bad = detail.results.iter().filter(|result| result.verdict != "equal").count();
    let which = match detail.results.len() {
        1 => "its output".to_owned(),
        all => format!("{bad} of {all} outputs"),
    };
    match (trial.state.as_str(), trial.kind.as_str()) {
        ("running", _) => format!("under way, {} of {} runs are over", trial.done, trial.runs),
        ("canceled", _) => "canceled".to_owned(),
        ("equal", "verify") => format!("deterministic; {outputs}, the same bytes twice"),
        ("equal", _) => format!("equal; {outputs}, the same bytes"),
        ("differs", "verify") => format!("not deterministic; the two outputs differ: {which}"),
        ("differs", _) => format!("differs; the outputs are not the same: {which}"),
        _ => format!("unknown; without a verdict: {which}"),
    }
}
