//! `logs`: what a job printed.

use super::super::args::{Cli, LogsArgs};
use super::super::client::Client;
use super::super::connect;
use super::super::error::CliError;
use super::super::{exit_code, output};
use crate::api::RunDetail;

/// Where what a job printed goes.
#[derive(Clone, Copy)]
enum Sink {
    Stdout,
    Stderr,
    /// A JSON object for each piece, on stdout.
    Json,
}

/// Runs it.
///
/// # Errors
/// No such run or attempt.
pub fn run(cli: &Cli, args: &LogsArgs) -> Result<u8, CliError> {
    let client = connect::connect(cli)?;
    let id = output::segment(&args.run);
    let run: RunDetail = client.get(&format!("/api/v1/runs/{id}"))?;
    let attempt = args.attempt.unwrap_or(run.run.attempts);
    let streams: &[&str] = match (args.stdout, args.stderr) {
        (true, _) => &["stdout"],
        (_, true) => &["stderr"],
        _ => &["stdout", "stderr"],
    };
    let path = |stream: &str| format!("/api/v1/runs/{id}/logs/{stream}?attempt={attempt}");
    if args.follow {
        return follow_all(&client, cli.json, streams, |stream| format!("{}&follow=true", path(stream)));
    }
    let mut told = serde_json::json!({"run": run.run.id, "attempt": attempt});
    for stream in streams {
        let bytes = client.bytes(&path(stream))?;
        if cli.json {
            told[*stream] = String::from_utf8_lossy(&bytes).into();
            continue;
        }
        if streams.len() > 1 && !bytes.is_empty() {
            output::talk(&format!("--- {stream}"));
        }
        write(Sink::Stdout, stream, &bytes)?;
    }
    if cli.json {
        output::json(&told)?;
    }
    Ok(exit_code::OK)
}

/// Follows streams until the attempt is over: one of them to stdout, both each to its own.
fn follow_all(
    client: &Client,
    json: bool,
    streams: &[&str],
    path: impl Fn(&str) -> String,
) -> Result<u8, CliError> {
    let sink = |stream: &str| match stream {
        _ if json => Sink::Json,
        "stderr" if streams.len() > 1 => Sink::Stderr,
        _ => Sink::Stdout,
    };
    // One connection follows one stream.
    let mut followers = Vec::new();
    for stream in streams {
        followers.push((client.another()?, *stream, path(stream), sink(stream)));
    }
    let ends: Vec<Result<(), CliError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = followers
            .into_iter()
            .map(|(client, stream, path, sink)| scope.spawn(move || follow(&client, &path, stream, sink)))
            .collect();
        let panicked = || CliError::new("panicked", "following a log panicked");
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
    });
    ends.into_iter().collect::<Result<(), CliError>>()?;
    Ok(exit_code::OK)
}

fn follow(client: &Client, path: &str, name: &str, sink: Sink) -> Result<(), CliError> {
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
                Some("end") => return Ok(()),
                Some("log") => {
                    let text: String =
                        field("data:").and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
                    write(sink, name, text.as_bytes())?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn write(sink: Sink, stream: &str, bytes: &[u8]) -> Result<(), CliError> {
    match sink {
        Sink::Json => {
            let text = String::from_utf8_lossy(bytes);
            return output::json_line(&serde_json::json!({"stream": stream, "text": text}));
        }
        Sink::Stdout => output::raw(bytes),
        Sink::Stderr => output::raw_to_stderr(bytes),
    }
    Ok(())
}
