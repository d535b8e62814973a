//! What an attempt left behind: its exit, its report, its staged outputs and what checks found in them become one
//! verdict.
//!
//! Runs on a thread of its own. Outputs of a batch of attempts are synced together before any of them
//! is reported, so that whatever the log calls an intent is on disk.

use super::batch;
use super::checks;
use super::moved::moved_files;
use super::orchestrator::Message;
use super::pace::Pace;
use super::request::{parse_request, OutputFile, Request};
use crate::publish::{self, PublishError};
use crate::runner::{AttemptFiles, AttemptName, ExitRecord, Outcome};
use databuild_core::data_check::Inspection;
use databuild_core::decide::{AttemptEnd, AttemptReport, Input, Sightings, Success, MOST_DISCOVERED};
use databuild_core::event::{AttemptOutcome, OutputRecord};
use databuild_core::ids::AttemptId;
use databuild_core::report::{self, Expected, Said};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender};

/// An attempt whose process is over.
#[derive(Debug)]
pub(super) struct EndedAttempt {
    pub(super) attempt: AttemptId,
    pub(super) exit: ExitRecord,
    /// What follows from what others said of its inputs, if it is not the job's own end.
    pub(super) asked: Option<AttemptReport>,
}

impl EndedAttempt {
    /// Nobody was asked about its inputs.
    pub(super) fn new(attempt: AttemptId, exit: ExitRecord) -> EndedAttempt {
        EndedAttempt { attempt, exit, asked: None }
    }
}

/// Why the runner stops an attempt whose run was canceled; whatever else it says is its own reason.
pub(super) const CANCELED: &str = "canceled";
/// Data version of a partition that is empty by the job's word.
const EMPTY_VERSION: &str = "empty";

/// Examines attempts until the channel closes. What they made is given to `keep` before anybody is told, and inputs
/// that moved under them to `look_again`.
pub(super) fn examiner(
    spool: &Path,
    ended: &Receiver<EndedAttempt>,
    to_loop: &Sender<Message>,
    pace: &Pace,
    look: impl Fn(&[String]) -> Option<Sightings>,
    look_again: impl Fn(&[String]) -> Sightings,
    keep: impl Fn(AttemptId, &Request, &[OutputRecord]) -> Result<(), String>,
) {
    while let Ok(first) = ended.recv() {
        let batch = pace.gather(first, ended);
        let mut verdicts: Vec<Verdict> = batch.iter().map(|one| examine(spool, one, &keep)).collect();
        let staged: Vec<PathBuf> = verdicts.iter().flat_map(|verdict| verdict.staged.clone()).collect();
        if publish::sync(&staged).is_err() {
            // Which of them cannot be synced is worth a second look; the others go on.
            for verdict in &mut verdicts {
                if let Err(error) = publish::sync(&verdict.staged) {
                    verdict.end.result = failure(error.to_string(), false);
                    verdict.end.checks.clear();
                }
            }
        }
        for Verdict { attempt, mut end, moved, .. } in verdicts {
            if !moved.is_empty() {
                // The next attempt is leased with what they hold now.
                let seen = Input::Sightings(look_again(&moved));
                if to_loop.send(Message::Input(Box::new(seen))).is_err() {
                    return;
                }
            }
            // What a job found that it needs, nobody may have looked at.
            if let Err(AttemptReport {
                outcome: AttemptOutcome::MissingInput { partitions }, message, ..
            }) = &end.result
            {
                if let Some(seen) = look(partitions) {
                    // Waiting for what nobody can see would be in vain; another attempt may see it.
                    let blind = seen.unseen.first().map(|look| {
                        format!("{message}, which rests on data that could not be observed: {}", look.message)
                    });
                    if let Some(message) = blind {
                        end.result = failure(message, false);
                    }
                    if to_loop.send(Message::Input(Box::new(Input::Sightings(seen)))).is_err() {
                        return;
                    }
                }
            }
            if to_loop.send(Message::Input(Box::new(Input::AttemptEnded { attempt, end }))).is_err() {
                return;
            }
        }
    }
}

pub(super) struct Verdict {
    attempt: AttemptId,
    pub(super) end: AttemptEnd,
    staged: Vec<PathBuf>,
    /// Inputs whose files were changed while it ran.
    pub(super) moved: Vec<String>,
}

pub(super) fn examine(
    spool: &Path,
    ended: &EndedAttempt,
    keep: impl Fn(AttemptId, &Request, &[OutputRecord]) -> Result<(), String>,
) -> Verdict {
    let exit = &ended.exit;
    let mut checks = Inspection::default();
    let mut moved = Vec::new();
    let (result, staged) = match judge(spool, ended, &mut checks, &mut moved, keep) {
        Ok((success, staged)) => (Ok(success), staged),
        Err((report, staged)) => (Err(report), staged),
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
        wall_ms: ended_at.saturating_sub(exit.started_at),
        cpu_ms: used().map(|used| used.user_ms + used.sys_ms).sum(),
        max_rss_kb: used().map(|used| used.max_rss_kb).max().unwrap_or(0),
        checks: checks.kept(),
    };
    Verdict { attempt: ended.attempt, end, staged, moved }
}

fn failure<T>(message: String, permanent: bool) -> Result<T, AttemptReport> {
    Err(AttemptReport::new(AttemptOutcome::Failure { permanent }, message))
}

/// Outputs with the files among them that are to be published.
pub(super) type Outputs = (Vec<OutputRecord>, Vec<PathBuf>);
/// What an attempt brought, with those files.
pub(super) type Brought = (Success, Vec<PathBuf>);

/// What an attempt brought. A failure may have brought some partitions of a batch.
fn judge(
    spool: &Path,
    ended: &EndedAttempt,
    checks: &mut Inspection,
    moved: &mut Vec<String>,
    keep: impl Fn(AttemptId, &Request, &[OutputRecord]) -> Result<(), String>,
) -> Result<Brought, (AttemptReport, Vec<PathBuf>)> {
    let name = AttemptName::new(ended.attempt.to_string())
        .map_err(|error| (AttemptReport::new(AttemptOutcome::Lost, error.to_string()), Vec::new()))?;
    let files = AttemptFiles::new(spool, &name);
    let request = std::fs::read(files.request())
        .map_err(|error| error.to_string())
        .and_then(|bytes| parse_request(&bytes).map_err(|error| error.to_string()));
    match checks::inspection(&files, &ended.exit) {
        Ok(found) => *checks = found,
        Err(message) => return failure(message, false).map_err(|report| (report, Vec::new())),
    }
    let job = request.as_ref().map_or("its job", |request| &request.job);
    match (how_it_ended(&ended.exit, job), request) {
        (Ended::Before(report), _) => Err((report, Vec::new())),
        (Ended::Cut(report), Ok(request)) if request.batch => {
            match inputs_moved(ended, &request, moved).or_else(|| ended.asked.clone()) {
                Some(_) => Err((report, Vec::new())),
                None => batch::collect(&files, &request, checks, Some(report)),
            }
        }
        (Ended::Cut(report), _) => Err((report, Vec::new())),
        (_, Err(error)) => {
            let message = format!("its request cannot be read back: {error}");
            failure(message, false).map_err(|report| (report, Vec::new()))
        }
        (Ended::Exited(code), Ok(request)) => {
            if let Some(report) = inputs_moved(ended, &request, moved) {
                // Whatever the job made of that, nobody knows of which versions.
                return Err((report, Vec::new()));
            }
            let brought = by_exit_code(&files, &request, checks, code);
            let brought = match (&ended.asked, brought) {
                (Some(report), Ok(_)) => return Err((report.clone(), Vec::new())),
                (Some(report), Err((own, _))) if !own.done.is_empty() => {
                    return Err((report.clone(), Vec::new()));
                }
                (_, brought) => brought?,
            };
            let kept = keep(ended.attempt, &request, &brought.0.outputs);
            kept.or_else(|message| failure(message, true)).map_err(|report| (report, Vec::new()))?;
            Ok(brought)
        }
    }
}

/// Whether some input of an attempt was changed while it ran; its files go to `moved`.
fn inputs_moved(ended: &EndedAttempt, request: &Request, moved: &mut Vec<String>) -> Option<AttemptReport> {
    *moved = moved_files(request).into_iter().map(|file| file.partition.clone()).collect();
    let own = moved.first().map(|first| super::moved::report(first, moved.len() - 1));
    let asked = || ended.asked.clone().filter(|report| report.outcome == AttemptOutcome::InputsMoved);
    own.or_else(asked)
}

fn by_exit_code(
    files: &AttemptFiles,
    request: &Request,
    checks: &mut Inspection,
    code: i32,
) -> Result<Brought, (AttemptReport, Vec<PathBuf>)> {
    if let Some(report) = missing_input(files, request) {
        return Err((report, Vec::new()));
    }
    let whole = match code {
        _ if request.batch => {
            let outcome = AttemptOutcome::Failure { permanent: false };
            let cause = (code != 0).then(|| AttemptReport::new(outcome, format!("exit code {code}")));
            return batch::collect(files, request, checks, cause);
        }
        0 => collect_outputs(files, request, checks),
        code => explain_failure(files, request, code),
    };
    whole.map_err(|report| (report, Vec::new()))
}

/// A job that found that it needs more says so, whatever its exit code.
fn missing_input(files: &AttemptFiles, request: &Request) -> Option<AttemptReport> {
    let mut partitions = read_report(files, request).ok()?.missing;
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
        [one] => format!("it needs {one}"),
        [first, rest @ ..] => format!("it needs {first} and {} more", rest.len()),
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
        // A runner that ends takes its jobs with it, which nobody who wants their outputs asked for.
        let outcome = if message == CANCELED { AttemptOutcome::Canceled } else { AttemptOutcome::Lost };
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
        // Code snapshots are complete: what is missing or not executable today will be tomorrow.
        Outcome::SpawnFailed { message, .. } => Ended::Before(failed(message.clone(), true)),
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
fn explain_failure(files: &AttemptFiles, request: &Request, code: i32) -> Result<Brought, AttemptReport> {
    let report = read_report(files, request).unwrap_or_default();
    let of_output = report.outputs.into_iter().zip(&request.outputs).find_map(|(said, output)| match said {
        Said::Failed { message, permanent } => Some((format!("{}: {message}", output.partition), permanent)),
        _ => None,
    });
    let (message, permanent) =
        report.failure.or(of_output).unwrap_or_else(|| (format!("exit code {code}"), false));
    failure(message, permanent)
}

fn expected(request: &Request) -> Vec<Expected> {
    request
        .outputs
        .iter()
        .map(|output| Expected { dataset: output.dataset.clone(), partition: output.partition.clone() })
        .collect()
}

pub(super) fn read_report(
    files: &AttemptFiles,
    request: &Request,
) -> Result<report::Report, report::ReportError> {
    // One byte more, by which the parser sees that it is too long.
    let bytes = read_up_to(&files.report(), report::MAX_BYTES as u64 + 1);
    report::parse(&bytes, &expected(request), &request.adds_keys)
}

/// The beginning of a file; nothing if it is not there.
pub(super) fn read_up_to(path: &Path, limit: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        // What can be read of a file that cannot be read in full is no report either: its last line will say so.
        let _ = file.take(limit).read_to_end(&mut bytes);
    }
    bytes
}

fn collect_outputs(
    files: &AttemptFiles,
    request: &Request,
    checks: &mut Inspection,
) -> Result<Brought, AttemptReport> {
    let report = match read_report(files, request) {
        Ok(report) => report,
        // Deterministic jobs would write the same report again.
        Err(error) => return failure(error.to_string(), true),
    };
    if let Some((message, permanent)) = report.failure {
        return failure(message, permanent);
    }
    let mut records = Vec::new();
    let mut staged = Vec::new();
    for (output, said) in request.outputs.iter().zip(report.outputs) {
        match collect_one(request, output, said) {
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

/// The record of an output, and its file if there is one; or why there is none, and whether for good.
pub(super) fn collect_one(
    request: &Request,
    output: &OutputFile,
    said: Said,
) -> Result<(OutputRecord, Option<PathBuf>), (String, bool)> {
    let (version, metadata) = match said {
        Said::Failed { message, permanent } => {
            return Err((format!("{}: {message}", output.partition), permanent))
        }
        Said::Empty { metadata } => {
            return Ok((record(output, EMPTY_VERSION.to_owned(), true, 0, metadata), None));
        }
        Said::Done { version, metadata } => (version, metadata),
        Said::Nothing => (None, serde_json::Map::new()),
    };
    let Some(path) = &output.path else {
        let version = version.unwrap_or_else(|| format!("run:{}", request.run));
        return Ok((record(output, version, false, 0, metadata), None));
    };
    match publish::inspect(path) {
        Ok(found) => {
            let record = record(output, found.hash.to_string(), false, found.bytes, metadata);
            Ok((record, Some(path.clone())))
        }
        Err(PublishError::OutputMissing { .. }) => {
            let message = format!(
                "it ended without writing {}: write the file at the request's `path` ({}), or report the partition `empty`",
                output.partition,
                path.display()
            );
            Err((message, false))
        }
        Err(error) => Err((error.to_string(), false)),
    }
}

fn record(
    output: &OutputFile,
    version: String,
    empty: bool,
    bytes: u64,
    metadata: serde_json::Map<String, serde_json::Value>,
) -> OutputRecord {
    OutputRecord {
        partition: output.partition.clone(),
        version,
        empty,
        mark: 0,
        bytes,
        metadata: serde_json::Value::Object(metadata).to_string(),
    }
}

/// What to say of something that took more than these bytes of memory, which this job declares.
pub(super) fn out_of_memory(bytes: u64, job: &str) -> String {
    // As it was declared: the largest unit that has no fraction.
    let units = [(40, "TiB", "t"), (30, "GiB", "g"), (20, "MiB", "m"), (10, "KiB", "k")];
    let unit = units.into_iter().find(|(bits, ..)| bytes.trailing_zeros() >= *bits);
    let (amount, declared) = match unit {
        Some((bits, name, short)) => {
            (format!("{} {name}", bytes >> bits), format!(" (memory = \"{}{short}\")", bytes >> bits))
        }
        None => (format!("{bytes} bytes"), String::new()),
    };
    format!(
        "out of memory: it used more than the {amount} that {job} declares{declared}; raise `memory` in the job if it needs more"
    )
}

pub(super) fn signal_name(signal: i32) -> &'static str {
    match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL; out of memory?",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => "see `kill -l`",
    }
}
