//! What `compare` and `verify` repeat: which partitions, with which graphs of then and of today.

use super::code::{contents, current, look, stored};
use crate::api::SampleTrial;
use crate::context::{Backend, Context};
use crate::held::held;
use crate::lineage::graph_with;
use crate::store::History;
use crate::AppError;
use databuild_core::decide::{self, SampleRequest, TrialRequest, MOST_SAMPLES};
use databuild_core::event::TrialKind;
use databuild_core::graph::{JobDigests, JobIx, Params};
use databuild_core::ids::GraphId;
use databuild_core::partition_set::PartitionKey;
use databuild_core::state::State;
use std::sync::Arc;

/// Partitions that a trial repeats if nobody says how many.
const DEFAULT_SAMPLES: usize = 5;

/// A graph with values of parameters, as a run is made with.
#[derive(Debug, Clone)]
struct Way {
    graph: GraphId,
    params: Params,
}

/// What `compare` or `verify` repeats.
///
/// # Errors
/// Nothing to repeat, or the code of then is gone.
pub(super) async fn sampled(
    context: &impl Context,
    kind: TrialKind,
    asked: SampleTrial,
) -> Result<TrialRequest, AppError> {
    let most = asked.sample.unwrap_or(DEFAULT_SAMPLES);
    if !(1..=MOST_SAMPLES).contains(&most) {
        return Err(AppError::new("bad_sample", format!("`sample` is a number from 1 to {MOST_SAMPLES}")));
    }
    let (job, targets) = (asked.job, asked.targets);
    let chosen = context.slow(move |backend, reader| {
        let state = current(backend)?;
        let now = crate::os::now();
        let job = match &job {
            Some(job) => decide::job_called(state.graph(), job)?,
            None => decide::maker_of(&state, &targets, now)?,
        };
        let chosen = choose((backend, reader), &state, kind, job, &targets, most)?;
        Ok((state, job, chosen))
    });
    let (state, job, chosen) = chosen.await?;
    let home = state.graph().job(job).outputs[0];
    let texts: Vec<String> = chosen.iter().map(|(key, _)| state.partition_text(home, key)).collect();
    look(context, texts.clone()).await?;

    let today = Way { graph: state.registered().id.clone(), params: Params::new() };
    let sample = |((key, then), partition): ((PartitionKey, Way), String)| SampleRequest {
        discovered: state.discovered(home, &key).to_vec(),
        partition,
        arms: [then, today.clone()].into_iter().map(|way| (way.graph, way.params)).collect(),
        expected: Vec::new(),
        changed_inputs: Vec::new(),
    };
    let samples: Vec<SampleRequest> = chosen.into_iter().zip(texts).map(sample).collect();
    let (of, arms) = (Arc::clone(&state), samples.clone());
    let graphs = context.quick(move |_, reader| {
        contents(reader, &of, arms.iter().flat_map(|sample| &sample.arms).map(|(graph, _)| graph))
    });
    Ok(TrialRequest {
        graph: state.registered().id.clone(),
        kind,
        run: None,
        job: state.graph().job(job).label.clone(),
        graphs: graphs.await?,
        samples,
        as_of: None,
        keep: None,
        key: None,
    })
}

/// Partitions, each with how it is made the first time.
fn choose(
    (backend, reader): (&Backend, &dyn History),
    state: &State,
    kind: TrialKind,
    job: JobIx,
    targets: &[String],
    most: usize,
) -> Result<Vec<(PartitionKey, Way)>, AppError> {
    let now = crate::os::now();
    let label = &state.graph().job(job).label;
    if kind == TrialKind::Verify {
        let set = decide::repeatable(state, job, targets, now)?;
        if set.is_empty() {
            let message = format!("{label} can make none of these partitions now: their inputs are missing");
            return Err(AppError::new("nothing_to_repeat", message));
        }
        let today = Way { graph: state.registered().id.clone(), params: Params::new() };
        let picked = decide::spread(&[&set], most).into_iter();
        return Ok(picked.map(|(_, key)| (key, today.clone())).collect());
    }
    let found = decide::made_otherwise(state, job, targets, now)?;
    if found.is_empty() {
        let message = format!(
            "nothing of that was made by other code or arguments than those of {label} today, and could be made again; \
             `databuild verify` repeats it with the same code"
        );
        return Err(AppError::new("nothing_to_compare", message));
    }
    let mut ways = Vec::new();
    let mut problem = None;
    for (made_by, set) in &found {
        let Some(first) = set.first() else { continue };
        match way_of((backend, reader), state, job, state.provenance(*made_by), &first)? {
            Ok(way) => ways.push((way, set)),
            Err(error) => problem = Some(error),
        }
    }
    let sets: Vec<_> = ways.iter().map(|(_, set)| *set).collect();
    let picked = decide::spread(&sets, most).into_iter();
    let chosen: Vec<_> = picked.map(|(of, key)| (key, ways[of].0.clone())).collect();
    match problem.filter(|_| chosen.is_empty()) {
        Some(problem) => Err(problem),
        None => Ok(chosen),
    }
}

/// How what these digests say is made once more; or why that cannot be.
fn way_of(
    (backend, reader): (&Backend, &dyn History),
    state: &State,
    job: JobIx,
    made_by: &JobDigests,
    key: &PartitionKey,
) -> Result<Result<Way, AppError>, AppError> {
    let entry = state.graph().job(job);
    let label = &entry.label;
    let labels: Vec<&str> = entry.labels().collect();
    let mut params = Params::new();
    for output in &entry.outputs {
        let made = held(state, reader, *output, key)?;
        if let Some(run) = made.and_then(|made| made.run) {
            params = reader.run(run)?.value.map(|found| found.run.params).unwrap_or_default();
            break;
        }
    }
    let inherited = &state.registered().inherited;
    // By digests and not by its run: what was accepted counts as made by later code.
    let of = |params: &Params| graph_with(reader, &labels, made_by, inherited, params);
    let found = match of(&params)? {
        Some(graph) => Some((graph, params)),
        None => of(&Params::new())?.map(|graph| (graph, Params::new())),
    };
    let Some((graph, params)) = found else {
        let message = format!(
            "no registered graph makes it in the same way: the earlier graph is gone, or {label} inherits \
             other values from the environment now"
        );
        return Ok(Err(AppError::new("old_code_gone", message)));
    };
    Ok(stored(backend, label, &made_by.code).map(|()| Way { graph, params }))
}
