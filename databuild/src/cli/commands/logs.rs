//! `logs`: what a job printed.

use crate::api::{LogLine, LogLines, RunDetail};
use crate::cli::client::Client;
use crate::cli::connect;
use crate::cli::error::CliError;
use crate::cli::shared_args::GlobalArgs;
use crate::cli::steady::Steady;
use crate::cli::url;
use crate::cli::{exit_code, output};
use crate::os::now;
use clap::Args;

/// How long one request waits for more.
const WAIT_MS: u64 = 10_000;

/// Lines that are asked for at once.
const PAGE: usize = 10_000;

/// Where what a job printed goes.
#[derive(Clone, Copy)]
enum Sink {
    Stdout,
    Stderr,
    /// A JSON object for each piece, on stdout.
    Json,
}

/// Arguments of `logs`.
#[derive(Debug, Args)]
pub struct LogsArgs {
    /// Such as r12
    pub run: String,
    /// Go on until the attempt is over
    #[arg(long, short)]
    pub follow: bool,
    /// Only standard output
    #[arg(long, conflicts_with = "stderr")]
    pub stdout: bool,
    /// Only standard error
    #[arg(long)]
    pub stderr: bool,
    /// Each line with its time and stream, both streams in the order in which they came
    #[arg(long, short)]
    pub timestamps: bool,
    /// Which attempt (default: the last)
    #[arg(long, value_name = "N")]
    pub attempt: Option<u32>,
}

/// Runs it.
///
/// # Errors
/// No such run or attempt.
pub fn run(global: &GlobalArgs, args: &LogsArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let id = url::segment(&args.run);
    let run: RunDetail = client.get(&format!("/api/v1/runs/{id}"))?;
    let attempt = args.attempt.unwrap_or(run.run.attempts);
    let streams: &[&str] = match (args.stdout, args.stderr) {
        (true, _) => &["stdout"],
        (_, true) => &["stderr"],
        _ => &["stdout", "stderr"],
    };
    let path = |stream: &str| format!("/api/v1/runs/{id}/logs/{stream}?attempt={attempt}");
    if args.timestamps {
        let only = if streams.len() == 1 { format!("&stream={}", streams[0]) } else { String::new() };
        let path = format!("/api/v1/runs/{id}/logs?attempt={attempt}&limit={PAGE}{only}");
        return lines(Steady::of_log(global, &client, &run.run.id), global.json, args.follow, &path);
    }
    if args.follow {
        return follow_all(global, &client, &run.run.id, streams, path);
    }
    let mut printed = false;
    let mut told = serde_json::json!({"run": run.run.id, "attempt": attempt});
    for stream in streams {
        let mut whole = Vec::new();
        let mut named = streams.len() == 1;
        // What is there now. Of a job that runs there may be more at any time.
        let (mut offset, mut size) = (0, 1);
        while offset < size {
            let part = client.log(&format!("{}&offset={offset}", path(stream)))?;
            if offset == 0 {
                size = part.size;
            }
            if part.bytes.is_empty() {
                break;
            }
            printed = true;
            offset = part.offset + part.bytes.len() as u64;
            if global.json {
                whole.extend_from_slice(&part.bytes);
                continue;
            }
            if !named {
                output::talk(&format!("--- {stream}"));
                named = true;
            }
            output::raw(&part.bytes);
        }
        if global.json {
            told[*stream] = shown(&whole);
        }
    }
    if global.json {
        output::json(&told)?;
    } else if !printed {
        output::talk(&format!("{}-{attempt} printed nothing, or gc removed its log", run.run.id));
    }
    Ok(exit_code::OK)
}

/// Prints lines with their times and streams: those that are there now, or until the attempt is over.
fn lines(mut server: Steady<'_>, json: bool, follow: bool, path: &str) -> Result<u8, CliError> {
    let begun = format!("{:.3}", now());
    let wait_ms = if follow { WAIT_MS } else { 0 };
    let mut cursor = String::new();
    loop {
        let part: LogLines = server.get(&format!("{path}&wait_ms={wait_ms}{cursor}"))?;
        let mut shown = Vec::new();
        for line in &part.lines {
            shown.extend(if json { as_json(line)? } else { as_text(line) });
        }
        output::raw(&shown);
        // Of a job that runs there may be more at any time.
        let newer = part.lines.last().and_then(|line| line.at.as_ref()).is_some_and(|at| *at > begun);
        if part.ended || (!follow && (newer || part.lines.is_empty())) {
            return Ok(exit_code::OK);
        }
        cursor = format!("&cursor={}", part.next);
    }
}

/// A line for programs.
fn as_json(line: &LogLine) -> Result<Vec<u8>, CliError> {
    let mut text =
        serde_json::to_vec(line).map_err(|error| CliError::new("bad_output", error.to_string()))?;
    text.push(b'\n');
    Ok(text)
}

/// A line for people, whose text is as the job wrote it.
fn as_text(line: &LogLine) -> Vec<u8> {
    let bytes = line.hex.as_deref().and_then(|hex| base16ct::lower::decode_vec(hex).ok());
    let text = bytes.unwrap_or_else(|| line.text.clone().unwrap_or_default().into_bytes());
    let head = format!("{} {} ", line.at.as_deref().unwrap_or("-"), line.stream);
    [head.as_bytes(), &text, b"\n"].concat()
}

/// Follows streams until the attempt is over: one of them to stdout, both each to its own.
fn follow_all(
    global: &GlobalArgs,
    client: &Client,
    run: &str,
    streams: &[&str],
    path: impl Fn(&str) -> String,
) -> Result<u8, CliError> {
    let sink = |stream: &str| match stream {
        _ if global.json => Sink::Json,
        "stderr" if streams.len() > 1 => Sink::Stderr,
        _ => Sink::Stdout,
    };
    // One connection follows one stream.
    let mut followers = Vec::new();
    for stream in streams {
        followers.push((client.clone(), *stream, path(stream), sink(stream)));
    }
    let ends: Vec<Result<(), CliError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = followers
            .into_iter()
            .map(|(client, stream, path, sink)| {
                scope.spawn(move || follow(Steady::of_log(global, &client, run), &path, stream, sink))
            })
            .collect();
        let panicked = || CliError::new("panicked", "following a log panicked");
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
    });
    ends.into_iter().collect::<Result<(), CliError>>()?;
    Ok(exit_code::OK)
}

fn follow(mut server: Steady<'_>, path: &str, name: &str, sink: Sink) -> Result<(), CliError> {
    let mut offset = 0;
    let mut open: Vec<u8> = Vec::new();
    loop {
        let part = server.log(&format!("{path}&offset={offset}&wait_ms={WAIT_MS}"))?;
        offset = part.offset + part.bytes.len() as u64;
        match sink {
            Sink::Stdout => output::raw(&part.bytes),
            Sink::Stderr => output::raw_to_stderr(&part.bytes),
            Sink::Json => {
                open.extend_from_slice(&part.bytes);
                // Texts end with a line, or with what the job printed last.
                let end = if part.ended {
                    open.len()
                } else {
                    open.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1)
                };
                if end > 0 {
                    let text: Vec<u8> = open.drain(..end).collect();
                    output::json_line(&serde_json::json!({"stream": name, "text": shown(&text)}))?;
                }
            }
        }
        if part.ended {
            return Ok(());
        }
    }
}

/// Output as JSON: a text, or `{"hex": ...}` of bytes that are none.
fn shown(bytes: &[u8]) -> serde_json::Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => serde_json::json!({"hex": base16ct::lower::encode_string(bytes)}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shown_as_the_job_wrote_it() {
        let at = Some("2026-01-02T03:04:05.678Z".to_owned());
        let text = Some("\u{1b}[1m a".to_owned());
        let line = LogLine { at, stream: "stdout".to_owned(), text, hex: None, continues: false };
        assert_eq!(as_text(&line), b"2026-01-02T03:04:05.678Z stdout \x1b[1m a\n");
        let binary = LogLine { at: None, text: None, hex: Some("61ff".to_owned()), ..line };
        assert_eq!(as_text(&binary), b"- stdout a\xff\n");
    }
}
