//! Plans: what would happen, and having exactly that done.

use super::audience::Audience;
use super::context::{Backend, Context};
use super::partitions::shortened;
use super::scope::by_job;
use super::words::{class, cut, instant, order, part, refresh, said};
use super::{estimate, wants, AppError};
use crate::api::{
    ApplyPlan, Estimate, Page, PlanGroup, PlanOrder, PlanRequest, PlanSummary, PlanView, PlansQuery,
    WantDetail,
};
use crate::engine::Created;
use crate::store::{History, WantFilter};
use databuild_core::decide::{self, ApplyRequest};
use databuild_core::event::{PlanCreated, PlanRow, PlanRowKind, RequestKey};
use databuild_core::ids::{PlanId, WantId};
use databuild_core::partition_set::PartitionSet;
use databuild_core::state::{SavedPlan, State};
use databuild_core::word::Word as _;
use jiff::Timestamp;
use std::sync::Arc;

/// The id of a plan as people write it.
pub fn parse(id: &str) -> Result<PlanId, AppError> {
    id.parse().map_err(|_| AppError::not_found("plan_not_found", "plan", id))
}

/// Plans, and keeps the plan if the request says so and there is anything to do.
///
/// # Errors
/// A bad word, a reference that cannot be resolved, no graph, a full disk.
pub async fn create(
    context: &impl Context,
    body: PlanRequest,
    key: Option<RequestKey>,
) -> Result<Created<PlanView>, AppError> {
    let refresh = refresh(body.refresh.as_deref())?;
    let as_of = instant(body.as_of.as_deref())?;
    if body.expires_seconds == Some(0) {
        return Err(AppError::new("bad_expiry", "a plan cannot expire after 0 seconds"));
    }
    let (Created { made, repeated }, kept) = if body.save.unwrap_or(true) {
        let request = decide::PlanRequest {
            targets: body.targets,
            refresh,
            as_of,
            expires_seconds: body.expires_seconds,
            key,
        };
        context.backend().engine.save_plan(request).await?
    } else {
        let plan = context.looking(move |backend, _| {
            let now = crate::os::now();
            let as_of = as_of.map_or(now, |as_of| as_of.min(now));
            Ok(backend.engine.plan(&body.targets, refresh, as_of)?.shown(refresh))
        });
        // What is not recorded is new each time.
        (Created { made: plan.await?, repeated: false }, false)
    };
    Ok(Created { made: view(context, made, kept).await?, repeated })
}

/// Plans that are kept, newest first unless the query says otherwise.
///
/// # Errors
/// A bad query.
pub async fn list(context: &impl Context, query: PlansQuery) -> Result<Page<PlanSummary>, AppError> {
    context.slow(move |backend, _| listed(backend, &query)).await
}

fn listed(backend: &Backend, query: &PlansQuery) -> Result<Page<PlanSummary>, AppError> {
    let order = order(query.sort.as_deref())?.unwrap_or(PlanOrder::Newest);
    let Backend { engine, audience, .. } = backend;
    let state = &engine.snapshot().state;
    let now = crate::os::now();
    let plans = state.plans().values();
    let mut seen: Vec<_> = plans.filter(|saved| audience.sees_texts(state, &saved.plan.targets)).collect();
    match order {
        PlanOrder::Newest => seen.reverse(),
        PlanOrder::Oldest => {}
        PlanOrder::Expires => seen.sort_by_key(|saved| saved.plan.expires_at),
    }
    let rows = seen.into_iter().map(|saved| summary(backend, state, saved, now));
    part(rows, query.limit, query.cursor.as_deref(), state.seq().0)
}

/// A plan that is kept, as it was shown.
///
/// # Errors
/// It is not kept.
pub async fn get(context: &impl Context, id: PlanId) -> Result<PlanView, AppError> {
    let saved = context.backend().engine.snapshot().state.plans().get(&id).cloned();
    let saved = saved.ok_or_else(|| AppError::not_found("plan_not_found", "plan", id))?;
    view(context, saved.plan.clone(), true).await
}

/// Has done what a plan says, and nothing else.
///
/// # Errors
/// It is not kept, has expired, or does not hold any more.
pub async fn apply(
    context: &impl Context,
    plan: PlanId,
    body: ApplyPlan,
    key: Option<RequestKey>,
) -> Result<Created<WantDetail>, AppError> {
    let request = ApplyRequest {
        plan,
        class: class(body.class.as_deref())?,
        ttl_seconds: body.ttl_seconds,
        sla_seconds: body.sla_seconds,
        comment: said("comment", body.comment)?,
        key,
    };
    let made = context.backend().engine.apply_plan(request).await?;
    wants::created(context, made).await
}

async fn view(context: &impl Context, plan: PlanCreated, kept: bool) -> Result<PlanView, AppError> {
    let viewed = context.slow(move |backend, reader| {
        let snapshot = backend.engine.snapshot();
        let state = &snapshot.state;
        let want = if kept { want_of(reader, plan.plan)? } else { None };
        // What is not kept was made just now.
        let (standing, changes) =
            if kept { standing(backend, state, &plan, crate::os::now()) } else { ("open", Arc::default()) };
        let plan = seen_of(&backend.audience, state, plan);
        let estimate = estimate::of(&plan, state, snapshot.capacity(), reader)?;
        let view = shown(plan, kept, estimate, state.seq().0);
        let changes = changes.to_vec();
        Ok(PlanView { state: standing.to_owned(), changes, want: want.map(|want| want.to_string()), ..view })
    });
    viewed.await
}

/// Whether a plan that is kept can be applied, or why not, in a word; and what has changed of one that could be applied else.
fn standing(
    backend: &Backend,
    state: &State,
    plan: &PlanCreated,
    now: Timestamp,
) -> (&'static str, Arc<[String]>) {
    if plan.expires_at <= now {
        return ("expired", Arc::default());
    }
    let changes = backend.kept_plans.changes(state, plan);
    (if changes.is_empty() { "open" } else { "outdated" }, changes)
}

/// Rows of a plan that an audience may see.
fn seen_rows<'p>(
    audience: &'p Audience,
    state: &'p State,
    plan: &'p PlanCreated,
) -> impl Iterator<Item = &'p PlanRow> + Clone {
    plan.rows.iter().filter(move |row| audience.sees_all() || audience.sees_label(state, &row.job))
}

/// What of a plan an audience may see: that others have to make something for it is not counted.
fn seen_of(audience: &Audience, state: &State, mut plan: PlanCreated) -> PlanCreated {
    if !audience.sees_all() {
        plan.rows = seen_rows(audience, state, &plan).cloned().collect();
        plan.current = current_targets(state, &plan);
    }
    plan
}

/// How many of the partitions that a plan is asked for nothing is to be done for.
fn current_targets(state: &State, plan: &PlanCreated) -> u64 {
    let mut left = by_job(state, &plan.targets);
    for (job, set) in plan.rows.iter().flat_map(|row| by_job(state, &row.partitions)) {
        left.entry(job).and_modify(|left| left.subtract_with(&set));
    }
    left.values().map(PartitionSet::len).sum()
}

/// The newest want that carries out a plan, of those that are looked at.
fn want_of(reader: &dyn History, plan: PlanId) -> Result<Option<WantId>, AppError> {
    let filter = WantFilter { limit: 1, ..WantFilter::default() };
    let found = reader.wants_that(&filter, &|want| want.plan == Some(plan))?.value;
    Ok(found.rows.first().map(|want| want.id))
}

fn summary(backend: &Backend, state: &State, saved: &SavedPlan, now: Timestamp) -> PlanSummary {
    let plan = &saved.plan;
    let (certain, if_changed) = counts(seen_rows(&backend.audience, state, plan));
    PlanSummary {
        id: plan.plan.to_string(),
        state: standing(backend, state, plan, now).0.to_owned(),
        targets: shortened(plan.targets.clone()).into_iter().map(cut).collect(),
        refresh: plan.refresh.word().to_owned(),
        certain,
        if_changed,
        graph: plan.graph.to_string(),
        created_at: saved.created_at.to_string(),
        expires_at: plan.expires_at.to_string(),
    }
}

/// A plan, grouped by job and reason.
fn shown(plan: PlanCreated, kept: bool, estimate: Estimate, seq: u64) -> PlanView {
    let (certain, if_changed) = counts(plan.rows.iter());
    let group = |row: PlanRow| PlanGroup {
        job: row.job,
        reason: row.reason,
        message: row.message,
        count: row.count,
        partitions: shortened(row.partitions),
    };
    let (blocked, rows): (Vec<_>, Vec<_>) =
        plan.rows.into_iter().partition(|row| row.kind == PlanRowKind::Blocked);
    let (left_out, rows): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.kind == PlanRowKind::LeftOut);
    PlanView {
        id: kept.then(|| plan.plan.to_string()),
        state: String::new(),
        changes: Vec::new(),
        want: None,
        expires_at: kept.then(|| plan.expires_at.to_string()),
        targets: shortened(plan.targets),
        as_of: plan.as_of.to_string(),
        graph: plan.graph.to_string(),
        certain,
        if_changed,
        current: plan.current,
        groups: rows.into_iter().map(group).collect(),
        blocked: blocked.into_iter().map(group).collect(),
        left_out: left_out.into_iter().map(group).collect(),
        estimate,
        seq,
    }
}

/// Number of runs that a plan has for certain, and of those that depend on changes.
fn counts<'p>(rows: impl Iterator<Item = &'p PlanRow> + Clone) -> (u64, u64) {
    let count = |kind| rows.clone().filter(|row| row.kind == kind).map(|row| row.count).sum();
    (count(PlanRowKind::Certain), count(PlanRowKind::IfChanged))
}
