//! How attempts come to begin: what was leased is held against its inputs and put into words.

pub(super) mod compose;
pub(super) mod reproduce;
pub(super) mod starter;
