//! Wants come into being.

use crate::decide::out::Out;
use crate::decide::queries::targets::{blocked_of, target_texts, work_texts, Work};
use crate::event::{Event, PriorityClass, Refresh, RequestKey, RunEnded, SetText, WantCreated};
use crate::graph::{DatasetIx, Params};
use crate::ids::{PlanId, RunId, WantId};
use crate::partition_set::PartitionSet;
use crate::planner::Plan;
use crate::state::Phase;
use jiff::{SignedDuration, Timestamp};

/// What a want is to be, beside its work.
pub(crate) struct Start<'t> {
    pub(crate) targets: &'t [(DatasetIx, PartitionSet)],
    pub(crate) refresh: Refresh,
    pub(crate) as_of: Timestamp,
    pub(crate) class: PriorityClass,
    pub(crate) ttl_seconds: Option<u64>,
    pub(crate) sla_seconds: Option<u64>,
    pub(crate) comment: String,
    pub(crate) carries_out: Option<PlanId>,
    pub(crate) parent: Option<RunId>,
    pub(crate) params: Params,
    pub(crate) request: Option<RequestKey>,
    /// What of the request leaves out a dimension.
    pub(crate) asked: SetText,
    /// What of it has relative keys.
    pub(crate) written: SetText,
}

/// A want comes into being that does what `plan` says.
pub(crate) fn begin(out: &mut Out, plan: &Plan, start: Start<'_>) -> WantId {
    let Work { all: work, forced, successors } = work_texts(out.state, plan);
    let blocked = blocked_of(out.state, plan, start.targets);
    let after = |seconds: Option<u64>| {
        let seconds = i64::try_from(seconds?).ok()?;
        out.now.checked_add(SignedDuration::from_secs(seconds)).ok()
    };
    let want = WantId(out.state.last_want().0 + 1);
    let event = WantCreated {
        want,
        targets: target_texts(out.state, start.targets),
        class: start.class,
        refresh: start.refresh,
        as_of: start.as_of,
        expires_at: after(start.ttl_seconds),
        due_at: after(start.sla_seconds),
        comment: start.comment,
        work,
        forced,
        successors,
        blocked,
        plan: start.carries_out,
        parent: start.parent,
        params: start.params,
        request: start.request,
        asked: start.asked,
        written: start.written,
    };
    out.event(Event::WantCreated(event));
    supersede(out);
    want
}

/// Runs that wait to be tried again give way to newer work on the same partition.
pub(crate) fn supersede(out: &mut Out) {
    let older: Vec<RunId> = out
        .state
        .runs()
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
