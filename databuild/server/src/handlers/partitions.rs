//! Datasets and partitions.

use super::super::extract::Query;
use super::Answer;
use crate::api::{DatasetSummary, Page, PartitionRow, PartitionsQuery, Why, WhyQuery};
use crate::app::{partitions, why};
use crate::state::App;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/datasets", get(datasets))
        .route("/partitions", get(list))
        .route("/why", get(explain))
}

/// Those of the first plan for this API, below `/api`.
pub(crate) fn seed_routes() -> Router<App> {
    Router::new().route("/partitions", get(list))
}

async fn datasets(app: App) -> Answer<Page<DatasetSummary>> {
    Ok(Json(partitions::datasets(&app).await?))
}

async fn list(app: App, Query(query): Query<PartitionsQuery>) -> Answer<Page<PartitionRow>> {
    Ok(Json(partitions::list(&app, query).await?))
}

async fn explain(app: App, Query(query): Query<WhyQuery>) -> Answer<Why> {
    Ok(Json(why::partition(&app, query).await?))
}
