//! Wants and runs by their ids: in the lists, else in the archives.

use super::AppError;
use crate::store::{Filed, History, RunWithChecks, StoreError, WantRow};
use databuild_core::ids::{RunId, Seq, WantId};

/// Something that was found.
pub struct Found<T> {
    /// It.
    pub value: T,
    /// The name of the archive that has it; none if it is in the lists.
    pub archive: Option<String>,
    /// The last event that this reflects.
    pub seq: Seq,
}

/// A want.
///
/// # Errors
/// No such want, or the history cannot be read.
pub fn want(reader: &dyn History, id: WantId) -> Result<Found<WantRow>, AppError> {
    let listed = reader.want(id)?;
    found(listed.value, listed.last_seq, || reader.archived_want(id))?
        .ok_or_else(|| AppError::not_found("want_not_found", "want", id))
}

/// A run, and what checks found in what it made.
///
/// # Errors
/// No such run, or the history cannot be read.
pub fn run(reader: &dyn History, id: RunId) -> Result<Found<RunWithChecks>, AppError> {
    let listed = reader.run_with_checks(id)?;
    found(listed.value, listed.last_seq, || reader.archived_run(id))?
        .ok_or_else(|| AppError::not_found("run_not_found", "run", id))
}

fn found<T>(
    listed: Option<T>,
    seq: Seq,
    archived: impl FnOnce() -> Result<Option<Filed<T>>, StoreError>,
) -> Result<Option<Found<T>>, StoreError> {
    if let Some(value) = listed {
        return Ok(Some(Found { value, archive: None, seq }));
    }
    let name = |filed: &Filed<T>| filed.file.file_name().map(|name| name.to_string_lossy().into_owned());
    Ok(archived()?.map(|filed| Found { archive: name(&filed), value: filed.value, seq }))
}
