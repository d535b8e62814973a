//! Arguments that several commands have.

use super::paths;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use databuild_core::amounts::seconds_of;
use databuild_core::word::Word;
use std::path::PathBuf;

/// What help says above options that say which server is meant.
const SERVER: &str = "Server and settings";

/// The variable that names the server of another place.
const URL_VARIABLE: &str = "DATABUILD_SERVER_URL";

/// What every command can be told.
#[derive(Debug, Args)]
pub struct GlobalArgs {
    /// Print data as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Workspace folder (default: the one around the current folder)
    // The script of `shim` names one, which whoever calls it may overrule.
    #[arg(long, global = true, value_name = "DIR", overrides_with = "workspace", value_parser = paths::parser())]
    pub workspace: Option<PathBuf>,
    /// File of settings (default: databuild.toml of the workspace)
    #[arg(long, global = true, value_name = "FILE", value_parser = paths::parser(), help_heading = SERVER)]
    pub config: Option<PathBuf>,
    /// Folder of the server's state (default: .databuild of the workspace)
    #[arg(long, global = true, value_name = "DIR", value_parser = paths::parser(), help_heading = SERVER)]
    pub state_dir: Option<PathBuf>,
    /// Ask the server at this URL, not that of a workspace
    #[arg(long, global = true, value_name = "URL", env = URL_VARIABLE, hide_env_values = true, help_heading = SERVER)]
    pub server_url: Option<String>,
    /// File with the token for that server (else DATABUILD_SERVER_TOKEN has the token itself)
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "DATABUILD_TOKEN_FILE",
        hide_env_values = true,
        value_parser = paths::parser(),
        help_heading = SERVER
    )]
    pub token_file: Option<PathBuf>,
    /// When to use colors and progress bars
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto)]
    pub color: ColorChoice,
}

/// When to use colors and progress bars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// What a want is for, and until when.
#[derive(Debug, Args)]
pub struct PurposeArgs {
    /// What the want is for; kept with it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub comment: String,
    /// Give up after so many seconds
    #[arg(long, value_name = "SECONDS")]
    pub ttl: Option<u64>,
    /// Mark the want as late after so many seconds; nothing stops
    #[arg(long, value_name = "SECONDS")]
    pub sla: Option<u64>,
}

/// Whether to wait for the end of a want, and what to print of it.
#[derive(Debug, Args)]
pub struct WaitArgs {
    /// Do not wait for the end
    #[arg(long)]
    pub detach: bool,
    /// Print only the result, and what failed
    #[arg(long, short, conflicts_with = "detach")]
    pub quiet: bool,
}

/// Parses a word, and says in the help which there are.
pub fn word<W: Word + Send + Sync>() -> impl TypedValueParser<Value = W> {
    let words = W::ALL
        .iter()
        .map(|value| PossibleValue::new(value.word()).help(value.meaning().trim_end_matches('.')));
    // Others were refused before.
    PossibleValuesParser::new(words).try_map(|word| W::of_word(&word).ok_or_else(|| W::unknown(&word)))
}

/// A length of time with its unit, in seconds; not 0.
pub fn seconds(text: &str) -> Result<u64, String> {
    match seconds_of(text)? {
        0 => Err(format!("`{text}` is zero; give a longer time")),
        seconds => Ok(seconds),
    }
}
