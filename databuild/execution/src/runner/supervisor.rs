//! The runner's table of attempts: queue, running jobs, and ends not yet
//! forgotten. It knows nothing of sockets; the event loop calls it and sends
//! the notices it leaves.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::attempt::{start, Job, Next, Prepared, Started};
use super::cgroup::{remove_groups, Cgroups};
use super::children::{has_children, next_ended_child, wait_for};
use super::log_times::Stream;
use super::orphans;
use super::protocol::{
    AttemptName, AttemptReport, AttemptState, EndedParams, ExitRecord, MemoryLimits, Outcome, RefusedParams,
    StartSpec, StartedParams, STOPPED,
};
use super::spawn::Spawner;
use super::spool::{Part, Spool};
use crate::os::{say, ProcessRecord, PROGRAM_CHANGE};

/// Between two tries to start an executable that is open for writing.
const BUSY_PAUSE: Duration = Duration::from_millis(10);
/// After this many tries the start has failed.
const BUSY_TRIES: u32 = 100;
/// How often a lingering group is looked at; its members' ends are not always
/// signalled to the runner.
const LINGER_PAUSE: Duration = Duration::from_millis(20);
/// Between two looks at a process that is being given another program.
const CHANGE_PAUSE: Duration = Duration::from_millis(1);
/// Forgotten folders are removed while nothing is live, or when there are more
/// than this.
const MAX_TRASH: usize = 4096;
/// Bytes moved from a pipe at once.
const PUMP_BUFFER: usize = 64 << 10;

/// Something to tell the server.
#[derive(Debug)]
pub(super) enum Notice {
    Started(StartedParams),
    Ended(EndedParams),
    Refused(RefusedParams),
}

/// A start to be tried again.
struct BusyStart {
    prepared: Box<Prepared>,
    tries: u32,
    at: Instant,
}

/// An attempt that the server asks nothing more about.
struct Forgotten {
    attempt: AttemptName,
    /// It succeeded and printed nothing.
    silent: bool,
    keep: bool,
}

/// See the module's words.
pub(super) struct Supervisor {
    spool: Spool,
    spawner: Spawner,
    /// Or why there are none.
    cgroups: Result<Cgroups, String>,
    /// Where there may be control groups of this spool: those of now, and of the runner before.
    cgroup_bases: BTreeSet<PathBuf>,
    null: OwnedFd,
    runner: u32,
    capacity: usize,
    draining: bool,
    queue: VecDeque<Box<Prepared>>,
    busy: Vec<BusyStart>,
    jobs: Vec<Job>,
    finished: Vec<(AttemptName, ExitRecord)>,
    ended: BTreeMap<AttemptName, Box<ExitRecord>>,
    known: HashSet<AttemptName>,
    /// Forgotten attempts whose folders are not looked after yet.
    forgotten: VecDeque<Forgotten>,
    /// Those whose folders are to be removed.
    trash: VecDeque<AttemptName>,
    notices: Vec<Notice>,
    buffer: Vec<u8>,
    orphans_due: bool,
}

impl Supervisor {
    pub(super) fn new(
        spool: Spool,
        cgroups: Result<Cgroups, String>,
        base_before: Option<PathBuf>,
        null: OwnedFd,
        identity: &ProcessRecord,
        capacity: usize,
    ) -> Self {
        let base = cgroups.as_ref().ok().map(|cgroups| cgroups.base().to_owned());
        Self {
            spool,
            spawner: Spawner::new(&identity.boot_id),
            cgroups,
            cgroup_bases: base.into_iter().chain(base_before).collect(),
            null,
            runner: identity.pid,
            capacity,
            draining: false,
            queue: VecDeque::new(),
            busy: Vec::new(),
            jobs: Vec::new(),
            finished: Vec::new(),
            ended: BTreeMap::new(),
            known: HashSet::new(),
            forgotten: VecDeque::new(),
            trash: VecDeque::new(),
            notices: Vec::new(),
            buffer: vec![0; PUMP_BUFFER],
            orphans_due: false,
        }
    }

    pub(super) fn spool(&self) -> &Spool {
        &self.spool
    }

    pub(super) fn into_spool(self) -> Spool {
        self.spool
    }

    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Who holds attempts to their memory.
    pub(super) fn memory_limits(&self) -> MemoryLimits {
        match &self.cgroups {
            Ok(cgroups) => MemoryLimits::Enforced { by: cgroups.describe().to_owned() },
            Err(why) => MemoryLimits::Accounting { why: why.clone() },
        }
    }

    pub(super) fn is_draining(&self) -> bool {
        self.draining
    }

    /// Whether any attempt waits or runs.
    pub(super) fn is_live(&self) -> bool {
        !(self.queue.is_empty() && self.busy.is_empty() && self.jobs.is_empty() && self.finished.is_empty())
    }

    pub(super) fn set_capacity(&mut self, jobs: usize) {
        self.capacity = jobs;
    }

    /// Queues what can be queued, refuses the rest.
    pub(super) fn accept(&mut self, specs: Vec<StartSpec>) {
        for spec in specs {
            let attempt = spec.attempt.clone();
            if self.draining {
                self.refuse(attempt, "draining", "the runner is leaving");
            } else if self.known.contains(&attempt) || self.spool.holds(&attempt) {
                self.refuse_existing(attempt);
            } else {
                match Prepared::new(spec, &self.spool) {
                    Ok(prepared) => {
                        self.known.insert(attempt);
                        self.queue.push_back(Box::new(prepared));
                    }
                    Err(why) => self.refuse(attempt, "bad_spec", &why),
                }
            }
        }
    }

    fn refuse_existing(&mut self, attempt: AttemptName) {
        self.refuse(attempt, "attempt_exists", "an attempt of this name was started before");
    }

    fn refuse(&mut self, attempt: AttemptName, code: &str, message: &str) {
        self.notices.push(Notice::Refused(RefusedParams {
            attempt,
            code: code.to_owned(),
            message: message.to_owned(),
        }));
    }

    /// A queued attempt never starts, a running one is stopped; others are left.
    pub(super) fn cancel(&mut self, attempt: &AttemptName, reason: String, now: Instant) {
        if let Some(job) = self.jobs.iter_mut().find(|job| job.attempt == *attempt) {
            job.cancel(reason, now);
        } else {
            self.withdraw(attempt, reason);
        }
    }

    /// Ends an attempt that has not begun; one that has goes on.
    pub(super) fn withdraw(&mut self, attempt: &AttemptName, reason: String) {
        if let Some(at) = self.queue.iter().position(|queued| queued.attempt == *attempt) {
            if let Some(prepared) = self.queue.remove(at) {
                self.end_unstarted(*prepared, reason);
            }
        } else if let Some(at) = self.busy.iter().position(|busy| busy.prepared.attempt == *attempt) {
            let busy = self.busy.remove(at);
            self.give_up(*busy.prepared, reason);
        }
    }

    /// It has no folder, so its end is kept in memory only: a folder would say
    /// that it was started.
    fn end_unstarted(&mut self, prepared: Prepared, reason: String) {
        let attempt = prepared.attempt.clone();
        if let Next::Over(exit) = prepared.not_started(Outcome::NeverStarted {}, Some(reason)) {
            self.tell_ended(attempt, exit);
        }
    }

    /// The attempt has a folder and will not be started: it is cancelled while it waits for another try, or the server has
    /// all stopped. Nothing follows that.
    fn give_up(&mut self, prepared: Prepared, reason: String) {
        let attempt = prepared.attempt.clone();
        if let Next::Over(exit) = prepared.not_started(Outcome::NeverStarted {}, Some(reason)) {
            self.finished.push((attempt, exit));
        }
    }

    /// Drops ended attempts, with their folders unless `keep`; that of a success
    /// without output has nothing to keep and serves the next attempt. What is done
    /// with a folder is done later, see [`Supervisor::tidy`].
    pub(super) fn forget(&mut self, attempts: &[AttemptName], keep: bool) {
        for attempt in attempts {
            let Some(exit) = self.ended.remove(attempt) else { continue };
            self.known.remove(attempt);
            let checked = exit.checks.iter().all(|check| check.outcome == Outcome::Code(0));
            let silent = exit.is_success() && checked && exit.stdout.bytes == 0 && exit.stderr.bytes == 0;
            self.forgotten.push_back(Forgotten { attempt: attempt.clone(), silent, keep });
        }
    }

    /// Does what can wait, a piece at a time, so that no place stays empty
    /// meanwhile: looks after the folder of a forgotten attempt, and removes one if
    /// this is a good time. Where freeing blocks is slow (ext4 with `discard`,
    /// network storage), a removal can take as long as a short job.
    pub(super) fn tidy(&mut self) {
        if let Some(Forgotten { attempt, silent, keep }) = self.forgotten.pop_front() {
            let serves_again = silent && self.spool.recycle(&attempt);
            if !serves_again && !keep {
                self.trash.push_back(attempt);
            }
        }
        if !self.is_live() || self.trash.len() > MAX_TRASH {
            self.remove_one();
        }
    }

    /// Removes all forgotten folders.
    pub(super) fn tidy_all(&mut self) {
        while !self.forgotten.is_empty() {
            self.tidy();
        }
        while self.remove_one() {}
    }

    fn remove_one(&mut self) -> bool {
        let Some(attempt) = self.trash.pop_front() else {
            return false;
        };
        if let Err(e) = self.spool.remove(&attempt) {
            say(format_args!("runner: removing the spool folder of {attempt} failed: {e}"));
        }
        true
    }

    /// Everything known, in no particular order.
    pub(super) fn reports(&self) -> Vec<AttemptReport> {
        let queued = self.queue.iter().map(|prepared| &prepared.attempt);
        let busy = self.busy.iter().map(|busy| &busy.prepared.attempt);
        let waiting = queued
            .chain(busy)
            .map(|attempt| AttemptReport { attempt: attempt.clone(), state: AttemptState::Queued });
        let running = self.jobs.iter().map(|job| AttemptReport {
            attempt: job.attempt.clone(),
            state: AttemptState::Running {
                pid: job.pid,
                start_time: job.start_time,
                started_at: job.started_at,
            },
        });
        let ended = self.ended.iter().map(|(attempt, exit)| AttemptReport {
            attempt: attempt.clone(),
            state: AttemptState::Ended { exit: exit.clone() },
        });
        waiting.chain(running).chain(ended).collect()
    }

    /// Takes nothing new, and tells what runs to end. Returns how long that may take, which its jobs declare.
    pub(super) fn stop_all(&mut self, reason: &str, now: Instant) -> Duration {
        self.leave(reason);
        for job in &mut self.jobs {
            job.cancel(reason.to_owned(), now);
        }
        let grace = self.jobs.iter().filter_map(Job::kill_at).map(|at| at.saturating_duration_since(now));
        grace.max().unwrap_or_default()
    }

    /// Takes nothing new, and kills what runs.
    pub(super) fn kill_all(&mut self, reason: &str) {
        self.leave(reason);
        for job in &mut self.jobs {
            job.kill(reason);
        }
    }

    /// Takes and begins nothing more, and gives queued attempts back. A server that had all stopped does not listen any
    /// more: the next one reads why these did not begin.
    fn leave(&mut self, reason: &str) {
        self.draining = true;
        for prepared in std::mem::take(&mut self.queue) {
            if reason == STOPPED && prepared.make_folder(&mut self.spool).is_ok() {
                self.give_up(*prepared, reason.to_owned());
                continue;
            }
            self.known.remove(&prepared.attempt);
            self.refuse(prepared.attempt, "draining", "the runner is leaving");
        }
        for busy in std::mem::take(&mut self.busy) {
            self.give_up(*busy.prepared, reason.to_owned());
        }
    }

    /// The pipes to wait on, with the job's index and the stream.
    pub(super) fn pipes(&self) -> impl Iterator<Item = ((usize, Stream), BorrowedFd<'_>)> {
        self.jobs
            .iter()
            .enumerate()
            .flat_map(|(job_at, job)| job.output.pipes().map(move |(stream, pipe)| ((job_at, stream), pipe)))
    }

    /// Moves output of a pipe that is ready. Indices are those of
    /// [`Supervisor::pipes`], valid until the next call that changes jobs.
    pub(super) fn pump(&mut self, (job_at, stream): (usize, Stream)) {
        if let Some(job) = self.jobs.get_mut(job_at) {
            job.output.pump(stream, &self.spool, &job.attempt, &mut self.buffer);
        }
    }

    /// Looks at children that have ended.
    pub(super) fn reap(&mut self, now: Instant) {
        while let Some(pid) = next_ended_child() {
            let leader = self.jobs.iter_mut().find(|job| job.leads() && job.pid == pid);
            let reaped = match leader {
                Some(job) => job.leader_ended(now),
                None => {
                    self.orphans_due = true;
                    wait_for(pid).is_some()
                }
            };
            if !reaped {
                say(format_args!("runner: process {pid} has ended but cannot be reaped"));
                break;
            }
        }
    }

    /// When [`Supervisor::advance`] or [`Supervisor::tidy`] has something to do.
    pub(super) fn next_time(&self, now: Instant) -> Option<Instant> {
        let jobs = self.jobs.iter().filter_map(|job| {
            let lingering = (!job.leads()).then(|| now + LINGER_PAUSE);
            [job.next_time(), lingering].into_iter().flatten().min()
        });
        let removable = !self.trash.is_empty() && !self.is_live();
        let tidy = (removable || !self.forgotten.is_empty()).then_some(now);
        let busy = self.busy.iter().map(|busy| busy.at);
        jobs.chain(busy).chain(tidy).min()
    }

    /// Acts on time, fills the places of ended jobs, and then (so that the next
    /// job does not wait for it) takes the last output and records the ends. Hence
    /// the server may hear of a start before it hears of the end that made room
    /// for it.
    pub(super) fn advance(&mut self, now: Instant) {
        let (going_on, over): (Vec<_>, Vec<_>) = self.settled(now).into_iter().partition(Job::may_go_on);
        // A check takes its job's place, so it comes before what would fill that.
        self.finish(going_on, now);
        self.retry_busy(now);
        while self.jobs.len() + self.busy.len() < self.capacity {
            let Some(prepared) = self.queue.pop_front() else {
                break;
            };
            self.start(prepared, 0, now);
        }
        self.finish(over, now);
        for (attempt, exit) in std::mem::take(&mut self.finished) {
            if let Err(e) = self.spool.write_exit(&attempt, &exit) {
                say(format_args!("runner: recording the end of {attempt} failed: {e}"));
            }
            self.tell_ended(attempt, exit);
        }
    }

    /// Takes out the jobs whose end can be reported.
    fn settled(&mut self, now: Instant) -> Vec<Job> {
        let mut settled = Vec::new();
        let mut at = 0;
        while let Some(job) = self.jobs.get_mut(at) {
            job.on_time(now, &self.spool);
            if job.is_settled(now) {
                settled.push(self.jobs.swap_remove(at));
            } else {
                at += 1;
            }
        }
        settled
    }

    /// Takes the last output of jobs and what came of them. A check that follows is started in its job's place.
    fn finish(&mut self, settled: Vec<Job>, now: Instant) {
        let mut fugitive = false;
        let mut following = Vec::new();
        for job in settled {
            if let Some((attempt, next, holds_output)) = job.finish(&self.spool, &mut self.buffer) {
                fugitive |= holds_output;
                self.orphans_due = true;
                match next {
                    Next::Over(exit) => self.finished.push((attempt, exit)),
                    Next::Start(prepared) => following.push(prepared),
                }
            }
        }
        if fugitive || !following.is_empty() || (self.orphans_due && self.jobs.is_empty()) {
            self.sweep_orphans();
        }
        // Nothing of a job may go on writing while checks look at what it made.
        let until = Instant::now() + PROGRAM_CHANGE;
        while !following.is_empty() && self.orphans_due && Instant::now() < until {
            std::thread::sleep(CHANGE_PAUSE);
            self.sweep_orphans();
        }
        for prepared in following {
            self.start(prepared, 0, now);
        }
    }

    fn retry_busy(&mut self, now: Instant) {
        if self.busy.iter().any(|busy| busy.at <= now) {
            let (due, later) =
                std::mem::take(&mut self.busy).into_iter().partition::<Vec<_>, _>(|busy| busy.at <= now);
            self.busy = later;
            for busy in due {
                self.start(busy.prepared, busy.tries, now);
            }
        }
    }

    fn start(&mut self, prepared: Box<Prepared>, tries: u32, now: Instant) {
        let attempt = prepared.attempt.clone();
        let (spool, spawner, cgroups) = (&mut self.spool, &mut self.spawner, self.cgroups.as_ref().ok());
        let (prepared, failed) = match start(prepared, tries > 0, spool, spawner, cgroups, &self.null, now) {
            Started::Running(job) => {
                if job.part == Part::Job {
                    self.notices.push(Notice::Started(StartedParams {
                        attempt,
                        pid: job.pid,
                        start_time: job.start_time,
                    }));
                }
                self.jobs.push(*job);
                return;
            }
            Started::TextBusy(prepared) if tries < BUSY_TRIES => {
                self.busy.push(BusyStart { prepared, tries: tries + 1, at: now + BUSY_PAUSE });
                return;
            }
            Started::Exists => {
                self.known.remove(&attempt);
                self.refuse_existing(attempt);
                return;
            }
            Started::TextBusy(prepared) => {
                let message = "the executable is still being written by another process".to_owned();
                (prepared, Outcome::SpawnFailed { errno: libc::ETXTBSY, message })
            }
            Started::Failed { prepared, errno, message } => {
                (prepared, Outcome::SpawnFailed { errno, message })
            }
        };
        match prepared.not_started(failed, None) {
            Next::Over(exit) => self.finished.push((attempt, exit)),
            Next::Start(following) => self.start(following, 0, now),
        }
    }

    fn tell_ended(&mut self, attempt: AttemptName, exit: ExitRecord) {
        let exit = Box::new(exit);
        self.ended.insert(attempt.clone(), exit.clone());
        self.notices.push(Notice::Ended(EndedParams { attempt, exit }));
    }

    /// Kills what escaped from ended attempts. Called from time to time; cheap
    /// when nothing has ended since the last call.
    pub(super) fn sweep_orphans(&mut self) {
        if !self.orphans_due {
            return;
        }
        self.orphans_due = false;
        if !has_children() {
            return;
        }
        let groups = self.jobs.iter().map(|job| job.pid).collect();
        let live = self.jobs.iter().map(|job| (&job.attempt, job.start_time)).collect();
        self.orphans_due = orphans::sweep(self.runner, self.spool.path(), &groups, &live);
    }

    /// Kills all that escaped; for when no attempt is live. True if there was any process.
    pub(super) fn sweep_all_orphans(&mut self) -> bool {
        self.orphans_due = true;
        self.sweep_orphans();
        has_children()
    }

    /// Removes control groups that could not be removed at their attempt's end, or that a runner before left.
    pub(super) fn sweep_cgroups(&self) {
        let running = self.jobs.iter().map(|job| &job.attempt);
        let busy = self.busy.iter().map(|busy| &busy.prepared.attempt);
        let live: HashSet<&str> = running.chain(busy).map(AttemptName::as_str).collect();
        for base in &self.cgroup_bases {
            remove_groups(base, self.spool.id(), |attempt| live.contains(attempt));
        }
    }

    /// What happened since the last call.
    pub(super) fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }
}
