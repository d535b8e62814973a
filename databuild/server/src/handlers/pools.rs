//! Pools.

use super::super::extract::Body;
use super::Answer;
use crate::api::{PoolList, ResizePool};
use crate::app::pools;
use crate::state::App;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, resize))
}

/// Pools, and what else runs share.
///
/// `machine` has `places` and `memory`, each with `size` and `used`; `queued` is how many attempts wait at the
/// runner for a place, left out if none.
#[utoipa::path(
    get,
    path = "/pools",
    tag = "Server",
    operation_id = "pools_list",
    responses(
        (status = 200, body = PoolList),
    )
)]
async fn list(app: App) -> Json<PoolList> {
    Json(pools::list(&app))
}

/// Gives a pool another size.
///
/// As declared again, without `slots`.
#[utoipa::path(
    put,
    path = "/pools",
    tag = "Server",
    operation_id = "pools_resize",
    request_body = ResizePool,
    responses(
        (status = 200, body = PoolList),
        (status = "default", description = "no_graph pool_not_found WRITE"),
    )
)]
async fn resize(app: App, Body(body): Body<ResizePool>) -> Answer<PoolList> {
    Ok(Json(pools::resize(&app, body).await?))
}
