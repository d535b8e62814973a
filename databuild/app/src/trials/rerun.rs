//! What `rerun` repeats: a run as it was, and the inputs that are not those of then.

use super::code::{content_of, contents, current, look, stored};
use crate::api::RerunTrial;
use crate::context::{Backend, Context};
use crate::held::{held, held_at};
use crate::store::{History, MaterializationRow};
use crate::{history, AppError};
use databuild_core::decide::{SampleRequest, TrialRequest};
use databuild_core::event::{AttemptLeased, Event, OutputRecord, TrialKind};
use databuild_core::graph::{Graph, JobIx};
use databuild_core::ids::{GraphId, RunId, Seq};
use databuild_core::state::State;
use databuild_core::word::Word as _;
use std::collections::{BTreeMap, BTreeSet};

/// Changed inputs that are told.
const MOST_CHANGED: usize = 20;

/// What `rerun` repeats.
///
/// # Errors
/// No such run, it made nothing, or its code is gone.
pub(super) async fn rerun(context: &impl Context, asked: RerunTrial) -> Result<TrialRequest, AppError> {
    let unknown = || AppError::not_found("run_not_found", "run", &asked.run);
    let id: RunId = asked.run.parse().map_err(|_| unknown())?;
    let found = context.quick(move |backend, reader| {
        let keep = asked.keep.as_deref().map(kept).transpose()?;
        current(backend)?;
        Ok((past_of(reader, id)?, keep))
    });
    let (past, keep) = found.await?;
    look(context, past.made.iter().map(|made| made.partition.clone()).collect()).await?;
    context.slow(move |backend, reader| again(backend, reader, id, past, keep)).await
}

/// What a run was and made.
struct Past {
    made: Vec<MaterializationRow>,
    lease: AttemptLeased,
    lease_seq: Seq,
}

fn past_of(reader: &dyn History, id: RunId) -> Result<Past, AppError> {
    let history::Found { value: (found, _), archive, .. } = history::run(reader, id)?;
    if let Some(archive) = archive {
        let message = format!("{id} is archived in {archive}, and so are the records of its inputs and outputs: there is nothing to compare with");
        return Err(AppError::new("run_archived", message));
    }
    if found.run.trial.is_some() {
        return Err(AppError::new("nothing_to_repeat", format!("{id} is a part of a trial itself")));
    }
    let made = reader.materializations_of_run(id)?.value;
    let Some(last) = made.iter().map(|made| made.seq).max() else {
        let message = format!("{id} is {} and made nothing that could be compared", found.run.state.word());
        return Err(AppError::new("nothing_to_repeat", message));
    };
    // A batch may have had further attempts after the one that made the most of it.
    let leases = found.attempts.iter().map(|attempt| attempt.lease_seq).filter(|lease| *lease < last);
    let lease_seq = leases.max().unwrap_or(Seq(0));
    let unknown = || AppError::not_found("run_not_found", "run", id);
    let lease = lease_at(reader, lease_seq)?.ok_or_else(unknown)?;
    Ok(Past { made, lease, lease_seq })
}

/// The request that repeats what a run did, after a look at its files.
fn again(
    backend: &Backend,
    reader: &dyn History,
    id: RunId,
    past: Past,
    keep: Option<String>,
) -> Result<TrialRequest, AppError> {
    let Past { made, lease, lease_seq } = past;
    let unknown = || AppError::not_found("run_not_found", "run", id);
    let state = current(backend)?;
    let mut symbols = state.symbols().clone();
    let content = content_of(reader, &lease.graph)?;
    let graph = Graph::parse(&content, &mut symbols).map_err(|problems| {
        let problem = problems.first().map(ToString::to_string).unwrap_or_default();
        AppError::new("old_code_gone", format!("the graph of {id} cannot be read any more: {problem}"))
    })?;
    let job = graph.job_labeled(&lease.job).ok_or_else(unknown)?;
    stored(backend, &lease.job, &graph.job(job).program.code)?;
    let then = inherited_at(reader, &lease.graph, lease_seq)?;
    let inherited = &state.registered().inherited;
    if let Some(name) =
        graph.job(job).program.env_inherit.iter().find(|name| then.get(*name) != inherited.get(*name))
    {
        let message = format!("the inherited variable {name} had another value when {id} ran, and DataBuild does not keep values");
        return Err(AppError::new("old_code_gone", message));
    }
    let mut expected: BTreeMap<String, OutputRecord> = BTreeMap::new();
    for row in made {
        let record = OutputRecord {
            partition: row.partition,
            version: row.version,
            empty: row.empty,
            mark: 0,
            bytes: row.bytes,
            metadata: "{}".to_owned(),
        };
        expected.insert(record.partition.clone(), record);
    }
    let discovered: BTreeSet<String> = expected
        .keys()
        .filter_map(|text| state.resolve_readable(text).ok())
        .flat_map(|(ix, set)| {
            set.iter().flat_map(|key| state.discovered(ix, &key).to_vec()).collect::<Vec<_>>()
        })
        .collect();
    let changed = changed_inputs(&state, reader, (&graph, job), &lease, lease_seq)?;
    let sample = SampleRequest {
        partition: lease.partition,
        arms: vec![(lease.graph.clone(), lease.params)],
        discovered: discovered.into_iter().collect(),
        expected: expected.into_values().collect(),
        changed_inputs: changed,
    };
    Ok(TrialRequest {
        graph: state.registered().id.clone(),
        kind: TrialKind::Rerun,
        run: Some(id),
        job: lease.job,
        graphs: contents(reader, &state, [&lease.graph])?,
        samples: vec![sample],
        as_of: Some(lease.as_of),
        keep,
        key: None,
    })
}

/// The folder to keep outputs in; nothing there is overwritten.
fn kept(folder: &str) -> Result<String, AppError> {
    let path = std::path::Path::new(folder);
    if !path.is_absolute() {
        return Err(AppError::new("bad_folder", format!("`{folder}` is not an absolute path")));
    }
    let free = match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !free {
        return Err(AppError::new("bad_folder", format!("`{folder}` is not an empty folder")));
    }
    Ok(folder.to_owned())
}

/// Inputs that had other data when the run read them than they have now; the first ones.
fn changed_inputs(
    state: &State,
    reader: &dyn History,
    (graph, job): (&Graph, JobIx),
    lease: &AttemptLeased,
    lease_seq: Seq,
) -> Result<Vec<String>, AppError> {
    let Some((_, set)) = graph.locate_set(&lease.partition, state.symbols()) else { return Ok(Vec::new()) };
    let extents = graph.extents(lease.as_of, state.symbols());
    let mut changed = Vec::new();
    for (at, input) in graph.job(job).inputs.iter().enumerate() {
        let dataset = graph.dataset(input.dataset);
        let today = state.successor_of(graph, input.dataset);
        let Ok(needed) = graph.inputs_of(&extents, job, at, &set) else { continue };
        for key in needed.iter() {
            let there = today.filter(|ix| {
                let facts = state.dataset(*ix);
                facts.present.contains(&key) && !facts.altered.contains(&key)
            });
            let now = there.map(|ix| held(state, reader, ix, &key)).transpose()?.flatten();
            let then = held_at(state, reader, graph, (input.dataset, &key), lease_seq)?;
            if then.map(|made| made.version) != now.map(|made| made.version) {
                changed.push(dataset.partition_text(&key, state.symbols()));
            }
            if changed.len() == MOST_CHANGED {
                return Ok(changed);
            }
        }
    }
    Ok(changed)
}

fn lease_at(reader: &dyn History, seq: Seq) -> Result<Option<AttemptLeased>, AppError> {
    Ok(reader.event(seq)?.value.and_then(|record| match record.event {
        Event::AttemptLeased(lease) => Some(lease),
        _ => None,
    }))
}

/// Digests of inherited values under the registration of a graph that a lease followed.
fn inherited_at(
    reader: &dyn History,
    graph: &GraphId,
    lease: Seq,
) -> Result<BTreeMap<String, String>, AppError> {
    Ok(reader.graph_before(graph, lease)?.value.map(|row| row.inherited).unwrap_or_default())
}
