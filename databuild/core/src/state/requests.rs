//! Requests that named themselves by a key, and what they made.
//!
//! A client that got no answer sends its request again under the same key, and gets what the first one made. Keys are
//! facts of the log, so this holds through restarts.
//!
//! Invariant: a key is remembered for [`REMEMBERED`] after its request, unless some 65,000 newer ones came meanwhile.

use crate::digest::hash64;
use crate::event::{RequestAnswered, RequestKey};
use crate::ids::{PlanId, Seq, TrialId, WantId};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// How long a key is remembered.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// Clones of the state share the pieces, so that a new key costs a piece and not the whole.
const SHARDS: usize = 256;
const MOST_IN_SHARD: usize = 256;

/// What a request made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Made {
    /// A want.
    Want(WantId),
    /// A plan, which may have been dropped since.
    Plan(PlanId),
    /// A trial, which may have been dropped since.
    Trial(TrialId),
    /// Nothing that has an id, and what was answered is not kept.
    Done,
    /// Nothing that has an id; this event has what was answered.
    Answer(Seq),
}

/// What became of the request, after "which".
impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Made::Want(id) => write!(f, "made {id}"),
            Made::Plan(id) => write!(f, "made {id}"),
            Made::Trial(id) => write!(f, "made {id}"),
            Made::Done | Made::Answer(_) => f.write_str("was carried out"),
        }
    }
}

/// A request that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// What it said, so that another request under the same key is noticed.
    pub digest: Arc<str>,
    /// What it made.
    pub made: Made,
    /// When.
    pub at: Timestamp,
}

/// All that are remembered, by key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests {
    /// By the key's hash; empty or [`SHARDS`] of them.
    shards: Vec<Arc<BTreeMap<Arc<str>, Answered>>>,
}

impl Requests {
    /// The request with this key, if that is still remembered at `now`.
    #[must_use]
    pub fn get(&self, key: &str, now: Timestamp) -> Option<&Answered> {
        let found = self.shards.get(shard_of(key))?.get(key)?;
        is_remembered(found, now).then_some(found)
    }

    /// Remembers a request; forgets those of its shard that are too old or too many.
    pub(super) fn add(&mut self, key: Option<&RequestKey>, made: Made, at: Timestamp) {
        if let Some(key) = key {
            self.put(&key.key, Answered { digest: key.digest.as_str().into(), made, at });
        }
    }

    /// Remembers a request that made nothing with an id.
    pub(super) fn answer(&mut self, event: &RequestAnswered, seq: Seq, at: Timestamp) {
        let made = if event.answer.is_some() { Made::Answer(seq) } else { Made::Done };
        self.add(Some(&event.request), made, at);
    }

    pub(super) fn put(&mut self, key: &str, answered: Answered) {
        self.shards.resize_with(SHARDS, Arc::default);
        let shard = Arc::make_mut(&mut self.shards[shard_of(key)]);
        let now = answered.at;
        shard.retain(|_, known| is_remembered(known, now));
        if shard.len() >= MOST_IN_SHARD {
            let oldest = shard.iter().min_by_key(|(_, known)| (known.at, known.made));
            if let Some(oldest) = oldest.map(|(key, _)| Arc::clone(key)) {
                shard.remove(&oldest);
            }
        }
        shard.insert(key.into(), answered);
    }

    /// All of them, by shard and key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Answered)> {
        self.shards.iter().flat_map(|shard| shard.iter()).map(|(key, answered)| (key.as_ref(), answered))
    }
}

fn is_remembered(answered: &Answered, now: Timestamp) -> bool {
    now.duration_since(answered.at) < REMEMBERED
}

fn shard_of(key: &str) -> usize {
    // The remainder is less than `SHARDS`.
    (hash64(key) % SHARDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = SHARDS * MOST_IN_SHARD;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn add(requests: &mut Requests, key: &str, want: u64, second: i64) {
        let key = RequestKey { key: key.to_owned(), digest: "d".to_owned() };
        requests.add(Some(&key), Made::Want(WantId(want)), at(second));
    }

    #[test]
    fn a_key_is_remembered_for_a_day() {
        let mut requests = Requests::default();
        add(&mut requests, "k", 7, 1000);
        let want = |second| requests.get("k", at(second)).map(|answered| answered.made);
        assert_eq!(want(1000), Some(Made::Want(WantId(7))));
        assert_eq!(want(1000 + 86_399), Some(Made::Want(WantId(7))));
        assert_eq!(want(1000 + 86_400), None);
        // The clock was set back.
        assert_eq!(want(0), Some(Made::Want(WantId(7))));
        assert!(requests.get("other", at(1000)).is_none());
    }

    #[test]
    fn the_newest_are_kept_when_there_are_too_many() {
        let mut requests = Requests::default();
        let many = 2 * MOST as u64;
        for n in 0..many {
            add(&mut requests, &format!("key {n}"), n + 1, 1000);
        }
        let kept = requests.iter().count();
        assert!(kept <= MOST && kept > MOST / 2, "{kept}");
        for n in many - MOST as u64 / 2..many {
            assert!(requests.get(&format!("key {n}"), at(1000)).is_some(), "key {n} of {many} is forgotten");
        }
    }
}
