//! How everything outside the loop talks to it.

use super::looks::files::FileLook;
use super::looks::observers::Observers;
use super::message::{Command, CommandError, Message, Once};
use super::metrics::Metrics;
use super::shared::{Shared, Snapshot};
use crate::executor::{Executor, MemoryLimits};
use crate::os::EnvValue;
use crate::publish;
use crate::store::{Archiver, Batch, Blob, EventLog};
use databuild_core::decide::{
    self, ApplyRequest, Core, Impact, Input, InvokeRequest, Judgement, Leave, Left, PlanRequest, Refusal,
    Reply, Sightings, TrialRequest, WantRequest,
};
use databuild_core::event::{
    GraphRegistered, Grounds, KeptAnswer, Origin, PlanCreated, Refresh, RequestAnswered, RequestKey,
};
use databuild_core::graph::{CheckedGraph, DatasetIx, Graph, Registered};
use databuild_core::ids::{GraphId, PlanId, RunId, Seq, TrialId, WantId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::planner::{self, Plan};
use databuild_core::state::{Made, State};
use databuild_core::symbols::Symbols;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::future::Future;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex};
use tokio::sync::{oneshot, watch, Semaphore};

/// So often files are looked at for one request while others register graphs.
pub(super) const MOST_LOOKS: u32 = 5;

/// Refuses absolute paths that lead into the workspace: the graph check holds them against absolute paths alone, so that
/// one place could be two datasets'.
fn check_places(graph: &Graph, workspace: &Path) -> Result<(), String> {
    let own = publish::resolved(workspace);
    for (_, dataset) in graph.datasets() {
        let Some(text) = dataset.path_text.as_deref().filter(|text| text.starts_with('/')) else { continue };
        let literal = text.split('{').next().unwrap_or(text);
        let folder = literal.rfind('/').map_or("/", |end| &literal[..=end]);
        if publish::resolved(Path::new(folder)).starts_with(&own) {
            return Err(format!(
                "the absolute path `{text}` leads into the workspace; write it relative to the workspace, so that the \
                 place has one name ({})",
                dataset.label
            ));
        }
    }
    Ok(())
}

/// What a graph would make stale.
pub struct Foreseen {
    /// By dataset.
    pub datasets: BTreeMap<String, Impact>,
    /// What the wants that were named have left to do, and would have.
    pub left: BTreeMap<WantId, (Left, Left)>,
    /// The graph.
    pub head: Arc<Registered>,
    /// The last event that this reflects.
    pub seq: u64,
}

/// A cheap handle to a running engine: each request has its own.
#[derive(Clone)]
pub struct Handle {
    /// For whom commands are carried out.
    pub(super) origin: Origin,
    /// The name of the request for which they are, if it has one.
    pub(super) key: Option<RequestKey>,
    pub(super) parts: Arc<Parts>,
}

/// What all handles share.
pub struct Parts {
    /// For commands that wait for their answers: the queue has an end.
    pub(super) commands: Semaphore,
    pub(super) inbox: Mutex<Sender<Message>>,
    pub(super) shared: Arc<Shared>,
    pub(super) archiver: Arc<Archiver>,
    pub(super) workspace: PathBuf,
    pub(super) executor: Arc<dyn Executor>,
    /// What every job has in its environment.
    pub(super) base_env: Arc<[(String, String)]>,
    pub(super) observers: Arc<Observers>,
}

impl Deref for Handle {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.parts
    }
}

/// Commands that wait for their answers at once, at most.
pub(super) const MOST_COMMANDS: usize = 100;

/// What a request made, such as a want.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created<T> {
    /// It.
    pub made: T,
    /// An earlier request with the same key made it.
    pub repeated: bool,
}

/// A graph to be registered, with what belongs to it.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The graph file.
    pub content: String,
    /// Digests of the jobs' source manifests, by label: contents that [`Handle::keep`] was given.
    pub sources: BTreeMap<String, String>,
    /// Values of all names in `env_inherit` of jobs and checks that the client has.
    pub inherited: BTreeMap<String, EnvValue>,
    /// What lets it change which graph new work follows.
    pub leave: Leave,
}

impl Handle {
    /// The same for somebody else: what is asked of it is done for them.
    #[must_use]
    pub fn on_behalf_of(&self, origin: Origin) -> Handle {
        Handle { origin, key: self.key.clone(), parts: Arc::clone(&self.parts) }
    }

    /// The same for a request that has this name: what is submitted once is done once for it, however often it is sent.
    #[must_use]
    pub fn under(&self, key: Option<RequestKey>) -> Handle {
        Handle { key, ..self.clone() }
    }

    /// The name of the request.
    #[must_use]
    pub fn key(&self) -> Option<&RequestKey> {
        self.key.as_ref()
    }

    /// The state after the last committed event.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.shared.snapshot.load_full()
    }

    /// Who holds attempts to the memory that their jobs declare.
    #[must_use]
    pub fn memory_limits(&self) -> MemoryLimits {
        self.executor.capabilities().memory.clone()
    }

    /// Tells the sequence number of each commit.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.shared.seq.subscribe()
    }

    /// What the loop measures of itself.
    #[must_use]
    pub fn metrics(&self) -> &Metrics {
        &self.shared.metrics
    }

    /// Commands that wait for their answers.
    #[must_use]
    pub fn waiting_commands(&self) -> usize {
        MOST_COMMANDS.saturating_sub(self.commands.available_permits())
    }

    /// As many of them as there is room for.
    #[must_use]
    pub fn most_commands(&self) -> usize {
        MOST_COMMANDS
    }

    /// Where the workspace is.
    #[must_use]
    pub fn workspace(&self) -> &std::path::Path {
        &self.workspace
    }

    /// Who runs attempts, and keeps their logs.
    #[must_use]
    pub fn executor(&self) -> &Arc<dyn Executor> {
        &self.executor
    }

    /// What every job has in its environment, beside what it declares.
    #[must_use]
    pub fn base_env(&self) -> &[(String, String)] {
        &self.base_env
    }

    /// Sends an input and waits until what came of it is durable.
    ///
    /// # Errors
    /// It was refused, or could not be recorded.
    pub async fn submit(&self, input: Input) -> Result<Reply, CommandError> {
        self.submit_with(input, None, None).await
    }

    /// The same, once for all requests with the name of this one, of which others get [`Reply::Repeated`]. What `told` makes of
    /// the reply and of the last event by then is recorded with it, as what they are told. Without a name it is submitted like
    /// anything else.
    ///
    /// # Errors
    /// As [`Handle::submit`]; or another request has the name.
    pub async fn submit_once(
        &self,
        input: Input,
        told: impl FnOnce(&Reply, Seq) -> Option<KeptAnswer> + Send + 'static,
    ) -> Result<Reply, CommandError> {
        let once = self.key.clone().map(|key| Once { key, told: Box::new(told) });
        self.submit_with(input, None, once).await
    }

    async fn submit_with(
        &self,
        input: Input,
        inherited: Option<BTreeMap<String, EnvValue>>,
        once: Option<Once>,
    ) -> Result<Reply, CommandError> {
        // Held until the answer is there.
        let _turn = self.commands.try_acquire().map_err(|_| CommandError::Busy)?;
        let (send, receive) = oneshot::channel();
        let answer = Box::new(move |reply| {
            // The client may have left; the decision stands.
            let _ = send.send(reply);
        });
        let origin = self.origin.clone();
        let message = Message::Command(Box::new(Command { input, origin, inherited, once, answer }));
        self.send(message)?;
        receive.await.map_err(|_| CommandError::ShuttingDown)?
    }

    /// Keeps contents that a graph is to name. Those that no graph names may go again at any time.
    ///
    /// # Errors
    /// They could not be written.
    pub async fn keep(&self, blobs: Vec<Blob>) -> Result<(), CommandError> {
        let _turn = self.commands.try_acquire().map_err(|_| CommandError::Busy)?;
        let (send, receive) = oneshot::channel();
        let keep = move |log: &mut dyn EventLog| {
            let kept = log.append(&Batch { records: Vec::new(), blobs });
            // The client may have left.
            let _ = send.send(kept.map(drop));
        };
        self.send(Message::Log(Box::new(keep)))?;
        Ok(receive.await.map_err(|_| CommandError::ShuttingDown)??)
    }

    pub(super) fn send(&self, message: Message) -> Result<(), CommandError> {
        let inbox = self.inbox.lock().map_err(|_| CommandError::ShuttingDown)?;
        inbox.send(message).map_err(|_| CommandError::ShuttingDown)
    }

    /// Registers a graph.
    ///
    /// # Errors
    /// The graph is invalid, or could not be recorded.
    pub async fn register(&self, registration: Registration) -> Result<(GraphId, bool), CommandError> {
        let workspace = self.workspace.clone();
        let state = Arc::clone(&self.snapshot().state);
        let read = tokio::task::spawn_blocking(move || read_registration(registration, &state, &workspace));
        let (read, inherited) = read.await??;
        let id = read.event.graph.clone();
        let once = self.key.clone().map(|key| Once { key, told: Box::new(|_, _| None) });
        match self.submit_with(Input::RegisterGraph(Box::new(read)), Some(inherited), once).await? {
            Reply::Registered { changed } => Ok((id, changed)),
            _ => Ok((id, false)),
        }
    }

    /// What a graph would make stale, and what it would leave to do for `wants`. Blocking; registers nothing.
    ///
    /// # Errors
    /// No graph is registered, or this one is invalid.
    pub fn impact(
        &self,
        content: String,
        inherited: &BTreeMap<String, EnvValue>,
        wants: &[WantId],
    ) -> Result<Foreseen, CommandError> {
        let state = Arc::clone(&self.snapshot().state);
        if state.followed().is_none() {
            return Err(Refusal::NoGraph.into());
        }
        let graph = Graph::parse(&content, &mut Symbols::new()).map_err(|problems| {
            Refusal::BadGraph(problems.first().map(ToString::to_string).unwrap_or_default())
        })?;
        let event = GraphRegistered {
            graph: GraphId::of(&content),
            content: content.into(),
            inherited: inherited_digests(&graph, inherited),
            sources: BTreeMap::new(),
        };
        let now = crate::os::now();
        let left = decide::left_under(&state, wants, event.clone(), now);
        let after =
            decide::under(&state, event, now).map_err(|error| Refusal::BadGraph(error.to_string()))?;
        let head = after.followed().cloned().ok_or(Refusal::NoGraph)?;
        let seen = super::looks::files::look_at_new(&after, state.registered(), &self.observers);
        let datasets = decide::impact(&state, after, seen, now);
        Ok(Foreseen { datasets, left, head, seq: state.seq().0 })
    }

    /// What the graph that new work follows made stale, held against one that was registered earlier: what is stale by now and
    /// would not be under that one. Blocking.
    ///
    /// # Errors
    /// No graph is registered, or that one cannot be followed any more.
    pub fn impact_since(&self, base: GraphRegistered) -> Result<Foreseen, CommandError> {
        let state = Arc::clone(&self.snapshot().state);
        let head = state.followed().cloned().ok_or(Refusal::NoGraph)?;
        let datasets = decide::impact_since(&state, base, crate::os::now())
            .map_err(|error| Refusal::BadGraph(error.to_string()))?;
        Ok(Foreseen { datasets, left: BTreeMap::new(), head, seq: state.seq().0 })
    }

    /// Looks at files, and submits what follows from what was seen. If another graph was registered meanwhile, it looks
    /// again: what was seen has the indices of the graph that was looked at, and the core refuses them.
    pub(super) async fn submit_seen<T: Send + 'static>(
        &self,
        look: impl Fn(&Handle) -> Result<(Sightings, T), CommandError> + Send + Sync + 'static,
        input: impl Fn(Sightings, &T) -> Input,
    ) -> Result<(Reply, T), CommandError> {
        self.seen(look, |seen, found| self.submit(input(seen, found))).await
    }

    /// The same as [`Handle::submit_once`].
    pub(super) async fn submit_seen_once<T: Send + 'static>(
        &self,
        look: impl Fn(&Handle) -> Result<(Sightings, T), CommandError> + Send + Sync + 'static,
        input: impl Fn(Sightings, &T) -> Input,
        told: impl Fn(&Reply, Seq) -> Option<KeptAnswer> + Clone + Send + 'static,
    ) -> Result<(Reply, T), CommandError> {
        self.seen(look, |seen, found| self.submit_once(input(seen, found), told.clone())).await
    }

    async fn seen<T: Send + 'static, S: Future<Output = Result<Reply, CommandError>>>(
        &self,
        look: impl Fn(&Handle) -> Result<(Sightings, T), CommandError> + Send + Sync + 'static,
        submit: impl Fn(Sightings, &T) -> S,
    ) -> Result<(Reply, T), CommandError> {
        let look = Arc::new(look);
        let mut tries = 0;
        loop {
            let (handle, looking) = (self.clone(), Arc::clone(&look));
            let (seen, found) = tokio::task::spawn_blocking(move || looking(&handle)).await??;
            tries += 1;
            match submit(seen, &found).await {
                Err(CommandError::Refused(Refusal::GraphReplaced(_))) if tries < MOST_LOOKS => {
                    tracing::info!("another graph was registered during a look; looking again");
                }
                result => return result.map(|reply| (reply, found)),
            }
        }
    }

    /// Creates a want, having looked at the files it is about.
    ///
    /// # Errors
    /// As [`Handle::submit`].
    pub async fn want(&self, mut request: WantRequest) -> Result<Created<WantId>, CommandError> {
        if let Some(known) = self.repeated(request.key.as_ref())? {
            return created(&known);
        }
        let look = looking_for(&mut request);
        let (reply, ()) = self.submit_seen(look, |seen, ()| Input::CreateWant(request.clone(), seen)).await?;
        created(&reply)
    }

    /// Wants what a schedule wants at its ticks, having looked at the files it is about.
    ///
    /// # Errors
    /// As [`Handle::submit`].
    pub async fn run_schedule(
        &self,
        name: String,
        key: Option<RequestKey>,
    ) -> Result<Created<WantId>, CommandError> {
        if let Some(known) = self.repeated(key.as_ref())? {
            return created(&known);
        }
        let wanted = name.clone();
        let look = move |handle: &Handle| {
            let snapshot = handle.snapshot();
            let graph = snapshot.state.followed().map(|registered| &registered.graph);
            let targets = graph.and_then(|graph| graph.schedule(&wanted)).map(|found| found.targets.clone());
            // Of a schedule that is not there the core says so.
            let looked = targets.map(|targets| handle.look(&targets, Refresh::Stale, crate::os::now()));
            Ok((looked.transpose()?.map(|look| look.sightings).unwrap_or_default(), ()))
        };
        let input = |seen, (): &()| Input::RunSchedule(name.clone(), key.clone(), seen);
        let (reply, ()) = self.submit_seen(look, input).await?;
        created(&reply)
    }

    /// Invokes a job by hand, having looked at the files that this is about.
    ///
    /// # Errors
    /// As [`Handle::submit`].
    pub async fn invoke(&self, mut request: InvokeRequest) -> Result<Created<WantId>, CommandError> {
        if let Some(known) = self.repeated(request.want.key.as_ref())? {
            return created(&known);
        }
        request.want.refresh = Refresh::All;
        let look = looking_for(&mut request.want);
        let (reply, ()) = self.submit_seen(look, |seen, ()| Input::Invoke(request.clone(), seen)).await?;
        created(&reply)
    }

    /// The answer to an earlier request with this key; then there is nothing to look at. The core asks again, since
    /// two may come at once.
    fn repeated(&self, key: Option<&RequestKey>) -> Result<Option<Reply>, CommandError> {
        Ok(decide::repeated(&self.snapshot().state, key, crate::os::now())?.map(Reply::Repeated))
    }

    /// Makes a plan that is kept if there is anything to do, having looked at the files it is about.
    /// Returns whether it is kept.
    ///
    /// # Errors
    /// As [`Handle::submit`]; or an earlier request with its key made the plan, and it is not kept any more.
    pub async fn save_plan(
        &self,
        mut request: PlanRequest,
    ) -> Result<(Created<PlanCreated>, bool), CommandError> {
        if let Some(known) = self.repeated(request.key.as_ref())? {
            return self.planned(known);
        }
        let now = crate::os::now();
        let as_of = request.as_of.map_or(now, |as_of| as_of.min(now));
        request.as_of = Some(as_of);
        let (targets, refresh) = (request.targets.clone(), request.refresh);
        let look =
            move |handle: &Handle| handle.look(&targets, refresh, as_of).map(|look| (look.sightings, ()));
        let (reply, ()) = self.submit_seen(look, |seen, ()| Input::CreatePlan(request.clone(), seen)).await?;
        self.planned(reply)
    }

    fn planned(&self, reply: Reply) -> Result<(Created<PlanCreated>, bool), CommandError> {
        match reply {
            Reply::Planned { plan, kept } => Ok((Created { made: *plan, repeated: false }, kept)),
            Reply::Repeated(Made::Plan(id)) => {
                let saved =
                    self.snapshot().state.plans().get(&id).cloned().ok_or(Refusal::UnknownPlan(id))?;
                Ok((Created { made: saved.plan.clone(), repeated: true }, true))
            }
            other => Err(CommandError::wrong_reply(&other)),
        }
    }

    /// The trial that an earlier request with this key made; then there is nothing to work out.
    ///
    /// # Errors
    /// That request asked for something else.
    pub fn repeated_trial(&self, key: Option<&RequestKey>) -> Result<Option<Created<TrialId>>, CommandError> {
        self.repeated(key)?.map(|known| created_trial(&known)).transpose()
    }

    /// Begins a trial.
    ///
    /// # Errors
    /// As [`Handle::submit`].
    pub async fn trial(&self, request: TrialRequest) -> Result<Created<TrialId>, CommandError> {
        created_trial(&self.submit(Input::CreateTrial(Box::new(request))).await?)
    }

    /// Creates a want that does what a plan says, having looked at the files it is about.
    ///
    /// # Errors
    /// As [`Handle::submit`]; and the plan is not there, expired or does not hold any more.
    pub async fn apply_plan(&self, request: ApplyRequest) -> Result<Created<WantId>, CommandError> {
        if let Some(known) = self.repeated(request.key.as_ref())? {
            return created(&known);
        }
        let id = request.plan;
        let look = move |handle: &Handle| {
            let saved = handle.snapshot().state.plans().get(&id).cloned();
            // Without the plan, or with targets that the graph does not have any more, the core says what is wrong.
            let seen = saved.filter(|saved| saved.plan.expires_at > crate::os::now()).and_then(|saved| {
                let plan = &saved.plan;
                handle.look(&plan.targets, plan.refresh, plan.as_of).ok()
            });
            Ok((seen.map(|look| look.sightings).unwrap_or_default(), ()))
        };
        let (reply, ()) = self.submit_seen(look, |seen, ()| Input::ApplyPlan(request.clone(), seen)).await?;
        created(&reply)
    }

    /// Declares data bad, having looked at its files.
    ///
    /// # Errors
    /// As [`Handle::submit`].
    pub async fn taint(
        &self,
        request: Judgement,
        told: impl Fn(&Reply, Seq) -> Option<KeptAnswer> + Clone + Send + 'static,
    ) -> Result<Reply, CommandError> {
        let targets = request.targets.clone();
        let look = move |handle: &Handle| {
            handle.look(&targets, Refresh::Missing, crate::os::now()).map(|look| (look.sightings, ()))
        };
        let taint = |seen, (): &()| Input::Taint(request.clone(), seen);
        let (reply, ()) = self.submit_seen_once(look, taint, told).await?;
        Ok(reply)
    }

    /// Plans without doing anything. Blocking: looks at files.
    ///
    /// # Errors
    /// A reference that cannot be resolved.
    pub fn plan(
        &self,
        targets: &[String],
        refresh: Refresh,
        as_of: Timestamp,
    ) -> Result<Planned, CommandError> {
        Ok(plan_after(self.look(targets, refresh, as_of)?, refresh, as_of)?)
    }

    /// Looks at the files that matter for partitions, and records what is not as the state says.
    ///
    /// # Errors
    /// As [`Handle::submit`]; or a reference cannot be resolved.
    pub async fn look_and_record(&self, targets: Vec<String>) -> Result<(), CommandError> {
        let look = move |handle: &Handle| {
            handle.look(&targets, Refresh::Stale, crate::os::now()).map(|look| (look.sightings, ()))
        };
        self.submit_seen(look, |seen, ()| Input::Sightings(seen)).await.map(|_| ())
    }

    pub(super) fn look(
        &self,
        targets: &[String],
        refresh: Refresh,
        as_of: Timestamp,
    ) -> Result<super::looks::files::FileLook, CommandError> {
        if self.snapshot().state.followed().is_none() {
            return Err(Refusal::NoGraph.into());
        }
        if targets.is_empty() {
            return Err(Refusal::NoTargets.into());
        }
        let state = State::clone(&self.snapshot().state);
        super::looks::files::look_at_files(state, targets, refresh, as_of, &self.observers)
            .map_err(CommandError::from)
    }

    /// Records what whoever sends this request again is told, where nothing of it was recorded yet.
    ///
    /// # Errors
    /// As [`Handle::submit`].
    pub async fn answered(&self, answer: Option<KeptAnswer>) -> Result<(), CommandError> {
        let Some(request) = self.key.clone() else { return Ok(()) };
        self.submit(Input::RequestAnswered(RequestAnswered { request, answer })).await.map(|_| ())
    }

    /// Stops a run.
    ///
    /// # Errors
    /// There is no such live run.
    pub async fn cancel_run(&self, run: RunId) -> Result<Reply, CommandError> {
        self.submit(Input::CancelRun(run)).await
    }
}

/// Plans after a look, as of the instant of the look. What was seen is folded into a copy; nothing is recorded.
fn plan_after(look: FileLook, refresh: Refresh, as_of: Timestamp) -> Result<Planned, Refusal> {
    let FileLook { state, targets, sightings } = look;
    let mut core = Core::new(1);
    core.state = state;
    core.held = true;
    core.step(Input::Sightings(sightings.clone()), crate::os::now()).reply?;
    core.state.read_as_of(as_of);
    let plan = planner::plan_despite(&mut core.state, &targets, refresh, &sightings.unseen);
    Ok(Planned { state: core.state, targets, sightings, plan })
}

impl Planned {
    /// The plan as it would be kept.
    #[must_use]
    pub fn shown(&self, refresh: Refresh) -> PlanCreated {
        let Planned { state, targets, plan, .. } = self;
        PlanCreated {
            plan: PlanId(0),
            graph: state.registered().id.clone(),
            targets: targets.iter().flat_map(|(ix, set)| state.set_text(*ix, set)).collect(),
            refresh,
            as_of: state.as_of(),
            expires_at: state.as_of(),
            rows: decide::plan_rows(state, plan, targets),
            current: plan.current,
            grounds: Grounds::default(),
            request: None,
        }
    }
}

/// What is registered, and the values that belong to it. Reads and checks the graph, so that the loop does not, and looks
/// at folders.
fn read_registration(
    registration: Registration,
    state: &State,
    workspace: &Path,
) -> Result<(decide::Registration, BTreeMap<String, EnvValue>), CommandError> {
    let Registration { content, sources, mut inherited, leave } = registration;
    let id = GraphId::of(&content);
    // Nothing is read of what changes nothing, which may be a graph that today's checks would refuse.
    let same = |followed: &&Arc<Registered>| {
        followed.id == id && inherited_digests(&followed.graph, &inherited) == followed.inherited
    };
    let followed = state.followed().filter(same);
    let checked = match followed {
        Some(_) => None,
        None => Some(CheckedGraph::new(&content, state.symbols()).map_err(|problems| {
            Refusal::BadGraph(problems.first().map(ToString::to_string).unwrap_or_default())
        })?),
    };
    let graph = checked.as_ref().map(CheckedGraph::graph).or(followed.map(|registered| &registered.graph));
    let graph = graph.expect("it is followed, or was read");
    check_places(graph, workspace).map_err(Refusal::BadGraph)?;
    let names = graph.inherited_names();
    inherited.retain(|name, _| names.contains(name.as_str()));
    let digests = inherited_digests(graph, &inherited);
    let event = GraphRegistered { graph: id, content: content.into(), inherited: digests, sources };
    Ok((decide::Registration { event, checked, leave }, inherited))
}

/// The look at the files that a want is about, as of an instant that stands in it from then on.
fn looking_for(
    request: &mut WantRequest,
) -> impl Fn(&Handle) -> Result<(Sightings, ()), CommandError> + Send + Sync + 'static {
    let as_of = *request.as_of.get_or_insert_with(crate::os::now);
    let (targets, refresh) = (request.targets.clone(), request.refresh);
    move |handle| handle.look(&targets, refresh, as_of).map(|look| (look.sightings, ()))
}

fn created(reply: &Reply) -> Result<Created<WantId>, CommandError> {
    match reply {
        Reply::Want(want) => Ok(Created { made: *want, repeated: false }),
        Reply::Repeated(Made::Want(want)) => Ok(Created { made: *want, repeated: true }),
        other => Err(CommandError::wrong_reply(other)),
    }
}

fn created_trial(reply: &Reply) -> Result<Created<TrialId>, CommandError> {
    match reply {
        Reply::Trial(trial) => Ok(Created { made: *trial, repeated: false }),
        Reply::Repeated(Made::Trial(trial)) => Ok(Created { made: *trial, repeated: true }),
        other => Err(CommandError::wrong_reply(other)),
    }
}

/// Digests of those values that some program of a graph inherits.
fn inherited_digests(graph: &Graph, values: &BTreeMap<String, EnvValue>) -> BTreeMap<String, String> {
    let names = graph.inherited_names();
    values
        .iter()
        .filter(|(name, _)| names.contains(name.as_str()))
        .map(|(name, value)| (name.clone(), databuild_core::digest::sha256_hex(value.as_bytes())))
        .collect()
}

/// A plan with the state it was made on.
#[derive(Debug)]
pub struct Planned {
    /// The state, with what was seen of files.
    pub state: State,
    /// The targets.
    pub targets: Vec<(DatasetIx, PartitionSet)>,
    /// What was seen of files that is not in the log (yet).
    pub sightings: Sightings,
    /// The plan.
    pub plan: Plan,
}

#[cfg(test)]
mod tests {
    use super::super::testing::{days, held_loop, observers, want_of};
    use super::*;
    use crate::executor::fake::Fake;
    use crate::orchestrator::Orchestrator;
    use crate::store::Archiver;
    use databuild_core::decide::TokenRequest;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// A handle to a loop that has not begun, and the loop.
    fn held(folder: &Path, commands: usize) -> (Handle, Orchestrator) {
        let (orchestrator, inbox) = held_loop(folder, 1);
        let parts = Parts {
            base_env: Arc::new([]),
            commands: Semaphore::new(commands),
            inbox: Mutex::new(inbox),
            shared: Arc::clone(&orchestrator.shared),
            archiver: Arc::new(Archiver::new(&folder.join("log"))),
            workspace: folder.to_owned(),
            executor: Arc::new(Fake::default()),
            observers: Arc::new(observers(folder)),
        };
        (Handle { origin: Origin::default(), key: None, parts: Arc::new(parts) }, orchestrator)
    }

    fn handle(folder: &Path) -> Handle {
        let (handle, orchestrator) = held(folder, 8);
        std::thread::spawn(move || orchestrator.run());
        handle
    }

    /// Nobody takes anything out of the inbox here, so each command waits.
    #[tokio::test]
    async fn the_queue_of_commands_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let (handle, _orchestrator) = held(folder.path(), 2);
        let mut waiting = Vec::new();
        for _ in 0..2 {
            let mut command = Box::pin(handle.submit(Input::Tick));
            assert!(futures_poll(&mut command).is_none());
            waiting.push(command);
        }
        let refused = handle.submit(Input::Tick).await.unwrap_err();
        assert_eq!(refused.code(), "server_busy");
        // A request whose client no longer waits takes no place.
        waiting.pop();
        let mut command = Box::pin(handle.submit(Input::Tick));
        assert!(futures_poll(&mut command).is_none());
    }

    /// What a future says at once.
    fn futures_poll<F: std::future::Future + Unpin>(future: &mut F) -> Option<F::Output> {
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        match std::pin::Pin::new(future).poll(&mut context) {
            std::task::Poll::Ready(value) => Some(value),
            std::task::Poll::Pending => None,
        }
    }

    #[test]
    fn absolute_paths_into_the_workspace_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (workspace, beside) = (folder.path().join("ws"), folder.path().join("beside"));
        std::fs::create_dir(&workspace).unwrap();
        std::fs::create_dir(&beside).unwrap();
        std::os::unix::fs::symlink(&workspace, folder.path().join("link")).unwrap();
        let at = |path: &str| {
            let path = path
                .replace("WS", &workspace.to_string_lossy())
                .replace("TOP", &folder.path().to_string_lossy());
            let content =
                days("2020-01-01").content.replace("\"path\":null", &format!("\"path\":\"{path}\""));
            check_places(&Graph::parse(&content, &mut Symbols::new()).unwrap(), &workspace)
        };
        for path in ["out/{date}", "TOP/beside/{date}", "TOP/ws-{date}", "/data/{date}"] {
            assert_eq!(at(path), Ok(()), "{path}");
        }
        for path in ["WS/out/{date}", "WS/{date}", "TOP/link/out/{date}", "TOP/link/d-{date}"] {
            let refused = at(path).unwrap_err();
            assert!(refused.contains("relative to the workspace") && refused.contains("(//:d)"), "{refused}");
        }
    }

    #[tokio::test]
    async fn what_is_submitted_under_a_key_is_done_once() {
        let folder = tempfile::tempdir().unwrap();
        let handle = handle(folder.path());
        register(&handle, "2020-01-01").await;
        let key = |key: &str, digest: &str| RequestKey { key: key.to_owned(), digest: digest.to_owned() };
        let once = handle.under(Some(key("k", "d")));
        let token = |name: &str| {
            let (name, hash) = (name.to_owned(), name.to_owned());
            let (scopes, datasets) = (vec![databuild_core::event::Scope::Read], Vec::new());
            Input::CreateToken(TokenRequest { name, hash, scopes, datasets, expires_at: None })
        };
        let before = handle.snapshot().state.seq();
        let told = move |reply: &Reply, seq: Seq| {
            assert_eq!((reply, seq), (&Reply::Done, Seq(before.0 + 1)));
            let (content_type, location) = Default::default();
            Some(KeptAnswer { status: 200, content_type, location, body: "yes".to_owned() })
        };
        assert_eq!(once.submit_once(token("a"), told).await.unwrap(), Reply::Done);
        let seq = handle.snapshot().state.seq();
        assert_eq!(seq, Seq(before.0 + 2), "the token and its answer");
        let again = once.submit_once(token("b"), |_, _| panic!("it is not done")).await.unwrap();
        assert_eq!(again, Reply::Repeated(Made::Answer(seq)));
        // What is refused is not remembered.
        let other = handle.under(Some(key("other", "d")));
        assert_eq!(other.submit_once(token("a"), |_, _| None).await.unwrap_err().code(), "token_name_taken");
        assert_eq!(other.submit_once(token("b"), |_, _| None).await.unwrap(), Reply::Done);
        assert_eq!(other.submit_once(token("c"), |_, _| None).await.unwrap(), Reply::Repeated(Made::Done));
        // What was done is known, and now what was answered, too; the first answer stays.
        let answer = |body: &str| {
            Some(KeptAnswer {
                status: 200,
                content_type: String::new(),
                location: String::new(),
                body: body.to_owned(),
            })
        };
        other.answered(answer("first")).await.unwrap();
        let seq = handle.snapshot().state.seq();
        other.answered(answer("second")).await.unwrap();
        assert_eq!(handle.snapshot().state.seq(), seq);
        let reused = handle.under(Some(key("k", "another"))).submit_once(token("d"), |_, _| None).await;
        assert_eq!(reused.unwrap_err().code(), "idempotency_key_reused");
        let state = handle.snapshot().state.clone();
        assert_eq!(state.tokens().iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>(), ["a", "b"]);
        handle.send(Message::Stop { jobs: false }).unwrap();
    }

    async fn register(handle: &Handle, start: &str) {
        handle.submit(Input::RegisterGraph(days(start).into())).await.unwrap();
    }

    #[tokio::test]
    async fn a_look_during_which_another_graph_is_registered_is_done_again_under_that() {
        let folder = tempfile::tempdir().unwrap();
        let handle = handle(folder.path());
        register(&handle, "2020-01-01").await;
        let looks = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Handle::current();
        let look = {
            let looks = Arc::clone(&looks);
            move |handle: &Handle| {
                let seen = handle.look(&["d".to_owned()], Refresh::Stale, crate::os::now())?.sightings;
                if looks.fetch_add(1, Ordering::SeqCst) == 0 {
                    runtime.block_on(register(handle, "2021-01-01"));
                }
                Ok((seen, ()))
            }
        };
        let (reply, ()) = handle
            .submit_seen(look, |seen, ()| Input::CreateWant(want_of("d/date=2021-01-01"), seen))
            .await
            .unwrap();
        assert_eq!(reply, Reply::Want(WantId(1)));
        assert_eq!(looks.load(Ordering::SeqCst), 2);
        handle.send(Message::Stop { jobs: false }).unwrap();
    }

    #[tokio::test]
    async fn a_look_that_is_always_too_late_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let handle = handle(folder.path());
        register(&handle, "2020-01-01").await;
        let seen = |_: &Handle| Ok((Sightings { graph: Some(GraphId::of("x")), ..Default::default() }, ()));
        let refused = handle.submit_seen(seen, |seen, ()| Input::Sightings(seen)).await.unwrap_err();
        assert_eq!(refused.code(), "graph_replaced");
        handle.send(Message::Stop { jobs: false }).unwrap();
    }

    #[test]
    fn a_plan_as_of_the_past_reads_the_past_though_later_instants_are_recorded() {
        let folder = tempfile::tempdir().unwrap();
        let observers = observers(folder.path());
        let mut core = Core::new(1);
        super::super::testing::register(&mut core, "raw");
        core.state.advance("2024-12-31T00:00:00Z".parse().unwrap());
        let past: Timestamp = "1990-01-04T00:00:00Z".parse().unwrap();
        let targets = ["daily".to_owned()];
        let look = super::super::looks::files::look_at_files(
            core.state.clone(),
            &targets,
            Refresh::Stale,
            past,
            &observers,
        )
        .unwrap();
        assert_eq!(look.targets[0].1.len(), 2 * 3, "three days of two cities");
        let planned = plan_after(look, Refresh::Stale, past).unwrap();
        assert_eq!(planned.state.as_of(), past);
        let absent: u64 = planned.plan.absent.iter().map(|(_, set)| set.len()).sum();
        assert_eq!(absent, 2 * 3, "and what they read");
        assert_eq!(planned.shown(Refresh::Stale).as_of, past);
    }
}
