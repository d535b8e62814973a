//! One life of a server.

use super::door::{Door, UnixSocket};
use super::entrance::Entrance;
use super::http;
use super::options::{job_environment, store_root, Beyond, ServeOptions};
use super::tls::{acceptor, TlsError};
use super::traces;
use crate::app::server::due;
use crate::app::{write_roots, Backend, Place, Setup};
use crate::daemon::{
    network_filesystem, DaemonError, IdleClock, IdleDecision, Ownership, Publication, ReadyPipe, RuntimeDir,
    RuntimeDirError, ServerGuard, StateDir, Token, Work, PREDECESSOR_WAIT,
};
use crate::engine::{Engine, EngineConfig, EngineError, Handle, READING_THREADS};
use crate::executor::{Connect, Local};
use crate::os::{raise_open_files, restore_open_files, Deadline};
use crate::runner::{ConnectOptions, RunnerClient, RunnerError};
use crate::server::{router, App, Guard, Lanes, Requests, Sessions, Shared, MOST_READERS, THREADS};
use crate::snapshot;
use crate::store::{Archiver, Reader, SqliteLog, StoreError};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

/// Version of what client and server say to each other.
pub const PROTOCOL: u32 = 1;
/// How often the server looks whether it is still the server, and whether it idles.
const LOOK: Duration = Duration::from_secs(2);
/// How long requests under way may take when the server goes down.
const GOODBYE: Duration = Duration::from_secs(5);

/// Why a server could not serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Its state folder or lock.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// Its runtime folder.
    #[error(transparent)]
    Runtime(#[from] RuntimeDirError),
    /// Its log.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its code store.
    #[error(transparent)]
    Snapshot(#[from] snapshot::SnapshotError),
    /// Its engine.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// Its port.
    #[error("cannot listen on {address}: {error}; choose another port, or 0 for a free one")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        error: std::io::Error,
    },
    /// Its certificates.
    #[error("the certificates for `bind` cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// Its socket.
    #[error("cannot listen on {}: {error}", .path.display())]
    Socket {
        /// The socket's file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// Anything else of the system.
    #[error("{0}")]
    System(String),
    /// The engine ended by itself.
    #[error("the server cannot go on: {0}")]
    Failed(String),
}

impl ServeError {
    /// Stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            ServeError::Daemon(error) => error.code(),
            ServeError::Runtime(error) => error.code(),
            ServeError::Store(error) => error.code(),
            ServeError::Engine(EngineError::Replay(error)) => error.code(),
            ServeError::Snapshot(error) => error.code(),
            ServeError::Engine(EngineError::Thread(_)) => "serve_failed",
            ServeError::Listen { .. } => "port_unusable",
            ServeError::Tls(_) => "tls_unusable",
            ServeError::System(_) | ServeError::Socket { .. } => "serve_failed",
            ServeError::Failed(_) => "engine_stopped",
        }
    }
}

/// Why a server goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Leave {
    /// Asked, by signal or request.
    Asked { jobs: bool },
    /// Nobody needs it.
    Idle,
    /// It is not this workspace's server any more.
    Lost,
    /// The engine ended.
    Failed,
}

/// Serves until told to stop.
///
/// # Errors
/// It could not start, or the log failed.
pub fn serve(state: &StateDir, options: &ServeOptions, ready: Option<ReadyPipe>) -> Result<(), ServeError> {
    match start_and_serve(state, options, ready) {
        Ok(()) => Ok(()),
        Err((error, ready)) => {
            if let Some(ready) = ready {
                // The client shows the message under this code.
                ready.failed(&format!("[{}] {error}", error.code()));
            }
            Err(error)
        }
    }
}

fn start_and_serve(
    state: &StateDir,
    options: &ServeOptions,
    ready: Option<ReadyPipe>,
) -> Result<(), (ServeError, Option<ReadyPipe>)> {
    let system = |error: std::io::Error| ServeError::System(error.to_string());
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return Err((system(error), ready)),
        };
    let mut server = match runtime.block_on(Server::start(state, options)) {
        Ok(server) => server,
        Err(error) => return Err((error, ready)),
    };
    if let Some(ready) = ready {
        ready.ready();
    }
    tracing::info!(address = %server.address, pid = std::process::id(), "listening");
    let (leave, connections) = runtime.block_on(server.serve_until_told(options));
    tracing::info!(?leave, "going down");
    // An idle server has no jobs, and its runner nothing to wait for.
    let jobs = options.private || matches!(leave, Leave::Lost | Leave::Idle | Leave::Asked { jobs: true });
    // Before requests under way have ended: however long those take, no job begins meanwhile.
    let stopped = server.engine.stop(jobs);
    let goodbye = Deadline::after(GOODBYE);
    let ended = async { tokio::time::timeout(GOODBYE, connections).await };
    let _ = runtime.block_on(ended);
    runtime.shutdown_timeout(goodbye.remaining());
    // The lock is still held.
    RuntimeDir::remove_if_empty(&server.app.backend.runtime_dir);
    match stopped {
        Ok(()) => {
            tracing::info!("shutdown complete");
            Ok(())
        }
        Err(reason) => Err((ServeError::Failed(reason), None)),
    }
}

/// Who sends traces of what comes from now on, if they are to go anywhere.
fn sender_of_traces(state: &StateDir, options: &ServeOptions, engine: &Engine) -> Option<traces::Sender> {
    let endpoint = options.otlp_endpoint.as_ref()?;
    let workspace = state.workspace().path().display().to_string();
    let begin = engine.handle().snapshot().state.seq();
    Some(traces::Sender::new(endpoint, workspace, Reader::new(&state.database(), 1), begin))
}

/// What requests to this server are held against.
fn guard_of(state: &StateDir, token: &Token, address: SocketAddr, options: &ServeOptions) -> Guard {
    Guard {
        sessions: Arc::new(Sessions::new(token.clone(), &state.path().to_string_lossy())),
        token: token.clone(),
        address,
        hosts: options.beyond.as_ref().map(|beyond| beyond.hosts.clone()).unwrap_or_default(),
        allowed_origins: options.allowed_origins.clone(),
    }
}

struct Server {
    guard: ServerGuard,
    engine: Engine,
    app: App,
    /// Ends when the connections have, once it is told to.
    serving: Option<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    address: SocketAddr,
    told: mpsc::UnboundedReceiver<bool>,
    /// Sends traces, if somebody collects them.
    traces: Option<traces::Sender>,
}

impl Server {
    async fn start(state: &StateDir, options: &ServeOptions) -> Result<Server, ServeError> {
        let descriptors = raise_open_files();
        let mut guard = ServerGuard::acquire(state, &Deadline::after(PREDECESSOR_WAIT))?;
        warn_of_network(state);
        let listener = listen(state, options).await?;
        let address = listener.local_addr().map_err(|error| ServeError::System(error.to_string()))?;
        // Whoever asks while the log is replayed is told so.
        let (entrance, (stop, stopped)) = (Entrance::new(), watch::channel(false));
        let most = http::most_connections(descriptors);
        let by_port =
            http::serve(Door::Port(listener), entrance.clone(), most, http::PATIENCE, stopped.clone());
        let by_port = tokio::spawn(by_port);
        let beyond = match &options.beyond {
            Some(beyond) => {
                let door = beyond_this_machine(beyond).await?;
                Some(tokio::spawn(http::serve(door, entrance.clone(), most, http::PATIENCE, stopped.clone())))
            }
            None => None,
        };

        let snapshots = Arc::new(snapshot::Store::open(store_root().map_err(ServeError::System)?)?);
        let log = SqliteLog::open(&state.database())?;
        guard.watch(SqliteLog::files(&state.database()));
        let reader = Arc::new(Reader::new(&state.database(), READING_THREADS));
        // Requests read with others, so that none of them keeps the engine waiting.
        let of_requests = Arc::new(Reader::new(&state.database(), MOST_READERS));
        let program = std::env::current_exe().map_err(|error| ServeError::System(error.to_string()))?;
        let runtime_dir = RuntimeDir::create(state)?;
        let socket = runtime_dir.socket("api.sock")?;
        let door =
            UnixSocket::bind(&socket).map_err(|error| ServeError::Socket { path: socket.clone(), error })?;
        let by_socket = http::serve(Door::Socket(door), entrance.clone(), most, http::PATIENCE, stopped);
        let by_socket = tokio::spawn(by_socket);
        let serving = tokio::spawn(all_closed([Some(by_port), Some(by_socket), beyond]));
        let base_env = job_environment();
        let temporary_dir = base_env.iter().find(|(name, _)| name == "TMPDIR");
        let temporary_dir = temporary_dir.map(|(_, value)| value.clone());
        // Only one server lives at a time, so the commands that wanted these have ended.
        let close = super::private::left_over(&*reader)?;
        let engine = Engine::start(EngineConfig {
            workspace: state.workspace().path().to_owned(),
            state: state.path().to_owned(),
            staging: state.staging(),
            observers: state.observers(),
            inherited: state.inherited(),
            snapshots: Arc::clone(&snapshots),
            log: Box::new(log),
            reader,
            archiver: Arc::new(Archiver::new(&state.database())),
            base_env,
            slots: options.slots,
            memory: super::memory(),
            traced: options.otlp_endpoint.is_some(),
            fires: !options.private,
            executor: Arc::new(Local::new(
                state.spool(),
                connect_runner(state, &runtime_dir, &program, options.private)?,
            )),
            close,
        })?;

        let lanes = Lanes::start().map_err(|error| ServeError::System(error.to_string()))?;
        let token = Token::of_owner(state)
            .map_err(|error| ServeError::System(format!("{}: {error}", state.token().display())))?;
        let binary = snapshots.binary_digest(&program);
        let (shutdown, told) = mpsc::unbounded_channel();
        if options.private {
            super::private::watch(shutdown.clone()).map_err(|error| ServeError::System(error.to_string()))?;
        }
        let place = Place {
            snapshots,
            binary,
            staging: state.staging(),
            runtime_dir: runtime_dir.path().to_owned(),
            temporary_dir,
            home: home_of(state),
            keep_logs: options.keep_logs,
            started_at: crate::os::now(),
            watched: Arc::default(),
            setup: Arc::new(setup(state, options)),
            registrations: Arc::default(),
            standings: Arc::default(),
            kept_plans: Arc::default(),
        };
        let shared = Shared {
            owner: crate::os::user().into(),
            guard: Arc::new(guard_of(state, &token, address, options)),
            last_request_ms: Arc::new(AtomicI64::new(0)),
            draining: Arc::default(),
            shutdown,
            reader: of_requests,
            lanes: Arc::new(lanes),
            requests: Requests::default(),
            stream: Arc::default(),
            flights: Arc::default(),
        };
        let backend =
            Backend { engine: engine.handle(), audience: Default::default(), place: Arc::new(place) };
        let app = App { backend, shared: Arc::new(shared) };
        write_roots(&app.backend)?;
        entrance.let_in(router(app.clone()));
        guard.publish_info(Publication {
            address,
            socket: Some(socket),
            token,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            binary_sha256: binary.map(|digest| digest.to_string()).unwrap_or_default(),
            protocol: PROTOCOL,
            code_store: app.backend.snapshots.root().to_owned(),
        })?;
        let traces = sender_of_traces(state, options, &engine);
        Ok(Server { guard, engine, app, serving: Some(serving), stop, address, told, traces })
    }

    /// Serves until it is to go. Returns why, and what ends when the connections have: nothing is taken any more, and who
    /// waits for something to happen is answered.
    async fn serve_until_told(&mut self, options: &ServeOptions) -> (Leave, JoinHandle<()>) {
        let Some(serving) = self.serving.take() else { return (Leave::Failed, tokio::spawn(async {})) };
        if let Some(traces) = self.traces.take() {
            tokio::spawn(traces.run(self.engine.handle().watch(), self.stop.subscribe()));
        }
        let archiving =
            tokio::spawn(super::retention::keep_events(self.engine.handle(), options.keep_events));
        let leave = self.wait(options.idle_timeout).await;
        self.app.draining.store(true, Ordering::Relaxed);
        archiving.abort();
        if options.private {
            super::private::close_wants(&self.engine.handle(), &*self.app.reader).await;
        }
        let _ = self.stop.send(true);
        (leave, serving)
    }

    async fn wait(&mut self, idle: Option<Duration>) -> Leave {
        let mut clock = IdleClock::new(Instant::now(), idle);
        let mut look = tokio::time::interval(LOOK);
        let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
        else {
            return Leave::Failed;
        };
        loop {
            tokio::select! {
                _ = term.recv() => return Leave::Asked { jobs: false },
                _ = int.recv() => return Leave::Asked { jobs: false },
                jobs = self.told.recv() => return Leave::Asked { jobs: jobs.unwrap_or(false) },
                _ = look.tick() => {
                    if self.engine.has_failed() {
                        return Leave::Failed;
                    }
                    if let Ownership::Lost(reason) = self.guard.still_mine() {
                        tracing::error!(%reason, "this is not the workspace's server any more; stopping its jobs");
                        return Leave::Lost;
                    }
                    if clock.decide(Instant::now(), self.last_request(), self.work()) == IdleDecision::ShutDown {
                        return Leave::Idle;
                    }
                }
            }
        }
    }

    fn last_request(&self) -> Option<Instant> {
        let at = self.app.last_request_ms.load(Ordering::Relaxed);
        let ago = u64::try_from(crate::os::now().as_millisecond().saturating_sub(at)).ok()?;
        (at > 0).then(|| Instant::now().checked_sub(Duration::from_millis(ago))).flatten()
    }

    fn work(&self) -> Work {
        let handle: Handle = self.engine.handle();
        let snapshot = handle.snapshot();
        Work {
            live_runs: snapshot.state.runs().len(),
            due_wants: due(&snapshot.state),
            schedules: snapshot.state.schedules().due().count(),
        }
    }
}

/// Ends when no door lets anybody in any more.
async fn all_closed(doors: [Option<JoinHandle<()>>; 3]) {
    for door in doors.into_iter().flatten() {
        let _ = door.await;
    }
}

/// Listens where the settings say. Without a port of somebody's choice, the one that the last server had is taken again if it is
/// free, so that pages and programs that know it find this server; the server of a command takes any.
async fn listen(state: &StateDir, options: &ServeOptions) -> Result<TcpListener, ServeError> {
    let bind = |port| {
        let address = SocketAddr::from((options.host, port));
        async move { TcpListener::bind(address).await.map_err(|error| ServeError::Listen { address, error }) }
    };
    if options.port != 0 || options.private {
        return bind(options.port).await;
    }
    if let Some(last) = state.last_port() {
        match bind(last).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                tracing::info!(%error, "the port of the last server is not free; another one is taken")
            }
        }
    }
    let listener = bind(0).await?;
    let port = listener.local_addr().map(|address| address.port());
    if let Err(error) = port.and_then(|port| state.remember_port(port)) {
        tracing::warn!(%error, "the port cannot be remembered; the next server may have another one");
    }
    Ok(listener)
}

/// Listens for other machines.
async fn beyond_this_machine(beyond: &Beyond) -> Result<Door, ServeError> {
    let Beyond { address, proxy, tls, .. } = beyond;
    let tls = tls.as_ref().map(|(certificates, key)| acceptor(certificates, key)).transpose()?;
    let listener =
        TcpListener::bind(address).await.map_err(|error| ServeError::Listen { address: *address, error })?;
    tracing::info!(%address, tls = tls.is_some(), "listening for other machines");
    Ok(Door::Beyond { listener, proxy: *proxy, tls })
}

/// SQLite's locks do not reach over networks.
fn warn_of_network(state: &StateDir) {
    if let Ok(Some(kind)) = network_filesystem(state.path()) {
        tracing::warn!(kind, path = %state.path().display(), "the state folder is on a network file system, where SQLite is not safe");
    }
}

/// What who looks at the server is told of its start.
fn setup(state: &StateDir, options: &ServeOptions) -> Setup {
    let log = SqliteLog::files(&state.database()).to_vec();
    let archives = SqliteLog::archives(&state.database());
    let mut kinds = vec![("log", log), ("archives", vec![archives.clone()])];
    kinds.extend(state.kinds());
    Setup {
        settings: options.settings.clone(),
        only_deploy: options.only_deploy,
        idle_timeout: options.idle_timeout,
        state_dir: state.path().to_owned(),
        kinds,
        archives,
        log_format: SqliteLog::format(),
    }
}

/// Whose code the code store keeps. A workspace may have several state folders, each with work of its own.
fn home_of(state: &StateDir) -> PathBuf {
    let workspace = state.workspace();
    if workspace.has_usual_state_dir() { workspace.path() } else { state.path() }.to_owned()
}

/// How the runner is found or started: the same program, on a socket in the runtime folder.
fn connect_runner(
    state: &StateDir,
    runtime_dir: &RuntimeDir,
    program: &Path,
    private: bool,
) -> Result<Connect, ServeError> {
    let socket = runtime_dir.socket("runner.sock")?;
    let server = format!("databuild {} (pid {})", env!("CARGO_PKG_VERSION"), std::process::id());
    let options = ConnectOptions { private, ..ConnectOptions::new(state.spool(), &socket, server) };
    let (program, spool) = (program.to_owned(), state.spool());
    let state = state.clone();
    Ok(Box::new(move |events| {
        // A runner that went with the state folder must not be followed by one that makes the folder anew.
        let now = StateDir::open(state.workspace()).ok().flatten();
        if now.map(|now| now.id()) != Some(state.id()) {
            return Err(RunnerError::FolderGone(spool.clone()));
        }
        RunnerClient::connect_or_start(&options, events, || {
            let mut command = Command::new(&program);
            command.arg("runner").arg("--spool").arg(&spool).arg("--socket").arg(&socket);
            // SAFETY: `restore_open_files` makes one system call.
            unsafe { command.pre_exec(restore_open_files) };
            if private {
                command.arg("--private");
            }
            command
        })
    }))
}
