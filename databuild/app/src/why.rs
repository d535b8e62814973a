//! Why a partition is as it is: the verdict, down to the changed file or the changed input.

mod acceptance;
mod arguments;
mod failure;
mod inputs;
mod needs;
mod seen;

use super::context::Context;
use super::held::held;
use super::lineage::files_changed_since;
use super::{partitions, AppError};
use crate::api::{AcceptedSaid, AdoptedSaid, PartitionState, TaintSaid, Why, WhyCause, WhyQuery, WhyStep};
use crate::engine::Planned;
use crate::store::{History, MaterializationRow, RunRow, StoreError, TaintRow};
use acceptance::acceptances;
use arguments::arguments_changed;
use databuild_core::amounts::to_the_second;
use databuild_core::event::Refresh;
use databuild_core::graph::{parse_file, DatasetIx, JobIx};
use databuild_core::ids::Seq;
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::planner::{Plan, Reason};
use databuild_core::state::{State, Verdict};
use databuild_core::text::and_more;
use databuild_core::word::Word as _;
use databuild_core::words;
use failure::last_failure;
pub(crate) use inputs::symbols_at;
use inputs::{inputs_used, Used};
use needs::{nearest_gap, needs, work_of};
pub use seen::Seen;
use std::collections::BTreeSet;

words! {
    /// Why a partition is not there or not current, beside the reasons of [`Verdict`] and [`Reason`].
    pub enum Obstacle: "reason of `why`" {
        /// The last run that was to make it failed.
        RunFailed => "run_failed",
        /// Something that it is made from is not there, since the run that was to make that failed.
        UpstreamFailed => "upstream_failed",
        /// Nothing can make it: something that it needs does not exist, or is never made.
        Blocked => "blocked",
        /// An edge rule leaves it out: no run makes it, and that is no error.
        LeftOut => "left_out",
        /// It is external, and looking at it failed.
        NotObserved => "not_observed",
        /// It is external, and not there.
        Absent => "absent",
    }
}

/// Steps to a first cause, at most; pipelines are not that deep.
const MOST_STEPS: usize = 50;
/// Characters of a parameter's value that are shown.
const LONGEST_SHOWN: usize = 100;
/// Inputs listed in an answer.
const MOST_INPUTS: usize = 100;

/// Explains one partition, after a look at its files and those that it depends on: they may have changed behind our back.
///
/// # Errors
/// The reference is not exactly one partition.
pub async fn partition(context: &impl Context, query: WhyQuery) -> Result<Why, AppError> {
    let answer = context.looking(move |backend, reader| {
        let targets = std::slice::from_ref(&query.partition);
        let planned = backend.engine.plan(targets, Refresh::Stale, crate::os::now())?;
        let Planned { mut state, plan, sightings, .. } = planned;
        let (ix, key) = state.resolve_one(&query.partition)?;
        let seen = Seen { looks: &sightings, audience: &backend.audience };
        Ok(why(&mut state, reader, (&plan, seen), ix, &key)?)
    });
    answer.await
}

/// Explains one partition, given the plan to build it and what was just seen of files.
///
/// # Errors
/// The history cannot be read.
pub fn why(
    state: &mut State,
    reader: &dyn History,
    planned: (&Plan, Seen<'_>),
    ix: DatasetIx,
    key: &PartitionKey,
) -> Result<Why, StoreError> {
    let (plan, seen) = planned;
    let shape = state.graph().dataset(ix).shape;
    let at = state.standing(ix, &PartitionSet::single(shape, key));
    let (standing, verdict) = partitions::state_of(&at, key);
    let producer = state.graph().dataset(ix).producer;
    let upstream = match producer {
        Some(job) if standing != PartitionState::LeftOut => upstream(state, reader, (plan, seen), job, key)?,
        _ => Vec::new(),
    };
    let standing = match standing {
        PartitionState::Current | PartitionState::Empty if !upstream.is_empty() => PartitionState::Behind,
        standing => standing,
    };
    // What is blocked by something upstream is explained by that.
    let blocked = producer.filter(|_| upstream.is_empty()).and_then(|job| blocked(plan, job, key));
    let state = &*state;
    let graph = state.graph();
    let dataset = graph.dataset(ix);
    let partition = state.partition_text(ix, key);
    let made = held(state, reader, ix, key)?;
    let adopted = match &made {
        Some(made) if state.dataset(ix).adopted.contains(key) => Some(adoption(reader, made)),
        _ => None,
    };
    let verdict = verdict.unwrap_or(Verdict::Current);
    let accepted = acceptances(state, reader, ix, key);
    let mut causes = Vec::new();
    let mut used = Used::default();
    let mut inputs_total = 0;
    let mut failed_since = None;
    if let Some(job) = dataset.producer {
        if let Some(made) = &made {
            used = inputs_used(state, reader, seen, (job, ix, key), made, verdict)?;
        }
        match standing {
            PartitionState::Failed => causes.extend(last_failure(state, reader, job, key)?.map(failed)),
            // A run that would go otherwise today is no reason, yet worth knowing.
            _ if state.dataset(ix).failed_by.values().any(|failed| failed.contains(key)) => {
                failed_since = last_failure(state, reader, job, key)?;
            }
            _ => {}
        }
        if verdict != Verdict::Current {
            let mut cause = cause(state, reader, job, (ix, key), verdict, &used)?;
            blame_taint(state, reader, ix, key, verdict, &mut cause)?;
            causes.push(cause);
        }
        if standing == PartitionState::Missing {
            causes.splice(0..0, failed_upstream(&upstream));
        }
        if let Some(cause) = left_out(plan, job, key).filter(|_| standing == PartitionState::LeftOut) {
            causes.push(cause);
        }
        if let Some(cause) = &blocked {
            // Of what is not there nothing else matters.
            let at = if standing == PartitionState::Missing { 0 } else { causes.len() };
            causes.insert(at, cause.clone());
        }
        inputs_total = used.inputs.len() as u64;
        used.inputs.truncate(MOST_INPUTS);
    } else if verdict != Verdict::Current {
        causes.push(cause_outside(state, reader, ix, key, verdict)?);
    }
    let unseen = unseen(plan, ix, &PartitionSet::single(shape, key));
    if let Some((_, message)) = &unseen {
        causes = vec![not_observed(message)];
    }
    let mut summary = match unseen {
        Some((_, message)) => format!("{partition} could not be observed: {message}"),
        None => {
            let origin = match (dataset.external, &adopted) {
                (true, _) => Origin::External,
                (false, Some(_)) => Origin::Adopted { accepted: !accepted.is_empty() },
                (false, None) => Origin::Built { accepted: !accepted.is_empty() },
            };
            summary(&partition, standing, origin, &causes, &upstream)
        }
    };
    let later = failed_since.as_ref().map(|run| Ok((run, given_to(reader, run)?))).transpose()?;
    summary.push_str(&asides(standing, blocked.as_ref(), accepted.last(), later));
    // The job may have had another label then, or it was another job.
    let run_job = match made.as_ref().and_then(|made| made.run) {
        Some(run) => reader.run(run)?.value.map(|found| found.run.job),
        None => None,
    };
    Ok(Why {
        summary,
        partition,
        state: standing,
        job: dataset.producer.map(|job| graph.job(job).label.clone()),
        run: made.as_ref().and_then(|made| Some(made.run?.to_string())),
        run_job,
        built_at: made.as_ref().map(|made| made.at.to_string()),
        metadata: made
            .as_ref()
            .and_then(|made| serde_json::from_str(&made.metadata).ok())
            .unwrap_or_default(),
        version: made.map(|made| made.version),
        adopted,
        accepted,
        failed_since: failed_since.map(|run| run.id.to_string()),
        causes,
        upstream,
        inputs: used.inputs,
        inputs_total,
        path: dataset.partition_path(key, state.symbols()),
        seq: state.seq().0,
    })
}

/// What else is worth knowing of a partition, as the end of its summary.
fn asides(
    standing: PartitionState,
    blocked: Option<&WhyCause>,
    accepted: Option<&AcceptedSaid>,
    failed_since: Option<(&RunRow, Option<String>)>,
) -> String {
    let mut text = String::new();
    if let Some(cause) = blocked.filter(|_| standing != PartitionState::Missing) {
        text.push_str(&format!("; {}", cause.message));
    }
    if let Some(said) = accepted {
        text.push_str(&format!(
            "; {} accepted that an older version of its job made it: {}",
            said.by, said.reason
        ));
    }
    if let Some((RunRow { id, message, .. }, given)) = failed_since {
        let how = match (standing, given) {
            (_, Some(given)) => format!("which somebody invoked with {given}, failed and changed nothing"),
            (PartitionState::Current | PartitionState::Empty | PartitionState::Behind, None) => {
                "failed and changed nothing".to_owned()
            }
            _ => "failed with another version of the job".to_owned(),
        };
        text.push_str(&format!("; a later run, {id}, {how}: {message}"));
    }
    text
}

/// What is the matter with external data.
fn cause_outside(
    state: &State,
    reader: &dyn History,
    ix: DatasetIx,
    key: &PartitionKey,
    verdict: Verdict,
) -> Result<WhyCause, StoreError> {
    let mut cause = match verdict {
        Verdict::Tainted => plain(verdict.code(), verdict.phrase()),
        _ => absence(),
    };
    blame_taint(state, reader, ix, key, verdict, &mut cause)?;
    Ok(cause)
}

/// Where the data of a partition comes from.
enum Origin {
    External,
    /// It was there already; whether its job changed since, and somebody accepted that.
    Adopted {
        accepted: bool,
    },
    /// The same of what a run made.
    Built {
        accepted: bool,
    },
}

fn summary(
    partition: &str,
    standing: PartitionState,
    origin: Origin,
    causes: &[WhyCause],
    upstream: &[WhyStep],
) -> String {
    let word = match standing {
        PartitionState::Behind => {
            let first = upstream.last().map(first_cause).unwrap_or_default();
            return format!("{partition} is out of date upstream: {first}");
        }
        PartitionState::Current => {
            let reason = match origin {
                Origin::External => "it is external, and its data is there",
                Origin::Adopted { accepted: false } => {
                    "it was adopted, and neither its job nor an input has changed since"
                }
                Origin::Adopted { accepted: true } => "it was adopted, and no input has changed since",
                Origin::Built { accepted: false } => {
                    "neither its job nor an input has changed since it was built"
                }
                Origin::Built { accepted: true } => "no input has changed since it was built",
            };
            return format!("{partition} is current: {reason}");
        }
        PartitionState::Empty => {
            return format!("{partition} is current and empty: its job had nothing to produce")
        }
        PartitionState::LeftOut => {
            let why = causes.first().map(|cause| format!(": {}", cause.message)).unwrap_or_default();
            return format!("{partition} is left out{why}");
        }
        PartitionState::Missing => "is missing",
        PartitionState::Building => "is being built",
        PartitionState::Stale => "is stale",
        PartitionState::Failed => "has failed",
    };
    let text = match causes.first() {
        Some(cause) => format!("{partition} {word} because {}", cause.message),
        None => format!("{partition} {word}"),
    };
    // Of what was never built, nobody asks why its inputs were not.
    match upstream.last().filter(|_| standing == PartitionState::Stale) {
        Some(step) => format!("{text}; also out of date upstream: {}", first_cause(step)),
        None => text,
    }
}

fn first_cause(step: &WhyStep) -> String {
    let WhyStep { partition, count, cause, .. } = step;
    match count {
        0 | 1 => format!("{partition}, because {}", cause.message),
        _ => format!("{count} partitions, such as {partition}, because {}", cause.message),
    }
}

/// The way from `key` of `job` up to what failed, or else to something that is not current though all it is made
/// from is: at each step the first input that a build would make. Empty if there is none.
fn upstream(
    state: &State,
    reader: &dyn History,
    planned: (&Plan, Seen<'_>),
    job: JobIx,
    key: &PartitionKey,
) -> Result<Vec<WhyStep>, StoreError> {
    let (plan, _) = planned;
    let graph = state.graph();
    let mut steps = Vec::new();
    let single = PartitionSet::single(graph.home(job).shape, key);
    if let Some(way) = failure::way_to_failure(state, plan, job, &single, &mut BTreeSet::from([job])) {
        // What failed is the last one, so it is the middle of a long way that is left out.
        let (left_out, kept) = (way.len().saturating_sub(MOST_STEPS), MOST_STEPS - 1);
        for (number, at) in way.into_iter().enumerate() {
            if number < kept || number >= kept + left_out {
                steps.push(step(state, reader, planned, (at.dataset, &at.key), at.count)?);
            }
        }
        return Ok(steps);
    }
    let mut at = Some((job, key.clone()));
    while let Some((job, key)) = at.take().filter(|_| steps.len() < MOST_STEPS) {
        let single = PartitionSet::single(graph.home(job).shape, &key);
        let so_far = steps.len();
        for need in needs(state, job, &single) {
            let (dataset, needed) = (need.dataset, need.set);
            let Some(producer) = graph.dataset(dataset).producer else {
                if let Some((set, message)) = unseen(plan, dataset, &needed) {
                    let first = set.first().map(|key| state.partition_text(dataset, &key));
                    let (partition, cause) = (first.unwrap_or_default(), not_observed(message));
                    steps.push(WhyStep { partition, job: None, count: set.len(), cause });
                    break;
                }
                let absent = needed.subtract(&state.dataset(dataset).present);
                // What was found and is gone stops nothing: a run finds anew what it needs.
                if let Some(first) = absent.first().filter(|_| !need.found) {
                    let partition = state.partition_text(dataset, &first);
                    steps.push(WhyStep { partition, job: None, count: absent.len(), cause: absence() });
                    break;
                }
                continue;
            };
            // What is outdated itself comes before what merely reads such data.
            let (outdated, all) = work_of(plan, producer, &needed);
            let Some(first) = outdated.first().or_else(|| all.first()) else { continue };
            steps.push(step(state, reader, planned, (dataset, &first), all.len())?);
            at = Some((producer, first));
            break;
        }
        let is_last = steps.len() == so_far;
        if let (Some(last), Some(cause)) = (steps.last_mut().filter(|_| is_last), blocked(plan, job, &key)) {
            last.cause = cause;
        }
    }
    // A build makes nothing, yet something further up is not there: what is between is as it was made from that.
    if steps.is_empty() {
        let gap = nearest_gap(state, plan, job, &single);
        steps.extend(gap.map(|gap| step_of_gap(state, reader, planned, gap)).transpose()?);
    }
    Ok(steps)
}

/// What is wrong with something that nobody makes.
fn step_of_gap(
    state: &State,
    reader: &dyn History,
    planned: (&Plan, Seen<'_>),
    (dataset, key, count): (DatasetIx, PartitionKey, u64),
) -> Result<WhyStep, StoreError> {
    let Some(producer) = state.graph().dataset(dataset).producer else {
        let partition = state.partition_text(dataset, &key);
        return Ok(WhyStep { partition, job: None, count, cause: absence() });
    };
    let mut found = step(state, reader, planned, (dataset, &key), count)?;
    if let Some(cause) = blocked(planned.0, producer, &key) {
        found.cause = cause;
    }
    Ok(found)
}

/// What is wrong with one partition that a build would make, and with how many of its dataset.
fn step(
    state: &State,
    reader: &dyn History,
    (_, seen): (&Plan, Seen<'_>),
    (ix, key): (DatasetIx, &PartitionKey),
    count: u64,
) -> Result<WhyStep, StoreError> {
    let graph = state.graph();
    let producer = graph.dataset(ix).producer.expect("only what a job makes is to be built");
    let (partition, label) = (state.partition_text(ix, key), graph.job(producer).label.clone());
    if state.dataset(ix).failed.contains(key) {
        if let Some(run) = last_failure(state, reader, producer, key)? {
            let message = format!("{label} failed in {}: {}", run.id, run.message);
            let cause =
                WhyCause { run: Some(run.id.to_string()), ..plain(Obstacle::RunFailed.word(), &message) };
            return Ok(WhyStep { partition, job: Some(label), count, cause });
        }
    }
    let made = held(state, reader, ix, key)?;
    let verdict = state.verdict(producer, key);
    let used = match made.as_ref().filter(|_| verdict == Verdict::InputsChanged) {
        Some(made) => inputs_used(state, reader, seen, (producer, ix, key), made, verdict)?,
        None => Used::default(),
    };
    let mut cause = match verdict {
        Verdict::Current => {
            plain(Reason::UpstreamBuilt.code(), "a partition that it is made from is out of date")
        }
        _ => cause(state, reader, producer, (ix, key), verdict, &used)?,
    };
    blame_taint(state, reader, ix, key, verdict, &mut cause)?;
    Ok(WhyStep { partition, job: Some(label), count, cause })
}

/// Of what no run can make, by the plan to build it.
fn blocked(plan: &Plan, job: JobIx, key: &PartitionKey) -> Option<WhyCause> {
    let (.., message) = plan.blocked.iter().find(|(of, set, _)| *of == job && set.contains(key))?;
    Some(plain(Obstacle::Blocked.word(), &format!("it cannot be built: {message}")))
}

/// Of what was asked for and an edge rule leaves out.
fn left_out(plan: &Plan, job: JobIx, key: &PartitionKey) -> Option<WhyCause> {
    let (.., message) = plan.skipped.iter().find(|(of, set, _)| *of == job && set.contains(key))?;
    Some(plain(Obstacle::LeftOut.word(), message))
}

/// Those of `set` that could not be observed, with the first reason.
fn unseen<'p>(plan: &'p Plan, ix: DatasetIx, set: &PartitionSet) -> Option<(PartitionSet, &'p str)> {
    let looks = plan.unseen.iter().filter(|look| look.dataset == ix);
    let mut found = looks.map(|look| (look.set.intersect(set), look.message.as_str()));
    found.find(|(set, _)| !set.is_empty())
}

/// Of what is not there since something that it is made from failed.
fn failed_upstream(upstream: &[WhyStep]) -> Option<WhyCause> {
    let WhyStep { partition, cause, .. } = upstream.last()?;
    let run = cause.run.clone()?;
    let message = format!("it needs {partition}, and {}", cause.message);
    Some(WhyCause { run: Some(run), ..plain(Obstacle::UpstreamFailed.word(), &message) })
}

/// Of external data that nobody knows.
fn not_observed(message: &str) -> WhyCause {
    plain(Obstacle::NotObserved.word(), &format!("it could not be observed: {message}"))
}

/// Of external data that is not there.
fn absence() -> WhyCause {
    plain(Obstacle::Absent.word(), "no job makes it, and its data is not there")
}

/// A cause with nothing more to say.
fn plain(reason: &str, message: &str) -> WhyCause {
    WhyCause {
        reason: reason.to_owned(),
        message: message.to_owned(),
        files: Vec::new(),
        inputs: Vec::new(),
        inputs_total: 0,
        taint: None,
        run: None,
    }
}

/// Of what a run should have made.
fn failed(run: RunRow) -> WhyCause {
    let message = format!("its last run, {}, failed: {}", run.id, run.message);
    WhyCause { run: Some(run.id.to_string()), ..plain(Obstacle::RunFailed.word(), &message) }
}

/// Who adopted what a partition holds.
fn adoption(reader: &dyn History, made: &MaterializationRow) -> AdoptedSaid {
    // An archive that is not there costs only the name.
    let record = reader.event(made.seq).ok().and_then(|answer| answer.value);
    let by = record.map(|record| record.origin.to_string());
    AdoptedSaid { by, at: made.at.to_string() }
}

fn cause(
    state: &State,
    reader: &dyn History,
    job: JobIx,
    (ix, key): (DatasetIx, &PartitionKey),
    verdict: Verdict,
    used: &Used,
) -> Result<WhyCause, StoreError> {
    let mut cause = plain(verdict.code(), verdict.phrase());
    if let Some(message) = of_sibling(state, job, (ix, key), verdict) {
        return Ok(WhyCause { message, ..cause });
    }
    match verdict {
        Verdict::CodeChanged => {
            // Its code as it counts: what was accepted since it was made is no change any more.
            if let Some(maker) = state.dataset(ix).counts_as(key) {
                let code = &state.provenance(maker).code;
                cause.files = files_changed_since(state, reader, job, code)?;
            }
            cause.message = match cause.files.as_slice() {
                [] => format!(
                    "the code of {} changed, though none of its source files did (a tool, a toolchain or a generated file)",
                    state.graph().job(job).label
                ),
                [first, rest @ ..] => {
                    let more = and_more(rest.len());
                    let via = if first.via.len() > 1 { format!(", via {}", first.via.join(" -> ")) } else { String::new() };
                    format!("{} {}{more}{via}", first.path, first.change)
                }
            };
        }
        Verdict::InputsChanged => {
            cause.inputs = used.changed().take(MOST_INPUTS).cloned().collect();
            cause.inputs_total = used.changed().count() as u64;
            cause.message = used.what_changed();
        }
        Verdict::ArgsChanged => {
            if let Some(given) = given_by_hand(state, reader, (ix, key))? {
                cause.message = format!("somebody invoked its job with {given}");
            } else if let Some(message) = arguments_changed(state, reader, (job, ix, key))? {
                cause.message = message;
            }
        }
        Verdict::Missing => {
            let made = reader.materialization_at(&state.texts(ix, key), Seq::LATEST)?.value;
            let made = made.and_then(|made| Some((made.run?, state.meant_otherwise(ix, made.seq)?)));
            if let Some((run, (dim, then, now))) = made {
                cause.run = Some(run.to_string());
                cause.message = format!(
                    "{run} built it when `{dim}` was {then}; now `{dim}` is {now}, so the same key means other data"
                );
            }
        }
        _ => {}
    }
    Ok(cause)
}

/// What to say if a verdict is not about this output but about another one of the same run: they are made together.
fn of_sibling(
    state: &State,
    job: JobIx,
    (ix, key): (DatasetIx, &PartitionKey),
    verdict: Verdict,
) -> Option<String> {
    let key_shape = state.graph().dataset(ix).shape;
    let is_about = |output: DatasetIx| {
        let facts = state.dataset(output);
        match verdict {
            Verdict::Vanished => facts.vanished.contains(key),
            Verdict::Missing => !facts.present.contains(key),
            Verdict::Altered => facts.altered.contains(key),
            Verdict::Tainted => facts.tainted.set(key_shape).contains(key),
            _ => true,
        }
    };
    if is_about(ix) {
        return None;
    }
    let sibling = state.graph().job(job).outputs.iter().copied().find(|output| is_about(*output))?;
    let sibling = format!("{}, which the same run makes,", state.partition_text(sibling, key));
    Some(match verdict {
        Verdict::Vanished => format!("the file of {sibling} is gone"),
        Verdict::Missing => format!("{sibling} was never built"),
        Verdict::Altered => format!("the file of {sibling} was changed by somebody else"),
        _ => format!("{sibling} was tainted"),
    })
}

/// Values of parameters with which a partition was made and that are not the defaults of its job of then.
fn given_by_hand(
    state: &State,
    reader: &dyn History,
    (ix, key): (DatasetIx, &PartitionKey),
) -> Result<Option<String>, StoreError> {
    let made = held(state, reader, ix, key)?;
    let Some(run) = made.and_then(|made| made.run) else { return Ok(None) };
    let run = reader.run(run)?.value.map(|found| found.run);
    run.map_or(Ok(None), |run| given_to(reader, &run))
}

/// Values of parameters that a run had and that are not the defaults of its job of then.
fn given_to(reader: &dyn History, run: &RunRow) -> Result<Option<String>, StoreError> {
    if run.params.is_empty() {
        return Ok(None);
    }
    let Some(bytes) = reader.content(&run.graph.0)? else { return Ok(None) };
    let file = String::from_utf8(bytes).ok().and_then(|content| parse_file(&content).ok());
    let job = file.and_then(|file| file.jobs.into_iter().find(|job| job.label == run.job));
    let Some(job) = job else { return Ok(None) };
    let differs = |(name, value): &(&String, &String)| job.params.get(*name) != Some(*value);
    let given: Vec<String> =
        run.params.iter().filter(differs).map(|(name, value)| assigned(name, value)).collect();
    Ok((!given.is_empty()).then(|| given.join(" ")))
}

/// A parameter with the first part of its value.
pub(super) fn assigned(name: &str, value: &str) -> String {
    let short: String = value.chars().take(LONGEST_SHOWN).collect();
    let more = if short.len() < value.len() { "…" } else { "" };
    format!("{name}={short}{more}")
}

/// Who said of what that it is bad, if that is the matter with a partition.
fn blame_taint(
    state: &State,
    reader: &dyn History,
    ix: DatasetIx,
    key: &PartitionKey,
    verdict: Verdict,
    cause: &mut WhyCause,
) -> Result<(), StoreError> {
    let facts = state.dataset(ix);
    let marked = match verdict {
        Verdict::Tainted => facts.tainted.of(key),
        Verdict::MadeFromTainted => facts.follows.of(key),
        _ => None,
    };
    let Some(seq) = marked else { return Ok(()) };
    let Some(taint) = reader.taint(seq)?.value else { return Ok(()) };
    let what = match (verdict, taint.partitions.as_slice()) {
        (Verdict::Tainted, _) | (_, []) => cause.message.clone(),
        (_, [first, rest @ ..]) => {
            let more = and_more(rest.len());
            format!("it was made from {first}{more}, which was tainted")
        }
    };
    cause.message = format!("{what} by {} at {}: {}", taint.by, to_the_second(taint.at), taint.reason);
    let TaintRow { partitions, reason, by, at, .. } = taint;
    cause.taint = Some(TaintSaid { partitions, reason, by, at: at.to_string() });
    Ok(())
}

#[cfg(test)]
pub mod tests;
