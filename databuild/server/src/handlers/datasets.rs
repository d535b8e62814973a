//! One dataset, and where its partitions stand.

use super::super::extract::Query;
use super::Answer;
use crate::api::{DatasetDetail, StandingQuery, StandingSaid, Tiles, TilesQuery};
use crate::app::{datasets, tiles};
use crate::state::App;
use axum::extract::Path;
use axum::Json;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun. A dataset's name may have slashes.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(one)).routes(routes!(standing)).routes(routes!(cells))
}

/// One dataset: what it is, and how many of its partitions are in which state.
#[utoipa::path(
    get,
    path = "/datasets/{*name}",
    tag = "Datasets and partitions",
    operation_id = "datasets_one",
    params(("name" = String, Path, description = "Its name, which may have slashes.", example = "daily")),
    responses(
        (status = 200, body = DatasetDetail),
        (status = "default", description = "no_graph unknown_dataset query_too_slow"),
    )
)]
async fn one(app: App, Path(name): Path<String>) -> Answer<DatasetDetail> {
    Ok(Json(datasets::get(&app, name).await?))
}

/// Where the partitions of a reference stand.
#[utoipa::path(
    get,
    path = "/standing",
    tag = "Datasets and partitions",
    operation_id = "partitions_standing",
    params(StandingQuery),
    responses(
        (status = 200, body = StandingSaid),
        (status = "default", description = "REFERENCE no_graph query_too_slow"),
    )
)]
async fn standing(app: App, Query(query): Query<StandingQuery>) -> Answer<StandingSaid> {
    Ok(Json(datasets::standing(&app, query).await?))
}

/// Counts by state in the cells of two dimensions.
///
/// At most 2,000 cells, row by row. Each has its `total` and those that are in a state, which are left out if none; the
/// others are current. Columns are as short as fits, from `lengths`; `before` and `after` are where there is more.
/// `selected` is the first and last column and row that have any of `select`.
#[utoipa::path(
    get,
    path = "/tiles",
    tag = "Datasets and partitions",
    operation_id = "partitions_tiles",
    params(TilesQuery),
    responses(
        (status = 200, body = Tiles),
        (status = "default", description = "REFERENCE bad_key no_graph no_reference query_too_slow unknown_word"),
    )
)]
async fn cells(app: App, Query(query): Query<TilesQuery>) -> Answer<Tiles> {
    Ok(Json(tiles::get(&app, query).await?))
}
