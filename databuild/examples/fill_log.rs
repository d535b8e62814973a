//! Fills the log of a stopped server with runs that are over, for the rows of `tools/bench` about long histories.
//!
//! `fill_log LOG` reads what ran from its standard input: a [`Line`] as JSON for each run. The last graph of the log has to be
//! one in which these jobs make these partitions.

use databuild_core::event::{
    AttemptEnded, AttemptLeased, AttemptOutcome, AttemptStarted, CheckFindings, CheckOutcome, CheckResult,
    Checked, Event, Materialized, OutputRecord, PriorityClass, Record, Refresh, RunEnded, WantCreated,
    WantEnded, WantOutcome,
};
use databuild_core::ids::{AttemptId, GraphId, RunId, Seq, WantId};
use databuild_store::{Batch, EventLog, SqliteLog};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::error::Error;
use std::io::BufRead as _;
use std::path::Path;
use std::process::ExitCode;

/// Runs that are added in one transaction.
const PIECE: usize = 1_000;
/// One of so many has a want of its own, and those that follow read key spaces as of then, too.
const WANTED: u64 = 10;

/// What a run was about.
#[derive(Debug, Deserialize)]
struct Line {
    /// Label of its job.
    job: String,
    /// What it was to make, as one reference.
    set: String,
    /// The partitions of that, in their order.
    partitions: Vec<String>,
    /// How many attempts it took; all but the last one failed.
    attempts: u32,
    /// The last one failed, too.
    failed: bool,
    /// Label of the check that looked at what it made.
    check: Option<String>,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [log] = args.as_slice() else {
        eprintln!("usage: fill_log LOG <RUNS");
        return ExitCode::from(2);
    };
    match fill(Path::new(log)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fill_log: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fill(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut log = SqliteLog::open(path)?;
    let graph = last_graph(&log)?;
    let mut at: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let mut lines = std::io::stdin().lock().lines();
    let mut as_of = at;
    let mut run: u64 = 0;
    loop {
        let mut records = Vec::new();
        for line in lines.by_ref().take(PIECE) {
            run += 1;
            at += SignedDuration::from_secs(1);
            if run.is_multiple_of(WANTED) {
                as_of = at;
            }
            let events = run_of(run, &serde_json::from_str(&line?)?, &graph, as_of);
            records.extend(events.into_iter().map(|event| Record { at, origin: Default::default(), event }));
        }
        if records.is_empty() {
            return Ok(());
        }
        log.append(&Batch { records, blobs: Vec::new() })?;
    }
}

fn last_graph(log: &SqliteLog) -> Result<GraphId, Box<dyn Error>> {
    let records = log.read(Seq(0), usize::MAX)?;
    let graphs = records.into_iter().filter_map(|(_, record)| match record.event {
        Event::GraphRegistered(graph) => Some(graph.graph),
        _ => None,
    });
    Ok(graphs.last().ok_or("the log has no graph")?)
}

/// The events of a run, and of what asked for it.
fn run_of(run: u64, line: &Line, graph: &GraphId, as_of: Timestamp) -> Vec<Event> {
    let mut events = Vec::new();
    let wanted = run.is_multiple_of(WANTED).then_some(WantId(run / WANTED));
    events.extend(wanted.map(|want| Event::WantCreated(want_for(want, &line.set, as_of))));
    for number in 1..=line.attempts {
        let attempt = AttemptId { run: RunId(run), number };
        let failed = line.failed || number < line.attempts;
        events.extend(attempt_of(attempt, line, graph, as_of, failed));
    }
    let attempt = AttemptId { run: RunId(run), number: line.attempts };
    if line.failed {
        let message = "exit code 1".to_owned();
        events.push(Event::RunEnded(RunEnded { run: RunId(run), canceled: false, message }));
    } else {
        if let Some(check) = &line.check {
            events.push(Event::Checked(Checked { attempt, checks: vec![passed(check, &line.partitions)] }));
        }
        let outputs = line.partitions.iter().zip(run * 1_000..).map(|(text, mark)| output(text, mark));
        events.push(Event::Materialized(Materialized {
            attempt,
            outputs: outputs.collect(),
            goes_on: false,
        }));
    }
    let outcome = if line.failed { WantOutcome::Failed } else { WantOutcome::Satisfied };
    let ended = |want| WantEnded { want, outcome, causes: Vec::new(), counts: None };
    events.extend(wanted.map(|want| Event::WantEnded(ended(want))));
    events
}

fn attempt_of(
    attempt: AttemptId,
    line: &Line,
    graph: &GraphId,
    as_of: Timestamp,
    failed: bool,
) -> [Event; 3] {
    let leased = AttemptLeased {
        attempt,
        job: line.job.clone(),
        partition: line.set.clone(),
        graph: graph.clone(),
        as_of,
        inputs: vec![0; line.partitions.len()],
        params: Default::default(),
        trial: None,
    };
    let (outcome, message, code) = match failed {
        true => (AttemptOutcome::Failure { permanent: false }, "exit code 1", 1),
        false => (AttemptOutcome::Success, "", 0),
    };
    let ended = AttemptEnded {
        attempt,
        outcome,
        message: message.to_owned(),
        exit_code: Some(code),
        wall_ms: 1,
        cpu_ms: 1,
        max_rss_kb: 1_000,
        retry_at: (failed && attempt.number < line.attempts).then_some(as_of),
        done: if failed { 0 } else { line.partitions.len() as u64 },
        returned: Vec::new(),
    };
    let started = AttemptStarted { attempt, pid: 1 };
    [Event::AttemptLeased(leased), Event::AttemptStarted(started), Event::AttemptEnded(ended)]
}

fn passed(check: &str, partitions: &[String]) -> CheckFindings {
    let result = |partition: &String| CheckResult {
        partition: partition.clone(),
        outcome: CheckOutcome::Passed,
        message: String::new(),
        metadata: "{}".to_owned(),
    };
    CheckFindings {
        check: check.to_owned(),
        blocking: true,
        results: partitions.iter().map(result).collect(),
    }
}

fn output(partition: &str, mark: u64) -> OutputRecord {
    OutputRecord {
        partition: partition.to_owned(),
        version: format!("sha256:{mark:064x}"),
        empty: false,
        mark,
        bytes: 100,
        metadata: "{}".to_owned(),
    }
}

fn want_for(want: WantId, partition: &str, as_of: Timestamp) -> WantCreated {
    WantCreated {
        want,
        targets: vec![partition.to_owned()],
        class: PriorityClass::Interactive,
        refresh: Refresh::Stale,
        as_of,
        expires_at: None,
        due_at: None,
        comment: String::new(),
        work: vec![partition.to_owned()],
        forced: Vec::new(),
        successors: Vec::new(),
        blocked: Vec::new(),
        plan: None,
        parent: None,
        params: Default::default(),
        request: None,
        asked: Vec::new(),
        written: Vec::new(),
    }
}
