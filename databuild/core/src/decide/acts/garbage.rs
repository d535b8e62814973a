//! Cleaning up, which others have done already.

use crate::decide::messages::refusal::Refusal;
use crate::decide::messages::step::Reply;
use crate::decide::out::Out;
use crate::event::{Event, GarbageCollected};

/// Remembers what went, so that who misses it learns when and by whom. Of nothing there is nothing to remember.
pub(crate) fn collected(out: &mut Out, collected: GarbageCollected) -> Result<Reply, Refusal> {
    let GarbageCollected { attempts, older_than: _, staged, snapshots, bytes, archived_until } = &collected;
    if [attempts, staged, snapshots, bytes, archived_until].into_iter().any(|gone| *gone > 0) {
        out.event(Event::GarbageCollected(collected));
    }
    Ok(Reply::Done)
}
