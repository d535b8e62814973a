//! One part of an attempt, its job or a check: from an accepted spec to its process and its end.

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStringExt;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::process::{kill_process_group, Pid, Signal};

use crate::os::EnvValue;

use super::cgroup::{Cgroup, Cgroups};
use super::children::wait_for;
use super::course::{without_process, After, Check, Course, PartEnd};
use super::explain::explain;
use super::job_log::Output;
use super::log_times::Stream;
use super::protocol::{AttemptName, CheckSpec, ExitRecord, Outcome, ResourceUse, StartSpec};
use super::spawn::{ChildFds, Program, Spawner, Step};
use super::spool::{c_string, make_job_dir, Part, Spool};
use super::time::unix_ms;
use crate::os::{group_exists, to_pid};

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
    part: Part,
    program: Program,
    request: String,
    timeout: Option<Duration>,
    grace: Duration,
    max_log_bytes: u64,
    mkdirs: Vec<String>,
    /// To be given a control group of so many bytes.
    memory: Option<u64>,
    course: Course,
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
            checks,
            check_failures,
            memory,
        } = spec;
        for (what, path) in
            std::iter::once(("cwd", &cwd)).chain(mkdirs.iter().map(|path| ("a folder of mkdirs", path)))
        {
            if !path.starts_with('/') {
                return Err(format!("{what} is not an absolute path: {path:?}"));
            }
        }
        if let Some(path) = mkdirs.iter().find(|path| path.contains('\0')) {
            return Err(format!("a folder of mkdirs holds a NUL byte: {path:?}"));
        }
        let cwd = c_string("cwd", cwd)?;
        let program = |part, argv: Vec<String>, env| -> Result<Program, String> {
            let executable = argv.first().ok_or("argv is empty")?;
            if !executable.starts_with('/') {
                return Err(format!("the executable is not an absolute path: {executable:?}"));
            }
            Ok(Program {
                path: c_string("the executable's path", executable.as_str())?,
                cwd: cwd.clone(),
                env: environment(env, spool, &attempt, part)?,
                argv: argv.into_iter().map(|arg| c_string("an argument", arg)).collect::<Result<_, _>>()?,
                umask: umask & 0o777,
            })
        };
        let check = |(at, check): (usize, CheckSpec)| -> Result<Check, String> {
            let CheckSpec { name, argv, env, request, timeout_ms, grace_ms } = check;
            let program =
                program(Part::Check(at), argv, env).map_err(|why| format!("check {name}: {why}"))?;
            let (timeout, grace) = (Duration::from_millis(timeout_ms), Duration::from_millis(grace_ms));
            Ok(Check { name, program, request, timeout, grace })
        };
        let checks = checks.into_iter().enumerate().map(check).collect::<Result<_, _>>()?;
        let program = program(Part::Job, argv, env)?;
        Ok(Self {
            part: Part::Job,
            course: Course::new(checks, check_failures),
            attempt,
            program,
            request,
            timeout: timeout_ms.map(Duration::from_millis),
            grace: Duration::from_millis(grace_ms),
            max_log_bytes,
            mkdirs,
            memory,
        })
    }

    /// A check, as its attempt comes to it.
    pub(super) fn of_check(
        attempt: AttemptName,
        part: Part,
        check: Check,
        max_log_bytes: u64,
        course: Course,
    ) -> Self {
        let Check { name: _, program, request, timeout, grace } = check;
        let timeout = Some(timeout);
        // The control group that its attempt may have came with the job, and so did the folders.
        let (mkdirs, memory) = (Vec::new(), None);
        Self { attempt, part, program, request, timeout, grace, max_log_bytes, mkdirs, memory, course }
    }

    /// Makes the folder of an attempt whose end is to be recorded though it has not begun.
    pub(super) fn make_folder(&self, spool: &mut Spool) -> std::io::Result<()> {
        spool.create(&self.attempt, &self.request)
    }

    /// It does not come to a process.
    pub(super) fn not_started(self, outcome: Outcome, canceled: Option<String>) -> Next {
        let end = without_process(outcome, canceled, &self.course);
        Next::after(self.course.after(end), self.attempt, self.max_log_bytes)
    }
}

/// What follows the end of a part.
#[derive(Debug)]
pub(super) enum Next {
    /// The next part.
    Start(Box<Prepared>),
    /// Nothing: this came of the attempt.
    Over(ExitRecord),
}

impl Next {
    fn after(after: After, attempt: AttemptName, max_log_bytes: u64) -> Next {
        match after {
            After::Over(record) => Next::Over(record),
            After::Check(part, check, course) => {
                Next::Start(Box::new(Prepared::of_check(attempt, part, check, max_log_bytes, course)))
            }
        }
    }
}

fn environment(
    given: Vec<(String, EnvValue)>,
    spool: &Spool,
    attempt: &AttemptName,
    part: Part,
) -> Result<Vec<CString>, String> {
    const OURS: [&str; 2] = ["DATABUILD_REQUEST", "DATABUILD_REPORT"];
    let mut env = Vec::with_capacity(given.len() + OURS.len());
    for (name, value) in given {
        if name.is_empty() || name.contains('=') {
            return Err(format!("{name:?} cannot be the name of an environment variable"));
        }
        if !OURS.contains(&name.as_str()) {
            let mut entry = format!("{name}=").into_bytes();
            entry.extend_from_slice(value.as_bytes());
            env.push(c_string("an environment variable", entry)?);
        }
    }
    let (request, report) = spool.job_paths(attempt, part);
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
    /// Nothing of it ran, and another try would not help.
    Failed {
        /// What was to start.
        prepared: Box<Prepared>,
        /// The system's error number.
        errno: i32,
        /// What could not be done.
        message: String,
    },
}

/// Starts a part of an attempt. `again` says that its request is there from an
/// earlier try.
pub(super) fn start(
    mut prepared: Box<Prepared>,
    again: bool,
    spool: &mut Spool,
    spawner: &mut Spawner,
    cgroups: Option<&Cgroups>,
    null: &impl AsFd,
    now: Instant,
) -> Started {
    let attempt = &prepared.attempt;
    if !again {
        let made = match prepared.part {
            Part::Job => spool.create(attempt, &prepared.request),
            Part::Check(_) => spool.write_request(attempt, prepared.part, &prepared.request),
        };
        match made {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => return Started::Exists,
            Err(e) => return setup_failed(prepared, "writing to the attempt's spool folder", &e),
        }
    }
    for dir in &prepared.mkdirs {
        if let Err(e) = make_job_dir(dir, prepared.program.umask) {
            let what = format!("making the folder {dir}");
            return setup_failed(prepared, &what, &e);
        }
    }
    if let (Some(cgroups), Some(bytes)) = (cgroups, prepared.memory.take()) {
        match cgroups.for_attempt(prepared.attempt.as_str(), bytes) {
            Ok(cgroup) => prepared.course.cgroup = Some(cgroup),
            Err(e) => return setup_failed(prepared, "making a control group with the declared memory", &e),
        }
    }
    let fds = (|| {
        let entrance = prepared.course.cgroup.as_ref().map(Cgroup::entrance).transpose()?;
        let (output, ends) = Output::open(prepared.max_log_bytes, &prepared.course)?;
        let record = spool.open_pid_record(&prepared.attempt, prepared.part)?;
        Ok::<_, io::Error>((output, ends, record, entrance))
    })();
    let (output, [stdout, stderr], record, entrance) = match fds {
        Ok(fds) => fds,
        Err(e) => return setup_failed(prepared, "preparing the job's files", &e),
    };
    let child_fds = ChildFds {
        stdin: null.as_fd(),
        stdout: stdout.as_fd(),
        stderr: stderr.as_fd(),
        record: record.as_fd(),
        cgroup: entrance.as_ref().map(AsFd::as_fd),
    };
    let started_at = unix_ms();
    match spawner.spawn(&prepared.program, &child_fds) {
        Ok(process) => {
            let Some(group) = to_pid(process.pid) else {
                return setup_failed(prepared, "reading the job's pid", &io::Error::other("pid 0"));
            };
            Started::Running(Box::new(Job {
                pid: process.pid,
                start_time: process.start_time,
                group,
                started_at,
                output,
                deadline: prepared.timeout.and_then(|timeout| now.checked_add(timeout)),
                grace: prepared.grace,
                kill_at: None,
                timed_out: false,
                canceled: None,
                end: None,
                part: prepared.part,
                max_log_bytes: prepared.max_log_bytes,
                course: prepared.course,
                attempt: prepared.attempt,
            }))
        }
        Err(e) if e.step == Step::Exec && e.errno == libc::ETXTBSY => Started::TextBusy(prepared),
        Err(e) => {
            let message = explain(e, &prepared.program);
            Started::Failed { prepared, errno: e.errno, message }
        }
    }
}

fn setup_failed(prepared: Box<Prepared>, what: &str, error: &io::Error) -> Started {
    let errno = error.raw_os_error().unwrap_or(0);
    Started::Failed { prepared, errno, message: format!("{what} failed: {error}") }
}

/// A part of an attempt whose process was started.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) attempt: AttemptName,
    pub(super) pid: u32,
    pub(super) start_time: u64,
    group: Pid,
    pub(super) started_at: u64,
    pub(super) output: Output,
    deadline: Option<Instant>,
    grace: Duration,
    kill_at: Option<Instant>,
    timed_out: bool,
    canceled: Option<String>,
    end: Option<LeaderEnd>,
    pub(super) part: Part,
    max_log_bytes: u64,
    course: Course,
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
            None => [self.deadline, self.kill_at, self.output.next_time()].into_iter().flatten().min(),
        }
    }

    /// Does what is due: TERM at the deadline, KILL after the grace; and times of output are written.
    pub(super) fn on_time(&mut self, now: Instant, spool: &Spool) {
        if self.end.is_some() {
            return;
        }
        self.output.on_time(now, spool, &self.attempt);
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
        if self.canceled.is_none() && !self.is_over() {
            self.canceled = Some(reason);
            if self.end.is_none() && !self.timed_out {
                self.stop(now);
            }
        }
    }

    /// Kills the job at once.
    pub(super) fn kill(&mut self, reason: &str) {
        if !self.is_over() {
            self.canceled.get_or_insert_with(|| reason.to_owned());
        }
        if self.end.is_none() {
            self.signal(Signal::KILL);
        }
    }

    /// Until when it may take to end after it was told to.
    pub(super) fn kill_at(&self) -> Option<Instant> {
        self.kill_at
    }

    /// Whether the process is gone and no other follows it.
    fn is_over(&self) -> bool {
        self.end.is_some() && !self.course.has_more()
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
        if let Some(cgroup) = &self.course.cgroup {
            cgroup.kill();
        }
        let Some((outcome, rusage)) = wait_for(self.pid) else {
            return false;
        };
        self.end = Some(LeaderEnd { outcome, rusage, ended_at: unix_ms(), give_up_at: now + GROUP_PATIENCE });
        true
    }

    /// Whether the end can be reported now.
    pub(super) fn is_settled(&self, now: Instant) -> bool {
        self.end.as_ref().is_some_and(|end| !self.leaves_some() || end.give_up_at <= now)
    }

    /// Whether processes of it are there.
    fn leaves_some(&self) -> bool {
        group_exists(self.group) || self.course.cgroup.as_ref().is_some_and(|cgroup| !cgroup.is_empty())
    }

    /// Whether a check may follow it.
    pub(super) fn may_go_on(&self) -> bool {
        self.course.has_more()
    }

    /// Takes the last output, and says what follows. The flag says that something
    /// outside the group still holds the job's output.
    pub(super) fn finish(mut self, spool: &Spool, buffer: &mut [u8]) -> Option<(AttemptName, Next, bool)> {
        self.last_words(spool, buffer);
        let fugitive = self.output.pipes().next().is_some();
        let group_left = self.leaves_some();
        let end = self.end?;
        self.output.finish(spool, &self.attempt);
        let [stdout, stderr] = self.output.sizes();
        let end = PartEnd {
            outcome: end.outcome,
            timed_out: self.timed_out,
            canceled: self.canceled,
            started_at: self.started_at,
            ended_at: end.ended_at,
            rusage: end.rusage,
            stdout,
            stderr,
            log_times: self.output.held_times(),
            stderr_from: self.output.begin(Stream::Stderr),
            group_left,
            memory_exceeded: self.course.cgroup.as_mut().and_then(Cgroup::exceeded),
        };
        let next = Next::after(self.course.after(end), self.attempt.clone(), self.max_log_bytes);
        Some((self.attempt, next, fugitive))
    }

    fn last_words(&mut self, spool: &Spool, buffer: &mut [u8]) {
        for _ in 0..(LAST_WORDS / buffer.len().max(1)).max(1) {
            let ready: Vec<Stream> = {
                let (streams, mut fds): (Vec<Stream>, Vec<PollFd<'_>>) = self
                    .output
                    .pipes()
                    .map(|(stream, pipe)| (stream, PollFd::from_borrowed_fd(pipe, PollFlags::IN)))
                    .unzip();
                if fds.is_empty() || !matches!(poll(&mut fds, Some(&Timespec::default())), Ok(1..)) {
                    return;
                }
                let ready = streams.into_iter().zip(fds).filter(|(_, fd)| !fd.revents().is_empty());
                ready.map(|(stream, _)| stream).collect()
            };
            for stream in ready {
                self.output.pump(stream, spool, &self.attempt, buffer);
            }
        }
    }
}
