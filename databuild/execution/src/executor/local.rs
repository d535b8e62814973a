//! The executor of this machine: the runner, a process of its own that outlives the server.
//!
//! What attempts were given and left is in the runner's spool, where it can be read whether or not there is a runner. So
//! its folders are the fence as well: an attempt whose folder is there is not begun again.

use super::weave::weave;
use super::{
    AttemptName, Capabilities, Executor, Holdings, LogFrom, LogPart, MemoryLimits, News, NewsSink, Standing,
    StartSpec, Stream, Text, Unreachable, Weave, Who, Woven,
};
use crate::os::{boot_id, open_left, read_left};
use crate::publish::{self, Swept};
use crate::runner::{
    self, AttemptFiles, AttemptReport, AttemptState, EventSink, Found, Hello, OutputTimes, RunnerClient,
    RunnerError, RunnerEvent, MAX_REQUESTS,
};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Finds the runner or starts one, and returns a connection whose events go to the given sink.
pub type Connect = Box<dyn Fn(EventSink) -> Result<RunnerClient, RunnerError> + Send + Sync>;

/// The runner of a spool.
pub struct Local {
    spool: PathBuf,
    connect: Connect,
    /// The last connection, which may have ended.
    client: ArcSwapOption<RunnerClient>,
    capabilities: ArcSwap<Capabilities>,
}

impl Local {
    /// The runner that `connect` finds or starts, whose attempts' folders are in `spool`.
    pub fn new(spool: PathBuf, connect: Connect) -> Local {
        let capabilities = ArcSwap::from_pointee(without_runner());
        Local { spool, connect, client: ArcSwapOption::empty(), capabilities }
    }

    fn files(&self, attempt: &AttemptName) -> AttemptFiles {
        AttemptFiles::new(&self.spool, attempt)
    }

    /// Tells the runner something.
    fn tell(&self, say: impl FnOnce(&RunnerClient) -> Result<(), RunnerError>) -> Result<(), Unreachable> {
        match &*self.client.load() {
            Some(client) => Ok(say(client)?),
            None => {
                Err(Unreachable { code: "runner_disconnected", message: "there is no runner".to_owned() })
            }
        }
    }

    /// What the runner says of its attempts now; none if it says nothing.
    fn listed(&self) -> Option<BTreeMap<AttemptName, Standing>> {
        let client = self.client.load_full()?;
        let reports = client.list().ok()?;
        Some(reports.into_iter().map(|report| (report.attempt, standing(&report.state))).collect())
    }
}

/// What is known of a runner that is not there.
fn without_runner() -> Capabilities {
    Capabilities {
        memory: MemoryLimits::Accounting { why: "there is no runner".to_owned() },
        checks: true,
        most_request_bytes: MAX_REQUESTS,
        who: None,
    }
}

fn who(hello: &Hello) -> Who {
    Who { process: hello.pid, version: hello.version.clone(), protocol: hello.protocol }
}

fn standing(state: &AttemptState) -> Standing {
    match state {
        AttemptState::Queued => Standing::Queued,
        AttemptState::Running { pid, .. } => Standing::Running { process: *pid },
        AttemptState::Ended { exit } => Standing::Ended(exit.clone()),
    }
}

impl From<RunnerError> for Unreachable {
    fn from(error: RunnerError) -> Unreachable {
        Unreachable { code: error.code(), message: error.to_string() }
    }
}

impl From<RunnerEvent> for News {
    fn from(event: RunnerEvent) -> News {
        match event {
            RunnerEvent::Started { attempt, pid, .. } => News::Started { attempt, process: pid },
            RunnerEvent::Ended { attempt, exit } => News::Ended { attempt, exit },
            RunnerEvent::Refused { attempt, code, message } => News::Refused { attempt, code, message },
            RunnerEvent::Disconnected { reason } => News::Gone { reason },
        }
    }
}

impl Executor for Local {
    fn connect(&self, news: NewsSink) -> Result<Holdings, Unreachable> {
        self.client.store(None);
        let connected = (self.connect)(Box::new(move |event| news(event.into())));
        let client = connected.inspect_err(|_| self.capabilities.store(Arc::new(without_runner())))?;
        self.capabilities.store(Arc::new(Capabilities {
            memory: client.memory_limits(),
            checks: client.runs_checks(),
            most_request_bytes: MAX_REQUESTS,
            who: Some(who(client.hello())),
        }));
        let hello = client.hello();
        let held = |report: &AttemptReport| (report.attempt.clone(), standing(&report.state));
        let holdings =
            Holdings { attempts: hello.attempts.iter().map(held).collect(), leaving: hello.draining };
        self.client.store(Some(Arc::new(client)));
        Ok(holdings)
    }

    fn capabilities(&self) -> Arc<Capabilities> {
        self.capabilities.load_full()
    }

    fn submit(&self, attempts: &[StartSpec]) -> Result<(), Unreachable> {
        self.tell(|client| client.start(attempts))
    }

    fn find(&self, attempts: &[AttemptName]) -> Vec<Standing> {
        let listed = self.listed();
        // What a runner has queued is in its memory alone.
        let hidden = listed.is_none() && runner::is_alive(&self.spool);
        let mut known = listed.unwrap_or_default();
        let others: Vec<AttemptName> =
            attempts.iter().filter(|attempt| !known.contains_key(attempt)).cloned().collect();
        let found = match boot_id() {
            _ if hidden => others.iter().map(|attempt| recorded(&self.spool, attempt)).collect(),
            Ok(boot) => settled(&self.spool, &others, &boot),
            Err(error) => {
                tracing::warn!(%error, "what became of attempts cannot be seen");
                vec![Standing::Unknown; others.len()]
            }
        };
        known.extend(others.into_iter().zip(found));
        attempts.iter().map(|attempt| known.get(attempt).cloned().unwrap_or(Standing::Unknown)).collect()
    }

    fn cancel(&self, attempt: &AttemptName, reason: &str) -> Result<(), Unreachable> {
        self.tell(|client| client.cancel(attempt, reason))
    }

    fn withdraw(&self, attempt: &AttemptName, reason: &str) -> Result<(), Unreachable> {
        self.tell(|client| client.withdraw(attempt, reason))
    }

    fn forget(&self, attempts: &[AttemptName]) -> Result<(), Unreachable> {
        // Logs are kept for people; a sweep removes old ones.
        self.tell(|client| client.forget(attempts, true))
    }

    fn set_slots(&self, slots: usize) -> Result<(), Unreachable> {
        self.tell(|client| client.set_capacity(u32::try_from(slots).unwrap_or(u32::MAX)))
    }

    fn stop(&self) -> Result<(), Unreachable> {
        self.tell(RunnerClient::shutdown)
    }

    fn read(&self, attempt: &AttemptName, text: Text, most: u64) -> io::Result<Option<Vec<u8>>> {
        let files = self.files(attempt);
        let path = match text {
            Text::Request => files.request(),
            Text::Report => files.report(),
            Text::CheckRequest(at) => files.check_request(at),
            Text::CheckReport(at) => files.check_report(at),
        };
        read_left(&path, most)
    }

    fn report_path(&self, attempt: &AttemptName) -> PathBuf {
        self.files(attempt).report()
    }

    fn log(
        &self,
        attempt: &AttemptName,
        stream: Stream,
        from: LogFrom,
        most: u64,
    ) -> io::Result<Option<LogPart>> {
        let files = self.files(attempt);
        match open_log(&files, stream)? {
            Some((file, size)) => Ok(Some(part(file, size, from, most)?)),
            // A log comes into being with its first byte; its folder says that the attempt is known.
            None => Ok(files.dir().is_dir().then(LogPart::default)),
        }
    }

    fn woven(&self, attempt: &AttemptName, asked: &Weave) -> io::Result<Option<Woven>> {
        let files = self.files(attempt);
        // They say at one moment how long both logs were; the logs are asked one after the other.
        let before = OutputTimes::open(&files);
        let logs = [open_log(&files, Stream::Stdout)?, open_log(&files, Stream::Stderr)?];
        if logs.iter().all(Option::is_none) {
            return Ok(files.dir().is_dir().then(Woven::default));
        }
        let sizes = [0, 1].map(|at| logs[at].as_ref().map_or(0, |(_, size)| *size));
        // What is in a log was told by the times before.
        let times =
            before.or_else(|| OutputTimes::open(&files)).map(|times| times.beside(sizes[0] + sizes[1]));
        let known = match &times {
            _ if !asked.live => [u64::MAX; 2],
            Some(times) => times.lengths(),
            // They come in a moment.
            None => [0; 2],
        };
        let (mut parts, mut pieces) = ([LogPart::default(), LogPart::default()], [Vec::new(), Vec::new()]);
        for (stream, log) in Stream::BOTH.into_iter().zip(logs) {
            let at = stream as usize;
            // Whoever has been told of more knows it better.
            let size = sizes[at].min(known[at].max(asked.from[at]));
            let Some((file, _)) = log.filter(|_| asked.only.is_none_or(|only| only == stream)) else {
                let offset = asked.from[at].min(size);
                parts[at] = LogPart { offset, size: offset, ..LogPart::default() };
                continue;
            };
            let from = LogFrom::Begin(asked.from[at]);
            parts[at] = part(file, size, from, asked.most.min(size.saturating_sub(asked.from[at])))?;
            let (begin, length) = (parts[at].offset, parts[at].bytes.len() as u64);
            pieces[at] =
                times.as_ref().map_or_else(Vec::new, |times| times.of(stream, begin, begin + length));
        }
        Ok(Some(weave(parts, &pieces)))
    }

    fn sweep(&self, over: &dyn Fn(&AttemptName) -> bool, age: Duration, dry_run: bool) -> Swept {
        let mut swept = Swept::default();
        for entry in std::fs::read_dir(&self.spool).into_iter().flatten().flatten() {
            let Some(attempt) =
                entry.file_name().into_string().ok().and_then(|name| AttemptName::new(name).ok())
            else {
                continue;
            };
            let old = entry
                .metadata()
                .and_then(|meta| meta.modified())
                .is_ok_and(|at| SystemTime::now().duration_since(at).unwrap_or_default() >= age);
            if old && over(&attempt) {
                swept.add(if dry_run { Ok(()) } else { publish::remove(&entry.path()) });
            }
        }
        swept
    }
}

/// One of an attempt's logs and its size now.
fn open_log(files: &AttemptFiles, stream: Stream) -> io::Result<Option<(File, u64)>> {
    let path = match stream {
        Stream::Stdout => files.stdout(),
        Stream::Stderr => files.stderr(),
    };
    let Some(file) = open_left(&path)? else { return Ok(None) };
    let size = file.metadata()?.len();
    Ok(Some((file, size)))
}

/// A part of a log that has this size.
fn part(mut file: File, size: u64, from: LogFrom, most: u64) -> io::Result<LogPart> {
    let offset = match from {
        LogFrom::Begin(offset) => offset.min(size),
        LogFrom::End(tail) => size.saturating_sub(tail),
    };
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(LogPart { bytes, offset, size })
}

/// What became of attempts that no runner has. What is left of those that are lost is killed.
fn settled(spool: &Path, attempts: &[AttemptName], boot: &str) -> Vec<Standing> {
    let found = runner::inspect(spool, attempts, boot);
    let standing = |(attempt, found): (&AttemptName, Result<Found, RunnerError>)| match found {
        Ok(Found::Ended(exit)) => Standing::Ended(exit),
        Ok(Found::Lost) => Standing::Lost,
        Ok(Found::NeverStarted) => Standing::NeverBegan,
        Ok(Found::Running) => Standing::Unknown,
        Err(error) => {
            tracing::warn!(%error, %attempt, "what became of an attempt cannot be seen");
            Standing::Lost
        }
    };
    attempts.iter().zip(found).map(standing).collect()
}

/// What an attempt's own record says, while a runner that cannot be reached may have the attempt.
fn recorded(spool: &Path, attempt: &AttemptName) -> Standing {
    match runner::end_of(spool, attempt) {
        Ok(Some(exit)) => Standing::Ended(exit),
        _ => Standing::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::{name, suite, Site};
    use super::*;
    use crate::os::{to_pid, ProcessId};
    use crate::runner::tests::harness::runner_command;
    use crate::runner::ConnectOptions;
    use rustix::process::{waitid, WaitId, WaitIdOptions};
    use std::cell::Cell;
    use std::process::Command;

    /// Of a child, which stays one.
    const STOPPED: WaitIdOptions = WaitIdOptions::STOPPED.union(WaitIdOptions::NOWAIT);

    /// A runner of its own, whose jobs are shell scripts in a folder.
    struct Place {
        folder: tempfile::TempDir,
        hidden: Cell<bool>,
    }

    impl Place {
        fn new() -> Place {
            Place { folder: tempfile::tempdir().unwrap(), hidden: Cell::new(false) }
        }

        fn at(&self, name: &str) -> PathBuf {
            self.folder.path().join(name)
        }

        fn runner(&self) -> Option<ProcessId> {
            let record = std::fs::read(self.at("spool/runner.json")).ok()?;
            let record: serde_json::Value = serde_json::from_slice(&record).unwrap();
            ProcessId::of(u32::try_from(record["pid"].as_u64().unwrap()).unwrap()).unwrap()
        }

        fn signal(&self, name: &str) {
            let pid = self.runner().unwrap().pid.to_string();
            assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
        }

        fn script(&self, attempt: &str, script: &str) -> StartSpec {
            let script = format!("echo >> begun-{attempt}; {script}");
            let argv = ["/bin/sh", "-c", &script].map(str::to_owned).to_vec();
            let mut spec = StartSpec::new(name(attempt), argv, self.folder.path().to_str().unwrap());
            spec.env = vec![("PATH".to_owned(), "/usr/bin:/bin".into())];
            spec
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            if let Some(runner) = self.runner() {
                let _ = runner.kill();
            }
        }
    }

    /// A runner in this folder, which is there or is started when somebody gets in touch.
    fn over_a_runner(folder: &Path, timeout: Duration) -> Arc<dyn Executor> {
        let (spool, socket) = (folder.join("spool"), folder.join("run/s"));
        let options = ConnectOptions { timeout, ..ConnectOptions::new(&spool, &socket, "test") };
        let own = spool.clone();
        let connect = Box::new(move |events| {
            let command = || runner_command(&own, &socket, 60_000);
            RunnerClient::connect_or_start(&options, events, command)
        });
        Arc::new(Local::new(spool, connect))
    }

    impl Site for Place {
        fn executor(&self) -> Arc<dyn Executor> {
            let patience = Duration::from_millis(if self.hidden.get() { 200 } else { 60_000 });
            over_a_runner(self.folder.path(), patience)
        }

        fn ends(&self, attempt: &str, code: i32, output: &str) -> StartSpec {
            self.script(attempt, &format!("printf %s '{output}'; exit {code}"))
        }

        fn prints(&self, attempt: &str, pieces: &[(Stream, &str)]) -> StartSpec {
            // Each piece waits until the one before has been kept.
            let kept = self.at(&format!("spool/{attempt}"));
            let print = |(stream, text): &(Stream, &str)| {
                let (name, number) = (stream.name(), *stream as usize + 1);
                let log = kept.join(name);
                format!("printf '{text}' >&{number}; until grep -qs '{text}' {}; do :; done", log.display())
            };
            let all: Vec<String> = pieces.iter().map(print).collect();
            self.script(attempt, &all.join("; "))
        }

        fn waits(&self, attempt: &str) -> StartSpec {
            let gate = self.at(&format!("gate-{attempt}"));
            assert!(Command::new("mkfifo").arg(&gate).status().unwrap().success());
            self.script(attempt, &format!("read x < gate-{attempt}"))
        }

        fn release(&self, attempt: &str) {
            std::fs::write(self.at(&format!("gate-{attempt}")), "go\n").unwrap();
        }

        fn begun(&self, attempt: &str) -> usize {
            let lines = std::fs::read_to_string(self.at(&format!("begun-{attempt}")));
            lines.unwrap_or_default().lines().count()
        }

        fn hide(&self, hidden: bool) {
            self.hidden.set(hidden);
            self.signal(if hidden { "STOP" } else { "CONT" });
            if hidden {
                // A process that was told to stop may answer once more before it does.
                let runner =
                    waitid(WaitId::Pid(to_pid(self.runner().unwrap().pid).unwrap()), STOPPED).unwrap();
                assert!(runner.unwrap().stopped());
            }
        }

        fn die(&self) {
            let runner = self.runner().unwrap();
            assert!(runner.kill().unwrap());
            assert!(runner.wait_exit(&crate::os::Deadline::after(Duration::from_secs(60))).unwrap());
        }
    }

    suite!(Place::new());

    #[test]
    fn what_is_no_file_is_not_read_and_not_waited_for() {
        let place = Place::new();
        let (executor, attempt, folder) = (place.executor(), name("r1-1"), place.at("spool/r1-1"));
        std::fs::create_dir_all(&folder).unwrap();
        for (file, text) in [
            ("request.json", Text::Request),
            ("report.jsonl", Text::Report),
            ("check-0.request.json", Text::CheckRequest(0)),
            ("check-1.report.jsonl", Text::CheckReport(1)),
        ] {
            assert_eq!(executor.read(&attempt, text, 9).unwrap(), None);
            let path = folder.join(file);
            assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
            let error = executor.read(&attempt, text, 9).unwrap_err().to_string();
            assert_eq!(error, "it is a pipe, not a regular file", "{file}");
            std::fs::remove_file(&path).unwrap();
            std::fs::File::create(&path).unwrap().set_len(4 << 40).unwrap();
            assert_eq!(executor.read(&attempt, text, 3).unwrap().unwrap(), [0; 3], "{file}");
        }
        let all = Weave { from: [0, 0], only: None, most: 9, live: false };
        std::fs::write(folder.join("stdout"), "x").unwrap();
        // Times that are none are no reason not to show the log.
        std::os::unix::fs::symlink("/dev/zero", folder.join("log.times")).unwrap();
        let woven = executor.woven(&attempt, &all).unwrap().unwrap();
        assert_eq!((woven.parts[0].bytes.as_slice(), woven.pieces[0].at), (&b"x"[..], None));
        std::fs::remove_file(folder.join("log.times")).unwrap();
        std::fs::File::create(folder.join("log.times")).unwrap().set_len(4 << 40).unwrap();
        assert_eq!(executor.woven(&attempt, &all).unwrap().unwrap().pieces, woven.pieces);
        std::os::unix::fs::symlink("/dev/zero", folder.join("stderr")).unwrap();
        assert!(executor.woven(&attempt, &all).is_err());
        let error = executor.log(&attempt, Stream::Stderr, LogFrom::Begin(0), 9).unwrap_err().to_string();
        assert_eq!(error, "it is a symbolic link, not a regular file");
    }
}
