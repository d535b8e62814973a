//! `token`: who may ask the server for what.

use crate::api::{CreateToken, NewToken, TokenList, TokenRow};
use crate::cli::error::CliError;
use crate::cli::shared_args::{seconds, word, GlobalArgs};
use crate::cli::{connect, exit_code, output, url};
use clap::{Args, Subcommand};
use databuild_core::event::Scope;
use databuild_core::word::Word as _;

/// Arguments of `token`.
#[derive(Debug, Args)]
pub struct TokenArgs {
    /// What to do
    #[command(subcommand)]
    pub command: TokenCommand,
}

/// What to do with tokens.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Create one and print it; it is never told again
    Create(CreateArgs),
    /// List all that there ever were
    List,
    /// Make one worth nothing
    Revoke {
        /// Its name
        name: String,
    },
}

/// Arguments of `token create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Name under which what its holder does is recorded
    pub name: String,
    /// What its holder may do (can be repeated)
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',', required = true, value_parser = word::<Scope>())]
    pub scopes: Vec<Scope>,
    /// Only requests about datasets like this, such as 'eu_*' (can be repeated)
    #[arg(long = "dataset", value_name = "PATTERN")]
    pub datasets: Vec<String>,
    /// Let it end after this time, such as 30d
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub expires: Option<u64>,
}

/// Runs it.
///
/// # Errors
/// The server refuses it or cannot be reached.
pub fn run(global: &GlobalArgs, args: &TokenArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    match &args.command {
        TokenCommand::Create(args) => {
            let request = CreateToken {
                name: args.name.clone(),
                scopes: args.scopes.iter().map(|scope| scope.word().to_owned()).collect(),
                datasets: args.datasets.clone(),
                expires_seconds: args.expires,
            };
            let made: NewToken = client.post("/api/v1/tokens", &request)?;
            if global.json {
                output::json(&made)?;
            } else {
                output::talk(&format!("created the token {}: {}", made.row.name, purpose(&made.row)));
                output::line(made.token.as_deref().unwrap_or_default());
            }
        }
        TokenCommand::List => {
            let list: TokenList = client.get("/api/v1/tokens")?;
            if global.json {
                output::json(&list)?;
            } else {
                table(&list);
            }
        }
        TokenCommand::Revoke { name } => {
            let row: TokenRow = client.delete(&format!("/api/v1/tokens/{}", url::segment(name)))?;
            if global.json {
                output::json(&row)?;
            } else {
                output::talk(&format!("the token {} is {}", row.name, row.state));
            }
        }
    }
    Ok(exit_code::OK)
}

fn purpose(row: &TokenRow) -> String {
    let of = if row.datasets.is_empty() { String::new() } else { format!(" of {}", row.datasets.join(", ")) };
    let until =
        row.expires_at.as_deref().map(|at| format!(", until {}", output::time(at))).unwrap_or_default();
    format!("{}{of}{until}", row.scopes.join(", "))
}

fn table(list: &TokenList) {
    let mut table = output::Table::new(&["NAME", "STATE", "SCOPES", "CREATED", "ENDS", "DATASETS"]);
    for row in &list.data {
        let ends = row.expires_at.as_deref().map_or_else(|| "never".to_owned(), output::time);
        let datasets = if row.datasets.is_empty() { "all".to_owned() } else { row.datasets.join(",") };
        let scopes = row.scopes.join(",");
        let created = output::time(&row.created_at);
        table.row(vec![row.name.clone(), row.state.clone(), scopes, created, ends, datasets]);
    }
    table.print();
}
