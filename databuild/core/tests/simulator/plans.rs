//! A planner that looks at every partition by itself, to hold the real one against.

use super::oracle::{made, Made};
use databuild_core::event::Refresh;
use databuild_core::graph::{DatasetIx, Graph, JobIx, OnCodeChange};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::planner::{self, Plan, Unseen};
use databuild_core::state::State;
use std::collections::BTreeSet;

type Partition = (DatasetIx, PartitionKey);
type Work = BTreeSet<(JobIx, PartitionKey)>;

/// A plan, partition by partition.
#[derive(Debug, Default, PartialEq)]
pub struct Naive {
    certain: Work,
    if_changed: Work,
    joined: Work,
    forced: Work,
    blocked: Work,
    skipped: Work,
    absent: BTreeSet<Partition>,
    tainted: BTreeSet<Partition>,
    unseen: BTreeSet<Partition>,
    current: u64,
}

/// What the real planner says, written out.
pub fn planned(
    state: &mut State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    unseen: &[Unseen],
) -> Naive {
    let plan: Plan = planner::plan_despite(state, targets, refresh, unseen);
    let mut all = Naive { current: plan.current, ..Naive::default() };
    for entry in &plan.jobs {
        let mut reasons = PartitionSet::empty(entry.certain.shape());
        for (_, set) in &entry.reasons {
            assert!(!reasons.intersects(set), "two reasons for one partition: {entry:?}");
            reasons.union_with(set);
        }
        assert_eq!(reasons, entry.work(), "a reason for each partition: {entry:?}");
        let keys = |set: &PartitionSet| set.iter().map(|key| (entry.job, key)).collect::<Vec<_>>();
        all.certain.extend(keys(&entry.certain));
        all.if_changed.extend(keys(&entry.if_changed));
        all.joined.extend(keys(&entry.joined));
        all.forced.extend(keys(&entry.forced));
    }
    all.blocked.extend(plan.blocked.iter().flat_map(|(job, set, _)| set.iter().map(|key| (*job, key))));
    all.skipped.extend(plan.skipped.iter().flat_map(|(job, set, _)| set.iter().map(|key| (*job, key))));
    all.tainted.extend(plan.tainted.iter().flat_map(|(ix, set)| set.iter().map(|key| (*ix, key))));
    let unseen = plan.unseen.iter().flat_map(|look| look.set.iter().map(|key| (look.dataset, key)));
    all.unseen.extend(unseen);
    all.absent.extend(plan.absent.iter().flat_map(|(ix, set)| set.iter().map(|key| (*ix, key))));
    all
}

/// What a look at each partition says.
pub fn enumerated(
    state: &State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    unseen: &[Unseen],
) -> Naive {
    let graph = state.graph();
    let mut plan = Naive::default();
    let targets: BTreeSet<Partition> =
        targets.iter().flat_map(|(ix, set)| set.iter().map(|key| (*ix, key))).collect();
    // Upstream: what is needed at all.
    let mut needed = targets.clone();
    let mut matters: Vec<BTreeSet<PartitionKey>> = vec![BTreeSet::new(); graph.jobs().len()];
    let mut dead: BTreeSet<Partition> = BTreeSet::new();
    for (ix, job) in graph.jobs().rev() {
        let mine: BTreeSet<PartitionKey> = needed
            .iter()
            .filter(|(dataset, _)| job.outputs.contains(dataset))
            .map(|(_, key)| key.clone())
            .collect();
        for key in mine {
            let missing = job.outputs.iter().any(|output| absent(state, *output, &key));
            let follow = refresh != Refresh::Missing || missing;
            match made(state, job.outputs[0], &key) {
                Made::Fails if follow => {
                    plan.blocked.insert((ix, key.clone()));
                    dead.extend(job.outputs.iter().map(|output| (*output, key.clone())));
                    continue;
                }
                Made::Skipped if follow => {
                    plan.skipped.insert((ix, key));
                    continue;
                }
                _ => {}
            }
            if follow {
                needed.extend(inputs(state, ix, &key));
            }
            matters[ix.0].insert(key);
        }
    }
    for (ix, key) in needed.iter().filter(|(ix, _)| graph.dataset(*ix).external) {
        if unseen.iter().any(|look| look.dataset == *ix && look.set.contains(key)) {
            plan.unseen.insert((*ix, key.clone()));
        } else if !state.dataset(*ix).present.contains(key) {
            plan.absent.insert((*ix, key.clone()));
            dead.insert((*ix, key.clone()));
        } else if unsound(state, *ix, key) {
            plan.tainted.insert((*ix, key.clone()));
            dead.insert((*ix, key.clone()));
        } else if targets.contains(&(*ix, key.clone())) {
            plan.current += 1;
        }
    }
    // Downstream: what is to be done.
    let mut changing: BTreeSet<Partition> = BTreeSet::new();
    let mut unknown: BTreeSet<Partition> = plan.unseen.clone();
    for (ix, job) in graph.jobs() {
        for key in &matters[ix.0] {
            let forced = refresh == Refresh::All
                && job.outputs.iter().any(|output| targets.contains(&(*output, key.clone())));
            let missing = job.outputs.iter().any(|output| absent(state, *output, key));
            let otherwise = refresh != Refresh::Missing && outdated_otherwise(state, ix, key);
            let outdated =
                missing || otherwise || refresh != Refresh::Missing && inputs_changed(state, ix, key);
            let read = all_inputs(state, ix, key);
            let touched = read.iter().any(|input| changing.contains(input))
                && (refresh != Refresh::Missing || outdated || forced);
            let at = (ix, key.clone());
            let outputs = job.outputs.iter().map(|output| (*output, key.clone()));
            let exposed = refresh != Refresh::Missing || outdated || forced;
            if exposed && read.iter().any(|input| unknown.contains(input)) {
                plan.blocked.insert(at);
                dead.extend(outputs.clone());
                unknown.extend(outputs);
                continue;
            }
            if !outdated && !forced && !touched {
                plan.current += 1;
                continue;
            }
            if read.iter().any(|input| dead.contains(input)) {
                plan.blocked.insert(at);
                dead.extend(outputs);
                continue;
            }
            changing.extend(outputs);
            // What is made anew upstream may come out as it was, unless it never was.
            let never = |(ix, key): &Partition| state.dataset(*ix).entries.get(key).is_none();
            let anew = touched && read.iter().any(|input| changing.contains(input) && never(input));
            let open = touched && !missing && !otherwise;
            if (!outdated || open) && !anew && !forced {
                plan.if_changed.insert(at);
            } else if !touched && !forced && joinable(state, ix, key) {
                plan.joined.insert(at);
            } else {
                plan.certain.insert(at.clone());
            }
            if forced {
                plan.forced.insert((ix, key.clone()));
            }
        }
    }
    plan
}

/// All that a partition reads by its mappings, made or not.
fn all_inputs(state: &State, job: JobIx, key: &PartitionKey) -> Vec<Partition> {
    let graph: &Graph = state.graph();
    let home = graph.side(graph.job(job).outputs[0], state.extents());
    let inputs = graph.job(job).inputs.iter();
    inputs
        .flat_map(|input| {
            let read = graph.side(input.dataset, state.extents());
            let needed = input.mapping.inputs_of_one(&home, &read, key).unwrap().needed;
            needed.iter().map(|key| (input.dataset, key)).collect::<Vec<_>>()
        })
        .collect()
}

/// The same without what is left out.
fn inputs(state: &State, job: JobIx, key: &PartitionKey) -> Vec<Partition> {
    let mut all = all_inputs(state, job, key);
    all.retain(|(ix, key)| made(state, *ix, key) != Made::Skipped);
    all
}

/// Nothing is there at the place where it belongs.
fn absent(state: &State, ix: DatasetIx, key: &PartitionKey) -> bool {
    let facts = state.dataset(ix);
    let job = state.graph().dataset(ix).producer.expect("a job makes it");
    let now = &state.registered().digests_of(job).template;
    !facts.present.contains(key)
        || facts.maker_of(key).is_some_and(|made_by| state.provenance(made_by).template != *now)
}

fn outdated_otherwise(state: &State, job: JobIx, key: &PartitionKey) -> bool {
    let registered = state.registered();
    let entry = registered.graph.job(job);
    let now = registered.digests_of(job);
    entry.outputs.iter().any(|output| {
        let facts = state.dataset(*output);
        let made_alike = facts.counted_as().filter(|(_, set)| set.contains(key)).any(|(made_by, _)| {
            let then = state.provenance(made_by);
            let code = then.code == now.code || entry.policy.on_code_change == OnCodeChange::Keep;
            code && then.args == now.args && then.template == now.template
        });
        facts.altered.contains(key) || unsound(state, *output, key) || !made_alike
    })
}

fn inputs_changed(state: &State, job: JobIx, key: &PartitionKey) -> bool {
    state.graph().job(job).outputs.iter().any(|output| {
        let recorded = state.dataset(*output).entries.get(key).map(|entry| entry.inputs);
        recorded != Some(state.inputs_digest(job, key))
    })
}

fn unsound(state: &State, ix: DatasetIx, key: &PartitionKey) -> bool {
    let facts = state.dataset(ix);
    facts.tainted.of(key).or(facts.follows.of(key)).is_some()
}

fn joinable(state: &State, job: JobIx, key: &PartitionKey) -> bool {
    state.runs().values().any(|run| {
        run.partitions().any(|(made, inputs)| made == *key && inputs == state.inputs_digest(job, key))
            && state.current_job(run) == Some(job)
            && !run.cancel_requested
            && state.provenance(run.made_by) == state.registered().digests_of(job)
            && run.tainted.of(key).is_none()
    })
}
