//! What open wants still wait for is worked out anew when the ground they stand on moves: another graph
//! is registered, or files that they were to be made from are gone or altered.
//!
//! Only what is left of a want is planned; what it has got stays got. Runs under way are not touched.

use crate::decide::changes::ends::stop_orphans;
use crate::decide::out::Out;
use crate::decide::queries::targets::blocked_texts;
use crate::event::{Blocked, Event, RunEnded, SetText, WantReplanned};
use crate::graph::{DatasetIx, Graph, JobIx};
use crate::ids::{PlanId, RunId, WantId};
use crate::partition_set::PartitionSet;
use crate::planner::Plan;
use crate::state::{reads_the_same, Phase, State, Want};
use crate::{planner, reference};
use std::collections::BTreeMap;
use std::sync::Arc;

/// What is left of a want, in terms of the graph of that moment.
pub(crate) struct Rest {
    want: WantId,
    /// All outputs of the work it waits for.
    held: Vec<(DatasetIx, PartitionSet)>,
    /// What was asked for.
    targets: Vec<(DatasetIx, PartitionSet)>,
    /// The plan that it carries out.
    plan: Option<PlanId>,
}

/// What is left of all wants.
pub(crate) fn rests(state: &State) -> Vec<Rest> {
    let Some(registered) = state.followed() else { return Vec::new() };
    let graph = &registered.graph;
    let outputs_of = |(job, set): (&JobIx, &PartitionSet)| -> Vec<(DatasetIx, PartitionSet)> {
        graph.job(*job).outputs.iter().map(|output| (*output, set.clone())).collect()
    };
    state
        .wants()
        .values()
        .map(|want| Rest {
            want: want.id,
            held: want.remaining.iter().flat_map(outputs_of).collect(),
            targets: want.targets.iter().filter_map(|text| state.resolve_recorded(text)).collect(),
            plan: want.plan,
        })
        .collect()
}

/// Runs that wait to be tried again with what their job was: the job of the new graph does it instead.
pub(crate) fn retire_retries(out: &mut Out) {
    let registered = Arc::clone(out.state.registered());
    let outdated: Vec<RunId> = out
        .state
        .runs()
        .values()
        .filter(|run| matches!(run.phase, Phase::RetryWait(_)) && run.trial.is_none())
        .filter(|run| {
            let Some(job) = out.state.current_job(run) else { return true };
            let params = run.set.first().map(|key| out.state.params_for(job, &key)).unwrap_or_default();
            *out.state.provenance(run.made_by) != registered.digests_with(job, &params)
                || !reads_the_same(&run.graph.graph, run.job, &registered.graph, job)
        })
        .map(|run| run.id)
        .collect();
    for run in outdated {
        let message = "superseded by another version of its job".to_owned();
        out.event(Event::RunEnded(RunEnded { run, canceled: true, message }));
    }
}

/// Plans anew what is left of wants, which was taken down under the graph `before`.
/// Partitions in `lacking` are to be made and lack some input.
pub(crate) fn replan(out: &mut Out, before: &Graph, rests: Vec<Rest>, lacking: &[(JobIx, PartitionSet)]) {
    if rests.is_empty() {
        return;
    }
    // What carries out a plan adds nothing of its own, but it may wait for what others add.
    let (bound, free): (Vec<Rest>, Vec<Rest>) = rests.into_iter().partition(|rest| rest.plan.is_some());
    for rest in free.into_iter().chain(bound) {
        replan_one(out, before, &rest, lacking);
    }
    stop_orphans(out);
}

/// The same for all wants, when inputs turned out to be missing.
pub(crate) fn replan_all(out: &mut Out, lacking: &[(JobIx, PartitionSet)]) {
    let Some(registered) = out.state.followed().cloned() else { return };
    let rests = rests(out.state);
    replan(out, &registered.graph, rests, lacking);
}

fn replan_one(out: &mut Out, before: &Graph, rest: &Rest, lacking: &[(JobIx, PartitionSet)]) {
    let Some(want) = out.state.wants().get(&rest.want).cloned() else { return };
    let registered = Arc::clone(out.state.registered());
    let graph = &registered.graph;
    let mut blocked = Vec::new();
    let mut targets: Vec<(DatasetIx, PartitionSet)> = Vec::new();
    for (ix, set) in &rest.held {
        let earlier = before.dataset(*ix);
        let now = out.state.successor_of(before, *ix).and_then(|ix| Some((ix, graph.dataset(ix).producer?)));
        let mut lost = set.clone();
        if let Some((ix, job)) = now {
            let kept = set.within(&graph.dataset(ix).bounds(out.state.symbols()));
            lost.subtract_with(&kept);
            targets.push((ix, kept.subtract(&under_way(out.state, job))));
        }
        // Where nothing was declared otherwise, keys went.
        let retired = now.is_some_and(|(now, _)| graph.dataset(now).spaces == earlier.spaces);
        // What was only needed on the way may well be needed no more.
        for (_, asked) in rest.targets.iter().filter(|(target, _)| target == ix) {
            let lost = lost.intersect(asked);
            if !lost.is_empty() {
                let (dims, spaces) = (&earlier.dims, &earlier.spaces);
                let partitions =
                    reference::format_set(&earlier.name, dims, spaces, &lost, out.state.symbols());
                let how = if retired { "has a key that is retired" } else { "is not in the graph any more" };
                let reason = format!("`{}` {how}", partitions.join(", "));
                blocked.push(Blocked { partitions, reason });
            }
        }
    }
    let forced: Vec<(JobIx, PartitionSet)> = want
        .remaining
        .iter()
        .map(|(job, set)| {
            let mut forced = out.state.work(*job).forced.clone();
            // What failed once is made whatever its state, too, so it has to have its inputs.
            forced.union_with(&out.state.work(*job).live.subtract(&under_way(out.state, *job)));
            lacking.iter().filter(|(other, _)| other == job).for_each(|(_, set)| forced.union_with(set));
            (*job, set.intersect(&forced))
        })
        .collect();
    let plan =
        out.state.at(want.as_of, |state| planner::plan_rest(state, &targets, want.refresh, &forced, &[]));

    // What looks current now may yet be changed by what is under way; it is cut off when its turn comes.
    let mut work: BTreeMap<JobIx, PartitionSet> = want.remaining.clone();
    for (job, set, _) in &plan.blocked {
        let stays = under_way(out.state, *job);
        if let Some(held) = work.get_mut(job) {
            held.subtract_with(&set.subtract(&stays));
        }
    }
    for (job, set, _) in &plan.skipped {
        if let Some(held) = work.get_mut(job) {
            held.subtract_with(set);
        }
    }
    match rest.plan {
        None => {
            for entry in &plan.jobs {
                let shape = graph.home(entry.job).shape;
                work.entry(entry.job).or_insert_with(|| PartitionSet::empty(shape)).union_with(&entry.work());
            }
        }
        Some(id) => {
            blocked.extend(out.state.at(want.as_of, |state| give_up_more(state, id, &plan, &mut work)))
        }
    }
    blocked.extend(undeclared(out.state, &want, &mut work));
    blocked.extend(blocked_texts(out.state, &plan));
    work.retain(|_, set| !set.is_empty());
    let same = work.iter().eq(want.remaining.iter().filter(|(_, set)| !set.is_empty()));
    // A run that made it for a job of the graph before may make nothing for the one of now.
    let pending = work.iter().all(|(job, set)| set.is_subset(&out.state.work(*job).pending()));
    if same && blocked.is_empty() && pending {
        return;
    }
    let texts = |(job, set): (&JobIx, &PartitionSet)| out.state.work_text(*job, set);
    let work: SetText = work.iter().flat_map(texts).collect();
    out.event(Event::WantReplanned(WantReplanned {
        want: rest.want,
        work,
        successors: SetText::new(),
        blocked,
        whole: false,
    }));
}

/// Ends the wait of wants for runs with values that their job does not take any more.
pub(crate) fn give_up_undeclared(out: &mut Out) {
    let invoked =
        out.state.wants().values().filter(|want| want.invoked.is_some()).cloned().collect::<Vec<_>>();
    for want in invoked {
        let mut work = want.remaining.clone();
        if let Some(blocked) = undeclared(out.state, &want, &mut work) {
            let texts = |(job, set): (&JobIx, &PartitionSet)| out.state.work_text(*job, set);
            let work: SetText = work.iter().flat_map(texts).collect();
            let (successors, blocked) = (SetText::new(), vec![blocked]);
            let want = want.id;
            out.event(Event::WantReplanned(WantReplanned { want, work, successors, blocked, whole: false }));
        }
    }
}

/// Takes from the work of a want what it invokes by hand with a parameter that the job does not have any more.
fn undeclared(state: &State, want: &Want, work: &mut BTreeMap<JobIx, PartitionSet>) -> Option<Blocked> {
    let invoked = want.invoked.as_ref()?;
    let job = state.graph().job(invoked.job);
    let name = invoked.params.keys().find(|name| !job.params.contains_key(*name))?;
    let stays = under_way(state, invoked.job);
    let held = work.get_mut(&invoked.job)?;
    let lost = held.subtract(&stays);
    held.subtract_with(&lost);
    let reason = format!("{} has no parameter `{name}` any more", job.label);
    (!lost.is_empty()).then(|| Blocked { partitions: state.work_text(invoked.job, &lost), reason })
}

/// Partitions that an attempt is making and no successor is queued for.
fn under_way(state: &State, job: JobIx) -> PartitionSet {
    let mut set = PartitionSet::empty(state.graph().home(job).shape);
    for run in state.runs().values().filter(|run| !matches!(run.phase, Phase::RetryWait(_))) {
        if state.occupied_by(run).contains(&job) {
            set.union_with(&run.set.subtract(&state.work(job).todo));
        }
    }
    set
}

/// Takes from the work of a want that carries out a plan whatever would need more than it has, with the
/// reason. What others have queued, or a run under way makes as well as a new one would, is no addition.
fn give_up_more(
    state: &mut State,
    id: PlanId,
    plan: &Plan,
    work: &mut BTreeMap<JobIx, PartitionSet>,
) -> Vec<Blocked> {
    let registered = Arc::clone(state.registered());
    let graph = &registered.graph;
    let mut lost: Vec<PartitionSet> =
        graph.datasets().map(|(_, dataset)| PartitionSet::empty(dataset.shape)).collect();
    let mut first = None;
    for entry in &plan.jobs {
        let mut more = entry.certain.union(&entry.if_changed).subtract(&state.work(entry.job).todo);
        if let Some(held) = work.get(&entry.job) {
            more.subtract_with(held);
        }
        if !more.is_empty() {
            first.get_or_insert_with(|| state.work_text(entry.job, &more).remove(0));
            for output in &graph.job(entry.job).outputs {
                lost[output.0].union_with(&more);
            }
        }
    }
    let Some(first) = first else { return Vec::new() };
    let mut blocked = Vec::new();
    for (ix, job) in graph.jobs() {
        let Some(held) = work.get_mut(&ix) else { continue };
        let mut given_up = PartitionSet::empty(held.shape());
        for input in job.inputs.iter().filter(|input| !lost[input.dataset.0].is_empty()) {
            let home = graph.side(job.outputs[0], state.extents());
            let read = graph.side(input.dataset, state.extents());
            let lost = &lost[input.dataset.0];
            given_up.union_with(&input.mapping.dependents_of(&home, &read, lost, held));
        }
        given_up.subtract_with(&under_way(state, ix));
        if given_up.is_empty() {
            continue;
        }
        held.subtract_with(&given_up);
        for output in &job.outputs {
            lost[output.0].union_with(&given_up);
        }
        let reason = format!("`{first}` would have to be built, which {id} does not have; plan again");
        blocked.push(Blocked { partitions: state.work_text(ix, &given_up), reason });
    }
    blocked
}
