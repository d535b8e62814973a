//! The event log, for reading.

use super::context::Context;
use super::words::limit;
use super::AppError;
use crate::api::{EventActor, EventCause, EventPage, EventRow, EventsQuery};
use crate::store::Events;
use databuild_core::event::Record;
use databuild_core::ids::Seq;

/// Events after one, oldest first.
///
/// # Errors
/// The events are archived.
pub async fn list(context: &impl Context, query: EventsQuery) -> Result<EventPage, AppError> {
    let limit = limit(query.limit)?;
    let found = context.slow(move |_, reader| Ok(reader.events(query.after.map(Seq), limit)?)).await?;
    let Events { archived, records: events } = found.value;
    let next = (events.len() == limit).then(|| events.last().map(|(seq, _)| seq.to_string())).flatten();
    let data = events.iter().map(|(seq, record)| row(*seq, record)).collect();
    Ok(EventPage { data, next, seq: found.last_seq.0, first_seq: archived.0 + 1 })
}

fn row(seq: Seq, record: &Record) -> EventRow {
    let origin = &record.origin;
    EventRow {
        seq: seq.0,
        at: record.at.to_string(),
        kind: record.event.kind().to_owned(),
        text: record.text(),
        actor: EventActor {
            kind: origin.actor.kind().to_owned(),
            name: origin.actor.name().map(str::to_owned),
        },
        cause: origin.cause.as_ref().map(|cause| EventCause {
            kind: cause.kind().to_owned(),
            id: cause.id(),
            client: cause.client().map(str::to_owned),
        }),
    }
}
