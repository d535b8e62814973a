//! The event log, for reading.

use super::super::app::App;
use super::super::error::ApiError;
use super::limit;
use crate::api::{EventActor, EventCause, EventPage, EventRow};
use crate::store::Events;
use axum::extract::rejection::QueryRejection;
use axum::extract::Query;
use axum::Json;
use databuild_core::ids::Seq;
use serde::Deserialize;

/// Query of [`list`].
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

/// `GET /events`.
///
/// # Errors
/// A bad query, or one for events that are archived.
pub async fn list(
    app: App,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<EventPage>, ApiError> {
    let Query(query) = query?;
    let limit = limit(query.limit);
    let found = app.slow(move |_, reader| Ok(reader.events(query.after.map(Seq), limit)?)).await?;
    let Events { archived, records: events } = found.value;
    let next = (events.len() == limit).then(|| events.last().map(|(seq, _)| seq.to_string())).flatten();
    let data = events
        .iter()
        .map(|(seq, record)| EventRow {
            seq: seq.0,
            at: record.at.to_string(),
            kind: record.event.kind().to_owned(),
            text: record.text(),
            actor: EventActor {
                kind: record.origin.actor.kind().to_owned(),
                name: record.origin.actor.name().map(str::to_owned),
            },
            cause: record.origin.cause.as_ref().map(|cause| EventCause {
                kind: cause.kind().to_owned(),
                id: cause.id(),
                client: cause.client().map(str::to_owned),
            }),
        })
        .collect();
    Ok(Json(EventPage { data, next, seq: found.last_seq.0, first_seq: archived.0 + 1 }))
}
