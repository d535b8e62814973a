//! Graphs and wants: what users ask for.

use super::{replan, Out, Refusal, Reply, Sighting, Sightings, WantRequest};
use crate::digest::hash64;
use crate::event::{
    Blocked, Event, FilesAltered, FilesVanished, GraphRegistered, Observed, PriorityClass, Refresh,
    RequestKey, RunCancelRequested, RunEnded, SeenPartition, SetText, WantCreated, WantEnded, WantOutcome,
    WantPaused, WantReprioritized, WantResumed,
};
use crate::graph::{DatasetIx, Graph, Params};
use crate::ids::{PlanId, RunId, WantId};
use crate::partition_set::PartitionSet;
use crate::planner::{self, Fault, Plan};
use crate::reference::ReferenceText;
use crate::state::{Phase, State, Want};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A graph becomes the one that new work follows.
pub(super) fn register(out: &mut Out, event: GraphRegistered) -> Result<Reply, Refusal> {
    if let Some(now) = &out.state.graph {
        if now.id == event.graph && now.inherited == event.inherited {
            return Ok(Reply::Registered { changed: false });
        }
    }
    // Checked on a copy: folding must not fail, and a refused graph must leave no symbols behind.
    if let Err(problems) = Graph::parse_new(&event.content, &mut out.state.symbols.clone()) {
        let text = problems.first().map(ToString::to_string).unwrap_or_default();
        return Err(Refusal::BadGraph(text));
    }
    let before = out.state.graph.clone();
    let rests = replan::rests(out.state);
    out.event(Event::GraphRegistered(event));
    if let Some(before) = before {
        replan::retire_retries(out);
        replan::replan(out, &before.graph, rests, &[]);
    }
    Ok(Reply::Registered { changed: true })
}

/// A want comes into being with all the work that it may need.
pub(super) fn create(out: &mut Out, request: WantRequest, sightings: &Sightings) -> Result<Reply, Refusal> {
    create_with(out, request, Params::new(), sightings)
}

/// The same with values of parameters for what makes the targets.
pub(super) fn create_with(
    out: &mut Out,
    request: WantRequest,
    params: Params,
    sightings: &Sightings,
) -> Result<Reply, Refusal> {
    if let Some(want) = repeated(out.state, request.key.as_ref(), out.now)? {
        return Ok(Reply::Repeated(want));
    }
    let registered = out.state.graph.clone().ok_or(Refusal::NoGraph)?;
    if request.graph.as_ref().is_some_and(|graph| *graph != registered.id) {
        return Err(Refusal::OtherGraph(registered.id.short().to_owned()));
    }
    if request.targets.is_empty() {
        return Err(Refusal::NoTargets);
    }
    // Nothing may change before the request is found good, for a refusal leaves no event.
    let as_of = instant(out.now, request.as_of);
    let targets = resolve_targets(out.state, &request.targets, as_of)?;
    sight(out, sightings);
    out.state.advance(as_of);

    let plan = out
        .state
        .at(as_of, |state| planner::plan_despite(state, &targets, request.refresh, &sightings.unseen));
    let start = Start {
        targets: &targets,
        refresh: request.refresh,
        as_of,
        class: request.class,
        ttl_seconds: request.ttl_seconds,
        sla_seconds: request.sla_seconds,
        comment: request.comment,
        source: request.source,
        carries_out: None,
        parent: None,
        params,
        request: request.key,
        asked: open_references(out.state, &request.targets),
    };
    Ok(Reply::Want(begin(out, &plan, start)))
}

/// The want of an earlier request with this key, if there was one.
///
/// # Errors
/// That request asked for something else.
pub fn repeated(state: &State, key: Option<&RequestKey>, now: Timestamp) -> Result<Option<WantId>, Refusal> {
    let known = key.and_then(|key| Some((key, state.requests.get(&key.key, now)?)));
    match known {
        None => Ok(None),
        Some((key, known)) if *known.digest == *key.digest => Ok(Some(known.want)),
        Some((key, known)) => Err(Refusal::KeyReused { key: key.key.clone(), want: known.want }),
    }
}

/// The instant for which a request reads key spaces. Of a later one than now nobody knows yet which data it
/// will find.
pub(super) fn instant(now: Timestamp, asked: Option<Timestamp>) -> Timestamp {
    asked.unwrap_or(now).min(now)
}

/// What a want is to be, beside its work.
pub(super) struct Start<'t> {
    pub(super) targets: &'t [(DatasetIx, PartitionSet)],
    pub(super) refresh: Refresh,
    pub(super) as_of: Timestamp,
    pub(super) class: PriorityClass,
    pub(super) ttl_seconds: Option<u64>,
    pub(super) sla_seconds: Option<u64>,
    pub(super) comment: String,
    pub(super) source: String,
    pub(super) carries_out: Option<PlanId>,
    pub(super) parent: Option<RunId>,
    pub(super) params: Params,
    pub(super) request: Option<RequestKey>,
    /// What of the request leaves out a dimension.
    pub(super) asked: SetText,
}

/// References that leave out a dimension of their dataset.
fn open_references(state: &State, texts: &[String]) -> SetText {
    let leaves_out = |text: &&String| {
        let reference = ReferenceText::parse(text).ok();
        let named = reference.and_then(|reference| {
            let ix = state.graph().dataset_named(&reference.dataset)?;
            Some((state.graph().dataset(ix).dims.len(), reference.dims.len()))
        });
        named.is_some_and(|(all, given)| given < all)
    };
    texts.iter().filter(leaves_out).cloned().collect()
}

/// What a want asks for by now: keys may have come since it was made, and gone.
pub(super) fn targets_now(state: &State, want: &Want) -> Vec<(DatasetIx, PartitionSet)> {
    let graph = state.graph();
    let mut targets: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for (ix, set) in state.located(&want.targets) {
        targets.insert(ix, set.within(&graph.dataset(ix).bounds(&state.symbols)));
    }
    let asked = want.asked.iter().map(|text| graph.in_current_words(text));
    for (ix, set) in asked.filter_map(|text| state.resolve_at(&text, want.as_of).ok()) {
        targets.entry(ix).and_modify(|all| all.union_with(&set)).or_insert(set);
    }
    targets.into_iter().filter(|(_, set)| !set.is_empty()).collect()
}

/// The work of a plan, as events tell it.
pub(super) struct Work {
    pub(super) all: SetText,
    pub(super) forced: SetText,
    pub(super) successors: SetText,
}

pub(super) fn work_texts(state: &State, plan: &Plan) -> Work {
    let (mut all, mut forced, mut successors) = Default::default();
    let extend = |texts: &mut SetText, job, set: &PartitionSet| texts.extend(state.work_text(job, set));
    for entry in &plan.jobs {
        let live = &state.work(entry.job).live;
        let behind = entry.certain.union(&entry.if_changed).intersect(live).subtract(&entry.forced);
        extend(&mut all, entry.job, &entry.work());
        extend(&mut forced, entry.job, &entry.forced);
        extend(&mut successors, entry.job, &behind);
    }
    Work { all, forced, successors }
}

/// A want comes into being that does what `plan` says.
pub(super) fn begin(out: &mut Out, plan: &Plan, start: Start<'_>) -> WantId {
    let Work { all: work, forced, successors } = work_texts(out.state, plan);
    let blocked = blocked_of(out.state, plan, start.targets);
    let after = |seconds: Option<u64>| {
        let seconds = i64::try_from(seconds?).ok()?;
        out.now.checked_add(SignedDuration::from_secs(seconds)).ok()
    };
    let want = WantId(out.state.last_want.0 + 1);
    let event = WantCreated {
        want,
        targets: target_texts(out.state, start.targets),
        class: start.class,
        refresh: start.refresh,
        as_of: start.as_of,
        expires_at: after(start.ttl_seconds),
        due_at: after(start.sla_seconds),
        comment: start.comment,
        source: start.source,
        work,
        forced,
        successors,
        blocked,
        plan: start.carries_out,
        parent: start.parent,
        params: start.params,
        request: start.request,
        asked: start.asked,
    };
    out.event(Event::WantCreated(event));
    supersede(out);
    want
}

/// What nobody can build, and what of `targets` is external and cannot be used, as an event tells it.
pub(super) fn blocked_of(state: &State, plan: &Plan, targets: &[(DatasetIx, PartitionSet)]) -> Vec<Blocked> {
    let mut blocked = blocked_texts(state, plan);
    for (ix, set, fault) in plan.unusable() {
        let asked = targets.iter().find(|(target, _)| *target == ix).map(|(_, wanted)| wanted.intersect(set));
        if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
            let partitions = state.set_text(ix, &asked);
            let hint = if fault == Fault::Tainted { "; untaint it or bring other data" } else { "" };
            let reason = format!("`{}` is {fault}{hint}", partitions.join(", "));
            blocked.push(Blocked { partitions, reason });
        }
    }
    blocked
}

/// What nobody can build, as an event tells it.
pub(super) fn blocked_texts(state: &State, plan: &Plan) -> Vec<Blocked> {
    let text = |(job, set, reason): &(_, _, String)| Blocked {
        partitions: state.work_text(*job, set),
        reason: reason.clone(),
    };
    plan.blocked.iter().map(text).collect()
}

/// Runs that wait to be tried again give way to newer work on the same partition.
pub(super) fn supersede(out: &mut Out) {
    let older: Vec<RunId> = out
        .state
        .runs
        .values()
        .filter(|run| matches!(run.phase, Phase::RetryWait(_)))
        .filter(|run| {
            out.state.current_job(run).is_some_and(|job| out.state.work(job).todo.intersects(&run.set))
        })
        .map(|run| run.id)
        .collect();
    for run in older {
        let message = "superseded by newer work".to_owned();
        out.event(Event::RunEnded(RunEnded { run, canceled: true, message }));
    }
}

/// References to sets, one for each dataset named.
pub(super) fn resolve_targets(
    state: &State,
    texts: &[String],
    as_of: Timestamp,
) -> Result<Vec<(DatasetIx, PartitionSet)>, Refusal> {
    let mut targets: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for text in texts {
        let (ix, set) = state.resolve_at(text, as_of)?;
        match targets.get_mut(&ix) {
            Some(all) => all.union_with(&set),
            None => {
                targets.insert(ix, set);
            }
        }
    }
    Ok(targets.into_iter().collect())
}

pub(super) fn target_texts(state: &State, targets: &[(DatasetIx, PartitionSet)]) -> SetText {
    targets.iter().flat_map(|(ix, set)| state.set_text(*ix, set)).collect()
}

/// Files that are not as recorded become facts. What is stale news by now is dropped.
pub(super) fn sight(out: &mut Out, sightings: &Sightings) {
    let Some(registered) = out.state.graph.clone() else { return };
    let graph = &registered.graph;
    let mut gone: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    let mut altered: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    let mut seen = Vec::new();
    let add = |sets: &mut BTreeMap<DatasetIx, PartitionSet>, ix: DatasetIx, key| {
        sets.entry(ix).or_insert_with(|| PartitionSet::empty(graph.dataset(ix).shape)).insert(key);
    };
    for sighting in &sightings.seen {
        match sighting {
            Sighting::Gone(ix, key) => {
                if out.state.dataset(*ix).present.contains(key) {
                    add(&mut gone, *ix, key);
                }
            }
            Sighting::Content { dataset, key, version, mark } => {
                let known = out.state.dataset(*dataset).entries.get(key);
                let here = out.state.dataset(*dataset).present.contains(key);
                let same = here && known.is_some_and(|known| known.version == hash64(version));
                let altered_before = out.state.dataset(*dataset).altered.contains(key);
                if same && !altered_before && known.is_some_and(|known| known.mark == *mark) {
                    continue;
                }
                if same || graph.dataset(*dataset).external {
                    seen.push(SeenPartition {
                        partition: out.state.partition_text(*dataset, key),
                        version: version.clone(),
                        mark: *mark,
                    });
                } else if here && !altered_before {
                    add(&mut altered, *dataset, key);
                }
            }
        }
    }
    let texts = |state: &State, sets: BTreeMap<DatasetIx, PartitionSet>| -> SetText {
        sets.iter().flat_map(|(ix, set)| state.set_text(*ix, set)).collect()
    };
    if !seen.is_empty() {
        out.event(Event::Observed(Observed { partitions: seen }));
    }
    // Open wants may rest on what is gone.
    let rests = if gone.is_empty() && altered.is_empty() { Vec::new() } else { replan::rests(out.state) };
    if !gone.is_empty() {
        let partitions = texts(out.state, gone);
        out.event(Event::FilesVanished(FilesVanished { partitions }));
    }
    if !altered.is_empty() {
        let partitions = texts(out.state, altered);
        out.event(Event::FilesAltered(FilesAltered { partitions }));
    }
    replan::replan(out, graph, rests, &[]);
}

/// A want is over as one act; runs that nobody else wants stop.
pub(super) fn cancel(out: &mut Out, id: WantId) -> Result<Reply, Refusal> {
    if !out.state.wants.contains_key(&id) {
        return Err(Refusal::UnknownWant(id));
    }
    end(out, id, WantOutcome::Canceled);
    Ok(Reply::Done)
}

fn live(out: &Out, id: WantId) -> Result<Arc<Want>, Refusal> {
    out.state.wants.get(&id).cloned().ok_or(Refusal::UnknownWant(id))
}

/// Nothing more is begun for a want; what is under way goes on, and its time to live too.
pub(super) fn pause(out: &mut Out, want: WantId) -> Result<Reply, Refusal> {
    if !live(out, want)?.paused {
        out.event(Event::WantPaused(WantPaused { want }));
    }
    Ok(Reply::Done)
}

/// A paused want goes on.
pub(super) fn resume(out: &mut Out, want: WantId) -> Result<Reply, Refusal> {
    if live(out, want)?.paused {
        out.event(Event::WantResumed(WantResumed { want }));
    }
    Ok(Reply::Done)
}

/// A want goes before or after others from now on. What is under way stays under way.
pub(super) fn prioritize(out: &mut Out, want: WantId, class: PriorityClass) -> Result<Reply, Refusal> {
    if live(out, want)?.class != class {
        out.event(Event::WantReprioritized(WantReprioritized { want, class }));
    }
    Ok(Reply::Done)
}

/// Ends a want before its time and stops what only it held.
pub(super) fn end(out: &mut Out, id: WantId, outcome: WantOutcome) {
    let want = out.state.wants.get(&id).cloned();
    let mut causes = want.as_ref().map(|want| want.causes.clone()).unwrap_or_default();
    if let (WantOutcome::Expired, Some(want)) = (outcome, &want) {
        causes.extend(want.expires_at.map(|at| {
            let seconds = at.duration_since(want.created_at).as_secs();
            format!("it was not over within the {seconds} s that it was given (ttl)")
        }));
    }
    out.event(Event::WantEnded(WantEnded { want: id, outcome, causes }));
    if let Some(want) = want {
        super::suspend::want_over(out, &want, outcome);
    }
    stop_orphans(out);
}

/// Stops runs that nobody wants.
pub(super) fn stop_orphans(out: &mut Out) {
    let orphans: Vec<_> = out
        .state
        .runs
        .values()
        .filter(|run| !run.cancel_requested && run.trial.is_none())
        .filter(|run| out.state.served_by(run).next().is_none() && !out.state.is_left_behind(run))
        .map(|run| run.id)
        .collect();
    for run in orphans {
        out.event(Event::RunCancelRequested(RunCancelRequested { run }));
        super::attempt::stop(out, run);
    }
}
