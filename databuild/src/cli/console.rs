//! How a build looks while it runs: bars on a terminal, plain lines elsewhere, JSON lines for programs.
//!
//! One subscriber of the server's progress answers among others; decides nothing.

use super::args::ColorChoice;
use super::error::CliError;
use super::output;
use crate::api::{ProgressLine, WantDetail};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
use std::io::IsTerminal as _;
use std::time::Duration;

/// Running partitions named below the bars.
const MOST_RUNNING: usize = 4;

/// Where progress goes.
pub enum Console {
    /// Bars and, above them, what went wrong.
    Bars(Box<Bars>),
    /// A line for each partition, on stderr.
    Lines,
    /// A JSON object for each event, on stdout.
    Json,
}

/// Bars on a terminal.
pub struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    jobs: BTreeMap<String, (ProgressBar, u64)>,
    running: BTreeSet<String>,
    running_line: ProgressBar,
}

impl Console {
    /// What fits where the output goes.
    pub fn new(json: bool, color: ColorChoice) -> Console {
        if json {
            return Console::Json;
        }
        let bars = match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none(),
        };
        if !bars {
            return Console::Lines;
        }
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        // A bar of nothing would be full.
        let total = all.add(ProgressBar::new(0).with_style(style("{elapsed:>6} {msg}")));
        total.set_message("planning");
        total.enable_steady_tick(Duration::from_millis(200));
        let running_line = all.add(ProgressBar::new(0).with_style(style("       {msg}")));
        Console::Bars(Box::new(Bars {
            all,
            total,
            jobs: BTreeMap::new(),
            running: BTreeSet::new(),
            running_line,
        }))
    }

    /// Shows how far the want is.
    pub fn progress(&mut self, want: &WantDetail) {
        let Console::Bars(bars) = self else { return };
        let Some(progress) = &want.progress else { return };
        if progress.total > 0 && bars.total.length() == Some(0) {
            bars.total.set_style(style("{elapsed:>6} [{bar:30}] {pos}/{len} {msg}"));
        }
        bars.total.set_length(progress.total);
        bars.total.set_position(progress.done + progress.failed);
        bars.total.set_message(match progress.failed {
            0 if want.want.paused => "(paused)".to_owned(),
            0 => String::new(),
            failed => format!("({failed} failed)"),
        });
        for job in &progress.jobs {
            let (bar, most) = bars.jobs.entry(job.job.clone()).or_insert_with(|| {
                let bar =
                    ProgressBar::new(job.remaining).with_style(style("       {bar:20} {pos}/{len} {msg}"));
                (bars.all.insert_before(&bars.running_line, bar), job.remaining)
            });
            *most = (*most).max(job.remaining);
            bar.set_length(*most);
            bar.set_position(*most - job.remaining);
            bar.set_message(output::shown(&job.job).into_owned());
        }
        for (name, (bar, most)) in &bars.jobs {
            if !progress.jobs.iter().any(|job| job.job == *name) {
                bar.set_position(*most);
            }
        }
    }

    /// Tells one event. `tail` is the end of a failed job's stderr.
    ///
    /// # Errors
    /// As [`output::json_line`].
    pub fn line(&mut self, line: &ProgressLine, tail: Option<&str>) -> Result<(), CliError> {
        match self {
            Console::Json => output::json_line(&serde_json::json!({"event": line, "stderr_tail": tail}))?,
            Console::Lines => {
                if line.what != "started" {
                    output::talk(&describe(line));
                    print_tail(tail, output::talk);
                }
            }
            Console::Bars(bars) => {
                if line.what == "started" {
                    bars.running.insert(line.partition.clone());
                } else {
                    bars.running.remove(&line.partition);
                }
                if matches!(line.what.as_str(), "failed" | "retry" | "given_up" | "warning") {
                    let say = |text: &str| drop(bars.all.println(output::shown(text)));
                    say(&describe(line));
                    print_tail(tail, say);
                }
                let names: Vec<&str> = bars.running.iter().take(MOST_RUNNING).map(String::as_str).collect();
                let more = match bars.running.len().saturating_sub(MOST_RUNNING) {
                    0 => String::new(),
                    more => format!(" and {more} more"),
                };
                let names = names.join("  ");
                bars.running_line.set_message(format!("{}{more}", output::shown(&names)));
            }
        }
        Ok(())
    }

    /// Takes the bars away.
    pub fn finish(&mut self) {
        if let Console::Bars(bars) = self {
            let _ = bars.all.clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("=> ")
}

/// One line about one event.
fn describe(line: &ProgressLine) -> String {
    let mut text = format!("{:<9} {}", line.what.replace('_', " "), line.partition);
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

fn print_tail(tail: Option<&str>, mut say: impl FnMut(&str)) {
    for text in tail.unwrap_or_default().lines() {
        say(&format!("    | {text}"));
    }
}
