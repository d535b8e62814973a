//! The event log, for reading.

use super::super::error::ApiError;
use super::super::extract::Query;
use super::super::follow::follow;
use super::{last_event, Answer};
use crate::api::{EventPage, EventRow, EventsQuery, StreamEvent};
use crate::app::events;
use crate::state::App;
use axum::extract::Path;
use axum::http::HeaderMap;
use axum::response::Response;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(stream)).routes(routes!(one))
}

/// The build event log, oldest first or, with `sort=newest`, newest first.
///
/// Pass `next` as `after` to go on; with the newest first, as `before`. Without `after` the answer begins at the first event that is not
/// [archived](operations.md#old-events). With a filter an answer looks at 50,000 events at most, so it can have fewer rows than
/// `limit`, even none, and still a `next`. `about` names what an event speaks of; `data` is what it says: its fields depend on
/// `kind`, and [examples.json](../databuild/app/src/events/examples.json) has one of each. `kind` is the name of an event in
/// [events.proto](../databuild/proto/events.proto), which says what each means. `text` is one line for people; its
/// words may change, and it names the first five of many partitions.
#[utoipa::path(
    get,
    path = "/events",
    tag = "Events",
    operation_id = "events_list",
    params(EventsQuery),
    responses(
        (status = 200, body = EventPage),
        (status = "default", description = "LIST JOB REFERENCE RELATIVE bad_sort events_archived want_not_found run_not_found unknown_word"),
    )
)]
async fn list(app: App, Query(query): Query<EventsQuery>) -> Answer<EventPage> {
    Ok(Json(events::list(&app, query).await?))
}

/// One event, also an archived one.
#[utoipa::path(
    get,
    path = "/events/{seq}",
    tag = "Events",
    operation_id = "events_one",
    params(("seq" = String, Path, description = "Its number.", example = "1")),
    responses(
        (status = 200, body = EventRow),
        (status = "default", description = "event_not_found archive_missing"),
    )
)]
async fn one(app: App, Path(seq): Path<String>) -> Answer<EventRow> {
    Ok(Json(events::get(&app, &seq).await?))
}

/// Events as they are recorded: server-sent events.
///
/// `event` has an event, and its id is the event's number. The stream begins after `Last-Event-ID` or `after`, else now. `lost` with
/// `{"from": 5, "to": 9}` says that these are not told: they came faster than they were read, or they are archived; each is at
/// `GET /events/{seq}`. A stream on which nothing is told for 15 s tells its place as an id without an event, so that a client
/// that comes again goes on there. It has no `limit`, no `before` and no `sort`.
#[utoipa::path(
    get,
    path = "/events/stream",
    tag = "Events",
    operation_id = "events_stream",
    params(EventsQuery),
    responses(
        (status = 200, description = "Events.", body = StreamEvent, content_type = "text/event-stream"),
        (status = "default", description = "JOB REFERENCE RELATIVE bad_query want_not_found run_not_found too_many_waiting unknown_word"),
    )
)]
async fn stream(
    app: App,
    headers: HeaderMap,
    Query(query): Query<EventsQuery>,
) -> Result<Response, ApiError> {
    if query.limit.is_some() || query.before.is_some() || query.sort.is_some() {
        let message =
            "a stream has no `limit`, `before` or `sort`: it tells what comes, as long as you read it";
        return Err(ApiError::new("bad_query", message));
    }
    let after = last_event(&headers).or(query.after);
    let filter = events::filter(&app, query).await?;
    Ok(follow(&app, after, filter))
}
