//! What happens to attempts from their lease to their end.

pub(crate) mod attempt;
pub(crate) mod measured;
pub(crate) mod resume;
pub(crate) mod suspend;
pub(crate) mod trial;
