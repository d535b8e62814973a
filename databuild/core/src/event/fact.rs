//! What each record of an event tells of itself: the trait, and how lines for people are put together.

use super::origin::Origin;
use crate::text::{first_of, SOME};

/// The record of an event.
pub(crate) trait Fact: Sized {
    /// What happened, for people; `who` brought it about. It names the first few of many things, and no secrets, since
    /// events hold none.
    fn text(&self, who: &Origin) -> String;

    /// One for tests, with a value in each field that is not what an absent field reads as. All tests of the store take it
    /// up: it is written, read, listed, archived and damaged.
    fn example() -> Self;
}

/// The first few of many things, and how many more there are.
pub(super) fn listed<T: ToString>(things: impl IntoIterator<Item = T>) -> String {
    first_of(things.into_iter().map(|thing| thing.to_string()), SOME)
}

/// What happened, with what there is to say of it.
pub(super) fn with(what: String, message: &str) -> String {
    if message.is_empty() {
        what
    } else {
        format!("{what}: {message}")
    }
}
