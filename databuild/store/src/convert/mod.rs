//! Between the core's events and their stored form.
//!
//! Every record can be encoded, and what was encoded decodes to the same record. Bytes of a program
//! that knew more are refused as a whole ([`ConvertError::NewerFormat`]): half a fact folds into a wrong
//! state that nobody notices.
//!
//! Each type stands with both directions in the file of its noun ([`form::Stored`]). Structs are taken apart field by
//! field on the way out and built without `..` on the way in, so a field added on either side breaks the build here until
//! somebody has thought of both directions and of the format number (`proto/events.proto`, rules). Which events there are
//! is for the core to say ([`databuild_core::each_event!`]).

mod error;
mod form;
mod parts;
mod record;

mod checks;
mod garbage;
mod graphs;
mod judgements;
mod keys;
mod origin;
mod plans;
mod pools;
mod requests;
mod runs;
mod schedules;
mod sightings;
mod tokens;
mod trials;
mod wants;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub use error::ConvertError;
pub(super) use record::{decode, encode};
