//! `keys`: dynamic keys are listed, added and retired.

use crate::api::{KeyRow, KeySpaceRow, KeysReply, KeysRequest, Page};
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::exit_code;
use crate::cli::output::{self, Table};
use crate::cli::paths;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::url;
use crate::os::read_at_most;
use clap::{Args, Subcommand};
use std::path::Path;
use std::path::PathBuf;

/// Bytes of a list of keys, at most: no request can be larger.
const MOST_KEYS: u64 = 64 << 20;

/// Arguments of `keys`.
#[derive(Debug, Args)]
pub struct KeysArgs {
    /// What to do
    #[command(subcommand)]
    pub command: KeysCommand,
}

/// What to do with dynamic keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// List key spaces, or the keys of one
    List {
        /// A key space, such as customers
        space: Option<String>,
        /// List retired keys, too
        #[arg(long, requires = "space")]
        retired: bool,
        /// Show at most so many rows; 0 for all
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Add keys; those that were retired come back
    Add(ChangeKeysArgs),
    /// Retire keys: their data stays, and nothing more is made for them
    Retire(ChangeKeysArgs),
}

/// Arguments of `keys add` and `keys retire`.
#[derive(Debug, Args)]
pub struct ChangeKeysArgs {
    /// The key space, such as customers
    pub space: String,
    /// Keys (can be repeated)
    #[arg(value_name = "KEY")]
    pub keys: Vec<String>,
    /// Read keys from a file, one a line; `-` is standard input
    #[arg(long, value_name = "FILE", value_parser = paths::parser())]
    pub file: Option<PathBuf>,
    /// Only count
    #[arg(long)]
    pub dry_run: bool,
}

/// Runs it.
///
/// # Errors
/// The server refuses, or a file cannot be read.
pub fn run(global: &GlobalArgs, args: &KeysArgs) -> Result<u8, CliError> {
    match &args.command {
        KeysCommand::List { space: None, .. } => spaces(global),
        KeysCommand::List { space: Some(space), retired, limit } => list(global, space, *retired, *limit),
        KeysCommand::Add(args) => change(global, args, ""),
        KeysCommand::Retire(args) => change(global, args, "/retire"),
    }
}

fn spaces(global: &GlobalArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let page: Page<KeySpaceRow> = client.list("/api/v1/keys", 0)?;
    if global.json {
        output::json(&page)?;
        return Ok(exit_code::OK);
    }
    let mut table = Table::new(&["KEY SPACE", "KEYS", "RETIRED", "DIMENSIONS"]);
    for row in page.data {
        let dimensions = row.dimensions.join(", ");
        table.row(vec![row.space, row.keys.to_string(), row.retired.to_string(), dimensions]);
    }
    table.print();
    Ok(exit_code::OK)
}

/// The path of a key space, whose name may have slashes in it.
fn path(space: &str) -> String {
    format!("/api/v1/keys/{}", url::segment(space))
}

fn list(global: &GlobalArgs, space: &str, retired: bool, limit: usize) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let listed = format!("{}?retired={retired}", path(space));
    let page: Page<KeyRow> = client.list(&listed, limit)?;
    if global.json {
        output::json(&page)?;
        return Ok(exit_code::OK);
    }
    for row in page.data {
        output::line(&if row.retired { format!("{} (retired)", row.key) } else { row.key });
    }
    if page.next.is_some() {
        output::talk("there are more; say --limit 0 for all");
    }
    Ok(exit_code::OK)
}

fn change(global: &GlobalArgs, args: &ChangeKeysArgs, verb: &str) -> Result<u8, CliError> {
    let mut keys = args.keys.clone();
    if let Some(file) = &args.file {
        keys.extend(read_keys(file)?);
    }
    if keys.is_empty() {
        let message = "name at least one key, or a file of keys with --file";
        return Err(CliError::new("no_keys", message));
    }
    let client = connect::connect(global)?;
    let body = KeysRequest { keys, dry_run: args.dry_run };
    let reply: KeysReply = client.post(&format!("{}{verb}", path(&args.space)), &body)?;
    if global.json {
        output::json(&reply)?;
    } else {
        output::line(&told(&reply));
    }
    Ok(exit_code::OK)
}

fn told(reply: &KeysReply) -> String {
    let parts = [
        (reply.new, "new"),
        (reply.back, "back from retirement"),
        (reply.retired, "retired"),
        (reply.unchanged, "unchanged"),
    ];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    let dry = if reply.dry_run { " (dry run: nothing was done)" } else { "" };
    format!("{}: {}{dry}", reply.space, parts.join(", "))
}

/// One key a line; empty lines are passed over, and so is the mark of UTF-8 at the beginning of a file.
fn read_keys(file: &Path) -> Result<Vec<String>, CliError> {
    let read = if file == Path::new(paths::STDIN) {
        read_at_most(std::io::stdin().lock(), MOST_KEYS)
    } else {
        // A pipe that a shell makes of a command is as good as a file.
        std::fs::File::open(file).and_then(|file| read_at_most(file, MOST_KEYS))
    };
    let at = file.display();
    let bytes = read.map_err(|error| CliError::new("bad_key_file", format!("{at}: {error}")))?;
    let mut keys = Vec::new();
    let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&bytes);
    for (ix, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            continue;
        }
        match std::str::from_utf8(line) {
            Ok(key) => keys.push(key.to_owned()),
            Err(_) => {
                let shown = databuild_core::text::shown(&line.escape_ascii().to_string());
                let message = format!("{at}, line {}: `{shown}` cannot be a key: it is not UTF-8", ix + 1);
                return Err(CliError::new("bad_key", message));
            }
        }
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_line_by_line_and_bad_ones_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys");
        std::fs::write(&file, b"acme\r\n\nb\xc3\xb8lt").unwrap();
        assert_eq!(read_keys(&file).unwrap(), ["acme", "bølt"]);
        std::fs::write(&file, "\u{feff}acme\n\u{feff}bolt\n").unwrap();
        assert_eq!(
            read_keys(&file).unwrap(),
            ["acme", "\u{feff}bolt"],
            "only the first one is no part of a key"
        );
        std::fs::write(&file, b"acme\n\xff\xfe\n").unwrap();
        let message = read_keys(&file).unwrap_err().to_string();
        assert!(message.contains("line 2: `\\\\xff\\\\xfe` cannot be a key: it is not UTF-8"), "{message}");
        let endless = read_keys(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(endless.ends_with("it has more than 64 MiB, the most that is read"), "{endless}");
        assert!(read_keys(&folder.path().join("none")).unwrap_err().to_string().contains("No such file"));
    }
}
