//! The event log.

use serde::{Deserialize, Serialize};

/// Query of `GET /api/v1/events`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Only events after this one.
    pub after: Option<u64>,
    /// How many rows at most.
    pub limit: Option<usize>,
}

/// `GET /api/v1/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventPage {
    /// The events.
    pub data: Vec<EventRow>,
    /// Where the list goes on; absent at its end.
    pub next: Option<String>,
    /// The newest event.
    pub seq: u64,
    /// The first event that is not archived.
    pub first_seq: u64,
}

/// An event in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventRow {
    /// Position.
    pub seq: u64,
    /// RFC 3339.
    pub at: String,
    /// Stable name of its kind.
    pub kind: String,
    /// For people.
    pub text: String,
    /// Who brought it about.
    pub actor: EventActor,
    /// What it follows from; none for what follows from time, or from several things at once.
    pub cause: Option<EventCause>,
}

/// Who brought an event about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventActor {
    /// `person` or `system`.
    pub kind: String,
    /// The person's name, as the client gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What an event follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventCause {
    /// `request`, `run` or `want`.
    pub kind: String,
    /// Which one.
    pub id: String,
    /// The program that sent the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}
