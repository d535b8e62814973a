//! `build`: a want, and waiting for it.

use super::super::args::{BuildArgs, Cli};
use super::super::client::Client;
use super::super::connect;
use super::super::console::Console;
use super::super::error::CliError;
use super::super::{exit_code, interrupt, output};
use crate::api::{CreateWant, ProgressAnswer, ProgressLine, SlotsRequest, WantDetail};

/// How long one progress request waits on the server.
const POLL_MS: u64 = 1000;
/// Lines of a failed job's stderr that are shown.
const TAIL_LINES: usize = 20;
/// Bytes of it that are read.
const TAIL_BYTES: u64 = 8 << 10;
/// Failures whose stderr is shown; a thousand alike help nobody.
const MOST_TAILS: usize = 5;

/// Runs it.
///
/// # Errors
/// The want is refused, fails or cannot be followed.
pub fn run(cli: &Cli, args: &BuildArgs) -> Result<u8, CliError> {
    if args.no_daemon {
        let private = connect::connect_privately(cli)?;
        let result = build(cli, args, private.client());
        private.stop()?;
        return result;
    }
    build(cli, args, &connect::connect(cli)?)
}

fn build(cli: &Cli, args: &BuildArgs, client: &Client) -> Result<u8, CliError> {
    if let Some(jobs) = args.jobs {
        client.put("/api/v1/server/slots", &SlotsRequest { slots: jobs as usize })?;
    }
    let want = create(client, args)?;
    if args.detach {
        return super::want::print(cli, &want).map(|()| exit_code::OK);
    }
    follow(cli, client, &want, args.no_daemon)
}

/// Creates the want that the arguments ask for.
pub fn create(client: &Client, args: &BuildArgs) -> Result<WantDetail, CliError> {
    let request = CreateWant {
        targets: args.targets.clone(),
        class: Some(args.class.name().to_owned()),
        refresh: Some(args.refresh.name().to_owned()),
        as_of: args.as_of.clone(),
        ttl_seconds: args.ttl,
        sla_seconds: args.sla,
        comment: args.comment.clone(),
        source: Some("cli".to_owned()),
        graph: None,
    };
    client.post("/api/v1/wants", &request)
}

/// Shows how a want goes on until it has ended.
pub fn follow(cli: &Cli, client: &Client, want: &WantDetail, private: bool) -> Result<u8, CliError> {
    let id = &want.want.id;
    interrupt::on_ctrl_c()?;
    let mut console = Console::new(cli.json, cli.color);
    // What happened before the want is not its business.
    let mut after = want.seq;
    let mut built = 0;
    let mut tails = 0;
    let started = std::time::Instant::now();
    let last = loop {
        let path = format!("/api/v1/wants/{id}/progress?after={after}&wait_ms={POLL_MS}");
        let answer: ProgressAnswer = client.get(&path)?;
        after = answer.seq;
        console.progress(&answer.want);
        for line in &answer.lines {
            if matches!(line.what.as_str(), "built" | "empty") {
                built += line.partitions.unwrap_or(1);
            }
            let tail = if line.what == "failed" && tails < MOST_TAILS {
                tails += 1;
                stderr_tail(client, line)
            } else {
                None
            };
            console.line(line, tail.as_deref())?;
        }
        if answer.want.progress.is_none() && !answer.truncated {
            break answer.want;
        }
        if interrupt::happened() {
            console.finish();
            if private {
                output::talk(&format!("interrupted; stopping {id} with its server"));
                // Else the workspace's next server would go on with it.
                let _: WantDetail = client.delete(&format!("/api/v1/wants/{id}"))?;
                return Ok(exit_code::INTERRUPTED);
            }
            output::talk(&format!("detached; {id} goes on in the server"));
            output::talk(&format!("  stop it:   databuild cancel {id}"));
            output::talk(&format!("  see it:    databuild want get {id}"));
            return Ok(exit_code::INTERRUPTED);
        }
    };
    console.finish();
    finish(cli, &last, built, started.elapsed())
}

fn finish(cli: &Cli, want: &WantDetail, built: u64, took: std::time::Duration) -> Result<u8, CliError> {
    let id = &want.want.id;
    let satisfied = want.want.state == "satisfied";
    if cli.json {
        output::json_line(&serde_json::json!({"want": want, "built": built}))?;
    } else {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let what = match (satisfied, built) {
            (true, 0) => "everything is current; nothing to do".to_owned(),
            (_, 1) => "1 partition built".to_owned(),
            (_, n) => format!("{n} partitions built"),
        };
        output::line(&format!("{id} {}: {what} in {}", want.want.state, output::duration(ms)));
        for cause in &want.causes {
            output::talk(&format!("  {cause}"));
        }
        if !satisfied {
            output::talk("  more: databuild runs --state failed; databuild logs RUN; build again to retry");
        }
    }
    Ok(if satisfied { exit_code::OK } else { exit_code::WORK_FAILED })
}

/// The end of a failed attempt's stderr.
fn stderr_tail(client: &Client, line: &ProgressLine) -> Option<String> {
    let run = line.run.as_ref()?;
    // A size first: the interesting part is the end.
    let all = client.bytes(&format!("/api/v1/runs/{run}/logs/stderr")).ok()?;
    let from = all.len().saturating_sub(usize::try_from(TAIL_BYTES).unwrap_or(usize::MAX));
    let text = String::from_utf8_lossy(&all[from..]).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    Some(lines[from..].join("\n"))
}
