//! Looks at data outside of the log: at files, and at answers of servers and programs that observe data.
//!
//! A look takes as long as disks, servers and programs do, so none is on the loop's thread.

pub(super) mod ask;
pub(super) mod blanks;
pub(super) mod files;
pub(super) mod moved;
pub(super) mod observers;
pub(super) mod ownership;
