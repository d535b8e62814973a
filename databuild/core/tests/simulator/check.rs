//! What must hold after every step.

use super::world::first_text;
use databuild_core::decide::limits::{holders, opens_at, size, taken};
use databuild_core::decide::{AttemptSpec, Capacity, KeptPlans};
use databuild_core::event::{AttemptLeased, Event, PlanRowKind, Record, Refresh, WantOutcome};
use databuild_core::graph::{DatasetIx, Job, JobIx, Resource};
use databuild_core::ids::WantId;
use databuild_core::partition_set::PartitionSet;
use databuild_core::planner;
use databuild_core::state::{Phase, Standings, State, Want};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The state as lines, with everything compared that can be: two states of one log have equal ones.
pub fn fingerprint(state: &State) -> Vec<String> {
    let mut state = state.clone();
    let mut lines = vec![format!(
        "{} as of {}, {:?} {:?}",
        state.seq(),
        state.as_of(),
        state.last_want(),
        state.last_run()
    )];
    let Some(registered) = state.followed().cloned() else { return lines };
    let graph = &registered.graph;
    for (ix, job) in graph.jobs() {
        let mut all = PartitionSet::empty(graph.home(ix).shape);
        for output in &job.outputs {
            all.union_with(&state.dataset(*output).present);
        }
        state.settle(ix, &all);
    }
    for (ix, dataset) in graph.datasets() {
        let (name, facts) = (&dataset.name, state.dataset(ix));
        // Of what is neither there nor being made, nobody asks whether its inputs have changed.
        let mut inputs_changed = PartitionSet::empty(dataset.shape);
        let mut suspect = PartitionSet::empty(dataset.shape);
        if dataset.producer.is_some() {
            inputs_changed = facts.inputs_changed.intersect(&facts.present);
            // Nor of what has a retired key: it is compared when that comes back.
            inputs_changed = inputs_changed.within(&dataset.bounds(state.symbols()));
            suspect = facts.suspect.intersect(&being_made(&state, ix));
            // A lease does not tell whether these were compared before it; they are once it is over.
            facts.discovered.keys().for_each(|key| _ = suspect.remove(key));
        }
        let sets = [
            ("present", &facts.present),
            ("empty", &facts.empty),
            ("suspect", &suspect),
            ("inputs changed", &inputs_changed),
            ("altered", &facts.altered),
            ("vanished", &facts.vanished),
            ("failed", &facts.failed),
            ("adopted", &facts.adopted),
        ];
        for (what, set) in sets {
            lines.push(format!("{name} {what}: {:?}", set.iter().collect::<Vec<_>>()));
        }
        for (what, marks) in [("tainted", &facts.tainted), ("follows", &facts.follows)] {
            let marks = marks.iter().map(|(seq, set)| (seq, set.iter().collect::<Vec<_>>()));
            lines.extend(marks.map(|(seq, keys)| format!("{name} {what} by {seq}: {keys:?}")));
        }
        lines.push(format!("{name} spoiled: {:?}", facts.spoiled.iter().collect::<Vec<_>>()));
        lines.extend(facts.entries.iter().map(|(key, entry)| format!("{name} {key:?}: {entry:?}")));
        for (made_by, set) in facts.made_by.iter().filter(|(_, set)| !set.is_empty()) {
            let keys: Vec<_> = set.iter().collect();
            lines.push(format!("{name} made by {:?}: {keys:?}", state.provenance(*made_by)));
        }
        for ((seq, made_by), set) in &facts.accepted {
            let keys: Vec<_> = set.iter().collect();
            lines.push(format!("{name} accepted by {seq} as {:?}: {keys:?}", state.provenance(*made_by)));
        }
        for (made_by, set) in &facts.failed_by {
            let keys: Vec<_> = set.iter().collect();
            lines.push(format!("{name} failed by {:?}: {keys:?}", state.provenance(*made_by)));
        }
    }
    for (ix, job) in graph.jobs() {
        let work = state.work(ix);
        let sets = [
            ("todo", &work.todo),
            ("ready", &work.ready),
            ("live", &work.live),
            ("forced", &work.forced),
            ("by hand", &work.by_hand),
        ];
        for (what, set) in sets {
            lines.push(format!("{} {what}: {:?}", job.label, set.iter().collect::<Vec<_>>()));
        }
    }
    for trial in state.trials().values() {
        let graphs: Vec<_> = trial.graphs.iter().map(|graph| &graph.id).collect();
        lines.push(format!("{:?} {graphs:?} {:?} {:?}", trial.spec, trial.arms, trial.ended));
    }
    lines.push(format!("last trial {}", state.last_trial()));
    for want in state.wants().values() {
        let remaining = want.remaining.iter().filter(|(_, set)| !set.is_empty());
        let remaining: Vec<_> = remaining.map(|(job, set)| (job.0, set.iter().collect::<Vec<_>>())).collect();
        let counts = want.counts;
        let causes = &want.causes;
        let how = (want.plan, want.class, want.paused, &want.invoked, &want.asked, want.planned, want.rounds);
        lines.push(format!("{} {how:?} {counts:?} {causes:?} waits for {remaining:?}", want.id));
    }
    lines.push(format!("last plan {}", state.last_plan()));
    lines.push(format!("pools {:?}, starts {:?}", state.pool_sizes(), state.starts()));
    lines.extend(state.plans().values().map(|saved| format!("{saved:?}")));
    for run in state.runs().values() {
        lines.push(format!(
            "{} {} {:?} {:?} {} {} {:x?} {:?} {} {:?} {:?} {:?} {:?}",
            run.id,
            run.partition,
            run.set.iter().collect::<Vec<_>>(),
            run.phase,
            run.attempt,
            run.failures,
            run.inputs,
            state.provenance(run.made_by),
            run.cancel_requested,
            run.intended,
            (&run.tainted, run.spoiled.iter().collect::<Vec<_>>()),
            run.params,
            run.trial,
        ));
    }
    lines
}

/// Partitions of a dataset that live runs make. Runs of an earlier graph may make some outputs of a job and not the
/// others, which were compared before or are compared now.
fn being_made(state: &State, ix: DatasetIx) -> PartitionSet {
    let mut making = PartitionSet::empty(state.graph().dataset(ix).shape);
    for run in state.runs().values().filter(|run| run.trial.is_none()) {
        let graph = &run.graph.graph;
        let mut outputs = graph.job(run.job).outputs.iter();
        if outputs.any(|output| state.successor_of(graph, *output) == Some(ix)) {
            making.union_with(&run.set);
        }
    }
    making
}

/// What is known of data and of work.
pub fn known(state: &State) -> String {
    let dump = state.dump();
    format!("{:?} {:?} {:?} {:?}", dump.datasets, dump.retired, dump.work, dump.wants)
}

/// Compares two fingerprints; tells the first lines that differ.
pub fn same(live: &[String], replayed: &[String]) -> Result<(), String> {
    if live == replayed {
        return Ok(());
    }
    let (a, b): (BTreeSet<_>, BTreeSet<_>) = (live.iter().collect(), replayed.iter().collect());
    let only = |these: &BTreeSet<&String>, those: &BTreeSet<&String>| {
        these.difference(those).take(5).map(|line| format!("  {line}\n")).collect::<String>()
    };
    Err(format!("replay differs\nlive only:\n{}replay only:\n{}", only(&a, &b), only(&b, &a)))
}

/// How many partitions each open want is about.
pub fn totals(state: &State) -> BTreeMap<WantId, u64> {
    state.wants().values().map(|want| (want.id, want.counts.all() + want.left())).collect()
}

/// A partition that a want does not wait for any more is counted by how it ended, and once. Only who plans anew, or changes
/// what there is, changes what a want is about.
pub fn none_uncounted(before: &BTreeMap<WantId, u64>, after: &State, event: &Event) -> Result<(), String> {
    if matches!(event, Event::WantReplanned(_) | Event::GraphRegistered(_) | Event::KeysRetired(_)) {
        return Ok(());
    }
    for (want, total) in totals(after) {
        if before.get(&want).is_some_and(|before| *before != total) {
            return Err(format!("{want} is about {total} partitions after {event:?}"));
        }
    }
    Ok(())
}

/// A want that ends says how all its partitions ended; if it is satisfied, all ended well.
pub fn ends_counted(before: &State, event: &Event) -> Result<(), String> {
    let Event::WantEnded(ended) = event else { return Ok(()) };
    let Some(want) = before.wants().get(&ended.want) else { return Ok(()) };
    let counts = ended.counts.ok_or("a want ended uncounted")?;
    if counts.all() != want.counts.all() + want.left() {
        return Err(format!("{} ended with {counts:?} of {want:?}", want.id));
    }
    if ended.outcome == WantOutcome::Satisfied && counts.not_done() > 0 {
        return Err(format!("{} is satisfied with {counts:?}", want.id));
    }
    Ok(())
}

/// What holds in any state; external data is to be looked at for the wants in `looks`.
pub fn sound(state: &State, looks: &BTreeSet<WantId>) -> Result<(), String> {
    let Some(registered) = state.followed() else { return Ok(()) };
    let graph = &registered.graph;
    let mut held: Vec<PartitionSet> =
        graph.jobs().map(|(ix, _)| PartitionSet::empty(graph.home(ix).shape)).collect();
    for want in state.wants().values() {
        if want.is_done() && !looks.contains(&want.id) {
            return Err(format!("{} waits for nothing and has not ended", want.id));
        }
        for (job, set) in &want.remaining {
            held[job.0].union_with(set);
        }
    }
    let mut live = held.iter().map(|set| PartitionSet::empty(set.shape())).collect::<Vec<_>>();
    let mut made = BTreeSet::new();
    for run in state.runs().values() {
        for job in state.occupied_by(run) {
            live[job.0].union_with(&run.set);
        }
        let graph = &run.graph.graph;
        let most = graph.job(run.job).batch.map_or(1, |batch| u64::from(batch.max));
        if run.set.is_empty() || run.set.len() > most || run.inputs.len() as u64 != run.set.len() {
            return Err(format!("{} makes {:?} with inputs {:?}", run.id, run.set, run.inputs));
        }
        // What is only tried is made by nobody.
        for output in graph.job(run.job).outputs.iter().filter(|_| run.trial.is_none()) {
            for key in run.set.iter() {
                let text = first_text(&graph.dataset(*output).partition_text(&key, state.symbols()));
                if !made.insert(text.clone()) {
                    return Err(format!("two live runs make {text}"));
                }
            }
        }
    }
    for (ix, job) in graph.jobs() {
        let work = state.work(ix);
        let fail = |what: &str| Err(format!("{}: {what}: {work:?}", job.label));
        let queued = work.todo.subtract(&work.live);
        if work.live != live[ix.0] {
            return fail("live is not what runs make");
        }
        if !work.forced.is_subset(&work.todo) {
            return fail("forced work is not queued");
        }
        if !work.by_hand.is_subset(&work.todo) {
            return fail("what is queued by hand is not queued");
        }
        if work.todo.subtract(&held[ix.0]).first().is_some() {
            return fail("nobody wants what is queued");
        }
        if held[ix.0].subtract(&work.pending()).first().is_some() {
            return fail("somebody waits for what nobody will make");
        }
        if work.ready != queued.subtract(&state.waiting(ix, &queued)) {
            return fail("ready is not what waits for nothing");
        }
    }
    Ok(())
}

/// What holds after runs were started: nothing that they share is taken beyond what there is. Counted
/// anew from what jobs declare, for the started runs' resources only: a graph or a person may have made
/// one smaller while others held it.
pub fn within_limits(state: &State, capacity: Capacity, started: &[&AttemptSpec]) -> Result<(), String> {
    for spec in started {
        let started = spec.graph.graph.job(spec.job);
        for (resource, _) in &started.takes {
            let Some(size) = size(state, capacity, resource) else { continue };
            let mut used = 0;
            for run in state.runs().values().filter(|run| run.occupies_slot()) {
                let takes = &run.graph.graph.job(run.job).takes;
                let amount =
                    takes.iter().find(|(other, _)| other == resource).map_or(0, |(_, amount)| *amount);
                used += match resource {
                    Resource::Places | Resource::Memory => amount.min(size),
                    _ => amount,
                };
            }
            if used > size {
                return Err(format!(
                    "{} starts, and {used} of {size} are taken of {resource:?}",
                    spec.attempt
                ));
            }
        }
        if let Some(rate) = started.policy.rate {
            // Those of this step are the last ones. What the graph of then limited and that of now does not has none.
            let Some(starts) = state.starts().get(started.origin()) else { continue };
            if spec.graph.id == state.registered().id && starts.len() > rate.count as usize {
                return Err(format!("{}: {} starts are remembered", started.label, starts.len()));
            }
        }
    }
    Ok(())
}

/// Those of `set` that were made from something which a run found and which is queued or being made: only then is it
/// known whether there is anything to do for them.
fn awaits_found(state: &State, job: JobIx, set: &PartitionSet) -> PartitionSet {
    let mut awaiting = PartitionSet::empty(set.shape());
    for output in &state.graph().job(job).outputs {
        for (key, found) in state.dataset(*output).discovered.iter().filter(|(key, _)| set.contains(key)) {
            let pending = |text: &String| {
                let Some((ix, set)) = state.graph().locate_set(text, state.symbols()) else { return false };
                let work = state.graph().dataset(ix).producer.map(|producer| state.work(producer));
                work.is_some_and(|work| work.todo.intersects(&set) || work.live.intersects(&set))
            };
            if found.iter().any(pending) {
                awaiting.insert(key);
            }
        }
    }
    awaiting
}

/// Whether what is ready and fits is leased: only what waits and is looked at before, for something of which
/// there is too little, may hold up what needs the same.
pub fn nothing_waits_in_vain(state: &State, capacity: Capacity, now: Timestamp) -> Result<(), String> {
    let Some(registered) = state.followed() else { return Ok(()) };
    let used =
        |resource: &Resource| holders(state, capacity, resource).map(|(_, amount)| amount).sum::<u64>();
    let lacking = |job: &Job| {
        let lacks = |resource: &Resource, amount: u64| {
            let Some(size) = size(state, capacity, resource) else { return false };
            used(resource) + taken(capacity, resource, amount) > size
        };
        job.takes
            .iter()
            .filter(|(resource, amount)| lacks(resource, *amount))
            .map(|(r, _)| r.clone())
            .collect()
    };
    let mut waiting: Vec<(&Job, Vec<Resource>)> = Vec::new();
    // What waits for something that a run found is looked at in its turn, so it may hold up others.
    let mut later: Vec<(&Job, Vec<Resource>)> = Vec::new();
    for (ix, job) in registered.graph.jobs() {
        let ready = &state.work(ix).ready;
        let wants = state.wants().values().filter(|want| !want.paused);
        let held = wants.filter_map(|want| want.remaining.get(&ix));
        let awaits = awaits_found(state, ix, ready);
        let held: Vec<PartitionSet> = held.map(|held| held.intersect(ready)).collect();
        if held.iter().any(|held| !held.is_subset(&awaits)) {
            waiting.push((job, lacking(job)));
        } else if held.iter().any(|held| !held.is_empty()) {
            later.push((job, lacking(job)));
        }
    }
    for run in state.runs().values() {
        let due = matches!(run.phase, Phase::RetryWait(at) if at <= now);
        let pending = state.current_job(run).is_some_and(|job| !state.waiting(job, &run.set).is_empty());
        if due && run.suspended.is_none() && !pending && !state.is_held_back(run) {
            let job = run.graph.graph.job(run.job);
            waiting.push((job, lacking(job)));
        }
    }
    // Trials wait for each other.
    let arm = state.trials().values().find_map(|trial| Some((trial, trial.next_arm()?)));
    if let Some((trial, arm)) = arm {
        let sample = &trial.spec.samples[arm.sample as usize];
        if let Some((graph, job)) = trial.code_of(sample, arm.arm as usize) {
            let job = graph.graph.job(job);
            waiting.push((job, lacking(job)));
        }
    }
    for (job, lacks) in &waiting {
        if !lacks.is_empty() || opens_at(state, job, now).is_some() {
            continue;
        }
        let shares = |other: &Job| {
            let same = |(resource, _): &&(Resource, u64)| job.takes.iter().any(|(own, _)| own == resource);
            other.takes.iter().filter(same).count() > 0
        };
        let held_up = waiting.iter().chain(&later).any(|(other, lacks)| !lacks.is_empty() && shares(other));
        if !held_up {
            return Err(format!("{} could begin and does not", job.label));
        }
    }
    Ok(())
}

/// Whether what a want does that carries out a plan stands in that plan, before `event` is folded.
pub fn within_plan(state: &State, event: &Event) -> Result<(), String> {
    let sets = |texts: &[String]| {
        let mut found: BTreeMap<DatasetIx, PartitionSet> = BTreeMap::new();
        for text in texts {
            let located = state.graph().locate_set(text, state.symbols());
            let (ix, set) = located.ok_or_else(|| format!("{text} is not in the graph"))?;
            found.entry(ix).and_modify(|all| all.union_with(&set)).or_insert(set);
        }
        Ok::<_, String>(found)
    };
    let (want, work, most) = match event {
        Event::WantCreated(created) => {
            let Some(plan) = created.plan else { return Ok(()) };
            let rows = &state.plans()[&plan].plan.rows;
            let rows =
                rows.iter().filter(|row| !matches!(row.kind, PlanRowKind::Blocked | PlanRowKind::LeftOut));
            let shown: Vec<String> = rows.flat_map(|row| row.partitions.clone()).collect();
            (created.want, sets(&created.work)?, sets(&shown)?)
        }
        Event::WantReplanned(replanned) => {
            let want = &state.wants()[&replanned.want];
            if want.plan.is_none() {
                return Ok(());
            }
            let homes = want.remaining.iter();
            let held = homes.map(|(job, set)| (state.graph().job(*job).outputs[0], set.clone())).collect();
            (replanned.want, sets(&replanned.work)?, held)
        }
        _ => return Ok(()),
    };
    for (ix, set) in &work {
        let more = most.get(ix).map_or_else(|| set.clone(), |most| set.subtract(most));
        if let Some(key) = more.first() {
            return Err(format!("{want} carries out a plan without {}", state.partition_text(*ix, &key)));
        }
    }
    Ok(())
}

/// Whether nothing is left to do for a want that has just ended as satisfied; `state` is the fold up to its end.
pub fn nothing_left(state: &State, want: &Want) -> Result<(), String> {
    if want.plan.is_some() || want.invoked.is_some() {
        return Ok(());
    }
    let mut state = state.clone();
    let registered = state.registered().clone();
    let graph = &registered.graph;
    let mut targets = Vec::new();
    for (ix, set) in want.targets.iter().filter_map(|text| graph.locate_set(text, state.symbols())) {
        targets.push((ix, set.within(&graph.dataset(ix).bounds(state.symbols()))));
    }
    targets.extend(want.asked.iter().filter_map(|text| state.resolve_at(text, want.as_of).ok()));
    let refresh = if want.refresh == Refresh::Missing { Refresh::Missing } else { Refresh::Stale };
    let left = state.at(want.as_of, |state| planner::plan(state, &targets, refresh));
    // What somebody built for a later instant stays as it is.
    let latest = planner::plan(&mut state, &targets, refresh);
    for entry in left.jobs {
        let later = latest.jobs.iter().find(|later| later.job == entry.job);
        let both = later.map(|later| later.work().intersect(&entry.certain.union(&entry.joined)));
        if let Some(key) = both.and_then(|both| both.first()) {
            let text = state.partition_text(graph.job(entry.job).outputs[0], &key);
            return Err(format!("{} is satisfied, and {text} is to be built: {:?}", want.id, entry.reasons));
        }
    }
    Ok(())
}

/// Whether all inputs of an attempt that is leased are there, and nobody is making them anew; `state` is the fold
/// before its lease.
pub fn inputs_settled(state: &State, lease: &AttemptLeased) -> Result<(), String> {
    let registered = state.registered();
    if lease.trial.is_some() || lease.graph != registered.id {
        return Ok(());
    }
    let graph = &registered.graph;
    let extents = graph.extents(lease.as_of, state.symbols());
    let job = graph.job_labeled(&lease.job).expect("it is in the graph");
    let (_, made) = graph.locate_set(&lease.partition, state.symbols()).expect("it is in the graph");
    for (at, input) in graph.job(job).inputs.iter().enumerate() {
        let (name, ix, set) =
            (&input.name, &input.dataset, graph.inputs_of(&extents, job, at, &made).unwrap());
        let missing = set.subtract(&state.dataset(*ix).present);
        let pending = graph.dataset(*ix).producer.map(|job: JobIx| set.intersect(&state.work(job).pending()));
        for (what, keys) in [("not there", Some(missing)), ("being made", pending)] {
            if let Some(key) = keys.and_then(|keys| keys.first()) {
                let text = state.partition_text(*ix, &key);
                return Err(format!(
                    "{} ({}) starts, and its input {name} {text} is {what}",
                    lease.attempt, lease.partition
                ));
            }
        }
    }
    Ok(())
}

/// Whatever a partition holds, the event that the state names for it says so, under a text that the state knows.
pub fn history_has_what_is_held(state: &State, log: &[Record]) -> Result<(), String> {
    let Some(registered) = state.followed() else { return Ok(()) };
    for (ix, _) in registered.graph.datasets() {
        for (key, entry) in state.dataset(ix).entries.iter() {
            let holding = state.holding(ix, &key).expect("it has an entry");
            let record = usize::try_from(entry.seq.0).ok().and_then(|seq| log.get(seq.checked_sub(1)?));
            let told: Vec<(&str, &str)> = match record.map(|record| &record.event) {
                Some(Event::Materialized(e)) => {
                    e.outputs.iter().map(|one| (one.partition.as_str(), one.version.as_str())).collect()
                }
                Some(Event::Observed(e)) => {
                    e.partitions.iter().map(|one| (one.partition.as_str(), one.version.as_str())).collect()
                }
                Some(Event::Adopted(e)) => {
                    e.partitions.iter().map(|one| (one.partition.as_str(), one.version.as_str())).collect()
                }
                _ => Vec::new(),
            };
            let is_it = |(text, version): &(&str, &str)| {
                holding.texts.iter().any(|known| known == text) && holding.is(entry.seq, version)
            };
            if !told.iter().any(is_it) {
                return Err(format!("{} holds what {} does not say", holding.texts.join(" or "), entry.seq));
            }
        }
    }
    Ok(())
}

/// What was kept of earlier states is as if nothing had been, and as each partition stands by itself.
pub fn standings_are_those_worked_out_anew(kept: &Standings) -> Result<(), String> {
    let state = Arc::new(kept.state().clone());
    let anew = Standings::new(&state, state.as_of());
    let mut own = State::clone(&state);
    for (ix, dataset) in state.followed().iter().flat_map(|registered| registered.graph.datasets()) {
        let (counts, expected) = (kept.counts_of(ix), anew.counts_of(ix));
        if counts != expected {
            return Err(format!("counts of {} are {counts:?}, not {expected:?}", dataset.name));
        }
        // Retired keys as well.
        let keys = dataset.extents_with_retired(state.as_of(), state.symbols());
        let all = PartitionSet::full(dataset.shape, &keys);
        let ((at, behind), expected) = (kept.standing(ix, &all), anew.standing(ix, &all));
        if (&at, &behind) != (&expected.0, &expected.1) || at != own.standing(ix, &all) {
            return Err(format!("{} stands otherwise: {at:?}, behind {behind:?}", dataset.name));
        }
        let exist = PartitionSet::full(dataset.shape, state.extents().of(ix));
        let (at, behind) = kept.standing(ix, &exist);
        let rest = |set: &PartitionSet| set.subtract(&at.building).subtract(&at.failed).len();
        let told = [behind.len(), rest(&at.missing), rest(&at.stale), at.building.len()];
        if told != [counts.behind, counts.missing, counts.stale, counts.building] {
            return Err(format!("of {} {told:?} are counted as {counts:?}", dataset.name));
        }
    }
    Ok(())
}

/// What was kept of earlier states is as if nothing had been.
pub fn kept_plans_are_told_as_they_are(kept: &KeptPlans, state: &State) -> Result<(), String> {
    for saved in state.plans().values() {
        let (told, anew) =
            (kept.changes(state, &saved.plan), KeptPlans::default().changes(state, &saved.plan));
        if told != anew {
            return Err(format!("{} is told to have {told:?}, not {anew:?}", saved.plan.plan));
        }
    }
    Ok(())
}
