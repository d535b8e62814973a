//! What follows by itself from all that was decided.

pub(crate) mod again;
pub(crate) mod dispatch;
pub(crate) mod retry;
pub(crate) mod schedules;
pub(crate) mod start;
pub(crate) mod trials;
pub(crate) mod wants;
