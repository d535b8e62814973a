//! The newest events for all who follow the log: as they are sent, as server-sent events, and what they move, for pages.
//!
//! One task reads what was committed (`follow`) and writes each event once. All followers send the same bytes, at their own pace.
//!
//! Invariants:
//! - The loop does nothing for a follower: each commit moves one number, which wakes one task.
//! - What is kept for slow followers is bounded: [`KEPT`] bytes for all of them together, and what is on its way to each.

use super::moves::{moved_by, moved_by_others, ALL};
use crate::app::events::Told;
use axum::body::Bytes;
use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// Bytes of events that are kept for those who are behind.
const KEPT: usize = 8 << 20;
/// Bytes that are sent at once, unless one event has more.
const CHUNK: usize = 64 << 10;

/// What followers of the log share.
#[derive(Debug)]
pub struct Stream {
    recent: Mutex<Recent>,
    /// The last event that is among the recent ones.
    newest: watch::Sender<u64>,
    kept: usize,
}

/// The newest events, as long as somebody follows them.
#[derive(Debug, Default)]
pub(super) struct Recent {
    pub(super) chunks: VecDeque<Arc<Chunk>>,
    bytes: usize,
    /// All that were committed after this one are among them.
    after: u64,
    followers: u32,
    /// A task adds to them.
    pub(super) is_read: bool,
}

/// Some events, one after the other, as they are sent.
#[derive(Debug)]
pub(super) struct Chunk {
    /// The number of the last one.
    pub(super) last: u64,
    pub(super) bytes: Bytes,
    pub(super) events: Vec<(Told, Range<usize>)>,
    /// What they move, in words of [`moved_by`].
    moved: BTreeSet<String>,
}

impl Recent {
    /// There are none, and those after this one will be added.
    fn begin(&mut self, after: u64) {
        *self = Recent { after, is_read: true, followers: self.followers, ..Recent::default() };
    }
}

impl Default for Stream {
    fn default() -> Stream {
        Stream::keeping(KEPT)
    }
}

/// What follows an event, for a follower.
pub(super) enum Next {
    /// These; none if there is nothing yet.
    Chunks(Vec<Arc<Chunk>>),
    /// What follows is kept no more, up to this one.
    Gone(u64),
}

impl Stream {
    pub(super) fn keeping(kept: usize) -> Stream {
        Stream { recent: Mutex::default(), newest: watch::channel(0).0, kept }
    }

    pub(super) fn recent(&self) -> MutexGuard<'_, Recent> {
        // They are whole at every point where a thread could panic.
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One follower more. Says whether it is the first one: then a task has to read what is committed after `committed`.
    pub(super) fn join(self: &Arc<Stream>, committed: u64) -> (Follower, bool) {
        let mut recent = self.recent();
        recent.followers += 1;
        let is_first = !recent.is_read;
        if is_first {
            recent.begin(committed);
            self.newest.send_replace(committed);
        }
        (Follower { stream: Arc::clone(self), newest: self.newest.subscribe() }, is_first)
    }

    /// How many follow.
    pub(super) fn followers(&self) -> u32 {
        self.recent().followers
    }

    /// Adds events that follow the last ones.
    pub(super) fn add(&self, chunk: Chunk) {
        let mut recent = self.recent();
        let last = chunk.last;
        recent.bytes += chunk.bytes.len();
        recent.chunks.push_back(Arc::new(chunk));
        while recent.bytes > self.kept && recent.chunks.len() > 1 {
            let Some(oldest) = recent.chunks.pop_front() else { break };
            recent.bytes -= oldest.bytes.len();
            recent.after = oldest.last;
        }
        drop(recent);
        self.newest.send_replace(last);
    }

    /// The task that reads has passed over what is archived.
    pub(super) fn skip_to(&self, last: u64) {
        self.recent().begin(last);
        self.newest.send_replace(last);
    }

    /// Whether the task that reads may end, since nobody follows; it then has.
    pub(super) fn is_over(&self) -> bool {
        let mut recent = self.recent();
        if recent.followers == 0 {
            *recent = Recent::default();
        }
        !recent.is_read
    }

    /// What was committed after an event, as far as it is kept.
    pub(super) fn next(&self, after: u64) -> Next {
        let recent = self.recent();
        if after < recent.after {
            return Next::Gone(recent.after);
        }
        let later = recent.chunks.iter().rev().take_while(|chunk| chunk.last > after);
        let mut chunks: Vec<_> = later.cloned().collect();
        chunks.reverse();
        Next::Chunks(chunks)
    }
}

/// Whoever follows, as long as it does.
pub(super) struct Follower {
    pub(super) stream: Arc<Stream>,
    pub(super) newest: watch::Receiver<u64>,
}

impl Follower {
    /// What moved after an event, for whoever may see all or what `fits`, and up to which one; everything, if that is kept no more.
    /// What was committed together moves together.
    pub(super) fn moved(&self, after: u64, fits: Option<&dyn Fn(&Told) -> bool>) -> (BTreeSet<String>, u64) {
        match self.stream.next(after) {
            Next::Gone(to) => (BTreeSet::from([ALL.to_owned()]), to),
            Next::Chunks(chunks) => {
                let until = chunks.last().map_or(after, |last| last.last);
                let Some(fits) = fits else {
                    return (chunks.iter().flat_map(|chunk| chunk.moved.iter().cloned()).collect(), until);
                };
                let events = chunks.iter().flat_map(|chunk| &chunk.events).map(|(told, _)| told);
                let new = events.filter(|told| told.seq.0 > after);
                let moved = new.flat_map(|told| match fits(told) {
                    true => moved_by(told.event(), &told.row().about),
                    false => moved_by_others(told.event()),
                });
                (moved.collect(), until)
            }
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.stream.recent().followers -= 1;
    }
}

/// Events as they are sent.
pub(super) fn written(told: Vec<Told>) -> Vec<Chunk> {
    let (mut chunks, mut bytes, mut events, mut moved) =
        (Vec::new(), Vec::new(), Vec::new(), BTreeSet::new());
    let count = told.len();
    for (at, told) in told.into_iter().enumerate() {
        let (begin, seq) = (bytes.len(), told.seq.0);
        let row = told.row();
        write(&mut bytes, seq, "event", &row);
        moved.extend(moved_by(told.event(), &row.about));
        events.push((told, begin..bytes.len()));
        if bytes.len() >= CHUNK || at + 1 == count {
            let bytes = Bytes::from(std::mem::take(&mut bytes));
            let (events, moved) = (std::mem::take(&mut events), std::mem::take(&mut moved));
            chunks.push(Chunk { last: seq, bytes, events, moved });
        }
    }
    chunks
}

/// Writes an event of a stream, after which a reader is at `id`.
pub(super) fn write(bytes: &mut Vec<u8>, id: u64, name: &str, data: &impl serde::Serialize) {
    bytes.extend_from_slice(format!("id: {id}\nevent: {name}\ndata: ").as_bytes());
    // JSON has no line breaks of its own. What the API says has no maps whose keys are no texts, so it can be written.
    let _ = serde_json::to_writer(&mut *bytes, data);
    bytes.extend_from_slice(b"\n\n");
}
