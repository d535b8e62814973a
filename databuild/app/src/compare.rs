//! What differs between two runs, or between a run and what its job would do now.
//!
//! A run's graph, its lease and the log at that position say what it was: code, arguments, environment, parameters, and which data each
//! of its inputs held. The same is worked out for today from the graph that new work follows.

use super::arguments::{of_inherited, of_job};
use super::blame::{blame, SourceManifest};
use super::context::Context;
use super::held::{held, held_at};
use super::partitions::state_now;
use super::registrations::Files;
use super::why::symbols_at;
use super::{history, runs, AppError};
use crate::api::{
    CompareQuery, ComparedCode, ComparedInput, ComparedOutput, ComparedSide, ComparedText, Comparison,
    DataSaid,
};
use crate::store::{GraphRow, History, MaterializationRow};
use databuild_core::decide::Refusal;
use databuild_core::event::Event;
use databuild_core::graph::file::{GraphFile, JobEntry};
use databuild_core::graph::{DatasetIx, Extents, Graph, JobIx, Renames};
use databuild_core::ids::{RunId, Seq};
use databuild_core::partition_set::{PartitionKey, PartitionSet};
use databuild_core::reference::dataset_of;
use databuild_core::state::State;
use databuild_core::text::shown;
use databuild_core::word::Word as _;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// Inputs of a side that are looked at.
const MOST_INPUTS: usize = 2_000;
/// Rows that are told of what differs.
const MOST_TOLD: usize = 200;

/// What differs between two runs, or a run and now.
///
/// # Errors
/// No such run; a partition that nothing made; a job that the graph does not have any more.
pub async fn get(context: &impl Context, query: CompareQuery) -> Result<Comparison, AppError> {
    context.slow(move |backend, reader| of(&state_now(backend)?, reader, query)).await
}

fn of(state: &State, reader: &dyn History, query: CompareQuery) -> Result<Comparison, AppError> {
    let CompareQuery { a, b } = query;
    let mut files = Files::of(reader);
    let a = Side::of_run(state, reader, &mut files, meant(state, reader, &a)?)?;
    let b = match b {
        Some(b) => Side::of_run(state, reader, &mut files, meant(state, reader, &b)?)?,
        None => Side::of_now(state, reader, &mut files, &a)?,
    };
    compared(state, reader, a, b)
}

/// The run that a text means: its id, or a partition that it made.
fn meant(state: &State, reader: &dyn History, text: &str) -> Result<RunId, AppError> {
    if let Ok(run) = runs::parse(text) {
        return Ok(run);
    }
    let (ix, key) = state.resolve_one(text)?;
    let made = held(state, reader, ix, &key)?;
    made.and_then(|made| made.run).ok_or_else(|| {
        let message = format!("no run made what `{}` holds, so there is nothing to compare", shown(text));
        AppError::new("not_made_by_run", message)
    })
}

/// One of the two.
struct Side {
    said: ComparedSide,
    /// The registration that it follows.
    row: Option<GraphRow>,
    /// Its graph file, if this program can read it.
    file: Option<Rc<GraphFile>>,
    params: BTreeMap<String, String>,
    inputs: Inputs,
    outputs: Vec<MaterializationRow>,
}

/// What each input holds, or held when it was read.
#[derive(Default)]
struct Inputs {
    versions: BTreeMap<String, Option<String>>,
    total: u64,
    /// Which ones there are is known.
    known: bool,
}

impl Side {
    fn of_run(
        state: &State,
        reader: &dyn History,
        files: &mut Files<'_>,
        id: RunId,
    ) -> Result<Side, AppError> {
        let found = history::run(reader, id)?.value.0;
        let (run, last) = (found.run, found.attempts.last());
        let lease = last.map_or(Seq::LATEST, |attempt| attempt.lease_seq);
        let row = reader.graph_before(&run.graph, lease)?.value;
        let inputs = match last {
            // What is in an archive that is not there explains nothing.
            Some(_) => inputs_then(state, reader, lease).unwrap_or_default(),
            None => Inputs::default(),
        };
        Ok(Side {
            said: ComparedSide {
                run: Some(id.to_string()),
                job: run.job.clone(),
                partition: run.partition.clone(),
                partitions: run.partitions,
                graph: run.graph.to_string(),
                graph_number: row.as_ref().map(|row| row.seq.0),
                state: Some(run.state.word().to_owned()),
                at: run.created_at.to_string(),
                attempt_count: run.attempts,
                wall_ms: last.and_then(runs::wall_ms),
                cpu_ms: last.and_then(|attempt| attempt.cpu_ms),
                max_rss_kb: last.and_then(|attempt| attempt.max_rss_kb),
            },
            file: files.read(&run.graph)?,
            row,
            params: run.params,
            inputs,
            outputs: reader.materializations_of_run(id)?.value,
        })
    }

    /// What the job of another side would do now.
    fn of_now(
        state: &State,
        reader: &dyn History,
        files: &mut Files<'_>,
        then: &Side,
    ) -> Result<Side, AppError> {
        let graph = state.graph();
        let unknown = || Refusal::UnknownJob(then.said.job.clone());
        let job = graph.job_once_labeled(&then.said.job).ok_or_else(unknown)?;
        let located = graph.locate_set(&then.said.partition, state.symbols());
        let inputs = match &located {
            Some((_, set)) => inputs_now(state, reader, job, set)?,
            None => Inputs::default(),
        };
        let mut outputs = Vec::new();
        for made in then.outputs.iter().take(MOST_TOLD) {
            let Some((ix, key)) = graph.locate(&made.partition, state.symbols()) else { continue };
            if state.dataset(ix).present.contains(&key) {
                outputs.extend(held(state, reader, ix, &key)?);
            }
        }
        let id = &state.registered().id;
        let row = reader.graph(id)?.value;
        Ok(Side {
            said: ComparedSide {
                run: None,
                job: graph.job(job).label.clone(),
                partition: then.said.partition.clone(),
                partitions: located.map_or(then.said.partitions, |(_, set)| set.len()),
                graph: id.to_string(),
                graph_number: row.as_ref().map(|row| row.seq.0),
                state: None,
                at: state.as_of().to_string(),
                attempt_count: 0,
                wall_ms: None,
                cpu_ms: None,
                max_rss_kb: None,
            },
            file: files.read(id)?,
            row,
            params: graph.job(job).params.clone(),
            inputs,
            outputs,
        })
    }

    fn job(&self) -> Option<&JobEntry> {
        self.file.as_ref()?.jobs.iter().find(|job| job.label == self.said.job)
    }

    fn code(&self) -> Option<String> {
        self.job().and_then(|job| job.program.code.clone())
    }

    /// The source manifest of its job.
    fn sources(&self, reader: &dyn History) -> Result<Option<SourceManifest>, AppError> {
        let digest = self.row.as_ref().and_then(|row| row.sources.get(&self.said.job));
        let Some(digest) = digest else { return Ok(None) };
        Ok(reader.text(digest)?.and_then(|bytes| SourceManifest::parse(&bytes)))
    }
}

/// What the job of a lease read, and what that held then.
fn inputs_then(state: &State, reader: &dyn History, lease_seq: Seq) -> Result<Inputs, AppError> {
    let unknown = || Ok(Inputs::default());
    let Some(Event::AttemptLeased(lease)) = reader.event(lease_seq)?.value.map(|record| record.event) else {
        return unknown();
    };
    let Some(mut symbols) = symbols_at(state, reader, lease_seq)? else { return unknown() };
    let earlier;
    let graph = if lease.graph == state.registered().id {
        state.graph()
    } else {
        let content = reader.content(&lease.graph.0)?.and_then(|bytes| String::from_utf8(bytes).ok());
        let Some(graph) = content.and_then(|content| Graph::parse(&content, &mut symbols).ok()) else {
            return unknown();
        };
        earlier = graph;
        &earlier
    };
    let located = graph.locate_set(&lease.partition, &symbols);
    let Some((job, (_, set))) = graph.job_labeled(&lease.job).zip(located) else { return unknown() };
    let extents = graph.extents(lease.as_of, &symbols);
    inputs_of(graph, &extents, job, &set, |dataset, key| {
        let text = match state.successor_of(graph, dataset) {
            Some(today) => state.partition_text(today, key),
            None => graph.dataset(dataset).partition_text(key, &symbols),
        };
        let held = held_at(state, reader, graph, (dataset, key), lease_seq)?;
        Ok((text, held.map(|row| row.version)))
    })
}

fn inputs_now(
    state: &State,
    reader: &dyn History,
    job: JobIx,
    set: &PartitionSet,
) -> Result<Inputs, AppError> {
    inputs_of(state.graph(), state.extents(), job, set, |dataset, key| {
        let is_there = state.dataset(dataset).present.contains(key);
        let held = if is_there { held(state, reader, dataset, key)? } else { None };
        Ok((state.partition_text(dataset, key), held.map(|row| row.version)))
    })
}

fn inputs_of(
    graph: &Graph,
    extents: &Extents,
    job: JobIx,
    set: &PartitionSet,
    told: impl Fn(DatasetIx, &PartitionKey) -> Result<(String, Option<String>), AppError>,
) -> Result<Inputs, AppError> {
    let mut inputs = Inputs { known: true, ..Inputs::default() };
    let mut sets: Vec<(DatasetIx, PartitionSet)> = Vec::new();
    for (number, input) in graph.job(job).inputs.iter().enumerate() {
        // What nobody can list no run has read.
        let Ok(needed) = graph.inputs_of(extents, job, number, set) else { continue };
        match sets.iter_mut().find(|(dataset, _)| *dataset == input.dataset) {
            Some((_, all)) => all.union_with(&needed),
            None => sets.push((input.dataset, needed)),
        }
    }
    inputs.total = sets.iter().map(|(_, set)| set.len()).sum();
    for (dataset, set) in &sets {
        let left = MOST_INPUTS.saturating_sub(inputs.versions.len());
        for key in set.iter().take(left) {
            let (text, version) = told(*dataset, &key)?;
            inputs.versions.insert(text, version);
        }
    }
    Ok(inputs)
}

fn compared(state: &State, reader: &dyn History, a: Side, b: Side) -> Result<Comparison, AppError> {
    let (of_a, of_b) = (a.code(), b.code());
    let files = if of_a == of_b || of_a.is_none() || of_b.is_none() {
        None
    } else {
        a.sources(reader)?.zip(b.sources(reader)?).map(|(then, now)| blame(&then, &now))
    };
    let mut arguments = Vec::new();
    let mut environment = Vec::new();
    if let (Some(then), Some(now), Some(file)) = (a.job(), b.job(), &b.file) {
        arguments = of_job(&Renames::of(file).job(then), now);
        if let (Some(before), Some(after)) = (&a.row, &b.row) {
            let both = then.program.env_inherit.iter().filter(|name| now.program.env_inherit.contains(name));
            let names: Vec<String> = both.cloned().collect();
            environment = of_inherited(&names, &before.inherited, &after.inherited).collect();
        }
    }
    let (params, params_same) = texts(&a.params, &b.params);
    let inputs = inputs_compared(&a.inputs, &b.inputs);
    let (outputs, outputs_same) = outputs_compared(state, &a.outputs, &b.outputs);
    Ok(Comparison {
        code: ComparedCode { same: of_a == of_b, a: of_a, b: of_b, files },
        arguments,
        environment,
        params,
        params_same,
        inputs_differ: inputs.differing.len() as u64,
        inputs: inputs.differing.into_iter().take(MOST_TOLD).collect(),
        inputs_same: inputs.same,
        inputs_known: a.inputs.known && b.inputs.known,
        inputs_left_out: left_out(&a.inputs).max(left_out(&b.inputs)),
        outputs,
        outputs_same,
        a: a.said,
        b: b.said,
        seq: state.seq().0,
    })
}

fn left_out(inputs: &Inputs) -> u64 {
    inputs.total - (inputs.versions.len() as u64).min(inputs.total)
}

/// Values that differ, by name, and how many do not.
fn texts(a: &BTreeMap<String, String>, b: &BTreeMap<String, String>) -> (Vec<ComparedText>, u64) {
    let names: BTreeSet<&String> = a.keys().chain(b.keys()).collect();
    let (same, differ): (Vec<&String>, Vec<&String>) =
        names.into_iter().partition(|name| a.get(*name) == b.get(*name));
    let told =
        |name: &String| ComparedText { name: name.clone(), a: a.get(name).cloned(), b: b.get(name).cloned() };
    (differ.into_iter().map(told).collect(), same.len() as u64)
}

struct Found {
    differing: Vec<ComparedInput>,
    same: u64,
}

fn inputs_compared(a: &Inputs, b: &Inputs) -> Found {
    let names: BTreeSet<&String> = a.versions.keys().chain(b.versions.keys()).collect();
    let mut found = Found { differing: Vec::new(), same: 0 };
    for name in names {
        let (of_a, of_b) = (a.versions.get(name), b.versions.get(name));
        if of_a == of_b {
            found.same += 1;
            continue;
        }
        // What only one reads is none of the other's, whatever it held.
        let read_by = match (of_a, of_b) {
            (Some(_), Some(_)) => "both",
            (Some(_), None) => "a",
            _ => "b",
        };
        found.differing.push(ComparedInput {
            partition: name.clone(),
            read_by: read_by.to_owned(),
            a: of_a.cloned().flatten(),
            b: of_b.cloned().flatten(),
        });
    }
    found
}

/// A partition by its name of today, and what was made of it.
type Made = (String, MaterializationRow);

/// What each made: the same partitions beside each other; else what is left of a dataset, in order.
fn outputs_compared(
    state: &State,
    a: &[MaterializationRow],
    b: &[MaterializationRow],
) -> (Vec<ComparedOutput>, u64) {
    // A run that had several attempts may have made one twice; the last counts.
    let by_name = |rows: &[MaterializationRow]| -> BTreeMap<String, MaterializationRow> {
        let now = |row: &MaterializationRow| {
            let located = state.graph().locate(&row.partition, state.symbols());
            located.map_or_else(|| row.partition.clone(), |(ix, key)| state.partition_text(ix, &key))
        };
        rows.iter().map(|row| (now(row), row.clone())).collect()
    };
    let (mut a, mut b) = (by_name(a), by_name(b));
    let mut pairs: Vec<(Option<Made>, Option<Made>)> = Vec::new();
    let common: Vec<String> = a.keys().filter(|name| b.contains_key(*name)).cloned().collect();
    for name in common {
        pairs.push((a.remove_entry(&name), b.remove_entry(&name)));
    }
    for left in a {
        let dataset = dataset_of(&left.0).to_owned();
        let like = b.keys().find(|name| dataset_of(name) == dataset).cloned();
        let other = like.and_then(|name| b.remove_entry(&name));
        pairs.push((Some(left), other));
    }
    pairs.extend(b.into_iter().map(|other| (None, Some(other))));
    let same = |pair: &(Option<Made>, Option<Made>)| match pair {
        // Other partitions may hold the same.
        (Some((_, a)), Some((_, b))) => a.version == b.version && a.metadata == b.metadata,
        _ => false,
    };
    let (equal, differ): (Vec<_>, Vec<_>) = pairs.into_iter().partition(same);
    let told = differ.into_iter().take(MOST_TOLD).map(|(a, b)| output(a, b));
    (told.collect(), equal.len() as u64)
}

fn output(a: Option<Made>, b: Option<Made>) -> ComparedOutput {
    let metadata = |side: &Option<Made>| -> BTreeMap<String, String> {
        let object = side.as_ref().and_then(|(_, row)| serde_json::from_str(&row.metadata).ok());
        let object: serde_json::Map<String, serde_json::Value> = object.unwrap_or_default();
        let text = |value: serde_json::Value| match value {
            serde_json::Value::String(text) => text,
            other => other.to_string(),
        };
        object.into_iter().map(|(name, value)| (name, text(value))).collect()
    };
    let (metadata, metadata_same) = texts(&metadata(&a), &metadata(&b));
    let data = |(partition, row): Made| DataSaid {
        partition,
        version: row.version,
        bytes: row.bytes,
        empty: row.empty,
    };
    ComparedOutput { a: a.map(data), b: b.map(data), metadata, metadata_same }
}

#[cfg(test)]
mod tests {
    use super::super::why::tests::{chain, Workspace};
    use super::*;
    use crate::store::RunFilter;
    use databuild_core::event::Refresh;
    use jiff::Timestamp;
    use serde_json::json;

    /// `text` was made of `raw` twice, with another code, another argument and another `raw/name=a`.
    fn twice() -> Workspace {
        let mut workspace = Workspace::new(&chain("zero"));
        workspace.register_kept(&chain("one"));
        for name in ["a", "b", "c"] {
            workspace.observe(&format!("raw/name={name}"), "r1");
        }
        workspace.want("book", Refresh::Stale);
        workspace.finish_all("v1");
        let mut other = chain("two");
        other["jobs"][0]["program"]["args"] = json!(["--x"]);
        other["jobs"][0]["params"] = json!({"full": "no"});
        workspace.register_kept(&other);
        workspace.observe("raw/name=a", "r2");
        workspace.want("book", Refresh::Stale);
        workspace.finish_all("v2");
        workspace
    }

    /// Runs of a partition, the first one first.
    fn runs_of(workspace: &Workspace, partition: &str) -> Vec<String> {
        let filter = RunFilter { limit: 100, ..RunFilter::default() };
        let rows = workspace.reader().runs(&filter, &|text| text == partition).unwrap().value.rows;
        rows.iter().rev().map(|run| run.id.to_string()).collect()
    }

    fn query(a: &str, b: Option<&str>) -> CompareQuery {
        CompareQuery { a: a.to_owned(), b: b.map(str::to_owned) }
    }

    fn told(workspace: &Workspace, query: CompareQuery) -> Result<Comparison, AppError> {
        of(&workspace.state(), &workspace.reader(), query)
    }

    #[test]
    fn two_runs_of_a_partition_differ_in_what_changed_between_them() {
        let workspace = twice();
        let runs = runs_of(&workspace, "text/name=a");
        assert_eq!(runs.len(), 2);
        let found = told(&workspace, query(&runs[0], Some(&runs[1]))).unwrap();
        assert!(!found.code.same && found.code.files.is_none(), "{:?}", found.code);
        assert_eq!(found.arguments, ["`--x` was added", "parameter `full=no` was added"]);
        let full = ComparedText { name: "full".to_owned(), a: None, b: Some("no".to_owned()) };
        assert_eq!((found.params, found.params_same), (vec![full], 0));
        let raw = ComparedInput {
            partition: "raw/name=a".to_owned(),
            read_by: "both".to_owned(),
            a: Some("r1".to_owned()),
            b: Some("r2".to_owned()),
        };
        assert_eq!((found.inputs, found.inputs_differ, found.inputs_same), (vec![raw], 1, 0));
        let [output] = found.outputs.as_slice() else { panic!("{:?}", found.outputs) };
        let versions = [&output.a, &output.b].map(|data| data.as_ref().unwrap().version.as_str());
        assert_eq!((versions, output.metadata_same), (["v1", "v2"], 1));
        assert!(output.metadata.is_empty() && found.inputs_known);
        assert_ne!(found.a.graph_number, found.b.graph_number);
    }

    #[test]
    fn other_partitions_that_hold_the_same_do_not_differ() {
        let workspace = twice();
        let made = |partition: &str, version: &str| MaterializationRow {
            partition: partition.to_owned(),
            seq: Seq(1),
            run: None,
            version: version.to_owned(),
            empty: false,
            bytes: 1,
            mark: 0,
            metadata: "{}".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        };
        let compared = |version| {
            outputs_compared(
                &workspace.state(),
                &[made("text/name=a", "v1")],
                &[made("text/name=b", version)],
            )
        };
        assert_eq!((compared("v1").0.len(), compared("v1").1), (0, 1));
        assert_eq!((compared("v2").0.len(), compared("v2").1), (1, 0));
    }

    #[test]
    fn what_would_be_made_now_is_what_was_made_last_until_something_changes() {
        let mut workspace = twice();
        let last = runs_of(&workspace, "text/name=a").pop().unwrap();
        let found = told(&workspace, query(&last, None)).unwrap();
        assert!(found.code.same && found.arguments.is_empty() && found.outputs.is_empty(), "{found:?}");
        assert_eq!((found.inputs_differ, found.inputs_same, found.outputs_same), (0, 1, 1));
        workspace.observe("raw/name=a", "r3");
        let found = told(&workspace, query("text/name=a", None)).unwrap();
        assert_eq!((found.a.run.as_ref(), found.b.run), (Some(&last), None));
        assert_eq!(found.inputs[0].b.as_deref(), Some("r3"));
    }

    #[test]
    fn runs_of_two_jobs_read_and_make_other_things() {
        let workspace = twice();
        let (text, book) = (runs_of(&workspace, "text/name=a"), runs_of(&workspace, "book"));
        let found = told(&workspace, query(&text[0], Some(&book[0]))).unwrap();
        let read_by: Vec<_> =
            found.inputs.iter().map(|input| (input.partition.as_str(), input.read_by.as_str())).collect();
        let book_reads = ["text/name=a", "text/name=b", "text/name=c"].map(|text| (text, "b"));
        assert_eq!(read_by, [&[("raw/name=a", "a")][..], &book_reads].concat());
        assert_eq!(found.outputs.len(), 2);
    }

    #[test]
    fn what_cannot_be_compared_is_refused() {
        let workspace = twice();
        let code = |query| told(&workspace, query).unwrap_err().code();
        assert_eq!(code(query("r1", Some("r99"))), "run_not_found");
        assert_eq!(code(query("x", None)), "unknown_dataset");
        assert_eq!(code(query("text", None)), "not_one_partition");
        assert_eq!(code(query("raw/name=a", None)), "not_made_by_run");
    }
}
