//! What several records hold, both ways, and what refuses a record.

use super::super::time::{join, split};
use super::ConvertError;
use databuild_core::event::OutputRecord;
use databuild_core::word::Numbered;
use databuild_proto::protobuf::{Message, MessageField};
use databuild_proto::v1 as stored;
use jiff::Timestamp;

pub(super) fn output(output: &OutputRecord) -> stored::OutputRecord {
    let OutputRecord { partition, version, empty, mark, bytes, metadata } = output;
    stored::OutputRecord {
        partition: partition.clone(),
        version: version.clone(),
        empty: *empty,
        mark: *mark,
        bytes: *bytes,
        metadata: metadata.clone(),
        ..Default::default()
    }
}

pub(super) fn instant(at: Timestamp) -> MessageField<stored::Instant> {
    let (us, ns) = split(at);
    MessageField::some(stored::Instant { us, ns, ..Default::default() })
}

pub(super) fn optional_instant(at: Option<Timestamp>) -> MessageField<stored::Instant> {
    at.map_or_else(MessageField::none, instant)
}

pub(super) fn read_output(message: stored::OutputRecord) -> Result<OutputRecord, ConvertError> {
    known(&message, "an output")?;
    let stored::OutputRecord { partition, version, empty, mark, bytes, metadata, special_fields: _ } =
        message;
    Ok(OutputRecord { partition, version, empty, mark, bytes, metadata })
}

pub(super) fn read_instant(field: MessageField<stored::Instant>) -> Result<Timestamp, ConvertError> {
    read_optional_instant(field)?.ok_or_else(|| malformed("lacks a time"))
}

pub(super) fn read_optional_instant(
    field: MessageField<stored::Instant>,
) -> Result<Option<Timestamp>, ConvertError> {
    let Some(message) = field.into_option() else {
        return Ok(None);
    };
    known(&message, "a time")?;
    match join(message.us, message.ns) {
        Some(at) => Ok(Some(at)),
        None => Err(malformed("has a time that does not exist")),
    }
}

/// Refuses a message with fields that this program's format does not have.
pub(super) fn known(message: &impl Message, what: &str) -> Result<(), ConvertError> {
    match message.special_fields().unknown_fields().iter().next() {
        None => Ok(()),
        Some((number, _)) => Err(ConvertError::NewerFormat { what: format!("{what} with field {number}") }),
    }
}

/// The value of a number in an event. Numbers count from 1; 0 is what nobody wrote.
pub(super) fn value<W: Numbered>(number: i32) -> Result<W, ConvertError> {
    match (W::of_number(number), number) {
        (Some(value), _) => Ok(value),
        (None, 0) => Err(malformed(format!("has no {}", W::KIND))),
        (None, _) => Err(ConvertError::NewerFormat { what: format!("{} number {number}", W::KIND) }),
    }
}

pub(super) fn malformed(reason: impl Into<String>) -> ConvertError {
    ConvertError::Malformed { reason: reason.into() }
}
