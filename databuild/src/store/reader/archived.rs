//! Wants and runs that went to archives: told one by one, never in lists.

use super::{checks, rows_limit, run_of, want_of, Reader, MAX_ROWS};
use crate::store::error::StoreError;
use crate::store::rows::{CheckRow, RunWithAttempts, WantRow};
use crate::store::sqlite::{failure, position, ARCHIVED};
use databuild_core::ids::{RunId, WantId};
use rusqlite::Connection;
use std::path::PathBuf;

/// Something that is in an archive.
#[derive(Debug, Clone, PartialEq)]
pub struct Filed<T> {
    /// It.
    pub value: T,
    /// The archive.
    pub file: PathBuf,
}

/// A run, and what checks found in what it made.
pub type RunWithChecks = (RunWithAttempts, Vec<CheckRow>);

impl Reader {
    /// A want that is in an archive.
    ///
    /// Errors: `archive_missing` if none has it that is there, and one is not.
    pub fn archived_want(&self, id: WantId) -> Result<Option<Filed<WantRow>>, StoreError> {
        self.filed(|connection| want_of(connection, id))
    }

    /// A run that is in an archive, and what checks found in what it made.
    ///
    /// Errors: `archive_missing` if none has it that is there, and one is not.
    pub fn archived_run(&self, id: RunId) -> Result<Option<Filed<RunWithChecks>>, StoreError> {
        self.filed(|connection| {
            let Some(run) = run_of(connection, id)? else { return Ok(None) };
            Ok(Some((run, checks::of_run(connection, id, rows_limit(MAX_ROWS))?)))
        })
    }

    fn filed<T>(
        &self,
        find: impl Fn(&Connection) -> rusqlite::Result<Option<T>>,
    ) -> Result<Option<Filed<T>>, StoreError> {
        let archived = self.checked_answer(|connection| position(connection, &self.log, ARCHIVED))?.value;
        let found = self
            .archives
            .find(archived, |connection, name| find(connection).map_err(|e| failure(name, &e)))?;
        Ok(found.map(|(value, file)| Filed { value, file }))
    }
}
