//! Fills the log of a stopped server with runs that ended well, for the rows of `tools/bench` about long histories.
//!
//! `fill_log LOG JOB` reads texts of partitions from its standard input, a line each. The last graph of the log has to be one
//! in which JOB makes them.

use databuild_core::event::{
    AttemptEnded, AttemptLeased, AttemptOutcome, AttemptStarted, CheckFindings, CheckOutcome, CheckResult,
    Checked, Event, Materialized, OutputRecord, PriorityClass, Record, Refresh, WantCreated, WantEnded,
    WantOutcome,
};
use databuild_core::ids::{AttemptId, GraphId, RunId, Seq, WantId};
use databuild_store::{Batch, EventLog, SqliteLog};
use jiff::Timestamp;
use std::error::Error;
use std::io::BufRead as _;
use std::path::Path;
use std::process::ExitCode;

/// Runs that are added in one transaction.
const PIECE: usize = 1_000;
/// One of so many runs has a check.
const CHECKED: u64 = 10;
/// One of so many has a want of its own.
const WANTED: u64 = 100;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [log, job] = args.as_slice() else {
        eprintln!("usage: fill_log LOG JOB <PARTITIONS");
        return ExitCode::from(2);
    };
    match fill(Path::new(log), job) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("fill_log: {error}");
            ExitCode::FAILURE
        }
    }
}

fn fill(path: &Path, job: &str) -> Result<(), Box<dyn Error>> {
    let mut log = SqliteLog::open(path)?;
    let graph = last_graph(&log)?;
    let at: Timestamp = "2026-01-01T00:00:00Z".parse()?;
    let mut lines = std::io::stdin().lock().lines();
    let mut run = 0;
    loop {
        let mut records = Vec::new();
        for line in lines.by_ref().take(PIECE) {
            run += 1;
            let events = run_of(run, job, &line?, &graph, at);
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
fn run_of(run: u64, job: &str, partition: &str, graph: &GraphId, at: Timestamp) -> Vec<Event> {
    let attempt = AttemptId { run: RunId(run), number: 1 };
    let mut events = Vec::new();
    let wanted = run.is_multiple_of(WANTED).then_some(WantId(run / WANTED));
    events.extend(wanted.map(|want| Event::WantCreated(want_for(want, partition, at))));
    events.push(Event::AttemptLeased(AttemptLeased {
        attempt,
        job: job.to_owned(),
        partition: partition.to_owned(),
        graph: graph.clone(),
        as_of: at,
        inputs: vec![0],
        params: Default::default(),
        trial: None,
    }));
    events.push(Event::AttemptStarted(AttemptStarted { attempt, pid: 1 }));
    events.push(Event::AttemptEnded(AttemptEnded {
        attempt,
        outcome: AttemptOutcome::Success,
        message: String::new(),
        exit_code: Some(0),
        wall_ms: 1,
        cpu_ms: 1,
        max_rss_kb: 1_000,
        retry_at: None,
        done: 1,
        returned: Vec::new(),
    }));
    if run.is_multiple_of(CHECKED) {
        let result = CheckResult {
            partition: partition.to_owned(),
            outcome: CheckOutcome::Passed,
            message: String::new(),
            metadata: "{}".to_owned(),
        };
        let checks =
            vec![CheckFindings { check: "//:sane".to_owned(), blocking: true, results: vec![result] }];
        events.push(Event::Checked(Checked { attempt, checks }));
    }
    let output = OutputRecord {
        partition: partition.to_owned(),
        version: format!("sha256:{run:064x}"),
        empty: false,
        mark: run,
        bytes: 100,
        metadata: "{}".to_owned(),
    };
    events.push(Event::Materialized(Materialized { attempt, outputs: vec![output], goes_on: false }));
    events.extend(wanted.map(|want| {
        Event::WantEnded(WantEnded { want, outcome: WantOutcome::Satisfied, causes: Vec::new() })
    }));
    events
}

fn want_for(want: WantId, partition: &str, at: Timestamp) -> WantCreated {
    WantCreated {
        want,
        targets: vec![partition.to_owned()],
        class: PriorityClass::Interactive,
        refresh: Refresh::Stale,
        as_of: at,
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
    }
}
