//! The event log.

use super::ListOrder;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Query of `GET /api/v1/events`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Only events after this one.
    pub after: Option<u64>,
    /// Only events before this one.
    pub before: Option<u64>,
    /// Which ones come first: `oldest` by default.
    #[param(inline, value_type = Option<ListOrder>)]
    pub sort: Option<String>,
    /// How many rows at most.
    pub limit: Option<usize>,
    /// Only events that speak of this want, or follow from it.
    pub want: Option<String>,
    /// Only events that speak of this run, or follow from it.
    pub run: Option<String>,
    /// Only events that speak of this job, by label or by name, or of a run of it.
    pub job: Option<String>,
    /// Only events that speak of partitions of this dataset.
    pub dataset: Option<String>,
    /// Only events that speak of any partition of this reference.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Only events of these kinds: names with commas between them.
    pub kind: Option<String>,
    /// Only events that this person brought about; `system` for DataBuild itself.
    pub actor: Option<String>,
    /// Only events that follow from this run, this want, or the request of this id.
    pub cause: Option<String>,
}

/// `GET /api/v1/events`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventPage {
    /// The events.
    pub data: Vec<EventRow>,
    /// Where the list goes on: `after` this event or, with `sort=newest`, `before` it; absent at its end.
    pub next: Option<String>,
    /// The newest event.
    pub seq: u64,
    /// The first event that is not archived.
    pub first_seq: u64,
}

/// An event in a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
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
    /// What it speaks of.
    pub about: EventSubjects,
    /// What it says. Which fields there are depends on the kind.
    pub data: serde_json::Value,
}

/// What an event speaks of, so that whoever shows these knows that there is something new.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, ToSchema)]
pub struct EventSubjects {
    /// Wants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wants: Vec<String>,
    /// Runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<String>,
    /// Labels of jobs, with those of its runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub jobs: Vec<String>,
    /// Names of datasets, with those that its runs make.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<String>,
    /// Trials.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trials: Vec<String>,
    /// Plans.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub plans: Vec<String>,
}

/// Events that a stream of them does not tell: they come too fast for its reader, or are archived. Each is at
/// `GET /api/v1/events/{seq}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LostEvents {
    /// The first of them.
    pub from: u64,
    /// The last of them.
    pub to: u64,
}

/// Who brought an event about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventActor {
    /// `person` or `system`.
    pub kind: String,
    /// The person's name, as the client gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What an event follows from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EventCause {
    /// `request`, `run` or `want`.
    pub kind: String,
    /// Which one.
    pub id: String,
    /// The program that sent the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
}
