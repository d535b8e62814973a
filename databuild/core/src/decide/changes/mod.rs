//! Changes that several acts and lives share, with all that they entail.

pub(crate) mod begin;
pub(crate) mod ends;
pub(crate) mod replan;
pub(crate) mod sight;
