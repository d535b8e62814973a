//! Attempts on an axis of time.

use super::super::extract::Query;
use super::Answer;
use crate::api::{Timeline, TimelineQuery};
use crate::app::timeline;
use crate::state::App;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(one))
}

/// When attempts waited, were on their way to the runner, and ran.
///
/// Without `from`, `until` and `want` it is about the newest 100 runs. Up to 100 runs are told one by one, more are folded by job into
/// equal parts of the time; more than 2,000 are not looked at, and `older` says where to go on.
#[utoipa::path(
    get,
    path = "/timeline",
    tag = "Runs",
    operation_id = "timeline_one",
    params(TimelineQuery),
    responses(
        (status = 200, body = Timeline),
        (status = "default", description = "JOB bad_time invalid_run_id query_too_slow want_not_found"),
    )
)]
async fn one(app: App, Query(query): Query<TimelineQuery>) -> Answer<Timeline> {
    Ok(Json(timeline::get(&app, query).await?))
}
