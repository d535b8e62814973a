//! The queue.

use super::Answer;
use crate::api::Queue;
use crate::app::queue;
use crate::state::App;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(one))
}

/// What runs, what begins next and why, what waits for what, and who has pools.
///
/// `next` is in the order in which work is looked at when something gets free. Whatever fits begins; `blocker` says what
/// the rest lacks. Each list has at most 20 rows, and beside it a `..._total`, which is exact.
#[utoipa::path(
    get,
    path = "/queue",
    tag = "Server",
    operation_id = "queue_one",
    responses(
        (status = 200, body = Queue),
        (status = "default", description = "query_too_slow"),
    )
)]
async fn one(app: App) -> Answer<Queue> {
    Ok(Json(queue::get(&app).await?))
}
