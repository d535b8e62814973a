//! One dataset, and where its partitions stand.

use super::super::extract::Query;
use super::Answer;
use crate::api::{DatasetDetail, StandingQuery, StandingSaid, Tiles, TilesQuery};
use crate::app::{datasets, tiles};
use crate::state::App;
use axum::extract::Path;
use axum::routing::get;
use axum::{Json, Router};

/// The routes of this noun. A dataset's name may have slashes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/datasets/{*name}", get(one))
        .route("/standing", get(standing))
        .route("/tiles", get(cells))
}

async fn one(app: App, Path(name): Path<String>) -> Answer<DatasetDetail> {
    Ok(Json(datasets::get(&app, name).await?))
}

async fn standing(app: App, Query(query): Query<StandingQuery>) -> Answer<StandingSaid> {
    Ok(Json(datasets::standing(&app, query).await?))
}

async fn cells(app: App, Query(query): Query<TilesQuery>) -> Answer<Tiles> {
    Ok(Json(tiles::get(&app, query).await?))
}
