//! What the progress of a want told, counted.

use super::output;
use crate::api::{Progress, ProgressLine, WantDetail};
use std::collections::{BTreeMap, BTreeSet};

/// Partitions of a job that are named as they are built.
const MOST_NAMED: u64 = 10;
/// Events of one kind that went wrong and are named.
const MOST_WRONG: u64 = 20;

/// What came of a want, how long ago somebody began to wait for it, and how it went.
pub fn result(want: &WantDetail, progress: &Progress, took: &str) -> String {
    let left_out_too = match want.left_out {
        0 => String::new(),
        count => format!(", {} left out", output::count(count, "partition")),
    };
    let (built, satisfied) = (progress.built(), want.want.state == "satisfied");
    if satisfied && built == 0 && want.left_out > 0 {
        return format!("nothing to build{left_out_too} (checked in {took})");
    }
    if satisfied && built == 0 {
        let nothing = match want.want.refresh.as_str() {
            "missing" => "nothing is missing, and what is stale stays as it is",
            _ => "up to date, nothing to build",
        };
        return format!("{nothing} (checked in {took})");
    }
    let mut text = format!("{} built", output::count(built, "partition"));
    for (what, count) in progress.not_done().into_iter().filter(|(_, count)| *count > 0) {
        text.push_str(&format!(", {} {what}", output::count(count, "partition")));
    }
    format!("{text}{left_out_too} in {took}")
}

/// See the module's words.
#[derive(Debug, Default)]
pub struct Tally {
    jobs: BTreeMap<String, Counts>,
    /// Events that were named, by kind, and those that go well also by job.
    named: BTreeMap<(String, String), u64>,
    /// Events that were not, by kind.
    hidden: BTreeMap<String, u64>,
    /// Runs of which something failed, by their ids: where to look.
    failed_runs: BTreeSet<String>,
}

/// Partitions of one job.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    built: u64,
    unchanged: u64,
    failed: u64,
    skipped: u64,
}

impl Tally {
    /// Counts what a line tells.
    pub fn count(&mut self, line: &ProgressLine) {
        let counts = self.jobs.entry(line.job.clone().unwrap_or_default()).or_default();
        let partitions = line.partitions.unwrap_or(1);
        match line.what.as_str() {
            "built" | "empty" => counts.built += partitions,
            "unchanged" => counts.unchanged += partitions,
            "given_up" => counts.skipped += partitions,
            "failed" => {
                counts.failed += partitions;
                self.failed_runs.extend(line.run.clone());
            }
            _ => {}
        }
    }

    /// Whether an event is to be told by itself: as long as there are few of its kind.
    pub fn is_named(&mut self, line: &ProgressLine) -> bool {
        let well = matches!(line.what.as_str(), "built" | "empty" | "unchanged");
        let (job, most) = if well { (line.job.clone(), MOST_NAMED) } else { (None, MOST_WRONG) };
        let named = self.named.entry((line.what.clone(), job.unwrap_or_default())).or_default();
        if *named < most {
            *named += 1;
            return true;
        }
        *self.hidden.entry(line.what.clone()).or_default() += 1;
        false
    }

    /// Whether anything was not told by itself.
    pub fn hides_any(&self) -> bool {
        !self.hidden.is_empty()
    }

    /// Partitions of a job that failed.
    pub fn failed(&self, job: &str) -> u64 {
        self.jobs.get(job).map_or(0, |counts| counts.failed)
    }

    /// Partitions of a job that were skipped.
    pub fn skipped(&self, job: &str) -> u64 {
        self.jobs.get(job).map_or(0, |counts| counts.skipped)
    }

    /// What was not told by itself: a line for each job, and one about warnings and the like.
    pub fn summary(&self) -> Vec<String> {
        if self.hidden.is_empty() {
            return Vec::new();
        }
        let mut lines = Vec::new();
        for (job, counts) in &self.jobs {
            let parts = [
                (counts.built, "built"),
                (counts.unchanged, "unchanged"),
                (counts.failed, "failed"),
                (counts.skipped, "skipped"),
            ];
            let parts = parts.iter().filter(|(count, _)| *count > 0);
            let parts = parts.map(|(count, what)| format!("{} {what}", output::number(*count)));
            let parts = parts.collect::<Vec<_>>().join(", ");
            if !parts.is_empty() {
                lines.push(format!("{:<9} {job}: {parts}", "total"));
            }
        }
        for (what, shown, look) in [
            ("warning", "warning", "databuild checks --failed"),
            ("retry", "retry", "databuild runs"),
            ("failed", "failure", "databuild runs --state failed"),
        ] {
            let Some(hidden) = self.hidden.get(what) else { continue };
            let many = match (what, hidden) {
                ("retry", 2..) => format!("{} more retries", output::number(*hidden)),
                _ => output::count(*hidden, &format!("more {shown}")),
            };
            lines.push(format!("{:<9} {many}: {look}", "..."));
        }
        lines
    }

    /// Where to look when a want was not satisfied.
    pub fn more(&self, want: &str) -> String {
        let look = match self.failed_runs.first() {
            Some(run) if self.failed_runs.len() == 1 => format!("databuild logs {run}"),
            Some(run) => format!("databuild runs --state failed; databuild logs {run}"),
            // Nothing ran that could be tried again.
            None => return format!("databuild why {want}"),
        };
        look + "; fix the cause, then build again"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(what: &str, partitions: Option<u64>, run: &str) -> ProgressLine {
        ProgressLine {
            seq: 1,
            what: what.to_owned(),
            partition: "a".to_owned(),
            partitions,
            job: Some("//:a".to_owned()),
            run: Some(run.to_owned()),
            wall_ms: None,
            message: String::new(),
        }
    }

    fn told(lines: &[(&str, Option<u64>, &str)]) -> Tally {
        let mut tally = Tally::default();
        lines.iter().for_each(|(what, partitions, run)| tally.count(&line(what, *partitions, run)));
        tally
    }

    fn ended(state: &str, refresh: &str, left_out: u64, progress: &Progress) -> String {
        let want = serde_json::json!({
            "id": "w1", "state": state, "targets": [], "class": "interactive", "refresh": refresh, "comment": "",
            "source": "cli", "by": "ada", "created_at": "", "ended_at": null, "due_at": null, "late": false, "as_of": "",
            "plan": null, "causes": [], "seq": 1, "left_out": left_out, "progress": null,
        });
        result(&serde_json::from_value(want).unwrap(), progress, "1.0 s")
    }

    #[test]
    fn the_result_counts_all_partitions_of_the_want() {
        let nothing = Progress::default();
        assert_eq!(
            ended("satisfied", "stale", 0, &nothing),
            "up to date, nothing to build (checked in 1.0 s)"
        );
        assert_eq!(
            ended("satisfied", "missing", 0, &nothing),
            "nothing is missing, and what is stale stays as it is (checked in 1.0 s)"
        );
        assert_eq!(ended("failed", "stale", 0, &nothing), "0 partitions built in 1.0 s");
        // What is left out is not there, so it is not up to date either.
        assert_eq!(
            ended("satisfied", "stale", 1, &nothing),
            "nothing to build, 1 partition left out (checked in 1.0 s)"
        );
        let some = Progress { total: 17, done: 7, unchanged: 3, failed: 5, skipped: 2, ..nothing };
        let some = Progress { canceled: 1, impossible: 2, ..some };
        assert_eq!(
            ended("failed", "stale", 2, &some),
            "4 partitions built, 5 partitions failed, 2 partitions skipped, 1 partition canceled, \
             2 partitions impossible, 2 partitions left out in 1.0 s"
        );
    }

    #[test]
    fn it_says_where_to_look_for_what_failed() {
        assert_eq!(told(&[]).more("w1"), "databuild why w1");
        let one = told(&[
            ("built", Some(3), "r1"),
            ("empty", None, "r2"),
            ("failed", Some(4), "r3"),
            ("failed", None, "r3"),
            ("given_up", Some(2), "r3"),
        ]);
        assert_eq!((one.failed("//:a"), one.skipped("//:a")), (5, 2), "one run made five of them");
        assert_eq!(one.more("w1"), "databuild logs r3; fix the cause, then build again");

        let two = told(&[("failed", None, "r3"), ("retry", None, "r5"), ("failed", None, "r4")]);
        assert_eq!(
            two.more("w1"),
            "databuild runs --state failed; databuild logs r3; fix the cause, then build again"
        );
    }

    #[test]
    fn a_large_build_is_told_in_few_lines() {
        let mut tally = Tally::default();
        let mut named = 0;
        for number in 0..1_095 {
            let what = if number % 10 == 0 { "warning" } else { "built" };
            let line = line(what, Some(1), &format!("r{number}"));
            tally.count(&line);
            named += u64::from(tally.is_named(&line));
        }
        assert_eq!(named, MOST_NAMED + MOST_WRONG);
        let summary = ["total     //:a: 985 built", "...       90 more warnings: databuild checks --failed"];
        assert_eq!(tally.summary(), summary);
        assert!(told(&[("built", Some(3), "r1")]).summary().is_empty(), "all was told");
    }
}
