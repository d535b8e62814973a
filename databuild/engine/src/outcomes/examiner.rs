//! Who examines which attempt when, so that none holds up another.
//!
//! One thread takes what ends, and examines small outputs itself, many together, since they share a flush of the disk. What
//! is large gets a thread of its own: at most as many as there are attempts under way. So do looks at data that a job found
//! that it needs, which may ask slow observers. An examination ends early if nobody wants it any more
//! ([`Examinations::cancel`]).

use super::collect::failure;
use super::examine::{self, Left, Verdict};
use super::keep;
use crate::apart::apart;
use crate::attempt::request::{OutputFile, Request};
use crate::executor::Executor;
use crate::message::{Command, CommandError, EndedAttempt, Message};
use crate::pace::Pace;
use crate::publish;
use crate::shared::Shared;
use crate::snapshot;
use databuild_core::decide::{AttemptReport, Input, Refusal, Sightings};
use databuild_core::event::{AttemptOutcome, Origin, OutputRecord};
use databuild_core::ids::AttemptId;
use databuild_core::state::State;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

/// Bytes of outputs that are examined together before others are told; hashing them takes some 20 ms.
const SMALL_BYTES: u64 = 16 << 20;
/// Files and folders that are examined together.
const SMALL_ENTRIES: u64 = 1_000;

/// Attempts that are being examined, and how to end that.
#[derive(Debug, Clone, Default)]
pub(crate) struct Examinations {
    under_way: Arc<Mutex<BTreeMap<AttemptId, Arc<AtomicBool>>>>,
}

impl Examinations {
    /// What stops the examination that begins; none if this attempt is being examined, as when a runner tells twice.
    pub(crate) fn begin(&self, attempt: AttemptId) -> Option<Arc<AtomicBool>> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        match under_way.entry(attempt) {
            std::collections::btree_map::Entry::Occupied(_) => None,
            std::collections::btree_map::Entry::Vacant(vacant) => {
                Some(Arc::clone(vacant.insert(Arc::default())))
            }
        }
    }

    fn end(&self, attempt: AttemptId) {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner).remove(&attempt);
    }

    /// Ends that of an attempt, if it is under way; it counts as canceled then.
    pub(crate) fn cancel(&self, attempt: AttemptId) {
        if let Some(stop) = self.under_way.lock().unwrap_or_else(PoisonError::into_inner).get(&attempt) {
            stop.store(true, Ordering::Relaxed);
        }
    }

    /// Ends all of them. Nobody may listen to what comes of them any more.
    pub(crate) fn cancel_all(&self) {
        let under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.values().for_each(|stop| stop.store(true, Ordering::Relaxed));
    }
}

/// Looks at the files that matter for partitions; none if they cannot be resolved.
pub(crate) type Look = Arc<dyn Fn(&[String]) -> Option<Sightings> + Send + Sync>;

/// Looks at these partitions alone.
pub(crate) type LookAgain = Arc<dyn Fn(&[String]) -> Sightings + Send + Sync>;

/// What examining needs.
#[derive(Clone)]
pub(crate) struct Examiner {
    pub(crate) executor: Arc<dyn Executor>,
    pub(crate) workspace: PathBuf,
    pub(crate) shared: Arc<Shared>,
    pub(crate) snapshots: Arc<snapshot::Store>,
    pub(crate) to_loop: Sender<Message>,
    pub(crate) examinations: Examinations,
    pub(crate) look: Look,
    /// The same for inputs that moved under an attempt, as they are named.
    pub(crate) look_again: LookAgain,
}

impl Examiner {
    /// Examines attempts until the channel closes.
    pub(crate) fn run(&self, ended: &Receiver<EndedAttempt>, pace: &Pace) {
        while let Ok(first) = ended.recv() {
            let mut room = Room::default();
            let mut small = Vec::new();
            for one in pace.gather(first, ended) {
                let left = examine::left(&self.executor, one);
                if room.takes(&left) {
                    small.push(left);
                } else {
                    self.apart("examination", vec![left], Examiner::together);
                }
            }
            self.together(small);
        }
    }

    /// Does `work` on a thread of its own.
    fn apart<T: Send + 'static>(&self, name: &str, what: T, work: fn(&Examiner, T)) {
        let examiner = self.clone();
        apart(name, move || work(&examiner, what));
    }

    /// Examines some attempts, brings what they made to disk together, and tells.
    fn together(&self, attempts: Vec<Left>) {
        let mut verdicts: Vec<Verdict> = attempts
            .into_iter()
            .map(|left| {
                let keep = |attempt, request: &_, outputs: &_| self.keep(attempt, request, outputs);
                let state = Arc::clone(&self.shared.snapshot.load().state);
                examine::examine(left, keep, |attempt| code_is_intact(&self.snapshots, &state, attempt))
            })
            .collect();
        let staged: Vec<PathBuf> = verdicts.iter().flat_map(|verdict| verdict.staged.clone()).collect();
        if publish::sync(&staged).is_err() {
            // Which of them cannot be synced is worth a second look; the others go on.
            for verdict in &mut verdicts {
                if let Err(error) = publish::sync(&verdict.staged) {
                    verdict.end.result = failure(error.to_string(), false);
                    verdict.end.checks.clear();
                }
            }
        }
        for verdict in verdicts {
            match &verdict.end.result {
                _ if !verdict.moved.is_empty() => self.apart("look", verdict, Examiner::look_again_and_tell),
                // What a job found that it needs, nobody may have looked at.
                Err(AttemptReport { outcome: AttemptOutcome::MissingInput { .. }, .. }) => {
                    self.apart("look", verdict, Examiner::look_and_tell);
                }
                _ => self.tell(verdict),
            }
        }
    }

    fn tell(&self, verdict: Verdict) {
        let Verdict { attempt, end, .. } = verdict;
        self.examinations.end(attempt);
        // A loop that is gone needs no news; the runner tells the next one.
        let _ = self.to_loop.send(Message::Input(Box::new(Input::AttemptEnded { attempt, end })));
    }

    /// Looks at inputs that moved under an attempt, and tells first what was seen: the next attempt is leased with what
    /// they hold now. If another graph was registered meanwhile, the start of that attempt looks at them.
    fn look_again_and_tell(&self, verdict: Verdict) {
        let seen = (self.look_again)(&verdict.moved);
        if !matches!(self.record(seen), Err(CommandError::ShuttingDown)) {
            self.tell(verdict);
        }
    }

    /// Looks for what a job found that it needs, and tells first what was seen.
    fn look_and_tell(&self, mut verdict: Verdict) {
        if let Err(AttemptReport { outcome: AttemptOutcome::MissingInput { partitions }, message, .. }) =
            &verdict.end.result
        {
            // Another graph that is registered meanwhile gives indices another meaning, so the look is done again.
            for _ in 0..crate::handle::MOST_LOOKS {
                let Some(seen) = (self.look)(partitions) else { break };
                // Waiting for what nobody can see would be in vain; another attempt may see it.
                let blind = seen.unseen.first().map(|look| {
                    format!("{message}, which rests on data that could not be observed: {}", look.message)
                });
                match self.record(seen) {
                    Err(CommandError::Refused(Refusal::GraphReplaced(_))) => {}
                    Err(CommandError::ShuttingDown) => return,
                    _ => {
                        if let Some(message) = blind {
                            // It is not the job's fault: as if an input had moved.
                            verdict.end.result =
                                Err(AttemptReport::new(AttemptOutcome::InputsMoved, message));
                        }
                        break;
                    }
                }
            }
        }
        self.tell(verdict);
    }

    /// Has the loop record what was seen, and waits for that.
    fn record(&self, seen: Sightings) -> Result<(), CommandError> {
        let (tell, told) = mpsc::sync_channel(1);
        let command = Command {
            input: Input::Sightings(seen),
            origin: Origin::default(),
            inherited: None,
            once: None,
            answer: Box::new(move |reply| drop(tell.send(reply))),
        };
        let gone = |_| CommandError::ShuttingDown;
        self.to_loop.send(Message::Command(Box::new(command))).map_err(|_| CommandError::ShuttingDown)?;
        told.recv().map_err(gone)?.map(drop)
    }

    /// Copies what an arm of a trial made to the folder where people look at it, if there is one.
    fn keep(&self, attempt: AttemptId, request: &Request, outputs: &[OutputRecord]) -> Result<(), String> {
        let state = &self.shared.snapshot.load().state;
        let arm = state.runs().get(&attempt.run).and_then(|run| run.trial);
        let trial = arm.and_then(|arm| state.trials().get(&arm.trial));
        let Some(folder) = trial.and_then(|trial| trial.spec.keep.as_ref()) else { return Ok(()) };
        let kept = keep::keep(Path::new(folder), &self.workspace, request, outputs);
        kept.map_err(|error| format!("its outputs cannot be copied to {folder}: {error}"))
    }
}

/// Whether an attempt, and the checks of what it made, ran the code that was stored: they can write to it.
pub(crate) fn code_is_intact(
    snapshots: &snapshot::Store,
    state: &State,
    attempt: AttemptId,
) -> Result<(), String> {
    let Some(run) = state.runs().get(&attempt.run) else { return Ok(()) };
    let graph = &run.graph.graph;
    let job = graph.job(run.job);
    let checks = graph.checks_of(run.job).map(|check| (&check.label, &check.program.code));
    std::iter::once((&job.label, &job.program.code)).chain(checks).try_for_each(|(label, code)| {
        let code = code.parse().map_err(|_| format!("the graph has no code digest for {label}"))?;
        match snapshots.intact(&code) {
            Ok(Some(_)) => Ok(()),
            Ok(None) => Err(format!(
                "what it made is dropped: the code of {label} was removed from the code store while it ran"
            )),
            Err(error) => Err(format!("what it made is dropped: {error}")),
        }
    })
}

/// How much more may be examined before others are told.
struct Room {
    bytes: u64,
    entries: u64,
}

impl Default for Room {
    fn default() -> Room {
        Room { bytes: SMALL_BYTES, entries: SMALL_ENTRIES }
    }
}

impl Room {
    /// Takes what an attempt left into account, if there is room for it.
    fn takes(&mut self, left: &Left) -> bool {
        let Ok(request) = &left.request else { return true };
        let (mut bytes, mut entries) = (self.bytes, self.entries);
        let fits = request.outputs.iter().all(|output: &OutputFile| match &output.path {
            None => true,
            Some(path) => subtract(path, &mut bytes, &mut entries),
        });
        if fits {
            (self.bytes, self.entries) = (bytes, entries);
        }
        fits
    }
}

/// Takes a tree's size and number of entries away; false if one does not suffice. What cannot be seen costs nothing.
fn subtract(path: &Path, bytes: &mut u64, entries: &mut u64) -> bool {
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let Ok(meta) = path.symlink_metadata() else { continue };
        let size = if meta.is_file() { meta.len() } else { 0 };
        let Some((left_bytes, left_entries)) = bytes.checked_sub(size).zip(entries.checked_sub(1)) else {
            return false;
        };
        (*bytes, *entries) = (left_bytes, left_entries);
        if !meta.is_dir() {
            continue;
        }
        for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            if pending.len() as u64 >= *entries {
                return false;
            }
            pending.push(entry.path());
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executor::fake::Fake;
    use crate::executor::{AttemptName, Text};
    use crate::shared::Snapshot;
    use crate::testing::exited_well;
    use arc_swap::ArcSwap;
    use databuild_core::decide::{AttemptEnd, Core};

    struct Bench {
        executor: Fake,
        folder: tempfile::TempDir,
        examinations: Examinations,
        ended: Sender<EndedAttempt>,
        inbox: Receiver<Message>,
    }

    impl Bench {
        fn new() -> Bench {
            let (executor, folder) = (Fake::default(), tempfile::tempdir().unwrap());
            let (to_loop, inbox) = mpsc::channel();
            let (ended, examine) = mpsc::channel();
            let examinations = Examinations::default();
            let examiner = Examiner {
                executor: executor.shared(),
                workspace: folder.path().to_owned(),
                shared: Arc::new(Shared {
                    snapshot: ArcSwap::from_pointee(Snapshot::of(&Core::new(1))),
                    seq: tokio::sync::watch::channel(0).0,
                    metrics: Arc::default(),
                }),
                snapshots: Arc::new(snapshot::Store::open(folder.path().join("store")).unwrap()),
                to_loop,
                examinations: examinations.clone(),
                look: Arc::new(|_| None),
                look_again: Arc::new(|_| Sightings::default()),
            };
            std::thread::spawn(move || examiner.run(&examine, &Pace::default()));
            Bench { executor, folder, examinations, ended, inbox }
        }

        /// An attempt that exited with 0 ends; its one output was written by `write`.
        fn end(&self, attempt: &str, write: impl FnOnce(&Path)) -> AttemptId {
            let output = self.folder.path().join(attempt);
            write(&output);
            let request = serde_json::json!({
                "format": 1, "run": "r", "attempt": 1, "job": "//:j", "as_of": "2010-02-01T00:00:00Z", "batch": false,
                "outputs": [{"dataset": "x", "partition": "x", "keys": {}, "path": output, "final_path": output}],
                "inputs": {}, "wants": [],
            });
            let name = AttemptName::new(attempt).unwrap();
            self.executor.leave(&name, Text::Request, request.to_string());
            let exit = exited_well();
            let attempt: AttemptId = attempt.parse().unwrap();
            let stop = self.examinations.begin(attempt).unwrap();
            self.ended.send(EndedAttempt { attempt, exit, asked: None, stop }).unwrap();
            attempt
        }

        /// The next attempt of which the loop is told.
        fn told(&self) -> (AttemptId, AttemptEnd) {
            match self.inbox.recv().unwrap() {
                Message::Input(input) => match *input {
                    Input::AttemptEnded { attempt, end } => (attempt, end),
                    other => panic!("{other:?}"),
                },
                _ => panic!("no input"),
            }
        }
    }

    fn sparse(path: &Path) {
        std::fs::File::create(path).unwrap().set_len(4 << 40).unwrap();
    }

    fn deep(path: &Path) {
        std::fs::create_dir(path).unwrap();
        sparse(&path.join("file"));
    }

    #[test]
    fn outputs_of_terabytes_hold_up_nobody_and_can_be_canceled() {
        let bench = Bench::new();
        let large = [bench.end("r1-1", sparse), bench.end("r2-1", deep), bench.end("r3-1", sparse)];
        let small: Vec<AttemptId> = (4..8)
            .map(|run| bench.end(&format!("r{run}-1"), |path| std::fs::write(path, "1").unwrap()))
            .collect();
        for _ in &small {
            let (attempt, end) = bench.told();
            assert!(small.contains(&attempt) && end.result.is_ok(), "{attempt}");
        }
        assert!(bench.examinations.begin(large[0]).is_none(), "told twice, it is examined once");
        bench.examinations.cancel(large[1]);
        let (attempt, end) = bench.told();
        assert_eq!(attempt, large[1]);
        assert_eq!(end.result.unwrap_err().outcome, AttemptOutcome::Canceled);
        bench.examinations.cancel_all();
        let mut rest = [bench.told().0, bench.told().0];
        rest.sort();
        assert_eq!(rest, [large[0], large[2]]);
        assert!(bench.examinations.begin(large[0]).is_some());
    }

    #[test]
    fn room_is_for_some_bytes_and_some_entries() {
        let folder = tempfile::tempdir().unwrap();
        for n in 0..10 {
            std::fs::write(folder.path().join(n.to_string()), "12345").unwrap();
        }
        for (bytes, entries, fits) in [(50, 11, true), (49, 11, false), (50, 10, false), (0, 0, false)] {
            let (mut left, mut more) = (bytes, entries);
            assert_eq!(
                subtract(folder.path(), &mut left, &mut more),
                fits,
                "{bytes} bytes, {entries} entries"
            );
            if fits {
                assert_eq!((left, more), (0, 0));
            }
        }
        assert!(subtract(&folder.path().join("gone"), &mut 0, &mut 0));
    }
}
