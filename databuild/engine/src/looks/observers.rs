//! Looks at external data that is observed: by a pattern of files, over HTTP, or by a program.
//!
//! What cannot be observed comes back with the reason, and is for the core to judge. Answers are believed for as
//! long as the dataset's `every` says; they are remembered here only, since an observation is a fact once it is
//! recorded and costs no more than another look if it is forgotten.

use super::blanks::Blanks;
use crate::attempt::environment::{runfiles_environment, usable};
use crate::attempt::inherited::Inherited;
use crate::observe::{self, Answer, HttpClient, Order, Stop};
use crate::os::EnvValue;
use crate::publish::{self, StatMark};
use crate::snapshot;
use databuild_core::decide::{Sighting, Sightings};
use databuild_core::digest::{hash64, mix};
use databuild_core::graph::{Dataset, DatasetIx, Observe, Observer};
use databuild_core::observation::{self, Blind, Blindness, Look, Said};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::state::State;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A process is not waited for longer, whatever the graph says.
const LONGEST_WAIT: Duration = Duration::from_millis(databuild_core::graph::MOST_OBSERVE_MS);
/// Version of the request format, told to observers.
const FORMAT: u32 = 1;
/// Partitions that one process is asked about.
const CHUNK: usize = 1_000;
/// Things that one look asks for side by side.
const SIDE_BY_SIDE: usize = 8;
/// So many times nobody answers before the rest of a dataset is not asked for any more.
const MOST_SILENCE: usize = 3;
/// Answers remembered before those too old are thrown away.
const MOST_REMEMBERED: usize = 100_000;

/// All that looking needs.
pub(crate) struct Observers {
    pub(crate) workspace: PathBuf,
    /// Where programs find their requests.
    pub(crate) folder: PathBuf,
    pub(crate) snapshots: Arc<snapshot::Store>,
    /// Environment that every program gets.
    pub(crate) base_env: Vec<(String, String)>,
    /// The file with inherited environment values.
    pub(crate) inherited: PathBuf,
    http: HttpClient,
    stop: Stop,
    remembered: Mutex<HashMap<u64, Remembered>>,
    processes: AtomicU64,
}

struct Remembered {
    until: Instant,
    answer: Answer,
}

/// What is asked of a program.
#[derive(Serialize)]
struct Request<'r> {
    format: u32,
    dataset: &'r str,
    partitions: Vec<Asked>,
}

#[derive(Serialize)]
struct Asked {
    partition: String,
    keys: BTreeMap<String, String>,
}

/// Partitions of a dataset that one question is about: several for a program, else one.
struct Question<'q> {
    ix: DatasetIx,
    dataset: &'q Dataset,
    observe: &'q Observe,
    keys: Vec<PartitionKey>,
    /// What identifies the way of observing.
    way: u64,
    /// How often nobody answered for the dataset, and what was said then.
    silence: &'q Silence,
}

#[derive(Default)]
struct Silence {
    times: AtomicUsize,
    last: Mutex<String>,
}

impl Silence {
    fn note(&self, times: usize, message: &str) {
        message.clone_into(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner));
        self.times.fetch_add(times, Ordering::SeqCst);
    }

    /// Why nobody is asked any more.
    fn given_up(&self) -> Option<String> {
        (self.times.load(Ordering::SeqCst) >= MOST_SILENCE)
            .then(|| self.last.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

impl Observers {
    /// Nothing is looked at yet.
    ///
    /// # Errors
    /// There are no descriptors left.
    pub(crate) fn new(
        workspace: PathBuf,
        folder: PathBuf,
        snapshots: Arc<snapshot::Store>,
        base_env: Vec<(String, String)>,
        inherited: PathBuf,
    ) -> std::io::Result<Observers> {
        observe::end_left_over(&folder);
        Ok(Observers {
            workspace,
            folder,
            snapshots,
            base_env,
            inherited,
            http: HttpClient::default(),
            stop: Stop::new()?,
            remembered: Mutex::default(),
            processes: AtomicU64::new(0),
        })
    }

    /// Ends the programs under way, and whatever would be started after them.
    pub(crate) fn stop(&self) {
        self.stop.stop();
    }

    /// Looks at partitions of datasets that say how they are observed. A deep look asks whatever is known.
    pub(crate) fn look(&self, state: &State, sets: &[(DatasetIx, PartitionSet)], deep: bool) -> Sightings {
        let graph = state.graph();
        let silences: Vec<Silence> = sets.iter().map(|_| Silence::default()).collect();
        let mut found = Vec::new();
        let mut questions = Vec::new();
        for ((ix, set), silence) in sets.iter().zip(&silences) {
            let dataset = graph.dataset(*ix);
            let Some(observe) = &dataset.observe else { continue };
            let way = hash64(&format!("{observe:?}"));
            let mut keys = Vec::new();
            for key in set.iter() {
                match self.recall(way, &dataset.partition_text(&key, state.symbols())).filter(|_| !deep) {
                    Some(answer) => found.push((*ix, key, said(answer))),
                    None => keys.push(key),
                }
            }
            let size = if matches!(observe, Observe::Program(_)) { CHUNK } else { 1 };
            questions.extend(keys.chunks(size).map(|keys| {
                let keys = keys.to_vec();
                Question { ix: *ix, dataset, observe, keys, way, silence }
            }));
        }
        // What takes longest first.
        questions.sort_by_key(|question| !matches!(question.observe, Observe::Program(_)));
        let next = AtomicUsize::new(0);
        let answers = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..SIDE_BY_SIDE.min(questions.len()) {
                scope.spawn(|| {
                    while let Some(question) = questions.get(next.fetch_add(1, Ordering::SeqCst)) {
                        let looks = self.ask(state, question, deep);
                        let all = question.keys.iter().zip(looks);
                        let all = all.map(|(key, look)| (question.ix, key.clone(), look));
                        answers.lock().unwrap_or_else(PoisonError::into_inner).extend(all);
                    }
                });
            }
        });
        found.extend(answers.into_inner().unwrap_or_else(PoisonError::into_inner));
        found.sort_by(|(ix, key, _), (other, other_key, _)| (ix, key).cmp(&(other, other_key)));
        sort_out(state, found)
    }

    fn ask(&self, state: &State, question: &Question<'_>, deep: bool) -> Vec<Look> {
        let Question { dataset, observe, keys, way, silence, .. } = question;
        if let Some(message) = silence.given_up() {
            return keys.iter().map(|_| silent(message.clone())).collect();
        }
        let answers: Vec<Result<Answer, String>> = match observe {
            Observe::Glob { .. } => {
                let key = &keys[0];
                let facts = state.dataset(question.ix);
                let entry = facts.entries.get(key).filter(|_| facts.present.contains(key) && !deep);
                let known = entry.map(|entry| StatMark(entry.mark));
                let pattern = dataset.partition_pattern(key, state.symbols()).unwrap_or_default();
                return vec![publish::look_matching(&self.workspace, &pattern, known)];
            }
            Observe::Http { timeout, .. } => {
                let url = dataset.partition_url(&keys[0], state.symbols()).unwrap_or_default();
                vec![self.http.look(&url, *timeout).map_err(|error| {
                    if error.is_silence() {
                        silence.note(1, &error.to_string());
                    }
                    error.to_string()
                })]
            }
            Observe::Program(observer) => match self.run(state, question, observer) {
                Ok(said) => said,
                Err(message) => {
                    // The next thousand would fare no better.
                    silence.note(MOST_SILENCE, &message);
                    keys.iter().map(|_| Err(message.clone())).collect()
                }
            },
        };
        for (key, answer) in keys.iter().zip(&answers) {
            if let Ok(answer) = answer {
                self.remember(*way, &dataset.partition_text(key, state.symbols()), answer, observe.every());
            }
        }
        answers.into_iter().map(|answer| answer.map_or_else(silent, said)).collect()
    }

    /// Runs an observer: an answer for each partition, or why there is none.
    fn run(
        &self,
        state: &State,
        question: &Question<'_>,
        observer: &Observer,
    ) -> Result<Vec<Result<Answer, String>>, String> {
        let label = &observer.label;
        let Question { dataset, keys, .. } = question;
        let code =
            observer.program.code.parse().map_err(|_| format!("the graph has no code digest for {label}"))?;
        let found = self.snapshots.intact(&code).map_err(|error| format!("{label}: {error}"))?;
        let snapshot = found.ok_or_else(|| {
            format!("the code snapshot of {label} is gone from the cache; run `bazel run //:databuild -- deploy` to store it again")
        })?;
        let partitions: Vec<String> =
            keys.iter().map(|key| dataset.partition_text(key, state.symbols())).collect();
        let asked = partitions.iter().zip(keys).map(|(partition, key)| Asked {
            partition: partition.clone(),
            keys: dataset.key_texts(key, state.symbols()).into_iter().collect(),
        });
        let request = Request { format: FORMAT, dataset: &dataset.name, partitions: asked.collect() };
        let request = serde_json::to_string(&request).map_err(|error| format!("{label}: {error}"))?;
        let args = observer.program.args.iter().map(|arg| arg.render(|_, _| None));
        let args: Vec<String> = args.collect::<Result<_, _>>().map_err(|hole| format!("{label}: {hole}"))?;
        let number = self.processes.fetch_add(1, Ordering::SeqCst);
        let order = Order {
            program: &snapshot.file(&observer.program.executable),
            args: &args,
            env: &self.environment(observer, &snapshot.runfiles().to_string_lossy()),
            cwd: &self.workspace,
            request: &request,
            folder: &self.folder.join(number.to_string()),
            limit: observer.program.timeout.unwrap_or(LONGEST_WAIT),
            stop: &self.stop,
        };
        let said = observe::run(&order).map_err(|error| format!("{label}: {error}"))?;
        let answers = observation::parse(&said, &partitions).map_err(|error| format!("{label}: {error}"))?;
        let silent = || {
            format!(
                "{label}: it says nothing of some partitions; write one line for each that it is asked about"
            )
        };
        let answer = |said: Option<Said>| match said {
            Some(Said::Version(version)) => Ok(Answer::Version(version)),
            Some(Said::Absent) => Ok(Answer::Absent),
            None => Err(silent()),
        };
        Ok(answers.into_iter().map(answer).collect())
    }

    fn environment(&self, observer: &Observer, runfiles: &str) -> Vec<(String, EnvValue)> {
        let mut env = usable(&self.base_env);
        let inherited = Inherited::load(&self.inherited);
        for name in &observer.program.env_inherit {
            env.extend(inherited.get(name).map(|value| (name.clone(), value)));
        }
        env.extend(observer.program.env.iter().map(|(name, value)| (name.clone(), value.as_str().into())));
        env.extend(runfiles_environment(runfiles).map(|(name, value)| (name, value.into())));
        env.into_iter().collect()
    }

    fn recall(&self, way: u64, partition: &str) -> Option<Answer> {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let known = remembered.get(&mix(way, hash64(partition)))?;
        (known.until > Instant::now()).then(|| known.answer.clone())
    }

    fn remember(&self, way: u64, partition: &str, answer: &Answer, every: Duration) {
        if every.is_zero() {
            return;
        }
        let now = Instant::now();
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if remembered.len() >= MOST_REMEMBERED {
            remembered.retain(|_, known| known.until > now);
        }
        let known = Remembered { until: now + every, answer: answer.clone() };
        remembered.insert(mix(way, hash64(partition)), known);
    }
}

/// What an answer says.
fn said(answer: Answer) -> Look {
    match answer {
        Answer::Version(version) => Look::Present { version, mark: 0, bytes: 0 },
        Answer::Absent => Look::Absent,
    }
}

/// There is no answer.
fn silent(message: String) -> Look {
    Look::Unknown(Blind { kind: Blindness::Unreadable, message })
}

/// What differs from the state, and what is not known, by dataset and reason.
fn sort_out(state: &State, found: Vec<(DatasetIx, PartitionKey, Look)>) -> Sightings {
    let mut seen = Vec::new();
    let mut blanks = Blanks::default();
    for (dataset, key, look) in found {
        let facts = state.dataset(dataset);
        let here = facts.present.contains(&key);
        match look {
            Look::Untouched => {}
            Look::Absent if here => seen.push(Sighting::Gone(dataset, key)),
            Look::Absent => {}
            Look::Present { version, mark, .. } => {
                let entry = facts.entries.get(&key).filter(|_| here);
                if entry.is_none_or(|entry| entry.version != hash64(&version) || entry.mark != mark) {
                    seen.push(Sighting::Content { dataset, key, version, mark });
                }
            }
            Look::Unknown(blind) => blanks.add(state, dataset, &key, blind),
        }
    }
    Sightings { graph: Some(state.registered().id.clone()), seen, unseen: blanks.unseen(state) }
}
