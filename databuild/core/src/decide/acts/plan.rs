//! Plans that are kept: made, and carried out later exactly as they were shown, or not at all.

use crate::decide::changes::begin::Start;
use crate::decide::changes::{begin, sight};
use crate::decide::messages::input::{ApplyRequest, PlanRequest};
use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::sightings::Sightings;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::decide::queries::targets::{instant, repeated, resolve_targets, target_texts};
use crate::event::{Event, PlanCreated, PlanRow, PlanRowKind, PlansDropped};
use crate::graph::{DatasetIx, JobIx, Params};
use crate::ids::PlanId;
use crate::partition_set::PartitionSet;
use crate::planner;
use crate::planner::{Closure, Plan, Reason, Unseen};
use crate::state::{Basis, State};
use jiff::{SignedDuration, Timestamp};

/// What a plan is for, one set for each dataset named.
type Targets = Vec<(DatasetIx, PartitionSet)>;

/// A plan that says nothing else can be applied for so long: a day.
pub const DEFAULT_EXPIRY_SECONDS: u64 = 24 * 3600;

/// Plans that are kept; the oldest make room for a new one.
pub const MOST_PLANS: usize = 100;

/// A plan is made, and kept if there is anything to do.
pub(crate) fn create(out: &mut Out, request: PlanRequest, sightings: &Sightings) -> Result<Reply, Refusal> {
    if let Some(made) = repeated(out.state, request.key.as_ref(), out.now)? {
        return Ok(Reply::Repeated(made));
    }
    let registered = out.state.followed().cloned().ok_or(Refusal::NoGraph)?;
    if request.targets.is_empty() {
        return Err(Refusal::NoTargets);
    }
    let as_of = instant(out.now, request.as_of);
    let targets = resolve_targets(out.state, &request.targets, as_of)?;
    sight::sight(out, sightings);
    let refresh = request.refresh;
    let (plan, grounds) = out.state.at(as_of, |state| {
        let plan = planner::plan_despite(state, &targets, refresh, &sightings.unseen);
        let matters = planner::closure(state, &targets, refresh);
        (plan, planner::grounds(state, &matters))
    });
    let seconds = request.expires_seconds.unwrap_or(DEFAULT_EXPIRY_SECONDS);
    let expires_at = i64::try_from(seconds)
        .ok()
        .and_then(|seconds| out.now.checked_add(SignedDuration::from_secs(seconds)).ok())
        .unwrap_or(Timestamp::MAX);
    let kept = !plan.jobs.is_empty();
    let created = PlanCreated {
        plan: PlanId(if kept { out.state.last_plan().0 + 1 } else { 0 }),
        graph: registered.id.clone(),
        targets: target_texts(out.state, &targets),
        refresh,
        as_of,
        expires_at,
        rows: rows(out.state, &plan, &targets),
        current: plan.current,
        grounds,
        request: request.key,
    };
    if !kept {
        return Ok(Reply::Planned { plan: Box::new(created), kept });
    }
    drop_old(out);
    out.event(Event::PlanCreated(created.clone()));
    Ok(Reply::Planned { plan: Box::new(created), kept })
}

/// Makes room for one more plan: what has expired goes, then the oldest.
fn drop_old(out: &mut Out) {
    let now = out.now;
    let mut plans: Vec<PlanId> = out
        .state
        .plans()
        .values()
        .filter(|saved| saved.plan.expires_at <= now)
        .map(|saved| saved.plan.plan)
        .collect();
    let left = out.state.plans().keys().filter(|id| !plans.contains(id)).copied().collect::<Vec<_>>();
    let surplus = (left.len() + 1).saturating_sub(MOST_PLANS);
    plans.extend(&left[..surplus]);
    plans.sort_unstable();
    if !plans.is_empty() {
        out.event(Event::PlansDropped(PlansDropped { plans }));
    }
}

/// A plan as it is shown: by job and reason, upstream first, then what cannot be done and what is left out.
#[must_use]
pub fn rows(state: &State, plan: &Plan, targets: &[(DatasetIx, PartitionSet)]) -> Vec<PlanRow> {
    let graph = state.graph();
    let row = |job: JobIx, kind, reason: &str, message: &str, set: &PartitionSet| PlanRow {
        job: graph.job(job).label.clone(),
        kind,
        reason: reason.to_owned(),
        message: message.to_owned(),
        count: set.len(),
        partitions: state.work_text(job, set),
    };
    let mut rows = Vec::new();
    for entry in &plan.jobs {
        for (reason, set) in &entry.reasons {
            let kind = match reason {
                Reason::UpstreamBuilt => PlanRowKind::IfChanged,
                Reason::UnderWay => PlanRowKind::UnderWay,
                Reason::Outdated(_) | Reason::Forced => PlanRowKind::Certain,
            };
            rows.push(row(entry.job, kind, reason.code(), reason.phrase(), set));
        }
    }
    for (job, set, reason) in &plan.blocked {
        rows.push(row(*job, PlanRowKind::Blocked, "blocked", reason, set));
    }
    for (job, set, reason) in &plan.skipped {
        rows.push(row(*job, PlanRowKind::LeftOut, "left_out", reason, set));
    }
    for (ix, set, fault) in plan.unusable() {
        let asked = targets.iter().find(|(target, _)| *target == ix).map(|(_, wanted)| wanted.intersect(set));
        if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
            rows.push(PlanRow {
                job: String::new(),
                kind: PlanRowKind::Blocked,
                reason: fault.code().to_owned(),
                message: fault.to_string(),
                count: asked.len(),
                partitions: state.set_text(ix, &asked),
            });
        }
    }
    rows
}

/// A want comes into being that does what a plan says, and nothing else.
pub(crate) fn apply(out: &mut Out, request: ApplyRequest, sightings: &Sightings) -> Result<Reply, Refusal> {
    if let Some(made) = repeated(out.state, request.key.as_ref(), out.now)? {
        return Ok(Reply::Repeated(made));
    }
    if out.state.followed().is_none() {
        return Err(Refusal::NoGraph);
    }
    let id = request.plan;
    let Some(saved) = out.state.plans().get(&id).cloned() else {
        let was_there = id.0 >= 1 && id <= out.state.last_plan();
        return Err(if was_there { Refusal::PlanExpired(id) } else { Refusal::UnknownPlan(id) });
    };
    let plan = &saved.plan;
    if plan.expires_at <= out.now {
        return Err(Refusal::PlanExpired(id));
    }
    // Held against a copy that knows what was just seen, for a refusal leaves no event.
    let mut copy = out.state.clone();
    let mut trial = Out::new(&mut copy, out.now, out.origin.clone(), out.looking);
    sight::sight(&mut trial, sightings);
    let (targets, fresh) = copy
        .at(plan.as_of, |state| still_holds(state, plan, &sightings.unseen))
        .map_err(|changes| Refusal::PlanOutdated { plan: id, changes })?;
    sight::sight(out, sightings);
    let start = Start {
        targets: &targets,
        refresh: plan.refresh,
        as_of: plan.as_of,
        class: request.class,
        ttl_seconds: request.ttl_seconds,
        sla_seconds: request.sla_seconds,
        comment: request.comment,
        carries_out: Some(id),
        parent: None,
        params: Params::new(),
        request: request.key,
        asked: Vec::new(),
        written: Vec::new(),
    };
    Ok(Reply::Want(begin::begin(out, &fresh, start)))
}

/// What keeps a plan from being applied, as far as that is known without looking at external data; empty if nothing does. And what
/// that follows from: as long as another state has the same, the answer is the same.
pub(crate) fn outdated(state: &State, plan: &PlanCreated) -> (Vec<String>, Basis) {
    let mut asked = Vec::new();
    let changes = state.clone().at(plan.as_of, |state| {
        let targets = targets_of(state, plan)?;
        let matters = planner::closure(state, &targets, plan.refresh);
        let sets = matters.datasets.iter().enumerate();
        asked.extend(sets.filter(|(_, set)| !set.is_empty()).map(|(ix, _)| DatasetIx(ix)));
        planned_again(state, plan, &targets, &matters, &[])
    });
    // Of the state as it is: what is asked may settle suspects, of the copy.
    (changes.err().unwrap_or_default(), state.basis(&asked))
}

/// Targets of a plan with the plan made anew, if it is what it was; else what changed.
fn still_holds(
    state: &mut State,
    plan: &PlanCreated,
    unseen: &[Unseen],
) -> Result<(Targets, Plan), Vec<String>> {
    let targets = targets_of(state, plan)?;
    let matters = planner::closure(state, &targets, plan.refresh);
    let fresh = planned_again(state, plan, &targets, &matters, unseen)?;
    Ok((targets, fresh))
}

/// What a plan is for today; else what of it is gone.
fn targets_of(state: &State, plan: &PlanCreated) -> Result<Targets, Vec<String>> {
    let gone = |text: &String| format!("`{text}` is not in the graph any more");
    let lost: Vec<String> =
        plan.targets.iter().filter(|text| state.resolve_recorded(text).is_none()).map(gone).collect();
    if !lost.is_empty() {
        return Err(lost);
    }
    // As of the plan's instant all its periods had ended, so what is refused are keys that are gone.
    let now = |text: &String| state.graph().in_current_words(text);
    let refused = plan.targets.iter().filter_map(|text| state.resolve_at(&now(text), plan.as_of).err());
    let refused: Vec<String> = refused.map(|error| error.to_string()).collect();
    if !refused.is_empty() {
        return Err(refused);
    }
    Ok(state.located(&plan.targets))
}

/// The plan made anew, if it is what it was; else what changed of what matters for it.
fn planned_again(
    state: &mut State,
    plan: &PlanCreated,
    targets: &Targets,
    matters: &Closure,
    unseen: &[Unseen],
) -> Result<Plan, Vec<String>> {
    let changes = planner::changes(state, matters, &plan.grounds);
    if !changes.is_empty() {
        return Err(changes);
    }
    // What cannot be observed now takes from the plan and adds nothing.
    let fresh = planner::plan_despite(state, targets, plan.refresh, unseen);
    let added = added(state, plan, &fresh);
    if !added.is_empty() {
        return Err(added);
    }
    Ok(fresh)
}

/// What a plan made anew does beyond an old one. Nothing, as both follow from the same grounds; but if
/// the rules of planning are others by now, nothing is done that was not shown.
fn added(state: &State, shown: &PlanCreated, fresh: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    for entry in &fresh.jobs {
        let is_of = |label: &str| state.graph().job_once_labeled(label) == Some(entry.job);
        let of = |kinds: &[PlanRowKind]| {
            let rows = shown.rows.iter().filter(|row| is_of(&row.job) && kinds.contains(&row.kind));
            let mut all = PartitionSet::empty(entry.certain.shape());
            for (_, set) in rows.flat_map(|row| state.located(&row.partitions)) {
                all.union_with(&set);
            }
            all
        };
        use PlanRowKind::{Certain, IfChanged, UnderWay};
        let mut more = entry.certain.subtract(&of(&[Certain]));
        more.union_with(&entry.if_changed.subtract(&of(&[Certain, IfChanged])));
        more.union_with(&entry.joined.subtract(&of(&[Certain, IfChanged, UnderWay])));
        let texts = state.work_text(entry.job, &more);
        found.extend(texts.iter().map(|text| format!("`{text}` would be built, which was not shown")));
    }
    found
}
