//! One attempt: from an accepted spec to its process and its end.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::process::{kill_process_group, Pid, Signal};

use super::children::wait_for;
use super::explain::explain;
use super::identity::{group_exists, to_pid};
use super::job_log::{JobLog, Stream};
use super::protocol::{AttemptName, ExitRecord, LogSize, Outcome, ResourceUse, StartSpec};
use super::spawn::{ChildFds, Program, Spawner, Step};
use super::spool::{c_string, make_job_dir, Spool};
use super::time::unix_ms;

/// How long killed members of a group may take to disappear before the end is
/// reported without them.
const GROUP_PATIENCE: Duration = Duration::from_secs(5);

/// At most this much is read from a pipe after the job's end; what a pipe can
/// hold by default settings at most.
const LAST_WORDS: usize = 1 << 20;

/// A spec that was checked and can be started without further questions.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) attempt: AttemptName,
    program: Program,
    request: String,
    timeout: Option<Duration>,
    grace: Duration,
    max_log_bytes: u64,
    mkdirs: Vec<String>,
}

impl Prepared {
    /// Checks a spec; the error says what is wrong with it.
    pub(super) fn new(spec: StartSpec, spool: &Spool) -> Result<Self, String> {
        let StartSpec {
            attempt,
            argv,
            env,
            cwd,
            request,
            timeout_ms,
            grace_ms,
            max_log_bytes,
            umask,
            mkdirs,
        } = spec;
        let executable = argv.first().ok_or("argv is empty")?;
        for (what, path) in [("the executable", executable), ("cwd", &cwd)]
            .into_iter()
            .chain(mkdirs.iter().map(|path| ("a folder of mkdirs", path)))
        {
            if !path.starts_with('/') {
                return Err(format!("{what} is not an absolute path: {path:?}"));
            }
        }
        if let Some(path) = mkdirs.iter().find(|path| path.contains('\0')) {
            return Err(format!("a folder of mkdirs holds a NUL byte: {path:?}"));
        }
        let program = Program {
            path: c_string("the executable's path", executable.as_str())?,
            cwd: c_string("cwd", cwd)?,
            env: environment(env, spool, &attempt)?,
            argv: argv.into_iter().map(|arg| c_string("an argument", arg)).collect::<Result<_, _>>()?,
            umask: umask & 0o777,
        };
        Ok(Self {
            attempt,
            program,
            request,
            timeout: timeout_ms.map(Duration::from_millis),
            grace: Duration::from_millis(grace_ms),
            max_log_bytes,
            mkdirs,
        })
    }
}

fn environment(
    given: Vec<(String, String)>,
    spool: &Spool,
    attempt: &AttemptName,
) -> Result<Vec<CString>, String> {
    const OURS: [&str; 2] = ["DATABUILD_REQUEST", "DATABUILD_REPORT"];
    let mut env = Vec::with_capacity(given.len() + OURS.len());
    for (name, value) in given {
        if name.is_empty() || name.contains('=') {
            return Err(format!("{name:?} cannot be the name of an environment variable"));
        }
        if !OURS.contains(&name.as_str()) {
            env.push(c_string("an environment variable", format!("{name}={value}"))?);
        }
    }
    let (request, report) = spool.job_paths(attempt);
    for (name, path) in OURS.into_iter().zip([request, report]) {
        let mut entry = format!("{name}=").into_bytes();
        entry.extend(path.into_os_string().into_vec());
        env.push(c_string("the spool's path", entry)?);
    }
    Ok(env)
}

/// What came of a start.
pub(super) enum Started {
    /// It runs.
    Running(Box<Job>),
    /// Somebody still has the executable open for writing; worth another try.
    TextBusy(Box<Prepared>),
    /// The attempt's folder was there already.
    Exists,
    /// Nothing of the job ran, and another try would not help.
    Failed {
        /// The system's error number.
        errno: i32,
        /// What could not be done.
        message: String,
    },
}

/// Starts an attempt. `again` says that its folder is there from an earlier
/// try.
pub(super) fn start(
    prepared: Box<Prepared>,
    again: bool,
    spool: &mut Spool,
    spawner: &mut Spawner,
    null: &impl AsFd,
    now: Instant,
) -> Started {
    let attempt = &prepared.attempt;
    if !again {
        match spool.create(attempt, &prepared.request) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Started::Exists,
            Err(e) => return setup_failed("making the attempt's spool folder", &e),
        }
    }
    for dir in &prepared.mkdirs {
        if let Err(e) = make_job_dir(dir, prepared.program.umask) {
            return setup_failed(&format!("making the folder {dir}"), &e);
        }
    }
    let fds = (|| {
        let (out, stdout) = JobLog::open(Stream::Stdout, prepared.max_log_bytes)?;
        let (err, stderr) = JobLog::open(Stream::Stderr, prepared.max_log_bytes)?;
        Ok::<_, io::Error>(([out, err], stdout, stderr, spool.open_pid_record(attempt)?))
    })();
    let (logs, stdout, stderr, record) = match fds {
        Ok(fds) => fds,
        Err(e) => return setup_failed("preparing the job's files", &e),
    };
    let child_fds = ChildFds {
        stdin: null.as_fd(),
        stdout: stdout.as_fd(),
        stderr: stderr.as_fd(),
        record: record.as_fd(),
    };
    let started_at = unix_ms();
    match spawner.spawn(&prepared.program, &child_fds) {
        Ok(process) => {
            let Some(group) = to_pid(process.pid) else {
                return setup_failed("reading the job's pid", &io::Error::other("pid 0"));
            };
            Started::Running(Box::new(Job {
                pid: process.pid,
                start_time: process.start_time,
                group,
                started_at,
                logs,
                deadline: prepared.timeout.and_then(|timeout| now.checked_add(timeout)),
                grace: prepared.grace,
                kill_at: None,
                timed_out: false,
                canceled: None,
                end: None,
                attempt: prepared.attempt,
            }))
        }
        Err(e) if e.step == Step::Exec && e.errno == libc::ETXTBSY => Started::TextBusy(prepared),
        Err(e) => Started::Failed { errno: e.errno, message: explain(e, &prepared.program) },
    }
}

fn setup_failed(what: &str, error: &io::Error) -> Started {
    Started::Failed { errno: error.raw_os_error().unwrap_or(0), message: format!("{what} failed: {error}") }
}

/// An attempt whose process was started.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) attempt: AttemptName,
    pub(super) pid: u32,
    pub(super) start_time: u64,
    group: Pid,
    pub(super) started_at: u64,
    pub(super) logs: [JobLog; 2],
    deadline: Option<Instant>,
    grace: Duration,
    kill_at: Option<Instant>,
    timed_out: bool,
    canceled: Option<String>,
    end: Option<LeaderEnd>,
}

/// The leading process is gone; the group may linger.
#[derive(Debug)]
struct LeaderEnd {
    outcome: Outcome,
    rusage: ResourceUse,
    ended_at: u64,
    give_up_at: Instant,
}

impl Job {
    /// Whether the leading process has not ended yet.
    pub(super) fn leads(&self) -> bool {
        self.end.is_none()
    }

    /// When [`Job::on_time`] has something to do.
    pub(super) fn next_time(&self) -> Option<Instant> {
        match &self.end {
            Some(end) => Some(end.give_up_at),
            None => [self.deadline, self.kill_at].into_iter().flatten().min(),
        }
    }

    /// Does what is due: TERM at the deadline, KILL after the grace.
    pub(super) fn on_time(&mut self, now: Instant) {
        if self.end.is_some() {
            return;
        }
        if self.deadline.is_some_and(|at| at <= now) {
            self.deadline = None;
            // A job that is being stopped for a cancel keeps that as its reason.
            if self.kill_at.is_none() {
                self.timed_out = true;
                self.stop(now);
            }
        }
        if self.kill_at.is_some_and(|at| at <= now) {
            self.kill_at = None;
            self.signal(Signal::KILL);
        }
    }

    /// Asks the job to end and sees to it after the grace.
    pub(super) fn cancel(&mut self, reason: String, now: Instant) {
        if self.canceled.is_none() && self.end.is_none() {
            self.canceled = Some(reason);
            if !self.timed_out {
                self.stop(now);
            }
        }
    }

    /// Kills the job at once.
    pub(super) fn kill(&mut self, reason: &str) {
        if self.end.is_none() {
            self.canceled.get_or_insert_with(|| reason.to_owned());
            self.signal(Signal::KILL);
        }
    }

    fn stop(&mut self, now: Instant) {
        self.signal(Signal::TERM);
        // A stopped process acts on SIGTERM only when it goes on.
        self.signal(Signal::CONT);
        self.kill_at = Some(now.checked_add(self.grace).unwrap_or(now));
    }

    fn signal(&self, signal: Signal) {
        // ESRCH: gone already. EPERM: changed its user, nothing we can do.
        let _ = kill_process_group(self.group, signal);
    }

    /// The leading process is a zombie: kills the rest of the group while that
    /// zombie still reserves the group's number, then takes its status. False
    /// if there was no status to take.
    pub(super) fn leader_ended(&mut self, now: Instant) -> bool {
        self.signal(Signal::KILL);
        let Some((outcome, rusage)) = wait_for(self.pid) else {
            return false;
        };
        self.end = Some(LeaderEnd { outcome, rusage, ended_at: unix_ms(), give_up_at: now + GROUP_PATIENCE });
        true
    }

    /// Whether the end can be reported now.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        self.end.as_ref().is_some_and(|end| !group_exists(self.group) || end.give_up_at <= now)
    }

    /// Takes the last output and the end's record. The flag says that something
    /// outside the group still holds the job's output.
    pub(super) fn finish(
        mut self,
        spool: &Spool,
        buffer: &mut [u8],
    ) -> Option<(AttemptName, ExitRecord, bool)> {
        self.last_words(spool, buffer);
        let fugitive = self.logs.iter().any(|log| log.pipe().is_some());
        let end = self.end?;
        let [stdout, stderr] = self.logs.map(|log| log.size());
        let exit = ExitRecord {
            outcome: end.outcome,
            timed_out: self.timed_out,
            canceled: self.canceled.is_some(),
            cancel_reason: self.canceled,
            started_at: self.started_at,
            ended_at: end.ended_at,
            rusage: end.rusage,
            stdout,
            stderr,
            group_left: group_exists(self.group),
        };
        Some((self.attempt, exit, fugitive))
    }

    fn last_words(&mut self, spool: &Spool, buffer: &mut [u8]) {
        for _ in 0..(LAST_WORDS / buffer.len().max(1)).max(1) {
            let ready: Vec<bool> = {
                let mut fds: Vec<PollFd<'_>> = self
                    .logs
                    .iter()
                    .filter_map(JobLog::pipe)
                    .map(|pipe| PollFd::from_borrowed_fd(pipe, PollFlags::IN))
                    .collect();
                if fds.is_empty() || !matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1..)) {
                    return;
                }
                fds.iter().map(|fd| !fd.revents().is_empty()).collect()
            };
            let open = self.logs.iter_mut().filter(|log| log.pipe().is_some());
            for (log, ready) in open.zip(ready) {
                if ready {
                    log.pump(spool, &self.attempt, buffer);
                }
            }
        }
    }
}

/// The end of an attempt that had no process.
pub(super) fn without_process(outcome: Outcome, canceled: Option<String>) -> ExitRecord {
    let now = unix_ms();
    ExitRecord {
        started_at: 0,
        ended_at: now,
        outcome,
        timed_out: false,
        canceled: canceled.is_some(),
        cancel_reason: canceled,
        rusage: ResourceUse::default(),
        stdout: LogSize::default(),
        stderr: LogSize::default(),
        group_left: false,
    }
}
