//! What comes of attempts: what they left is judged, and what they made gets to its place.

pub(super) mod batch;
pub(super) mod checks;
pub(super) mod collect;
pub(super) mod examine;
pub(super) mod examiner;
pub(super) mod keep;
pub(super) mod publisher;
