//! `invoke`: one job by hand, and waiting for it.

use super::super::args::{Cli, InvokeArgs};
use super::super::error::CliError;
use super::super::follow::{follow, Following};
use super::super::steady::post_once;
use super::super::wants::{print, SOURCE};
use super::super::{connect, exit_code, interrupt};
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
        source: Some(SOURCE.to_owned()),
        graph: None,
    };
    // Before anything can begin that somebody might want to interrupt.
    interrupt::on_ctrl_c()?;
    let (want, later): (WantDetail, _) = post_once(cli, &client, "/api/v1/jobs/invoke", &request)?;
    if args.detach {
        return print(cli, &want).map(|()| exit_code::OK);
    }
    let how = Following { quiet: args.quiet, private: false };
    follow(cli, later.as_ref().unwrap_or(&client), &want, how)
}
