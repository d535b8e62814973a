//! Whether outputs may take their places: what DataBuild did not publish is not deleted.
//!
//! An output replaces a file at its place. A folder may hold a lot of work that nobody looks through before a build,
//! so a folder with files in it is replaced only if this workspace published it.

use crate::attempt::request::{version_at, OutputFile};
use crate::history::History;
use crate::publish::{Output, PublishError};
use databuild_core::digest::hash64;
use databuild_core::graph::Registered;
use databuild_core::state::State;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// An output that is to be put in its place.
pub(crate) struct Claim<'c> {
    pub(crate) partition: &'c str,
    pub(crate) place: &'c Path,
    /// The job made a file.
    pub(crate) is_file: bool,
}

impl<'c> Claim<'c> {
    /// Before it is made.
    pub(crate) fn of_request(output: &'c OutputFile) -> Option<Claim<'c>> {
        let place = output.final_path.as_deref()?;
        Some(Claim { partition: &output.partition, place, is_file: false })
    }

    /// When it is staged.
    pub(crate) fn of_staged(partition: &'c str, output: &'c Output) -> Claim<'c> {
        let is_folder = fs::symlink_metadata(&output.staging).is_ok_and(|meta| meta.is_dir());
        Claim { partition, place: &output.place, is_file: output.content.is_some() && !is_folder }
    }
}

/// Refuses outputs of which the places hold what must not be replaced, or cannot be reached.
///
/// # Errors
/// [`PublishError::FolderNotPublished`] or [`PublishError::FileInTheWay`] of the first.
pub(crate) fn check<'c>(
    state: &State,
    graph: &Registered,
    history: History<'_>,
    claims: impl IntoIterator<Item = Claim<'c>>,
) -> Result<(), PublishError> {
    claims.into_iter().try_for_each(|claim| check_one(state, graph, history, &claim))
}

fn check_one(
    state: &State,
    graph: &Registered,
    history: History<'_>,
    claim: &Claim<'_>,
) -> Result<(), PublishError> {
    let place = claim.place;
    match fs::symlink_metadata(place) {
        Ok(meta) if meta.is_dir() => {
            // What cannot be listed, renaming may still not move; that is told then.
            let Some(file) = some_file(place).unwrap_or_default() else { return Ok(()) };
            if is_ours(state, graph, history, claim) {
                return Ok(());
            }
            let (path, partition) = (place.to_owned(), claim.partition.to_owned());
            Err(PublishError::FolderNotPublished { path, file, partition })
        }
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => match file_above(place) {
            Some(file) => {
                let published = version_at(&file).and_then(|version| history.published_as(&version));
                Err(PublishError::FileInTheWay { file, place: place.to_owned(), published })
            }
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// Whether the folder at the place of an output is what a run made or somebody adopted.
fn is_ours(state: &State, graph: &Registered, history: History<'_>, claim: &Claim<'_>) -> bool {
    let held = held(state, graph, claim.partition);
    // Somebody may have altered it since, and it is built again all the same. But a job that makes files has made no
    // folder, unless it was another version of the job.
    if held.is_some() && !claim.is_file {
        return true;
    }
    // It may have been made for another path template, or by a dataset of another name.
    let Some(version) = version_at(claim.place) else { return false };
    held == Some(hash64(&version)) || history.published_as(&version).is_some()
}

/// The recorded version of the data at the place of a partition.
fn held(state: &State, graph: &Registered, partition: &str) -> Option<u64> {
    let (then, key) = graph.graph.locate(partition, state.symbols())?;
    let ix = state.same_place(graph, then)?;
    let facts = state.dataset(ix);
    let here = facts.present.contains(&key) && !facts.empty.contains(&key);
    let entry = facts.entries.get(&key).filter(|_| here && !state.misplaced(ix).contains(&key))?;
    Some(entry.version)
}

/// Something in a folder that is no folder.
fn some_file(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut pending = vec![folder.to_owned()];
    while let Some(dir) = pending.pop() {
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                return Ok(Some(entry.path()));
            }
            pending.push(entry.path());
        }
    }
    Ok(None)
}

/// What is a file and should be a folder above a place.
fn file_above(place: &Path) -> Option<PathBuf> {
    let there = place.ancestors().skip(1).find(|above| fs::symlink_metadata(above).is_ok())?;
    fs::metadata(there).is_ok_and(|meta| !meta.is_dir()).then(|| there.to_owned())
}
