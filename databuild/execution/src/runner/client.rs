//! The server's side of the runner's socket.
//!
//! Commands are notifications: a call writes to the socket and returns; what
//! comes of it is handed to an [`EventSink`] as [`RunnerEvent`]s, by one reader
//! thread. Only [`RunnerClient::list`] waits for an answer.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde_json::Value;

use super::error::RunnerError;
use super::launch::{reach, unreachable, ConnectOptions, RETRY_PAUSE};
use super::protocol::{
    Answer, AttemptName, AttemptReport, Call, CancelParams, CapacityParams, EndedParams, ForgetParams, Head,
    Hello, HelloParams, MemoryLimits, RefusedParams, RunnerEvent, StartParamsRef, StartSpec, StartedParams,
    WithParams, FIRST_WITH_CHECKS, FIRST_WITH_WITHDRAW, MAX_LINE, PROTOCOL,
};

/// Attempts per line: the first of a large batch run while the rest is read.
const BATCH: usize = 32;
/// Bytes of requests per line, unless one attempt alone has more: a line must not get longer than
/// [`super::protocol::MAX_LINE`].
const BATCH_BYTES: usize = 4 << 20;
/// A runner that neither takes nor says anything for this long is stuck.
const PATIENCE: Duration = Duration::from_secs(10);

/// Takes what the runner tells. Called by one thread, in order; it should not wait
/// for anything.
pub type EventSink = Box<dyn Fn(RunnerEvent) + Send>;

type Waiting = Arc<Mutex<HashMap<u64, Sender<Answer<Value>>>>>;

/// A connection that owns the runner, until another server says hello or this
/// value is dropped. Dropping it does nothing to running attempts.
#[derive(Debug)]
pub struct RunnerClient {
    writer: Mutex<Writer>,
    hello: Hello,
    waiting: Waiting,
}

#[derive(Debug)]
struct Writer {
    stream: UnixStream,
    next_id: u64,
}

impl RunnerClient {
    /// Connects to the runner that owns the spool, or starts one. `command`
    /// makes the command line of the runner, such as `databuild runner --spool
    /// … --socket …`; its environment is emptied here. Events go to `events`
    /// until the connection ends, the last one being
    /// [`RunnerEvent::Disconnected`].
    ///
    /// The server then compares [`RunnerClient::hello`] with what it believes
    /// to be live, and asks [`super::inspect`] about those the runner does not
    /// know.
    pub fn connect_or_start(
        options: &ConnectOptions,
        events: EventSink,
        command: impl FnOnce() -> Command,
    ) -> Result<Self, RunnerError> {
        let until = Instant::now() + options.timeout;
        let mut command = Some(command);
        let (Greeted { stream, reader, hello }, child) = loop {
            let reached = reach(options, &mut command, until)?;
            match greet(reached.stream, &options.server, until) {
                // One that was killed takes connections until the system has closed its socket.
                Err(RunnerError::Disconnected(why)) if reached.child.is_none() => {
                    if Instant::now() >= until {
                        return Err(unreachable(options, why));
                    }
                    thread::sleep(RETRY_PAUSE);
                }
                greeted => break (greeted?, reached.child),
            }
        };
        let waiting = Waiting::default();
        let answers = Arc::clone(&waiting);
        thread::Builder::new()
            .name("runner-events".to_owned())
            .spawn(move || read_events(reader, child, &events, &answers))
            .map_err(|e| RunnerError::system("starting the runner's reader thread", e))?;
        Ok(Self { writer: Mutex::new(Writer { stream, next_id: 1 }), hello, waiting })
    }

    /// Whether it runs checks. One that does not would run the job and leave them out.
    pub fn runs_checks(&self) -> bool {
        self.hello.protocol >= FIRST_WITH_CHECKS
    }

    /// Who holds attempts to the memory that their jobs declare.
    pub fn memory_limits(&self) -> MemoryLimits {
        self.hello.memory_limits.clone().unwrap_or_else(|| {
            let why = "the runner is of an older version; `databuild stop --jobs` ends it";
            MemoryLimits::Accounting { why: why.to_owned() }
        })
    }

    /// What the runner said of itself and of its attempts when the connection
    /// was made.
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// Starts attempts in this order, as capacity allows. Each is answered by
    /// `Started` and `Ended`, by `Ended` alone, or by `Refused`.
    pub fn start(&self, specs: &[StartSpec]) -> Result<(), RunnerError> {
        let mut lines = Vec::new();
        for attempts in batches(specs) {
            let params = StartParamsRef { attempts };
            lines.extend(encode(&Call::notification("start", params))?);
        }
        self.write(&lines)
    }

    /// Cancels a queued or running attempt; its end comes as an event.
    pub fn cancel(&self, attempt: &AttemptName, reason: &str) -> Result<(), RunnerError> {
        let params = CancelParams { attempt: attempt.clone(), reason: reason.to_owned() };
        self.notify("cancel", params)
    }

    /// Takes back a queued attempt; its end comes as an event. One that has begun goes on. A runner of an older version
    /// is asked for nothing, and begins it.
    pub fn withdraw(&self, attempt: &AttemptName, reason: &str) -> Result<(), RunnerError> {
        if self.hello.protocol < FIRST_WITH_WITHDRAW {
            return Ok(());
        }
        let params = CancelParams { attempt: attempt.clone(), reason: reason.to_owned() };
        self.notify("withdraw", params)
    }

    /// Says that the ends of these attempts are durably recorded. Their spool
    /// folders are removed unless `keep`; one of a success without output goes in
    /// any case. From now on it is the caller who must not start them again.
    pub fn forget(&self, attempts: &[AttemptName], keep: bool) -> Result<(), RunnerError> {
        let params = ForgetParams { attempts: attempts.to_vec(), keep };
        self.notify("forget", params)
    }

    /// Sets how many attempts run at once. 0 holds the queue.
    pub fn set_capacity(&self, jobs: u32) -> Result<(), RunnerError> {
        self.notify("set_capacity", CapacityParams { jobs })
    }

    /// Gives the queue back as never started, tells what runs to end, and then ends the runner. Until then it owns its
    /// spool. Said again, it kills what still runs. The reason that all have is [`super::STOPPED`].
    pub fn shutdown(&self) -> Result<(), RunnerError> {
        self.notify("shutdown", serde_json::json!({}))
    }

    /// The runner's attempts as of now.
    pub fn list(&self) -> Result<Vec<AttemptReport>, RunnerError> {
        let (sender, receiver) = mpsc::channel();
        {
            let mut writer = lock(&self.writer);
            let id = writer.next_id;
            writer.next_id += 1;
            lock(&self.waiting).insert(id, sender);
            let call = Call { jsonrpc: "2.0", id: Some(id), method: "list", params: serde_json::json!({}) };
            send(&mut writer.stream, &encode(&call)?)?;
        }
        let answer = receiver
            .recv_timeout(PATIENCE)
            .map_err(|_| RunnerError::Disconnected("it did not answer list".to_owned()))?;
        let result = answer.result.unwrap_or_default();
        serde_json::from_value(result).map_err(|e| RunnerError::Malformed(e.to_string()))
    }

    fn notify<P: Serialize>(&self, method: &str, params: P) -> Result<(), RunnerError> {
        self.write(&encode(&Call::notification(method, params))?)
    }

    fn write(&self, lines: &[u8]) -> Result<(), RunnerError> {
        send(&mut lock(&self.writer).stream, lines)
    }
}

/// A connection to a runner that knows who has it now.
struct Greeted {
    stream: UnixStream,
    reader: BufReader<UnixStream>,
    hello: Hello,
}

/// Takes a runner over, which has to answer until then.
fn greet(mut stream: UnixStream, server: &str, until: Instant) -> Result<Greeted, RunnerError> {
    let setup = |e| RunnerError::system("setting up the runner's socket", e);
    let left = until.saturating_duration_since(Instant::now()).clamp(RETRY_PAUSE, PATIENCE);
    stream.set_write_timeout(Some(PATIENCE)).map_err(setup)?;
    stream.set_read_timeout(Some(left)).map_err(setup)?;
    let mut reader = BufReader::with_capacity(64 << 10, stream.try_clone().map_err(setup)?);
    let mut hello = say_hello(&mut stream, &mut reader, PROTOCOL, server)?;
    if (1..PROTOCOL).contains(&hello.protocol) {
        // An older runner gives itself to whoever speaks as it does.
        hello = say_hello(&mut stream, &mut reader, hello.protocol, server)?;
    }
    if !(1..=PROTOCOL).contains(&hello.protocol) {
        return Err(RunnerError::ProtocolMismatch { ours: PROTOCOL, theirs: hello.protocol });
    }
    stream.set_read_timeout(None).map_err(setup)?;
    Ok(Greeted { stream, reader, hello })
}

fn say_hello(
    stream: &mut UnixStream,
    reader: &mut BufReader<UnixStream>,
    protocol: u32,
    server: &str,
) -> Result<Hello, RunnerError> {
    let params = HelloParams { protocol, server: server.to_owned() };
    let call = Call { jsonrpc: "2.0", id: Some(0), method: "hello", params };
    send(stream, &encode(&call)?)?;
    let line =
        read_line(reader)?.ok_or_else(|| RunnerError::Disconnected("it hung up on hello".to_owned()))?;
    let answer: Answer<Hello> = decode(&line)?;
    answer.result.ok_or_else(|| {
        let why = answer.error.map_or_else(String::new, |fault| fault.message);
        RunnerError::Malformed(format!("hello was refused: {why}"))
    })
}

impl Drop for RunnerClient {
    fn drop(&mut self) {
        // Wakes the reader; an error means that the connection is gone already.
        let _ = lock(&self.writer).stream.shutdown(Shutdown::Both);
    }
}

/// The values guarded here are consistent at every step, so a panic elsewhere
/// while holding them is no reason to fail.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn encode<M: Serialize>(message: &M) -> Result<Vec<u8>, RunnerError> {
    let mut line = serde_json::to_vec(message).map_err(|e| RunnerError::Malformed(e.to_string()))?;
    line.push(b'\n');
    Ok(line)
}

fn decode<T: serde::de::DeserializeOwned>(line: &[u8]) -> Result<T, RunnerError> {
    serde_json::from_slice(line).map_err(|e| RunnerError::Malformed(e.to_string()))
}

fn send(stream: &mut UnixStream, bytes: &[u8]) -> Result<(), RunnerError> {
    stream.write_all(bytes).map_err(|e| {
        // Part of a line may be on its way; nothing sensible can follow it.
        let _ = stream.shutdown(Shutdown::Both);
        RunnerError::Disconnected(e.to_string())
    })
}

/// Attempts in order, as many in each part as fit in a line; one at least.
fn batches(mut specs: &[StartSpec]) -> impl Iterator<Item = &[StartSpec]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |spec: &&StartSpec| {
            bytes += spec.request_bytes();
            bytes <= BATCH_BYTES
        };
        let count = specs.iter().take(BATCH).take_while(fits).count().max(1).min(specs.len());
        let (batch, rest) = specs.split_at(count);
        specs = rest;
        (!batch.is_empty()).then_some(batch)
    })
}

/// The next line; `None` at the end of the stream.
fn read_line(reader: &mut BufReader<UnixStream>) -> Result<Option<Vec<u8>>, RunnerError> {
    let mut line = Vec::new();
    let limit = MAX_LINE as u64 * 4;
    let read = reader
        .by_ref()
        .take(limit)
        .read_until(b'\n', &mut line)
        .map_err(|e| RunnerError::Disconnected(e.to_string()))?;
    match line.pop() {
        None => Ok(None),
        Some(b'\n') => Ok(Some(line)),
        Some(_) if read as u64 == limit => Err(RunnerError::Malformed("a line without end".to_owned())),
        Some(_) => Err(RunnerError::Disconnected("it ended within a line".to_owned())),
    }
}

fn read_events(
    mut reader: BufReader<UnixStream>,
    child: Option<Child>,
    events: &EventSink,
    waiting: &Waiting,
) {
    let reason = loop {
        let line = match read_line(&mut reader) {
            Ok(Some(line)) => line,
            Ok(None) => break "the runner closed the connection".to_owned(),
            Err(e) => break e.to_string(),
        };
        match read_message(&line) {
            Ok(Message::Event(event)) => {
                events(event);
            }
            Ok(Message::Answer(answer)) => {
                let id = answer.id.as_u64();
                match id.and_then(|id| lock(waiting).remove(&id)) {
                    // The caller may have given up.
                    Some(sender) => drop(sender.send(answer)),
                    None => tracing::warn!(error = ?answer.error, "the runner refused a command"),
                }
            }
            Ok(Message::Superseded) => break "another server has taken over".to_owned(),
            Err(e) => break e.to_string(),
        }
    };
    // Callers that wait learn of the end by their sender being dropped.
    lock(waiting).clear();
    events(RunnerEvent::Disconnected { reason });
    if let Some(mut child) = child {
        // Leaves no zombie. Returns when the runner ends, or with this process.
        let _ = child.wait();
    }
}

pub(super) enum Message {
    Event(RunnerEvent),
    Answer(Answer<Value>),
    Superseded,
}

pub(super) fn read_message(line: &[u8]) -> Result<Message, RunnerError> {
    let head: Head = decode(line)?;
    let event = match head.method.as_deref() {
        None => return Ok(Message::Answer(decode(line)?)),
        Some("superseded") => return Ok(Message::Superseded),
        Some("started") => {
            let StartedParams { attempt, pid, .. } = decode::<WithParams<_>>(line)?.params;
            RunnerEvent::Started { attempt, pid }
        }
        Some("ended") => {
            let EndedParams { attempt, exit } = decode::<WithParams<_>>(line)?.params;
            RunnerEvent::Ended { attempt, exit }
        }
        Some("refused") => {
            let RefusedParams { attempt, code, message } = decode::<WithParams<_>>(line)?.params;
            RunnerEvent::Refused { attempt, code, message }
        }
        Some(other) => {
            return Err(RunnerError::Malformed(format!("unknown notification {other:?}")));
        }
    };
    Ok(Message::Event(event))
}
