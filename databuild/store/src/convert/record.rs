//! Whole records to bytes and back.

use super::super::time::{join, split};
use super::form::{known, malformed, read, Stored as _};
use super::{origin, ConvertError};
use databuild_core::each_event;
use databuild_core::event::{Event, Record};
use databuild_core::ids::GraphId;
use databuild_proto::protobuf::Message as _;
use databuild_proto::v1::record::Event as StoredEvent;
use databuild_proto::v1::Record as StoredRecord;
use std::sync::Arc;

/// The stored bytes of a record; without a graph's content, which is a blob of its own.
pub(in super::super) fn encode(record: &Record) -> Vec<u8> {
    let (at_us, at_ns) = split(record.at);
    let message = StoredRecord {
        at_us,
        at_ns,
        actor: origin::actor(&record.origin.actor),
        cause: origin::cause(record.origin.cause.as_ref()),
        event: Some(store_event(&record.event)),
        ..Default::default()
    };
    message
        .write_to_bytes()
        // Writing to memory fails only for required fields left out, and proto3 has none.
        .unwrap_or_else(|e| unreachable!("a message always encodes: {e}"))
}

/// The record of stored bytes. `content` finds a graph's content, which is stored apart.
pub(in super::super) fn decode<E: From<ConvertError>>(
    bytes: &[u8],
    content: impl FnMut(&GraphId) -> Result<Arc<str>, E>,
) -> Result<Record, E> {
    let message =
        StoredRecord::parse_from_bytes(bytes).map_err(|e| malformed(format!("does not decode ({e})")))?;
    // An event of an unknown kind is an unknown field of the record, so this comes first.
    known(&message, "a record")?;
    let at = join(message.at_us, message.at_ns).ok_or_else(|| malformed("has a time that does not exist"))?;
    let Some(stored) = message.event else { return Err(malformed("says nothing").into()) };
    let origin = origin::read(message.actor, message.cause, &stored)?;
    let mut event = read_event(stored)?;
    add_contents(&mut event, content)?;
    Ok(Record { at, origin, event })
}

macro_rules! both_directions {
    ($($(#[doc = $meaning:literal])+ $variant:ident = $number:literal => $kind:literal,)+) => {
        fn store_event(event: &Event) -> StoredEvent {
            match event {
                $(Event::$variant(fact) => StoredEvent::$variant(fact.store()),)+
            }
        }

        fn read_event(event: StoredEvent) -> Result<Event, ConvertError> {
            Ok(match event {
                $(StoredEvent::$variant(message) => Event::$variant(read(message)?),)+
            })
        }
    };
}

each_event!(both_directions);

/// Adds the contents of graphs, which events carry and messages do not.
fn add_contents<E>(
    event: &mut Event,
    mut content: impl FnMut(&GraphId) -> Result<Arc<str>, E>,
) -> Result<(), E> {
    match event {
        Event::GraphRegistered(registered) => registered.content = content(&registered.graph)?,
        Event::TrialCreated(trial) => {
            for of in &mut trial.graphs {
                of.content = content(&of.graph)?;
            }
        }
        _ => {}
    }
    Ok(())
}
