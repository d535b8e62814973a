//! From recorded digests of a job's code back to the graph that had it, and to the files that changed since.

use super::blame::{blame, SourceManifest};
use crate::api::Blame;
use crate::store::{GraphRow, History, StoreError};
use databuild_core::graph::file::{GraphFile, JobEntry};
use databuild_core::graph::{parse_file, Graph, JobDigests, JobIx, Params};
use databuild_core::ids::GraphId;
use databuild_core::state::State;
use databuild_core::symbols::Symbols;
use std::collections::{BTreeMap, BTreeSet};

/// Registrations that are searched, newest first.
const SEARCHED: usize = 200;

/// The newest registered graph in which a job of one of these labels has that code, with the label.
///
/// # Errors
/// The history cannot be read.
pub fn graph_with_code(
    reader: &dyn History,
    labels: &[&str],
    code: &str,
) -> Result<Option<(GraphRow, String)>, StoreError> {
    graph_such_that(reader, |_, file| job_with_code(file, labels, code).map(|job| job.label.clone()))
}

/// The newest registered graph with which the job of one of these labels makes what those digests say, of code
/// and arguments, if it gets these values.
///
/// # Errors
/// The history cannot be read.
pub fn graph_with(
    reader: &dyn History,
    labels: &[&str],
    made_by: &JobDigests,
    inherited: &BTreeMap<String, String>,
    params: &Params,
) -> Result<Option<GraphId>, StoreError> {
    let found = graph_such_that(reader, |content, file| {
        // Resolving a graph costs more than reading it.
        let job = job_with_code(file, labels, &made_by.code)?;
        let graph = Graph::parse(content, &mut Symbols::new()).ok()?;
        let digests = graph.job(graph.job_labeled(&job.label)?).digests(inherited, params);
        ((&digests.code, &digests.args) == (&made_by.code, &made_by.args)).then_some(())
    })?;
    Ok(found.map(|(row, ())| row.id))
}

fn job_with_code<'f>(file: &'f GraphFile, labels: &[&str], code: &str) -> Option<&'f JobEntry> {
    let has =
        |job: &&JobEntry| labels.contains(&job.label.as_str()) && job.program.code.as_deref() == Some(code);
    file.jobs.iter().find(has)
}

/// The newest registered graph of which something is found, with that.
fn graph_such_that<T>(
    reader: &dyn History,
    find: impl Fn(&str, &GraphFile) -> Option<T>,
) -> Result<Option<(GraphRow, T)>, StoreError> {
    let mut seen: BTreeSet<GraphId> = BTreeSet::new();
    for row in reader.graphs(None, SEARCHED)?.value {
        if !seen.insert(row.id.clone()) {
            continue;
        }
        let Some(bytes) = reader.content(&row.id.0)? else { continue };
        let Ok(content) = String::from_utf8(bytes) else { continue };
        // What this program cannot read any more explains nothing.
        let Ok(file) = parse_file(&content) else { continue };
        if let Some(found) = find(&content, &file) {
            return Ok(Some((row, found)));
        }
    }
    Ok(None)
}

/// Source files of a job that differ between its code of then and that of the current graph.
///
/// # Errors
/// The history cannot be read.
pub fn files_changed_since(
    state: &State,
    reader: &dyn History,
    job: JobIx,
    code: &str,
) -> Result<Vec<Blame>, StoreError> {
    let labels: Vec<&str> = state.graph().job(job).labels().collect();
    let Some((then, label)) = graph_with_code(reader, &labels, code)? else { return Ok(Vec::new()) };
    let manifest = |row: &GraphRow, label: &str| -> Result<Option<SourceManifest>, StoreError> {
        let Some(digest) = row.sources.get(label) else { return Ok(None) };
        Ok(reader.text(digest)?.and_then(|bytes| SourceManifest::parse(&bytes)))
    };
    let Some(now) = reader.graph(&state.registered().id)?.value else { return Ok(Vec::new()) };
    match (manifest(&then, &label)?, manifest(&now, labels[0])?) {
        (Some(then), Some(now)) => Ok(blame(&then, &now)),
        _ => Ok(Vec::new()),
    }
}
