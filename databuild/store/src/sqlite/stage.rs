//! How far the freeing of what is in archives has come.

use super::super::error::StoreError;
use super::archives::ArchiveFile;
use super::schema::MOVING_TABLES;
use rusqlite::types::Value;
use rusqlite::Connection;
use std::collections::VecDeque;

/// What is to be freed next. It is not stored: a start begins with the first again, and finds nothing there.
#[derive(Debug)]
pub(super) enum Stage {
    /// Events that are in archives.
    Events,
    /// Rows of the history lists that are.
    Rows(Box<Rows>),
    /// Contents that nothing names any more.
    Contents,
    /// Pages without content.
    Pages,
    /// Nothing.
    Done,
}

/// How far the rows of the lists are.
#[derive(Debug)]
pub(super) struct Rows {
    /// Archives whose rows may still be here.
    files: VecDeque<ArchiveFile>,
    /// Of the first file.
    connection: Option<Connection>,
    table: usize,
    after: Vec<Value>,
}

impl Rows {
    /// The rows that these archives hold.
    pub(super) fn of(files: VecDeque<ArchiveFile>) -> Rows {
        Rows { files, connection: None, table: 0, after: Vec::new() }
    }

    /// The place of the table in [`MOVING_TABLES`] that the last keys are of.
    pub(super) fn table(&self) -> usize {
        self.table
    }

    /// The keys of the next rows, at most `most` and all of one table.
    pub(super) fn next(&mut self, most: usize) -> Result<Option<Vec<Vec<Value>>>, StoreError> {
        while let Some(file) = self.files.front() {
            let connection = match self.connection.take() {
                Some(connection) => connection,
                None => file.open()?,
            };
            while self.table < MOVING_TABLES.len() {
                let rows = file.moved(&connection, self.table, &self.after, most)?;
                if let Some(last) = rows.last() {
                    self.after.clone_from(last);
                    self.connection = Some(connection);
                    return Ok(Some(rows));
                }
                self.table += 1;
                self.after.clear();
            }
            self.table = 0;
            self.files.pop_front();
        }
        Ok(None)
    }
}
