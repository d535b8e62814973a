//! What goes into the core and what comes out of it.

pub(crate) mod input;
pub(crate) mod refusal;
pub(crate) mod report;
pub(crate) mod sightings;
pub(crate) mod step;
