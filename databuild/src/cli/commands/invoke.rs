//! `invoke`: one job by hand, and waiting for it.

use super::super::args::{Cli, InvokeArgs};
use super::super::connect;
use super::super::error::CliError;
use super::super::exit_code;
use super::super::steady::post_once;
use crate::api::{InvokeJob, WantDetail};
use databuild_core::word::Word as _;
use std::collections::BTreeMap;

/// Runs it.
///
/// # Errors
/// It is refused, fails or cannot be followed.
pub fn run(cli: &Cli, args: &InvokeArgs) -> Result<u8, CliError> {
    let mut params = BTreeMap::new();
    for (name, value) in &args.params {
        if params.insert(name.clone(), value.clone()).is_some() {
            let message = format!("parameter `{name}` is given twice");
            return Err(CliError::new("param_twice", message).hint("give each one value"));
        }
    }
    let client = connect::connect(cli)?;
    let request = InvokeJob {
        job: args.job.clone(),
        targets: args.targets.clone(),
        params,
        class: Some(args.class.word().to_owned()),
        as_of: args.as_of.clone(),
        ttl_seconds: args.ttl,
        sla_seconds: args.sla,
        comment: args.comment.clone(),
        source: Some("cli".to_owned()),
        graph: None,
    };
    let (want, later): (WantDetail, _) = post_once(cli, &client, "/api/v1/jobs/invoke", &request)?;
    if args.detach {
        return super::want::print(cli, &want).map(|()| exit_code::OK);
    }
    let how = super::build::Following { quiet: args.quiet, private: false };
    super::build::follow(cli, later.as_ref().unwrap_or(&client), &want, how)
}
