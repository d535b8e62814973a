//! `ui`: the pages in a browser, signed in by a link that is good once.

use crate::api::SignInLink;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::{exit_code, output};
use clap::Args;
use serde::Serialize;
use std::process::{Command, Stdio};

/// What opens a browser, by what desktops have.
const OPENERS: [&str; 3] = ["xdg-open", "open", "wslview"];

/// Arguments of `ui`.
#[derive(Debug, Args)]
pub struct UiArgs {
    /// Only print the link
    #[arg(long)]
    pub no_open: bool,
}

/// What `--json` says.
#[derive(Debug, Serialize)]
struct Shown {
    url: String,
    valid_seconds: u64,
}

/// Runs it.
///
/// # Errors
/// The server cannot be reached.
pub fn run(global: &GlobalArgs, args: &UiArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let link: SignInLink = client.post("/api/v1/sign-in-links", &serde_json::json!({}))?;
    let url = format!("{}{}", client.url(), link.path.unwrap_or_default());
    if global.json {
        output::json(&Shown { url, valid_seconds: link.valid_seconds })?;
        return Ok(exit_code::OK);
    }
    output::line(&url);
    if !args.no_open && opened(&url) {
        output::talk("opened it in the browser");
    } else {
        output::talk(&format!("open it within {} s; it is good once", link.valid_seconds));
    }
    Ok(exit_code::OK)
}

/// Whether a browser was told to open this. What the browser says is not ours to show.
fn opened(url: &str) -> bool {
    let open = |program: &&str| {
        let mut command = Command::new(program);
        command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    OPENERS.iter().any(open)
}
