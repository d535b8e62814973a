//! From recorded digests of a job's code back to the graph that had it, and to the files that changed since.

use super::blame::{blame, SourceManifest};
use crate::api::Blame;
use crate::store::{GraphRow, Reader, StoreError};
use databuild_core::graph::{parse_file, JobIx};
use databuild_core::ids::GraphId;
use databuild_core::state::State;
use std::collections::BTreeSet;

/// Registrations that are searched, newest first.
const SEARCHED: usize = 200;

/// The newest registered graph in which a job of one of these labels has that code, with the label.
///
/// # Errors
/// The history cannot be read.
pub(super) fn graph_with_code(
    reader: &Reader,
    labels: &[&str],
    code: &str,
) -> Result<Option<(GraphRow, String)>, StoreError> {
    let mut seen: BTreeSet<GraphId> = BTreeSet::new();
    for row in reader.graphs(SEARCHED)?.value {
        if !seen.insert(row.id.clone()) {
            continue;
        }
        let Some(bytes) = reader.blob(&row.id.0)?.value else { continue };
        let Ok(content) = String::from_utf8(bytes) else { continue };
        // What this program cannot read any more explains nothing.
        let Ok(file) = parse_file(&content) else { continue };
        let has = |job: &databuild_core::graph::file::JobEntry| {
            labels.contains(&job.label.as_str()) && job.code.as_deref() == Some(code)
        };
        if let Some(job) = file.jobs.iter().find(|job| has(job)) {
            return Ok(Some((row, job.label.clone())));
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
    let labels: Vec<&str> = state.graph().job(job).labels().collect();
    let Some((then, label)) = graph_with_code(reader, &labels, code)? else { return Ok(Vec::new()) };
    let manifest = |row: &GraphRow, label: &str| -> Result<Option<SourceManifest>, StoreError> {
        let Some(digest) = row.sources.get(label) else { return Ok(None) };
        Ok(reader.blob(digest)?.value.and_then(|bytes| SourceManifest::parse(&bytes)))
    };
    let Some(now) = reader.graph(&state.registered().id)?.value else { return Ok(Vec::new()) };
    match (manifest(&then, &label)?, manifest(&now, labels[0])?) {
        (Some(then), Some(now)) => Ok(blame(&then, &now)),
        _ => Ok(Vec::new()),
    }
}
