//! `apply`: a want that does what a plan says, and waiting for it.

use crate::api::{ApplyPlan, SlotsRequest, WantDetail};
use crate::cli::error::CliError;
use crate::cli::follow::{follow, Following};
use crate::cli::shared_args::{word, GlobalArgs, PurposeArgs, WaitArgs};
use crate::cli::steady::post_once;
use crate::cli::url;
use crate::cli::wants::print;
use crate::cli::{connect, exit_code, interrupt};
use clap::Args;
use databuild_core::event::PriorityClass;
use databuild_core::word::Word as _;

/// Arguments of `apply`.
#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The plan, such as p7
    pub plan: String,
    /// Priority: backfill goes when nothing interactive can
    #[arg(long, value_parser = word::<PriorityClass>(), default_value = PriorityClass::Interactive.word())]
    pub class: PriorityClass,
    /// Attempts that may run at once, in this server from now on
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// What it is for, and until when
    #[command(flatten)]
    pub purpose: PurposeArgs,
    /// Whether to wait
    #[command(flatten)]
    pub wait: WaitArgs,
}

/// Runs it.
///
/// # Errors
/// The plan is refused, or the want fails or cannot be followed.
pub fn run(global: &GlobalArgs, args: &ApplyArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    if let Some(jobs) = args.jobs {
        client.put("/api/v1/server/slots", &SlotsRequest { slots: jobs as usize })?;
    }
    let request = ApplyPlan {
        class: Some(args.class.word().to_owned()),
        ttl_seconds: args.purpose.ttl,
        sla_seconds: args.purpose.sla,
        comment: args.purpose.comment.clone(),
    };
    let path = format!("/api/v1/plans/{}/apply", url::segment(&args.plan));
    // Before anything can begin that somebody might want to interrupt.
    interrupt::on_ctrl_c()?;
    let (want, later): (WantDetail, _) = post_once(global, &client, &path, &request)?;
    if args.wait.detach {
        return print(global, &want).map(|()| exit_code::OK);
    }
    let how = Following { quiet: args.wait.quiet, private: false };
    follow(global, later.as_ref().unwrap_or(&client), &want, how)
}
