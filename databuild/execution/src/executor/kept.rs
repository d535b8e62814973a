//! What is kept of one attempt.

use super::{AttemptName, Executor, LogFrom, LogPart, Stream, Text};
use std::io;
use std::sync::Arc;

/// What an executor keeps of one attempt: the texts that it was given and has written, and its logs.
#[derive(Clone)]
pub struct Kept {
    executor: Arc<dyn Executor>,
    attempt: AttemptName,
}

impl Kept {
    /// That of an attempt of this executor.
    pub fn of(executor: &Arc<dyn Executor>, attempt: AttemptName) -> Kept {
        Kept { executor: Arc::clone(executor), attempt }
    }

    /// What the job was asked, or a check; none if there is none.
    ///
    /// # Errors
    /// As [`Executor::read`].
    pub fn request(&self, text: Text) -> io::Result<Option<Vec<u8>>> {
        self.executor.read(&self.attempt, text, self.executor.capabilities().most_request_bytes as u64)
    }

    /// A text with its first `most` bytes; none if there is none.
    ///
    /// # Errors
    /// As [`Executor::read`].
    pub fn read(&self, text: Text, most: u64) -> io::Result<Option<Vec<u8>>> {
        self.executor.read(&self.attempt, text, most)
    }

    /// A part of what was printed to stderr; empty if nothing was.
    ///
    /// # Errors
    /// As [`Executor::log`].
    pub fn stderr(&self, from: LogFrom, most: u64) -> io::Result<LogPart> {
        Ok(self.executor.log(&self.attempt, Stream::Stderr, from, most)?.unwrap_or_default())
    }
}
