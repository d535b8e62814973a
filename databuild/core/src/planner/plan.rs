//! The downstream walk: which partitions of a closure are to be built, and why.

use super::closure::{closure_of, Closure, FoundInput, Unreadable};
use super::lack::{failing_reason, left_out_reason};
use super::unseen::Unseen;
use crate::event::Refresh;
use crate::graph::{DatasetIx, Input, JobIx, TooManyInputs};
use crate::partition_set::PartitionSet;
use crate::state::{State, Verdict};
use std::fmt;

/// Why partitions stand in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// They are not as good as a fresh build.
    Outdated(Verdict),
    /// They were asked for whatever their state.
    Forced,
    /// Something they are made from is built; if its data comes out as it was, they are left alone.
    UpstreamBuilt,
    /// A run under way is making them.
    UnderWay,
}

impl Reason {
    /// Stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Reason::Outdated(verdict) => verdict.code(),
            Reason::Forced => "forced",
            Reason::UpstreamBuilt => "upstream_built",
            Reason::UnderWay => "under_way",
        }
    }

    /// For people.
    #[must_use]
    pub fn phrase(self) -> &'static str {
        match self {
            Reason::Outdated(Verdict::Missing) => "missing",
            Reason::Outdated(Verdict::Vanished) => "file gone",
            Reason::Outdated(Verdict::Altered) => "file altered",
            Reason::Outdated(Verdict::Tainted) => "tainted",
            Reason::Outdated(Verdict::MadeFromTainted) => "made from tainted data",
            Reason::Outdated(Verdict::CodeChanged) => "code changed",
            Reason::Outdated(Verdict::ArgsChanged) => "arguments changed",
            Reason::Outdated(Verdict::TemplateChanged) => "path changed",
            Reason::Outdated(Verdict::InputsChanged) => "inputs changed",
            Reason::Outdated(Verdict::Current) => "current",
            Reason::Forced => "asked for",
            Reason::UpstreamBuilt => "if upstream changes",
            Reason::UnderWay => "under way",
        }
    }
}

/// What is to be done for some targets.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Jobs with work, upstream first.
    pub jobs: Vec<JobPlan>,
    /// Partitions nobody can build, with the reason for people.
    pub blocked: Vec<(JobIx, PartitionSet, String)>,
    /// Targets left out because an edge rule says so, with the reason for people.
    pub skipped: Vec<(JobIx, PartitionSet, String)>,
    /// External partitions that were asked for, or are read, and are not there.
    pub absent: Vec<(DatasetIx, PartitionSet)>,
    /// The same, there and tainted: nothing is made from them.
    pub tainted: Vec<(DatasetIx, PartitionSet)>,
    /// The same, of which nobody knows what they hold, with the reason for people: looking at them failed.
    pub unseen: Vec<Unseen>,
    /// The same for built partitions that are not built anew: nobody knows whether their files are what was published.
    pub unread: Vec<Unseen>,
    /// Partitions that matter and are current.
    pub current: u64,
}

/// Work of one job.
#[derive(Debug, Clone)]
pub struct JobPlan {
    /// The job.
    pub job: JobIx,
    /// Will be built.
    pub certain: PartitionSet,
    /// Will be built if what they read comes out changed.
    pub if_changed: PartitionSet,
    /// A run under way makes them; that will do.
    pub joined: PartitionSet,
    /// The same partitions by reason; disjoint.
    pub reasons: Vec<(Reason, PartitionSet)>,
    /// Of `certain`: whatever their state.
    pub forced: PartitionSet,
}

impl JobPlan {
    /// All partitions that a want has to wait for.
    #[must_use]
    pub fn work(&self) -> PartitionSet {
        self.certain.union(&self.if_changed).union(&self.joined)
    }
}

impl Plan {
    /// Number of runs that will happen for certain, and of those that may.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        self.jobs
            .iter()
            .fold((0, 0), |(certain, maybe), job| (certain + job.certain.len(), maybe + job.if_changed.len()))
    }

    /// External partitions that nothing can be made from.
    pub fn unusable(&self) -> impl Iterator<Item = (DatasetIx, &PartitionSet, Fault<'_>)> {
        let absent = self.absent.iter().map(|(ix, set)| (*ix, set, Fault::Absent));
        let tainted = self.tainted.iter().map(|(ix, set)| (*ix, set, Fault::Tainted));
        let unseen = self.unseen.iter().map(|look| (look.dataset, &look.set, Fault::Unseen(&look.message)));
        absent.chain(tainted).chain(unseen)
    }
}

/// What is the matter with external data that nothing can be made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault<'p> {
    /// It is not there.
    Absent,
    /// Somebody said that it is bad.
    Tainted,
    /// Looking at it failed.
    Unseen(&'p str),
}

impl Fault<'_> {
    /// Stable name.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Fault::Absent => "absent",
            Fault::Tainted => "tainted",
            Fault::Unseen(_) => "not_observed",
        }
    }
}

impl fmt::Display for Fault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Absent => f.write_str("external and not there"),
            Fault::Tainted => f.write_str("external and tainted"),
            Fault::Unseen(message) => write!(f, "external and could not be observed: {message}"),
        }
    }
}

/// Plans the build of `targets` as of [`State::as_of`]. Settles what it looks at, hence `&mut`.
#[must_use]
pub fn plan(state: &mut State, targets: &[(DatasetIx, PartitionSet)], refresh: Refresh) -> Plan {
    plan_despite(state, targets, refresh, &[])
}

/// The same where some external data could not be observed: what rests on that is blocked.
#[must_use]
pub fn plan_despite(
    state: &mut State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    unseen: &[Unseen],
) -> Plan {
    let graph = state.graph();
    let mut forced = Vec::new();
    if refresh == Refresh::All {
        for (ix, set) in targets {
            forced.extend(graph.dataset(*ix).producer.map(|job| (job, set.clone())));
        }
    }
    plan_found(state, targets, refresh, &forced, unseen)
}

/// Plans anew what is left of a want: `targets` as [`plan`] does, and of them the jobs' partitions in
/// `forced` whatever their state.
pub(crate) fn plan_rest(
    state: &mut State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    forced: &[(JobIx, PartitionSet)],
    unseen: &[Unseen],
) -> Plan {
    let refresh = if refresh == Refresh::Missing { Refresh::Missing } else { Refresh::Stale };
    plan_found(state, targets, refresh, forced, unseen)
}

/// Plans with the inputs that runs found. What is gone and cannot be made is not waited for: the job of what was made
/// from it decides again what it needs.
fn plan_found(
    state: &mut State,
    targets: &[(DatasetIx, PartitionSet)],
    refresh: Refresh,
    forced: &[(JobIx, PartitionSet)],
    unseen: &[Unseen],
) -> Plan {
    let mut lost: Vec<FoundInput> = Vec::new();
    loop {
        let matters = closure_of(state, targets, refresh, forced, &lost);
        let asked = Asked { targets, refresh, forced, matters: &matters, unseen, lost: &lost };
        let (plan, walk) = plan_closure(state, &asked);
        let before = lost.len();
        lost.extend(matters.found.into_iter().filter(|found| {
            let there = state.graph().dataset(found.dataset).producer.is_some()
                && state.dataset(found.dataset).present.contains(&found.input);
            let dead = walk.dead[found.dataset.0].contains(&found.input);
            dead && !there && !walk.unknown[found.dataset.0].contains(&found.input)
        }));
        if lost.len() == before {
            return plan;
        }
    }
}

/// What is planned.
struct Asked<'a> {
    targets: &'a [(DatasetIx, PartitionSet)],
    refresh: Refresh,
    /// Built whatever its state.
    forced: &'a [(JobIx, PartitionSet)],
    matters: &'a Closure,
    /// What looks failed at.
    unseen: &'a [Unseen],
    /// Found inputs that are gone for good, each with the partition that is built again for want of it.
    lost: &'a [FoundInput],
}

/// What a walk came to, by dataset. What was found may stand downstream of what needs it, so that the next walk has to
/// be told.
struct Walked {
    /// What is built.
    changing: Vec<PartitionSet>,
    /// What nobody knows.
    unknown: Vec<PartitionSet>,
    /// What is not there and cannot be built, or is not good.
    dead: Vec<PartitionSet>,
}

fn plan_closure(state: &mut State, asked: &Asked<'_>) -> (Plan, Walked) {
    let Asked { refresh, matters, .. } = *asked;
    let registered = std::sync::Arc::clone(state.registered());
    let graph = &registered.graph;
    for (ix, set) in matters.jobs.iter().enumerate().filter(|(_, set)| !set.is_empty()) {
        if refresh != Refresh::Missing {
            state.settle(JobIx(ix), set);
        }
    }
    let empty: Vec<PartitionSet> =
        graph.datasets().map(|(_, dataset)| PartitionSet::empty(dataset.shape)).collect();
    let mut before = Walked { changing: empty.clone(), unknown: empty.clone(), dead: empty };
    // Each walk carries what was found one step further, and no chain of steps is longer than there are such inputs.
    for _ in 0..=matters.found.len() {
        let (plan, now) = walk(state, asked, &before);
        let same = |a: &[PartitionSet], b: &[PartitionSet]| {
            matters.found.iter().all(|found| {
                a[found.dataset.0].contains(&found.input) == b[found.dataset.0].contains(&found.input)
            })
        };
        if same(&before.changing, &now.changing) && same(&before.unknown, &now.unknown) {
            return (plan, now);
        }
        before = now;
    }
    walk(state, asked, &before)
}

fn walk(state: &State, asked: &Asked<'_>, before: &Walked) -> (Plan, Walked) {
    let Asked { targets, refresh, forced: forcing, matters, unseen, lost } = *asked;
    let graph = state.graph();
    let mut absent = Vec::new();
    let mut tainted = Vec::new();
    // What is built or unavailable, per dataset: what its readers have to look at.
    let mut changing: Vec<PartitionSet> =
        graph.datasets().map(|(_, dataset)| PartitionSet::empty(dataset.shape)).collect();
    let mut dead: Vec<PartitionSet> = changing.clone();
    let (unseen, mut unread): (Vec<Unseen>, Vec<Unseen>) = unseen
        .iter()
        .map(|look| Unseen {
            set: look.set.intersect(&mattering(state, matters, look.dataset)),
            ..look.clone()
        })
        .filter(|look| !look.set.is_empty())
        .partition(|look| graph.dataset(look.dataset).external);
    // What was not seen, and what rests on it: it may be current or not.
    let mut unknown: Vec<PartitionSet> = changing.clone();
    for look in &unseen {
        unknown[look.dataset.0].union_with(&look.set);
    }
    for (ix, _) in graph.datasets().filter(|(_, dataset)| dataset.external) {
        let facts = state.dataset(ix);
        let seen = matters.datasets[ix.0].subtract(&unknown[ix.0]);
        let missing = seen.subtract(&facts.present);
        if !missing.is_empty() {
            dead[ix.0] = missing.clone();
            absent.push((ix, missing));
        }
        let bad = seen.intersect(&facts.present).intersect(&facts.unsound());
        if !bad.is_empty() {
            dead[ix.0].union_with(&bad);
            tainted.push((ix, bad));
        }
    }

    let mut jobs = Vec::new();
    let mut blocked = Vec::new();
    let mut current = 0;
    for (ix, set, why) in &matters.failing {
        for output in &graph.job(*ix).outputs {
            dead[output.0].union_with(set);
        }
        blocked.push((*ix, set.clone(), unreadable_reason(state, *ix, set, *why)));
    }
    for (ix, job) in graph.jobs() {
        let needed = &matters.jobs[ix.0];
        if needed.is_empty() {
            continue;
        }
        let mut reasons: Vec<(Reason, PartitionSet)> = Vec::new();
        let mut certain = PartitionSet::empty(needed.shape());
        for (verdict, set) in state.outdated(ix, needed) {
            let set = match refresh {
                Refresh::Missing => state.absent(ix, &set),
                Refresh::Stale | Refresh::All => set,
            };
            if !set.is_empty() {
                certain.union_with(&set);
                reasons.push((Reason::Outdated(verdict), set));
            }
        }
        let mut asks = PartitionSet::empty(needed.shape());
        for found in lost.iter().filter(|found| found.job == ix && needed.contains(&found.key)) {
            asks.insert(&found.key);
        }
        asks.subtract_with(&certain);
        if !asks.is_empty() {
            certain.union_with(&asks);
            add(&mut reasons, Reason::Outdated(Verdict::InputsChanged), &asks);
        }
        let mut forced = PartitionSet::empty(needed.shape());
        for (_, set) in forcing.iter().filter(|(job, _)| *job == ix) {
            forced.union_with(&set.intersect(needed));
        }
        let more = forced.subtract(&certain);
        if !more.is_empty() {
            certain.union_with(&more);
            reasons.push((Reason::Forced, more));
        }

        let home = graph.side(job.outputs[0], state.extents());
        let mut touched = PartitionSet::empty(needed.shape());
        let mut unbuildable = PartitionSet::empty(needed.shape());
        let dependents = |input: &Input, set: &PartitionSet| {
            if set.is_empty() {
                return PartitionSet::empty(needed.shape());
            }
            let read = graph.side(input.dataset, state.extents());
            input.mapping.dependents_of(&home, &read, set, needed)
        };
        let mut new_inputs = PartitionSet::empty(needed.shape());
        for input in &job.inputs {
            let changing = &changing[input.dataset.0];
            touched.union_with(&dependents(input, changing));
            new_inputs.union_with(&dependents(
                input,
                &changing.subtract(&state.dataset(input.dataset).remembered()),
            ));
        }
        for found in matters.found.iter().filter(|found| found.job == ix) {
            if needed.contains(&found.key) && before.changing[found.dataset.0].contains(&found.input) {
                touched.insert(&found.key);
            }
        }
        if refresh == Refresh::Missing {
            // What is there is good enough, whatever becomes of its inputs.
            touched = touched.intersect(&certain);
        }
        // What never held data is no part of any digest, so that reading it changes that for certain.
        let anew = new_inputs.intersect(&touched).subtract(&certain);
        if !anew.is_empty() {
            certain.union_with(&anew);
            add(&mut reasons, Reason::Outdated(Verdict::InputsChanged), &anew);
        }
        // Of these, a run has to read all inputs. What is current does not miss those that are gone.
        let to_build = certain.union(&touched);
        let exposed = if refresh == Refresh::Missing { &to_build } else { needed };
        let mut uncertain = PartitionSet::empty(needed.shape());
        for look in unread.iter_mut().filter(|look| job.outputs.contains(&look.dataset)) {
            // What is built anyway is known then.
            look.set.subtract_with(&certain);
            let lost = look.set.subtract(&uncertain);
            if refresh != Refresh::Missing && !lost.is_empty() {
                blocked.push((ix, lost.clone(), unseen_reason(state, look)));
                uncertain.union_with(&lost);
            }
            unknown[look.dataset.0].union_with(&look.set);
        }
        for found in matters.found.iter().filter(|found| found.job == ix) {
            // What is built anyway finds anew what it needs.
            let rests = !certain.contains(&found.key) && !uncertain.contains(&found.key);
            if rests && before.unknown[found.dataset.0].contains(&found.input) {
                let lost = PartitionSet::single(needed.shape(), &found.key);
                blocked.push((ix, lost, found_reason(state, &unseen, found)));
                uncertain.insert(&found.key);
            }
        }
        for input in &job.inputs {
            let mut block = |set: &PartitionSet, reason: &dyn Fn() -> String| {
                let lost = dependents(input, set).intersect(exposed).subtract(&uncertain);
                if !lost.is_empty() {
                    blocked.push((ix, lost.clone(), reason()));
                    uncertain.union_with(&lost);
                }
            };
            for look in unseen.iter().chain(&unread).filter(|look| look.dataset == input.dataset) {
                block(&look.set, &|| format!("input {}", unseen_reason(state, look)));
            }
            if !graph.dataset(input.dataset).external {
                let set = &unknown[input.dataset.0];
                block(set, &|| {
                    let input = state.set_text(input.dataset, set).join(", ");
                    format!("input `{input}` rests on external data that could not be observed")
                });
            }
        }
        for output in &job.outputs {
            unknown[output.0].union_with(&uncertain);
        }
        unbuildable.union_with(&uncertain);
        for input in &job.inputs {
            let lost = dependents(input, &dead[input.dataset.0]).intersect(&to_build).subtract(&unbuildable);
            if !lost.is_empty() {
                let reason = lost_reason(state, input.dataset, &dead[input.dataset.0]);
                blocked.push((ix, lost.clone(), reason));
                unbuildable.union_with(&lost);
            }
        }
        certain.subtract_with(&unbuildable);
        forced.subtract_with(&unbuildable);
        // Inputs that are made anew may come out as those that it was made from.
        let inputs_changed = |(reason, _): &&(Reason, _)| *reason == Reason::Outdated(Verdict::InputsChanged);
        let open = reasons
            .iter()
            .find(inputs_changed)
            .map_or_else(|| PartitionSet::empty(needed.shape()), |(_, set)| set.intersect(&touched));
        let open = open.subtract(&forced).subtract(&new_inputs);
        certain.subtract_with(&open);
        let if_changed = touched.subtract(&certain).subtract(&unbuildable);
        reasons.iter_mut().for_each(|(_, set)| set.subtract_with(&unbuildable.union(&open)));

        // Not what upstream work may still change: a run under way has read the old data.
        let under_way = joinable(state, ix, &certain.subtract(&touched), &forced);
        certain.subtract_with(&under_way);
        reasons.iter_mut().for_each(|(_, set)| set.subtract_with(&under_way));
        if !if_changed.is_empty() {
            reasons.push((Reason::UpstreamBuilt, if_changed.clone()));
        }
        if !under_way.is_empty() {
            reasons.push((Reason::UnderWay, under_way.clone()));
        }
        reasons.retain(|(_, set)| !set.is_empty());
        reasons.sort_by_key(|(reason, _)| *reason);

        let entry = JobPlan { job: ix, certain, if_changed, joined: under_way, reasons, forced };
        let work = entry.work();
        current += needed.len() - work.len() - unbuildable.len();
        for output in &job.outputs {
            changing[output.0].union_with(&work);
            dead[output.0].union_with(&unbuildable);
        }
        if !work.is_empty() {
            jobs.push(entry);
        }
    }
    for (ix, set) in targets.iter().filter(|(ix, _)| graph.dataset(*ix).external) {
        let facts = state.dataset(*ix);
        let seen = set.subtract(&unknown[ix.0]);
        current += seen.intersect(&facts.present).subtract(&facts.unsound()).len();
    }
    unread.retain(|look| !look.set.is_empty());
    let left_out = |(ix, set): &(JobIx, PartitionSet)| (*ix, set.clone(), left_out_reason(state, *ix, set));
    let skipped = matters.skipped.iter().map(left_out).collect();
    let plan = Plan { jobs, blocked, skipped, absent, tainted, unseen, unread, current };
    (plan, Walked { changing, unknown, dead })
}

/// Adds partitions that stand in a plan for this reason.
fn add(reasons: &mut Vec<(Reason, PartitionSet)>, reason: Reason, more: &PartitionSet) {
    match reasons.iter_mut().find(|(other, _)| *other == reason) {
        Some((_, set)) => set.union_with(more),
        None => reasons.push((reason, more.clone())),
    }
}

/// Partitions of a dataset that a closure wants, reads or makes.
fn mattering(state: &State, matters: &Closure, ix: DatasetIx) -> PartitionSet {
    match state.graph().dataset(ix).producer {
        Some(job) => matters.datasets[ix.0].union(&matters.jobs[job.0]),
        None => matters.datasets[ix.0].clone(),
    }
}

/// Partitions that a live run makes from the same code and the same inputs as a new one would.
fn joinable(state: &State, job: JobIx, set: &PartitionSet, forced: &PartitionSet) -> PartitionSet {
    let mut joined = PartitionSet::empty(set.shape());
    if state.work(job).live.is_empty() {
        return joined;
    }
    for run in state.runs.values().filter(|run| state.current_job(run) == Some(job)) {
        if run.cancel_requested || state.provenance(run.made_by) != state.registered().digests_of(job) {
            continue;
        }
        let discovered = state.discovered_digest(&run.discovered);
        for (key, inputs) in run.partitions() {
            let asked = set.contains(&key) && !forced.contains(&key);
            let sound = run.tainted.of(&key).is_none();
            if asked && sound && inputs == state.inputs_digest(job, &key).wrapping_add(discovered) {
                joined.insert(&key);
            }
        }
    }
    joined
}

/// Why nobody can tell what partitions read.
fn unreadable_reason(state: &State, job: JobIx, set: &PartitionSet, why: Unreadable) -> String {
    let graph = state.graph();
    let entry = graph.job(job);
    let first = set.first().map(|key| state.partition_text(entry.outputs[0], &key)).unwrap_or_default();
    let rest = set.len().saturating_sub(1);
    if let Unreadable::TooMany(TooManyInputs { dataset }) = why {
        let what = if rest == 0 { first + " reads" } else { format!("{first} and {rest} more read") };
        let name = &graph.dataset(dataset).name;
        return format!(
            "{what} more partitions of `{name}` than DataBuild can plan at once; build fewer partitions at once, or let {} read less of `{name}`",
            entry.label
        );
    }
    failing_reason(state, job, set)
}

/// Says what was not seen, and why.
fn unseen_reason(state: &State, look: &Unseen) -> String {
    let partitions = state.set_text(look.dataset, &look.set).join(", ");
    format!("`{partitions}` could not be observed: {}", look.message)
}

/// Says why an input that a run found is not known.
fn found_reason(state: &State, unseen: &[Unseen], found: &FoundInput) -> String {
    let input = state.partition_text(found.dataset, &found.input);
    let look = unseen.iter().find(|look| look.dataset == found.dataset && look.set.contains(&found.input));
    match look {
        Some(look) => format!("input {}, which its run found that it needs", unseen_reason(state, look)),
        None => format!(
            "input `{input}`, which its run found that it needs, rests on external data that could not be observed"
        ),
    }
}

/// Why `set` of an input cannot be read.
fn lost_reason(state: &State, ix: DatasetIx, set: &PartitionSet) -> String {
    let facts = state.dataset(ix);
    let text = |set: &PartitionSet| state.set_text(ix, set).join(", ");
    if !state.graph().dataset(ix).external {
        return format!("input `{}` cannot be built", text(set));
    }
    let gone = set.subtract(&facts.present);
    if gone.is_empty() {
        return format!("input `{}` is tainted; untaint it or bring other data", text(set));
    }
    format!("input `{}` is not there{}", text(&gone), path_hint(state, ix, &gone))
}

fn path_hint(state: &State, ix: DatasetIx, set: &PartitionSet) -> String {
    set.first()
        .and_then(|key| state.graph().dataset(ix).partition_path(&key, &state.symbols))
        .map(|path| format!(" (no file `{path}`)"))
        .unwrap_or_default()
}
