//! What the checks found in the outputs of an attempt.
//!
//! The executor runs them, right after the job and in its place ([`crate::executor`]). What follows from their
//! ends is decided in [`databuild_core::data_check`]; this reads their files. All that the examiner needs
//! is in those, so a server that comes back judges what ran without it.

use crate::attempt::check_request::CheckRequest;
use crate::attempt::wording::{out_of_memory, signal_name};
use crate::executor::{CheckExit, ExitRecord, Kept, LogFrom, Outcome, Text};
use databuild_core::data_check::{self, findings, Inspection};
use databuild_core::event::CheckFindings;
use databuild_core::report::MAX_BYTES;

/// Bytes at the end of a check's stderr among which its last line is looked for.
pub(crate) const TAIL: u64 = 4096;

/// What the checks of an attempt found.
///
/// # Errors
/// What one of them was asked cannot be read back.
pub(crate) fn inspection(kept: &Kept, exit: &ExitRecord) -> Result<Inspection, String> {
    let all = exit.checks.iter().enumerate().map(|(at, check)| {
        let unreadable =
            |error: String| format!("the request of check {} cannot be read back: {error}", check.name);
        let text = kept
            .request(Text::CheckRequest(at))
            .and_then(|text| text.ok_or_else(|| std::io::ErrorKind::NotFound.into()))
            .map_err(|error| unreadable(error.to_string()))?;
        let request: CheckRequest =
            serde_json::from_slice(&text).map_err(|error| unreadable(error.to_string()))?;
        let partitions: Vec<&str> = request.outputs.iter().map(|output| output.partition.as_str()).collect();
        let (report, ended) = match kept.read(Text::CheckReport(at), MAX_BYTES as u64 + 1) {
            Ok(report) => (report.unwrap_or_default(), how_it_ended(check, &request.job)),
            Err(error) => {
                (Vec::new(), data_check::CheckExit::Cut(format!("its report cannot be read: {error}")))
            }
        };
        let (from, to) = check.stderr;
        let from = from.max(to.saturating_sub(TAIL));
        let last_line = last_line(kept, LogFrom::Begin(from), to.saturating_sub(from));
        let results = findings(&partitions, &ended, &report, &last_line);
        Ok(CheckFindings { check: request.check, blocking: request.blocking, results })
    });
    all.collect::<Result<_, String>>().map(Inspection::new)
}

fn how_it_ended(check: &CheckExit, job: &str) -> data_check::CheckExit {
    let cut = data_check::CheckExit::Cut;
    if let Some(bytes) = check.memory_exceeded {
        return cut(out_of_memory(bytes, job));
    }
    if check.timed_out {
        let seconds = check.ended_at.saturating_sub(check.started_at) as f64 / 1000.0;
        return cut(format!(
            "out of time: told to stop, it was gone after {seconds:.1} s; raise `timeout` in the check if it needs longer"
        ));
    }
    match &check.outcome {
        Outcome::Code(code) => data_check::CheckExit::Code(*code),
        Outcome::Signal(signal) => cut(format!("killed by signal {signal} ({})", signal_name(*signal))),
        Outcome::SpawnFailed { message, .. } => cut(message.clone()),
        Outcome::NeverStarted {} => cut("it was not started".to_owned()),
    }
}

/// The last line with text in a part of stderr.
pub(crate) fn last_line(kept: &Kept, from: LogFrom, most: u64) -> String {
    let bytes = match kept.stderr(from, most) {
        Ok(log) => log.bytes,
        Err(error) => return format!("what it wrote to stderr cannot be read: {error}"),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::examine::{examine, left};
    use super::*;
    use crate::executor::fake::Fake;
    use crate::executor::{AttemptName, Executor as _, ResourceUse, Stream};
    use crate::message::EndedAttempt;
    use crate::testing::exited_well;
    use databuild_core::decide::AttemptEnd;
    use databuild_core::event::{AttemptOutcome, CheckOutcome};
    use serde_json::json;
    use std::path::PathBuf;

    /// An attempt at two days, each with a file `x` and data `y`, and what is left of it.
    struct Attempt {
        executor: Fake,
        folder: tempfile::TempDir,
        exit: ExitRecord,
    }

    fn name() -> AttemptName {
        AttemptName::new("r1-1").unwrap()
    }

    fn partition(name: &str, day: usize) -> String {
        format!("{name}/date=2010-01-0{day}")
    }

    impl Attempt {
        /// One whose job exited with 0 after it had written the files of both days.
        fn new(batch: bool) -> Attempt {
            let (executor, folder) = (Fake::default(), tempfile::tempdir().unwrap());
            let attempt = Attempt { executor, folder, exit: exited_well() };
            for day in 1..=2 {
                std::fs::write(attempt.file(day), "data").unwrap();
            }
            let request = json!({
                "format": 1, "run": "r1", "attempt": 1, "job": "//:j", "as_of": "2010-02-01T00:00:00Z",
                "batch": batch, "outputs": attempt.outputs(&["x", "y"]), "inputs": {}, "wants": [],
            });
            attempt.executor.leave(&name(), Text::Request, request.to_string());
            attempt
        }

        fn file(&self, day: usize) -> PathBuf {
            self.folder.path().join(format!("x{day}"))
        }

        fn outputs(&self, names: &[&str]) -> Vec<serde_json::Value> {
            let output = |day: usize, name: &str| {
                let path = (name == "x").then(|| self.file(day));
                json!({
                    "dataset": name, "partition": partition(name, day), "keys": {"date": format!("2010-01-0{day}")},
                    "path": path, "final_path": path,
                })
            };
            (1..=2).flat_map(|day| names.iter().map(move |name| output(day, name))).collect()
        }

        /// The job reported this.
        fn job_says(self, lines: &[serde_json::Value]) -> Attempt {
            self.executor.leave(&name(), Text::Report, text(lines));
            self
        }

        /// A check of `x` ran: it ended so, reported this, and said that on stderr.
        fn check(
            self,
            blocking: bool,
            outcome: Outcome,
            lines: &[serde_json::Value],
            stderr: &str,
        ) -> Attempt {
            self.check_of("x", blocking, outcome, lines, stderr)
        }

        fn check_of(
            mut self,
            dataset: &str,
            blocking: bool,
            outcome: Outcome,
            lines: &[serde_json::Value],
            stderr: &str,
        ) -> Attempt {
            let at = self.exit.checks.len();
            let check = format!("//:c{at}");
            let job_report = self.executor.report_path(&name());
            let request = json!({
                "format": 1, "check": check, "blocking": blocking, "run": "r1", "attempt": 1, "job": "//:j",
                "as_of": "2010-02-01T00:00:00Z", "outputs": self.outputs(&[dataset]), "job_report": job_report,
            });
            self.executor.leave(&name(), Text::CheckRequest(at), request.to_string());
            self.executor.leave(&name(), Text::CheckReport(at), text(lines));
            let from = self.executor.print(&name(), Stream::Stderr, "");
            let to = self.executor.print(&name(), Stream::Stderr, stderr);
            self.exit.checks.push(CheckExit {
                name: check,
                outcome,
                timed_out: false,
                started_at: 1_200,
                ended_at: 1_500 + at as u64,
                rusage: ResourceUse { user_ms: 1, sys_ms: 1, max_rss_kb: 300 },
                stderr: (from, to),
                memory_exceeded: None,
            });
            self
        }

        fn end(&self) -> AttemptEnd {
            let attempt = "r1-1".parse().unwrap();
            let ended = EndedAttempt::new(attempt, self.exit.clone());
            examine(left(&self.executor.shared(), ended), |_, _, _| Ok(()), |_| Ok(())).end
        }
    }

    fn text(lines: &[serde_json::Value]) -> String {
        lines.iter().map(|line| format!("{line}\n")).collect()
    }

    fn line(day: usize, ok: bool, message: &str) -> serde_json::Value {
        json!({"type": "check", "partition": partition("x", day), "ok": ok, "message": message})
    }

    /// Partitions that are published; the message, if not all of them are.
    fn published(end: &AttemptEnd) -> (Vec<&str>, Option<&str>) {
        let (outputs, message) = match &end.result {
            Ok(success) => (&success.outputs, None),
            Err(report) => (&report.done, Some(report.message.as_str())),
        };
        (outputs.iter().map(|output| output.partition.as_str()).collect(), message)
    }

    /// Check, day and outcome of all findings that are kept.
    fn kept(end: &AttemptEnd) -> Vec<(&str, &str, CheckOutcome)> {
        let of = |findings: &'_ CheckFindings| findings.results.len();
        assert!(end.checks.iter().all(|findings| of(findings) > 0));
        end.checks
            .iter()
            .flat_map(|findings| {
                let day = |result: &'_ databuild_core::event::CheckResult| result.partition.len() - 1;
                findings.results.iter().map(move |result| {
                    (findings.check.as_str(), &result.partition[day(result)..], result.outcome)
                })
            })
            .collect()
    }

    use CheckOutcome::{Error, Failed, Passed};

    const ALL: [&str; 4] =
        ["x/date=2010-01-01", "y/date=2010-01-01", "x/date=2010-01-02", "y/date=2010-01-02"];

    #[test]
    fn what_passes_is_published_and_the_attempt_took_as_long_as_its_checks() {
        let end = Attempt::new(false).check(true, Outcome::Code(0), &[], "").end();
        assert_eq!(published(&end), (ALL.to_vec(), None));
        assert_eq!(kept(&end), [("//:c0", "1", Passed), ("//:c0", "2", Passed)]);
        assert_eq!((end.wall_ms, end.cpu_ms, end.max_rss_kb), (500, 17, 300));
    }

    #[test]
    fn a_warning_publishes() {
        let end = Attempt::new(false)
            .check(false, Outcome::Code(0), &[line(2, false, "few rows")], "")
            .check(false, Outcome::Signal(9), &[], "working\n")
            .end();
        assert_eq!(published(&end), (ALL.to_vec(), None));
        let expected =
            [("//:c0", "1", Passed), ("//:c0", "2", Failed), ("//:c1", "1", Error), ("//:c1", "2", Error)];
        assert_eq!(kept(&end), expected);
        assert_eq!(end.checks[1].results[0].message, "killed by signal 9 (SIGKILL; out of memory?): working");
    }

    #[test]
    fn what_took_too_much_memory_says_how_much_it_may_have() {
        let mut attempt = Attempt::new(false);
        attempt.exit.memory_exceeded = Some(1536 << 20);
        let end = attempt.end();
        let expected = "out of memory: it used more than the 1536 MiB that //:j declares \
                        (memory = \"1536m\"); raise `memory` in the job if it needs more";
        assert_eq!(published(&end), (vec![], Some(expected)));
        assert_eq!(end.result.unwrap_err().outcome, AttemptOutcome::OutOfMemory);

        let mut attempt = Attempt::new(false).check(true, Outcome::Signal(9), &[], "");
        attempt.exit.checks[0].memory_exceeded = Some(2 << 30);
        let end = attempt.end();
        let message = end.result.unwrap_err().message;
        assert!(
            message.contains("used more than the 2 GiB that //:j declares (memory = \"2g\")"),
            "{message}"
        );
    }

    #[test]
    fn a_blocking_check_refuses_the_attempt_for_good() {
        let cases = [
            (
                Outcome::Code(1),
                "a\n\n 2 rows without a price \n",
                "refuses x/date=2010-01-01: 2 rows without a price",
            ),
            (Outcome::Code(7), "", "of x/date=2010-01-01 did not work: exit code 7"),
            (
                Outcome::SpawnFailed { errno: 2, message: "no loader".to_owned() },
                "",
                "of x/date=2010-01-01 did not work: no loader",
            ),
        ];
        for (outcome, stderr, expected) in cases {
            let end = Attempt::new(false).check(true, outcome, &[], stderr).end();
            let message = format!("check //:c0 {expected} (and 1 more)");
            assert_eq!(published(&end), (vec![], Some(message.as_str())));
            let outcome = end.result.as_ref().unwrap_err().outcome.clone();
            assert_eq!(outcome, AttemptOutcome::Failure { permanent: true });
            assert_eq!(kept(&end).len(), 2);
        }
    }

    #[test]
    fn of_a_batch_what_passes_is_published() {
        let attempt = Attempt::new(true).check(true, Outcome::Code(0), &[line(1, false, "no rows")], "");
        let end = attempt.end();
        let message = "1 of 2 partitions failed: check //:c0 refuses x/date=2010-01-01: no rows";
        assert_eq!(published(&end), (ALL[2..].to_vec(), Some(message)));
        assert_eq!(end.result.unwrap_err().hopeless, [partition("x", 1)]);
    }

    #[test]
    fn of_a_batch_that_failed_what_is_done_is_checked_before_it_is_published() {
        let done = |name: &str, day| json!({"type": "done", "partition": partition(name, day)});
        let mut attempt = Attempt::new(true).job_says(&[done("x", 1), done("y", 1)]).check(
            true,
            Outcome::Code(0),
            &[line(1, false, "no rows"), line(2, false, "half")],
            "",
        );
        attempt.exit.outcome = Outcome::Code(3);
        let end = attempt.end();
        let message = "2 of 2 partitions failed: check //:c0 refuses x/date=2010-01-01: no rows";
        assert_eq!(published(&end), (vec![], Some(message)));
        assert_eq!(end.result.as_ref().unwrap_err().hopeless, [partition("x", 1)]);
        assert_eq!(kept(&end), [("//:c0", "1", Failed)], "the other was not made");
    }

    #[test]
    fn what_is_empty_is_judged_by_nobody() {
        let empty = json!({"type": "empty", "partition": partition("x", 1)});
        let end = Attempt::new(true)
            .job_says(&[empty])
            .check(true, Outcome::Code(0), &[line(1, false, "x")], "")
            .end();
        assert_eq!(published(&end), (ALL.to_vec(), None));
        assert_eq!(kept(&end), [("//:c0", "2", Passed)]);
    }

    #[test]
    fn a_check_speaks_of_its_own_dataset() {
        let end = Attempt::new(false).check_of("y", true, Outcome::Code(1), &[], "bad\n").end();
        assert_eq!(published(&end).1, Some("check //:c0 refuses y/date=2010-01-01: bad (and 1 more)"));
        let end = Attempt::new(false).check_of("y", true, Outcome::Code(0), &[line(1, true, "")], "").end();
        let message = "check //:c0 of y/date=2010-01-01 did not work: line 1 of the report speaks of \
                       `x/date=2010-01-01`, which it was not given (and 1 more)";
        assert_eq!(published(&end).1, Some(message));
    }

    #[test]
    fn a_job_that_brought_nothing_has_nothing_that_was_checked() {
        let attempt = Attempt::new(false).check(true, Outcome::Code(1), &[], "");
        std::fs::remove_file(attempt.file(2)).unwrap();
        let end = attempt.end();
        assert!(published(&end).1.unwrap().starts_with("it ended without writing x/date=2010-01-02"));
        assert_eq!(kept(&end), []);
        let mut attempt = Attempt::new(false).check(true, Outcome::Code(1), &[], "");
        attempt.exit.canceled = true;
        let end = attempt.end();
        assert_eq!(end.result.as_ref().unwrap_err().outcome, AttemptOutcome::Canceled);
        assert_eq!(kept(&end), []);
    }

    #[test]
    fn out_of_time_says_what_to_raise() {
        let mut attempt = Attempt::new(false).check(true, Outcome::Signal(15), &[], "step 3\n");
        attempt.exit.checks[0].timed_out = true;
        let message =
            "check //:c0 of x/date=2010-01-01 did not work: out of time: told to stop, it was gone after 0.3 s; raise `timeout` in \
                       the check if it needs longer: step 3 (and 1 more)";
        assert_eq!(published(&attempt.end()).1, Some(message));
    }

    #[test]
    fn a_request_that_cannot_be_read_back_fails_the_attempt() {
        let attempt = Attempt::new(false).check(false, Outcome::Code(0), &[], "");
        attempt.executor.leave(&name(), Text::CheckRequest(0), "{");
        let end = attempt.end();
        assert!(published(&end).1.unwrap().starts_with("the request of check //:c0 cannot be read back"));
    }

    #[test]
    fn what_cannot_be_read_fails_the_attempt_with_the_reason() {
        let fault = "it is a pipe, not a regular file";
        let spoilt = |attempt: Attempt, text: Text| {
            attempt.executor.spoil(&name(), text, fault);
            attempt
        };
        for batch in [false, true] {
            let end = spoilt(Attempt::new(batch), Text::Report).end();
            assert_eq!(published(&end), (vec![], Some(&*format!("its report cannot be read: {fault}"))));
            let mut attempt = spoilt(Attempt::new(batch), Text::Report);
            attempt.exit.outcome = Outcome::Code(3);
            let message = format!("exit code 3; its report cannot be read: {fault}");
            assert_eq!(published(&attempt.end()), (vec![], Some(&*message)));
        }
        let message = format!("its request cannot be read back: {fault}");
        let attempt = spoilt(Attempt::new(false), Text::Request);
        assert_eq!(published(&attempt.end()), (vec![], Some(&*message)));

        let attempt = Attempt::new(false).check(true, Outcome::Code(0), &[], "");
        let message = format!(
            "check //:c0 of x/date=2010-01-01 did not work: its report cannot be read: {fault} (and 1 more)"
        );
        assert_eq!(published(&spoilt(attempt, Text::CheckReport(0)).end()), (vec![], Some(&*message)));

        let attempt = Attempt::new(false).check(true, Outcome::Code(1), &[], "few rows\n");
        attempt.executor.spoil_logs(&name(), fault);
        let message = format!(
            "check //:c0 refuses x/date=2010-01-01: what it wrote to stderr cannot be read: {fault} (and 1 more)"
        );
        assert_eq!(published(&attempt.end()), (vec![], Some(&*message)));
    }

    #[test]
    fn a_report_that_is_too_long_is_refused() {
        let attempt = Attempt::new(false);
        attempt.executor.leave(&name(), Text::Report, vec![b' '; MAX_BYTES + 2]);
        let end = attempt.end();
        assert!(published(&end).1.unwrap().starts_with("the report is longer than"));
    }
}
