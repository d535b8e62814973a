//! `cancel`: a want, a run or a trial, by its id.

use crate::api::{Cancel, Canceled, RunDetail, TrialDetail};
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::url;
use crate::cli::wants::cancel;
use crate::cli::{exit_code, output};
use clap::Args;
use databuild_core::ids::{RunId, TrialId, WantId};

/// Arguments of `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// The want, run or trial, such as w3, r12 or t3
    pub id: String,
}

/// Runs it.
///
/// # Errors
/// Not an id, or nothing of that id.
pub fn run(global: &GlobalArgs, args: &CancelArgs) -> Result<u8, CliError> {
    let is_want = args.id.parse::<WantId>().is_ok();
    let is_trial = args.id.parse::<TrialId>().is_ok();
    if !is_want && !is_trial && args.id.parse::<RunId>().is_err() {
        return Err(CliError::new("bad_id", format!("`{}` is neither a want, a run nor a trial", args.id))
            .hint("write w3 for a want, r12 for a run, t3 for a trial"));
    }
    let client = connect::connect(global)?;
    if is_want {
        cancel(global, &client, &args.id)?;
    } else if is_trial {
        let done: Canceled<TrialDetail> =
            client.delete(&format!("/api/v1/trials/{}", url::segment(&args.id)))?;
        let trial = &done.of.trial;
        match done.outcome {
            _ if global.json => output::json(&done)?,
            Cancel::Canceled => output::line(&format!("{} is canceled", trial.id)),
            _ => output::line(&format!("{} is over already: {}", trial.id, trial.state)),
        }
    } else {
        let done: Canceled<RunDetail> = client.delete(&format!("/api/v1/runs/{}", url::segment(&args.id)))?;
        let run = &done.of.run;
        match done.outcome {
            _ if global.json => output::json(&done)?,
            Cancel::Canceled => output::line(&format!("{} is to stop", run.id)),
            _ => output::line(&format!("{} is over already: {}", run.id, run.state)),
        }
    }
    Ok(exit_code::OK)
}
