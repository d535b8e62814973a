//! `why`: the reason for a partition's state.

use super::super::args::{Cli, WhyArgs};
use super::super::connect;
use super::super::error::CliError;
use super::super::{exit_code, output};
use crate::api::{InputUsed, Why};

/// Inputs shown.
const SHOWN: usize = 10;

/// Runs it.
///
/// # Errors
/// The reference means none or many partitions.
pub fn run(cli: &Cli, args: &WhyArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let why: Why = client.get(&format!("/api/v1/why?partition={}", output::encode(&args.partition)))?;
    if cli.json {
        output::json(&why)?;
        return Ok(exit_code::OK);
    }
    output::line(&why.summary);
    if let (Some(job), Some(run), Some(at)) = (&why.job, &why.run, &why.built_at) {
        output::line(&format!("  built by {run} of {job} at {}", output::time(at)));
    }
    for cause in &why.causes {
        for file in &cause.files {
            let via =
                if file.via.len() > 1 { format!("  ({})", file.via.join(" -> ")) } else { String::new() };
            output::line(&format!("  {} {}{via}", file.change, file.path));
        }
        for input in cause.inputs.iter().take(SHOWN) {
            output::line(&format!("  {}", versions(input)));
        }
        if cause.inputs.len() > SHOWN {
            output::line(&format!("  and {} more inputs", cause.inputs.len() - SHOWN));
        }
    }
    if why.causes.is_empty() {
        for input in why.inputs.iter().take(SHOWN) {
            output::line(&format!("  from {} {}", input.partition, short(input.now.as_deref())));
        }
        if why.inputs.len() > SHOWN {
            output::line(&format!("  and {} more inputs", why.inputs.len() - SHOWN));
        }
    }
    Ok(exit_code::OK)
}

fn versions(input: &InputUsed) -> String {
    format!("{}: {} then, {} now", input.partition, short(input.then.as_deref()), short(input.now.as_deref()))
}

/// The beginning of a data version is enough for an eye.
fn short(version: Option<&str>) -> String {
    version.map_or_else(|| "absent".to_owned(), |version| version.chars().take(19).collect())
}
