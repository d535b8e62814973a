//! The upstream walk: all partitions that a set of targets depends on. Inputs that runs found are followed like
//! declared ones.

use crate::event::Refresh;
use crate::graph::{DatasetIx, JobIx, Omissions};
use crate::partition_set::{PartitionKey, PartitionSet};
use crate::state::State;

/// Partitions that matter for some targets.
#[derive(Debug, Clone)]
pub struct Closure {
    /// For each job of the graph: partitions of its outputs that are wanted or needed.
    pub jobs: Vec<PartitionSet>,
    /// For each dataset of the graph: partitions that are wanted or read.
    pub datasets: Vec<PartitionSet>,
    /// Of `jobs`: partitions that cannot be built since a key they need lies beyond an edge that fails.
    pub failing: Vec<(JobIx, PartitionSet)>,
    /// Of the targets: partitions left out because an edge rule says so.
    pub skipped: Vec<(JobIx, PartitionSet)>,
    /// What partitions that are there were made from beside their declared inputs; it is in `datasets`, too.
    pub found: Vec<FoundInput>,
}

/// An input that nobody declared: the run that made a partition found that it needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundInput {
    /// The job of the partition.
    pub job: JobIx,
    /// The partition.
    pub key: PartitionKey,
    /// Dataset of the input.
    pub dataset: DatasetIx,
    /// The input.
    pub input: PartitionKey,
}

/// Walks upstream from `targets`. With [`Refresh::Missing`] only what is missing is followed.
#[must_use]
pub fn closure(state: &State, targets: &[(DatasetIx, PartitionSet)], refresh: Refresh) -> Closure {
    closure_of(state, targets, refresh, &[], &[])
}

/// The same, for a state that does not know yet that some partitions are gone: they are followed as what is missing.
#[must_use]
pub fn closure_with_gone(
    state: &State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    gone: &[(DatasetIx, PartitionSet)],
) -> Closure {
    let made =
        |(ix, set): &(DatasetIx, PartitionSet)| Some((state.graph().dataset(*ix).producer?, set.clone()));
    closure_of(state, targets, refresh, &gone.iter().filter_map(made).collect::<Vec<_>>(), &[])
}

/// The same; what is forced is followed whatever its state, and found inputs that are `lost` are not followed.
pub(super) fn closure_of(
    state: &State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    forced: &[(JobIx, PartitionSet)],
    lost: &[FoundInput],
) -> Closure {
    let mut found = Vec::new();
    loop {
        let (closure, followed) = walk(state, targets, refresh, forced, found);
        // What was found may be upstream of what was walked before it, so the walk is made again until nothing is new.
        let mut more = found_by(state, &followed);
        more.retain(|found| !lost.contains(found));
        if more.len() == closure.found.len() {
            return closure;
        }
        found = more;
    }
}

/// One walk; also, for each job, the partitions whose inputs matter.
fn walk(
    state: &State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    forced: &[(JobIx, PartitionSet)],
    found: Vec<FoundInput>,
) -> (Closure, Vec<PartitionSet>) {
    let graph = state.graph();
    let extents = state.extents();
    let mut datasets: Vec<PartitionSet> =
        graph.datasets().map(|(_, dataset)| PartitionSet::empty(dataset.shape)).collect();
    let mut jobs: Vec<PartitionSet> =
        graph.jobs().map(|(ix, _)| PartitionSet::empty(graph.home(ix).shape)).collect();
    for (ix, set) in targets {
        datasets[ix.0].union_with(set);
    }
    for found in &found {
        datasets[found.dataset.0].insert(&found.input);
    }
    let mut followed = jobs.clone();
    let mut failing = Vec::new();
    let mut skipped = Vec::new();
    // Jobs stand in dependency order, so by the time a job is met all that reads it has been.
    for (ix, job) in graph.jobs().rev() {
        let mut needed = PartitionSet::empty(graph.home(ix).shape);
        for output in &job.outputs {
            needed.union_with(&datasets[output.0]);
        }
        if needed.is_empty() {
            continue;
        }
        let mut follow = match refresh {
            Refresh::Missing => {
                let mut missing = state.absent(ix, &needed);
                for (_, set) in forced.iter().filter(|(job, _)| *job == ix) {
                    missing.union_with(&needed.intersect(set));
                }
                missing
            }
            Refresh::Stale | Refresh::All => needed.clone(),
        };
        let Omissions { failing: job_failing, skipped: job_skipped } = graph.omissions(extents, ix, &follow);
        follow.subtract_with(&job_failing);
        follow.subtract_with(&job_skipped);
        for (at, input) in job.inputs.iter().enumerate() {
            datasets[input.dataset.0].union_with(&graph.inputs_of(extents, ix, at, &follow));
        }
        needed.subtract_with(&job_failing);
        needed.subtract_with(&job_skipped);
        if !job_failing.is_empty() {
            failing.push((ix, job_failing));
        }
        if !job_skipped.is_empty() {
            skipped.push((ix, job_skipped));
        }
        jobs[ix.0] = needed;
        followed[ix.0] = follow;
    }
    (Closure { jobs, datasets, failing, skipped, found }, followed)
}

/// What was found by the runs that made these partitions, by job. What is no more in the graph, or is none of today's
/// keys, cannot be looked at or built, and says nothing.
fn found_by(state: &State, followed: &[PartitionSet]) -> Vec<FoundInput> {
    let graph = state.graph();
    let mut found = Vec::new();
    for (job, entry) in graph.jobs() {
        let followed = &followed[job.0];
        for output in &entry.outputs {
            let facts = state.dataset(*output);
            if facts.discovered.is_empty() || followed.is_empty() {
                continue;
            }
            for key in followed.intersect(&facts.present).iter() {
                for text in state.discovered(*output, &key) {
                    let Some((dataset, input)) = state.located_one(text) else { continue };
                    let mut keys = state.extents().of(dataset).iter().zip(&input.0);
                    if keys.all(|(extent, key)| extent.contains(*key)) {
                        found.push(FoundInput { job, key: key.clone(), dataset, input });
                    }
                }
            }
        }
    }
    found
}
