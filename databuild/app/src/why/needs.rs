//! What partitions are made from: the inputs that their job declares, and those that their runs found.

use databuild_core::graph::{DatasetIx, JobIx};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::planner::Plan;
use databuild_core::state::State;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Partitions of one dataset that others are made from.
#[derive(Debug)]
pub(super) struct Need {
    /// The dataset.
    pub(super) dataset: DatasetIx,
    /// The partitions.
    pub(super) set: PartitionSet,
    /// Runs found them. Another run may find others.
    pub(super) found: bool,
}

/// What `set` of `job` is made from: declared inputs in their order, then what runs found.
pub(super) fn needs(state: &State, job: JobIx, set: &PartitionSet) -> Vec<Need> {
    let graph = state.graph();
    // The plan says what is the matter with a job that reads too much to list.
    let declared = graph.job(job).inputs.iter().enumerate().filter_map(|(number, input)| {
        let set = graph.inputs_of(state.extents(), job, number, set).ok()?;
        Some(Need { dataset: input.dataset, set, found: false })
    });
    let mut found: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
    for (_, dataset, input) in found_by(state, job, set) {
        let empty = || PartitionSet::empty(graph.dataset(dataset).shape);
        found.entry(dataset).or_insert_with(empty).insert(&input);
    }
    let found = found.into_iter().map(|(dataset, set)| Need { dataset, set, found: true });
    declared.chain(found).collect()
}

/// The first of `set` of `job` that is made from that input.
pub(super) fn first_reader(
    state: &State,
    job: JobIx,
    set: &PartitionSet,
    (dataset, input): (DatasetIx, &PartitionKey),
) -> Option<PartitionKey> {
    let graph = state.graph();
    let home = graph.side(graph.job(job).outputs[0], state.extents());
    let read = graph.side(dataset, state.extents());
    let one = PartitionSet::single(graph.dataset(dataset).shape, input);
    let declared = graph.job(job).inputs.iter().filter(|declared| declared.dataset == dataset);
    let mut readers = declared.map(|declared| declared.mapping.dependents_of(&home, &read, &one, set));
    readers.find_map(|readers| readers.first()).or_else(|| {
        let mut found = found_by(state, job, set).into_iter();
        found.find(|(_, of, found)| *of == dataset && found == input).map(|(key, ..)| key)
    })
}

/// Partitions of `set` with what the runs that made them found. What today's graph does not have says nothing.
fn found_by(state: &State, job: JobIx, set: &PartitionSet) -> Vec<(PartitionKey, DatasetIx, PartitionKey)> {
    let graph = state.graph();
    let mut found = Vec::new();
    for output in &graph.job(job).outputs {
        let facts = state.dataset(*output);
        let there =
            facts.discovered.iter().filter(|(key, _)| set.contains(key) && facts.present.contains(key));
        for (key, texts) in there {
            let inputs = texts.iter().filter_map(|text| graph.locate(text, state.symbols()));
            found.extend(inputs.map(|(dataset, input)| (key.clone(), dataset, input)));
        }
    }
    found
}

/// Among `needed`: what a build would make since it is outdated itself, and all that it would make, or nobody can.
pub(super) fn work_of(plan: &Plan, job: JobIx, needed: &PartitionSet) -> (PartitionSet, PartitionSet) {
    let mut outdated = PartitionSet::empty(needed.shape());
    let mut all = outdated.clone();
    for entry in plan.jobs.iter().filter(|entry| entry.job == job) {
        outdated.union_with(&entry.certain.intersect(needed));
        all.union_with(&entry.work().intersect(needed));
    }
    for (_, set, _) in plan.blocked.iter().filter(|(blocked, ..)| *blocked == job) {
        all.union_with(&set.intersect(needed));
    }
    (outdated, all)
}

/// What is nearest upstream of `set` of `job`, at whatever distance, that a build would make, that nobody can make, or that is
/// external and not there: its dataset, the first of it, and how many there are.
pub(super) fn nearest_gap(
    state: &State,
    plan: &Plan,
    job: JobIx,
    set: &PartitionSet,
) -> Option<(DatasetIx, PartitionKey, u64)> {
    let mut seen = BTreeSet::from([job]);
    let mut ahead = VecDeque::from([(job, set.clone())]);
    while let Some((job, set)) = ahead.pop_front() {
        for need in needs(state, job, &set) {
            let gap = match state.graph().dataset(need.dataset).producer {
                Some(producer) => {
                    let (_, work) = work_of(plan, producer, &need.set);
                    if work.is_empty() && seen.insert(producer) {
                        ahead.push_back((producer, need.set));
                    }
                    work
                }
                // A run finds anew what it needs.
                None if need.found => continue,
                None => need.set.subtract(&state.dataset(need.dataset).present),
            };
            if let Some(first) = gap.first() {
                return Some((need.dataset, first, gap.len()));
            }
        }
    }
    None
}
