//! What it is to be stored, and what refuses a stored message.

use super::ConvertError;
use databuild_core::word::Numbered;
use databuild_proto::protobuf::{Message, MessageField};

/// A type with a stored form.
pub(super) trait Stored: Sized {
    /// The stored form.
    type Message: Message;
    /// What the message is, for whoever is told that it has unknown fields.
    const WHAT: &'static str;

    /// The stored form; cannot fail.
    fn store(&self) -> Self::Message;

    /// What a message says that has no unknown fields. For [`read`] alone to call.
    fn of_known(message: Self::Message) -> Result<Self, ConvertError>;
}

/// What a message says. Refuses one with fields that this program's format does not have.
pub(super) fn read<T: Stored>(message: T::Message) -> Result<T, ConvertError> {
    known(&message, T::WHAT)?;
    T::of_known(message)
}

/// The stored forms of all.
pub(super) fn store_all<T: Stored>(all: &[T]) -> Vec<T::Message> {
    all.iter().map(T::store).collect()
}

/// What all messages say.
pub(super) fn read_all<T: Stored>(messages: Vec<T::Message>) -> Result<Vec<T>, ConvertError> {
    messages.into_iter().map(read).collect()
}

/// The stored form of what may be absent.
pub(super) fn store_some<T: Stored>(value: Option<&T>) -> MessageField<T::Message> {
    MessageField::from_option(value.map(T::store))
}

/// What a message says that may be absent.
pub(super) fn read_some<T: Stored>(field: MessageField<T::Message>) -> Result<Option<T>, ConvertError> {
    field.into_option().map(read).transpose()
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
