//! How a build looks while it runs: bars on a terminal, plain lines elsewhere, JSON lines for programs.
//!
//! One subscriber of the server's progress answers among others; decides nothing.
//!
//! A large build prints few lines: the first partitions that go well are named, and the rest are counted; what goes
//! wrong is named longer. What was not named is in the [`summary`](Tally::summary) at the end.

use super::error::CliError;
use super::output;
use super::shared_args::ColorChoice;
use super::tally::Tally;
use crate::api::{Progress, ProgressLine, WantDetail, WhyWork};
use databuild_core::text::and_more;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

/// Running partitions named below the bars.
const MOST_RUNNING: usize = 4;
/// How often a build without a terminal says how far it is, once it names no partitions any more.
const SAY_AGAIN: Duration = Duration::from_secs(10);
/// Nothing is said about the time left before so long.
const ESTIMATE_AFTER: Duration = Duration::from_secs(3);

/// Where progress goes.
pub enum Console {
    /// Bars and, above them, what went wrong.
    Bars(Box<Bars>),
    /// Lines on stderr.
    Lines(Lines),
    /// A JSON object for each event, on stdout.
    Json,
}

/// Bars on a terminal.
pub struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    /// With the most that there was to do.
    jobs: BTreeMap<String, (ProgressBar, u64)>,
    running: BTreeSet<String>,
    running_line: ProgressBar,
    started: Instant,
    waiting: Option<String>,
}

/// Lines without a terminal.
pub struct Lines {
    quiet: bool,
    said_at: Instant,
    started: Instant,
}

impl Console {
    /// What fits where the output goes.
    pub fn new(json: bool, color: ColorChoice, quiet: bool) -> Console {
        if json {
            return Console::Json;
        }
        let bars = match color {
            _ if quiet => false,
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        let started = Instant::now();
        if !bars {
            return Console::Lines(Lines { quiet, said_at: started, started });
        }
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        // A bar of nothing would be full.
        let total = all.add(ProgressBar::new(0).with_style(style("{clock:>8} {msg}")));
        total.set_message("planning");
        total.enable_steady_tick(Duration::from_millis(200));
        let running_line = all.add(ProgressBar::new(0).with_style(style("         {msg}")));
        output::draw(Some(all.clone()));
        Console::Bars(Box::new(Bars {
            all,
            total,
            jobs: BTreeMap::new(),
            running: BTreeSet::new(),
            running_line,
            started,
            waiting: None,
        }))
    }

    /// Shows how far the want is.
    pub fn progress(&mut self, want: &WantDetail, tally: &Tally) {
        let Some(progress) = &want.progress else { return };
        match self {
            Console::Json => {}
            Console::Lines(lines) => {
                if !lines.quiet && tally.hides_any() && lines.said_at.elapsed() >= SAY_AGAIN {
                    lines.said_at = Instant::now();
                    let at = output::clock(lines.started.elapsed().as_secs());
                    output::talk(&format!("{at:<9} {}", how_far(progress)));
                }
            }
            Console::Bars(bars) => bars.progress(want, tally),
        }
    }

    /// Tells one event. `tail` is the end of a failed job's stderr.
    ///
    /// # Errors
    /// As [`output::json_line`].
    pub fn line(
        &mut self,
        line: &ProgressLine,
        tail: Option<&str>,
        tally: &mut Tally,
    ) -> Result<(), CliError> {
        match self {
            Console::Json => output::json_line(&serde_json::json!({"event": line, "stderr_tail": tail}))?,
            Console::Lines(lines) => {
                let wanted = line.what == "failed" || (!lines.quiet && line.what != "started");
                if wanted && tally.is_named(line) {
                    output::talk(&describe(line));
                    print_tail(tail);
                }
            }
            Console::Bars(bars) => {
                if line.what == "started" {
                    bars.running.insert(line.partition.clone());
                } else {
                    bars.running.remove(&line.partition);
                }
                bars.waiting = None;
                let wrong =
                    matches!(line.what.as_str(), "failed" | "retry" | "given_up" | "warning" | "keys_back");
                if wrong && tally.is_named(line) {
                    output::talk(&describe(line));
                    print_tail(tail);
                }
                bars.tell_running();
            }
        }
        Ok(())
    }

    /// Says what the want waits for, while nothing of it runs.
    ///
    /// # Errors
    /// As [`output::json_line`].
    pub fn waiting(&mut self, why: &WhyWork) -> Result<(), CliError> {
        match self {
            Console::Json => output::json_line(&serde_json::json!({"waiting": why}))?,
            Console::Lines(lines) if lines.quiet => {}
            Console::Lines(_) => output::talk(&format!("{:<9} {}", "waiting", why.blocker.message)),
            Console::Bars(bars) => {
                bars.waiting = Some(format!("waiting: {}", why.blocker.message));
                bars.tell_running();
            }
        }
        Ok(())
    }

    /// Says that what is left follows another graph, which somebody registered.
    ///
    /// # Errors
    /// As [`output::json_line`].
    pub fn graph(&mut self, want: &str, graph: &str) -> Result<(), CliError> {
        let short = graph.get(..8).unwrap_or(graph);
        let text = format!("another command registered graph {short}: the rest of {want} is built with it");
        match self {
            Console::Json => output::json_line(&serde_json::json!({"graph": graph}))?,
            Console::Lines(_) | Console::Bars(_) => output::talk(&text),
        }
        Ok(())
    }
}

impl Drop for Console {
    /// No bar stays on the terminal, however the watching ends.
    fn drop(&mut self) {
        if let Console::Bars(bars) = self {
            output::draw(None);
            let _ = bars.all.clear();
        }
    }
}

impl Bars {
    fn progress(&mut self, want: &WantDetail, tally: &Tally) {
        let Some(progress) = &want.progress else { return };
        if progress.total > 0 && self.total.length() == Some(0) {
            self.total.set_style(style("{clock:>8} [{bar:30}] {pos}/{len} {msg}"));
        }
        self.total.set_length(progress.total);
        // What failed or was skipped is not done.
        self.total.set_position(progress.done);
        let time = left_of(self.started.elapsed(), progress.done, progress.left);
        let time = time.map(|seconds| format!("about {} left", output::clock(seconds)));
        let paused = want.want.paused.then(|| "paused".to_owned());
        let notes = [not_done(&progress.not_done()), paused, time];
        self.total.set_message(notes.into_iter().flatten().collect::<Vec<_>>().join(", "));
        for job in &progress.jobs {
            let (_, most) = self.jobs.entry(job.job.clone()).or_insert_with(|| {
                let bar =
                    ProgressBar::new(job.remaining).with_style(style("         {bar:20} {pos}/{len} {msg}"));
                (self.all.insert_before(&self.running_line, bar), job.remaining)
            });
            *most = (*most).max(job.remaining);
        }
        for (name, (bar, most)) in &self.jobs {
            let remaining = progress.jobs.iter().find(|job| job.job == *name).map_or(0, |job| job.remaining);
            let parts = [("failed", tally.failed(name)), ("skipped", tally.skipped(name))];
            let lost: u64 = parts.iter().map(|(_, count)| count).sum();
            bar.set_length(*most);
            bar.set_position(most.saturating_sub(remaining + lost));
            let note = not_done(&parts).map(|note| format!("  ({note})")).unwrap_or_default();
            bar.set_message(format!("{}{note}", output::shown(name)));
        }
    }

    fn tell_running(&self) {
        let text = match &self.waiting {
            Some(waiting) => waiting.clone(),
            None => {
                let names: Vec<&str> = self.running.iter().take(MOST_RUNNING).map(String::as_str).collect();
                names.join("  ") + &and_more(self.running.len().saturating_sub(MOST_RUNNING))
            }
        };
        self.running_line.set_message(output::shown(&text).into_owned());
    }
}

/// Seconds that the rest takes if it goes on as it did; none as long as nothing can be said.
fn left_of(elapsed: Duration, done: u64, left: u64) -> Option<u64> {
    if done == 0 || left == 0 || elapsed < ESTIMATE_AFTER {
        return None;
    }
    Some((elapsed.as_secs_f64() * left as f64 / done as f64).ceil() as u64)
}

/// `3 failed, 12 skipped`.
fn not_done(parts: &[(&str, u64)]) -> Option<String> {
    let parts = parts.iter().filter(|(_, count)| *count > 0);
    let parts: Vec<String> =
        parts.map(|(what, count)| format!("{} {what}", output::number(*count))).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// How far a want is. All of it counts partitions: a run may make many.
pub fn how_far(progress: &Progress) -> String {
    let running = (progress.running > 0).then(|| format!("{} running", output::number(progress.running)));
    let parts = [Some(output::done(progress.done, progress.total)), not_done(&progress.not_done()), running];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("clock", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
            let _ = text.write_str(&output::clock(state.elapsed().as_secs()));
        })
        .progress_chars("=> ")
}

/// The word for what happened.
fn word(what: &str) -> &str {
    match what {
        "given_up" => "skipped",
        what => what,
    }
}

/// One line about one event.
fn describe(line: &ProgressLine) -> String {
    let mut text = format!("{:<9} {}", word(&line.what), line.partition);
    if let Some(run) = &line.run {
        text.push_str(&format!("  {run}"));
    }
    if let Some(ms) = line.wall_ms {
        text.push_str(&format!("  {}", output::duration(ms)));
    }
    if !line.message.is_empty() {
        text.push_str(&format!("  {}", line.message));
    }
    text
}

fn print_tail(tail: Option<&str>) {
    for text in tail.unwrap_or_default().lines() {
        output::talk(&format!("    | {text}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_time_taken() {
        let left = |seconds, done, left| left_of(Duration::from_secs(seconds), done, left);
        assert_eq!(left(60, 100, 50), Some(30));
        assert_eq!(left(10, 3, 1), Some(4));
        assert_eq!(left(1, 1, 1), None, "too early");
        assert_eq!((left(60, 0, 5), left(60, 5, 0)), (None, None));
    }

    #[test]
    fn what_is_not_done_is_said() {
        assert_eq!(not_done(&[("failed", 0), ("skipped", 0)]), None);
        assert_eq!(not_done(&[("failed", 3), ("skipped", 1_200)]).unwrap(), "3 failed, 1,200 skipped");
        let mut progress = Progress { total: 1_095, done: 412, ..Progress::default() };
        (progress.failed, progress.skipped, progress.impossible, progress.running) = (3, 2, 1, 8);
        assert_eq!(
            how_far(&progress),
            "412 of 1,095 partitions done, 3 failed, 2 skipped, 1 impossible, 8 running"
        );
        let half = Progress { total: 2, done: 1, ..Progress::default() };
        assert_eq!(how_far(&half), "1 of 2 partitions done");
    }

    #[test]
    fn bars_fill_with_what_is_done_alone() {
        let mut console = Console::new(false, ColorChoice::Always, false);
        let Console::Bars(bars) = &mut console else { panic!("bars are asked for") };
        bars.all.set_draw_target(ProgressDrawTarget::hidden());
        let mut tally = Tally::default();
        let line = |what: &str, job: &str, partitions| ProgressLine {
            seq: 1,
            what: what.to_owned(),
            partition: "p".to_owned(),
            partitions: Some(partitions),
            job: Some(job.to_owned()),
            run: None,
            wall_ms: None,
            message: String::new(),
        };
        let want = |done: u64, [failed, skipped]: [u64; 2], jobs: &[(&str, u64)]| {
            let left = 12 - (done + failed + skipped);
            let jobs: Vec<_> = jobs
                .iter()
                .map(|(job, remaining)| serde_json::json!({"job": job, "remaining": remaining, "running": 0}))
                .collect();
            let want: WantDetail = serde_json::from_value(serde_json::json!({
                "id": "w1", "state": "open", "targets": [], "class": "interactive", "refresh": "stale", "comment": "",
                "source": "cli", "by": "ada", "created_at": "", "ended_at": null, "due_at": null, "late": false, "as_of": "",
                "plan": null, "causes": [], "seq": 1,
                "progress": {
                    "total": 12, "done": done, "unchanged": 0, "failed": failed, "skipped": skipped, "left": left,
                    "running": 0, "jobs": jobs,
                },
            }))
            .unwrap();
            want
        };
        bars.progress(&want(0, [0, 0], &[("//:a", 10), ("//:b", 2)]), &tally);
        for what in [line("built", "//:a", 6), line("failed", "//:a", 1), line("given_up", "//:b", 2)] {
            tally.count(&what);
        }
        bars.progress(&want(6, [1, 2], &[("//:a", 3)]), &tally);
        assert_eq!((bars.total.position(), bars.total.length()), (6, Some(12)));
        assert_eq!(bars.total.message(), "1 failed, 2 skipped");
        let at =
            |job: &str| (bars.jobs[job].0.position(), bars.jobs[job].0.length(), bars.jobs[job].0.message());
        assert_eq!(at("//:a"), (6, Some(10), "//:a  (1 failed)".to_owned()));
        assert_eq!(at("//:b"), (0, Some(2), "//:b  (2 skipped)".to_owned()));
    }
}
