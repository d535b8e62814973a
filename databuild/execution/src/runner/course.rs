//! The course of an attempt: its job, then its checks one after the other, in one place and one folder.
//!
//! The end of each part is added to the attempt's record, which is told and written when the course is over. So an
//! attempt is lost as a whole or not at all, whatever part of it ran when the runner went down.

use std::collections::VecDeque;
use std::time::Duration;

use super::cgroup::Cgroup;
use super::protocol::{CheckExit, ExitRecord, LogSize, Outcome, ResourceUse};
use super::spawn::Program;
use super::spool::Part;
use super::time::unix_ms;

/// A check that was looked at and can be started without further questions.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) program: Program,
    pub(super) request: String,
    pub(super) timeout: Duration,
    pub(super) grace: Duration,
}

/// What came before the part under way, and what is to follow it.
#[derive(Debug)]
pub(super) struct Course {
    /// Still to come.
    checks: VecDeque<Check>,
    /// They are to come also if the job failed.
    check_failures: bool,
    /// Name of the check under way; none for the job.
    pub(super) name: Option<String>,
    /// What is known of the parts before.
    so_far: Option<Box<ExitRecord>>,
    /// What holds all parts to their memory, from the first start on.
    pub(super) cgroup: Option<Cgroup>,
}

/// The end of the part under way.
#[derive(Debug)]
pub(super) struct PartEnd {
    pub(super) outcome: Outcome,
    pub(super) timed_out: bool,
    pub(super) canceled: Option<String>,
    pub(super) started_at: u64,
    pub(super) ended_at: u64,
    pub(super) rusage: ResourceUse,
    pub(super) stdout: LogSize,
    pub(super) stderr: LogSize,
    /// As in [`ExitRecord`], with that of the parts before.
    pub(super) log_times: Vec<[u64; 3]>,
    /// Where its part of stderr begins.
    pub(super) stderr_from: u64,
    pub(super) group_left: bool,
    pub(super) memory_exceeded: Option<u64>,
}

/// What follows the end of a part.
#[derive(Debug)]
pub(super) enum After {
    /// A check, with the course that it is a part of.
    Check(Part, Check, Course),
    /// Nothing: this came of the attempt.
    Over(ExitRecord),
}

impl Course {
    /// Of an attempt whose job comes first.
    pub(super) fn new(checks: VecDeque<Check>, check_failures: bool) -> Self {
        Self { checks, check_failures, name: None, so_far: None, cgroup: None }
    }

    /// What the logs hold of the parts before: stdout, stderr.
    pub(super) fn logs(&self) -> [LogSize; 2] {
        self.so_far.as_ref().map(|record| [record.stdout, record.stderr]).unwrap_or_default()
    }

    /// As in [`ExitRecord`], of the parts before.
    pub(super) fn log_times(&self) -> &[[u64; 3]] {
        self.so_far.as_ref().map_or(&[], |record| &record.log_times)
    }

    /// Whether something may follow.
    pub(super) fn has_more(&self) -> bool {
        !self.checks.is_empty()
    }

    /// The part under way is over.
    pub(super) fn after(mut self, end: PartEnd) -> After {
        let canceled = end.canceled.is_some();
        let record = match (self.so_far.take(), self.name.take()) {
            (Some(record), Some(name)) => with_check(*record, name, end),
            _ => of_job(end),
        };
        let started = matches!(record.outcome, Outcome::Code(_) | Outcome::Signal(_));
        let is_good = record.is_success() && !record.timed_out && record.memory_exceeded.is_none();
        let goes_on = started && !canceled && (is_good || self.check_failures);
        match self.checks.pop_front().filter(|_| goes_on) {
            None => After::Over(record),
            Some(check) => {
                let part = Part::Check(record.checks.len());
                self.name = Some(check.name.clone());
                self.so_far = Some(Box::new(record));
                After::Check(part, check, self)
            }
        }
    }
}

fn of_job(end: PartEnd) -> ExitRecord {
    ExitRecord {
        outcome: end.outcome,
        timed_out: end.timed_out,
        canceled: end.canceled.is_some(),
        cancel_reason: end.canceled,
        started_at: end.started_at,
        ended_at: end.ended_at,
        rusage: end.rusage,
        stdout: end.stdout,
        stderr: end.stderr,
        group_left: end.group_left,
        memory_exceeded: end.memory_exceeded,
        log_times: end.log_times,
        checks: Vec::new(),
    }
}

fn with_check(mut record: ExitRecord, name: String, end: PartEnd) -> ExitRecord {
    record.canceled = end.canceled.is_some();
    record.cancel_reason = end.canceled;
    record.stdout = end.stdout;
    record.stderr = end.stderr;
    record.log_times = end.log_times;
    record.group_left |= end.group_left;
    record.checks.push(CheckExit {
        name,
        outcome: end.outcome,
        timed_out: end.timed_out,
        started_at: end.started_at,
        ended_at: end.ended_at,
        rusage: end.rusage,
        stderr: (end.stderr_from, end.stderr.bytes),
        memory_exceeded: end.memory_exceeded,
    });
    record
}

/// The end of a part of this course that had no process; the logs are as they were.
pub(super) fn without_process(outcome: Outcome, canceled: Option<String>, course: &Course) -> PartEnd {
    let [stdout, stderr] = course.logs();
    PartEnd {
        outcome,
        timed_out: false,
        canceled,
        started_at: 0,
        ended_at: unix_ms(),
        rusage: ResourceUse::default(),
        stdout,
        stderr,
        log_times: course.log_times().to_vec(),
        stderr_from: stderr.bytes,
        group_left: false,
        memory_exceeded: None,
    }
}
