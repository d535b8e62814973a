//! Fills the API's types from the state: pure reading, no request and no response.

use crate::api::{
    DatasetSummary, Estimate, JobProgress, PartitionRow, PartitionState, PlanGroup, PlanView, Progress,
};
use databuild_core::event::{PlanCreated, PlanRow, PlanRowKind};
use databuild_core::graph::{Dataset, DatasetIx};
use databuild_core::mapping::Edge;
use databuild_core::partition_set::{Order, PartitionKey, PartitionSet};
use databuild_core::state::{Counts, Standing, State, Verdict, Want};

/// References shown for one group of a plan.
const MOST_REFERENCES: usize = 20;

/// State and reason of one partition.
pub(crate) fn state_of(at: &Standing, key: &PartitionKey) -> (PartitionState, Option<Verdict>) {
    let reason = at.reasons.iter().find(|(_, set)| set.contains(key)).map(|(verdict, _)| *verdict);
    let state = if at.building.contains(key) {
        PartitionState::Building
    } else if at.left_out.contains(key) {
        PartitionState::LeftOut
    } else if at.failed.contains(key) {
        PartitionState::Failed
    } else if at.missing.contains(key) {
        PartitionState::Missing
    } else if at.stale.contains(key) {
        PartitionState::Stale
    } else if at.empty.contains(key) {
        PartitionState::Empty
    } else {
        PartitionState::Current
    };
    (state, reason)
}

/// Counts of all datasets, over all keys that exist now.
pub(crate) fn summaries(state: &mut State) -> Vec<DatasetSummary> {
    let counts = state.counts();
    let Some(registered) = &state.graph else { return Vec::new() };
    registered.graph.datasets().zip(counts).map(|((_, dataset), counts)| summary(dataset, counts)).collect()
}

fn summary(dataset: &Dataset, counts: Counts) -> DatasetSummary {
    let Counts { total, current, behind, missing, stale, building, failed, left_out } = counts;
    DatasetSummary {
        dataset: dataset.name.clone(),
        external: dataset.external,
        dims: dataset.dims.clone(),
        total,
        current,
        behind,
        missing,
        stale,
        building,
        failed,
        left_out,
    }
}

/// Rows for the partitions of `set` in the wanted state, from the one numbered `skip` on.
pub(crate) fn rows(
    state: &mut State,
    ix: DatasetIx,
    set: &PartitionSet,
    wanted: Option<PartitionState>,
    skip: usize,
    limit: usize,
) -> (Vec<PartitionRow>, bool) {
    let at = state.standing(ix, set);
    let order = Order::of(&state.graph().dataset(ix).spaces, &state.symbols);
    let mut matching = order
        .partitions(set)
        .map(|key| {
            let (state, reason) = state_of(&at, &key);
            (key, state, reason)
        })
        .filter(|(_, state, _)| wanted.is_none_or(|wanted| *state == wanted))
        .skip(skip);
    let rows = matching
        .by_ref()
        .take(limit)
        .map(|(key, partition_state, reason)| PartitionRow {
            partition: state.partition_text(ix, &key),
            state: partition_state,
            reason: match reason {
                Some(Verdict::Missing) if fails(state, ix, &key) => Some("blocked".to_owned()),
                reason => reason.map(|verdict| verdict.code().to_owned()),
            },
            source: state.dataset(ix).adopted.contains(&key).then(|| "adopted".to_owned()),
            // The history knows of these.
            warnings: 0,
        })
        .collect();
    (rows, matching.next().is_some())
}

/// Whether an edge rule says that a partition cannot be made.
fn fails(state: &State, ix: DatasetIx, key: &PartitionKey) -> bool {
    let lack = |job| state.graph().lack(state.extents(), job, key);
    state.graph().dataset(ix).producer.and_then(lack).is_some_and(|lack| lack.rule == Edge::Fail)
}

/// A plan, grouped by job and reason.
pub(crate) fn plan(shown: PlanCreated, kept: bool, estimate: Estimate, seq: u64) -> PlanView {
    let (certain, if_changed) = plan_counts(&shown);
    let group = |row: PlanRow| PlanGroup {
        job: row.job,
        reason: row.reason,
        message: row.message,
        count: row.count,
        partitions: shortened(row.partitions),
    };
    let (blocked, rows): (Vec<_>, Vec<_>) =
        shown.rows.into_iter().partition(|row| row.kind == PlanRowKind::Blocked);
    let (left_out, rows): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.kind == PlanRowKind::LeftOut);
    PlanView {
        id: kept.then(|| shown.plan.to_string()),
        expires_at: kept.then(|| shown.expires_at.to_string()),
        targets: shortened(shown.targets),
        as_of: shown.as_of.to_string(),
        graph: shown.graph.to_string(),
        certain,
        if_changed,
        current: shown.current,
        groups: rows.into_iter().map(group).collect(),
        blocked: blocked.into_iter().map(group).collect(),
        left_out: left_out.into_iter().map(group).collect(),
        estimate,
        seq,
    }
}

/// Number of runs that a plan has for certain, and of those that depend on changes.
pub(crate) fn plan_counts(plan: &PlanCreated) -> (u64, u64) {
    let count = |kind| plan.rows.iter().filter(|row| row.kind == kind).map(|row| row.count).sum();
    (count(PlanRowKind::Certain), count(PlanRowKind::IfChanged))
}

/// How far a live want is.
pub(crate) fn progress(state: &State, want: &Want) -> Progress {
    let graph = state.graph();
    let mut jobs = Vec::new();
    let mut running = 0;
    for (job, set) in want.remaining.iter().filter(|(_, set)| !set.is_empty()) {
        let live = set.intersect(&state.work(*job).live).len();
        running += live;
        jobs.push(JobProgress { job: graph.job(*job).label.clone(), remaining: set.len(), running: live });
    }
    Progress {
        total: want.total,
        done: want.done,
        unchanged: want.unchanged,
        failed: want.failed,
        running,
        jobs,
    }
}

pub(crate) fn shortened(mut texts: Vec<String>) -> Vec<String> {
    if texts.len() > MOST_REFERENCES {
        let more = texts.len() - MOST_REFERENCES;
        texts.truncate(MOST_REFERENCES);
        texts.push(format!("… and {more} more"));
    }
    texts
}
