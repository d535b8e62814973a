//! Names that lists are filtered by. One that nothing has or had is a mistake, and is told with what was probably meant: an empty list
//! would look as if all were well.
//!
//! Invariant: what any graph of the log had is a good name, whatever the graph of now has. Only for a name that this one does not know
//! are earlier ones read.

use super::context::Backend;
use super::partitions::standings_now;
use super::{datasets, history, AppError};
use crate::store::{History, RunFilter, StoreError, MAX_ROWS};
use databuild_core::graph::file::GraphFile;
use databuild_core::graph::parse_file;
use databuild_core::ids::{GraphId, RunId, WantId};
use databuild_core::reference::dataset_of;
use databuild_core::state::{Making, State};
use databuild_core::text::{first_of, nearest, shown};
use std::collections::BTreeSet;

/// Labels that a message lists.
const SOME: usize = 5;

/// A dataset, by any name that it has or had.
///
/// # Errors
/// None has or had it.
pub(super) fn dataset(state: &State, reader: &dyn History, name: &str) -> Result<(), AppError> {
    // Without a graph nobody knows a name.
    if state.followed().is_none() {
        return Ok(());
    }
    let Err(unknown) = datasets::named(state, name) else { return Ok(()) };
    let had = |file: &GraphFile| file.datasets.iter().any(|dataset| dataset.name == name);
    if once(reader, name, had)? {
        return Ok(());
    }
    Err(unknown)
}

/// A reference to partitions, or how the texts of some begin: now, or when runs made them or something was seen there.
///
/// # Errors
/// As [`dataset`]; or nothing was ever there, and the reference has no meaning now.
pub(super) fn reference(backend: &Backend, reader: &dyn History, text: &str) -> Result<(), AppError> {
    let snapshot = backend.engine.snapshot();
    let state = &snapshot.state;
    let Some(registered) = state.followed() else { return Ok(()) };
    if registered.graph.locate_set(text, state.symbols()).is_some() {
        return Ok(());
    }
    let making = Making::of(state, text);
    let filter = RunFilter { of: Some(making.named().clone()), ..RunFilter::default() };
    let ran = reader.newest_run(&filter, &|partitions| making.has(partitions))?.is_some();
    if ran || !reader.materializations(text, 1)?.value.is_empty() {
        return Ok(());
    }
    let name = dataset_of(text);
    dataset(state, reader, name)?;
    if datasets::named(state, name).is_ok() {
        standings_now(backend)?.state().resolve_readable(text)?;
    }
    Ok(())
}

/// A check, by its label.
///
/// # Errors
/// No graph has or had it, and none of this name ever found anything.
pub(super) fn check(backend: &Backend, reader: &dyn History, label: &str) -> Result<(), AppError> {
    let snapshot = backend.engine.snapshot();
    let seen = |dataset: &str| backend.audience.sees_text(&snapshot.state, dataset);
    let graph = snapshot.state.followed().map(|registered| &registered.graph);
    let of_now = graph.into_iter().flat_map(|graph| {
        graph.checks().map(|check| (check.label.clone(), graph.dataset(check.dataset).name.clone()))
    });
    let found = reader.check_counts()?.value.into_keys();
    let known: BTreeSet<String> =
        of_now.chain(found).filter(|(_, dataset)| seen(dataset)).map(|(label, _)| label).collect();
    let had = |file: &GraphFile| file.checks.iter().any(|check| check.label == label && seen(&check.dataset));
    if known.contains(label) || once(reader, label, had)? {
        return Ok(());
    }
    let near = nearest(label, known.iter().map(String::as_str));
    let near = near.iter().map(|label| format!("`{label}`")).collect::<Vec<_>>();
    let instead = match near.is_empty() {
        false => format!("did you mean {}?", near.join(" or ")),
        true if known.is_empty() => "there are none".to_owned(),
        true => format!("there are {}", first_of(known.iter().map(|label| format!("`{label}`")), SOME)),
    };
    Err(AppError::new("unknown_check", format!("there is no check `{}`; {instead}", shown(label))))
}

/// A want.
///
/// # Errors
/// There never was one of this id.
pub(super) fn want(reader: &dyn History, id: WantId) -> Result<(), AppError> {
    unless_archived(history::want(reader, id).map(drop))
}

/// A run.
///
/// # Errors
/// There never was one of this id.
pub(super) fn run(reader: &dyn History, id: RunId) -> Result<(), AppError> {
    unless_archived(history::run(reader, id).map(drop))
}

/// What may be in an archive that is not there may have been.
fn unless_archived(found: Result<(), AppError>) -> Result<(), AppError> {
    match found {
        Err(AppError::Store(StoreError::ArchiveMissing { .. })) => Ok(()),
        found => found,
    }
}

/// Whether any graph of the log has a name in the way that `had` tells.
fn once(reader: &dyn History, name: &str, had: impl Fn(&GraphFile) -> bool) -> Result<bool, AppError> {
    // A file is read only if the name stands in it as JSON has it.
    let quoted = serde_json::Value::from(name).to_string();
    let (mut before, mut read) = (None, BTreeSet::<GraphId>::new());
    loop {
        let rows = reader.graphs(before, MAX_ROWS)?.value;
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(false) };
        for row in rows {
            if !read.insert(row.id.clone()) {
                continue;
            }
            let content = reader.content(&row.id.0)?.and_then(|bytes| String::from_utf8(bytes).ok());
            let file =
                content.filter(|content| content.contains(&quoted)).map(|content| parse_file(&content));
            if file.is_some_and(|file| file.is_ok_and(|file| had(&file))) {
                return Ok(true);
            }
        }
        before = Some(last);
    }
}
