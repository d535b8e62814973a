//! `keys`: dynamic keys are listed, added and retired.

use super::super::args::{ChangeKeysArgs, Cli, KeysArgs, KeysCommand};
use super::super::client::Client;
use super::super::connect;
use super::super::error::CliError;
use super::super::exit_code;
use super::super::output::{self, Table};
use super::super::paths;
use super::taint::user;
use crate::api::{KeyRow, KeySpaceRow, KeysReply, KeysRequest, Page};
use std::io::Read as _;
use std::path::Path;

/// Most rows the server gives at once.
const PAGE: usize = 1000;

/// Runs it.
///
/// # Errors
/// The server refuses, or a file cannot be read.
pub fn run(cli: &Cli, args: &KeysArgs) -> Result<u8, CliError> {
    match &args.command {
        KeysCommand::List { space: None, .. } => spaces(cli),
        KeysCommand::List { space: Some(space), retired, limit } => list(cli, space, *retired, *limit),
        KeysCommand::Add(args) => change(cli, args, ""),
        KeysCommand::Retire(args) => change(cli, args, "/retire"),
    }
}

fn spaces(cli: &Cli) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let page: Page<KeySpaceRow> = client.get("/api/v1/keys")?;
    if cli.json {
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
    format!("/api/v1/keys/{}", output::segment(space))
}

fn list(cli: &Cli, space: &str, retired: bool, limit: usize) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let page = pages(&client, space, retired, if limit == 0 { usize::MAX } else { limit })?;
    if cli.json {
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

fn pages(client: &Client, space: &str, retired: bool, wanted: usize) -> Result<Page<KeyRow>, CliError> {
    let mut rows: Vec<KeyRow> = Vec::new();
    let mut cursor = None;
    loop {
        let limit = (wanted - rows.len()).min(PAGE);
        let mut path = format!("{}?retired={retired}&limit={limit}", path(space));
        if let Some(cursor) = &cursor {
            path.push_str(&format!("&cursor={cursor}"));
        }
        let page: Page<KeyRow> = client.get(&path)?;
        rows.extend(page.data);
        if rows.len() >= wanted || page.next.is_none() {
            return Ok(Page { data: rows, next: page.next, seq: page.seq });
        }
        cursor = page.next;
    }
}

fn change(cli: &Cli, args: &ChangeKeysArgs, verb: &str) -> Result<u8, CliError> {
    let mut keys = args.keys.clone();
    if let Some(file) = &args.file {
        keys.extend(read_keys(file)?);
    }
    if keys.is_empty() {
        let message = "name at least one key, or a file of keys with --file";
        return Err(CliError::new("no_keys", message));
    }
    let client = connect::connect(cli)?;
    let body = KeysRequest { keys, dry_run: args.dry_run, by: Some(user()) };
    let reply: KeysReply = client.post(&format!("{}{verb}", path(&args.space)), &body)?;
    if cli.json {
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
    let mut bytes = Vec::new();
    let read = if file == Path::new(paths::STDIN) {
        std::io::stdin().lock().read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|mut file| file.read_to_end(&mut bytes))
    };
    let at = file.display();
    read.map_err(|error| CliError::new("bad_key_file", format!("{at}: {error}")))?;
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
        assert!(read_keys(&folder.path().join("none")).unwrap_err().to_string().contains("No such file"));
    }
}
