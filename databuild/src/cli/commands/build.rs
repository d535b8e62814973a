//! `build`: a want, and waiting for it.

use super::super::args::{BuildArgs, Cli};
use super::super::client::Client;
use super::super::connect;
use super::super::error::CliError;
use super::super::follow::{follow, Following};
use super::super::wants::{create, print, request, WANTS};
use super::super::{exit_code, interrupt};
use crate::api::SlotsRequest;
use crate::serve::PRIVATE_SOURCE;

/// Runs it.
///
/// # Errors
/// The want is refused, fails or cannot be followed.
pub fn run(cli: &Cli, args: &BuildArgs) -> Result<u8, CliError> {
    if args.no_daemon {
        let private = connect::connect_privately(cli)?;
        let result = build(cli, args, private.client());
        private.stop()?;
        return result;
    }
    build(cli, args, &connect::connect(cli)?)
}

fn build(cli: &Cli, args: &BuildArgs, client: &Client) -> Result<u8, CliError> {
    if let Some(jobs) = args.jobs {
        client.put("/api/v1/server/slots", &SlotsRequest { slots: jobs as usize })?;
    }
    // Before anything can begin that somebody might want to interrupt.
    interrupt::on_ctrl_c()?;
    let (want, later) = if args.no_daemon {
        // Nobody has another server like this one.
        (client.post(WANTS, &request(args, PRIVATE_SOURCE))?, None)
    } else {
        create(cli, client, args)?
    };
    if args.detach {
        return print(cli, &want).map(|()| exit_code::OK);
    }
    let how = Following { quiet: args.quiet, private: args.no_daemon };
    follow(cli, later.as_ref().unwrap_or(client), &want, how)
}
