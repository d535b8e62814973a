//! Fills the API's types from the state: pure reading, no request and no response.

use crate::api::{
    DatasetSummary, Estimate, JobProgress, PartitionRow, PartitionState, PlanGroup, PlanView, Progress,
};
use databuild_core::event::{PlanCreated, PlanRow, PlanRowKind};
use databuild_core::graph::DatasetIx;
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::state::{State, Verdict, Want};
use std::collections::BTreeMap;

/// References shown for one group of a plan.
const MOST_REFERENCES: usize = 20;

/// Sets of a dataset's partitions by state, within some set. Exact: suspects are compared first.
pub(super) struct Standing {
    pub(super) building: PartitionSet,
    pub(super) failed: PartitionSet,
    pub(super) missing: PartitionSet,
    pub(super) stale: PartitionSet,
    pub(super) empty: PartitionSet,
    /// Reasons for `missing` and `stale`.
    pub(super) reasons: Vec<(Verdict, PartitionSet)>,
}

/// Where the partitions of `set` stand.
pub(super) fn standing(state: &mut State, ix: DatasetIx, set: &PartitionSet) -> Standing {
    let producer = state.graph().dataset(ix).producer;
    let none = || PartitionSet::empty(set.shape());
    let Some(job) = producer else {
        let facts = state.dataset(ix);
        let missing = set.subtract(&facts.present);
        let stale = set.intersect(&facts.present).intersect(&facts.unsound());
        let reasons = vec![(Verdict::Missing, missing.clone()), (Verdict::Tainted, stale.clone())];
        return Standing { building: none(), failed: none(), stale, empty: none(), reasons, missing };
    };
    state.settle(job, set);
    let reasons = state.outdated(job, set);
    let mut missing = none();
    let mut stale = none();
    for (verdict, part) in &reasons {
        match verdict {
            Verdict::Missing | Verdict::Vanished => missing.union_with(part),
            _ => stale.union_with(part),
        }
    }
    let facts = state.dataset(ix);
    Standing {
        building: set.intersect(&state.work(job).live),
        // What is current lacks nothing, whatever a run after the one that made it came to.
        failed: missing.union(&stale).intersect(&facts.failed),
        empty: set.intersect(&facts.empty),
        missing,
        stale,
        reasons,
    }
}

impl Standing {
    /// State and reason of one partition.
    pub(super) fn of(&self, key: &PartitionKey) -> (PartitionState, Option<Verdict>) {
        let reason = self.reasons.iter().find(|(_, set)| set.contains(key)).map(|(verdict, _)| *verdict);
        let state = if self.building.contains(key) {
            PartitionState::Building
        } else if self.failed.contains(key) {
            PartitionState::Failed
        } else if self.missing.contains(key) {
            PartitionState::Missing
        } else if self.stale.contains(key) {
            PartitionState::Stale
        } else if self.empty.contains(key) {
            PartitionState::Empty
        } else {
            PartitionState::Current
        };
        (state, reason)
    }
}

/// Counts of a dataset, each partition in one of them. `behind` are those that something upstream may change.
fn summary(
    state: &State,
    ix: DatasetIx,
    set: &PartitionSet,
    at: &Standing,
    behind: &PartitionSet,
) -> DatasetSummary {
    let dataset = state.graph().dataset(ix);
    // As one partition is called: see [`Standing::of`].
    let idle = |part: &PartitionSet| part.subtract(&at.building);
    let failed = idle(&at.failed);
    let missing = idle(&at.missing).subtract(&failed);
    let stale = idle(&at.stale).subtract(&failed);
    let behind = idle(behind).intersect(set).subtract(&at.missing).subtract(&at.stale).len();
    let others = at.building.len() + failed.len() + missing.len() + stale.len() + behind;
    DatasetSummary {
        dataset: dataset.name.clone(),
        external: dataset.external,
        dims: dataset.dims.clone(),
        total: set.len(),
        current: set.len().saturating_sub(others),
        behind,
        missing: missing.len(),
        stale: stale.len(),
        building: at.building.len(),
        failed: failed.len(),
    }
}

/// Counts of all datasets, over all keys that exist now.
pub(super) fn summaries(state: &mut State) -> Vec<DatasetSummary> {
    let Some(registered) = state.graph.clone() else { return Vec::new() };
    let graph = &registered.graph;
    let standings: BTreeMap<DatasetIx, (PartitionSet, Standing)> = graph
        .datasets()
        .map(|(ix, dataset)| {
            let all = PartitionSet::full(dataset.shape, state.extents().of(ix));
            let at = standing(state, ix, &all);
            (ix, (all, at))
        })
        .collect();
    let behind = behind(state, &standings);
    let none = |ix: DatasetIx| PartitionSet::empty(graph.dataset(ix).shape);
    standings
        .iter()
        .map(|(ix, (all, at))| {
            summary(state, *ix, all, at, &behind.get(ix).cloned().unwrap_or_else(|| none(*ix)))
        })
        .collect()
}

/// What a build may make anew since something upstream is not current, by dataset.
fn behind(
    state: &State,
    standings: &BTreeMap<DatasetIx, (PartitionSet, Standing)>,
) -> BTreeMap<DatasetIx, PartitionSet> {
    let graph = state.graph();
    let mut behind: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    // Jobs are in an order in which what is read comes before what reads it.
    for (_, job) in graph.jobs() {
        let home = job.outputs[0];
        let mut dependents = PartitionSet::empty(graph.dataset(home).shape);
        for input in &job.inputs {
            let Some((_, at)) = standings.get(&input.dataset) else { continue };
            let mut off = at.missing.union(&at.stale);
            if let Some(more) = behind.get(&input.dataset) {
                off.union_with(more);
            }
            if off.is_empty() {
                continue;
            }
            let (made, read) =
                (graph.side(home, state.extents()), graph.side(input.dataset, state.extents()));
            dependents.union_with(&input.mapping.dependents_of(&made, &read, &off));
        }
        for output in &job.outputs {
            behind.insert(*output, dependents.clone());
        }
    }
    behind
}

/// Rows for the partitions of `set` in the wanted state, from the one numbered `skip` on.
pub(super) fn rows(
    state: &mut State,
    ix: DatasetIx,
    set: &PartitionSet,
    wanted: Option<PartitionState>,
    skip: usize,
    limit: usize,
) -> (Vec<PartitionRow>, bool) {
    let at = standing(state, ix, set);
    let mut matching = set
        .iter()
        .map(|key| {
            let (state, reason) = at.of(&key);
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
            reason: reason.map(|verdict| verdict.code().to_owned()),
            source: state.dataset(ix).adopted.contains(&key).then(|| "adopted".to_owned()),
            // The history knows of these.
            warnings: 0,
        })
        .collect();
    (rows, matching.next().is_some())
}

/// A plan, grouped by job and reason.
pub(super) fn plan(shown: PlanCreated, kept: bool, estimate: Estimate, seq: u64) -> PlanView {
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
        estimate,
        seq,
    }
}

/// Number of runs that a plan has for certain, and of those that depend on changes.
pub(super) fn plan_counts(plan: &PlanCreated) -> (u64, u64) {
    let count = |kind| plan.rows.iter().filter(|row| row.kind == kind).map(|row| row.count).sum();
    (count(PlanRowKind::Certain), count(PlanRowKind::IfChanged))
}

/// How far a live want is.
pub(super) fn progress(state: &State, want: &Want) -> Progress {
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

pub(super) fn shortened(mut texts: Vec<String>) -> Vec<String> {
    if texts.len() > MOST_REFERENCES {
        let more = texts.len() - MOST_REFERENCES;
        texts.truncate(MOST_REFERENCES);
        texts.push(format!("… and {more} more"));
    }
    texts
}
