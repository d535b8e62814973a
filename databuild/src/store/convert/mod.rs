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
mod origin;
mod parts;
mod trials;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;

pub(super) use decode::decode;
pub(super) use encode::encode;
pub use error::ConvertError;
