//! `cancel`: a want, a run or a trial, by its id.

use super::super::args::{CancelArgs, Cli};
use super::super::connect;
use super::super::error::CliError;
use super::super::wants::print;
use super::super::{exit_code, output};
use crate::api::{RunDetail, TrialDetail, WantDetail};
use databuild_core::ids::{RunId, TrialId, WantId};

/// Runs it.
///
/// # Errors
/// Not an id, or nothing live of that id.
pub fn run(cli: &Cli, args: &CancelArgs) -> Result<u8, CliError> {
    let is_want = args.id.parse::<WantId>().is_ok();
    let is_trial = args.id.parse::<TrialId>().is_ok();
    if !is_want && !is_trial && args.id.parse::<RunId>().is_err() {
        return Err(CliError::new("bad_id", format!("`{}` is neither a want, a run nor a trial", args.id))
            .hint("write w3 for a want, r12 for a run, t3 for a trial"));
    }
    let client = connect::connect(cli)?;
    if is_want {
        let want: WantDetail = client.delete(&format!("/api/v1/wants/{}", output::segment(&args.id)))?;
        print(cli, &want)?;
    } else if is_trial {
        let trial: TrialDetail = client.delete(&format!("/api/v1/trials/{}", output::segment(&args.id)))?;
        if cli.json {
            output::json(&trial)?;
        } else {
            output::line(&format!("{} is canceled", trial.trial.id));
        }
    } else {
        let run: RunDetail = client.delete(&format!("/api/v1/runs/{}", output::segment(&args.id)))?;
        if cli.json {
            output::json(&run)?;
        } else {
            output::line(&format!("{} is to stop", run.run.id));
        }
    }
    Ok(exit_code::OK)
}
