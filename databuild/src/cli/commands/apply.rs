//! `apply`: a want that does what a plan says, and waiting for it.

use super::super::args::{ApplyArgs, Cli};
use super::super::error::CliError;
use super::super::follow::{follow, Following};
use super::super::steady::post_once;
use super::super::wants::{print, SOURCE};
use super::super::{connect, exit_code, interrupt, output};
use crate::api::{ApplyPlan, SlotsRequest, WantDetail};
use databuild_core::word::Word as _;

/// Runs it.
///
/// # Errors
/// The plan is refused, or the want fails or cannot be followed.
pub fn run(cli: &Cli, args: &ApplyArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    if let Some(jobs) = args.jobs {
        client.put("/api/v1/server/slots", &SlotsRequest { slots: jobs as usize })?;
    }
    let request = ApplyPlan {
        class: Some(args.class.word().to_owned()),
        ttl_seconds: args.ttl,
        sla_seconds: args.sla,
        comment: args.comment.clone(),
        source: Some(SOURCE.to_owned()),
    };
    let path = format!("/api/v1/plans/{}/apply", output::segment(&args.plan));
    // Before anything can begin that somebody might want to interrupt.
    interrupt::on_ctrl_c()?;
    let (want, later): (WantDetail, _) = post_once(cli, &client, &path, &request)?;
    if args.detach {
        return print(cli, &want).map(|()| exit_code::OK);
    }
    let how = Following { quiet: args.quiet, private: false };
    follow(cli, later.as_ref().unwrap_or(&client), &want, how)
}
