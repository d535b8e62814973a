//! `build`: a want, and waiting for it.

use super::super::args::{BuildArgs, Cli};
use super::super::client::Client;
use super::super::connect;
use super::super::console::Console;
use super::super::error::CliError;
use super::super::steady::Steady;
use super::super::{exit_code, interrupt, output};
use crate::api::{CreateWant, ProgressAnswer, ProgressLine, SlotsRequest, WantDetail};
use std::collections::BTreeSet;

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
    let mut told = Told::default();
    let mut tails = 0;
    let started = std::time::Instant::now();
    let mut server = Steady::new(cli, client, id);
    let last = loop {
        let path = format!("/api/v1/wants/{id}/progress?after={after}&wait_ms={POLL_MS}");
        let answer: ProgressAnswer = if private { client.get(&path)? } else { server.get(&path)? };
        after = answer.seq;
        console.progress(&answer.want);
        for line in &answer.lines {
            told.count(line);
            let tail = if line.what == "failed" && tails < MOST_TAILS {
                tails += 1;
                stderr_tail(server.client(), line)
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
    finish(cli, &last, &told, started.elapsed())
}

/// What the progress of a want told.
#[derive(Default)]
struct Told {
    /// Partitions.
    built: u64,
    /// Runs, by their ids. Parts of one run may fail one after another.
    failed: BTreeSet<String>,
}

impl Told {
    fn count(&mut self, line: &ProgressLine) {
        match (line.what.as_str(), &line.run) {
            ("built" | "empty", _) => self.built += line.partitions.unwrap_or(1),
            ("failed", Some(run)) => {
                self.failed.insert(run.clone());
            }
            _ => {}
        }
    }

    /// What came of a want with that `refresh`.
    fn result(&self, satisfied: bool, refresh: &str) -> String {
        if satisfied && self.built == 0 {
            let nothing = match refresh {
                "missing" => "nothing is missing; what is stale stays as it is",
                _ => "everything is current; nothing to do",
            };
            return nothing.to_owned();
        }
        let mut text = format!("{} built", output::count(self.built, "partition"));
        if !self.failed.is_empty() {
            text.push_str(&format!(", {} failed", output::count(self.failed.len() as u64, "run")));
        }
        text
    }

    /// Where to look when a want was not satisfied.
    fn more(&self, want: &str) -> String {
        let look = match self.failed.first() {
            Some(run) if self.failed.len() == 1 => format!("databuild logs {run}"),
            Some(run) => format!("databuild runs --state failed; databuild logs {run}"),
            None => format!("databuild why {want}"),
        };
        look + "; build again to retry"
    }
}

fn finish(cli: &Cli, want: &WantDetail, told: &Told, took: std::time::Duration) -> Result<u8, CliError> {
    let id = &want.want.id;
    let satisfied = want.want.state == "satisfied";
    if cli.json {
        output::json_line(&serde_json::json!({"want": want, "built": told.built}))?;
    } else {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let what = told.result(satisfied, &want.want.refresh);
        output::line(&format!("{id} {}: {what} in {}", want.want.state, output::duration(ms)));
        for cause in &want.causes {
            output::talk(&format!("  {cause}"));
        }
        if !satisfied {
            output::talk(&format!("  more: {}", told.more(id)));
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

#[cfg(test)]
mod tests {
    use super::*;

    fn told(lines: &[(&str, Option<u64>, &str)]) -> Told {
        let mut told = Told::default();
        for (what, partitions, run) in lines {
            told.count(&ProgressLine {
                seq: 1,
                what: (*what).to_owned(),
                partition: "a".to_owned(),
                partitions: *partitions,
                job: None,
                run: Some((*run).to_owned()),
                wall_ms: None,
                message: String::new(),
            });
        }
        told
    }

    #[test]
    fn the_result_counts_what_was_built_and_names_what_failed() {
        let nothing = told(&[]);
        assert_eq!(nothing.result(true, "stale"), "everything is current; nothing to do");
        assert_eq!(nothing.result(true, "missing"), "nothing is missing; what is stale stays as it is");
        assert_eq!(nothing.result(false, "stale"), "0 partitions built");
        assert_eq!(nothing.more("w1"), "databuild why w1; build again to retry");

        let one = told(&[
            ("built", Some(3), "r1"),
            ("empty", None, "r2"),
            ("failed", None, "r3"),
            ("failed", None, "r3"),
        ]);
        assert_eq!(one.result(false, "stale"), "4 partitions built, 1 run failed");
        assert_eq!(one.more("w1"), "databuild logs r3; build again to retry");

        let two = told(&[("failed", None, "r3"), ("retry", None, "r5"), ("failed", None, "r4")]);
        assert_eq!(two.result(false, "stale"), "0 partitions built, 2 runs failed");
        assert_eq!(two.more("w1"), "databuild runs --state failed; databuild logs r3; build again to retry");
    }
}
