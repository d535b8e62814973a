//! Sends texts to the server in pieces, each once.

use super::client::Client;
use super::error::CliError;
use crate::api::{KeepContents, KeptContents, MissingContents, MOST_CONTENTS};
use crate::store::pieces::{cut, index};
use databuild_core::digest::sha256_hex;
use std::collections::{HashMap, HashSet};

/// So many bytes of texts wait until the server is asked which of them it lacks.
const MOST_WAITING: usize = 16 << 20;
/// Bytes of one request. The server writes it to its log in one go.
const REQUEST: usize = 1 << 20;

/// Texts on their way.
pub struct Upload<'c> {
    client: &'c Client,
    /// Digests of what the server has, or is about to be asked for.
    seen: HashSet<String>,
    /// By digest.
    waiting: HashMap<String, String>,
    bytes: usize,
}

impl<'c> Upload<'c> {
    /// To this server.
    pub fn new(client: &'c Client) -> Upload<'c> {
        Upload { client, seen: HashSet::new(), waiting: HashMap::new(), bytes: 0 }
    }

    /// Adds a text; returns the digest under which a graph names it.
    ///
    /// # Errors
    /// As [`Upload::finish`].
    pub fn add(&mut self, text: &str) -> Result<String, CliError> {
        let digests: Vec<String> = cut(text).into_iter().map(|piece| self.put(piece.to_owned())).collect();
        let index = index(digests.iter().map(String::as_str));
        // An index is JSON, and so UTF-8.
        let digest = self.put(String::from_utf8(index.bytes).unwrap_or_default());
        if self.bytes >= MOST_WAITING {
            self.flush()?;
        }
        Ok(digest)
    }

    /// Sends what still waits.
    ///
    /// # Errors
    /// The server refuses, or cannot be reached.
    pub fn finish(mut self) -> Result<(), CliError> {
        self.flush()
    }

    fn put(&mut self, text: String) -> String {
        let digest = sha256_hex(text.as_bytes());
        if self.seen.insert(digest.clone()) {
            self.bytes += text.len();
            self.waiting.insert(digest.clone(), text);
        }
        digest
    }

    fn flush(&mut self) -> Result<(), CliError> {
        self.bytes = 0;
        let mut waiting = std::mem::take(&mut self.waiting);
        if waiting.is_empty() {
            return Ok(());
        }
        let asked = MissingContents { digests: waiting.keys().cloned().collect() };
        let MissingContents { digests } = self.client.post("/api/v1/contents/missing", &asked)?;
        let (mut contents, mut bytes) = (Vec::new(), 0);
        for text in digests.iter().filter_map(|digest| waiting.remove(digest)) {
            if bytes > 0 && (bytes + text.len() > REQUEST || contents.len() == MOST_CONTENTS) {
                self.send(std::mem::take(&mut contents))?;
                bytes = 0;
            }
            bytes += text.len();
            contents.push(text);
        }
        self.send(contents)
    }

    fn send(&self, contents: Vec<String>) -> Result<(), CliError> {
        if contents.is_empty() {
            return Ok(());
        }
        let _: KeptContents = self.client.post("/api/v1/contents", &KeepContents { contents })?;
        Ok(())
    }
}
