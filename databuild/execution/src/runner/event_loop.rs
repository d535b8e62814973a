//! The runner process: its start, its one loop, and its end.

use std::io::{self, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::fs::{Mode, OFlags};

use super::cgroup::Cgroups;
use super::connection::{parse, Connection};
use super::error::RunnerError;
use super::log_times::Stream;
use super::protocol::{
    CancelParams, CapacityParams, Fault, ForgetParams, Head, Hello, HelloParams, StartParams, WithParams,
    PROTOCOL, STOPPED,
};
use super::signals::SignalPipe;
use super::socket::Socket;
use super::spool::{read_runner_record, RunnerRecord, Spool, SOCKET_IN_SPOOL};
use super::supervisor::{Notice, Supervisor};
use crate::os::ProcessRecord;
use crate::os::{raise_open_files, say};

/// What the first line of the runner's standard output begins with.
pub(super) const READY: &str = "databuild-runner ready";
/// The same for a runner that found another one owning its spool.
pub(super) const IN_USE: &str = "databuild-runner in-use";
/// The same for a runner that could not start.
pub(super) const FAILED: &str = "databuild-runner failed: ";

/// How often the spool's and the socket's existence are looked at.
const HOUSEKEEPING: Duration = Duration::from_secs(2);
/// How long a runner that was told to shut down waits for killed jobs.
const SHUTDOWN_PATIENCE: Duration = Duration::from_secs(5);
/// Between two looks at what ended jobs left running, if no signal comes.
const ORPHAN_PAUSE: Duration = Duration::from_millis(20);

/// The arguments of `databuild runner`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunnerArgs {
    /// The spool folder, absolute; made if missing.
    pub spool: PathBuf,
    /// The socket to listen on, absolute, at most 107 bytes.
    pub socket: PathBuf,
    /// How long to stay with no live attempt and no server.
    pub idle_exit: Duration,
    /// Whether to end, with all jobs, when standard input does: whoever holds the other end of it is gone then.
    pub private: bool,
}

impl RunnerArgs {
    /// Arguments with the default idle time of 60 seconds.
    pub fn new(spool: impl Into<PathBuf>, socket: impl Into<PathBuf>) -> Self {
        Self {
            spool: spool.into(),
            socket: socket.into(),
            idle_exit: Duration::from_secs(60),
            private: false,
        }
    }
}

/// Runs the runner until it is told to end, is idle for long, or its spool is
/// gone. To be called from the main thread before any other thread is made and
/// before anything is opened: it closes all descriptors above 2, makes itself
/// a session leader, and sets signal dispositions for the whole process.
///
/// Its first line on standard output says that it is ready, or why not.
pub fn main(args: RunnerArgs) -> Result<(), RunnerError> {
    let started = detach().and_then(|()| EventLoop::new(args));
    let said = match &started {
        Ok(event_loop) => format!("{READY} {}", event_loop.identity.pid),
        Err(RunnerError::SpoolInUse(_)) => IN_USE.to_owned(),
        Err(e) => format!("{FAILED}{e}"),
    };
    let mut stdout = io::stdout();
    // Nobody may be listening any more; the runner starts all the same.
    let _ = writeln!(stdout, "{said}").and_then(|()| stdout.flush());
    let event_loop = started?;
    let null = open_null()?;
    rustix::stdio::dup2_stdout(&null).map_err(|e| RunnerError::system("giving up standard output", e))?;
    event_loop.run()
}

/// Leaves the starter's session, folder, and descriptors behind.
fn detach() -> Result<(), RunnerError> {
    // Fails only for a leader of a group, which has a session to itself already
    // when it was started by `RunnerClient`.
    let _ = rustix::process::setsid();
    std::env::set_current_dir("/").map_err(|e| RunnerError::io("entering", "/", e))?;
    close_inherited()?;
    // With 0 to 2 taken, no pipe or file of ours can get one of these numbers.
    loop {
        let null = open_null()?;
        if null.as_raw_fd() > 2 {
            break;
        }
        std::mem::forget(null);
    }
    // Every file the runner makes has its mode given in full.
    rustix::process::umask(Mode::empty());
    Ok(())
}

/// A lock or pipe kept open by accident would outlive its owner by far.
fn close_inherited() -> Result<(), RunnerError> {
    // SAFETY: by the contract of `main` nothing in this process owns a
    // descriptor above 2 yet.
    let done = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            3 as libc::c_ulong,
            libc::c_uint::MAX as libc::c_ulong,
            0 as libc::c_ulong,
        )
    };
    if done == 0 {
        return Ok(());
    }
    // Kernels before 5.9 have no close_range.
    let open: Vec<i32> = std::fs::read_dir("/proc/self/fd")
        .map_err(|e| RunnerError::io("listing", "/proc/self/fd", e))?
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .collect();
    for fd in open.into_iter().filter(|&fd| fd > 2) {
        // SAFETY: as above; the listing's own descriptor is closed already.
        unsafe { libc::close(fd) };
    }
    Ok(())
}

fn open_null() -> Result<OwnedFd, RunnerError> {
    rustix::fs::open("/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .map_err(|e| RunnerError::io("opening", "/dev/null", e))
}

/// What a descriptor that became ready belongs to.
#[derive(Debug, Clone, Copy)]
enum Source {
    Signals,
    Listener,
    Stdin,
    Connection(usize),
    Log((usize, Stream)),
}

struct EventLoop {
    args: RunnerArgs,
    identity: ProcessRecord,
    supervisor: Supervisor,
    /// What the spool says of this runner.
    record: RunnerRecord,
    socket: Socket,
    signals: SignalPipe,
    connections: Vec<Connection>,
    /// Index of the connection whose commands count.
    owner: Option<usize>,
    next_housekeeping: Instant,
    idle_since: Option<Instant>,
    /// Standard input has not ended, and its end means something.
    lifeline: bool,
    /// Set once the runner is to end; it then leaves as soon as nothing is live.
    leaving: Option<Leaving>,
}

/// How a runner leaves.
#[derive(Debug, Clone, Copy)]
struct Leaving {
    /// Somebody asked for it by a request or a signal. Whoever asks again does not want to wait for the jobs.
    asked: bool,
    /// It goes by then, whatever is live (`None`: whenever nothing is).
    latest: Option<Instant>,
}

impl EventLoop {
    fn new(args: RunnerArgs) -> Result<Self, RunnerError> {
        // Each job has two pipes.
        raise_open_files();
        let spool = Spool::open(&args.spool)?;
        let socket = Socket::bind(&args.socket)?;
        let signals = SignalPipe::install().map_err(|e| RunnerError::system("handling signals", e))?;
        let identity =
            ProcessRecord::current().map_err(|e| RunnerError::system("reading the runner's identity", e))?;
        rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
            .map_err(|e| RunnerError::system("becoming a subreaper", e))?;
        // The runner before may have been in another group than this one.
        let before = read_runner_record(spool.path()).ok().flatten().and_then(|record| record.cgroups);
        let cgroups = Cgroups::detect(spool.id());
        let record = RunnerRecord {
            process: identity.clone(),
            socket: args.socket.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            protocol: PROTOCOL,
            cgroups: cgroups.as_ref().ok().map(|cgroups| cgroups.base().to_owned()),
        };
        spool.write_runner_record(&record)?;
        let capacity = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let supervisor = Supervisor::new(spool, cgroups, before, open_null()?, &identity, capacity);
        supervisor.sweep_cgroups();
        let now = Instant::now();
        let lifeline = args.private;
        Ok(Self {
            args,
            identity,
            supervisor,
            record,
            socket,
            signals,
            connections: Vec::new(),
            owner: None,
            next_housekeeping: now + HOUSEKEEPING,
            idle_since: Some(now),
            lifeline,
            leaving: None,
        })
    }

    fn run(mut self) -> Result<(), RunnerError> {
        while !self.is_done() {
            let ready = self.wait()?;
            self.turn(&ready);
        }
        for connection in &mut self.connections {
            connection.hang_up();
        }
        self.end_orphans();
        self.socket.close();
        self.supervisor.tidy_all();
        self.supervisor.sweep_cgroups();
        self.supervisor.into_spool().close();
        Ok(())
    }

    /// Whoever waits for the runner's end may count on it that nothing of its jobs goes on. What has lost its parent by a
    /// kill is the runner's child only then, so it takes several looks.
    fn end_orphans(&mut self) {
        let until = Instant::now() + SHUTDOWN_PATIENCE;
        while !self.supervisor.is_live() && self.supervisor.sweep_all_orphans() && Instant::now() < until {
            let signals = self.signals.fd();
            // Woken by the end of a child.
            let _ = poll(&mut [PollFd::new(&signals, PollFlags::IN)], Some(&timespec(ORPHAN_PAUSE)));
            self.signals.take();
            self.supervisor.reap(Instant::now());
        }
    }

    fn is_done(&self) -> bool {
        let now = Instant::now();
        let idle = self.idle_since.is_some_and(|since| now.duration_since(since) >= self.args.idle_exit);
        let left = self.leaving.is_some_and(|Leaving { latest, .. }| {
            let flushed = !self.connections.iter().any(Connection::has_unsent);
            (!self.supervisor.is_live() && flushed) || latest.is_some_and(|at| at <= now)
        });
        idle || left
    }

    fn wait(&self) -> Result<Vec<Source>, RunnerError> {
        let signals = self.signals.fd();
        let listener = self.socket.fd();
        let connections: Vec<_> = self.connections.iter().map(Connection::fd).collect();
        let mut sources = vec![Source::Signals, Source::Listener];
        let mut fds = vec![PollFd::new(&signals, PollFlags::IN), PollFd::new(&listener, PollFlags::IN)];
        let stdin = rustix::stdio::stdin();
        if self.lifeline {
            sources.push(Source::Stdin);
            fds.push(PollFd::new(&stdin, PollFlags::IN));
        }
        for (at, (fd, connection)) in connections.iter().zip(&self.connections).enumerate() {
            let mut wanted = PollFlags::IN;
            wanted.set(PollFlags::OUT, connection.has_unsent());
            sources.push(Source::Connection(at));
            fds.push(PollFd::new(fd, wanted));
        }
        for (at, pipe) in self.supervisor.pipes() {
            sources.push(Source::Log(at));
            fds.push(PollFd::from_borrowed_fd(pipe, PollFlags::IN));
        }
        match poll(&mut fds, Some(&self.patience())) {
            Ok(_) => {}
            // Only a signal interrupts; its byte is in the pipe.
            Err(rustix::io::Errno::INTR) => return Ok(vec![Source::Signals]),
            Err(e) => return Err(RunnerError::system("waiting for events", e)),
        }
        let ready = |(fd, source): (&PollFd<'_>, Source)| (!fd.revents().is_empty()).then_some(source);
        Ok(fds.iter().zip(sources).filter_map(ready).collect())
    }

    fn patience(&self) -> Timespec {
        let now = Instant::now();
        let idle = self.idle_since.map(|since| since + self.args.idle_exit);
        let next = self.supervisor.next_time(now);
        let until =
            [Some(self.next_housekeeping), idle, self.leaving.and_then(|leaving| leaving.latest), next];
        let wait =
            until.into_iter().flatten().min().map_or(HOUSEKEEPING, |at| at.saturating_duration_since(now));
        timespec(wait)
    }

    fn turn(&mut self, ready: &[Source]) {
        // Pipes first: their indices are valid until a job ends.
        for source in ready {
            if let Source::Log(at) = *source {
                self.supervisor.pump(at);
            }
        }
        let now = Instant::now();
        if ready.iter().any(|source| matches!(source, Source::Signals)) {
            let arrived = self.signals.take();
            if arrived.terminate {
                self.shut_down("the runner was told to end");
            }
            if arrived.child {
                self.supervisor.reap(now);
            }
        }
        if ready.iter().any(|source| matches!(source, Source::Stdin)) {
            self.heed_lifeline();
        }
        self.supervisor.advance(now);
        for source in ready {
            match *source {
                Source::Connection(at) => self.serve(at, now),
                Source::Listener => {
                    while let Some(stream) = self.socket.accept() {
                        self.connections.push(Connection::new(stream));
                    }
                }
                Source::Signals | Source::Stdin | Source::Log(_) => {}
            }
        }
        if self.next_housekeeping <= now {
            self.next_housekeeping = now + HOUSEKEEPING;
            self.keep_house();
        }
        self.supervisor.advance(now);
        self.tell();
        self.supervisor.tidy();
        self.drop_closed();
        self.idle_since = if self.supervisor.is_live() || self.owner.is_some() {
            None
        } else {
            self.idle_since.or(Some(now))
        };
    }

    fn keep_house(&mut self) {
        self.supervisor.sweep_orphans();
        self.supervisor.sweep_cgroups();
        if !self.supervisor.spool().is_still_ours() {
            // There is nothing left that a job could end well for.
            self.supervisor.kill_all("the runner's spool folder is gone");
            self.shut_down("the runner's spool folder is gone");
        } else if !self.socket.is_reachable() {
            self.listen_again();
        }
    }

    /// The socket's folder may be gone for good, as `XDG_RUNTIME_DIR` is after the last logout. Then the spool has the
    /// socket; whoever looks for the runner reads in its record where that is.
    fn listen_again(&mut self) {
        let in_spool = self.supervisor.spool().path().join(SOCKET_IN_SPOOL);
        let bound = Socket::bind(&self.args.socket).or_else(|e| {
            say(format_args!("runner: making the socket again failed: {e}; it goes to the spool"));
            Socket::bind(&in_spool)
        });
        let told = bound.and_then(|socket| {
            self.record.socket = socket.path().to_owned();
            self.socket = socket;
            self.supervisor.spool().write_runner_record(&self.record)
        });
        if let Err(e) = told {
            say(format_args!("runner: making the socket again failed: {e}"));
        }
    }

    /// Ends when its jobs have ended, for which they have as long as they declare; asked again, at once.
    fn shut_down(&mut self, reason: &str) {
        match self.leaving {
            Some(Leaving { asked: true, .. }) => self.hurry(reason),
            // The server of a command that has ended asks for what the runner does already.
            Some(Leaving { asked: false, latest }) => self.leaving = Some(Leaving { asked: true, latest }),
            None => self.leave(reason, true),
        }
    }

    /// Looks whether the command has ended that a private runner belongs to. Its jobs then have as long as they declare;
    /// but a command that had its jobs stopped and ends before they have is one that was told not to wait.
    fn heed_lifeline(&mut self) {
        // Nobody writes to it; it can be read when it has ended.
        if !self.lifeline || !is_readable(&rustix::stdio::stdin()) {
            return;
        }
        self.lifeline = false;
        let reason = "the command that this runner belonged to has ended";
        match self.leaving {
            Some(_) => self.hurry(reason),
            None => self.leave(reason, false),
        }
    }

    fn leave(&mut self, reason: &str, asked: bool) {
        let now = Instant::now();
        let grace = self.supervisor.stop_all(reason, now);
        self.leaving = Some(Leaving { asked, latest: now.checked_add(grace + SHUTDOWN_PATIENCE) });
    }

    fn hurry(&mut self, reason: &str) {
        self.supervisor.kill_all(reason);
        self.leaving = Some(Leaving { asked: true, latest: Instant::now().checked_add(SHUTDOWN_PATIENCE) });
    }

    /// Sends the notices of this turn in one piece.
    fn tell(&mut self) {
        let notices = self.supervisor.take_notices();
        if let Some(owner) = self.owner.and_then(|at| self.connections.get_mut(at)) {
            for notice in notices {
                match notice {
                    Notice::Started(params) => owner.notify("started", params),
                    Notice::Ended(params) => owner.notify("ended", params),
                    Notice::Refused(params) => owner.notify("refused", params),
                }
            }
        }
        for connection in &mut self.connections {
            connection.flush();
        }
    }

    fn drop_closed(&mut self) {
        if self.connections.iter().all(Connection::is_open) {
            return;
        }
        let mut at = 0;
        let mut owner = None;
        let was = self.owner;
        for (before, connection) in std::mem::take(&mut self.connections).into_iter().enumerate() {
            if connection.is_open() {
                if was == Some(before) {
                    owner = Some(at);
                }
                at += 1;
                self.connections.push(connection);
            }
        }
        self.owner = owner;
    }

    fn serve(&mut self, at: usize, now: Instant) {
        let Some(connection) = self.connections.get_mut(at) else {
            return;
        };
        for line in connection.receive() {
            let (id, result) = match parse::<Head>(&line) {
                Ok(head) => {
                    let method = head.method.unwrap_or_default();
                    (head.id, self.call(at, &method, &line, now))
                }
                Err(e) => {
                    let fault = fault(Fault::PARSE, e.to_string());
                    (Some(serde_json::Value::Null), Err(fault))
                }
            };
            let Some(connection) = self.connections.get_mut(at) else {
                return;
            };
            match (id, result) {
                (Some(id), result) => connection.answer(id, result),
                // Nobody waits for an answer, but silence would hide a mistake.
                (None, Err(fault)) => {
                    connection.answer::<()>(serde_json::Value::Null, Err(fault));
                }
                (None, Ok(_)) => {}
            }
        }
    }

    fn call(
        &mut self,
        at: usize,
        method: &str,
        line: &[u8],
        now: Instant,
    ) -> Result<serde_json::Value, Fault> {
        match method {
            "hello" => {
                let hello: HelloParams = params(line)?;
                return self.hello(at, &hello);
            }
            "list" => return encode(self.supervisor.reports()),
            _ if self.owner != Some(at) => {
                let why = "say hello first; another server may have taken over";
                return Err(fault(Fault::NOT_OWNER, why.to_owned()));
            }
            "start" => {
                let start: StartParams = params(line)?;
                // Its end could not be recorded. Refused, it is made again under the next runner.
                if !self.supervisor.spool().is_still_ours() {
                    self.keep_house();
                }
                self.supervisor.accept(start.attempts);
            }
            "cancel" => {
                let cancel: CancelParams = params(line)?;
                self.supervisor.cancel(&cancel.attempt, cancel.reason, now);
            }
            "withdraw" => {
                let withdraw: CancelParams = params(line)?;
                self.supervisor.withdraw(&withdraw.attempt, withdraw.reason);
            }
            "forget" => {
                let forget: ForgetParams = params(line)?;
                self.supervisor.forget(&forget.attempts, forget.keep);
            }
            "set_capacity" => {
                let capacity: CapacityParams = params(line)?;
                let jobs = usize::try_from(capacity.jobs).unwrap_or(usize::MAX);
                self.supervisor.set_capacity(jobs);
            }
            "shutdown" => {
                // Its end may be why the server asks; then it came first.
                self.heed_lifeline();
                self.shut_down(STOPPED);
            }
            _ => {
                let why = format!("there is no method {method:?}");
                return Err(fault(Fault::METHOD, why));
            }
        }
        Ok(serde_json::Value::Bool(true))
    }

    /// Makes the caller the owner, unless it speaks a newer protocol: it learns
    /// that from the answer, and may come back with this one.
    fn hello(&mut self, at: usize, hello: &HelloParams) -> Result<serde_json::Value, Fault> {
        if (1..=PROTOCOL).contains(&hello.protocol) {
            // Notices not sent yet are told by the list below, except refusals,
            // which concern the server that asked.
            drop(self.supervisor.take_notices());
            let old = self.owner.replace(at).filter(|&old| old != at);
            if let Some(old) = old.and_then(|old| self.connections.get_mut(old)) {
                old.notify("superseded", serde_json::json!({ "by": hello.server }));
                old.hang_up();
            }
        }
        encode(Hello {
            protocol: hello.protocol.min(PROTOCOL),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: self.identity.pid,
            boot_id: self.identity.boot_id.clone(),
            start_time: self.identity.start_time,
            capacity: u32::try_from(self.supervisor.capacity()).unwrap_or(u32::MAX),
            draining: self.supervisor.is_draining(),
            attempts: self.supervisor.reports(),
            memory_limits: Some(self.supervisor.memory_limits()),
        })
    }
}

fn is_readable(fd: &impl AsFd) -> bool {
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&timespec(Duration::ZERO))).is_ok_and(|ready| ready > 0)
}

fn timespec(time: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(time.subsec_nanos()),
    }
}

fn fault(code: i64, message: String) -> Fault {
    Fault { code, message }
}

fn params<P: serde::de::DeserializeOwned>(line: &[u8]) -> Result<P, Fault> {
    parse::<WithParams<P>>(line)
        .map(|message| message.params)
        .map_err(|e| fault(Fault::PARAMS, e.to_string()))
}

fn encode<T: serde::Serialize>(value: T) -> Result<serde_json::Value, Fault> {
    serde_json::to_value(value).map_err(|e| fault(Fault::PARSE, e.to_string()))
}
