//! What a plan rests on, in digests small enough to be kept with it.
//!
//! A plan follows from the jobs that make what matters and from what is known of the partitions that
//! matter: which are there, with which data, made by what, and which are being made. As long as all of
//! that is as it was, planning anew gives the same plan.
//!
//! Partitions are taken together in equal groups, so that a plan over a million of them keeps a few
//! thousand numbers and can still say roughly which of them changed.

use super::closure::Closure;
use crate::digest::{hash64, mix, sha256_of_texts};
use crate::event::{DatasetGround, Grounds, JobGround};
use crate::graph::{DatasetIx, JobIx};
use crate::partition_set::PartitionSet;
use crate::state::State;
use crate::text::and_more;

/// Digests of all datasets of a plan, at most (but one for each dataset in any case).
const MOST_DIGESTS: usize = 4096;
/// Digests of one dataset, at most.
const MOST_OF_ONE: usize = 256;
/// References named for one dataset that changed.
const MOST_NAMED: usize = 3;

/// What a plan over `matters` rests on.
#[must_use]
pub(crate) fn grounds(state: &State, matters: &Closure) -> Grounds {
    let graph = state.graph();
    let needed = |ix: JobIx| {
        !matters.jobs[ix.0].is_empty() || matters.failing.iter().any(|(failing, ..)| *failing == ix)
    };
    let jobs = graph
        .jobs()
        .filter(|(ix, _)| needed(*ix))
        .map(|(ix, job)| JobGround { job: job.label.clone(), digest: job_digest(state, ix) })
        .collect();
    let sets = sets(state, matters);
    let each = (MOST_DIGESTS / sets.len().max(1)).clamp(1, MOST_OF_ONE);
    let datasets = sets
        .iter()
        .map(|(ix, set)| DatasetGround {
            dataset: graph.dataset(*ix).name.clone(),
            partitions: set.len(),
            digests: groups(set, each).iter().map(|group| group_digest(state, *ix, group)).collect(),
        })
        .collect();
    Grounds { jobs, datasets }
}

/// What differs between the grounds of a plan and those of now, for people; none if it still holds.
#[must_use]
pub(crate) fn changes(state: &State, matters: &Closure, then: &Grounds) -> Vec<String> {
    let now = grounds(state, matters);
    let then = &renamed(state, then);
    if in_order(now.clone()) == in_order(then.clone()) {
        return Vec::new();
    }
    let mut found = Vec::new();
    for job in &now.jobs {
        match then.jobs.iter().find(|before| before.job == job.job) {
            Some(before) if before.digest == job.digest => {}
            Some(_) => found.push(format!(
                "job {} is not as it was (its code, arguments, environment, paths or inputs)",
                job.job
            )),
            None => found.push(format!("job {} is needed, which it was not", job.job)),
        }
    }
    for job in then.jobs.iter().filter(|job| !now.jobs.iter().any(|other| other.job == job.job)) {
        let gone = state.graph().job_labeled(&job.job).is_none();
        let how = if gone { "is not in the graph any more" } else { "is not needed any more" };
        found.push(format!("job {} {how}", job.job));
    }
    let sets = sets(state, matters);
    for (ground, (ix, set)) in now.datasets.iter().zip(&sets) {
        match then.datasets.iter().find(|before| before.dataset == ground.dataset) {
            None => found.push(format!("`{}` is needed, which it was not", ground.dataset)),
            Some(before) if before == ground => {}
            Some(before)
                if before.partitions != ground.partitions || before.digests.len() != ground.digests.len() =>
            {
                found.push(format!(
                    "{} partitions of `{}` matter, where it was {}",
                    ground.partitions, ground.dataset, before.partitions
                ));
            }
            Some(before) => {
                let mut changed = PartitionSet::empty(set.shape());
                let groups = groups(set, ground.digests.len());
                for (at, group) in groups.iter().enumerate() {
                    if before.digests.get(at) != ground.digests.get(at) {
                        changed.union_with(group);
                    }
                }
                let exact = groups.iter().all(|group| group.len() == 1);
                found.push(changed_text(state, *ix, &changed, exact));
            }
        }
    }
    for dataset in &then.datasets {
        if !now.datasets.iter().any(|other| other.dataset == dataset.dataset) {
            found.push(format!("`{}` does not matter any more", dataset.dataset));
        }
    }
    found
}

/// Grounds in the words of the current graph.
fn renamed(state: &State, grounds: &Grounds) -> Grounds {
    let graph = state.graph();
    let mut grounds = grounds.clone();
    for ground in &mut grounds.jobs {
        if let Some(job) = graph.job_once_labeled(&ground.job) {
            graph.job(job).label.clone_into(&mut ground.job);
        }
    }
    for ground in &mut grounds.datasets {
        if let Some(ix) = graph.dataset_once_named(&ground.dataset) {
            graph.dataset(ix).name.clone_into(&mut ground.dataset);
        }
    }
    grounds
}

/// In which order the graph has them makes no difference.
fn in_order(mut grounds: Grounds) -> Grounds {
    grounds.jobs.sort_by(|a, b| a.job.cmp(&b.job));
    grounds.datasets.sort_by(|a, b| a.dataset.cmp(&b.dataset));
    grounds
}

fn changed_text(state: &State, ix: DatasetIx, changed: &PartitionSet, exact: bool) -> String {
    let mut texts = state.set_text(ix, changed);
    let more = texts.len().saturating_sub(MOST_NAMED);
    texts.truncate(MOST_NAMED);
    let more = and_more(more);
    let within = if exact { "" } else { "something in " };
    let verb = if exact && changed.len() > 1 { "are not as they were" } else { "is not as it was" };
    format!("{within}`{}`{more} {verb}", texts.join("`, `"))
}

/// All partitions that matter, by dataset.
fn sets(state: &State, matters: &Closure) -> Vec<(DatasetIx, PartitionSet)> {
    let graph = state.graph();
    graph
        .datasets()
        .map(|(ix, dataset)| {
            let mut set = matters.datasets[ix.0].clone();
            if let Some(job) = dataset.producer {
                set.union_with(&matters.jobs[job.0]);
            }
            (ix, set)
        })
        .filter(|(_, set)| !set.is_empty())
        .collect()
}

/// At most `most` groups of equally many partitions, in order.
fn groups(set: &PartitionSet, most: usize) -> Vec<PartitionSet> {
    let size = set.len().div_ceil(most.max(1) as u64).max(1);
    let mut rest = set.clone();
    let mut groups = Vec::new();
    while !rest.is_empty() {
        let group = rest.take_first(size);
        rest.subtract_with(&group);
        groups.push(group);
    }
    groups
}

/// Digest of all that decides what a job makes. The mappings go in as this program writes them: a
/// program that writes them otherwise makes plans outdated, which costs no more than planning again.
fn job_digest(state: &State, ix: JobIx) -> u64 {
    let registered = state.registered();
    let graph = &registered.graph;
    let job = graph.job(ix);
    let digests = registered.digests_of(ix);
    let mut texts = vec![digests.code.clone(), digests.args.clone(), digests.template.clone()];
    texts.push(format!("{:?}", job.policy.on_code_change));
    texts.extend(job.outputs.iter().map(|output| graph.dataset(*output).origin().to_owned()));
    for input in &job.inputs {
        texts.push(input.name.clone());
        texts.push(graph.dataset(input.dataset).origin().to_owned());
        texts.push(format!("{:?}", input.mapping));
    }
    hash64(&sha256_of_texts(texts.iter().map(String::as_str)))
}

fn group_digest(state: &State, ix: DatasetIx, group: &PartitionSet) -> u64 {
    let facts = state.dataset(ix);
    let mut digest = set_digest(0, group);
    let (tainted, follows) = (facts.tainted.set(group.shape()), facts.follows.set(group.shape()));
    for set in [&facts.present, &facts.altered, &tainted, &follows] {
        digest = set_digest(digest, &group.intersect(set));
    }
    if let Some(job) = state.graph().dataset(ix).producer {
        let work = state.work(job);
        for set in [&work.todo, &work.live] {
            digest = set_digest(digest, &group.intersect(set));
        }
    }
    // Sums, since the order of provenances is the history's and not the state's.
    let mut sum: u64 = 0;
    for (made_by, set) in facts.counted_as() {
        let made = group.intersect(set);
        if !made.is_empty() {
            let digests = state.provenance(made_by);
            let texts = [digests.code.as_str(), digests.args.as_str(), digests.template.as_str()];
            sum = sum.wrapping_add(set_digest(hash64(&sha256_of_texts(texts)), &made));
        }
    }
    if !facts.entries.is_empty() {
        for (tuple, longs) in group.rows() {
            let row = tuple.iter().fold(1, |acc, key| mix(acc, u64::from(*key)));
            for (long, entry) in facts.entries.of_row(tuple, longs) {
                let partition = mix(row, u64::from(*long));
                sum = sum.wrapping_add(mix(mix(partition, entry.version), entry.inputs));
            }
        }
    }
    mix(digest, sum)
}

/// Mixes in which partitions a set has.
fn set_digest(seed: u64, set: &PartitionSet) -> u64 {
    let mut digest = mix(seed, set.len());
    for (tuple, longs) in set.rows() {
        digest = tuple.iter().fold(digest, |acc, key| mix(acc, u64::from(*key)));
        for (first, last) in longs.ranges() {
            digest = mix(mix(digest, u64::from(first)), u64::from(last));
        }
    }
    digest
}
