//! Datasets and partitions.

use super::super::extract::Query;
use super::Answer;
use crate::api::{DatasetSummary, DatasetsQuery, Page, PartitionRow, PartitionsQuery, Why, WhyQuery};
use crate::app::{partitions, why};
use crate::state::App;
use axum::routing::get;
use axum::{Json, Router};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The routes of this noun.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(datasets)).routes(routes!(list)).routes(routes!(explain))
}

/// Those of the first plan for this API, below `/api`.
pub(crate) fn seed_routes() -> Router<App> {
    Router::new().route("/partitions", get(list))
}

/// Datasets, with counts by state.
///
/// Each partition is in one of the states, and `total` is their sum.
#[utoipa::path(
    get,
    path = "/datasets",
    tag = "Datasets and partitions",
    operation_id = "partitions_datasets",
    params(DatasetsQuery),
    responses(
        (status = 200, body = Page<DatasetSummary>),
        (status = "default", description = "LIST bad_sort bad_state no_graph"),
    )
)]
async fn datasets(app: App, Query(query): Query<DatasetsQuery>) -> Answer<Page<DatasetSummary>> {
    Ok(Json(partitions::datasets(&app, query).await?))
}

/// Partitions of a reference, in the order of their keys.
///
/// Without a reference those of all datasets, by name.
/// `reason` says why a partition is not current; it is `blocked` for what is missing because an edge rule says that
/// it cannot be built.
#[utoipa::path(
    get,
    path = "/partitions",
    tag = "Datasets and partitions",
    operation_id = "partitions_list",
    params(PartitionsQuery),
    responses(
        (status = 200, body = Page<PartitionRow>),
        (status = "default", description = "LIST REFERENCE bad_sort bad_state no_graph"),
    )
)]
async fn list(app: App, Query(query): Query<PartitionsQuery>) -> Answer<Page<PartitionRow>> {
    Ok(Json(partitions::list(&app, query).await?))
}

/// Why a partition is as it is.
///
/// `causes` has changed files or inputs, or the run that failed, or the `reason` `blocked` or `left_out` as in a
/// plan; `upstream` has the steps to the first cause if something that it is made from is not current. At most 100
/// `inputs` of `inputs_total` are listed.
#[utoipa::path(
    get,
    path = "/why",
    tag = "Datasets and partitions",
    operation_id = "partitions_explain",
    params(WhyQuery),
    responses(
        (status = 200, body = Why),
        (status = "default", description = "REFERENCE no_graph not_one_partition events_archived archive_missing"),
    )
)]
async fn explain(app: App, Query(query): Query<WhyQuery>) -> Answer<Why> {
    Ok(Json(why::partition(&app, query).await?))
}
