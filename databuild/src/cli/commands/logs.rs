//! `logs`: what a job printed.

use super::super::args::{Cli, LogsArgs};
use super::super::client::Client;
use super::super::connect;
use super::super::error::{CliError, Kind};
use super::super::{exit_code, output};
use crate::api::RunDetail;
use std::io::Write as _;

/// Runs it.
///
/// # Errors
/// No such run or attempt.
pub fn run(cli: &Cli, args: &LogsArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let id = output::encode(&args.run);
    let run: RunDetail = client.get(&format!("/api/v1/runs/{id}"))?;
    let attempt = args.attempt.unwrap_or(run.run.attempts);
    let streams: &[&str] = match (args.stdout, args.stderr) {
        (true, _) => &["stdout"],
        (_, true) => &["stderr"],
        _ => &["stdout", "stderr"],
    };
    if args.follow {
        // One connection follows one stream; both at once would mix bytes without saying whose they are.
        let stream = if args.stdout { "stdout" } else { "stderr" };
        return follow(&client, &format!("/api/v1/runs/{id}/logs/{stream}?attempt={attempt}&follow=true"));
    }
    for stream in streams {
        let bytes = client.bytes(&format!("/api/v1/runs/{id}/logs/{stream}?attempt={attempt}"))?;
        if streams.len() > 1 && !bytes.is_empty() {
            eprintln!("--- {stream}");
        }
        write(&bytes)?;
    }
    Ok(exit_code::OK)
}

fn follow(client: &Client, path: &str) -> Result<u8, CliError> {
    let mut stream = client.stream(path)?;
    let mut buffer = Vec::new();
    while let Some(bytes) = stream.next()? {
        buffer.extend_from_slice(&bytes);
        while let Some(end) = find(&buffer, b"\n\n") {
            let event: Vec<u8> = buffer.drain(..end + 2).collect();
            let event = String::from_utf8_lossy(&event).into_owned();
            let field =
                |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim_start);
            match field("event:") {
                Some("end") => return Ok(exit_code::OK),
                Some("log") => {
                    let text: String =
                        field("data:").and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
                    write(text.as_bytes())?;
                }
                _ => {}
            }
        }
    }
    Ok(exit_code::OK)
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn write(bytes: &[u8]) -> Result<(), CliError> {
    let mut stdout = std::io::stdout().lock();
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| CliError::new(Kind::Interrupted, "output_closed", error.to_string()))
}
