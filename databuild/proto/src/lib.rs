//! Stored formats of DataBuild, as generated from `events.proto`, which also states the versioning
//! rules.
//!
//! Duty: to hold generated types and nothing else; what they mean to the program is decided where they
//! are converted (`databuild_store::convert`). The generated code is checked in, so that neither Cargo nor Bazel needs a
//! protobuf compiler to build; a test holds it equal to the `.proto` file.

// Lints are not for the generator's code to satisfy: the file is replaced as a whole.
#[allow(missing_docs, unused, clippy::all, clippy::pedantic, rustdoc::all)]
mod generated;

#[cfg(test)]
mod tests;

/// Version 1 of the messages, package `databuild.v1`.
pub mod v1 {
    pub use crate::generated::events::*;
}

/// The runtime of the generated code: [`Message`](protobuf::Message) encodes and decodes.
pub use protobuf;
