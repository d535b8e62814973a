//! `timeline`: when attempts waited, were on their way, and ran.

use crate::api::{AttemptTimes, Timeline, TimelineFold, TimelineRun};
use crate::cli::error::CliError;
use crate::cli::output::{self, Table};
use crate::cli::shared_args::GlobalArgs;
use crate::cli::url;
use crate::cli::{connect, exit_code};
use clap::Args;
use jiff::Timestamp;

/// Arguments of `timeline`.
#[derive(Debug, Args)]
pub struct TimelineArgs {
    /// Only runs that made what this want waits for
    #[arg(long)]
    pub want: Option<String>,
    /// Only runs of this job
    #[arg(long)]
    pub job: Option<String>,
    /// Only what was under way after this instant, such as 2026-01-31T08:00:00Z (default: the newest runs)
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Only what was handed out before this instant
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// Only runs before this one
    #[arg(long, value_name = "RUN")]
    pub before: Option<String>,
}

/// Runs it.
///
/// # Errors
/// The server refuses.
pub fn run(global: &GlobalArgs, args: &TimelineArgs) -> Result<u8, CliError> {
    let client = connect::connect(global)?;
    let mut path = "/api/v1/timeline?".to_owned();
    let TimelineArgs { want, job, from, until, before } = args;
    for (name, value) in [("want", want), ("job", job), ("from", from), ("until", until), ("before", before)]
    {
        if let Some(value) = value {
            path.push_str(&format!("&{name}={}", url::query_value(value)));
        }
    }
    let timeline: Timeline = client.get(&path)?;
    if global.json {
        output::json(&timeline)?;
        return Ok(exit_code::OK);
    }
    match timeline.folds.as_slice() {
        [] => of_runs(&timeline.runs),
        folds => of_jobs(folds),
    }
    if let Some(older) = &timeline.older {
        output::talk(&format!("there are earlier runs; say --before {older} for them"));
    }
    Ok(exit_code::OK)
}

fn of_runs(runs: &[TimelineRun]) {
    let head = ["ATTEMPT", "HANDED OUT", "WAITED", "ON ITS WAY", "RAN", "OUTCOME", "JOB", "PARTITION"];
    let mut table = Table::new(&head);
    for run in runs {
        for attempt in &run.attempts {
            let [waited, on_its_way, ran] = phases(attempt);
            table.row(vec![
                format!("{}-{}", run.run, attempt.number),
                output::time(&attempt.leased_at),
                waited,
                on_its_way,
                ran,
                attempt.outcome.clone().unwrap_or_else(|| run.state.clone()),
                run.job.clone(),
                run.partition.clone(),
            ]);
        }
    }
    table.print();
}

/// How long an attempt waited for room, was on its way to its process, and ran; empty where that is not over, or nobody knows.
fn phases(attempt: &AttemptTimes) -> [String; 3] {
    let AttemptTimes { ready_at, leased_at, started_at, ended_at, .. } = attempt;
    let leased = Some(leased_at);
    // What ended without a process was on its way until then.
    let begun = started_at.as_ref().or(ended_at.as_ref());
    [
        between(ready_at.as_ref(), leased),
        between(leased, begun),
        between(started_at.as_ref(), ended_at.as_ref()),
    ]
}

fn between(from: Option<&String>, until: Option<&String>) -> String {
    let instant = |text: Option<&String>| text?.parse::<Timestamp>().ok();
    let span = instant(from).zip(instant(until)).map(|(from, until)| until.duration_since(from).as_millis());
    span.map_or_else(String::new, |ms| output::duration(u64::try_from(ms).unwrap_or(0)))
}

/// Many runs: how many there were of each job, and how long they took together.
fn of_jobs(folds: &[TimelineFold]) {
    let mut table = Table::new(&["RUNS", "FAILED", "ON THEIR WAY", "RAN", "JOB"]);
    for fold in folds {
        let sum = |of: fn(&crate::api::TimelineBin) -> u64| fold.bins.iter().map(of).sum::<u64>();
        let job = if fold.job.is_empty() { "(others)" } else { &fold.job };
        table.row(vec![
            fold.runs.to_string(),
            sum(|bin| bin.failed).to_string(),
            output::duration(sum(|bin| bin.dispatch_ms)),
            output::duration(sum(|bin| bin.running_ms)),
            job.to_owned(),
        ]);
    }
    table.print();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_an_attempt_is_in_three_parts_as_far_as_it_is_known() {
        let at = |second: u32| Some(format!("2026-01-02T00:00:{second:02}Z"));
        let times = |ready, leased, started, ended| AttemptTimes {
            ready_at: ready,
            leased_at: leased,
            started_at: started,
            ended_at: ended,
            ..AttemptTimes::default()
        };
        let text = |second| at(second).unwrap_or_default();
        let cases = [
            (times(at(0), text(2), at(3), at(7)), ["2.0 s", "1.0 s", "4.0 s"]),
            (times(None, text(2), at(3), None), ["", "1.0 s", ""]),
            (times(at(1), text(2), None, at(5)), ["1.0 s", "3.0 s", ""]),
            (times(at(1), text(2), None, None), ["1.0 s", "", ""]),
        ];
        for (attempt, said) in cases {
            assert_eq!(phases(&attempt), said, "{attempt:?}");
        }
    }
}
