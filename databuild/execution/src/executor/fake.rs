//! An executor in memory, for tests of what is above, and of the suite itself.
//!
//! A job is what its arguments say: `["end", CODE, OUTPUT]` prints and exits at once, and so does `["print", "stderr:TEXT",
//! ...]`, `["wait", ...]` runs until [`Fake::finish`]. Attempts live in a world that several servers may connect to, one after the other.

use super::weave::weave;
use super::{
    AttemptName, Capabilities, Executor, ExitRecord, Holdings, LogFrom, LogPart, LogSize, MemoryLimits, News,
    NewsSink, Outcome, ResourceUse, Standing, StartSpec, Stream, Text, TimedPiece, Unreachable, Weave, Woven,
};
use crate::publish::Swept;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// A server's side of the world.
#[derive(Clone, Default)]
pub struct Fake {
    world: Arc<Mutex<World>>,
}

#[derive(Default)]
struct World {
    /// What the executor remembers; nothing of it is left when it dies.
    attempts: BTreeMap<AttemptName, Standing>,
    queue: VecDeque<StartSpec>,
    slots: usize,
    /// What survives it.
    ends: BTreeMap<AttemptName, Box<ExitRecord>>,
    /// Texts, or why they cannot be read.
    texts: BTreeMap<(AttemptName, Text), Result<Vec<u8>, String>>,
    logs: BTreeMap<AttemptName, [Vec<u8>; 2]>,
    /// When what is in the logs came.
    times: BTreeMap<AttemptName, [Vec<TimedPiece>; 2]>,
    /// Microseconds since 1970: one for each piece of output.
    clock: u64,
    /// Why logs cannot be read.
    spoilt_logs: BTreeMap<AttemptName, String>,
    begun: BTreeMap<AttemptName, usize>,
    /// It lives and cannot be reached.
    hidden: bool,
    news: Option<NewsSink>,
    /// What getting in touch waits for.
    gate: Option<Receiver<()>>,
}

fn end(outcome: Outcome) -> Box<ExitRecord> {
    Box::new(ExitRecord {
        outcome,
        timed_out: false,
        canceled: false,
        cancel_reason: None,
        started_at: 1,
        ended_at: 2,
        rusage: ResourceUse::default(),
        stdout: LogSize::default(),
        stderr: LogSize::default(),
        group_left: false,
        memory_exceeded: None,
        log_times: Vec::new(),
        checks: Vec::new(),
    })
}

fn part(log: &[u8], from: LogFrom, most: u64) -> LogPart {
    let size = log.len() as u64;
    let offset = match from {
        LogFrom::Begin(offset) => offset.min(size),
        LogFrom::End(tail) => size.saturating_sub(tail),
    };
    let from = log.iter().skip(usize::try_from(offset).unwrap());
    LogPart { bytes: from.take(usize::try_from(most).unwrap()).copied().collect(), offset, size }
}

fn gone() -> Unreachable {
    Unreachable { code: "fake_gone", message: "the executor cannot be reached".to_owned() }
}

impl World {
    fn tell(&self, news: News) {
        if let Some(tell) = &self.news {
            tell(news);
        }
    }

    fn running(&self) -> usize {
        self.attempts.values().filter(|standing| matches!(standing, Standing::Running { .. })).count()
    }

    fn fill(&mut self) {
        while self.running() < self.slots {
            let Some(spec) = self.queue.pop_front() else { return };
            self.begin(spec);
        }
    }

    fn begin(&mut self, spec: StartSpec) {
        let attempt = spec.attempt;
        *self.begun.entry(attempt.clone()).or_default() += 1;
        self.texts.insert((attempt.clone(), Text::Request), Ok(spec.request.into_bytes()));
        self.attempts.insert(attempt.clone(), Standing::Running { process: 1 });
        self.tell(News::Started { attempt: attempt.clone(), process: 1 });
        let words: Vec<&str> = spec.argv.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["end", code, output] => {
                self.print(&attempt, Stream::Stdout, output);
                self.end(attempt, end(Outcome::Code(code.parse().unwrap())));
            }
            ["print", pieces @ ..] => {
                for piece in pieces {
                    match piece.split_once(':') {
                        Some(("stdout", text)) => self.print(&attempt, Stream::Stdout, text),
                        Some(("stderr", text)) => self.print(&attempt, Stream::Stderr, text),
                        _ => panic!("no piece of the fake: {piece}"),
                    };
                }
                self.end(attempt, end(Outcome::Code(0)));
            }
            ["wait", ..] => drop(self.logs.insert(attempt, Default::default())),
            other => panic!("no job of the fake: {other:?}"),
        }
    }

    /// Adds to what the attempt has printed; returns how much that is.
    fn print(&mut self, attempt: &AttemptName, stream: Stream, text: &str) -> u64 {
        let log = &mut self.logs.entry(attempt.clone()).or_default()[stream as usize];
        log.extend(text.bytes());
        let end = log.len() as u64;
        self.clock += 1;
        let times = &mut self.times.entry(attempt.clone()).or_default()[stream as usize];
        times.push(TimedPiece { end, at: self.clock });
        end
    }

    fn end(&mut self, attempt: AttemptName, exit: Box<ExitRecord>) {
        self.ends.insert(attempt.clone(), exit.clone());
        self.attempts.insert(attempt.clone(), Standing::Ended(exit.clone()));
        self.tell(News::Ended { attempt, exit });
        self.fill();
    }
}

impl Fake {
    /// It, as the engine takes it.
    pub fn shared(&self) -> Arc<dyn Executor> {
        Arc::new(self.clone())
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// A job that waits exits.
    pub fn finish(&self, attempt: &AttemptName, code: i32) {
        self.world().end(attempt.clone(), end(Outcome::Code(code)));
    }

    /// How often the attempt was begun.
    pub fn begun(&self, attempt: &AttemptName) -> usize {
        self.world().begun.get(attempt).copied().unwrap_or_default()
    }

    /// From now on it can be reached, or not; what it has goes on.
    pub fn hide(&self, hidden: bool) {
        let mut world = self.world();
        world.hidden = hidden;
        if hidden {
            world.tell(News::Gone { reason: "it cannot be reached".to_owned() });
            world.news = None;
        }
    }

    /// It dies with all that runs; another one comes when somebody connects.
    pub fn die(&self) {
        let mut world = self.world();
        world.attempts.clear();
        world.queue.clear();
        world.tell(News::Gone { reason: "it died".to_owned() });
        world.news = None;
    }

    /// The next connection is there as soon as the other side has sent something, or has gone.
    pub fn wait_at(&self, gate: Receiver<()>) {
        self.world().gate = Some(gate);
    }

    /// Puts a text where the attempt's job or check would have left it.
    pub fn leave(&self, attempt: &AttemptName, text: Text, bytes: impl Into<Vec<u8>>) {
        self.world().texts.insert((attempt.clone(), text), Ok(bytes.into()));
    }

    /// The text cannot be read, and this is why.
    pub fn spoil(&self, attempt: &AttemptName, text: Text, why: &str) {
        self.world().texts.insert((attempt.clone(), text), Err(why.to_owned()));
    }

    /// The same of all that the attempt has printed.
    pub fn spoil_logs(&self, attempt: &AttemptName, why: &str) {
        self.world().spoilt_logs.insert(attempt.clone(), why.to_owned());
    }

    /// Adds to what the attempt has printed; returns how much that is.
    pub fn print(&self, attempt: &AttemptName, stream: Stream, text: &str) -> u64 {
        self.world().print(attempt, stream, text)
    }
}

impl Executor for Fake {
    fn connect(&self, news: NewsSink) -> Result<Holdings, Unreachable> {
        let gate = self.world().gate.take();
        if let Some(gate) = gate {
            // Whoever has gone lets it in as well.
            let _ = gate.recv();
        }
        let mut world = self.world();
        world.tell(News::Gone { reason: "another server has taken over".to_owned() });
        world.news = None;
        if world.hidden {
            return Err(gone());
        }
        world.news = Some(news);
        Ok(Holdings { attempts: world.attempts.clone().into_iter().collect(), leaving: false })
    }

    fn capabilities(&self) -> Arc<Capabilities> {
        let memory = MemoryLimits::Accounting { why: "it is a fake".to_owned() };
        Arc::new(Capabilities { memory, checks: true, most_request_bytes: 1 << 20, who: None })
    }

    fn submit(&self, attempts: &[StartSpec]) -> Result<(), Unreachable> {
        let mut world = self.world();
        if world.news.is_none() {
            return Err(gone());
        }
        for spec in attempts {
            let attempt = spec.attempt.clone();
            if world.attempts.contains_key(&attempt) || world.begun.contains_key(&attempt) {
                let (code, message) = ("attempt_exists".to_owned(), "it was started before".to_owned());
                world.tell(News::Refused { attempt, code, message });
                continue;
            }
            world.attempts.insert(attempt, Standing::Queued);
            world.queue.push_back(spec.clone());
        }
        world.fill();
        Ok(())
    }

    fn find(&self, attempts: &[AttemptName]) -> Vec<Standing> {
        let world = self.world();
        let find = |attempt: &AttemptName| match (world.attempts.get(attempt), world.ends.get(attempt)) {
            (_, Some(exit)) => Standing::Ended(exit.clone()),
            _ if world.hidden => Standing::Unknown,
            (Some(standing), _) => standing.clone(),
            _ if world.begun.contains_key(attempt) => Standing::Lost,
            _ => Standing::NeverBegan,
        };
        attempts.iter().map(find).collect()
    }

    fn cancel(&self, attempt: &AttemptName, reason: &str) -> Result<(), Unreachable> {
        let mut world = self.world();
        if world.news.is_none() {
            return Err(gone());
        }
        let outcome = match world.attempts.get(attempt) {
            Some(Standing::Queued) => Outcome::NeverStarted {},
            Some(Standing::Running { .. }) => Outcome::Signal(15),
            _ => return Ok(()),
        };
        world.queue.retain(|spec| spec.attempt != *attempt);
        let exit = ExitRecord { canceled: true, cancel_reason: Some(reason.to_owned()), ..*end(outcome) };
        world.end(attempt.clone(), Box::new(exit));
        Ok(())
    }

    fn withdraw(&self, attempt: &AttemptName, reason: &str) -> Result<(), Unreachable> {
        let queued = matches!(self.world().attempts.get(attempt), Some(Standing::Queued));
        if queued {
            self.cancel(attempt, reason)
        } else {
            Ok(())
        }
    }

    fn forget(&self, attempts: &[AttemptName]) -> Result<(), Unreachable> {
        let mut world = self.world();
        for attempt in attempts {
            world.attempts.remove(attempt);
        }
        Ok(())
    }

    fn set_slots(&self, slots: usize) -> Result<(), Unreachable> {
        let mut world = self.world();
        world.slots = slots;
        world.fill();
        Ok(())
    }

    fn stop(&self) -> Result<(), Unreachable> {
        self.die();
        Ok(())
    }

    fn read(&self, attempt: &AttemptName, text: Text, most: u64) -> io::Result<Option<Vec<u8>>> {
        let text = self.world().texts.get(&(attempt.clone(), text)).cloned();
        let text = text.transpose().map_err(io::Error::other)?;
        Ok(text.map(|text| text.into_iter().take(usize::try_from(most).unwrap()).collect()))
    }

    fn report_path(&self, attempt: &AttemptName) -> PathBuf {
        format!("/reports/{attempt}").into()
    }

    fn log(
        &self,
        attempt: &AttemptName,
        stream: Stream,
        from: LogFrom,
        most: u64,
    ) -> io::Result<Option<LogPart>> {
        let world = self.world();
        if let Some(why) = world.spoilt_logs.get(attempt) {
            return Err(io::Error::other(why.clone()));
        }
        Ok(world.logs.get(attempt).map(|logs| part(&logs[stream as usize], from, most)))
    }

    fn woven(&self, attempt: &AttemptName, asked: &Weave) -> io::Result<Option<Woven>> {
        let world = self.world();
        if let Some(why) = world.spoilt_logs.get(attempt) {
            return Err(io::Error::other(why.clone()));
        }
        let Some(logs) = world.logs.get(attempt) else { return Ok(None) };
        let parts = Stream::BOTH.map(|stream| {
            let from = asked.from[stream as usize];
            if asked.only.is_some_and(|only| only != stream) {
                return LogPart { offset: from, size: from, ..LogPart::default() };
            }
            part(&logs[stream as usize], LogFrom::Begin(from), asked.most)
        });
        let mut times = world.times.get(attempt).cloned().unwrap_or_default();
        for (times, part) in times.iter_mut().zip(&parts) {
            times.retain(|piece| piece.end > part.offset);
        }
        Ok(Some(weave(parts, &times)))
    }

    fn sweep(&self, over: &dyn Fn(&AttemptName) -> bool, _age: Duration, dry_run: bool) -> Swept {
        let mut world = self.world();
        let gone: Vec<AttemptName> = world.logs.keys().filter(|attempt| over(attempt)).cloned().collect();
        let mut swept = Swept::default();
        for attempt in gone {
            if !dry_run {
                world.logs.remove(&attempt);
                world.texts.retain(|(of, _), _| *of != attempt);
            }
            swept.add(Ok(()));
        }
        swept
    }
}

#[cfg(test)]
mod tests {
    use super::super::contract::{name, suite, Site};
    use super::*;

    impl Site for Fake {
        fn executor(&self) -> Arc<dyn Executor> {
            self.shared()
        }

        fn ends(&self, attempt: &str, code: i32, output: &str) -> StartSpec {
            let words = ["end".to_owned(), code.to_string(), output.to_owned()];
            StartSpec::new(name(attempt), words.to_vec(), "/")
        }

        fn prints(&self, attempt: &str, pieces: &[(Stream, &str)]) -> StartSpec {
            let mut words = vec!["print".to_owned()];
            words.extend(pieces.iter().map(|(stream, text)| format!("{}:{text}", stream.name())));
            StartSpec::new(name(attempt), words, "/")
        }

        fn waits(&self, attempt: &str) -> StartSpec {
            StartSpec::new(name(attempt), vec!["wait".to_owned()], "/")
        }

        fn release(&self, attempt: &str) {
            self.finish(&name(attempt), 0);
        }

        fn begun(&self, attempt: &str) -> usize {
            Fake::begun(self, &name(attempt))
        }

        fn hide(&self, hidden: bool) {
            Fake::hide(self, hidden);
        }

        fn die(&self) {
            Fake::die(self);
        }
    }

    suite!(Fake::default());
}
