//! Who may ask the server for what: tokens by name, known by the hash of what their holders have.
//!
//! Invariant: a name is given once, so an event that names it means one token.

use crate::event::{Scope, TokenCreated};
use crate::word::Numbered as _;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// SHA-256 of what its holder has, in hexadecimal.
    pub hash: String,
    scopes: Vec<i32>,
    /// Patterns of datasets; all, if none.
    pub datasets: Vec<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// It is worth nothing from then on.
    pub expires_at: Option<Timestamp>,
    /// Somebody revoked it then.
    pub revoked_at: Option<Timestamp>,
}

impl Token {
    /// What its holder may do.
    pub fn scopes(&self) -> impl Iterator<Item = Scope> + '_ {
        self.scopes.iter().filter_map(|number| Scope::of_number(*number))
    }

    /// Whether it is worth something at `now`.
    #[must_use]
    pub fn is_good(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|end| now < end)
    }
}

/// All tokens that there ever were. Clones share them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens(Arc<BTreeMap<Arc<str>, Token>>);

impl Tokens {
    /// All, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Token)> {
        self.0.iter()
    }

    /// The token of this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Token> {
        self.0.get(name)
    }

    /// The token that is worth something at `now` and whose hash this is.
    #[must_use]
    pub fn by_hash(&self, hash: &str, now: Timestamp) -> Option<(&Arc<str>, &Token)> {
        self.0.iter().find(|(_, token)| token.hash == hash && token.is_good(now))
    }

    pub(super) fn create(&mut self, event: &TokenCreated, at: Timestamp) {
        let token = Token {
            hash: event.hash.clone(),
            scopes: event.scopes.iter().map(|scope| scope.number()).collect(),
            datasets: event.datasets.clone(),
            created_at: at,
            expires_at: event.expires_at,
            revoked_at: None,
        };
        Arc::make_mut(&mut self.0).insert(event.name.as_str().into(), token);
    }

    pub(super) fn revoke(&mut self, name: &str, at: Timestamp) {
        if let Some(token) = Arc::make_mut(&mut self.0).get_mut(name) {
            token.revoked_at.get_or_insert(at);
        }
    }
}
