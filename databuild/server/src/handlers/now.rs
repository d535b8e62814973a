//! What goes on now.

use super::super::extract::Query;
use super::Answer;
use crate::api::{Now, NowQuery};
use crate::app::now;
use crate::state::App;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(one))
}

/// What goes on: what runs, what waits and why, what failed.
///
/// Each list has at most 20 rows, and beside it a `..._total`, which is exact. `blocker` is as in
/// [cli.md](cli.md#why).
#[utoipa::path(
    get,
    path = "/now",
    tag = "Server",
    operation_id = "now_one",
    params(NowQuery),
    responses(
        (status = 200, body = Now),
        (status = "default", description = "bad_time query_too_slow"),
    )
)]
async fn one(app: App, Query(query): Query<NowQuery>) -> Answer<Now> {
    Ok(Json(now::get(&app, query).await?))
}
