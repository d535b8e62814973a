//! Starting and stopping an engine: replay, reconnect, resume.

use super::attempt::inherited::Inherited;
use super::attempt::staging::Staging;
use super::courier::Courier;
use super::handle::{Handle, Parts, MOST_COMMANDS};
use super::history::{History, Told};
use super::looks::observers::Observers;
use super::looks::ownership::{self, Claim};
use super::message::{Command, Message, PublishOrder};
use super::metrics::Watch;
use super::orchestrator::{Ended, Late, Orchestrator};
use super::outcomes::examiner::{Examinations, Examiner};
use super::outcomes::publisher;
use super::pace::Pace;
use super::perform::{Link, Performer};
use super::records::keeper::Keeper;
use super::records::replay::{self, ReplayError};
use super::shared::{Shared, Snapshot};
use super::starts::starter::{self, Orders, Starter, ASKERS};
use crate::executor::Executor;
use crate::publish::Reserved;
use crate::snapshot;
use crate::store::{Archiver, EventLog, Reader};
use arc_swap::ArcSwap;
use databuild_core::decide::{Core, Input};
use databuild_core::event::{Origin, Refresh};
use databuild_core::ids::{AttemptId, WantId};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;
use tokio::sync::Semaphore;

/// Threads of an engine that read the history: the starter, the askers and the publisher.
pub const READING_THREADS: usize = ASKERS + 2;

/// Where an engine works.
pub struct EngineConfig {
    /// The workspace.
    pub workspace: PathBuf,
    /// The state folder, where no output may be.
    pub state: PathBuf,
    /// Where outputs wait for publication.
    pub staging: PathBuf,
    /// Where observers find their requests.
    pub observers: PathBuf,
    /// The file with inherited environment values.
    pub inherited: PathBuf,
    /// Code snapshots.
    pub snapshots: Arc<snapshot::Store>,
    /// The event log, opened for writing.
    pub log: Box<dyn EventLog>,
    /// The same, for reading.
    pub reader: Arc<Reader>,
    /// The same, for archiving.
    pub archiver: Arc<Archiver>,
    /// Environment that every job gets.
    pub base_env: Vec<(String, String)>,
    /// Attempts that may run at once.
    pub slots: usize,
    /// Bytes of memory that runs may take together; not counted if none.
    pub memory: Option<u64>,
    /// Runs attempts.
    pub executor: Arc<dyn Executor>,
    /// Jobs are told of which trace they are a part.
    pub traced: bool,
    /// Schedules fire.
    pub fires: bool,
    /// Wants that are to be canceled before anything begins.
    pub close: Vec<WantId>,
}

/// An engine that cannot start.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The log.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// A thread.
    #[error("no thread can be started: {0}")]
    Thread(#[from] std::io::Error),
}

/// A running engine.
pub struct Engine {
    handle: Handle,
    loop_thread: JoinHandle<Ended>,
    workers: Vec<JoinHandle<()>>,
    courier: JoinHandle<()>,
    examinations: Examinations,
}

impl Engine {
    /// Replays the log, finds the executor, resumes what was under way and starts the loop.
    ///
    /// # Errors
    /// The log cannot be read or replayed.
    pub fn start(config: EngineConfig) -> Result<Engine, EngineError> {
        let began = Instant::now();
        let mut core = Core::new(config.slots);
        let (state, base) = replay::load(config.log.as_ref())?;
        core.state = state;
        core.memory = config.memory;
        core.fires = config.fires;
        let (inbox, messages) = mpsc::channel();
        let (examine_send, examine_receive) = mpsc::channel();
        let (publish_send, publish_receive) = mpsc::channel();
        let seq = core.state.seq().0;
        let shared = Arc::new(Shared {
            snapshot: ArcSwap::from_pointee(Snapshot::of(&core)),
            seq: tokio::sync::watch::channel(seq).0,
            metrics: Arc::default(),
        });
        let observers = Arc::new(Observers::new(
            config.workspace.clone(),
            config.observers,
            Arc::clone(&config.snapshots),
            config.base_env.clone(),
            config.inherited.clone(),
        )?);
        let staging = Arc::new(Staging::new(config.staging));
        let reserved = Arc::new(Reserved::new(&config.workspace, &config.state));
        // A crash came before this was cleared. Attempts that begin from now on are not among them.
        let live = core.state.runs().values().map(|run| run.attempt_id()).collect();
        for attempt in staging.left(&live) {
            let _ = publish_send.send(PublishOrder::Clear { attempt });
        }
        let (start_send, start_receive) = mpsc::channel();
        let (ask_send, ask_receive) = mpsc::channel();
        let inherited = Arc::new(Inherited::load(&config.inherited));
        let of_files = Arc::new(Starter {
            shared: Arc::clone(&shared),
            workspace: config.workspace.clone(),
            staging: Arc::clone(&staging),
            reserved: Arc::clone(&reserved),
            executor: Arc::clone(&config.executor),
            snapshots: config.snapshots,
            reader: Arc::clone(&config.reader),
            base_env: config.base_env.clone(),
            traced: config.traced,
            inherited: Arc::clone(&inherited),
            observers: Arc::clone(&observers),
        });
        let (order_send, order_receive) = mpsc::channel();
        let mut performer = Performer {
            workspace: config.workspace.clone(),
            staging: Arc::clone(&staging),
            inherited,
            observers: Arc::clone(&observers),
            orders: order_send,
            connection: 0,
            link: Link::Searching { gone: false },
            told_slots: None,
            inbox: inbox.clone(),
            publish: publish_send,
            start: start_send,
            starting: BTreeMap::new(),
            failed: BTreeSet::new(),
            ask: ask_send.clone(),
            examine: examine_send.clone(),
            examinations: Examinations::default(),
        };
        let of_courier = Arc::clone(&staging);
        let pace = Pace::default();
        let (of_examiner, of_publisher) = (pace.clone(), pace.clone());
        let mut workers = Vec::new();
        let looking = (Arc::clone(&shared), observers.clone());
        let again = looking.clone();
        let examiner = Examiner {
            snapshots: Arc::clone(&of_files.snapshots),
            executor: Arc::clone(&config.executor),
            workspace: config.workspace.clone(),
            shared: Arc::clone(&shared),
            to_loop: inbox.clone(),
            examinations: performer.examinations.clone(),
            look: Arc::new(move |partitions: &[String]| {
                let (shared, observers) = &looking;
                let state = databuild_core::state::State::clone(&shared.snapshot.load().state);
                let now = crate::os::now();
                // What is wrong with a reference is the core's to say.
                let look =
                    super::looks::files::look_at_files(state, partitions, Refresh::Stale, now, observers);
                look.ok().map(|look| look.sightings)
            }),
            look_again: Arc::new(move |partitions| {
                super::looks::files::look_at_named(&again.0.snapshot.load_full().state, partitions, &again.1)
            }),
        };
        workers.push(spawn("examiner", move || examiner.run(&examine_receive, &of_examiner))?);
        let asked = Orders::of(ask_receive);
        for _ in 0..ASKERS {
            let (of_remotes, asked) = (Arc::clone(&of_files), asked.clone());
            let (to_loop, examine) = (inbox.clone(), examine_send.clone());
            workers.push(spawn("asker", move || {
                starter::starter(&of_remotes, &asked, &to_loop, None, &examine);
            })?);
        }
        let (to_loop, starts) = (inbox.clone(), Orders::of(start_receive));
        workers.push(spawn("starter", move || {
            starter::starter(&of_files, &starts, &to_loop, Some(&ask_send), &examine_send);
        })?);
        let (to_loop, seen, reader) = (inbox.clone(), Arc::clone(&shared), config.reader);
        workers.push(spawn("publisher", move || {
            let guard = |attempt: AttemptId, claims: Vec<Claim<'_>>| {
                let state = &seen.snapshot.load_full().state;
                // What is published is on record.
                let history = History { reader: &reader, told: &Told::default() };
                match state.runs().get(&attempt.run) {
                    Some(run) => ownership::check(state, &run.graph, history, claims),
                    None => Ok(()),
                }
            };
            publisher::publisher(&staging, &reserved, &guard, &publish_receive, &to_loop, &of_publisher);
        })?);
        let examinations = performer.examinations.clone();
        let courier =
            Courier { executor: Arc::clone(&config.executor), staging: of_courier, inbox: inbox.clone() };
        // Until the executor is found nothing begins, and all else is answered: it may be stopped, or take its time to start.
        let hold = performer.look_for_executor(&core.state);
        // All of these are decided before anything is leased.
        let first = config.close.into_iter().map(Input::CancelWant).chain(hold).collect();
        let courier = spawn("courier", move || courier.run(&order_receive))?;
        let watch = Watch::new(Arc::clone(&shared.metrics), &core.state);
        let metrics = Arc::clone(&shared.metrics);
        let orchestrator = Orchestrator {
            core,
            log: config.log,
            keeper: Keeper::new(base, inbox.clone()),
            performer,
            shared: Arc::clone(&shared),
            pace,
            inbox: messages,
            postponed: first,
            late: Late::default(),
            turn: 0,
            waiting: VecDeque::new(),
            watch,
        };
        let parts = Parts {
            commands: Semaphore::new(MOST_COMMANDS),
            inbox: Mutex::new(inbox),
            shared,
            archiver: config.archiver,
            workspace: config.workspace,
            executor: config.executor,
            base_env: config.base_env.into(),
            observers,
        };
        let handle = Handle { origin: Origin::default(), key: None, parts: Arc::new(parts) };
        // What is postponed is decided, and on record, before anybody can ask for anything.
        let (tell, resumed) = mpsc::channel();
        let answer = Box::new(move |_| {
            // It is waited for below.
            let _ = tell.send(());
        });
        let tick =
            Command { input: Input::Tick, origin: Origin::default(), inherited: None, once: None, answer };
        handle.send(Message::Command(Box::new(tick))).ok();
        let loop_thread =
            std::thread::Builder::new().name("orchestrator".to_owned()).spawn(move || orchestrator.run())?;
        // A loop that ends at once says why when it is stopped.
        let _ = resumed.recv();
        metrics.recovered(began.elapsed());
        Ok(Engine { handle, loop_thread, workers, courier, examinations })
    }

    /// A handle for everybody else.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Finishes the step under way and stops. Running jobs go on under the runner, unless `jobs`.
    ///
    /// # Errors
    /// Why the loop had ended by itself, if it had.
    pub fn stop(self, jobs: bool) -> Result<(), String> {
        self.handle.observers.stop();
        // A loop that ended by itself says why below.
        let _ = self.handle.send(Message::Stop { jobs });
        let ended = self.loop_thread.join().map_err(|_| "the orchestrator panicked".to_owned())?;
        // With the loop gone nobody takes these for canceled; the next server examines them again.
        self.examinations.cancel_all();
        // It carries out what it was told, the order to stop jobs at last.
        self.courier.join().map_err(|_| "the courier panicked".to_owned())?;
        drop(self.workers);
        match ended {
            Ended::Stopped => Ok(()),
            Ended::Failed(reason) => Err(reason),
        }
    }

    /// Whether the loop has ended by itself.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.loop_thread.is_finished()
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work)
}
