//! Wants and runs that went to archives: told one by one, never in lists.

use super::Reader;
use crate::error::StoreError;
use crate::history::Filed;
use crate::sqlite::{failure, position, ARCHIVED};
use rusqlite::Connection;

impl Reader {
    /// The newest archive's that has it.
    pub(super) fn filed<T>(
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
