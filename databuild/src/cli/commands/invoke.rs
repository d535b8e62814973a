//! `invoke`: one job by hand, and waiting for it.

use crate::api::{InvokeJob, WantDetail};
use crate::cli::error::CliError;
use crate::cli::follow::{follow, Following};
use crate::cli::shared_args::{word, GlobalArgs, PurposeArgs, WaitArgs};
use crate::cli::steady::post_once;
use crate::cli::wants::print;
use crate::cli::{connect, exit_code, interrupt};
use clap::Args;
use databuild_core::event::PriorityClass;
use databuild_core::word::Word as _;
use std::collections::BTreeMap;

/// Arguments of `invoke`.
#[derive(Debug, Args)]
pub struct InvokeArgs {
    /// The job: its label, or a name that only one has, such as ingest
    pub job: String,
    /// References of partitions that it makes (can be repeated)
    #[arg(required = true, value_name = "REF")]
    pub targets: Vec<String>,
    /// Value of a parameter that the job declares (can be repeated)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub params: Vec<(String, String)>,
    /// Priority: backfill goes when nothing interactive can
    #[arg(long, value_parser = word::<PriorityClass>(), default_value = PriorityClass::Interactive.word())]
    pub class: PriorityClass,
    /// Read key spaces as of this instant
    #[arg(long, value_name = "TIME")]
    pub as_of: Option<String>,
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
/// It is refused, fails or cannot be followed.
pub fn run(global: &GlobalArgs, args: &InvokeArgs) -> Result<u8, CliError> {
    let mut params = BTreeMap::new();
    for (name, value) in &args.params {
        if params.insert(name.clone(), value.clone()).is_some() {
            let message = format!("parameter `{name}` is given twice");
            return Err(CliError::new("param_twice", message).hint("give each one value"));
        }
    }
    let client = connect::connect_with_graph(global)?;
    let request = InvokeJob {
        job: args.job.clone(),
        targets: args.targets.clone(),
        params,
        class: Some(args.class.word().to_owned()),
        as_of: args.as_of.clone(),
        ttl_seconds: args.purpose.ttl,
        sla_seconds: args.purpose.sla,
        comment: args.purpose.comment.clone(),
        graph: None,
    };
    // Before anything can begin that somebody might want to interrupt.
    interrupt::on_ctrl_c()?;
    let (want, later): (WantDetail, _) = post_once(global, &client, "/api/v1/jobs/invoke", &request)?;
    if args.wait.detach {
        return print(global, &want).map(|()| exit_code::OK);
    }
    let how = Following { quiet: args.wait.quiet, private: false };
    follow(global, later.as_ref().unwrap_or(&client), &want, how)
}

/// A parameter with its value; the value may have further `=`.
fn name_and_value(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}
