//! What the state folder takes of its disk, by kind.

use super::context::{Backend, Context};
use super::AppError;
use crate::api::{DiskKind, DiskReport};
use crate::os::{free, used};
use crate::store::History;
use std::path::{Path, PathBuf};

/// Files of a kind that are looked at.
const MOST: u64 = 50_000;

/// What there is.
///
/// # Errors
/// The history cannot be read.
pub async fn report(context: &impl Context) -> Result<DiskReport, AppError> {
    context.looking(look).await
}

fn look(backend: &Backend, reader: &dyn History) -> Result<DiskReport, AppError> {
    let setup = &backend.setup;
    let events = reader.events(None, 0)?;
    let row = |kind: &str, at: &Path, paths: &[PathBuf]| {
        let found = used(paths, MOST);
        DiskKind {
            kind: kind.to_owned(),
            path: at.display().to_string(),
            bytes: found.bytes,
            files: found.files,
            more: found.more,
        }
    };
    let kinds = setup.kinds.iter().map(|(kind, paths)| {
        let at = paths.first().map_or(setup.state_dir.as_path(), PathBuf::as_path);
        row(kind, at, paths)
    });
    let mut kinds: Vec<DiskKind> = kinds.collect();
    let store = backend.snapshots.root();
    kinds.push(row("code_store", store, &[store.to_owned()]));
    kinds.sort_by_key(|row| std::cmp::Reverse(row.bytes));
    let archives = used(std::slice::from_ref(&setup.archives), MOST).files;
    Ok(DiskReport {
        state_dir: setup.state_dir.display().to_string(),
        kinds,
        free: free(&setup.state_dir),
        events: events.last_seq.0,
        archived: events.value.archived.0,
        archives,
        seq: events.last_seq.0,
    })
}
