//! What an attempt at a batch left behind: some partitions may be done and others not.
//!
//! | the process | done is |
//! |---|---|
//! | exited with 0 | what is there, unless it says that it failed |
//! | otherwise, or says that it failed as a whole | what it says is done or empty, and is there |
//!
//! A partition is done only if all outputs of its keys are, and no blocking check refuses one of them.

use super::collect::{collect_one, Brought, Outputs};
use crate::attempt::request::{OutputFile, Request};
use databuild_core::data_check::Inspection;
use databuild_core::decide::{AttemptReport, Success};
use databuild_core::event::{AttemptOutcome, OutputRecord};
use databuild_core::report::{Report, Said};
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

/// A partition that is not done.
struct Failed {
    partition: String,
    /// What is known of it alone.
    message: Option<String>,
    permanent: bool,
}

/// The outputs of a batch by its report, or why not all of them are there. `checks` are held against them; `cause` tells why the
/// process did not succeed.
pub(crate) fn collect(
    report: Report,
    request: &Request,
    checks: &mut Inspection,
    cause: Option<AttemptReport>,
    stop: &AtomicBool,
) -> Result<Brought, (AttemptReport, Vec<PathBuf>)> {
    let cause = match (report.failure, cause) {
        (Some((message, permanent)), None) => {
            Some(AttemptReport::new(AttemptOutcome::Failure { permanent }, message))
        }
        (Some((message, permanent)), Some(cause)) if is_failure(&cause) => {
            Some(AttemptReport::new(AttemptOutcome::Failure { permanent }, message))
        }
        (_, cause) => cause,
    };
    let mut made: Vec<OutputRecord> = Vec::new();
    let mut staged = Vec::new();
    let mut failed = Vec::new();
    let mut total = 0;
    let mut said = report.outputs.into_iter();
    for outputs in request.outputs.chunk_by(|a, b| a.keys == b.keys) {
        total += 1;
        let made_here = partition(request, outputs, said.by_ref().take(outputs.len()), cause.is_some(), stop);
        let passed = made_here.and_then(|(records, files)| match checks.refusal(&records) {
            None => Ok((records, files)),
            // The same would be refused again.
            Some(message) => Err(Failed {
                partition: outputs[0].partition.clone(),
                message: Some(message),
                permanent: true,
            }),
        });
        match passed {
            Ok((records, files)) => {
                made.extend(records);
                staged.extend(files);
            }
            Err(problem) => failed.push(problem),
        }
    }
    if failed.is_empty() && cause.is_none() {
        return Ok((Success { outputs: made, keys: report.keys }, staged));
    }
    let verdict = verdict(cause, made, &failed, total);
    Err((AttemptReport { keys: report.keys, ..verdict }, staged))
}

fn is_failure(report: &AttemptReport) -> bool {
    matches!(report.outcome, AttemptOutcome::Failure { .. })
}

/// All outputs of one partition. With `explicit`, only what the job says is done counts.
fn partition(
    request: &Request,
    outputs: &[OutputFile],
    said: impl Iterator<Item = Said>,
    explicit: bool,
    stop: &AtomicBool,
) -> Result<Outputs, Failed> {
    let failed = |message, permanent| Failed { partition: outputs[0].partition.clone(), message, permanent };
    let mut made = (Vec::new(), Vec::new());
    for (output, said) in outputs.iter().zip(said.collect::<Vec<_>>()) {
        if explicit && said == Said::Nothing {
            return Err(failed(None, false));
        }
        match collect_one(request, output, said, stop) {
            Ok((record, file)) => {
                made.0.push(record);
                made.1.extend(file);
            }
            Err((message, permanent)) => return Err(failed(Some(message), permanent)),
        }
    }
    Ok(made)
}

fn verdict(
    cause: Option<AttemptReport>,
    done: Vec<OutputRecord>,
    failed: &[Failed],
    total: usize,
) -> AttemptReport {
    let own = failed.iter().find_map(|failed| failed.message.clone());
    let permanent = failed.iter().all(|failed| failed.permanent);
    let (outcome, message) = match (cause, own) {
        (Some(cause), Some(own)) if is_failure(&cause) && cause.message.starts_with("exit code") => {
            (AttemptOutcome::Failure { permanent }, own)
        }
        (Some(cause), _) => (cause.outcome, cause.message),
        (None, own) => (AttemptOutcome::Failure { permanent }, own.unwrap_or_default()),
    };
    let message = match (failed.len(), total) {
        // What is left of a batch may be one partition.
        (1, 1) => message,
        (0, 1) => format!("the partition is done, and then: {message}"),
        (0, _) => format!("all {total} partitions are done, and then: {message}"),
        (some, _) => format!("{some} of {total} partitions failed: {message}"),
    };
    let hopeless = failed.iter().filter(|failed| failed.permanent);
    let hopeless = hopeless.map(|failed| failed.partition.clone()).collect();
    AttemptReport { done, hopeless, ..AttemptReport::new(outcome, message) }
}

#[cfg(test)]
mod tests {
    use super::super::collect::expected;
    use super::*;
    use crate::attempt::request::parse_request;
    use databuild_core::report::parse;
    use std::path::Path;

    /// An attempt at three days, each with a file `a` and data `b`.
    fn request(folder: &Path) -> Request {
        let mut outputs = Vec::new();
        for day in 1..=3 {
            for name in ["a", "b"] {
                let path = (name == "a").then(|| folder.join(format!("a{day}")));
                outputs.push(serde_json::json!({
                    "dataset": name, "partition": format!("{name}/date=2010-01-0{day}"),
                    "keys": {"date": format!("2010-01-0{day}")}, "path": path, "final_path": path,
                }));
            }
        }
        let request = serde_json::json!({
            "format": 1, "run": "r1", "attempt": 1, "job": "//:j", "as_of": "2010-02-01T00:00:00Z",
            "batch": true, "outputs": outputs, "inputs": {}, "wants": [],
        });
        parse_request(request.to_string().as_bytes()).unwrap()
    }

    /// Days that are done, days beyond hope, the message; none if all is well.
    type Brought = Option<(Vec<String>, Vec<String>, String)>;

    /// What a job brought that wrote the files of `written` days and this report, and ended with `cause`.
    fn brought(written: &[u8], report: &str, cause: Option<AttemptReport>) -> Brought {
        let folder = tempfile::tempdir().unwrap();
        for day in written {
            std::fs::write(folder.path().join(format!("a{day}")), "x").unwrap();
        }
        let request = request(folder.path());
        match collect(
            parse(report.as_bytes(), &expected(&request), &[]).unwrap(),
            &request,
            &mut Inspection::default(),
            cause,
            &AtomicBool::new(false),
        ) {
            Ok((success, staged)) => {
                assert_eq!((success.outputs.len(), staged.len()), (6, 3));
                None
            }
            Err((report, staged)) => {
                let done: Vec<_> = report.done.iter().step_by(2).map(|o| o.partition.clone()).collect();
                assert_eq!((report.done.len(), staged.len()), (2 * done.len(), done.len()), "{report:?}");
                Some((done, report.hopeless, report.message.replace(&*folder.path().to_string_lossy(), "F")))
            }
        }
    }

    fn done(days: &[u8]) -> String {
        let line = |name: &str, day: &u8| {
            format!("{{\"type\": \"done\", \"partition\": \"{name}/date=2010-01-0{day}\"}}\n")
        };
        days.iter().flat_map(|day| [line("a", day), line("b", day)]).collect()
    }

    fn failed(day: u8, permanent: bool) -> String {
        format!(
            "{{\"type\": \"failed\", \"partition\": \"a/date=2010-01-0{day}\", \"message\": \"no\", \"permanent\": {permanent}}}\n"
        )
    }

    fn exit_code() -> Option<AttemptReport> {
        Some(AttemptReport::new(AttemptOutcome::Failure { permanent: false }, "exit code 3"))
    }

    fn some(done: &[u8], hopeless: &[u8], message: &str) -> Brought {
        let text = |days: &[u8]| days.iter().map(|day| format!("a/date=2010-01-0{day}")).collect();
        Some((text(done), text(hopeless), message.to_owned()))
    }

    #[test]
    fn an_exit_with_0_makes_done_what_is_there() {
        assert_eq!(brought(&[1, 2, 3], "", None), None);
        let unwritten =
            "1 of 3 partitions failed: it ended without writing a/date=2010-01-02: write the file at the \
             request's `path` (F/a2), or report the partition `empty`";
        assert_eq!(brought(&[1, 3], "", None), some(&[1, 3], &[], unwritten));
        let said = "1 of 3 partitions failed: a/date=2010-01-03: no";
        assert_eq!(brought(&[1, 2, 3], &failed(3, false), None), some(&[1, 2], &[], said));
        assert_eq!(brought(&[1, 2, 3], &failed(3, true), None), some(&[1, 2], &[3], said));
    }

    #[test]
    fn otherwise_only_what_is_said_to_be_done_is() {
        let code = "3 of 3 partitions failed: exit code 3";
        assert_eq!(brought(&[1, 2, 3], "", exit_code()), some(&[], &[], code));
        let two = "1 of 3 partitions failed: exit code 3";
        assert_eq!(brought(&[1, 2, 3], &done(&[1, 3]), exit_code()), some(&[1, 3], &[], two));
        let all = "all 3 partitions are done, and then: exit code 3";
        assert_eq!(brought(&[1, 2, 3], &done(&[1, 2, 3]), exit_code()), some(&[1, 2, 3], &[], all));
        let own = "2 of 3 partitions failed: a/date=2010-01-02: no";
        let report = done(&[1]) + &failed(2, true);
        assert_eq!(brought(&[1, 2, 3], &report, exit_code()), some(&[1], &[2], own));
        let late = AttemptReport::new(AttemptOutcome::Timeout, "out of time");
        let message = "2 of 3 partitions failed: out of time";
        assert_eq!(brought(&[1, 2], &done(&[2]), Some(late)), some(&[2], &[], message));
    }

    #[test]
    fn of_one_partition_nothing_is_counted() {
        let failed = Failed { partition: "a".to_owned(), permanent: false, message: None };
        assert_eq!(verdict(exit_code(), Vec::new(), &[failed], 1).message, "exit code 3");
        let done = verdict(exit_code(), Vec::new(), &[], 1).message;
        assert_eq!(done, "the partition is done, and then: exit code 3");
    }

    #[test]
    fn one_output_said_to_be_done_is_not_the_partition() {
        let half = "{\"type\": \"done\", \"partition\": \"a/date=2010-01-01\"}\n";
        let none = "3 of 3 partitions failed: exit code 3";
        assert_eq!(brought(&[1, 2, 3], half, exit_code()), some(&[], &[], none));
    }

    #[test]
    fn a_failure_of_the_whole_leaves_what_is_said_to_be_done() {
        let whole = "{\"type\": \"failed\", \"message\": \"no license\"}\n";
        let message = "2 of 3 partitions failed: no license";
        assert_eq!(brought(&[1, 2, 3], &(done(&[1]) + whole), None), some(&[1], &[], message));
    }
}
