//! From recorded digests of a job's code back to the graph that had it, and to the files that changed since.

use super::blame::{blame, SourceManifest};
use crate::api::Blame;
use crate::store::{GraphRow, Reader, StoreError};
use databuild_core::graph::file::{GraphFile, JobEntry};
use databuild_core::graph::{parse_file, Graph, JobDigests, JobIx, Params};
use databuild_core::ids::GraphId;
use databuild_core::state::State;
use databuild_core::symbols::Symbols;
use std::collections::{BTreeMap, BTreeSet};

/// Registrations that are searched, newest first.
const SEARCHED: usize = 200;

/// The newest registered graph in which the job of that label has that code.
///
/// # Errors
/// The history cannot be read.
pub(super) fn graph_with_code(
    reader: &Reader,
    label: &str,
    code: &str,
) -> Result<Option<GraphRow>, StoreError> {
    let has = |job: &JobEntry| job.label == label && job.code.as_deref() == Some(code);
    graph_such_that(reader, |_, file| file.jobs.iter().any(has))
}

/// The newest registered graph with which the job of that label makes what those digests say, of code and
/// arguments, if it gets these values.
///
/// # Errors
/// The history cannot be read.
pub(super) fn graph_with(
    reader: &Reader,
    label: &str,
    made_by: &JobDigests,
    inherited: &BTreeMap<String, String>,
    params: &Params,
) -> Result<Option<GraphId>, StoreError> {
    let found = graph_such_that(reader, |content, file| {
        let code = |job: &&JobEntry| job.label == label && job.code.as_deref() == Some(made_by.code.as_str());
        // Resolving a graph costs more than reading it.
        if !file.jobs.iter().any(|job| code(&job)) {
            return false;
        }
        let Ok(graph) = Graph::parse(content, &mut Symbols::new()) else { return false };
        let job = graph.job_labeled(label).map(|job| graph.job(job).digests(inherited, params));
        job.is_some_and(|digests| (&digests.code, &digests.args) == (&made_by.code, &made_by.args))
    })?;
    Ok(found.map(|row| row.id))
}

fn graph_such_that(
    reader: &Reader,
    meant: impl Fn(&str, &GraphFile) -> bool,
) -> Result<Option<GraphRow>, StoreError> {
    let mut seen: BTreeSet<GraphId> = BTreeSet::new();
    for row in reader.graphs(SEARCHED)?.value {
        if !seen.insert(row.id.clone()) {
            continue;
        }
        let Some(bytes) = reader.blob(&row.id.0)?.value else { continue };
        let Ok(content) = String::from_utf8(bytes) else { continue };
        // What this program cannot read any more explains nothing.
        let Ok(file) = parse_file(&content) else { continue };
        if meant(&content, &file) {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Source files of a job that differ between its code of then and that of the current graph.
///
/// # Errors
/// The history cannot be read.
pub(super) fn files_changed_since(
    state: &State,
    reader: &Reader,
    job: JobIx,
    code: &str,
) -> Result<Vec<Blame>, StoreError> {
    let label = &state.graph().job(job).label;
    let Some(then) = graph_with_code(reader, label, code)? else { return Ok(Vec::new()) };
    let manifest = |row: &GraphRow| -> Result<Option<SourceManifest>, StoreError> {
        let Some(digest) = row.sources.get(label) else { return Ok(None) };
        Ok(reader.blob(digest)?.value.and_then(|bytes| SourceManifest::parse(&bytes)))
    };
    let Some(now) = reader.graph(&state.registered().id)?.value else { return Ok(Vec::new()) };
    match (manifest(&then)?, manifest(&now)?) {
        (Some(then), Some(now)) => Ok(blame(&then, &now)),
        _ => Ok(Vec::new()),
    }
}
