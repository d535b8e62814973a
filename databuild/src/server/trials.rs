//! Works out what a trial repeats: which partitions, with which graphs of then and of today. Reads the history and
//! the code store; decides nothing that the core decides.

use super::app::App;
use super::error::ApiError;
use crate::api::{RerunTrial, SampleTrial};
use crate::app::history;
use crate::app::lineage::graph_with;
use crate::engine::CommandError;
use crate::store::{History, MaterializationRow};
use databuild_core::decide::{self, Refusal, SampleRequest, TrialRequest, MOST_SAMPLES};
use databuild_core::event::{AttemptLeased, Event, OutputRecord, TrialGraph, TrialKind};
use databuild_core::graph::{Graph, JobDigests, JobIx, Params};
use databuild_core::ids::{GraphId, RunId, Seq};
use databuild_core::partition_set::PartitionKey;
use databuild_core::state::State;
use databuild_core::word::Word as _;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Partitions that a trial repeats if nobody says how many.
const DEFAULT_SAMPLES: usize = 5;
/// Changed inputs that are told.
const MOST_CHANGED: usize = 20;
/// Later than any event.
const LATEST: Seq = Seq(i64::MAX as u64);

fn refused(refusal: Refusal) -> ApiError {
    CommandError::Refused(refusal).into()
}

fn conflict(code: &str, message: impl Into<String>) -> ApiError {
    ApiError::new(code, message)
}

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
    app: &App,
    kind: TrialKind,
    asked: SampleTrial,
) -> Result<TrialRequest, ApiError> {
    let most = asked.sample.unwrap_or(DEFAULT_SAMPLES);
    if !(1..=MOST_SAMPLES).contains(&most) {
        return Err(ApiError::new("bad_sample", format!("`sample` is a number from 1 to {MOST_SAMPLES}")));
    }
    let (job, targets) = (asked.job, asked.targets);
    let chosen = app.slow(move |app, reader| {
        let state = current(app)?;
        let now = crate::os::now();
        let job = match &job {
            Some(job) => decide::job_called(state.graph(), job).map_err(refused)?,
            None => decide::maker_of(&state, &targets, now).map_err(refused)?,
        };
        let chosen = choose((app, reader), &state, kind, job, &targets, most)?;
        Ok((state, job, chosen))
    });
    let (state, job, chosen) = chosen.await?;
    let home = state.graph().job(job).outputs[0];
    let texts: Vec<String> = chosen.iter().map(|(key, _)| state.partition_text(home, key)).collect();
    look(app, texts.clone()).await?;

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
    let graphs = app.quick(move |_, reader| {
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
    })
}

/// Partitions, each with how it is made the first time.
fn choose(
    (app, reader): (&App, &dyn History),
    state: &State,
    kind: TrialKind,
    job: JobIx,
    targets: &[String],
    most: usize,
) -> Result<Vec<(PartitionKey, Way)>, ApiError> {
    let now = crate::os::now();
    let label = &state.graph().job(job).label;
    if kind == TrialKind::Verify {
        let set = decide::repeatable(state, job, targets, now).map_err(refused)?;
        if set.is_empty() {
            let message = format!("nothing of that can be made by {label} now: its inputs are not there");
            return Err(conflict("nothing_to_repeat", message));
        }
        let today = Way { graph: state.registered().id.clone(), params: Params::new() };
        let picked = decide::spread(&[&set], most).into_iter();
        return Ok(picked.map(|(_, key)| (key, today.clone())).collect());
    }
    let found = decide::made_otherwise(state, job, targets, now).map_err(refused)?;
    if found.is_empty() {
        let message = format!(
            "nothing of that was made by other code or arguments than those of {label} today, and could be made again; \
             `databuild verify` repeats it with the same code"
        );
        return Err(conflict("nothing_to_compare", message));
    }
    let mut ways = Vec::new();
    let mut problem = None;
    for (made_by, set) in &found {
        let Some(first) = set.first() else { continue };
        match way_of((app, reader), state, job, state.provenance(*made_by), &first)? {
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
    (app, reader): (&App, &dyn History),
    state: &State,
    job: JobIx,
    made_by: &JobDigests,
    key: &PartitionKey,
) -> Result<Result<Way, ApiError>, ApiError> {
    let entry = state.graph().job(job);
    let label = &entry.label;
    let labels: Vec<&str> = entry.labels().collect();
    let mut params = Params::new();
    for output in &entry.outputs {
        let made = reader.materialization_at(&state.texts(*output, key), LATEST)?.value;
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
            "no graph that was registered makes it as it was made: the graph of then is gone, or {label} inherits \
             other values from the environment now"
        );
        return Ok(Err(conflict("old_code_gone", message)));
    };
    Ok(stored(app, label, &made_by.code).map(|()| Way { graph, params }))
}

/// Whether the code store still has some code.
fn stored(app: &App, label: &str, code: &str) -> Result<(), ApiError> {
    let found = code.parse().ok().and_then(|code| app.snapshots.find(&code).ok().flatten());
    if found.is_some() {
        return Ok(());
    }
    let message = format!("the code snapshot of {label} of then is gone from the cache (`gc` removed it)");
    Err(conflict("old_code_gone", message))
}

/// What `rerun` repeats.
///
/// # Errors
/// No such run, it made nothing, or its code is gone.
pub(super) async fn rerun(app: &App, asked: RerunTrial) -> Result<TrialRequest, ApiError> {
    let unknown = || ApiError::not_found("run_not_found", "run", &asked.run);
    let id: RunId = asked.run.parse().map_err(|_| unknown())?;
    let keep = asked.keep.as_deref().map(kept).transpose()?;
    current(app)?;
    let past = app.quick(move |_, reader| past_of(reader, id)).await?;
    look(app, past.made.iter().map(|made| made.partition.clone()).collect()).await?;
    app.slow(move |app, reader| again(app, reader, id, past, keep)).await
}

/// What a run was and made.
struct Past {
    made: Vec<MaterializationRow>,
    lease: AttemptLeased,
    lease_seq: Seq,
}

fn past_of(reader: &dyn History, id: RunId) -> Result<Past, ApiError> {
    let history::Found { value: (found, _), archive, .. } = history::run(reader, id)?;
    if let Some(archive) = archive {
        let message = format!("{id} is archived in {archive}, with what it was made from and made; there is nothing to compare with");
        return Err(conflict("run_archived", message));
    }
    if found.run.trial.is_some() {
        return Err(conflict("nothing_to_repeat", format!("{id} is a part of a trial itself")));
    }
    let made = reader.materializations_of_run(id)?.value;
    let Some(last) = made.iter().map(|made| made.seq).max() else {
        let message = format!("{id} is {} and made nothing that could be compared", found.run.state.word());
        return Err(conflict("nothing_to_repeat", message));
    };
    // A batch may have had further attempts after the one that made the most of it.
    let leases = found.attempts.iter().map(|attempt| attempt.lease_seq).filter(|lease| *lease < last);
    let lease_seq = leases.max().unwrap_or(Seq(0));
    let unknown = || ApiError::not_found("run_not_found", "run", &id.to_string());
    let lease = lease_at(reader, lease_seq)?.ok_or_else(unknown)?;
    Ok(Past { made, lease, lease_seq })
}

/// The request that repeats what a run did, after a look at its files.
fn again(
    app: &App,
    reader: &dyn History,
    id: RunId,
    past: Past,
    keep: Option<String>,
) -> Result<TrialRequest, ApiError> {
    let Past { made, lease, lease_seq } = past;
    let unknown = || ApiError::not_found("run_not_found", "run", &id.to_string());
    let state = current(app)?;
    let mut symbols = state.symbols.clone();
    let content = content_of(reader, &lease.graph)?;
    let graph = Graph::parse(&content, &mut symbols).map_err(|problems| {
        let problem = problems.first().map(ToString::to_string).unwrap_or_default();
        conflict("old_code_gone", format!("the graph of {id} cannot be read any more: {problem}"))
    })?;
    let job = graph.job_labeled(&lease.job).ok_or_else(unknown)?;
    stored(app, &lease.job, &graph.job(job).program.code)?;
    let then = inherited_at(reader, &lease.graph, lease_seq)?;
    let inherited = &state.registered().inherited;
    if let Some(name) =
        graph.job(job).program.env_inherit.iter().find(|name| then.get(*name) != inherited.get(*name))
    {
        let message = format!("{name} has another value now than {id} had, and values are not kept");
        return Err(conflict("old_code_gone", message));
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
    })
}

/// The folder to keep outputs in; nothing there is overwritten.
fn kept(folder: &str) -> Result<String, ApiError> {
    let path = std::path::Path::new(folder);
    if !path.is_absolute() {
        return Err(ApiError::new("bad_folder", format!("`{folder}` is no absolute path")));
    }
    let free = match std::fs::read_dir(path) {
        Ok(mut entries) => entries.next().is_none(),
        Err(error) => error.kind() == std::io::ErrorKind::NotFound,
    };
    if !free {
        return Err(ApiError::new("bad_folder", format!("`{folder}` is not an empty folder")));
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
) -> Result<Vec<String>, ApiError> {
    let Some((_, set)) = graph.locate_set(&lease.partition, &state.symbols) else { return Ok(Vec::new()) };
    let extents = graph.extents(lease.as_of, &state.symbols);
    let mut changed = Vec::new();
    for (at, input) in graph.job(job).inputs.iter().enumerate() {
        let dataset = graph.dataset(input.dataset);
        let today = state.successor_of(graph, input.dataset);
        let Ok(needed) = graph.inputs_of(&extents, job, at, &set) else { continue };
        for key in needed.iter() {
            let texts = state.texts_in(graph, input.dataset, &key);
            let version = |seq| -> Result<Option<String>, ApiError> {
                Ok(reader.materialization_at(&texts, seq)?.value.map(|made| made.version))
            };
            let there = today.is_some_and(|ix| {
                let facts = state.dataset(ix);
                facts.present.contains(&key) && !facts.altered.contains(&key)
            });
            let now = if there { version(LATEST)? } else { None };
            if version(lease_seq)? != now {
                changed.push(dataset.partition_text(&key, &state.symbols));
            }
            if changed.len() == MOST_CHANGED {
                return Ok(changed);
            }
        }
    }
    Ok(changed)
}

fn current(app: &App) -> Result<Arc<State>, ApiError> {
    let state = Arc::clone(&app.engine.snapshot().state);
    if state.graph.is_none() {
        return Err(refused(Refusal::NoGraph));
    }
    Ok(state)
}

/// Looks at the files that matter for partitions, and records what is not as it was.
async fn look(app: &App, partitions: Vec<String>) -> Result<(), ApiError> {
    match app.engine.look_and_record(partitions).await {
        // What today's graph does not have any more cannot be looked at.
        Err(CommandError::Refused(_)) => Ok(()),
        result => Ok(result?),
    }
}

/// Graphs by their digests, with contents.
fn contents<'g>(
    reader: &dyn History,
    state: &State,
    graphs: impl IntoIterator<Item = &'g GraphId>,
) -> Result<Vec<TrialGraph>, ApiError> {
    let distinct: BTreeSet<&GraphId> = graphs.into_iter().collect();
    let inherited = &state.registered().inherited;
    let one = |graph: &GraphId| {
        let content = content_of(reader, graph)?.into();
        // The values that jobs get are those of now.
        Ok(TrialGraph { graph: graph.clone(), content, inherited: inherited.clone() })
    };
    distinct.into_iter().map(one).collect()
}

fn content_of(reader: &dyn History, graph: &GraphId) -> Result<String, ApiError> {
    let gone = || conflict("old_code_gone", format!("the graph {} of then is gone", graph.short()));
    let bytes = reader.content(&graph.0)?.ok_or_else(gone)?;
    String::from_utf8(bytes).map_err(|_| gone())
}

fn lease_at(reader: &dyn History, seq: Seq) -> Result<Option<AttemptLeased>, ApiError> {
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
) -> Result<BTreeMap<String, String>, ApiError> {
    Ok(reader.graph_before(graph, lease)?.value.map(|row| row.inherited).unwrap_or_default())
}
