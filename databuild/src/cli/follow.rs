//! Following a want until it has ended: what happens, what it waits for, and what came of it.

use super::client::Client;
use super::console::Console;
use super::error::CliError;
use super::shared_args::GlobalArgs;
use super::steady::Steady;
use super::tally::{self, Tally};
use super::{exit_code, interrupt, output};
use crate::api::{GraphId, ProgressAnswer, ProgressLine, WantDetail, WhyWork};

/// How long one progress request waits on the server.
const POLL_MS: u64 = 1000;
/// Lines of a failed job's stderr that are shown.
const TAIL_LINES: usize = 20;
/// Bytes of it that are read.
const TAIL_BYTES: u64 = 8 << 10;
/// Failures whose stderr is shown; a thousand alike help nobody.
const MOST_TAILS: usize = 5;

/// How a want is followed.
#[derive(Debug, Clone, Copy)]
pub struct Following {
    /// Only what failed is told.
    pub quiet: bool,
    /// The server belongs to this command.
    pub private: bool,
}

/// Shows how a want goes on until it has ended. Ctrl-C ends the watching if [`interrupt::on_ctrl_c`] was called before.
///
/// # Errors
/// The server is lost, or refuses.
pub fn follow(
    global: &GlobalArgs,
    client: &Client,
    want: &WantDetail,
    how: Following,
) -> Result<u8, CliError> {
    let id = &want.want.id;
    let mut console = Console::new(global.json, global.color, how.quiet);
    // What happened before the want is not its business.
    let mut after = want.seq;
    let mut tally = Tally::default();
    let mut tails = 0;
    let mut waits = Waits::default();
    let started = std::time::Instant::now();
    let mut server = Steady::new(global, client, id);
    let mut graph = want.graph.clone();
    let last = loop {
        let path = format!("/api/v1/wants/{id}/progress?after={after}&wait_ms={POLL_MS}");
        let answer: ProgressAnswer = if how.private { client.get(&path)? } else { server.get(&path)? };
        after = answer.seq;
        for line in &answer.lines {
            tally.count(line);
            let tail = if line.what == "failed" && tails < MOST_TAILS {
                tails += 1;
                stderr_tail(server.client(), line)
            } else {
                None
            };
            console.line(line, tail.as_deref(), &mut tally)?;
        }
        if let Some(now) = answer.want.graph.as_ref().filter(|now| graph.as_ref() != Some(now)) {
            console.graph(id, now)?;
            graph = Some(now.clone());
        }
        console.progress(&answer.want, &tally);
        if answer.want.want.ended_at.is_some() && !answer.truncated {
            break answer.want;
        }
        if let Some(why) = waits.look(server.client(), &answer) {
            console.waiting(&why)?;
        }
        if interrupt::happened() {
            drop(console);
            if how.private {
                output::talk(&format!("interrupted; stopping {id} and its jobs (Ctrl-C again kills them)"));
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
    drop(console);
    if !global.json && !how.quiet {
        tally.summary().iter().for_each(|line| output::talk(line));
    }
    if global.json && graph.is_none() {
        // It was over before it was looked at; then the graph of now is the one that it followed.
        graph = server.client().get::<GraphId>("/api/v1/graph/id")?.graph;
    }
    finish(global, &last, &tally, graph.as_deref(), started.elapsed())
}

/// What a want waits for, asked while nothing of it runs and nothing happens; or what the whole server waits for.
#[derive(Default)]
struct Waits {
    told: Option<String>,
}

impl Waits {
    /// What is to be told now: something that was not told last.
    fn look(&mut self, client: &Client, answer: &ProgressAnswer) -> Option<WhyWork> {
        let progress = answer.want.progress.as_ref()?;
        if let Some(blocker) = answer.stalled.clone() {
            let (id, state) = (answer.want.want.id.clone(), answer.want.want.state.clone());
            return self.unless_told(WhyWork {
                id,
                state,
                block_reason: None,
                blocker,
                causes: Vec::new(),
                seq: answer.seq,
            });
        }
        if progress.running > 0 || !answer.lines.is_empty() || answer.truncated {
            self.told = None;
            return None;
        }
        // If the reason cannot be fetched, the command goes on waiting without it.
        let why: WhyWork = client.get(&format!("/api/v1/wants/{}/why", answer.want.want.id)).ok()?;
        let kind = why.blocker.kind.as_str();
        if matches!(kind, "running" | "starting" | "publishing" | "ready") || why.state != "open" {
            return None;
        }
        self.unless_told(why)
    }

    /// A reason, if it is another one than was told last.
    fn unless_told(&mut self, why: WhyWork) -> Option<WhyWork> {
        // The runs that hold what it waits for may change many times a second.
        let same = format!("{} {:?}", why.blocker.kind, why.blocker.run);
        if self.told.as_ref() == Some(&same) {
            return None;
        }
        self.told = Some(same);
        Some(why)
    }
}

fn finish(
    global: &GlobalArgs,
    want: &WantDetail,
    tally: &Tally,
    graph: Option<&str>,
    took: std::time::Duration,
) -> Result<u8, CliError> {
    let id = &want.want.id;
    let satisfied = want.want.state == "satisfied";
    let progress = want.progress.clone().unwrap_or_default();
    if global.json {
        output::json_line(&serde_json::json!({"want": want, "built": progress.built(), "graph": graph}))?;
    } else {
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let what = tally::result(want, &progress, &output::duration(ms));
        output::line(&format!("{id} {}: {what}", want.want.state));
        for cause in &want.causes {
            output::talk(&format!("  {cause}"));
        }
        if !satisfied {
            output::talk(&format!("  more: {}", tally.more(id)));
        }
    }
    Ok(if satisfied { exit_code::OK } else { exit_code::WORK_FAILED })
}

/// The end of a failed attempt's stderr.
fn stderr_tail(client: &Client, line: &ProgressLine) -> Option<String> {
    let run = line.run.as_ref()?;
    let end = client.log(&format!("/api/v1/runs/{run}/logs/stderr?tail={TAIL_BYTES}")).ok()?;
    let text = String::from_utf8_lossy(&end.bytes).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(TAIL_LINES);
    Some(lines[from..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(running: u64, stalled: Option<&str>) -> ProgressAnswer {
        let stalled = stalled.map(|message| serde_json::json!({
            "kind": "log", "message": message, "partition": null, "run": null, "since": null, "until": null,
            "holders": [], "because": null,
        }));
        let progress = serde_json::json!({
            "total": 2, "done": 0, "unchanged": 0, "failed": 0, "running": running, "jobs": [],
        });
        let mut answer = serde_json::json!({
            "want": {
                "id": "w1", "state": "open", "targets": ["d"], "class": "interactive", "refresh": "stale", "comment": "",
                "source": "cli", "by": "ada", "created_at": "", "ended_at": null, "due_at": null, "late": false, "as_of": "",
                "plan": null, "params": {}, "progress": progress, "graph": null, "causes": [], "left_out": 0, "seq": 1,
            },
            "lines": [], "seq": 1, "truncated": false,
        });
        if let Some(stalled) = stalled {
            answer["stalled"] = stalled;
        }
        serde_json::from_value(answer).unwrap()
    }

    /// Jobs that end while the disk is full are not over before that is recorded.
    #[test]
    fn what_the_server_waits_for_is_told_once_and_also_while_jobs_run() {
        let info = serde_json::json!({
            "pid": 1, "start_time": 1, "boot_id": "b", "host": "h", "address": "127.0.0.1:1", "token": "t", "version": "0",
            "binary_sha256": "", "protocol": 1, "workspace": "/w", "state_dir": {"dev": 1, "ino": 1}, "started_at_ms": 0,
        });
        // Nothing is asked of it.
        let client = Client::new(&serde_json::from_value(info).unwrap());
        let mut waits = Waits::default();
        assert_eq!(waits.look(&client, &answer(2, None)), None);
        let told = waits.look(&client, &answer(2, Some("no space"))).unwrap();
        assert_eq!((told.id.as_str(), told.blocker.message.as_str()), ("w1", "no space"));
        assert_eq!(waits.look(&client, &answer(2, Some("no space"))), None);
        assert_eq!(waits.look(&client, &answer(2, None)), None);
        assert!(waits.look(&client, &answer(2, Some("no space"))).is_some(), "it is full once more");
    }
}
