//! `build`: a want, and waiting for it.

use crate::api::{CreateWant, SlotsRequest};
use crate::cli::client::Client;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::follow::{follow, Following};
use crate::cli::shared_args::{word, GlobalArgs, PurposeArgs, WaitArgs};
use crate::cli::steady::post_once;
use crate::cli::wants::{print, WANTS};
use crate::cli::{exit_code, interrupt};
use clap::Args;
use databuild_core::event::{PriorityClass, Refresh};
use databuild_core::word::Word as _;

/// Arguments of `build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// References such as temps/city=seattle/date=2010-06-01..2010-06-30 (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// What to do with partitions that exist
    #[arg(long, value_parser = word::<Refresh>(), default_value = Refresh::Stale.word())]
    pub refresh: Refresh,
    /// Priority: backfill goes when nothing interactive can
    #[arg(long, value_parser = word::<PriorityClass>(), default_value = PriorityClass::Interactive.word())]
    pub class: PriorityClass,
    /// Attempts that may run at once, in this server from now on
    #[arg(long, short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub jobs: Option<u32>,
    /// Read key spaces as of this instant
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
    /// What it is for, and until when
    #[command(flatten)]
    pub purpose: PurposeArgs,
    /// Whether to wait
    #[command(flatten)]
    pub wait: WaitArgs,
    /// Use a server of this command's own, and leave nothing running
    #[arg(long, conflicts_with = "detach")]
    pub no_daemon: bool,
}

impl BuildArgs {
    /// The request for this want, by whom `source` names.
    pub fn request(&self) -> CreateWant {
        CreateWant {
            targets: self.targets.clone(),
            class: Some(self.class.word().to_owned()),
            refresh: Some(self.refresh.word().to_owned()),
            as_of: self.as_of.clone(),
            ttl_seconds: self.purpose.ttl,
            sla_seconds: self.purpose.sla,
            comment: self.purpose.comment.clone(),
            graph: None,
        }
    }
}

/// Runs it.
///
/// # Errors
/// The want is refused, fails or cannot be followed.
pub fn run(global: &GlobalArgs, args: &BuildArgs) -> Result<u8, CliError> {
    if args.no_daemon {
        let private = connect::connect_privately(global)?;
        let result = build(global, args, private.client());
        private.stop()?;
        return result;
    }
    build(global, args, &connect::connect_with_graph(global)?)
}

fn build(global: &GlobalArgs, args: &BuildArgs, client: &Client) -> Result<u8, CliError> {
    if let Some(jobs) = args.jobs {
        client.put("/api/v1/server/slots", &SlotsRequest { slots: jobs as usize })?;
    }
    // Before anything can begin that somebody might want to interrupt.
    interrupt::on_ctrl_c()?;
    let (want, later) = if args.no_daemon {
        // Nobody has another server like this one.
        (client.post(WANTS, &args.request())?, None)
    } else {
        post_once(global, client, WANTS, &args.request())?
    };
    if args.wait.detach {
        return print(global, &want).map(|()| exit_code::OK);
    }
    let how = Following { quiet: args.wait.quiet, private: args.no_daemon };
    follow(global, later.as_ref().unwrap_or(client), &want, how)
}
