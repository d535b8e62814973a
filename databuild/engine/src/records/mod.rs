//! How the state comes out of the log, and the checkpoints that save time at that.

pub(super) mod checkpoint;
pub(super) mod keeper;
pub(super) mod replay;
