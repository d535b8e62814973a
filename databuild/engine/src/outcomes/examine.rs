//! What an attempt left behind: its exit, its report, its staged outputs and what checks found in them become one
//! verdict.
//!
//! Outputs of a batch of attempts are synced together before any of them is reported ([`super::examiner`]), so that
//! whatever the log calls an intent is on disk.

use super::batch;
use super::checks;
use super::collect::{collect_one, failure, read_report, Brought};
use crate::attempt::request::{parse_request, Request};
use crate::attempt::wording::{out_of_memory, signal_name};
use crate::executor::{AttemptName, Executor, ExitRecord, Kept, LogFrom, Outcome, Text, STOPPED};
use crate::looks::moved::moved_files;
use crate::message::{Asked, EndedAttempt};
use crate::orders::{CANCELED, PAUSED};
use databuild_core::data_check::Inspection;
use databuild_core::decide::{AttemptEnd, AttemptReport, Success, MOST_DISCOVERED};
use databuild_core::event::{AttemptOutcome, OutputRecord};
use databuild_core::ids::AttemptId;
use databuild_core::report::{Report, Said};
use databuild_core::text::and_more;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;

/// Errors of the system that say nothing of the job.
const PASSING: [i32; 7] =
    [libc::ENOSPC, libc::EDQUOT, libc::EIO, libc::ENOMEM, libc::EAGAIN, libc::EMFILE, libc::ENFILE];
/// Bytes of a message of a job that are kept, as of a check's: it is in the log, and many look at it.
const LONGEST_MESSAGE: usize = 1_000;
/// How many of the last characters that a job printed its message has.
const LONGEST_LINE: usize = 300;

/// What is left of an attempt, before anybody looks at its outputs.
pub(crate) struct Left {
    ended: EndedAttempt,
    kept: Result<Kept, String>,
    /// What it was asked.
    pub(crate) request: Result<Request, String>,
}

/// Finds what an attempt left.
pub(crate) fn left(executor: &Arc<dyn Executor>, ended: EndedAttempt) -> Left {
    let name = AttemptName::new(ended.attempt.to_string()).map_err(|error| error.to_string());
    let kept = name.map(|name| Kept::of(executor, name));
    let request = kept.as_ref().map_err(Clone::clone).and_then(|kept| {
        let text = kept.request(Text::Request).map_err(|error| error.to_string())?;
        parse_request(&text.ok_or("it is not there")?).map_err(|error| error.to_string())
    });
    Left { ended, kept, request }
}

pub(crate) struct Verdict {
    pub(crate) attempt: AttemptId,
    pub(crate) end: AttemptEnd,
    pub(crate) staged: Vec<PathBuf>,
    /// Inputs whose files were changed while it ran.
    pub(crate) moved: Vec<String>,
}

/// Judges what an attempt left. What it made is given to `keep` before anybody is told. Nothing is believed of an attempt
/// whose code is not `intact`.
pub(crate) fn examine(
    left: Left,
    keep: impl Fn(AttemptId, &Request, &[OutputRecord]) -> Result<(), String>,
    intact: impl Fn(AttemptId) -> Result<(), String>,
) -> Verdict {
    let Left { ended, kept, request } = left;
    let exit = &ended.exit;
    let mut found = Found::default();
    let judged = match kept {
        Ok(kept) => judge(&kept, request, &ended, &mut found, keep, intact),
        Err(error) => Err((AttemptReport::new(AttemptOutcome::Lost, error), Vec::new())),
    };
    let (result, staged) = match judged {
        Ok((success, staged)) => (Ok(success), staged),
        // Not all of it was looked at, so it does not matter what was found.
        Err(_) if ended.stop.load(Ordering::Relaxed) => {
            (found.checks, found.returned) = Default::default();
            (Err(AttemptReport::new(AttemptOutcome::Canceled, CANCELED)), Vec::new())
        }
        Err((mut report, staged)) => {
            report.message = cut(report.message);
            (Err(report), staged)
        }
    };
    // Its checks were in its place, so what they took is its.
    let ended_at = exit.checks.iter().map(|check| check.ended_at).fold(exit.ended_at, u64::max);
    let used = || std::iter::once(&exit.rusage).chain(exit.checks.iter().map(|check| &check.rusage));
    let end = AttemptEnd {
        result,
        exit_code: match exit.outcome {
            Outcome::Code(code) => Some(code),
            _ => None,
        },
        // What was never started took no time.
        wall_ms: if exit.started_at == 0 { 0 } else { ended_at.saturating_sub(exit.started_at) },
        cpu_ms: used().map(|used| used.user_ms + used.sys_ms).sum(),
        max_rss_kb: used().map(|used| used.max_rss_kb).max().unwrap_or(0),
        checks: found.checks.kept(),
        returned: found.returned,
    };
    Verdict { attempt: ended.attempt, end, staged, moved: found.moved }
}

/// A message with its first bytes.
fn cut(mut message: String) -> String {
    if message.len() > LONGEST_MESSAGE {
        let end = (0..=LONGEST_MESSAGE).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

/// What is found of an attempt besides what it brought.
#[derive(Default)]
struct Found {
    checks: Inspection,
    /// Inputs that were changed while it ran.
    moved: Vec<String>,
    /// What its job returned.
    returned: Vec<u8>,
}

/// What an attempt brought. A failure may have brought some partitions of a batch.
fn judge(
    kept: &Kept,
    request: Result<Request, String>,
    ended: &EndedAttempt,
    found: &mut Found,
    keep: impl Fn(AttemptId, &Request, &[OutputRecord]) -> Result<(), String>,
    intact: impl Fn(AttemptId) -> Result<(), String>,
) -> Result<Brought, (AttemptReport, Vec<PathBuf>)> {
    match checks::inspection(kept, &ended.exit) {
        Ok(checks) => found.checks = checks,
        Err(message) => return failure(message, false).map_err(|report| (report, Vec::new())),
    }
    let job = request.as_ref().map_or("its job", |request| &request.job);
    let how = how_it_ended(&ended.exit, job);
    if !matches!(how, Ended::Before(_)) {
        if let Err(message) = intact(ended.attempt) {
            found.checks = Inspection::default();
            // It would do the same again.
            return failure(message, true).map_err(|report| (report, Vec::new()));
        }
    }
    match (how, request) {
        (Ended::Before(report), _) => Err((report, Vec::new())),
        (Ended::Cut(report), Ok(request)) if request.batch => {
            match inputs_moved(ended, &request, &mut found.moved).is_some() || ended.asked.is_some() {
                true => Err((report, Vec::new())),
                false => match read_report(kept, &request) {
                    Ok(mut said) => {
                        found.returned = std::mem::take(&mut said.returned);
                        batch::collect(said, &request, &mut found.checks, Some(report), &ended.stop)
                    }
                    // It was stopped, perhaps in the middle of a line, so that says nothing of another attempt.
                    Err(fault) => Err((
                        AttemptReport { message: format!("{}; {fault}", report.message), ..report },
                        Vec::new(),
                    )),
                },
            }
        }
        (Ended::Cut(report), _) => Err((report, Vec::new())),
        (_, Err(error)) => {
            let message = format!("its request cannot be read back: {error}");
            failure(message, false).map_err(|report| (report, Vec::new()))
        }
        (Ended::Exited(code), Ok(request)) => {
            if let Some(report) = inputs_moved(ended, &request, &mut found.moved) {
                // Nobody knows which versions of its inputs the job has read.
                return Err((report, Vec::new()));
            }
            let brought = by_exit_code(kept, &request, found, code, &ended.stop);
            let brought = match (&ended.asked, brought) {
                (Some(asked), Ok(_)) => return Err((asked.report().clone(), Vec::new())),
                (Some(asked), Err((own, _))) if !own.done.is_empty() => {
                    return Err((asked.report().clone(), Vec::new()));
                }
                (_, brought) => brought?,
            };
            let copied = keep(ended.attempt, &request, &brought.0.outputs);
            copied.or_else(|message| failure(message, true)).map_err(|report| (report, Vec::new()))?;
            Ok(brought)
        }
    }
}

/// Whether some input of an attempt was changed while it ran; its files go to `moved`.
fn inputs_moved(ended: &EndedAttempt, request: &Request, moved: &mut Vec<String>) -> Option<AttemptReport> {
    let found = moved_files(request);
    let own = crate::looks::moved::report(&found);
    *moved = found.into_iter().map(|moved| moved.partition).collect();
    own.or_else(|| match &ended.asked {
        Some(Asked::Moved(report)) => Some(report.clone()),
        _ => None,
    })
}

fn by_exit_code(
    kept: &Kept,
    request: &Request,
    found: &mut Found,
    code: i32,
    stop: &AtomicBool,
) -> Result<Brought, (AttemptReport, Vec<PathBuf>)> {
    let mut report = match read_report(kept, request) {
        Ok(report) => report,
        Err(fault) => {
            let message = match code {
                0 => fault.to_string(),
                code => format!("{}; {fault}", exit_message(kept, code)),
            };
            return failure(message, fault.is_permanent()).map_err(|report| (report, Vec::new()));
        }
    };
    found.returned = std::mem::take(&mut report.returned);
    let checks = &mut found.checks;
    if let Some(report) = missing_input(&report) {
        return Err((report, Vec::new()));
    }
    let whole = match code {
        _ if request.batch => {
            let outcome = AttemptOutcome::Failure { permanent: false };
            let cause = (code != 0).then(|| AttemptReport::new(outcome, exit_message(kept, code)));
            return batch::collect(report, request, checks, cause, stop);
        }
        0 => collect_outputs(report, request, checks, stop),
        code => explain_failure(kept, report, request, code),
    };
    whole.map_err(|report| (report, Vec::new()))
}

/// A job that found that it needs more says so, whatever its exit code.
fn missing_input(report: &Report) -> Option<AttemptReport> {
    let mut partitions = report.missing.clone();
    if partitions.is_empty() {
        return None;
    }
    partitions.sort_unstable();
    partitions.dedup();
    if partitions.len() as u64 > MOST_DISCOVERED {
        let message = format!(
            "it reports {} missing inputs, and {MOST_DISCOVERED} is the most; declare them with `dep(...)`",
            partitions.len()
        );
        return failure::<()>(message, true).err();
    }
    let message = match partitions.as_slice() {
        [first, rest @ ..] => format!("it needs {first}{}", and_more(rest.len())),
        [] => return None,
    };
    Some(AttemptReport::new(AttemptOutcome::MissingInput { partitions }, message))
}

/// How a process ended, before anybody looks at what it made.
enum Ended {
    /// There is nothing to look at.
    Before(AttemptReport),
    /// It did not come to its end.
    Cut(AttemptReport),
    Exited(i32),
}

fn how_it_ended(exit: &ExitRecord, job: &str) -> Ended {
    if exit.canceled {
        let message = exit.cancel_reason.clone().unwrap_or_else(|| CANCELED.to_owned());
        let outcome = match message.as_str() {
            CANCELED | STOPPED | PAUSED => AttemptOutcome::Canceled,
            // A runner that ends takes its jobs with it, which nobody asked for.
            _ => AttemptOutcome::Lost,
        };
        return Ended::Before(AttemptReport::new(outcome, message));
    }
    if let Some(bytes) = exit.memory_exceeded {
        return Ended::Cut(AttemptReport::new(AttemptOutcome::OutOfMemory, out_of_memory(bytes, job)));
    }
    if exit.timed_out {
        let seconds = exit.ended_at.saturating_sub(exit.started_at) as f64 / 1000.0;
        let message =
            format!("out of time: told to stop, it was gone after {seconds:.1} s; raise `timeout` in the job if it needs longer");
        return Ended::Cut(AttemptReport::new(AttemptOutcome::Timeout, message));
    }
    let failed =
        |message: String, permanent| AttemptReport::new(AttemptOutcome::Failure { permanent }, message);
    match &exit.outcome {
        // Code snapshots are complete: what is missing or not executable today will be tomorrow. But a disk or a table
        // that is full need not be.
        Outcome::SpawnFailed { errno, message } => {
            Ended::Before(failed(message.clone(), !PASSING.contains(errno)))
        }
        Outcome::NeverStarted {} => {
            Ended::Before(AttemptReport::new(AttemptOutcome::Canceled, "canceled before it started"))
        }
        Outcome::Signal(signal) => {
            Ended::Cut(failed(format!("killed by signal {signal} ({})", signal_name(*signal)), false))
        }
        Outcome::Code(code) => Ended::Exited(*code),
    }
}

/// A job that fails may have said why, and whether trying again is useless: of the run, or of an output.
fn explain_failure(
    kept: &Kept,
    report: Report,
    request: &Request,
    code: i32,
) -> Result<Brought, AttemptReport> {
    let of_output = report.outputs.into_iter().zip(&request.outputs).find_map(|(said, output)| match said {
        Said::Failed { message, permanent } => Some((format!("{}: {message}", output.partition), permanent)),
        _ => None,
    });
    let (message, permanent) =
        report.failure.or(of_output).unwrap_or_else(|| (exit_message(kept, code), false));
    failure(message, permanent)
}

/// Of a job that said nothing better: its exit code, and the last line that it printed to stderr.
fn exit_message(kept: &Kept, code: i32) -> String {
    match checks::last_line(kept, LogFrom::End(checks::TAIL), checks::TAIL) {
        line if line.is_empty() => format!("exit code {code}"),
        line => format!("exit code {code}: {}", line.chars().take(LONGEST_LINE).collect::<String>()),
    }
}

fn collect_outputs(
    report: Report,
    request: &Request,
    checks: &mut Inspection,
    stop: &AtomicBool,
) -> Result<Brought, AttemptReport> {
    if let Some((message, permanent)) = report.failure {
        return failure(message, permanent);
    }
    let mut records = Vec::new();
    let mut staged = Vec::new();
    for (output, said) in request.outputs.iter().zip(report.outputs) {
        match collect_one(request, output, said, stop) {
            Ok((record, file)) => {
                records.push(record);
                staged.extend(file);
            }
            Err((message, permanent)) => return failure(message, permanent),
        }
    }
    match checks.refusal(&records) {
        None => Ok((Success { outputs: records, keys: report.keys }, staged)),
        // The same would be refused again.
        Some(message) => failure(message, true),
    }
}

#[cfg(test)]
mod tests {
    use super::super::collect::{reported_version, MOST_METADATA};
    use super::*;
    use crate::executor::fake::Fake;
    use crate::executor::Stream;
    use crate::testing::exited_well;

    #[test]
    fn a_job_that_said_nothing_better_is_quoted() {
        let said = |text: &str| {
            let (fake, attempt) = (Fake::default(), AttemptName::new("r1-1").unwrap());
            fake.print(&attempt, Stream::Stderr, text);
            exit_message(&Kept::of(&fake.shared(), attempt), 1)
        };
        assert_eq!(said(""), "exit code 1");
        assert_eq!(said("Traceback\n  File\nKeyError: 'x'\n\n"), "exit code 1: KeyError: 'x'");
        assert_eq!(said(" \n"), "exit code 1");
        let long = said(&"é".repeat(1_000));
        assert_eq!(long.chars().count(), "exit code 1: ".len() + LONGEST_LINE);
    }

    #[test]
    fn a_version_that_a_job_reports_is_a_word_of_its_own() {
        let reported = |version: &str| reported_version(Some(version.to_owned()), "r1");
        assert_eq!(reported_version(None, "r1"), Ok("run:r1".to_owned()));
        assert_eq!(reported("2010-06-02"), Ok("2010-06-02".to_owned()));
        assert!(reported("empty").unwrap_err().contains("without data"));
        assert_eq!(reported(""), Err("is empty"));
        assert_eq!(reported(&"v".repeat(2_000)), Err("is longer than 1024 bytes"));
    }

    fn exit(outcome: Outcome) -> ExitRecord {
        ExitRecord { outcome, started_at: 0, ended_at: 1_700_000_000_000, ..exited_well() }
    }

    #[test]
    fn what_never_started_took_no_time() {
        let executor = Fake::default().shared();
        let exit = ExitRecord { canceled: true, ..exit(Outcome::NeverStarted {}) };
        let attempt = AttemptId { run: databuild_core::ids::RunId(1), number: 1 };
        let ended = EndedAttempt::new(attempt, exit);
        assert_eq!(examine(left(&executor, ended), |_, _, _| Ok(()), |_| Ok(())).end.wall_ms, 0);
    }

    /// The end of an attempt at `x`, in a batch or not, that exited with this code and left a report of this line.
    fn end(batch: bool, code: i32, report: &serde_json::Value) -> AttemptEnd {
        end_of(batch, exit(Outcome::Code(code)), format!("{report}\n"))
    }

    /// The same of an attempt that ended like this and left these bytes as its report.
    fn end_of(batch: bool, exit: ExitRecord, report: impl Into<Vec<u8>>) -> AttemptEnd {
        let folder = tempfile::tempdir().unwrap();
        let (fake, name) = (Fake::default(), AttemptName::new("r1-1").unwrap());
        let path = folder.path().join("x");
        std::fs::write(&path, "x").unwrap();
        fake.leave(&name, Text::Report, report);
        let request = serde_json::json!({
            "format": 1, "run": "r1", "attempt": 1, "job": "//:j", "as_of": "2010-02-01T00:00:00Z", "batch": batch,
            "outputs": [{"dataset": "x", "partition": "x", "keys": {}, "path": path, "final_path": path}],
            "inputs": {}, "wants": [],
        });
        fake.leave(&name, Text::Request, request.to_string());
        let attempt = AttemptId { run: databuild_core::ids::RunId(1), number: 1 };
        let ended = EndedAttempt::new(attempt, exit);
        examine(left(&fake.shared(), ended), |_, _, _| Ok(()), |_| Ok(())).end
    }

    #[test]
    fn what_a_job_returned_is_told_whatever_came_of_it() {
        let returns = serde_json::json!({"type": "return", "text": "24 rows"});
        for (batch, code) in [(false, 0), (false, 3), (true, 0), (true, 3)] {
            assert_eq!(end(batch, code, &returns).returned, b"24 rows", "{batch} {code}");
        }
        let canceled = ExitRecord {
            canceled: true,
            cancel_reason: Some(CANCELED.to_owned()),
            ..exit(Outcome::Signal(15))
        };
        assert_eq!(end_of(false, canceled, format!("{returns}\n")).returned, b"");
        assert_eq!(end(false, 0, &serde_json::json!({"type": "done"})).returned, b"");
    }

    #[test]
    fn an_attempt_that_somebody_stopped_is_not_lost() {
        for (reason, outcome) in [
            (CANCELED, AttemptOutcome::Canceled),
            (STOPPED, AttemptOutcome::Canceled),
            (PAUSED, AttemptOutcome::Canceled),
            ("the runner was told to end", AttemptOutcome::Lost),
        ] {
            for ended in [Outcome::Signal(15), Outcome::Code(0), Outcome::NeverStarted {}] {
                let exit =
                    ExitRecord { canceled: true, cancel_reason: Some(reason.to_owned()), ..exit(ended) };
                let report = end_of(false, exit, "").result.unwrap_err();
                assert_eq!((report.outcome, &*report.message), (outcome.clone(), reason));
            }
        }
    }

    #[test]
    fn a_report_with_a_line_that_cannot_be_read_fails_for_good_whatever_the_exit_code() {
        let done = b"{\"type\":\"done\"}\n".to_vec();
        for (bad, fault) in [
            (&b"{\"type\":\"failed\",\"message\":\"bad \xff\"}\n"[..], "line 2 of the report is not UTF-8"),
            (b"{\"type\":\"failed\",\"message\":\"cut", "line 2 of the report is no JSON"),
        ] {
            let text = [&done, bad].concat();
            for batch in [false, true] {
                for (code, before) in [(0, ""), (3, "exit code 3; ")] {
                    let report = end_of(batch, exit(Outcome::Code(code)), text.clone()).result.unwrap_err();
                    assert_eq!(report.outcome, AttemptOutcome::Failure { permanent: true });
                    assert!(report.message.starts_with(&format!("{before}{fault}")), "{}", report.message);
                    assert!(report.done.is_empty());
                }
            }
            // Whoever was stopped may have been in the middle of a line.
            let late = ExitRecord { timed_out: true, ..exit(Outcome::Signal(15)) };
            let report = end_of(true, late, text).result.unwrap_err();
            assert_eq!((report.outcome, report.done.len()), (AttemptOutcome::Timeout, 0));
            assert!(report.message.starts_with("out of time") && report.message.contains(fault));
        }
    }

    #[test]
    fn what_a_job_says_of_its_failure_is_cut() {
        let long = "é".repeat(5 << 20);
        for (batch, code) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
            for report in [
                serde_json::json!({"type": "failed", "message": long}),
                serde_json::json!({"type": "failed", "partition": "x", "message": long}),
            ] {
                let message = end(batch, code, &report).result.unwrap_err().message;
                assert!(
                    (900..=1_003).contains(&message.len()),
                    "{batch} {code} {report:.60}: {}",
                    message.len()
                );
                assert!(message.contains("éé") && message.ends_with('…'));
            }
        }
    }

    #[test]
    fn metadata_has_a_limit_that_its_readers_can_bear() {
        let said = |bytes: usize| {
            let filler = "m".repeat(bytes - r#"{"k":""}"#.len());
            serde_json::json!({"type": "done", "metadata": {"k": filler}})
        };
        for batch in [false, true] {
            assert!(end(batch, 0, &said(MOST_METADATA)).result.is_ok());
            let report = end(batch, 0, &said(MOST_METADATA + 1)).result.unwrap_err();
            assert_eq!(report.outcome, AttemptOutcome::Failure { permanent: true });
            assert!(report.message.contains("the metadata of x has 65537 bytes"), "{}", report.message);
        }
    }
}
