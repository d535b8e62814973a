//! `logs`: what a job printed, and which lines of it have a text.

use crate::api::{LogLines, RunDetail};
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
    /// Only lines that have this text in them, whatever its case
    #[arg(long, value_name = "TEXT", conflicts_with = "follow")]
    pub search: Option<String>,
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
    let attempt = args.attempt.unwrap_or(run.run.attempt_count);
    let streams: &[&str] = match (args.stdout, args.stderr) {
        (true, _) => &["stdout"],
        (_, true) => &["stderr"],
        _ => &["stdout", "stderr"],
    };
    let path = |stream: &str| format!("/api/v1/runs/{id}/logs/{stream}?attempt={attempt}");
    let only = if streams.len() == 1 { format!("&stream={}", streams[0]) } else { String::new() };
    let without = Without { run: &run, attempt };
    if let Some(text) = &args.search {
        let path =
            format!("/api/v1/runs/{id}/logs?attempt={attempt}{only}&search={}", url::query_value(text));
        return search(global, &client, args.timestamps, &path, &without);
    }
    if args.timestamps {
        let format = if global.json { "ndjson" } else { "text" };
        let path = format!("/api/v1/runs/{id}/logs?attempt={attempt}&format={format}{only}");
        return lines(Steady::of_log(global, &client, &run.run.id), args.follow, &path, &without);
    }
    if args.follow {
        return follow_all(global, &client, streams, path, &without);
    }
    let (mut printed, mut kept) = (false, true);
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
            kept &= part.kept;
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
    } else if !printed && kept {
        output::talk(&format!("{}-{attempt} printed nothing", run.run.id));
    }
    without.tell(kept);
    Ok(exit_code::OK)
}

/// What is said if nothing is kept of a log, so that this does not look like a job without anything to say.
struct Without<'r> {
    run: &'r RunDetail,
    attempt: u32,
}

impl Without<'_> {
    fn tell(&self, kept: bool) {
        let row = self.run.attempts.iter().find(|row| row.number == self.attempt);
        if let Some(row) = row.filter(|_| !kept) {
            output::talk(&row.without_log());
        }
    }
}

/// Prints the lines that have a text in them.
fn search(
    global: &GlobalArgs,
    client: &Client,
    timestamps: bool,
    path: &str,
    without: &Without<'_>,
) -> Result<u8, CliError> {
    let mut cursor = String::new();
    loop {
        let part: LogLines = client.get(&format!("{path}{cursor}"))?;
        for line in &part.lines {
            if global.json {
                output::json_line(line)?;
                continue;
            }
            // What is no text has none in it.
            let text = line.text.as_deref().unwrap_or_default();
            let begin = match timestamps {
                true => format!("{} {} ", line.at.as_deref().unwrap_or("-"), line.stream),
                false => String::new(),
            };
            output::raw(format!("{begin}{text}\n").as_bytes());
        }
        let is_all = part.hits == Some(part.lines.len() as u64);
        if part.ended || (is_all && !part.incomplete) {
            without.tell(part.kept);
            return Ok(exit_code::OK);
        }
        cursor = format!("&cursor={}", part.next);
    }
}

/// Prints lines with their times and streams: those that are there now, or until the attempt is over.
fn lines(mut server: Steady<'_>, follow: bool, path: &str, without: &Without<'_>) -> Result<u8, CliError> {
    let begun = format!("{:.3}", now());
    let wait_ms = if follow { WAIT_MS } else { 0 };
    let mut cursor = String::new();
    loop {
        let part = server.log_printout(&format!("{path}&wait_ms={wait_ms}{cursor}"))?;
        output::raw(&part.bytes);
        // Of a job that runs there may be more at any time.
        let newer = part.at.is_some_and(|at| at > begun);
        if part.ended || (!follow && (newer || part.bytes.is_empty())) {
            without.tell(part.kept);
            return Ok(exit_code::OK);
        }
        cursor = format!("&cursor={}", part.next);
    }
}

/// Follows streams until the attempt is over: one of them to stdout, both each to its own.
fn follow_all(
    global: &GlobalArgs,
    client: &Client,
    streams: &[&str],
    path: impl Fn(&str) -> String,
    without: &Without<'_>,
) -> Result<u8, CliError> {
    let run = without.run.run.id.as_str();
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
    let ends: Vec<Result<bool, CliError>> = std::thread::scope(|scope| {
        let threads: Vec<_> = followers
            .into_iter()
            .map(|(client, stream, path, sink)| {
                scope.spawn(move || follow(Steady::of_log(global, &client, run), &path, stream, sink))
            })
            .collect();
        let panicked = || CliError::new("panicked", "following a log panicked");
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err(panicked()))).collect()
    });
    let kept = ends.into_iter().collect::<Result<Vec<bool>, CliError>>()?;
    without.tell(kept.contains(&true));
    Ok(exit_code::OK)
}

/// Follows one stream. Tells whether anything is kept of it.
fn follow(mut server: Steady<'_>, path: &str, name: &str, sink: Sink) -> Result<bool, CliError> {
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
            return Ok(part.kept);
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
