//! Between the core's events and their stored form.
//!
//! Every record can be encoded, and what was encoded decodes to the same record. Bytes of a program
//! that knew more are refused as a whole ([`ConvertError::NewerFormat`]): half a fact folds into a wrong
//! state that nobody notices.
//!
//! Structs are taken apart field by field on the way out and built without `..` on the way in, so a
//! field added on either side breaks the build here until somebody has thought of both directions and
//! of the format number (`proto/events.proto`, rules).

mod checked;
mod decode;
mod dynamic;
mod encode;
mod error;
mod judged;
mod limited;
mod parts;
mod trials;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub(super) use decode::decode;
pub(super) use encode::{encode, kind, WANT_CREATED, WANT_ENDED, WANT_REPLANNED};
pub use error::ConvertError;

/// Parts that checkpoints have too, from their stored form.
pub(crate) mod read {
    pub(crate) use super::decode::plan_created;
    pub(crate) use super::parts::{
        known, known_value, malformed, read_instant as instant, read_optional_instant as optional_instant,
        read_output as output, value,
    };
    pub(crate) use super::trials::{
        read_arm_id as arm_id, read_trial_created as trial_created, read_trial_ended as trial_ended,
    };
}

/// The same parts, to their stored form.
pub(crate) mod write {
    pub(crate) use super::encode::plan_created;
    pub(crate) use super::parts::{instant, optional_instant, output};
    pub(crate) use super::trials::{arm_id, trial_created, trial_ended};
}
