//! A runner process of its own for each test, and waits that end with an event.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{channel, Receiver};
use std::time::Duration;

use rustix::event::{poll, PollFd, PollFlags, Timespec};
use rustix::process::{pidfd_open, PidfdFlags};

use super::super::event_loop::READY;
use super::super::*;
use crate::os::{to_pid, ProcessId};

/// A loaded machine may be slow; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

const SPOOL: &str = "DATABUILD_TEST_RUNNER_SPOOL";
const SOCKET: &str = "DATABUILD_TEST_RUNNER_SOCKET";
const IDLE: &str = "DATABUILD_TEST_RUNNER_IDLE_MS";
const PRIVATE: &str = "DATABUILD_TEST_RUNNER_PRIVATE";

/// This binary is also the runner of the other tests: they start it with only
/// this test selected. By itself it tests that relative paths are refused.
#[test]
fn runner_process() {
    let (Ok(spool), Ok(socket), Ok(idle)) =
        (std::env::var(SPOOL), std::env::var(SOCKET), std::env::var(IDLE))
    else {
        let error = super::super::spool::Spool::open(Path::new("spool")).unwrap_err();
        assert_eq!(error.code(), "runner_relative_path");
        return;
    };
    let mut args = RunnerArgs::new(spool, socket);
    args.idle_exit = Duration::from_millis(idle.parse().unwrap());
    args.private = std::env::var(PRIVATE).is_ok();
    // The test harness has begun a line; what the runner says is one of its own.
    println!();
    match main(args) {
        Ok(()) => std::process::exit(0),
        Err(e) => {
            eprintln!("{e}");
            std::process::exit(1);
        }
    }
}

/// The command line of a test's runner.
pub fn runner_command(spool: &Path, socket: &Path, idle_ms: u64) -> Command {
    let module = module_path!().split_once("::").unwrap().1;
    let mut command = Command::new("/usr/bin/env");
    command
        .arg(format!("{SPOOL}={}", spool.display()))
        .arg(format!("{SOCKET}={}", socket.display()))
        .arg(format!("{IDLE}={idle_ms}"))
        .arg(std::env::current_exe().unwrap())
        .arg(format!("{module}::runner_process"))
        .args(["--exact", "--nocapture", "--test-threads=1"]);
    command
}

/// A folder for one test's runner; kills it at the end.
pub(super) struct Place {
    tmp: tempfile::TempDir,
    pub(super) idle_ms: u64,
    runner: Option<(u32, u64)>,
    /// The same, if the test started it by itself.
    child: Option<Child>,
}

/// A connected client and its events.
pub(super) struct Server {
    pub(super) client: RunnerClient,
    pub(super) events: Receiver<RunnerEvent>,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { tmp: tempfile::tempdir().unwrap(), idle_ms: 60_000, runner: None, child: None }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.tmp.path().join(name)
    }

    pub(super) fn spool(&self) -> PathBuf {
        self.path("spool")
    }

    pub(super) fn files(&self, attempt: &str) -> AttemptFiles {
        AttemptFiles::new(&self.spool(), &name(attempt))
    }

    pub(super) fn options(&self) -> ConnectOptions {
        let mut options = ConnectOptions::new(self.spool(), self.path("run/s"), "test");
        options.timeout = PATIENCE;
        options
    }

    /// The command line of this test's runner. Its environment is emptied by
    /// the client, so `env` brings what `runner_process` needs.
    pub(super) fn command(&self) -> Command {
        runner_command(&self.spool(), &self.path("run/s"), self.idle_ms)
    }

    /// Starts the runner.
    pub(super) fn start(&mut self) -> Server {
        let command = self.command();
        let server = self.connect(|| command);
        let hello = server.client.hello();
        self.runner = Some((hello.pid, hello.start_time));
        server
    }

    /// Starts a runner that ends when the pipe does.
    pub(super) fn start_private(&mut self) -> (Server, ChildStdin) {
        let mut command = self.command();
        command.env(PRIVATE, "yes").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        assert!(said.map(Result::unwrap).any(|line| line.starts_with(READY)), "it is ready");
        let server = self.reconnect();
        let hello = server.client.hello();
        self.runner = Some((hello.pid, hello.start_time));
        let lifeline = child.stdin.take().unwrap();
        self.child = Some(child);
        (server, lifeline)
    }

    /// Connects to the runner that must be there.
    pub(super) fn reconnect(&self) -> Server {
        self.connect(|| panic!("a runner should have been there"))
    }

    fn connect(&self, command: impl FnOnce() -> Command) -> Server {
        let (sender, events) = channel();
        let tell = Box::new(move |event| drop(sender.send(event)));
        let client = RunnerClient::connect_or_start(&self.options(), tell, command).unwrap();
        Server { client, events }
    }

    pub(super) fn kill_runner(&mut self) {
        let (pid, start_time) = self.runner.take().unwrap();
        assert!(ProcessId { pid, start_time }.kill().unwrap());
        wait_dead(pid);
    }

    /// A job of this shell text, in the test's folder.
    pub(super) fn job(&self, attempt: &str, script: &str) -> StartSpec {
        let argv = ["/bin/sh", "-c", script].map(str::to_owned).to_vec();
        let mut spec = StartSpec::new(name(attempt), argv, self.tmp.path().to_str().unwrap());
        spec.env = vec![("PATH".to_owned(), "/usr/bin:/bin".into())];
        spec
    }

    /// A check of this shell text.
    pub(super) fn check(&self, name: &str, script: &str) -> CheckSpec {
        CheckSpec {
            name: name.to_owned(),
            argv: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            env: vec![("PATH".to_owned(), "/usr/bin:/bin".into())],
            request: format!("{{\"check\":\"{name}\"}}"),
            timeout_ms: 60_000,
            grace_ms: 10_000,
        }
    }

    /// Makes a FIFO that jobs and tests meet at.
    pub(super) fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        let status = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(status.success());
        path
    }

    pub(super) fn stdout(&self, attempt: &str) -> String {
        read(&self.files(attempt).stdout())
    }

    /// The attempts as anybody may ask for them, without taking the runner over.
    pub(super) fn list(&self) -> Vec<AttemptReport> {
        let answer = ask(
            &mut UnixStream::connect(self.path("run/s")).unwrap(),
            r#"{"jsonrpc":"2.0","id":1,"method":"list","params":{}}"#,
        );
        serde_json::from_value(answer["result"].clone()).unwrap()
    }

    /// Asks until the attempt's state is as wanted.
    pub(super) fn until(&self, attempt: &str, wanted: impl Fn(&AttemptState) -> bool) {
        let until = std::time::Instant::now() + PATIENCE;
        while std::time::Instant::now() < until {
            let all = self.list();
            let of = all.iter().find(|report| report.attempt == name(attempt));
            if of.is_some_and(|report| wanted(&report.state)) {
                return;
            }
        }
        panic!("{attempt} did not get there");
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some((pid, start_time)) = self.runner {
            let _ = ProcessId { pid, start_time }.kill();
        }
        if let Some(child) = &mut self.child {
            let _ = child.wait();
        }
    }
}

impl Server {
    /// The next event.
    pub(super) fn next(&self) -> RunnerEvent {
        self.events.recv_timeout(PATIENCE).expect("an event")
    }

    /// Starts one attempt and waits for its end.
    pub(super) fn run(&self, spec: StartSpec) -> ExitRecord {
        let attempt = spec.attempt.clone();
        self.client.start(&[spec]).unwrap();
        self.end_of(attempt.as_str())
    }

    /// The end of the attempt; events before it are passed over.
    pub(super) fn end_of(&self, wanted: &str) -> ExitRecord {
        loop {
            match self.next() {
                RunnerEvent::Ended { attempt, exit } if attempt == name(wanted) => return *exit,
                RunnerEvent::Ended { .. } | RunnerEvent::Started { .. } => {}
                other => panic!("{other:?} instead of the end of {wanted}"),
            }
        }
    }

    /// The pid of the attempt that starts next, which must be `wanted`.
    pub(super) fn started(&self, wanted: &str) -> u32 {
        match self.next() {
            RunnerEvent::Started { attempt, pid, .. } if attempt == name(wanted) => pid,
            other => panic!("{other:?} instead of the start of {wanted}"),
        }
    }

    /// The code of the refusal that comes next.
    pub(super) fn refused(&self, wanted: &str) -> (String, String) {
        match self.next() {
            RunnerEvent::Refused { attempt, code, message } if attempt == name(wanted) => (code, message),
            other => panic!("{other:?} instead of the refusal of {wanted}"),
        }
    }

    /// Waits until the connection ends and says why.
    pub(super) fn disconnected(&self) -> String {
        loop {
            if let RunnerEvent::Disconnected { reason } = self.next() {
                return reason;
            }
        }
    }
}

/// What the spool tells of some attempts whose runner is gone.
pub(super) fn inspect_all(spool: &Path, attempts: &[&str], boot_id: &str) -> Vec<Found> {
    let names: Vec<AttemptName> = attempts.iter().map(|attempt| name(attempt)).collect();
    inspect(spool, &names, boot_id).into_iter().map(|found| found.unwrap()).collect()
}

/// The same of one.
pub(super) fn inspect_one(spool: &Path, attempt: &str, boot_id: &str) -> Result<Found, RunnerError> {
    inspect(spool, &[name(attempt)], boot_id).remove(0)
}

pub(super) fn name(text: &str) -> AttemptName {
    AttemptName::new(text).unwrap()
}

pub(super) fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// Reads from a FIFO until the job at its other end closes it.
pub(super) fn meet(fifo: &Path) -> String {
    fs::read_to_string(fifo).unwrap()
}

/// Lets a job that reads the FIFO go on.
pub(super) fn release(fifo: &Path) {
    fs::write(fifo, "go\n").unwrap();
}

/// Waits for the process's end, by its pidfd.
pub(super) fn wait_dead(pid: u32) {
    let Ok(fd) = pidfd_open(to_pid(pid).unwrap(), PidfdFlags::empty()) else {
        return;
    };
    let timeout = Timespec { tv_sec: PATIENCE.as_secs() as i64, tv_nsec: 0 };
    let mut fds = [PollFd::new(&fd, PollFlags::IN)];
    assert_eq!(poll(&mut fds, Some(&timeout)), Ok(1), "{pid} still lives");
}

/// One line there, one line back.
pub(super) fn ask(stream: &mut UnixStream, line: &str) -> serde_json::Value {
    use std::io::Write;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(format!("{line}\n").as_bytes()).unwrap();
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    serde_json::from_str(&answer).unwrap()
}
